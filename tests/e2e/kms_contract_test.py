#!/usr/bin/env python3
"""The KMS's contract with the nodes that exist, row by row: statuses, headers, tags, texts, member order and the order of the checks
(compatibility facts D.1-D.6, J.1, J.2). Requests are bytes on a socket, the cryptography is Python's own: nothing is shared with the
code under test. Every error tag is provoked at least once; a tag without a row fails the test."""
import base64
import hashlib
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import crypto
from support.programs import BUILD, REGISTERS, Platform, Program, expect, free_port, need_programs, run_tests
from support.scripted_kms import DEFAULT_BINDING, b64, dstack_call, report_data_of
from support.scripted_node import ScriptedNode

JSON = "application/json"
SEAL_SECRET = bytes([9] * 32)
TAGS = {"invalid_request": 400, "invalid_peer_id": 400, "invalid_attestation_request": 400, "invalid_peer_public_key": 400,
        "invalid_challenge": 401, "invalid_signature": 401, "attestation_verification_failed": 401,
        "mock_attestation_rejected": 401, "peer_identity_mismatch": 401, "peer_id_mismatch": 401, "tcb_status_rejected": 403,
        "measurement_policy_rejected": 403, "rate_limited": 429, "key_derivation_failed": 500, "policy_not_ready": 503}
provoked = set()


# --- a client of bytes ---

def exchange(port, data, timeout=30):
    """Sends bytes; the answer's (status, headers in lower case, body)."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.sendall(data)
        return read_answer(s.makefile("rb"), data.startswith(b"HEAD"))


def read_answer(stream, head=False):
    line = stream.readline().split(b" ")
    assert line[0] == b"HTTP/1.1", line
    headers = {}
    for field in iter(stream.readline, b"\r\n"):
        assert field, "the answer ends in its headers"
        name, value = field.decode().split(":", 1)
        headers[name.lower()] = value.strip()
    body = b"" if head else stream.read(int(headers.get("content-length", "0")))
    return int(line[1]), headers, body


def bytes_of(method, path, body=b"", content_type=JSON, *more):
    body = body if isinstance(body, bytes) else body.encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: kms", f"Content-Length: {len(body)}", *more]
    lines += [f"Content-Type: {content_type}"] if content_type else []
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Kms:
    """A KMS whose policy allows one machine."""

    def __init__(self, platform, allowed="node", popen=None, **settings):
        self.platform, self.port = platform, free_port()
        env = {**platform.dev_env, "LISTEN_ADDR": f"127.0.0.1:{self.port}", "USE_ENV_POLICY": "true",
               "DSTACK_SOCKET_PATH": platform.socket("kms"), "MERO_KMS_RATE": "0",
               "MERO_KMS_STATE_DIR": str(platform.dir / f"state-{self.port}")}
        env.update({f"ALLOWED_{r.upper()}": platform.machines[allowed]["measurements"][r] for r in REGISTERS})
        env.update(settings)
        self.program = Program([BUILD / "mero-kms-phala"], platform.dir / f"kms-{self.port}.log", env, **(popen or {}))
        platform.programs.append(self.program)
        self.program.wait_for(r"listening on")

    def node(self, machine="node", seed=bytes(range(1, 33))):
        return ScriptedNode(self.platform.socket(machine), "127.0.0.1", self.port, seed=seed)

    def ask(self, *request):
        return exchange(self.port, bytes_of(*request))

    def refused(self, path, body, tag, details, exactly=True):
        """The answer is the error envelope with this tag, its status and these details."""
        status, headers, text = self.ask("POST", path, body if isinstance(body, (str, bytes)) else json.dumps(body))
        where = f"{path} {tag}: {text!r}"
        expect(status, TAGS[tag], where)
        expect(headers.get("content-type"), JSON, where)
        reply = json.loads(text)
        expect(list(reply), ["error", "details"], where)
        expect(text.decode(), json.dumps(reply, separators=(",", ":"), ensure_ascii=False), "the body is not compact")
        expect(reply["error"], tag, where)
        assert reply["details"] == details if exactly else details in reply["details"], f"{where}, wanted {details!r}"
        provoked.add(tag)
        return headers


# --- rows ---

def framework():
    """D.1, D.2: what the existing KMS's web framework says."""
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        alive = b'{"status":"alive","service":"mero-kms-phala"}'
        status, headers, body = kms.ask("GET", "/health", b"", None)
        expect((status, headers["content-type"], body), (200, JSON, alive))
        status, headers, body = kms.ask("HEAD", "/health", b"", None)
        expect((status, headers["content-length"]), (200, str(len(alive))))
        for method, path in (("GET", "/"), ("POST", "/nothing"), ("GET", "/health/"), ("GET", "/metrics"), ("GET", "/readyz"),
                             ("POST", "/get-key/x"), ("GET", "//health"), ("GET", "/../health")):
            status, headers, body = kms.ask(method, path, b"")
            expect((status, body), (404, b""), path)
        for method, path, allow in (("POST", "/health", "GET,HEAD"), ("DELETE", "/health", "GET,HEAD"),
                                    ("OPTIONS", "/health", "GET,HEAD"), ("GET", "/challenge", "POST"),
                                    ("HEAD", "/attest", "POST"), ("PUT", "/get-key", "POST")):
            status, headers, body = kms.ask(method, path, b"")
            expect((status, headers.get("allow"), body), (405, allow, b""), f"{method} {path}")
        for path in ("/challenge", "/attest", "/get-key"):
            for content_type in (None, "text/plain", "application/jsonx", "application/x-www-form-urlencoded", "json", "text/json"):
                status, headers, body = kms.ask("POST", path, b"{}", content_type)
                expect((status, headers["content-type"].split(";")[0], body),
                       (415, "text/plain", b"Expected request with `Content-Type: application/json`"), f"{path} {content_type}")
            for content_type in (JSON, "Application/JSON", "application/json; charset=utf-8", "application/problem+json"):
                expect(kms.ask("POST", path, b"{}", content_type)[0], 422, f"{path} {content_type}")
            bodies(kms, path)
        for origin in ("https://a.example",):
            headers = kms.ask("GET", "/health", b"", None, f"Origin: {origin}")[1]
            assert "access-control-allow-origin" not in headers, "CORS is off unless asked for"


