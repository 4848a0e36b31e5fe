/* Sealing of the released key: X25519, HKDF-SHA256, AES-256-GCM (compatibility facts J.1, J.4).
 * What is sealed is the key's hex text. */
#ifndef KEYRELEASE_SEAL_H
#define KEYRELEASE_SEAL_H

#include "base/secret.h"
#include "keyrelease/binding.h"

enum { KEYRELEASE_SEAL_NONCE_LEN = 12, KEYRELEASE_SEAL_OVERHEAD = 16 };

/* An X25519 pair; the private half in guarded memory. */
struct keyrelease_pair {
    struct secret private_key;
    uint8_t public_key[KEYRELEASE_X25519_LEN];
};
bool keyrelease_pair_generate(struct keyrelease_pair *out, struct error *err) MUST_USE;
/* private_key has 32 bytes, of any value (clamped as RFC 7748 says). */
bool keyrelease_pair_from(struct slice private_key, struct keyrelease_pair *out,
                          struct error *err) MUST_USE;
void keyrelease_pair_free(struct keyrelease_pair *pair);
#define KEYRELEASE_PAIR_AUTO __attribute__((cleanup(keyrelease_pair_free)))

/* The two ends and what binds them; public_key is the other side's. */
struct keyrelease_seal {
    const struct keyrelease_pair *own;
    const uint8_t *other; /* [32] */
    bool kms_side;        /* own is the KMS's pair */
    const uint8_t *nonce; /* [32] of the challenge */
    struct slice peer_id;
};

/* out receives plain.len + 16 bytes. Codes: keyrelease/seal-key (all-zero shared secret), aead/...
 */
bool keyrelease_seal(const struct keyrelease_seal *seal, const uint8_t *seal_nonce,
                     struct slice plain, uint8_t *out, struct error *err) MUST_USE;
/* *out is allocated. Codes: keyrelease/seal-key, keyrelease/unseal. */
bool keyrelease_unseal(const struct keyrelease_seal *seal, const uint8_t *seal_nonce,
                       struct slice sealed, struct secret *out, struct error *err) MUST_USE;

#endif
