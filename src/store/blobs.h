/* Inside of the blobstore: files, names and the journal, shared by blob_*.c.
 *
 * A blob comes in as sealed chunk files in "uploads"; one commit makes its rows and a journal
 * entry; then the files are renamed to their names. It goes out by one commit that removes the rows
 * and owes the files to the journal; then they are unlinked. Opening a store does what the journal
 * says was left undone, and empties "uploads". */
#ifndef STORE_BLOBS_H
#define STORE_BLOBS_H

#include "store/blob_rows.h"
#include "store/chunk.h"
#include "store/engine.h"

enum {
    UPLOAD_ID_LEN = 16,
    JOURNAL_KEY_LEN = 1 + UPLOAD_ID_LEN,
    CHUNK_NAME_MAX = 2 * FILE_NAME_LEN + 1,
    UPLOAD_NAME_MAX = 2 * UPLOAD_ID_LEN + 22 /* "-", 20 digits */
};
extern const char uploads_name[];
extern const char blob_marker_name[];

bool blob_io_failed(const char *doing, const char *name, struct error *err);
void chunk_file_name(const struct store *s, const uint8_t *chunk_id, char out[CHUNK_NAME_MAX]);
void upload_file_name(const uint8_t upload[UPLOAD_ID_LEN], uint64_t index,
                      char out[UPLOAD_NAME_MAX]);
/* Opens or makes the blob directory, which must belong to this store. */
bool blob_dirs_open(struct store *s, bool create, struct error *err) MUST_USE;

/* ---- journal ---- */

struct journal_key {
    uint8_t bytes[JOURNAL_KEY_LEN];
};
/* 'u' upload: rename its files to the chunks of the root; 'd': unlink files of chunks without row.
 */
bool journal_add_upload(struct txn *t, const uint8_t upload[UPLOAD_ID_LEN],
                        const struct blob_id *root, struct journal_key *out,
                        struct error *err) MUST_USE;
bool journal_add_removal(struct txn *t, struct slice chunk_ids, struct journal_key *out,
                         struct error *err) MUST_USE;
/* What the entry asks for is done: the next commit of the blobstore removes it. Under blob_lock. */
void journal_done(struct store *s, const struct journal_key *key);
bool journal_clear_done(struct txn *t, struct error *err) MUST_USE;
void journal_forget_done(struct store *s); /* after that commit */
/* Does what entries still ask for: at open, after a backup, and when a file is not where it should
 * be. Under blob_lock. */
bool journal_replay(struct store *s, struct error *err) MUST_USE;

/* Renames an upload's files to their names, durably; those that are there already stay. */
bool upload_promote(struct store *s, const uint8_t upload[UPLOAD_ID_LEN], struct slice links,
                    struct error *err) MUST_USE;
bool chunk_files_unlink(struct store *s, struct slice chunk_ids, struct error *err) MUST_USE;

/* The root row of a blob, read through r; its links lie in text. */
bool blob_root_find(const struct reading *r, const struct blob_id *id, struct buf *text,
                    struct blob_root *out, bool *found, struct error *err) MUST_USE;
bool blob_missing(const struct blob_id *id, struct error *err);

const struct column *blob_column(uint8_t id);

#endif
