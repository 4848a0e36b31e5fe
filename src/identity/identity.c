/* Ed25519 node keys on libsodium and their libp2p texts (spec: compatibility facts B.2). Only the
 * canonical encodings are read: what we accept is exactly what we would write. */
#include "identity/identity.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"

enum { SEED_LEN = 32, PREFIX_LEN = 4, MULTIHASH_PREFIX_LEN = 2 };

/* protobuf: field 1 (key type) = Ed25519, field 2 (data) of 64 or 32 bytes */
static const uint8_t private_prefix[PREFIX_LEN] = {0x08, 0x01, 0x12, 0x40};
static const uint8_t public_prefix[PREFIX_LEN] = {0x08, 0x01, 0x12, 0x20};
/* multihash: identity code, 36 bytes */
static const uint8_t multihash_prefix[MULTIHASH_PREFIX_LEN] = {0x00, 0x24};

struct identity {
    struct secret key; /* seed 32 | public 32, libsodium's own layout */
    char peer_id[PEER_ID_TEXT_MAX];
};

void identity_free(struct identity **id)
{
    if (*id == NULL)
        return;
    secret_free(&(*id)->key);
    free(*id);
    *id = NULL;
}

/* Derives everything from the 32-byte seed. */
static bool identity_make(const uint8_t *seed, struct identity **out, struct error *err)
{
    IDENTITY_AUTO struct identity *id = calloc(1, sizeof *id);
    if (id == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!secret_alloc(&id->key, crypto_sign_SECRETKEYBYTES, err))
        return false;
    uint8_t public_key[IDENTITY_PUBLIC_LEN];
    if (crypto_sign_seed_keypair(public_key, id->key.data, seed) != 0 ||
        !identity_peer_id_of(public_key, id->peer_id))
        return error_set(err, "identity/key", NULL, "cannot derive the identity from its seed");
    *out = id;
    id = NULL;
    return true;
}

bool identity_generate(struct identity **out, struct error *err)
{
    SECRET_AUTO struct secret seed = {0};
    if (!secret_alloc(&seed, SEED_LEN, err))
        return false;
    random_bytes(seed.data, seed.len);
    return identity_make(seed.data, out, err);
}

bool identity_from_seed(struct slice seed32, struct identity **out, struct error *err)
{
    if (seed32.len != SEED_LEN)
        return error_set(err, "identity/seed", "seed", "an identity seed has 32 bytes, not %zu",
                         seed32.len);
    return identity_make(seed32.data, out, err);
}

/* The protobuf carries the public half too; one that does not belong to the seed is a damaged or
 * forged text, and signing with such a pair would leak the key. */
static bool public_half_matches(const struct identity *id, struct slice protobuf)
{
    struct slice claimed = slice_cut(protobuf, PREFIX_LEN + SEED_LEN, IDENTITY_PUBLIC_LEN);
    return bytes_equal_ct(claimed.data, identity_public(id), IDENTITY_PUBLIC_LEN);
}

bool identity_from_text(struct slice keypair, struct slice expected_peer_id, struct identity **out,
                        struct error *err)
{
    BUF_AUTO struct buf raw = BUF_INIT_SECRET(BASE58_BYTES_MAX);
    if (!base58_decode_append(keypair, &raw))
        return error_set(err, "identity/base58", "keypair", "invalid base58");
    struct slice protobuf = buf_slice(&raw);
    if (protobuf.len != IDENTITY_KEYPAIR_PROTOBUF_LEN ||
        !slice_equal(slice_cut(protobuf, 0, PREFIX_LEN), slice_of(private_prefix, PREFIX_LEN)))
        return error_set(err, "identity/protobuf", "keypair", "invalid protobuf");
    IDENTITY_AUTO struct identity *id = NULL;
    if (!identity_make(slice_cut(protobuf, PREFIX_LEN, SEED_LEN).data, &id, err))
        return false;
    if (!public_half_matches(id, protobuf))
        return error_set(err, "identity/protobuf", "keypair", "invalid protobuf");
    if (expected_peer_id.len > 0 && !slice_equal_str(expected_peer_id, id->peer_id))
        return error_set(err, "identity/mismatch", "peer_id", "Peer ID does not match public key");
    *out = id;
    id = NULL;
    return true;
}

bool identity_keypair_text(const struct identity *id, struct buf *out)
{
    BUF_AUTO struct buf raw = BUF_INIT_SECRET(IDENTITY_KEYPAIR_PROTOBUF_LEN);
    return buf_append(&raw, slice_of(private_prefix, PREFIX_LEN)) &&
           buf_append(&raw, secret_slice(&id->key)) && base58_append(out, buf_slice(&raw));
}

const char *identity_peer_id(const struct identity *id)
{
    return id->peer_id;
}

const uint8_t *identity_public(const struct identity *id)
{
    return &id->key.data[SEED_LEN];
}

bool identity_sign(const struct identity *id, struct slice message,
                   uint8_t out[IDENTITY_SIGNATURE_LEN], struct error *err)
{
    if (crypto_sign_detached(out, NULL, message.data, message.len, id->key.data) != 0)
        return error_set(err, "identity/sign", NULL, "cannot sign with the node identity");
    return true;
}

void identity_public_protobuf(const uint8_t public_key[IDENTITY_PUBLIC_LEN],
                              uint8_t out[IDENTITY_PUBLIC_PROTOBUF_LEN])
{
    memcpy(out, public_prefix, PREFIX_LEN);
    memcpy(&out[PREFIX_LEN], public_key, IDENTITY_PUBLIC_LEN);
}

bool identity_public_from_protobuf(struct slice protobuf, uint8_t out[IDENTITY_PUBLIC_LEN],
                                   struct error *err)
{
    if (protobuf.len != IDENTITY_PUBLIC_PROTOBUF_LEN ||
        !slice_equal(slice_cut(protobuf, 0, PREFIX_LEN), slice_of(public_prefix, PREFIX_LEN)))
        return error_set(err, "identity/protobuf", "peerPublicKey",
                         "not a libp2p Ed25519 public key (36 bytes, prefix 08011220)");
    memcpy(out, slice_cut(protobuf, PREFIX_LEN, IDENTITY_PUBLIC_LEN).data, IDENTITY_PUBLIC_LEN);
    return true;
}

bool identity_peer_id_of(const uint8_t public_key[IDENTITY_PUBLIC_LEN], char out[PEER_ID_TEXT_MAX])
{
    uint8_t multihash[MULTIHASH_PREFIX_LEN + IDENTITY_PUBLIC_PROTOBUF_LEN];
    memcpy(multihash, multihash_prefix, MULTIHASH_PREFIX_LEN);
    identity_public_protobuf(public_key, &multihash[MULTIHASH_PREFIX_LEN]);
    BUF_AUTO struct buf text = BUF_INIT(PEER_ID_TEXT_MAX - 1);
    if (!base58_append(&text, slice_of(multihash, sizeof multihash)))
        return false;
    const char *peer_id = buf_cstr(&text);
    if (peer_id == NULL)
        return false;
    memcpy(out, peer_id, text.len + 1);
    return true;
}

bool identity_verify(const uint8_t public_key[IDENTITY_PUBLIC_LEN], struct slice message,
                     struct slice signature)
{
    return signature.len == IDENTITY_SIGNATURE_LEN &&
           crypto_sign_verify_detached(signature.data, message.data, message.len, public_key) == 0;
}
