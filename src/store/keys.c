/* HKDF-SHA256 with a purpose label per key; names by SipHash-2-4-128 and keyed BLAKE2b. */
#include "store/keys.h"

#include <sodium.h>
#include <string.h>

#include "base/hash.h"

enum { INFO_MAX = 128 };

/* info = "merotee store v1 " purpose 0x00 context */
static bool derive(struct slice salt, struct slice ikm, const char *purpose, struct slice context,
                   uint8_t *out, size_t out_len, struct error *err)
{
    uint8_t info[INFO_MAX];
    struct slice label = slice_str("merotee store v1 "), what = slice_str(purpose);
    size_t used = 0;
    const struct slice parts[] = {label, what, slice_of("", 1), context};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].len > sizeof info - used)
            return error_set(err, "store/internal", purpose, "key derivation context is too long");
        if (parts[i].len > 0)
            memcpy(&info[used], parts[i].data, parts[i].len);
        used += parts[i].len;
    }
    return hkdf_sha256(salt, ikm, slice_of(info, used), out, out_len, err);
}

bool kek_derive(const struct store_id *id, const uint8_t salt[STORE_SALT_LEN], struct slice kms_key,
                struct kek *out, struct error *err)
{
    struct slice salt_bytes = slice_of(salt, STORE_SALT_LEN),
                 context = slice_of(id->bytes, sizeof id->bytes);
    return derive(salt_bytes, kms_key, "kek", context, out->key, sizeof out->key, err) &&
           derive(salt_bytes, kms_key, "kcv", context, out->kcv, sizeof out->kcv, err);
}

void key_ring_generate(struct key_ring *out)
{
    memset(out, 0, sizeof *out);
    random_bytes(out->store_secret, sizeof out->store_secret);
    random_bytes(out->data_keys[0].key, sizeof out->data_keys[0].key);
    out->data_keys[0].epoch = 1;
    out->count = 1;
}

const struct data_key *key_ring_current(const struct key_ring *ring)
{
    return &ring->data_keys[ring->count - 1];
}

void data_key_wipe(struct data_key *key)
{
    secret_wipe(key, sizeof *key);
}

const struct data_key *key_ring_find(const struct key_ring *ring, uint32_t epoch)
{
    for (uint32_t i = 0; i < ring->count; i++)
        if (ring->data_keys[i].epoch == epoch)
            return &ring->data_keys[i];
    return NULL;
}

bool name_keys_derive(const struct store_id *id, const uint8_t store_secret[STORE_KEY_LEN],
                      struct name_keys *out, struct error *err)
{
    struct slice salt = slice_of(id->bytes, sizeof id->bytes),
                 ikm = slice_of(store_secret, STORE_KEY_LEN), none = slice_str("");
    return derive(salt, ikm, "row names", none, out->rows, sizeof out->rows, err) &&
           derive(salt, ikm, "file names", none, out->files, sizeof out->files, err) &&
           derive(salt, ikm, "sessions", none, out->sessions, sizeof out->sessions, err) &&
           derive(salt, ikm, "places", none, out->places, sizeof out->places, err) &&
           derive(salt, ikm, "state root", none, out->root, sizeof out->root, err) &&
           derive(salt, ikm, "anchor", none, out->anchor, sizeof out->anchor, err);
}

void session_check(const struct name_keys *keys, uint32_t session, struct slice epoch_and_id,
                   uint8_t out[ROW_NAME_LEN])
{
    uint8_t text[4 + 4 + STORE_SALT_LEN + 1];
    struct buf b = BUF_FIXED(text);
    buf_append_be(&b, session, 4);
    buf_append(&b, epoch_and_id);
    crypto_shorthash_siphashx24(out, text, b.len, keys->sessions);
}

void row_name(const struct name_keys *keys, struct slice column_and_key, uint8_t out[ROW_NAME_LEN])
{
    _Static_assert(sizeof keys->rows == crypto_shorthash_siphashx24_KEYBYTES, "SipHash key");
    crypto_shorthash_siphashx24(out, column_and_key.data, column_and_key.len, keys->rows);
}

void file_name(const struct name_keys *keys, const uint8_t chunk_id[32], uint8_t out[FILE_NAME_LEN])
{
    crypto_generichash(out, FILE_NAME_LEN, chunk_id, 32, keys->files, sizeof keys->files);
}

void anchor_root(const struct name_keys *keys, uint64_t counter, const uint8_t root[STATE_ROOT_LEN],
                 uint8_t out[STATE_ROOT_LEN])
{
    uint8_t text[8 + STATE_ROOT_LEN];
    store_u64be(text, counter);
    memcpy(&text[8], root, STATE_ROOT_LEN);
    crypto_generichash(out, STATE_ROOT_LEN, text, sizeof text, keys->anchor, sizeof keys->anchor);
}

/* store id, epoch (4, big-endian), extra */
static bool derive_working(const struct store_id *id, const struct data_key *dek,
                           const uint8_t *salt, const char *purpose, struct slice extra,
                           uint8_t out[STORE_KEY_LEN], struct error *err)
{
    uint8_t context[STORE_ID_LEN + 4 + 32 + 1];
    struct buf b = BUF_FIXED(context);
    buf_append(&b, slice_of(id->bytes, sizeof id->bytes));
    buf_append_be(&b, dek->epoch, 4);
    buf_append(&b, extra);
    return derive(slice_of(salt, STORE_SALT_LEN), slice_of(dek->key, sizeof dek->key), purpose,
                  buf_slice(&b), out, STORE_KEY_LEN, err);
}

bool session_key_derive(const struct store_id *id, const struct data_key *dek,
                        const uint8_t session_id[STORE_SALT_LEN], uint32_t session,
                        uint8_t out[STORE_KEY_LEN], struct error *err)
{
    uint8_t number[8];
    store_u64be(number, session);
    return derive_working(id, dek, session_id, "session", slice_of(number, sizeof number), out,
                          err);
}

bool chunk_key_derive(const struct store_id *id, const struct data_key *dek,
                      const uint8_t salt[STORE_SALT_LEN], const uint8_t chunk_id[32],
                      uint8_t out[STORE_KEY_LEN], struct error *err)
{
    return derive_working(id, dek, salt, "chunk", slice_of(chunk_id, 32), out, err);
}
