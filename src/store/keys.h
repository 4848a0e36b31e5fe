/* The key hierarchy: KMS key -> key-encryption key -> {store secret, data keys} -> working keys.
 * Source: docs/format.md, "Keys". Nothing here touches a file. */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "base/aead.h"
#include "base/bytes.h"
#include "base/secret.h"
#include "store/limits.h"
#include "store/suite.h"

enum {
    STORE_ID_LEN = 16,
    STORE_KEY_LEN = 32,
    STORE_SALT_LEN = 32,
    STORE_KCV_LEN = 16,
    ROW_NAME_LEN = 16,
    FILE_NAME_LEN = 20,
    STATE_ROOT_LEN = 32
};

struct store_id {
    uint8_t bytes[STORE_ID_LEN];
};

/* KEK and key check value of a KMS key (all its bytes) for one superblock. */
struct kek {
    uint8_t key[STORE_KEY_LEN];
    uint8_t kcv[STORE_KCV_LEN];
};
bool kek_derive(const struct store_id *id, const uint8_t salt[STORE_SALT_LEN], struct slice kms_key,
                struct kek *out, struct error *err) MUST_USE;

/* What a superblock wraps. The store secret lives as long as the store; rotation adds a data key.
 */
struct data_key {
    uint32_t epoch;
    uint8_t key[STORE_KEY_LEN];
};
struct key_ring {
    uint8_t store_secret[STORE_KEY_LEN];
    struct data_key data_keys[STORE_DATA_KEYS_MAX]; /* ascending epochs; the last one seals */
    uint32_t count;
};
void key_ring_generate(struct key_ring *out);
const struct data_key *key_ring_current(const struct key_ring *ring);
void data_key_wipe(struct data_key *key);
#define DATA_KEY_AUTO __attribute__((cleanup(data_key_wipe)))
const struct data_key *key_ring_find(const struct key_ring *ring, uint32_t epoch); /* or NULL */

/* Working keys that never change in a store's life. */
struct name_keys {
    uint8_t rows[16];              /* SipHash-2-4-128 of the keys of hashed columns */
    uint8_t files[STORE_KEY_LEN];  /* BLAKE2b of chunk ids: file names */
    uint8_t sessions[16];          /* SipHash-2-4-128 of session rows */
    uint8_t places[16];            /* SipHash-2-4-128 of keys on disk, and */
    uint8_t root[STORE_KEY_LEN];   /* AES-256: the elements of the state root */
    uint8_t anchor[STORE_KEY_LEN]; /* BLAKE2b of the state root: what an anchor may see */
};
bool name_keys_derive(const struct store_id *id, const uint8_t store_secret[STORE_KEY_LEN],
                      struct name_keys *out, struct error *err) MUST_USE;
/* Tells a damaged session row from one of a superblock that is not there any more. */
void session_check(const struct name_keys *keys, uint32_t session, struct slice epoch_and_id,
                   uint8_t out[ROW_NAME_LEN]);
void row_name(const struct name_keys *keys, struct slice column_and_key, uint8_t out[ROW_NAME_LEN]);
void file_name(const struct name_keys *keys, const uint8_t chunk_id[32],
               uint8_t out[FILE_NAME_LEN]);
void anchor_root(const struct name_keys *keys, uint64_t counter, const uint8_t root[STATE_ROOT_LEN],
                 uint8_t out[STATE_ROOT_LEN]);

/* Keys of one session of record sealing and of one chunk file. */
bool session_key_derive(const struct store_id *id, const struct data_key *dek,
                        const uint8_t session_id[STORE_SALT_LEN], uint32_t session,
                        uint8_t out[STORE_KEY_LEN], struct error *err) MUST_USE;
bool chunk_key_derive(const struct store_id *id, const struct data_key *dek,
                      const uint8_t salt[STORE_SALT_LEN], const uint8_t chunk_id[32],
                      uint8_t out[STORE_KEY_LEN], struct error *err) MUST_USE;

#endif
