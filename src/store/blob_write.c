/* Uploads: chunks are sealed into files of "uploads" as they fill up; finishing makes the blob
 * exist in one commit. Memory: one chunk, and 32 bytes per MiB for the chunk ids. */
#define _GNU_SOURCE /* sync_file_range */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/blobs.h"

struct blob_writer {
    struct store *store;
    uint8_t upload[UPLOAD_ID_LEN];
    uint8_t *chunk;
    size_t fill;
    uint64_t size, chunks;
    struct buf links;
    struct sha256_stream *content;
    uint8_t content_hash[SHA256_LEN];
    int unsynced[BLOB_UNSYNCED_MAX]; /* ring of files that are not durable yet, -1 when none */
    unsigned oldest;
    bool failed;
    bool committed; /* its files belong to the journal now */
};

static void writer_free(struct blob_writer *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < BLOB_UNSYNCED_MAX; i++)
        if (w->unsynced[i] >= 0)
            close(w->unsynced[i]);
    if (w->chunk != NULL)
        secret_wipe(w->chunk, BLOB_CHUNK_SIZE);
    free(w->chunk);
    buf_free(&w->links);
    sha256_free(&w->content);
    atomic_fetch_sub(&w->store->open_writers, 1);
    free(w);
}

/* Removes what the upload has left in "uploads". */
static void discard(struct blob_writer *w)
{
    for (uint64_t i = 0; i < w->chunks; i++) {
        char name[UPLOAD_NAME_MAX];
        upload_file_name(w->upload, i, name);
        (void)unlinkat(w->store->upload_fd, name, 0);
    }
}

bool blob_writer_open(struct store *s, struct blob_writer **out, struct error *err)
{
    if (!engine_alive(s, err))
        return false;
    if (s->read_only)
        return error_set(err, "store/read-only", NULL, "the store is open for reading only");
    struct blob_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    w->store = s;
    atomic_fetch_add(&s->open_writers, 1);
    for (size_t i = 0; i < BLOB_UNSYNCED_MAX; i++)
        w->unsynced[i] = -1;
    random_bytes(w->upload, sizeof w->upload);
    w->links = BUF_INIT((size_t)BLOB_CHUNKS_MAX * CHUNK_ID_LEN);
    w->chunk = malloc(BLOB_CHUNK_SIZE);
    if (w->chunk == NULL || !sha256_begin(&w->content, err)) {
        writer_free(w);
        return error_set(err, "memory", NULL, "out of memory for an upload");
    }
    *out = w;
    return true;
}

void blob_writer_abort(struct blob_writer **w)
{
    if (*w == NULL)
        return;
    if (engine_alive((*w)->store, NULL) && !(*w)->committed)
        discard(*w);
    writer_free(*w);
    *w = NULL;
}

/* ---- chunks ---- */

static bool make_durable(int fd, struct error *err)
{
    bool ok = fsync(fd) == 0 || blob_io_failed("sync", "a chunk file", err);
    close(fd);
    return ok;
}

/* Writing back starts now; waiting for it comes when the ring is full or at the end. */
static bool keep_unsynced(struct blob_writer *w, int fd, struct error *err)
{
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    int *slot = &w->unsynced[w->oldest];
    int before = *slot;
    *slot = fd;
    w->oldest = (w->oldest + 1) % BLOB_UNSYNCED_MAX;
    return before < 0 || make_durable(before, err);
}

static bool sync_all(struct blob_writer *w, struct error *err)
{
    for (size_t i = 0; i < BLOB_UNSYNCED_MAX; i++) {
        int fd = w->unsynced[i];
        w->unsynced[i] = -1;
        if (fd >= 0 && !make_durable(fd, err))
            return false;
    }
    return fsync(w->store->upload_fd) == 0 ? true : blob_io_failed("sync", uploads_name, err);
}

