/* What an operator does with a store: look at it, check it, change its keys, copy it, move data in
 * and out of it. Library functions; `merod store` words them. Codes as in store.h. */
#ifndef STORE_ADMIN_H
#define STORE_ADMIN_H

#include "store/store.h"

/* Called now and then by everything that takes long; total may be 0 (unknown). NULL is fine. */
struct store_progress {
    void (*tick)(void *ctx, const char *what, uint64_t done, uint64_t total);
    void *ctx;
};

/* ---- looking ---- */

enum { STORE_COLUMNS_MAX = 64 };
struct store_column_info {
    const char *name;
    bool ordered; /* its keys are legible on disk */
    uint64_t rows, bytes;
};
struct store_info {
    uint8_t store_id[16];
    unsigned format;
    const char *suite; /* "AES-256-GCM" or "none" */
    int64_t created_s;
    uint64_t generation; /* of the superblock */
    uint32_t key_epoch, key_count;
    uint64_t counter;
    uint32_t sessions, rollbacks;
    uint64_t rows, data_file_bytes, blobs, chunks;
    uint32_t segment_bytes; /* of new chunk files */
    bool damage_seen;
    char damage[512]; /* the first damage that was met, with its time; stays until a clean verify */
    size_t column_count;
    struct store_column_info columns[STORE_COLUMNS_MAX]; /* those with rows */
};
bool store_info_get(struct store *s, struct store_info *out, struct error *err) MUST_USE;

struct store_verify_report {
    uint64_t records, record_errors;
    uint64_t blobs, blob_errors;
    uint64_t chunks, chunk_errors, chunk_bytes;
    uint64_t strange_files; /* in the blob directory: nobody's */
    bool clean;
};
/* Opens every record and every segment, compares content ids and links, and the state root with all
 * records: also finds old pages under a new superblock, which reading does not. finding (may be
 * NULL) hears of each error. False only when verifying itself cannot go on; a store that is damaged
 * gives true and report->clean false. Writing goes on meanwhile; what is verified is one snapshot.
 */
bool store_verify(struct store *s, const struct store_progress *progress,
                  void (*finding)(void *ctx, const struct error *what), void *ctx,
                  struct store_verify_report *report, struct error *err) MUST_USE;

/* ---- keys ---- */

/* Starts a new data key: all that is written from now on is sealed under it. kms_key: the key that
 * the store was opened with ("store/wrong-key" otherwise). Crash-safe. */
bool store_rotate(struct store *s, struct slice kms_key, struct error *err) MUST_USE;
/* Wraps the data keys under another KMS key. After a crash either key opens the store. */
bool store_rekey(struct store *s, struct slice kms_key, struct slice new_kms_key,
                 struct error *err) MUST_USE;
/* Seals everything that older data keys still hold under the newest one, then forgets those. */
bool store_reseal(struct store *s, struct slice kms_key, const struct store_progress *progress,
                  struct error *err) MUST_USE;

/* ---- copies ---- */

/* A consistent copy, while the store runs, into dir, which must be missing or empty: dir/data and
 * dir/blobs, a store under the same KMS key. */
bool store_backup(struct store *s, const char *dir, const struct store_progress *progress,
                  struct error *err) MUST_USE;
/* Copies a backup to data_dir and blob_dir, which must be missing or empty. Until it has finished,
 * opening says store/unfinished. */
bool store_restore(const char *dir, const char *data_dir, const char *blob_dir,
                   const struct store_progress *progress, struct error *err) MUST_USE;
/* Writes the data file anew without free pages and forgets sessions without records. The store must
 * be closed. *before and *after: size of the data file. */
bool store_compact(const struct store_options *options, const struct store_progress *progress,
                   uint64_t *before, uint64_t *after, struct error *err) MUST_USE;
/* Turns the store without a key in options->data_dir and blob_dir into one that is encrypted under
 * options->key. Crash-safe: until the turning point the plaintext store stays, then the encrypted
 * one counts; opening in between says store/unfinished, and running this again finishes. Leaves no
 * file with plaintext (freed blocks of the disk may still hold some, see docs/format.md). */
bool store_encrypt(const struct store_options *options, const struct store_progress *progress,
                   struct error *err) MUST_USE;

#endif
