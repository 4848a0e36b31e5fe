/* AES-256-GCM with 96-bit nonces. A context is kept per key; it is not shared between threads. */
#ifndef BASE_AEAD_H
#define BASE_AEAD_H

#include "base/bytes.h"

enum { AEAD_KEY_LEN = 32, AEAD_NONCE_LEN = 12, AEAD_TAG_LEN = 16 };

struct aead; /* one key, both directions; one thread at a time */

bool aead_open_key(struct aead **out, const uint8_t key[AEAD_KEY_LEN], struct error *err) MUST_USE;
void aead_free(struct aead **a);
#define AEAD_AUTO __attribute__((cleanup(aead_free)))

/* out receives plain.len + AEAD_TAG_LEN bytes (ciphertext, then tag). out may not overlap plain
 * unless equal. */
bool aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
               struct slice plain, uint8_t *out, struct error *err) MUST_USE;
/* sealed = ciphertext and tag; out receives sealed.len - AEAD_TAG_LEN bytes and is wiped on
 * failure. Error code "aead/tag" when the tag does not verify. */
bool aead_unseal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                 struct slice sealed, uint8_t *out, struct error *err) MUST_USE;
/* The same with the tag apart, so that many pieces can be sealed in place in one buffer. out may
 * equal the input. */
bool aead_seal_detached(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                        struct slice plain, uint8_t *out, uint8_t tag[AEAD_TAG_LEN],
                        struct error *err) MUST_USE;
bool aead_unseal_detached(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                          struct slice body, const uint8_t tag[AEAD_TAG_LEN], uint8_t *out,
                          struct error *err) MUST_USE;

/* Unsealing piece by piece, for input that is read in pieces. Nothing that aead_unseal_add wrote
 * may be used before aead_unseal_end has said yes; the caller wipes it when it says no
 * ("aead/tag"). */
bool aead_unseal_begin(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                       struct error *err) MUST_USE;
bool aead_unseal_add(struct aead *a, struct slice piece, uint8_t *out, struct error *err) MUST_USE;
bool aead_unseal_end(struct aead *a, const uint8_t tag[AEAD_TAG_LEN], struct error *err) MUST_USE;

#endif
