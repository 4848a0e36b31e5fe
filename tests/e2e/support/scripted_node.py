"""A node that asks a KMS for its key, written from the protocol's description alone (compatibility facts B.2, D, J.1). It shares
no code with ours; its quotes come from a dstack agent."""
import base64
import hashlib
import http.client
import json
import os

from . import crypto
from .scripted_kms import DEFAULT_BINDING, b64, base58, dstack_call, report_data_of


class ScriptedNode:
    def __init__(self, agent_socket, host, port, seed=bytes(range(1, 33)), tls=None):
        self.agent, self.host, self.port, self.seed, self.tls = agent_socket, host, port, seed, tls
        self.public = b"\x08\x01\x12\x20" + crypto.ed25519_public(seed)
        self.peer = base58(b"\x00\x24" + self.public)
        self.connection = None

    def post(self, path, body, timeout=30):
        """(status, parsed JSON or text)"""
        if self.connection is None:
            kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
            extra = {"context": self.tls} if self.tls else {}
            self.connection = kind(self.host, self.port, timeout=timeout, **extra)
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read().decode()
        if response.will_close:
            self.close()
        return response.status, json.loads(text) if text.startswith("{") else text

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def attest(self):
        """Takes the KMS's transport key, checking that its quote carries it."""
        nonce = os.urandom(32)
        status, reply = self.post("/attest", {"nonceB64": b64(nonce), "transportKey": True})
        assert status == 200, reply
        key, quote = base64.b64decode(reply["transportPublicKeyB64"]), base64.b64decode(reply["quoteB64"])
        half = hashlib.sha256(b"mero-kms/attest-transport-key/v1" + DEFAULT_BINDING + key).digest()
        assert report_data_of(quote) == nonce + half and reply["reportDataHex"] == (nonce + half).hex()
        assert list(reply)[:4] == ["quoteB64", "reportDataHex", "eventLog", "vmConfig"], list(reply)
        return key

    def challenge(self):
        status, reply = self.post("/challenge", {"peerId": self.peer})
        assert status == 200, reply
        assert list(reply) == ["challengeId", "nonceB64", "expiresAt"], list(reply)
        return reply

    def request(self, challenge, seal_to=None):
        """The body of /get-key."""
        nonce = base64.b64decode(challenge["nonceB64"])
        half = hashlib.sha256(b"mero-kms/sealed-get-key/v1" + seal_to if seal_to else b"")
        half.update(self.peer.encode())
        quote = bytes.fromhex(dstack_call(self.agent, "GetQuote", {"report_data": (nonce + half.digest()).hex()})["quote"])
        payload = {"challengeId": challenge["challengeId"], "challengeNonceHex": nonce.hex(),
                   "quoteHashHex": hashlib.sha256(quote).hexdigest(), "peerId": self.peer}
        body = {"challengeId": challenge["challengeId"], "quoteB64": b64(quote), "peerId": self.peer,
                "peerPublicKeyB64": b64(self.public)}
        if seal_to:
            payload["sealToHex"] = seal_to.hex()
            body["sealToB64"] = b64(seal_to)
        text = json.dumps(payload, separators=(",", ":")).encode()
        body["signatureB64"] = b64(crypto.ed25519_sign(self.seed, text))
        return body, nonce

    def sealed_key(self):
        """The whole exchange; the key."""
        transport = self.attest()
        secret = os.urandom(32)
        seal_to = crypto.x25519_public(secret)
        body, nonce = self.request(self.challenge(), seal_to)
        status, reply = self.post("/get-key", body)
        assert status == 200 and list(reply) == ["sealedKeyB64", "sealNonceB64"], (status, reply)
        info = b"mero-kms/sealed-key/v1" + transport + seal_to + self.peer.encode()
        key = crypto.hkdf(nonce, crypto.x25519(secret, transport), info, 32)
        text = crypto.aes_gcm_open(key, base64.b64decode(reply["sealNonceB64"]), base64.b64decode(reply["sealedKeyB64"]),
                                   self.peer.encode())
        return bytes.fromhex(text.decode())

    def clear_key(self):
        """As nodes did before sealing."""
        body, _ = self.request(self.challenge())
        status, reply = self.post("/get-key", body)
        return bytes.fromhex(reply["key"]) if status == 200 else (status, reply)
