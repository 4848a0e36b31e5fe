#!/usr/bin/env python3
"""The test vectors of docs/format.md, computed again from that page's words: an implementation of its own, sharing no
code with src/store. Only AES itself is borrowed, from libcrypto."""
import ctypes
import ctypes.util
import hashlib
import hmac
import os
import re
import struct
import sys
from pathlib import Path

ROOT = Path(os.environ.get("MERO_SOURCE_DIR", Path(__file__).resolve().parents[2]))
TEXT = (ROOT / "docs/format.md").read_text()
VECTORS = {name: bytes.fromhex(value)
           for name, value in re.findall(r"^([a-z][a-z ,0-9]*?)\s{2,}([0-9a-f]{32,})$", TEXT, re.M)}

crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
crypto.AES_set_encrypt_key.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
crypto.AES_encrypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]


def aes(key, block):
    schedule, out = ctypes.create_string_buffer(512), ctypes.create_string_buffer(16)
    assert crypto.AES_set_encrypt_key(key, 8 * len(key), schedule) == 0
    crypto.AES_encrypt(block, out, schedule)
    return out.raw


def gf_multiply(x, y):
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xe1 << 120 if y & 1 else 0)
    return z


def gcm_seal(key, nonce, aad, plain):
    h = int.from_bytes(aes(key, bytes(16)), "big")
    cipher = b"".join(bytes(a ^ b for a, b in zip(plain[i:i + 16], aes(key, nonce + struct.pack(">I", 2 + i // 16))))
                      for i in range(0, len(plain), 16))
    y = 0
    for part in (aad, cipher):
        part += bytes(-len(part) % 16)
        for i in range(0, len(part), 16):
            y = gf_multiply(y ^ int.from_bytes(part[i:i + 16], "big"), h)
    y = gf_multiply(y ^ (8 * len(aad) << 64 | 8 * len(cipher)), h)
    mask = int.from_bytes(aes(key, nonce + b"\0\0\0\1"), "big")
    return cipher + (y ^ mask).to_bytes(16, "big")


def hkdf(salt, ikm, purpose, context=b"", length=32):
    info = b"merotee store v1 " + purpose.encode() + b"\0" + context
    prk = hmac.digest(salt, ikm, "sha256")
    return hmac.digest(prk, info + b"\1", "sha256")[:length]


def siphash128(key, data):
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rotate(x, n):
        return (x << n | x >> (64 - n)) & mask

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask; v[1] = rotate(v[1], 13) ^ v[0]; v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & mask; v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask; v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask; v[1] = rotate(v[1], 17) ^ v[2]; v[2] = rotate(v[2], 32)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xff])
    for (m,) in struct.iter_unpack("<Q", padded):
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xee
    rounds(4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xdd
    rounds(4)
    return struct.pack("<QQ", first, v[0] ^ v[1] ^ v[2] ^ v[3])


def run(first, count=32):
    return bytes(range(first, first + count))


def compute():
    store, kms, salt, secret = run(0, 16), b"\x42" * 48, run(0x20), run(0x40)
    data_key, session_id, chunk_salt, epoch = run(0x60), run(0x80), run(0xa0), struct.pack(">I", 1)
    out = {"kek": hkdf(salt, kms, "kek", store), "kcv": hkdf(salt, kms, "kcv", store, 16)}
    for name, purpose, length in (("rows", "row names", 16), ("files", "file names", 32), ("sessions", "sessions", 16),
                                  ("places", "places", 16), ("root", "state root", 32), ("anchor", "anchor", 32)):
        out[name] = hkdf(store, secret, purpose, length=length)
    out["row key"] = b"\x13" + siphash128(out["rows"], b"\x13key")
    out["session key"] = hkdf(session_id, data_key, "session", store + epoch + struct.pack(">Q", 7))
    out["session row"] = epoch + session_id + siphash128(out["sessions"], struct.pack(">I", 7) + epoch + session_id)
    nonce = struct.pack(">Q", 3)[2:] + run(0xf0, 6)
    aad = b"\x01r" + store + epoch + out["row key"]
    out["record"] = (struct.pack(">I", 7) + nonce +
                     gcm_seal(out["session key"], nonce, aad, b"value" + b"key" + struct.pack(">H", 3)))
    place = siphash128(out["places"], out["row key"])
    x = bytes(a ^ b for a, b in zip(place, out["record"][-16:]))
    out["element"] = aes(out["root"], x) + aes(out["root"], bytes(a ^ 0xff for a in x))
    out["anchored, 9"] = hashlib.blake2b(struct.pack(">Q", 9) + out["element"], digest_size=32, key=out["anchor"]).digest()
    out["chunk id"] = hashlib.sha256(b"hello").digest()
    out["file name"] = hashlib.blake2b(out["chunk id"], digest_size=20, key=out["files"]).digest()
    out["chunk key"] = hkdf(chunk_salt, data_key, "chunk", store + epoch + out["chunk id"])
    header = b"MRB1\x10\0\0\0" + epoch + struct.pack(">I", 5) + chunk_salt
    out["chunk file"] = header + gcm_seal(out["chunk key"], bytes(7) + struct.pack(">IB", 0, 1),
                                          b"\x01b" + store + header + out["chunk id"], b"hello")
    return out


def main():
    computed = compute()
    assert set(computed) == set(VECTORS), set(computed) ^ set(VECTORS)
    wrong = [name for name in computed if computed[name] != VECTORS[name]]
    for name in wrong:
        print(f"{name}: the page says {VECTORS[name].hex()}, computed {computed[name].hex()}")
    print(f"{len(computed) - len(wrong)} of {len(computed)} vectors agree")
    return 1 if wrong else 0


sys.exit(main())
