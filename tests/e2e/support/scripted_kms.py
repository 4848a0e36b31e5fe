"""A KMS that does what a test tells it to, written from the protocol's description alone (compatibility facts D, J.1,
J.2, J.4). It shares no code with ours; its quotes come from a dstack agent, like those of a real one.

    with ScriptedKms(dstack_socket) as kms:          # behaves
    with ScriptedKms(socket, attest=lambda kms, request, reply: ...) as kms:

A hook gets the parsed request and the reply that a good KMS would give (a dict), and returns what is sent instead:
a dict (200), (status, body) with body a dict, str or bytes, or a function(handler) that writes to the socket itself.
"""
import base64
import hashlib
import http.client
import json
import os
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import crypto

DEFAULT_BINDING = hashlib.sha256(b"mero-kms-phala-attest-v1").digest()
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def base58(data: bytes) -> str:
    n, text = int.from_bytes(data, "big"), ""
    while n:
        n, digit = divmod(n, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def dstack_call(socket_path: str, method: str, body: dict) -> dict:
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(30)
    connection.sock.connect(socket_path)
    connection.request("POST", "/" + method, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"dstack {method}: {response.status} {text!r}")
    return json.loads(text)


def report_data_of(quote: bytes) -> bytes:
    """Report data inside a TDX quote: v4 bodies start at 48, v5 ones behind a 6-byte descriptor."""
    version = struct.unpack_from("<H", quote)[0]
    start = (48 if version == 4 else 54) + 520
    return quote[start:start + 64]


class ScriptedKms:
    def __init__(self, dstack_socket, key=b"\x5a" * 32, sealed=True, **hooks):
        self.dstack_socket, self.key, self.sealed, self.hooks = dstack_socket, key, sealed, hooks
        self.secret = os.urandom(32)
        self.public = crypto.x25519_public(self.secret)
        self.challenges = {}
        self.calls = []  # endpoint names in the order of arrival
        self.complaints = []  # what a real KMS would have refused
        self.server = None

    # --- what a good KMS answers ---
    def attest(self, request):
        nonce = base64.b64decode(request["nonceB64"], validate=True)
        binding = base64.b64decode(request["bindingB64"], validate=True) if "bindingB64" in request else DEFAULT_BINDING
        second, reply = binding, {}
        if self.sealed and request.get("transportKey"):
            second = hashlib.sha256(b"mero-kms/attest-transport-key/v1" + binding + self.public).digest()
            reply = {"transportPublicKeyB64": b64(self.public)}
        quoted = self.quote(nonce + second)
        return {"quoteB64": b64(quoted[0]), "reportDataHex": (nonce + second).hex(), "eventLog": quoted[1],
                "vmConfig": quoted[2], **reply}

    def quote(self, report_data: bytes):
        reply = dstack_call(self.dstack_socket, "GetQuote", {"report_data": report_data.hex()})
        return bytes.fromhex(reply["quote"]), json.loads(reply["event_log"] or "[]"), reply.get("vm_config", "")

    def challenge(self, request):
        identifier, nonce = os.urandom(16).hex(), os.urandom(32)
        self.challenges[identifier] = (nonce, request["peerId"])
        return {"challengeId": identifier, "nonceB64": b64(nonce), "expiresAt": int(time.time()) + 60}

    def get_key(self, request):
        nonce, peer = self.challenges.pop(request["challengeId"])
        seal_to = base64.b64decode(request["sealToB64"], validate=True) if "sealToB64" in request else None
        self.check_request(request, nonce, peer, seal_to)
        if seal_to is None:
            return {"key": self.key.hex()}
        shared = crypto.x25519(self.secret, seal_to)
        info = b"mero-kms/sealed-key/v1" + self.public + seal_to + peer.encode()
        seal_nonce = os.urandom(12)
        sealed = crypto.aes_gcm_seal(crypto.hkdf(nonce, shared, info, 32), seal_nonce, self.key.hex().encode(),
                                     peer.encode())
        return {"sealedKeyB64": b64(sealed), "sealNonceB64": b64(seal_nonce)}

    def check_request(self, request, nonce, peer, seal_to):
        quote = base64.b64decode(request["quoteB64"], validate=True)
        protobuf = base64.b64decode(request["peerPublicKeyB64"], validate=True)
        member = f',"sealToHex":"{seal_to.hex()}"' if seal_to else ""
        payload = (f'{{"challengeId":"{request["challengeId"]}","challengeNonceHex":"{nonce.hex()}","quoteHashHex":'
                   f'"{hashlib.sha256(quote).hexdigest()}","peerId":"{peer}"{member}}}').encode()
        second = hashlib.sha256(peer.encode()).digest() if seal_to is None else hashlib.sha256(
            b"mero-kms/sealed-get-key/v1" + seal_to + peer.encode()).digest()
        checks = {
            "public key": protobuf[:4] == b"\x08\x01\x12\x20" and len(protobuf) == 36,
            "peer id": base58(b"\x00\x24" + protobuf) == request["peerId"] == peer,
            "signature": crypto.ed25519_verify(protobuf[4:], payload, base64.b64decode(request["signatureB64"])),
            "report data": report_data_of(quote) == nonce + second,
        }
        self.complaints += [name for name, good in checks.items() if not good]

    # --- serving ---
    def answer(self, handler, name, request):
        try:
            reply = getattr(self, name)(request)
        except (KeyError, ValueError) as problem:
            self.complaints.append(f"{name}: {problem!r}")
            reply = {}
        hook = self.hooks.get(name)
        result = hook(self, request, reply) if hook else reply
        if callable(result):
            result(handler)
            return
        status, body = result if isinstance(result, tuple) else (200, result)
        send(handler, status, json.dumps(body) if isinstance(body, dict) else body)

    def __enter__(self):
        kms = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def do_POST(self):
                name = {"/attest": "attest", "/challenge": "challenge", "/get-key": "get_key"}.get(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if name is None:
                    send(self, 404, "")
                    return
                kms.calls.append(name)
                kms.answer(self, name, json.loads(body))

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # clients that hang up are part of the tests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def send(handler, status, body, headers=()):
    data = body.encode() if isinstance(body, str) else body
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)
