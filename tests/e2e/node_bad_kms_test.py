#!/usr/bin/env python3
"""A node against a KMS that misbehaves in every way we thought of: the start fails within a bounded time with one line
that names what is wrong and the exit status of its kind, and the store is untouched. The KMS is scripted from the
protocol's description and shares no code with ours."""
import base64
import hashlib
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from support import crypto
from support.programs import Node, Platform, need_programs
from support.scripted_kms import DEFAULT_BINDING, ScriptedKms, b64, send

REFUSED, UNREACHABLE, QUOTE, MEASUREMENT, BINDING = 21, 20, 10, 13, 14


def replaced(**members):
    """A hook that changes members of the good reply; None drops one."""
    def hook(kms, request, reply):
        return {k: v for k, v in {**reply, **members}.items() if v is not None}
    return hook


def always(status, body):
    return lambda kms, request, reply: (status, body)


def raw(data):
    def write(handler):
        handler.wfile.write(data)
        handler.close_connection = True
    return lambda kms, request, reply: write


def redirect(kms, request, reply):
    return lambda handler: send(handler, 307, "", [("Location", kms.url + "attest")])


def stale_quote(kms, request, reply):
    """A good quote over another nonce, with the right report data beside it."""
    return {**reply, "quoteB64": b64(kms.quote(bytes(64))[0])}


def other_binding(kms, request, reply):
    report_data = bytes.fromhex(reply["reportDataHex"])[:32] + b"\x01" * 32
    return {**reply, "quoteB64": b64(kms.quote(report_data)[0]), "reportDataHex": report_data.hex()}


def damaged_quote(at):
    def hook(kms, request, reply):
        quote = bytearray(base64.b64decode(reply["quoteB64"]))
        quote[at] ^= 1
        return {**reply, "quoteB64": b64(bytes(quote))}
    return hook


def damaged_seal(kms, request, reply):
    sealed = bytearray(base64.b64decode(reply["sealedKeyB64"]))
    sealed[5] ^= 1
    return {**reply, "sealedKeyB64": b64(bytes(sealed))}


def other_transport_key(kms, request, reply):
    """What a proxy would do: its own key in place of the attested one."""
    return {**reply, "transportPublicKeyB64": b64(crypto.x25519_public(b"\x09" * 32))}


def zero_transport_key(kms, request, reply):
    """Attested, but a secret shared with it is known to everybody."""
    nonce = base64.b64decode(request["nonceB64"])
    half = hashlib.sha256(b"mero-kms/attest-transport-key/v1" + DEFAULT_BINDING + bytes(32)).digest()
    return {**reply, "quoteB64": b64(kms.quote(nonce + half)[0]), "reportDataHex": (nonce + half).hex(),
            "transportPublicKeyB64": b64(bytes(32))}


NESTED = "[" * 5000 + "]" * 5000
TAG = {"error": "measurement_policy_rejected", "details": "MRTD 'aa' is not in allowlist"}

