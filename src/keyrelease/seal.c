/* Sealing of the released key. */
#include "keyrelease/seal.h"

#include <sodium.h>

#include "base/aead.h"
#include "base/hash.h"

static const char seal_label[] = "mero-kms/sealed-key/v1";
enum { SEAL_INFO_MAX = 1024 };

bool keyrelease_pair_from(struct slice private_key, struct keyrelease_pair *out, struct error *err)
{
    struct keyrelease_pair pair = {0};
    if (private_key.len != KEYRELEASE_X25519_LEN)
        return error_set(err, "keyrelease/seal-key", NULL,
                         "an X25519 private key has %d bytes, got %zu", KEYRELEASE_X25519_LEN,
                         private_key.len);
    if (!secret_copy(&pair.private_key, private_key, err))
        return false;
    if (crypto_scalarmult_base(pair.public_key, pair.private_key.data) != 0) {
        secret_free(&pair.private_key);
        return error_set(err, "keyrelease/seal-key", NULL, "X25519 failed");
    }
    *out = pair;
    return true;
}

bool keyrelease_pair_generate(struct keyrelease_pair *out, struct error *err)
{
    SECRET_AUTO struct secret seed = {0};
    if (!secret_alloc(&seed, KEYRELEASE_X25519_LEN, err))
        return false;
    random_bytes(seed.data, seed.len);
    return keyrelease_pair_from(secret_slice(&seed), out, err);
}

void keyrelease_pair_free(struct keyrelease_pair *pair)
{
    secret_free(&pair->private_key);
}

static bool derive_key(const struct keyrelease_seal *seal, uint8_t key[AEAD_KEY_LEN],
                       struct error *err)
{
    uint8_t shared[KEYRELEASE_X25519_LEN];
    struct buf info BUF_AUTO = BUF_INIT(SEAL_INFO_MAX);
    const uint8_t *kms = seal->kms_side ? seal->own->public_key : seal->other;
    const uint8_t *node = seal->kms_side ? seal->other : seal->own->public_key;
    buf_append_str(&info, seal_label);
    buf_append(&info, slice_of(kms, KEYRELEASE_X25519_LEN));
    buf_append(&info, slice_of(node, KEYRELEASE_X25519_LEN));
    buf_append(&info, seal->peer_id);
    /* Fails exactly when the shared secret is all zero: a public key of small order. */
    if (crypto_scalarmult(shared, seal->own->private_key.data, seal->other) != 0)
        return error_set(err, "keyrelease/seal-key", NULL,
                         "the other side's X25519 key is of small order");
    bool ok = !info.failed && hkdf_sha256(slice_of(seal->nonce, KEYRELEASE_NONCE_LEN),
                                          slice_of(shared, sizeof(shared)), buf_slice(&info), key,
                                          AEAD_KEY_LEN, err);
    secret_wipe(shared, sizeof(shared));
    return ok || error_set(err, "keyrelease/seal-key", NULL, "key derivation failed");
}

static bool open_key(const struct keyrelease_seal *seal, struct aead **out, struct error *err)
{
    uint8_t key[AEAD_KEY_LEN];
    bool ok = derive_key(seal, key, err) && aead_open_key(out, key, err);
    secret_wipe(key, sizeof(key));
    return ok;
}

bool keyrelease_seal(const struct keyrelease_seal *seal, const uint8_t *seal_nonce,
                     struct slice plain, uint8_t *out, struct error *err)
{
    AEAD_AUTO struct aead *aead = NULL;
    return open_key(seal, &aead, err) &&
           aead_seal(aead, seal_nonce, seal->peer_id, plain, out, err);
}

bool keyrelease_unseal(const struct keyrelease_seal *seal, const uint8_t *seal_nonce,
                       struct slice sealed, struct secret *out, struct error *err)
{
    AEAD_AUTO struct aead *aead = NULL;
    SECRET_AUTO struct secret plain = {0};
    if (sealed.len <= KEYRELEASE_SEAL_OVERHEAD)
        return error_set(err, "keyrelease/unseal", "sealedKeyB64", "the sealed key is too short");
    if (!open_key(seal, &aead, err) ||
        !secret_alloc(&plain, sealed.len - KEYRELEASE_SEAL_OVERHEAD, err))
        return false;
    if (!aead_unseal(aead, seal_nonce, seal->peer_id, sealed, plain.data, err))
        return error_set(err, "keyrelease/unseal", "sealedKeyB64",
                         "the sealed key does not open: it was sealed to another key, for another "
                         "challenge or peer, or was changed on the way");
    secret_free(out);
    *out = plain;
    plain = (struct secret){0};
    return true;
}
