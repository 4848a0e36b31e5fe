/* Deleting a blob: one commit takes its rows away, then the files of chunks that nobody links any
 * more are unlinked. */
#include <string.h>

#include "store/blobs.h"

/* Takes one link from a chunk; appends its id to dead when that was the last. */
static bool unlink_chunk(struct txn *t, struct slice id, struct buf *dead, struct error *err)
{
    uint8_t old[CHUNK_ROW_LEN + 1], fresh[CHUNK_ROW_LEN + 1];
    struct buf old_text = BUF_FIXED(old), fresh_text = BUF_FIXED(fresh);
    struct chunk_row row;
    bool found;
    if (!txn_get(t, blob_column(COLUMN_CHUNKS), id, &old_text, &found, err))
        return false;
    if (!found || !chunk_row_decode(buf_slice(&old_text), &row))
        return error_set(err, "store/damaged", "blob", "a chunk's row is missing or malformed");
    if (--row.refs == 0)
        return buf_append(dead, id)
                   ? txn_delete(t, blob_column(COLUMN_CHUNKS), id, NULL, err)
                   : error_set(err, "memory", NULL, "out of memory for deleting a blob");
    chunk_row_encode(&row, &fresh_text);
    return txn_put(t, blob_column(COLUMN_CHUNKS), id, buf_slice(&fresh_text), err);
}

static bool delete_rows(struct txn *t, const struct blob_id *id, struct buf *dead,
                        struct journal_key *key, struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(STORE_VALUE_MAX);
    struct slice row = slice_of(id->bytes, sizeof id->bytes);
    struct blob_root root;
    bool found;
    if (!txn_get(t, blob_column(COLUMN_BLOBS), row, &text, &found, err))
        return false;
    if (!found)
        return blob_missing(id, err);
    if (!blob_root_decode(buf_slice(&text), &root))
        return error_set(err, "store/damaged", "Blobs", "a blob's row is malformed");
    for (size_t at = 0; at < root.links.len; at += CHUNK_ID_LEN)
        if (!unlink_chunk(t, slice_cut(root.links, at, CHUNK_ID_LEN), dead, err))
            return false;
    return txn_delete(t, blob_column(COLUMN_BLOBS), row, NULL, err) &&
           journal_add_removal(t, buf_slice(dead), key, err) && journal_clear_done(t, err);
}

static bool commit_deletion(struct store *s, const struct blob_id *id, struct buf *dead,
                            struct journal_key *key, struct error *err)
{
    TXN_AUTO struct txn t = {0};
    if (!txn_begin(s, &t, err) || !delete_rows(&t, id, dead, key, err) || !txn_commit(&t, err))
        return false;
    journal_forget_done(s);
    return true;
}

bool blob_delete(struct store *s, const struct blob_id *id, struct error *err)
{
    BUF_AUTO struct buf dead = BUF_INIT(STORE_VALUE_MAX);
    struct journal_key key;
    pthread_mutex_lock(&s->blob_lock);
    bool ok = commit_deletion(s, id, &dead, &key, err);
    if (ok && s->unlink_holds == 0) {
        ok = chunk_files_unlink(s, buf_slice(&dead), err);
        if (ok)
            journal_done(s, &key);
    }
    pthread_mutex_unlock(&s->blob_lock);
    return ok;
}
