/* Values as the existing node seals them, for moving data from and to it.
 * Source: reference facts F.1. */
#ifndef STORE_LEGACY_H
#define STORE_LEGACY_H

#include "base/aead.h"

enum { LEGACY_OVERHEAD = 1 + AEAD_NONCE_LEN + AEAD_TAG_LEN };

/* The data key of a version: HKDF-SHA256, salt "calimero-dek-v<version>", info "encryption", over
 * all bytes (>= 32) of the KMS key. */
bool legacy_data_key(struct slice kms_key, uint8_t version, uint8_t out[AEAD_KEY_LEN],
                     struct error *err) MUST_USE;
/* Opens a record of either era: additional data is the 13-byte header, or nothing (before
 * 2026-06-29). The value is appended. "legacy/short", "legacy/tag". */
bool legacy_open(struct slice kms_key, struct slice record, struct buf *value,
                 struct error *err) MUST_USE;
/* Appends a record of version 1 in the newer era, under a random nonce. */
bool legacy_seal(struct slice kms_key, struct slice value, struct buf *record,
                 struct error *err) MUST_USE;

#endif
