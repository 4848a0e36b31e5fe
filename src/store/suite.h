/* The two cipher suites of a store behind one face: AES-256-GCM, and "none" for a store without a
 * key, whose tag is a plain checksum (it finds accidents, not attackers).
 * Source: docs/format.md, "Suites". */
#ifndef STORE_SUITE_H
#define STORE_SUITE_H

#include "base/aead.h"

enum store_suite { SUITE_NONE = 0, SUITE_AES256_GCM = 1 };

struct sealer; /* one key; one thread at a time */

bool sealer_open(struct sealer **out, enum store_suite suite, const uint8_t key[AEAD_KEY_LEN],
                 struct error *err) MUST_USE;
void sealer_free(struct sealer **s);
#define SEALER_AUTO __attribute__((cleanup(sealer_free)))

/* out receives plain.len bytes and may equal plain.data. */
bool sealer_seal(struct sealer *s, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                 struct slice plain, uint8_t *out, uint8_t tag[AEAD_TAG_LEN],
                 struct error *err) MUST_USE;
/* "aead/tag" when the tag does not verify; out is wiped then. */
bool sealer_unseal(struct sealer *s, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                   struct slice body, const uint8_t tag[AEAD_TAG_LEN], uint8_t *out,
                   struct error *err) MUST_USE;
/* The same in pieces, see aead_unseal_begin(). */
bool sealer_unseal_begin(struct sealer *s, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                         struct error *err) MUST_USE;
bool sealer_unseal_add(struct sealer *s, struct slice piece, uint8_t *out,
                       struct error *err) MUST_USE;
bool sealer_unseal_end(struct sealer *s, const uint8_t tag[AEAD_TAG_LEN],
                       struct error *err) MUST_USE;

#endif
