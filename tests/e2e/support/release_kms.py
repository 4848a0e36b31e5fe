"""A release KMS on platforms that are none. Usage: release_kms.py CHECK PROGRAM

  mock-quote  the agent gives keys, and rubbish for quotes: a mock quote of a node is an unreadable quote, whatever the state of the
              KMS's own platform, and nothing is released
  simulator   the agent is mero-sim's: found out, said why, nothing released
"""
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import crypto
from support.programs import REGISTERS, Platform, Program, expect, free_port
from support.scripted_kms import b64
from support.scripted_node import ScriptedNode

SEAL_TO = crypto.x25519_public(bytes([9] * 32))


class RubbishAgent(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            reply = {"quote": "5a" * 600, "event_log": "[]", "report_data": request.get("report_data", ""), "vm_config": "{}"}
            if self.path.endswith("GetKey"):
                reply = {"key": hashlib.sha256(request["path"].encode()).hexdigest(), "signature_chain": []}
            body = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self):
            return "unix"

        def log_message(self, *args):
            pass

    def __init__(self, path):
        super().__init__(path, self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def start(program, directory, agent, env=None):
    port = free_port()
    settings = {"LISTEN_ADDR": f"127.0.0.1:{port}", "USE_ENV_POLICY": "true", "DSTACK_SOCKET_PATH": agent,
                "MERO_KMS_STATE_DIR": str(directory / "state"), "MERO_COLLATERAL_URLS": "http://127.0.0.1:9",
                **{f"ALLOWED_{r.upper()}": "00" * 48 for r in REGISTERS}, **(env or {})}
    return Program([program], directory / "kms.log", settings), port


def mock_quote(program):
    with tempfile.TemporaryDirectory(prefix="merotee-e2e-") as directory:
        directory = Path(directory)
        RubbishAgent(str(directory / "agent.sock"))
        kms, port = start(program, directory, str(directory / "agent.sock"))
        try:
            kms.wait_for("listening on")
            node = ScriptedNode(None, "127.0.0.1", port)
            for sealed in (True, False):
                status, reply = node.post("/get-key", mock_request(node, sealed))
                if sealed:
                    expect((status, reply["error"]), (401, "attestation_verification_failed"), reply)
                expect(status // 100, 4)
            kms.wait_for("this platform is not in order: the machine's quote cannot be read")
        finally:
            kms.kill()


def mock_request(node, sealed):
    """Right in every point, but for the quote."""
    challenge = node.challenge()
    nonce = base64.b64decode(challenge["nonceB64"])
    half = hashlib.sha256((b"mero-kms/sealed-get-key/v1" + SEAL_TO if sealed else b"") + node.peer.encode()).digest()
    quote = (b"MOCK_TDX_QUOTE_V1" + nonce + half).ljust(256, b"\0")
    payload = {"challengeId": challenge["challengeId"], "challengeNonceHex": nonce.hex(),
               "quoteHashHex": hashlib.sha256(quote).hexdigest(), "peerId": node.peer}
    body = {"challengeId": challenge["challengeId"], "quoteB64": b64(quote), "peerId": node.peer,
            "peerPublicKeyB64": b64(node.public)}
    if sealed:
        payload["sealToHex"], body["sealToB64"] = SEAL_TO.hex(), b64(SEAL_TO)
    body["signatureB64"] = b64(crypto.ed25519_sign(node.seed, json.dumps(payload, separators=(",", ":")).encode()))
    return body


def simulator(program):
    """With the collateral of the simulator at hand too, so that only the root tells it from Intel's."""
    with Platform("kms", "node") as platform:
        env = {"MERO_COLLATERAL_URLS": platform.facts["pcs_url"],
               **{f"ALLOWED_{r.upper()}": platform.machines["node"]["measurements"][r] for r in REGISTERS}}
        kms, port = start(program, platform.dir, platform.socket("kms"), env)
        try:
            try:
                kms.process.wait(20)
            except subprocess.TimeoutExpired:
                status, reply = ScriptedNode(platform.socket("node"), "127.0.0.1", port).clear_key()
                raise AssertionError(f"a release KMS serves on a simulator: {status} {reply}") from None
            assert kms.process.returncode == 10, (kms.process.returncode, kms.text())
            kms.wait_for("own platform does not verify")
        finally:
            kms.kill()


if __name__ == "__main__":
    {"mock-quote": mock_quote, "simulator": simulator}[sys.argv[1]](os.path.abspath(sys.argv[2]))