# name, hooks, exit status (a tuple where several are right), what stderr says
CASES = [
    ("attest: not JSON", {"attest": always(200, "rubbish")}, REFUSED, "attest"),
    ("attest: empty body", {"attest": always(200, "")}, REFUSED, "attest"),
    ("attest: an array", {"attest": always(200, "[]")}, REFUSED, "attest"),
    ("attest: deep nesting", {"attest": always(200, NESTED)}, REFUSED, "attest"),
    ("attest: duplicate member", {"attest": always(200, '{"quoteB64":"AA==","quoteB64":"AA=="}')}, REFUSED, "quoteB64"),
    ("attest: not UTF-8", {"attest": always(200, b'{"quoteB64":"\xff"}')}, REFUSED, "attest"),
    ("attest: over 1 MiB", {"attest": always(200, b'{"quoteB64":"' + b"A" * 1048577 + b'"}')}, REFUSED, "1048576"),
    ("attest: no quote", {"attest": replaced(quoteB64=None)}, REFUSED, "quoteB64"),
    ("attest: empty quote", {"attest": replaced(quoteB64="")}, REFUSED, "quoteB64"),
    ("attest: quote is a number", {"attest": replaced(quoteB64=7)}, REFUSED, "quoteB64"),
    ("attest: quote is not base64", {"attest": replaced(quoteB64="AAA")}, REFUSED, "quoteB64"),
    ("attest: quote oversized", {"attest": replaced(quoteB64="A" * 131076)}, REFUSED, "quoteB64"),
    ("attest: quote is no quote", {"attest": replaced(quoteB64="AAAA")}, (QUOTE, REFUSED), "quote"),
    ("attest: no report data", {"attest": replaced(reportDataHex=None)}, REFUSED, "reportDataHex"),
    ("attest: short report data", {"attest": replaced(reportDataHex="00" * 63)}, REFUSED, "reportData"),
    ("attest: other report data", {"attest": replaced(reportDataHex="00" * 64)}, BINDING, "reportData mismatch"),
    ("attest: stale quote", {"attest": stale_quote}, BINDING, "report ?data"),
    ("attest: other binding", {"attest": other_binding}, BINDING, "reportData mismatch"),
    ("attest: exchanged transport key", {"attest": other_transport_key}, BINDING, "report ?data"),
    ("attest: transport key left out", {"attest": replaced(transportPublicKeyB64=None)}, (BINDING, REFUSED), "."),
    ("attest: transport key too short", {"attest": replaced(transportPublicKeyB64="AAAA")}, REFUSED,
     "transportPublicKeyB64"),
    ("attest: damaged body", {"attest": damaged_quote(200)}, QUOTE, "."),
    ("attest: damaged signature", {"attest": damaged_quote(48 + 584 + 4 + 10)}, QUOTE, "."),
    ("attest: unknown version", {"attest": damaged_quote(1)}, QUOTE, "version"),
    ("attest: redirect", {"attest": redirect}, REFUSED, "307"),
    ("attest: 400", {"attest": always(400, {"error": "invalid_attestation_request"})}, REFUSED,
     "invalid_attestation_request"),
    ("attest: 404 without a body", {"attest": always(404, "")}, REFUSED, "404"),
    ("attest: 403 by policy", {"attest": always(403, TAG)}, REFUSED, "measurement_policy_rejected"),
    ("attest: no HTTP", {"attest": raw(b"\x15\x03\x01\x00\x02\x02\x28")}, REFUSED, "not usable HTTP"),
    ("attest: body shorter than said",
     {"attest": raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{}")},
     (REFUSED, UNREACHABLE), "attest"),
    ("challenge: not JSON", {"challenge": always(200, "<html>")}, REFUSED, "challenge"),
    ("challenge: no nonce", {"challenge": replaced(nonceB64=None)}, REFUSED, "nonceB64"),
    ("challenge: nonce of 31 bytes", {"challenge": replaced(nonceB64=b64(bytes(31)))}, REFUSED,
     "nonce must be exactly 32 bytes"),
    ("challenge: nonce oversized", {"challenge": replaced(nonceB64="A" * 2052)}, REFUSED, "2048"),
    ("challenge: id oversized", {"challenge": replaced(challengeId="a" * 513)}, REFUSED, "512"),
    ("challenge: 401", {"challenge": always(401, {"error": "invalid_challenge", "details": "no"})}, REFUSED,
     "invalid_challenge"),
    ("challenge: 415 in plain text", {"challenge": always(415, "Expected request with ...")}, REFUSED, "415"),
    ("get-key: 401 signature", {"get_key": always(401, {"error": "invalid_signature"})}, REFUSED, "invalid_signature"),
    ("get-key: 403 by policy", {"get_key": always(403, TAG)}, REFUSED, "measurement_policy_rejected"),
    ("get-key: control bytes in the tag", {"get_key": always(403, {"error": "x\n\x1b[31my", "details": "\r\n"})}, REFUSED,
     "403"),
    ("get-key: sealed key missing", {"get_key": replaced(sealedKeyB64=None)}, REFUSED, "sealedKeyB64"),
    ("get-key: seal nonce of 11 bytes", {"get_key": replaced(sealNonceB64=b64(bytes(11)))}, REFUSED, "sealNonceB64"),
    ("get-key: damaged seal", {"get_key": damaged_seal}, REFUSED, "seal"),
    ("get-key: sealed to a low-order transport key", {"attest": zero_transport_key}, REFUSED, "seal"),
    ("get-key: key in clear instead", {"get_key": always(200, {"key": "5a" * 32})}, REFUSED, "."),
]
SEALED_KEYS = [
    ("get-key: sealed key of 31 bytes", b"\x5a" * 31, "31"),
    ("get-key: empty sealed key", b"", "too short"),
]
CLEAR_KEYS = [
    ("clear key of 31 bytes", "5a" * 31, "undersized"),
    ("clear key with odd digits", "5a" * 32 + "5", "odd"),
    ("clear key that is not hex", "zz" * 32, "hex"),
    ("empty clear key", "", "empty"),
    ("oversized clear key", "5a" * 2049, "4098"),
]


class Table:
    def __init__(self, platform):
        self.platform, self.node = platform, Node(platform)
        self.node.init()
        self.count, self.failed = 0, []

    def check(self, name, condition, text):
        if not condition:
            self.failed.append(name)
            print(f"not ok - {name}\n{text}")

    def refused(self, name, kms, statuses, pattern, *more, seconds=20):
        """One start that must fail; *more are config edits on top."""
        with kms:
            self.node.trust(kms.url, "kms", *more)
            before, begin = self.node.disk(), time.monotonic()
            done = self.node.call("run")
            took = time.monotonic() - begin
        self.count += 1
        statuses = statuses if isinstance(statuses, tuple) else (statuses,)
        message = [line for line in done.stderr.splitlines() if line.startswith("merod: ")]
        self.check(name, done.returncode in statuses, f"status {done.returncode}, wanted {statuses}\n{done.stderr}")
        self.check(name, len(message) == 1, f"not one line of reason:\n{done.stderr}")
        self.check(name, message and re.search(pattern, done.stderr, re.I), f"no {pattern!r} in\n{done.stderr}")
        self.check(name, not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stderr), f"control bytes: {done.stderr!r}")
        self.check(name, took < seconds, f"took {took:.1f} s")
        self.check(name, self.node.disk() == before, "the store was touched")
        return done


