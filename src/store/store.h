/* The encrypted store: a datastore (LMDB) and a blobstore under one key. Knows nothing of a KMS.
 * Codes on open: store/wrong-key, store/damaged, store/rolled-back, store/too-new, store/plaintext
 * (encrypted expected), store/encrypted (plaintext expected), store/foreign (files of another
 * system), store/missing (none there, and create is not set), store/locked, store/full, store/io,
 * store/read-only. While open: store/column, store/key, store/value, store/full, store/busy,
 * store/damaged, store/forked (used in a child of the opening process), store/replaced.
 * The format on disk is specified in docs/format.md. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/bytes.h"
#include "base/secret.h"

struct store;

/* What an anchor keeps outside of the store, so that an old copy of it can be told from the newest
 * state. Nothing in it is secret. */
struct store_mark {
    uint8_t store_id[16];
    uint64_t counter; /* commits in the life of the store */
    uint8_t root[32]; /* keyed hash over all live records */
};

/* A place that a rollback of the disk does not roll back. Both calls may block; the store calls
 * them from store_open, store_checkpoint and store_close only, one at a time. */
struct store_anchor {
    /* *found false: never advanced. */
    bool (*read)(void *ctx, struct store_mark *out, bool *found, struct error *err);
    /* Durable when it returns true. */
    bool (*advance)(void *ctx, const struct store_mark *mark, struct error *err);
    void *ctx;
};

struct store_options {
    const char *data_dir; /* created 0700 when missing */
    const char *blob_dir;
    struct slice key; /* the storage key, >= 32 bytes, all used; empty = plaintext store */
    bool create;      /* make it when there is none */
    bool read_only;
    bool relaxed_sync; /* one flush per commit instead of two: a power cut may undo the last
                          commits, and nothing else */
    const struct store_anchor *anchor; /* copied; NULL: rollback of the whole disk goes unnoticed */
    bool accept_rollback; /* open although the anchor knows a later state; the store records it */
    uint8_t segment_log2; /* of a new store's chunk files, 12..20; 0 = 16 (64 KiB) */
};

bool store_open(const struct store_options *options, struct store **out,
                struct error *err) MUST_USE;
void store_close(struct store **s);
#define STORE_AUTO __attribute__((cleanup(store_close)))
bool store_is_encrypted(const struct store *s);
bool store_ping(struct store *s, struct error *err) MUST_USE;
/* Moves the anchor to the last commit (every commit is durable before). Without an anchor: nothing.
 * Closing does it too, but cannot report. */
bool store_checkpoint(struct store *s, struct error *err) MUST_USE;

/* --- datastore: named columns of key -> value; thread-safe --- */
enum { STORE_KEY_MAX = 400, STORE_VALUE_MAX = 64 * 1024 * 1024 };
/* *found tells presence; value is appended. */
bool store_get(struct store *s, const char *column, struct slice key, struct buf *value,
               bool *found, struct error *err) MUST_USE;
bool store_put(struct store *s, const char *column, struct slice key, struct slice value,
               struct error *err) MUST_USE;
bool store_delete(struct store *s, const char *column, struct slice key, bool *found,
                  struct error *err) MUST_USE;

/* Several changes, over any columns, that are stored together or not at all. Holds the store's one
 * write lock: other writers wait. Begin, use and end it in one thread, which must not write to the
 * store otherwise meanwhile. After a failed step only dropping it is left. */
struct store_batch;
bool store_batch_begin(struct store *s, struct store_batch **out, struct error *err) MUST_USE;
bool store_batch_put(struct store_batch *b, const char *column, struct slice key,
                     struct slice value, struct error *err) MUST_USE;
/* found may be NULL. */
bool store_batch_delete(struct store_batch *b, const char *column, struct slice key, bool *found,
                        struct error *err) MUST_USE;
/* Sees the batch's own changes. */
bool store_batch_get(struct store_batch *b, const char *column, struct slice key, struct buf *value,
                     bool *found, struct error *err) MUST_USE;
/* Durable when true. Frees the batch either way. */
bool store_batch_commit(struct store_batch **b, struct error *err) MUST_USE;
void store_batch_drop(struct store_batch **b); /* nothing happened; NULL is fine */
#define STORE_BATCH_AUTO __attribute__((cleanup(store_batch_drop)))

/* One state of the store, unmoved by later writes, which it does not hold up. Close it and its
 * cursors before the store. One thread at a time. */
struct store_snapshot;
bool store_snapshot_open(struct store *s, struct store_snapshot **out, struct error *err) MUST_USE;
bool store_snapshot_get(struct store_snapshot *snapshot, const char *column, struct slice key,
                        struct buf *value, bool *found, struct error *err) MUST_USE;
void store_snapshot_close(struct store_snapshot **snapshot);
#define STORE_SNAPSHOT_AUTO __attribute__((cleanup(store_snapshot_close)))

/* The rows of a column in the order of their keys on disk: the keys themselves in a column whose
 * keys are ordered (columns.c), else an order that is arbitrary and stays. from (ordered columns
 * only; empty = from the start): the first key wanted. */
struct store_cursor;
bool store_cursor_open(struct store_snapshot *snapshot, const char *column, struct slice from,
                       struct store_cursor **out, struct error *err) MUST_USE;
/* key and value live until the next call. *found false at the end. */
bool store_cursor_next(struct store_cursor *c, struct slice *key, struct slice *value, bool *found,
                       struct error *err) MUST_USE;
void store_cursor_close(struct store_cursor **c);
#define STORE_CURSOR_AUTO __attribute__((cleanup(store_cursor_close)))

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
