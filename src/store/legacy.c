/* version (1), nonce (12), AES-256-GCM ciphertext, tag (16). */
#include "store/legacy.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/secret.h"
#include "store/limits.h"

struct legacy_key {
    uint8_t bytes[AEAD_KEY_LEN];
};
static void legacy_key_wipe(struct legacy_key *k)
{
    secret_wipe(k, sizeof *k);
}
#define LEGACY_KEY_AUTO __attribute__((cleanup(legacy_key_wipe)))

bool legacy_data_key(struct slice kms_key, uint8_t version, uint8_t out[AEAD_KEY_LEN],
                     struct error *err)
{
    char salt[32];
    if (kms_key.len < STORE_MASTER_KEY_MIN)
        return error_set(err, "legacy/key", "key", "master key must be at least %d bytes, got %zu",
                         STORE_MASTER_KEY_MIN, kms_key.len);
    snprintf(salt, sizeof salt, "calimero-dek-v%u", version);
    return hkdf_sha256(slice_str(salt), kms_key, slice_str("encryption"), out, AEAD_KEY_LEN, err);
}

static bool open_aead(struct slice kms_key, uint8_t version, struct aead **out, struct error *err)
{
    LEGACY_KEY_AUTO struct legacy_key key;
    return legacy_data_key(kms_key, version, key.bytes, err) && aead_open_key(out, key.bytes, err);
}

bool legacy_open(struct slice kms_key, struct slice record, struct buf *value, struct error *err)
{
    AEAD_AUTO struct aead *a = NULL;
    if (record.len < LEGACY_OVERHEAD)
        return error_set(err, "legacy/short", NULL, "ciphertext too short: %zu bytes (minimum %d)",
                         record.len, LEGACY_OVERHEAD);
    if (!open_aead(kms_key, record.data[0], &a, err))
        return false;
    struct slice header = slice_cut(record, 0, 1 + AEAD_NONCE_LEN);
    struct slice sealed = slice_cut(record, header.len, record.len);
    const uint8_t *nonce = &record.data[1];
    size_t before = value->len;
    uint8_t *out = buf_extend(value, sealed.len - AEAD_TAG_LEN);
    if (out == NULL)
        return error_set(err, "memory", NULL, "no room for a value of %zu bytes", record.len);
    if (aead_unseal(a, nonce, header, sealed, out, NULL) ||
        aead_unseal(a, nonce, slice_str(""), sealed, out, NULL))
        return true;
    value->len = before;
    return error_set(err, "legacy/tag", NULL, "decryption failed (version %u)", record.data[0]);
}

bool legacy_seal(struct slice kms_key, struct slice value, struct buf *record, struct error *err)
{
    AEAD_AUTO struct aead *a = NULL;
    if (!open_aead(kms_key, 1, &a, err))
        return false;
    uint8_t *out = buf_extend(record, value.len + LEGACY_OVERHEAD);
    if (out == NULL)
        return error_set(err, "memory", NULL, "no room for a value of %zu bytes", value.len);
    out[0] = 1;
    random_bytes(&out[1], AEAD_NONCE_LEN);
    return aead_seal(a, &out[1], slice_of(out, 1 + AEAD_NONCE_LEN), value, &out[1 + AEAD_NONCE_LEN],
                     err);
}