static bool seal_to_file(struct blob_writer *w, const uint8_t *id, int fd, struct error *err)
{
    struct store *s = w->store;
    struct chunk_cipher cipher = {0};
    struct chunk_header header = {.segment_log2 = s->segment_log2, .len = (uint32_t)w->fill};
    random_bytes(header.salt, sizeof header.salt);
    DATA_KEY_AUTO struct data_key dek = {0};
    bool ok = engine_data_key(s, 0, &dek);
    header.epoch = dek.epoch;
    ok = ok && chunk_cipher_open(&cipher, &s->id, s->suite, &dek, &header, id, err) &&
         chunk_write(fd, &cipher, w->chunk, err);
    chunk_cipher_close(&cipher);
    return ok;
}

static bool write_file(struct blob_writer *w, const uint8_t *id, struct error *err)
{
    char name[UPLOAD_NAME_MAX];
    upload_file_name(w->upload, w->chunks, name);
    int fd = openat(w->store->upload_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return blob_io_failed("create", name, err);
    w->chunks++;
    if (seal_to_file(w, id, fd, err))
        return keep_unsynced(w, fd, err);
    close(fd);
    return false;
}

static bool flush_chunk(struct blob_writer *w, bool last_chunk, struct error *err)
{
    uint8_t id[CHUNK_ID_LEN];
    struct slice plain = slice_of(w->chunk, w->fill);
    struct slice last = slice_cut(buf_slice(&w->links),
                                  w->links.len > 0 ? w->links.len - CHUNK_ID_LEN : 0, CHUNK_ID_LEN);
    if (w->chunks == BLOB_CHUNKS_MAX)
        return error_set(err, "blob/too-large", NULL, "a blob has at most %d chunks of 1 MiB",
                         BLOB_CHUNKS_MAX);
    sha256(plain, id);
    bool only = last_chunk && w->links.len == 0;
    if (only) /* then both hashes are over the same bytes */
        memcpy(w->content_hash, id, sizeof id);
    else
        sha256_add(w->content, plain);
    /* A run of equal chunks needs one file. */
    bool repeats = last.len > 0 && slice_equal(last, slice_of(id, sizeof id));
    if (repeats)
        w->chunks++;
    else if (!write_file(w, id, err))
        return false;
    w->fill = 0;
    if (last_chunk && !only)
        sha256_finish(w->content, w->content_hash);
    return buf_append(&w->links, slice_of(id, sizeof id))
               ? true
               : error_set(err, "memory", NULL, "out of memory for an upload");
}

bool blob_writer_append(struct blob_writer *w, struct slice piece, struct error *err)
{
    if (!engine_alive(w->store, err))
        return false;
    if (w->failed)
        return error_set(err, "store/io", "blob", "an earlier part of this upload failed");
    while (piece.len > 0) {
        /* A full chunk waits until it is known whether it is the last. */
        if (w->fill == BLOB_CHUNK_SIZE && !flush_chunk(w, false, err)) {
            w->failed = true;
            return false;
        }
        size_t room = BLOB_CHUNK_SIZE - w->fill, len = piece.len < room ? piece.len : room;
        memcpy(&w->chunk[w->fill], piece.data, len);
        w->fill += len;
        w->size += len;
        piece = slice_cut(piece, len, piece.len);
    }
    return true;
}

/* ---- finishing ---- */

static bool link_chunk(struct txn *t, struct slice id, uint32_t len, struct error *err)
{
    uint8_t old[CHUNK_ROW_LEN + 1], fresh[CHUNK_ROW_LEN + 1];
    struct buf old_text = BUF_FIXED(old), fresh_text = BUF_FIXED(fresh);
    struct chunk_row row = {.len = len};
    bool found;
    if (!txn_get(t, blob_column(COLUMN_CHUNKS), id, &old_text, &found, err))
        return false;
    if (found && (!chunk_row_decode(buf_slice(&old_text), &row) || row.len != len))
        return error_set(err, "store/damaged", "blob", "a chunk's row is malformed");
    if (row.refs == UINT32_MAX)
        return error_set(err, "store/full", "blob", "a chunk is linked 2^32 times");
    row.refs++;
    chunk_row_encode(&row, &fresh_text);
    return txn_put(t, blob_column(COLUMN_CHUNKS), id, buf_slice(&fresh_text), err);
}

static bool put_root(struct txn *t, const struct blob_info *info, struct slice links,
                     struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(STORE_VALUE_MAX);
    struct blob_root root = {.size = info->size, .links = links, .refs = 1};
    memcpy(root.content_hash, info->content_hash, sizeof root.content_hash);
    blob_root_encode(&root, &text);
    return !text.failed
               ? txn_put(t, blob_column(COLUMN_BLOBS),
                         slice_of(info->id.bytes, sizeof info->id.bytes), buf_slice(&text), err)
               : error_set(err, "memory", NULL, "out of memory for an upload");
}

static bool put_rows(struct blob_writer *w, struct txn *t, const struct blob_info *info,
                     struct journal_key *key, struct error *err)
{
    struct slice links = buf_slice(&w->links);
    uint64_t left = w->size;
    for (size_t at = 0; at < links.len; at += CHUNK_ID_LEN) {
        uint32_t len = left < BLOB_CHUNK_SIZE ? (uint32_t)left : BLOB_CHUNK_SIZE;
        if (!link_chunk(t, slice_cut(links, at, CHUNK_ID_LEN), len, err))
            return false;
        left -= len;
    }
    return put_root(t, info, links, err) && journal_add_upload(t, w->upload, &info->id, key, err) &&
           journal_clear_done(t, err);
}

static bool commit_rows(struct blob_writer *w, const struct blob_info *info,
                        struct journal_key *key, bool *stored, struct error *err)
{
    TXN_AUTO struct txn t = {0};
    BUF_AUTO struct buf old = BUF_INIT(STORE_VALUE_MAX);
    bool found;
    if (!txn_begin(w->store, &t, err) ||
        !txn_get(&t, blob_column(COLUMN_BLOBS), slice_of(info->id.bytes, sizeof info->id.bytes),
                 &old, &found, err))
        return false;
    *stored = !found;
    if (found)
        return true;
    if (!put_rows(w, &t, info, key, err))
        return false;
    struct error why = {0};
    bool ok = txn_commit(&t, &why);
    /* After a failed sync nobody knows whether the commit is on disk: then the files stay as well.
     */
    w->committed = ok || !error_is(&why, "store/full");
    if (!ok)
        return error_set(err, why.code, why.field, "%s", why.message);
    journal_forget_done(w->store);
    return true;
}

/* The files of a blob that is there already are put in place again all the same: that mends it
 * should one of them be damaged. */
static bool publish(struct blob_writer *w, const struct blob_info *info, struct error *err)
{
    struct store *s = w->store;
    struct journal_key key;
    bool stored = false;
    pthread_mutex_lock(&s->blob_lock);
    bool ok = commit_rows(w, info, &key, &stored, err) &&
              upload_promote(s, w->upload, buf_slice(&w->links), err);
    if (ok && stored)
        journal_done(s, &key);
    pthread_mutex_unlock(&s->blob_lock);
    return ok;
}

static bool complete(struct blob_writer *w, const uint8_t *expected_hash, struct blob_info *info,
                     struct error *err)
{
    if (w->failed || !engine_alive(w->store, err))
        return error_set(err, "store/io", "blob", "an earlier part of this upload failed");
    if (w->fill > 0 && !flush_chunk(w, true, err))
        return false;
    if (w->size == 0)
        sha256_finish(w->content, w->content_hash);
    info->size = w->size;
    memcpy(info->content_hash, w->content_hash, sizeof info->content_hash);
    blob_root_id(buf_slice(&w->links), &info->id);
    if (expected_hash != NULL &&
        !bytes_equal_ct(expected_hash, info->content_hash, sizeof info->content_hash))
        return error_set(err, "blob/hash", NULL,
                         "the content does not have the hash that was announced");
    return sync_all(w, err) && publish(w, info, err);
}

bool blob_writer_finish(struct blob_writer **w, const uint8_t *expected_hash, struct blob_info *out,
                        struct error *err)
{
    struct blob_info info;
    bool ok = complete(*w, expected_hash, &info, err);
    if (ok)
        *out = info;
    blob_writer_abort(w);
    return ok;
}
