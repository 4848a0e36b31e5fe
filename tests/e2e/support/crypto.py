"""X25519, Ed25519 verification, HKDF-SHA256 and AES-256-GCM in plain Python, so that the scripted KMS shares no code and no library with
what it tests. Slow and not constant-time: for tests only. Sources: RFC 7748, RFC 8032, RFC 5869, FIPS 197, NIST SP 800-38D."""
import base64
import hashlib
import hmac

P = 2**255 - 19


def x25519(secret: bytes, point: bytes) -> bytes:
    k = int.from_bytes(secret, "little") & ~7 & ~(1 << 255) | (1 << 254)
    u = int.from_bytes(point, "little") & ~(1 << 255)
    x1, x2, z2, x3, z3, swap = u, 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def x25519_public(secret: bytes) -> bytes:
    return x25519(secret, (9).to_bytes(32, "little"))


Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def _ed_add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m, n = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _ed_multiply(k, point):
    result = (0, 1, 1, 0)
    while k:
        if k & 1:
            result = _ed_add(result, point)
        point, k = _ed_add(point, point), k >> 1
    return result


def _ed_point(encoded: bytes):
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or y >= P:
        raise ValueError("not on the curve")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    base = _ed_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    r, s = _ed_point(signature[:32]), int.from_bytes(signature[32:], "little")
    if s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    a, b = _ed_multiply(s, base), _ed_add(r, _ed_multiply(h, _ed_point(public)))
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _ed_encode(point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _ed_expand(seed: bytes):
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & ~7 & ~(1 << 255) | (1 << 254), digest[32:]


def ed25519_public(seed: bytes) -> bytes:
    base = _ed_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    return _ed_encode(_ed_multiply(_ed_expand(seed)[0], base))


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    base = _ed_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    scalar, prefix = _ed_expand(seed)
    public = ed25519_public(seed)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % Q
    point = _ed_encode(_ed_multiply(r, base))
    h = int.from_bytes(hashlib.sha512(point + public + message).digest(), "little") % Q
    return point + ((r + h * scalar) % Q).to_bytes(32, "little")


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    prk = hmac.new(salt, ikm, hashlib.sha256).digest()
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([counter]), hashlib.sha256).digest()
        out, counter = out + block, counter + 1
    return out[:length]


def _make_sbox():
    sbox, p, q = [0] * 256, 1, 1
    while True:
        p = (p ^ p << 1 ^ (0x11B if p & 0x80 else 0)) & 0xFF
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        x = q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ (q << 3 | q >> 5) ^ (q << 4 | q >> 4)
        sbox[p] = (x ^ 0x63) & 0xFF
        if p == 1:
            break
    sbox[0] = 0x63
    return sbox


SBOX = _make_sbox()


def _times2(b):
    return (b << 1 ^ (0x1B if b & 0x80 else 0)) & 0xFF


def _expand(key: bytes):
    words, rcon = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        w = list(words[i - 1])
        if i % 8 == 0:
            w = [SBOX[b] for b in w[1:] + w[:1]]
            w[0] ^= rcon
            rcon = _times2(rcon)
        elif i % 8 == 4:
            w = [SBOX[b] for b in w]
        words.append([a ^ b for a, b in zip(words[i - 8], w)])
    return [sum(words[4 * r:4 * r + 4], []) for r in range(15)]


def _encrypt_block(round_keys, block: bytes) -> bytes:
    s = [a ^ b for a, b in zip(block, round_keys[0])]
    for r in range(1, 15):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if r < 14:
            mixed = []
            for c in range(0, 16, 4):
                a = s[c:c + 4]
                t = a[0] ^ a[1] ^ a[2] ^ a[3]
                mixed += [a[i] ^ t ^ _times2(a[i] ^ a[(i + 1) % 4]) for i in range(4)]
            s = mixed
        s = [a ^ b for a, b in zip(s, round_keys[r])]
    return bytes(s)


def _gf_multiply(x: int, y: int) -> int:
    z = 0
    for i in range(127, -1, -1):
        if y >> i & 1:
            z ^= x
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return z


def aes_gcm_seal(key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
    rk = _expand(key)
    h = int.from_bytes(_encrypt_block(rk, bytes(16)), "big")
    out = b""
    for i in range(0, len(plain), 16):
        stream = _encrypt_block(rk, nonce + (i // 16 + 2).to_bytes(4, "big"))
        out += bytes(a ^ b for a, b in zip(plain[i:i + 16], stream))
    y = 0
    pad = lambda s: s + bytes(-len(s) % 16)
    data = pad(aad) + pad(out) + (8 * len(aad)).to_bytes(8, "big") + (8 * len(out)).to_bytes(8, "big")
    for i in range(0, len(data), 16):
        y = _gf_multiply(y ^ int.from_bytes(data[i:i + 16], "big"), h)
    tag = y ^ int.from_bytes(_encrypt_block(rk, nonce + (1).to_bytes(4, "big")), "big")
    return out + tag.to_bytes(16, "big")


def aes_gcm_open(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    plain = aes_gcm_seal(key, nonce, sealed[:-16], aad)[:-16]  # counter mode: the way back is the way there
    if aes_gcm_seal(key, nonce, plain, aad) != sealed:
        raise ValueError("the tag does not fit")
    return plain


def check():
    """The published vectors (compatibility facts D.6 and J.4)."""
    payload = (b'{"challengeId":"0123456789abcdef0123456789abcdef","challengeNonceHex":"000102030405060708090a0b0c0d0e0f'
               b'101112131415161718191a1b1c1d1e1f","quoteHashHex":"c8d9553198fb939c0e1f4bccb72e7e801609200060daafc909eb789e'
               b'bbcbd022","peerId":"12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf"}')
    public = bytes.fromhex("79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664")
    signature = base64.b64decode("MvEYq/GMjd5cPBde7ar0dyb3BKEV68jDdfvJio/355zLWKQ0C0W48hcBhCYafNmw5/xrMO1rpZmIsxZmpS+KBg==")
    assert ed25519_verify(public, payload, signature)
    assert not ed25519_verify(public, payload + b" ", signature)
    seed = bytes(range(1, 33))
    assert ed25519_public(seed) == public and ed25519_sign(seed, payload) == signature
    kms, node = bytes([0x22] * 32), bytes([0x33] * 32)
    kms_pub, seal_to = x25519_public(kms), x25519_public(node)
    assert kms_pub.hex() == "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20"
    shared = x25519(kms, seal_to)
    assert shared.hex() == "1fdc192faa0212a9aae7bb4f41b580227fd5ad3e5d777faae230dfe973f3e805"
    peer = b"12D3KooWPeer"
    key = hkdf(bytes([0x11] * 32), shared, b"mero-kms/sealed-key/v1" + kms_pub + seal_to + peer, 32)
    assert key.hex() == "924914e758527397d4e5287bba90af31baf46595e1c655898b226f4764215152"
    sealed = aes_gcm_seal(key, bytes([0x44] * 12), b"00112233445566778899aabbccddeeff" * 2, peer)
    assert sealed.hex() == ("ebb35e8aa078b188ac8118d8a5c57f63ebe9431c41d887a1df61425b18d8f6b17287f6c7e3d81ea1af1ce06ce3"
                            "cdc9ccce726b637498bf43c290a1dce1d9231a201a46995aa2dcc60f1224f553c29730")
    assert aes_gcm_open(key, bytes([0x44] * 12), sealed, peer) == b"00112233445566778899aabbccddeeff" * 2


if __name__ == "__main__":
    check()