def run_bad_kms(table, socket_path):
    for name, hooks, status, pattern in CASES:
        kms = ScriptedKms(socket_path, **hooks)
        table.refused(name, kms, status, pattern)
        if name.startswith("attest"):
            table.check(name, set(kms.calls) == {"attest"}, f"asked an untrusted KMS for more: {kms.calls}")
    for name, key, pattern in SEALED_KEYS:
        table.refused(name, ScriptedKms(socket_path, key=key), REFUSED, pattern)


def run_clear(table, socket_path):
    """A KMS of the older kind, which cannot seal."""
    allow = "tee.kms.phala.insecure_allow_clear_key_release=true"
    table.refused("clear release not allowed", ScriptedKms(socket_path, sealed=False), REFUSED,
                  "insecure_allow_clear_key_release")
    for name, key, pattern in CLEAR_KEYS:
        kms = ScriptedKms(socket_path, sealed=False, get_key=always(200, {"key": key}))
        table.refused(name, kms, REFUSED, pattern, allow)
    table.refused("transport key left out where clear is allowed", ScriptedKms(socket_path, attest=replaced(
        transportPublicKeyB64=None)), (BINDING, REFUSED), ".", allow)
    table.refused("key in clear where sealed was agreed", ScriptedKms(socket_path, get_key=always(200, {"key": "5a" * 32})),
                  REFUSED, ".", allow)
    kms = ScriptedKms(socket_path, sealed=False)
    with kms:
        table.node.trust(kms.url, "kms", allow)
        program = table.node.serve()
        log = program.text()
        table.check("clear release allowed", "INSECURE" in log and "release=clear" in log, log)
        table.check("clear release allowed", program.stop() == 0, program.text())
    table.check("clear release allowed", not kms.complaints, kms.complaints)
    table.node.good("config", "tee.kms.phala.insecure_allow_clear_key_release=false")
    table.count += 1


def run_measurements(table):
    other = table.platform.socket("kms-changed")
    kms = ScriptedKms(other)
    table.refused("another KMS image", kms, MEASUREMENT, "is not in allowlist")
    table.check("another KMS image", kms.calls == ["attest"], f"asked for more: {kms.calls}")


def run_key_changes(table, socket_path):
    """Good releases: the first key makes the store, another one is refused by the store, the first opens it again."""
    for name, key, status in (("first key", b"\x01" * 32, 0), ("another key", b"\x02" * 32, 30),
                              ("the first key again", b"\x01" * 32, 0)):
        kms = ScriptedKms(socket_path, key=key)
        if status:
            table.refused(name, kms, status, "key")
            continue
        with kms:
            table.node.trust(kms.url)
            program = table.node.serve()
            log = program.text()
            table.check(name, program.stop() == 0, program.text())
        table.check(name, kms.calls == ["attest", "challenge", "get_key"], kms.calls)
        table.check(name, not kms.complaints, f"a real KMS would have refused: {kms.complaints}")
        table.check(name, "release=sealed" in log, log)
        table.count += 1


def main():
    need_programs("merod", "mero-sim")
    crypto.check()
    with Platform("kms", "node", "kms-changed") as platform:
        table = Table(platform)
        socket_path = platform.socket("kms")
        run_bad_kms(table, socket_path)
        run_measurements(table)
        table.check("store", not table.node.disk(), f"failed starts made files: {table.node.disk()}")
        run_key_changes(table, socket_path)
        table.node = Node(platform, "older")
        table.node.init()
        run_clear(table, socket_path)
    print(f"{table.count} cases, {len(set(table.failed))} failed: {sorted(set(table.failed))}")
    return 1 if table.failed else 0


sys.exit(main())
