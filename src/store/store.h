/* The encrypted store: a datastore (LMDB) and a blobstore under one key. Knows nothing of a KMS.
 * Codes on open: store/wrong-key, store/damaged, store/rolled-back, store/too-new, store/plaintext
 * (encrypted expected), store/encrypted (plaintext expected), store/foreign (files of another
 * system), store/locked, store/io. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/bytes.h"
#include "base/secret.h"

struct store;

struct store_options {
    const char *data_dir; /* created 0700 when missing */
    const char *blob_dir;
    struct slice key; /* the storage key, >= 32 bytes, all used; empty = plaintext store */
    bool create;      /* make it when there is none */
    bool read_only;
    bool relaxed_sync; /* no fsync per commit (documented loss window) */
};

bool store_open(const struct store_options *options, struct store **out,
                struct error *err) MUST_USE;
void store_close(struct store **s);
#define STORE_AUTO __attribute__((cleanup(store_close)))
bool store_is_encrypted(const struct store *s);
bool store_ping(struct store *s, struct error *err) MUST_USE;

/* --- datastore: named columns of key -> value; thread-safe --- */
enum { STORE_KEY_MAX = 400, STORE_VALUE_MAX = 64 * 1024 * 1024 };
/* *found tells presence; value is appended. */
bool store_get(struct store *s, const char *column, struct slice key, struct buf *value,
               bool *found, struct error *err) MUST_USE;
bool store_put(struct store *s, const char *column, struct slice key, struct slice value,
               struct error *err) MUST_USE;
bool store_delete(struct store *s, const char *column, struct slice key, bool *found,
                  struct error *err) MUST_USE;

/* --- blobstore: content-addressed, 1 MiB chunks, ids as in the compatibility facts F.4;
 * thread-safe --- */
struct blob_id {
    uint8_t bytes[32];
};
struct blob_info {
    struct blob_id id;
    uint64_t size;
    uint8_t content_hash[32]; /* SHA-256 of the whole content */
};
struct blob_writer;
struct blob_reader;

bool blob_writer_open(struct store *s, struct blob_writer **out, struct error *err) MUST_USE;
bool blob_writer_append(struct blob_writer *w, struct slice piece, struct error *err) MUST_USE;
/* Durable when it returns true. expected_hash (32 bytes) may be NULL; a mismatch is blob/hash and
 * leaves nothing. */
bool blob_writer_finish(struct blob_writer **w, const uint8_t *expected_hash, struct blob_info *out,
                        struct error *err) MUST_USE;
void blob_writer_abort(struct blob_writer **w); /* no trace stays; NULL is fine */

/* blob/not-found when there is none. */
bool blob_stat(struct store *s, const struct blob_id *id, struct blob_info *out,
               struct error *err) MUST_USE;
bool blob_reader_open(struct store *s, const struct blob_id *id, struct blob_reader **out,
                      struct blob_info *info, struct error *err) MUST_USE;
/* Up to max bytes from offset; *got 0 at the end. Every byte is authenticated before it is
 * returned. */
bool blob_reader_read(struct blob_reader *r, uint64_t offset, uint8_t *out, size_t max, size_t *got,
                      struct error *err) MUST_USE;
void blob_reader_close(struct blob_reader **r);
bool blob_delete(struct store *s, const struct blob_id *id,
                 struct error *err) MUST_USE; /* blob/not-found */
/* Calls visit for every root blob (not for chunks) until it returns false. */
bool blob_list(struct store *s, bool (*visit)(const struct blob_info *info, void *ctx), void *ctx,
               struct error *err) MUST_USE;

#endif