def bodies(kms, path):
    member = {"/challenge": "peerId", "/attest": "nonceB64", "/get-key": "peerId"}[path]
    parse, type_error = "Failed to parse the request body as JSON: ", "Failed to deserialize the JSON body into the target type: "
    rows = [(400, parse, b) for b in (
        b"", b"{", b"[", b'{"a":1', b'{"a" 1}', b"nul", b"'x'", b'{"a":01}', b'{"a":1.}', b'{"a":"\x01"}',
        b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":"\\x"}', b"{,}", b'{"a":1,}', b"\xef\xbb\xbf{}", b"[" * 20000,
        b'{"a":' * 10000 + b"1" + b"}" * 10000, b"{" + b'"a":' + b"[" * 200 + b"]" * 200 + b"}")]
    rows += [(422, type_error, b) for b in (
        b"{}", b"null", b"1", b'"x"', b"true", b"{\"%s\":1}" % member.encode(), b"{\"%s\":null}" % member.encode(),
        b"{\"%s\":[]}" % member.encode(), b"{\"%s\":\"x\",\"%s\":\"x\"}" % (member.encode(), member.encode()),
        b"{\"%s\":{\"%s\":\"x\"}}" % (member.encode(), member.encode()))]
    good = {"/challenge": '{"peerId":"abc"}', "/attest": '{"nonceB64":""}',
            "/get-key": json.dumps(dict.fromkeys(("challengeId", "quoteB64", "peerId", "peerPublicKeyB64", "signatureB64"), ""))}
    rows += [(400, parse, good[path].encode() + behind) for behind in (b"x", b" {}", b"}", b",", b"\0")]
    for status, lead, body in rows:
        answer = kms.ask("POST", path, body)
        context = f"{path} {body[:60]!r}: {answer}"
        expect(answer[0], status, context)
        expect(answer[1]["content-type"].split(";")[0], "text/plain", context)
        assert answer[2].startswith(lead.encode()) and len(answer[2]) > len(lead), context
    for size, status in ((65535, 422), (65536, 422), (65537, 413)):
        body = b'{"x":"' + b"a" * (size - 8) + b'"}'
        answer = kms.ask("POST", path, body)
        expect(answer[0], status, f"{path} with {size} bytes")
        if status == 413:
            expect(answer[2], b"Failed to buffer the request body: length limit exceeded")
        chunked = (f"POST {path} HTTP/1.1\r\nHost: kms\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
                   f"{len(body):x}\r\n").encode() + body + b"\r\n0\r\n\r\n"
        expect(exchange(kms.port, chunked)[0], status, f"{path} with {size} bytes in chunks")


def cross_origin():
    with Platform("kms", "node") as platform:
        kms = Kms(platform, CORS_ALLOWED_ORIGINS="https://a.example, https://b.example")
        for origin, allowed in (("https://b.example", "https://b.example"), ("https://evil.example", None)):
            headers = kms.ask("GET", "/health", b"", None, f"Origin: {origin}")[1]
            expect(headers.get("access-control-allow-origin"), allowed)
        status, headers, body = kms.ask("OPTIONS", "/get-key", b"", None, "Origin: https://a.example",
                                        "Access-Control-Request-Method: POST")
        expect((status, headers["access-control-allow-origin"], headers["access-control-allow-methods"],
                headers["access-control-allow-headers"]), (200, "https://a.example", "GET,POST", "*"))


def challenges():
    """D.3."""
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        for peer, details in (("", "peer ID must not be empty"), (" \t\n", "peer ID must not be empty"),
                              ("1" * 129, "peer ID exceeds max length 128"), ("0", "peer ID contains non-base58btc characters"),
                              ("abcI", "peer ID contains non-base58btc characters"),
                              ("a b", "peer ID contains non-base58btc characters"),
                              ("\u00e4", "peer ID contains non-base58btc characters")):
            kms.refused("/challenge", {"peerId": peer}, "invalid_peer_id", details)
        seen = set()
        for peer in ("1" * 128, " " + "1" * 128 + " ", "abc", "12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf"):
            before = int(time.time())
            status, headers, body = kms.ask("POST", "/challenge", json.dumps({"peerId": peer, "unknown": [1, {"x": None}]}))
            reply = json.loads(body)
            expect((status, headers["content-type"], list(reply)), (200, JSON, ["challengeId", "nonceB64", "expiresAt"]))
            expect(body.decode(), json.dumps(reply, separators=(",", ":")))
            assert len(reply["challengeId"]) == 112 and set(reply["challengeId"]) <= set("0123456789abcdef"), reply
            expect(len(base64.b64decode(reply["nonceB64"], validate=True)), 32)
            assert 59 <= reply["expiresAt"] - before <= 61, reply
            seen |= {reply["challengeId"], reply["nonceB64"]}
        expect(len(seen), 8, "challenges repeat")


def attestation():
    """D.4, J.1."""
    b32, other = b64(bytes(range(32))), b64(bytes([5] * 32))
    with Platform("kms", "node") as platform:
        kms = Kms(platform, MERO_KMS_ATTEST_BINDINGS=b64(bytes([6] * 32)))
        tag = "invalid_attestation_request"
        for field, others in (("nonceB64", {}), ("bindingB64", {"nonceB64": b32})):
            for value in (b64(bytes(31)), b64(bytes(33)), "", "AAAA"):
                kms.refused("/attest", {**others, field: value}, tag, f"{field} must be exactly 32 bytes")
            # not base64 at all, no padding, white space, the URL alphabet, bits behind the end
            for value in ("!", b32[:-1], b32 + "\n", " " + b32, "-_" * 21 + "A=", b32[:-2] + "9=", "A" * 43 + "=="):
                kms.refused("/attest", {**others, field: value}, tag, f"{field}: ", exactly=False)
        kms.refused("/attest", {"nonceB64": b32, "bindingB64": other}, tag, "bindingB64 is not accepted", exactly=False)
        transport = None
        for request, half in (({}, DEFAULT_BINDING), ({"bindingB64": None}, DEFAULT_BINDING),
                              ({"bindingB64": b64(DEFAULT_BINDING)}, DEFAULT_BINDING),
                              ({"bindingB64": b64(bytes([6] * 32)), "transportKey": False}, bytes([6] * 32)),
                              ({"transportKey": True}, None), ({"transportKey": True, "bindingB64": other}, None)):
            status, headers, body = kms.ask("POST", "/attest", json.dumps({"nonceB64": b32, **request}))
            expect((status, headers["content-type"]), (200, JSON), body)
            reply = json.loads(body)
            members = ["quoteB64", "reportDataHex", "eventLog", "vmConfig"]
            if half is None:
                members.append("transportPublicKeyB64")
                key = base64.b64decode(reply["transportPublicKeyB64"], validate=True)
                assert transport in (None, key), "the transport key changes"
                transport = key
                binding = bytes([5] * 32) if "bindingB64" in request else DEFAULT_BINDING
                half = hashlib.sha256(b"mero-kms/attest-transport-key/v1" + binding + key).digest()
            expect(list(reply), members)
            expect(reply["reportDataHex"], (bytes(range(32)) + half).hex())
            expect(report_data_of(base64.b64decode(reply["quoteB64"], validate=True)).hex(), reply["reportDataHex"])
            assert isinstance(reply["eventLog"], list) and isinstance(reply["vmConfig"], str), body[:200]


def good_request(kms, node, sealed=True, **made_with):
    """A key request; made_with replaces nonce, peer or machine in what is quoted and signed."""
    challenge = made_with.get("challenge") or node.challenge()
    seal_to = crypto.x25519_public(SEAL_SECRET) if sealed else None
    nonce = base64.b64decode(challenge["nonceB64"])
    half = hashlib.sha256((b"mero-kms/sealed-get-key/v1" + seal_to if sealed else b"") +
                          made_with.get("quoted_peer", node.peer).encode()).digest()
    quote = made_with.get("quote")
    if quote is None:
        report_data = made_with.get("quoted_nonce", nonce) + half
        quote = bytes.fromhex(dstack_call(node.agent, "GetQuote", {"report_data": report_data.hex()})["quote"])
        if "damage" in made_with:
            quote = damaged(quote, made_with["damage"])
    body = {"challengeId": challenge["challengeId"], "quoteB64": b64(quote), "peerId": node.peer,
            "peerPublicKeyB64": b64(node.public)}
    payload = {"challengeId": challenge["challengeId"], "challengeNonceHex": nonce.hex(),
               "quoteHashHex": hashlib.sha256(quote).hexdigest(), "peerId": node.peer}
    if sealed:
        body["sealToB64"] = b64(seal_to)
        payload["sealToHex"] = seal_to.hex()
    payload = made_with.get("payload", lambda p: p)(payload)
    body["signatureB64"] = b64(crypto.ed25519_sign(node.seed, json.dumps(payload, separators=(",", ":")).encode()))
    return body


def damaged(quote, damage):
    quote = bytearray(quote)
    if callable(damage):
        return bytes(damage(quote))
    quote[damage] ^= 1
    return bytes(quote)


def lying_length(quote):
    quote[632:636] = (0xFFFFFFF0).to_bytes(4, "little")  # of the signature section of a version 4 quote
    return quote


def mock_quote(report_data):
    return (b"MOCK_TDX_QUOTE_V1" + report_data).ljust(256, b"\0")


# What is wrong with an otherwise good request, in the order of the checks, and the answer. A row is applied together with all
# rows behind it, so that the answer also tells that nothing later was looked at first.
def order_rows(kms):
    wrong_key = b64(b"\x08\x01\x12\x20" + bytes([7] * 32))
    return [
        ("peer id", {"peerId": "0"}, "invalid_peer_id", "peer ID contains non-base58btc characters"),
        ("challenge id", {"challengeId": "xyz"}, "invalid_challenge", "challenge ID must be "),
        ("sealing", {"sealToB64": "AAAA"}, "invalid_attestation_request", "sealToB64"),
        ("quote base64", {"quoteB64": "A"}, "invalid_request", "quoteB64: "),
        ("challenge", {"challengeId": "0" * 112}, "invalid_challenge", "Challenge validation failed: challenge not found or expired"),
        ("public key base64", {"peerPublicKeyB64": "A"}, "invalid_peer_public_key", "peerPublicKeyB64: "),
        ("signature base64", {"signatureB64": "A"}, "invalid_signature", "signatureB64: "),
        ("public key", {"peerPublicKeyB64": "AAAA"}, "invalid_peer_public_key", ""),
        ("identity", {"peerPublicKeyB64": wrong_key}, "peer_identity_mismatch",
         "The provided peer public key does not correspond to the claimed peer ID"),
        ("signature", {"signatureB64": b64(bytes(64))}, "invalid_signature", "signature verification failed"),
    ]


def order_of_checks():
    """D.5: each fault alone, and together with every later fault."""
    with Platform("kms", "node", "stranger") as platform:
        kms = Kms(platform)
        node = kms.node("stranger")  # its quote fails last
        rows = order_rows(kms)
        for i, (name, change, tag, details) in enumerate(rows):
            for others in ([], rows[i + 1:]):
                body = good_request(kms, node, damage=200)
                for _, later, _, _ in reversed(others):
                    body.update(later)
                body.update(change)
                kms.refused("/get-key", body, tag, details, exactly=False)
        kms.refused("/get-key", good_request(kms, node, damage=200, quoted_nonce=bytes(32), quoted_peer="12D3KooW"),
                    "invalid_challenge", "Attested nonce does not match issued challenge")
        kms.refused("/get-key", good_request(kms, node, damage=200, quoted_peer="12D3KooW"), "peer_id_mismatch",
                    "The peer ID in the attestation does not match the claimed peer ID")
        kms.refused("/get-key", good_request(kms, node, damage=200), "attestation_verification_failed",
                    "Quote cryptographic verification failed", exactly=False)
        mrtd = platform.machines["stranger"]["measurements"]["mrtd"]
        kms.refused("/get-key", good_request(kms, node), "measurement_policy_rejected", f"MRTD '{mrtd}' is not in allowlist")


def missing_members():
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        body = good_request(kms, kms.node())
        for name in body:
            less = {k: v for k, v in body.items() if k != name}
            if name == "sealToB64":
                kms.refused("/get-key", less, "invalid_attestation_request", "sealToB64 is required", exactly=False)
                continue
            status, _, text = kms.ask("POST", "/get-key", json.dumps(less))
            expect(status, 422)
            assert f"missing field `{name}`".encode() in text, text


def bad_quotes():
    """Lengths that lie, missing ends, foreign and mock quotes: refused by name, and the service goes on."""
    tag = "attestation_verification_failed"
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        node = kms.node()
        for damage in (lying_length, lambda q: q[:-200], lambda q: q[:636], lambda q: q[:47], lambda q: b"",
                       lambda q: b"\x05" + q[1:], lambda q: b"\x03" + q[1:], lambda q: bytes(len(q)), 8, 4, 2, 48 + 584 + 4,
                       48 + 584 + 4 + 64):
            kms.refused("/get-key", good_request(kms, node, damage=damage), tag, "", exactly=False)
        for size in (1, 47, 48, 631, 632, 635, 636, 1000, 4000, 40000):
            kms.refused("/get-key", good_request(kms, node, quote=os.urandom(size)), tag, "", exactly=False)
        kms.refused("/get-key", good_request(kms, node, quote=mock_quote(bytes(64))), "mock_attestation_rejected",
                    "Mock attestations are not accepted in production mode")
        # Quotes come in larger buffers, so what is behind the end does not count.
        status, body = node.post("/get-key", good_request(kms, node, damage=lambda q: q + b"\x01"))
        expect((status, list(body)), (200, ["sealedKeyB64", "sealNonceB64"]), body)


def signatures():
    """D.6: the payload's member order is the contract."""
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        node, details = kms.node(), "signature verification failed"
        for payload in (lambda p: {k: p[k] for k in sorted(p)}, lambda p: {k: v for k, v in p.items() if k != "sealToHex"},
                        lambda p: {**p, "challengeNonceHex": "00" * 32}, lambda p: {**p, "extra": 1},
                        lambda p: {**p, "quoteHashHex": p["quoteHashHex"].upper()}):
            kms.refused("/get-key", good_request(kms, node, payload=payload), "invalid_signature", details)
        body = good_request(kms, node)
        good = base64.b64decode(body["signatureB64"])
        high_s = (int.from_bytes(good[32:], "little") + crypto.Q).to_bytes(32, "little")
        for signature in (good[:63], good + b"\0", b"", good[:32] + bytes(32), good[:32] + high_s):
            kms.refused("/get-key", {**body, "signatureB64": b64(signature)}, "invalid_signature", details)
        for key in (node.public[:-1], node.public + b"\0", b"\x08\x00" + node.public[2:], b"\x08\x02" + node.public[2:], b"",
                    node.public[4:], b"\x08\x01\x12\x21" + node.public[4:] + b"\0"):
            kms.refused("/get-key", {**body, "peerPublicKeyB64": b64(key)}, "invalid_peer_public_key", "", exactly=False)
        expect(node.post("/get-key", body)[0], 200, "a refused signature burnt the challenge")


def sealing():
    """J.1: low-order points give away nothing; a small change of the point is another request."""
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        node = kms.node()
        low_order = [bytes(32), b"\1" + bytes(31), (crypto.P).to_bytes(32, "little"), (crypto.P - 1).to_bytes(32, "little"),
                     (crypto.P + 1).to_bytes(32, "little"),
                     bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
                     bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")]
        for point in low_order:
            body, _ = node.request(node.challenge(), point)
            kms.refused("/get-key", body, "invalid_attestation_request", "sealToB64: ", exactly=False)
        body = good_request(kms, node)
        kms.refused("/get-key", {**body, "sealToB64": b64(crypto.x25519_public(bytes([8] * 32)))}, "invalid_signature",
                    "signature verification failed")
        # the flow with everything in place, opened by independent code
        expect(node.sealed_key().hex(), stored_key(platform, node))


def stored_key(platform, node, prefix="merod/storage/locked-read-only"):
    return dstack_call(platform.socket("kms"), "GetKey",
                       {"path": f"{prefix}/{node.peer}", "purpose": "", "algorithm": "secp256k1"})["key"]


def clear_form():
    """D.1, D.5 without sealing, where the operator allows it."""
    with Platform("kms", "node") as platform:
        kms = Kms(platform, MERO_KMS_REQUIRE_SEALED_KEY_RELEASE="false", KEY_NAMESPACE_PREFIX="/other/prefix/",
                  MERO_KMS_PROFILE="debug")
        node = kms.node()
        status, headers, body = kms.ask("POST", "/get-key", json.dumps(good_request(kms, node, sealed=False)))
        expect((status, headers["content-type"], body.decode()),
               (200, JSON, '{"key":"%s"}' % stored_key(platform, node, "other/prefix/debug")))
        sealed = good_request(kms, node)
        kms.refused("/get-key", {k: v for k, v in sealed.items() if k != "sealToB64"}, "invalid_signature",
                    "signature verification failed")
        clear = good_request(kms, node, sealed=False)
        kms.refused("/get-key", {**clear, "sealToB64": b64(crypto.x25519_public(SEAL_SECRET))}, "invalid_signature",
                    "signature verification failed")


def replay():
    """A challenge releases once, whoever asks again and however many ask at the same time; it is the peer's alone."""
    again = "Challenge validation failed: challenge not found or expired"
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        node, other = kms.node(), kms.node(seed=bytes([3] * 32))
        body = good_request(kms, node)
        expect(node.post("/get-key", body)[0], 200)
        kms.refused("/get-key", body, "invalid_challenge", again)
        kms.refused("/get-key", good_request(kms, other, challenge=node.challenge()), "invalid_challenge", again)
        challenge = node.challenge()
        kms.refused("/get-key", good_request(kms, node, challenge={**challenge, "challengeId": challenge["challengeId"].upper()}),
                    "invalid_challenge", "challenge ID must be ", exactly=False)
        for i in (0, 40, 111):
            digit = challenge["challengeId"][i]
            changed = challenge["challengeId"][:i] + ("0" if digit != "0" else "1") + challenge["challengeId"][i + 1:]
            kms.refused("/get-key", good_request(kms, node, challenge={**challenge, "challengeId": changed}), "invalid_challenge",
                        "Challenge validation failed: ", exactly=False)
        body, answers = bytes_of("POST", "/get-key", json.dumps(good_request(kms, node))), []
        threads = [threading.Thread(target=lambda: answers.append(exchange(kms.port, body))) for _ in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(30)
        expect(sorted(a[0] for a in answers), [200] + [401] * 15)
        for status, _, text in answers:
            assert status == 200 or json.loads(text) == {"error": "invalid_challenge", "details": again}, text
        kms = Kms(platform, CHALLENGE_TTL_SECS="0")
        kms.refused("/get-key", good_request(kms, kms.node()), "invalid_challenge", "Challenge validation failed: challenge has expired")


def policy_verdicts():
    """D.5 step 9: TCB before measurements, registers in their order."""
    with Platform("kms", "name=node,scenario=tcb:OutOfDate", "other1", "other2") as platform:
        kms = Kms(platform)
        kms.refused("/get-key", good_request(kms, kms.node()), "tcb_status_rejected",
                    "TCB status 'OutOfDate' is not allowed. Allowed values: uptodate")
        kms = Kms(platform, ALLOWED_TCB_STATUSES="UpToDate, outofdate")
        expect(kms.node().post("/get-key", good_request(kms, kms.node()))[0], 200)
        measured = platform.machines["other1"]["measurements"]
        lists = {f"ALLOWED_{r.upper()}": measured[r] for r in REGISTERS}
        for r in REGISTERS:
            kms = Kms(platform, **{**lists, f"ALLOWED_{r.upper()}": "11" * 48})
            kms.refused("/get-key", good_request(kms, kms.node("other1")), "measurement_policy_rejected",
                        f"{r.upper()} '{measured[r]}' is not in allowlist")


def not_ready():
    with Platform("kms", "node") as platform:
        for settings, reason in (({}, "MERO_KMS_VERSION is not set; release policy is not available yet"),
                                 ({"MERO_KMS_VERSION": "mero-kms-v2.3.71"}, "2.3.71")):
            kms = Kms(platform, USE_ENV_POLICY="false", **settings)
            expect(kms.ask("GET", "/health", b"", None)[0], 200)
            node = kms.node()
            kms.refused("/get-key", good_request(kms, node), "policy_not_ready", reason, exactly=False)
            kms.refused("/get-key", {**good_request(kms, node), "quoteB64": "A"}, "policy_not_ready", reason, exactly=False)
            kms.refused("/get-key", {**good_request(kms, node), "challengeId": "x"}, "invalid_challenge", "challenge ID", False)
            expect(kms.ask("POST", "/attest", json.dumps({"nonceB64": b64(bytes(32))}))[0], 200)


def play(platform, machine, *words):
    subprocess.run([BUILD / "mero-sim", "set", "--dir", platform.dir / "sim", "--machine", machine, *words], check=True,
                   capture_output=True)


def agent_faults():
    """No agent, no key and no quote; said by name, within the time of a request, and over when the fault is over."""
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        node = kms.node()
        for word in ("agent:malformed", "agent:truncated", "agent:oversized", "agent:status:500", "agent:silent"):
            body, attest = good_request(kms, node), {"nonceB64": b64(bytes(32))}
            play(platform, "kms", word)
            before, status = time.monotonic(), []
            asker = threading.Thread(target=lambda: status.append(kms.ask("POST", "/attest", json.dumps(attest))))
            asker.start()
            kms.refused("/get-key", body, "key_derivation_failed", "", exactly=False)
            asker.join(35)
            expect((status[0][0], json.loads(status[0][2])["error"]), (401, "attestation_verification_failed"), word)
            assert time.monotonic() - before < 30, word
            expect(kms.ask("GET", "/health", b"", None)[0], 200)
            play(platform, "kms", "none")
            expect(node.post("/get-key", body)[0], 200, f"after {word}: the challenge was burnt without a key, or no recovery")


def rates():
    with Platform("kms", "node") as platform:
        kms = Kms(platform, MERO_KMS_RATE="1", MERO_KMS_BURST="3")
        statuses = [kms.ask("POST", "/challenge", '{"peerId":"abc"}')[0] for _ in range(3)]
        expect(statuses, [200] * 3)
        headers = kms.refused("/challenge", {"peerId": "abc"}, "rate_limited", "Too many requests. Retry shortly.")
        assert int(headers["retry-after"]) >= 1, headers
        expect(kms.ask("GET", "/health", b"", None)[0], 200, "health is not limited")


def hostile_connections():
    """Garbage, halves and floods of connections: others are served meanwhile, the service survives."""
    with Platform("kms", "node") as platform:
        kms = Kms(platform)
        node = kms.node()
        health = bytes_of("GET", "/health", b"", None)
        half_open = [socket.create_connection(("127.0.0.1", kms.port)) for _ in range(300)]
        for i, s in enumerate(half_open):
            s.sendall((b"", b"POST /get-key HTTP/1.1\r\nHost: x\r\nContent-Le", bytes_of("POST", "/attest", b"x" * 100)[:-50])[i % 3])
        for garbage in (b"\x16\x03\x01\x02\x00\x01\x00" + os.urandom(300), b"\0" * 4096, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                        b"A" * 100000, b"GET /health HTTP/1.1\r\n" + b"X: " + b"y" * 100000 + b"\r\n\r\n",
                        b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                        b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                        b"POST /get-key HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                        b"POST /get-key HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                        b"POST /get-key HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                        b"POST /get-key HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"):
            with socket.create_connection(("127.0.0.1", kms.port), timeout=20) as s:
                try:
                    s.sendall(garbage + health * 3)
                    s.shutdown(socket.SHUT_WR)
                    answer = b"".join(iter(lambda: s.recv(65536), b""))
                except OSError:
                    answer = b""
            assert b" 200 " not in answer.split(b"\r\n")[0] or garbage.startswith(b"GET /health"), (garbage[:60], answer[:200])
            assert b'"key"' not in answer and b"sealedKey" not in answer
        with socket.create_connection(("127.0.0.1", kms.port)) as s:  # three in one packet, answered in order
            s.sendall(health + bytes_of("POST", "/challenge", '{"peerId":"0"}') + health)
            stream = s.makefile("rb")
            expect([read_answer(stream)[0] for _ in range(3)], [200, 400, 200])
        expect(node.post("/get-key", good_request(kms, node))[0], 200)
        for s in half_open:
            s.close()
        expect(kms.program.stop(), 0)


def many_idle_connections():
    """More than the descriptors that a shell gives: keys are released all the same."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 <= hard < 2048:
        print(f"  (skipped: at most {hard} descriptors here)")
        return
    with Platform("kms", "node") as platform:
        kms = Kms(platform, popen={"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))})
        node = kms.node()
        idle = []
        for _ in range(600):
            idle.append(socket.create_connection(("127.0.0.1", kms.port), timeout=10))
            idle[-1].sendall(b"POST /get-key HTTP/1.1\r\nHost")
        before = time.monotonic()
        expect(node.post("/get-key", good_request(kms, node), timeout=10)[0], 200)
        assert time.monotonic() - before < 5
        for s in idle:
            s.close()


def every_tag():
    expect(set(TAGS) - provoked, set(), "tags that nothing provoked")


if __name__ == "__main__":
    need_programs("mero-kms-phala", "mero-sim")
    crypto.check()
    status = run_tests([framework, cross_origin, challenges, attestation, order_of_checks, missing_members, bad_quotes, signatures,
                        sealing, clear_form, replay, policy_verdicts, not_ready, agent_faults, rates, hostile_connections,
                        many_idle_connections])
    if len(sys.argv) == 1:
        status |= run_tests([every_tag])
    sys.exit(status)
