/* Resealing: every record and chunk file under an older data key is sealed again under the newest,
 * a few at a time while the store runs; then the older keys are forgotten. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/change.h"

enum { RESEAL_ROWS = 256, RESEAL_BYTES = 8 * 1024 * 1024 };

/* ---- records ---- */

/* Epoch of the session that sealed a raw record. */
static bool epoch_of(const struct reading *r, struct slice sealed, uint32_t *epoch,
                     struct error *err)
{
    struct reader head = reader_of(sealed);
    struct sealer *unused;
    uint32_t session = reader_u32be(&head);
    return session_sealer(r, session, &unused, epoch, err);
}

/* The record may have changed since the snapshot was taken: what the transaction sees counts. */
static bool reseal_row(struct txn *t, const struct column *column, struct slice key,
                       struct error *err)
{
    BUF_AUTO struct buf value = BUF_INIT_SECRET(STORE_VALUE_MAX);
    bool found;
    return txn_get(t, column, key, &value, &found, err) &&
           (!found || txn_put(t, column, key, buf_slice(&value), err));
}

struct row_walk {
    struct reading reading; /* one snapshot */
    struct page_cursor at;
    uint32_t epoch;
    uint64_t seen, total;
};

/* The next row under an older key; its real key is appended to key. */
static bool next_old_row(struct row_walk *w, const struct column **column, struct buf *key,
                         bool *found, struct error *err)
{
    for (;;) {
        struct slice row, sealed, real_key, value;
        uint32_t epoch;
        if (!page_cursor_next(&w->at, &row, &sealed, found, err) || !*found)
            return !*found;
        *column = column_by_id(row.len > 0 ? row.data[0] : 0);
        if (*column == NULL)
            continue;
        w->seen++;
        if (!epoch_of(&w->reading, sealed, &epoch, err))
            return false;
        if (epoch == w->epoch)
            continue;
        buf_reset(key);
        return record_open_column(&w->reading, *column, row, sealed, &real_key, &value, err) &&
               (buf_append(key, real_key) || error_set(err, "memory", NULL, "out of memory"));
    }
}

/* Some rows in one commit. */
static bool reseal_some(struct store *s, struct row_walk *w, bool *more, struct error *err)
{
    TXN_AUTO struct txn t = {0};
    BUF_AUTO struct buf key = BUF_INIT(DISK_KEY_MAX);
    const struct column *column;
    if (!txn_begin(s, &t, err))
        return false;
    uint64_t bytes = s->session.bytes;
    for (unsigned i = 0; i < RESEAL_ROWS && s->session.bytes - bytes < RESEAL_BYTES; i++) {
        if (!next_old_row(w, &column, &key, more, err))
            return false;
        if (!*more)
            break;
        if (!reseal_row(&t, column, buf_slice(&key), err))
            return false;
    }
    return txn_commit(&t, err);
}

static bool reseal_rows(struct store *s, uint32_t epoch, const struct store_progress *progress,
                        struct error *err)
{
    struct row_walk w = {.epoch = epoch};
    const uint8_t first = COLUMN_FIRST;
    bool more = true;
    if (!reading_begin(s, &w.reading, err))
        return false;
    w.total = w.reading.view->tree.entries;
    bool ok = page_cursor_seek(&w.at, &w.reading.view->tree, slice_of(&first, 1), err);
    while (ok && more) {
        ok = reseal_some(s, &w, &more, err);
        progress_tick(progress, "records", w.seen, w.total);
    }
    reading_end(&w.reading);
    return ok;
}

/* ---- chunk files ---- */

static bool write_chunk(struct store *s, const uint8_t *id, uint8_t *plain, uint32_t len,
                        const char *name, struct error *err)
{
    struct chunk_header header = {.segment_log2 = s->segment_log2, .len = len};
    struct chunk_cipher cipher = {0};
    DATA_KEY_AUTO struct data_key dek = {0};
    random_bytes(header.salt, sizeof header.salt);
    if (!engine_data_key(s, 0, &dek))
        return false;
    header.epoch = dek.epoch;
    int fd = openat(s->upload_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return blob_io_failed("create", name, err);
    bool ok = chunk_cipher_open(&cipher, &s->id, s->suite, &dek, &header, id, err) &&
              chunk_write(fd, &cipher, plain, err) &&
              (fsync(fd) == 0 || blob_io_failed("sync", name, err));
    chunk_cipher_close(&cipher);
    close(fd);
    return ok;
}

static bool chunk_is_live(struct store *s, const uint8_t *id, bool *live, struct error *err)
{
    READING_AUTO struct reading r = {0};
    struct disk_key row;
    struct slice sealed;
    return reading_begin(s, &r, err) &&
           disk_key_make(&s->keys->names, blob_column(COLUMN_CHUNKS), slice_of(id, CHUNK_ID_LEN),
                         &row, err) &&
           page_tree_get(&r.view->tree, disk_key_slice(&row), &sealed, live, err);
}

/* Under blob_lock, so that the chunk is not deleted between reading and renaming. */
static bool reseal_chunk(struct store *s, const uint8_t *id, uint32_t len, uint32_t epoch,
                         uint8_t *plain, struct error *err)
{
    uint8_t upload[UPLOAD_ID_LEN];
    char from[UPLOAD_NAME_MAX], to[CHUNK_NAME_MAX];
    uint32_t sealed_under;
    bool live;
    if (!chunk_is_live(s, id, &live, err))
        return false;
    if (!live)
        return true;
    if (!chunk_read_whole(s, id, len, plain, &sealed_under, err))
        return false;
    if (sealed_under == epoch)
        return true;
    random_bytes(upload, sizeof upload);
    upload_file_name(upload, 0, from);
    chunk_file_name(s, id, to);
    bool ok = write_chunk(s, id, plain, len, from, err);
    if (ok && renameat(s->upload_fd, from, s->blob_fd, to) != 0)
        ok = blob_io_failed("put in place", to, err);
    if (!ok)
        (void)unlinkat(s->upload_fd, from, 0);
    return ok;
}

static bool reseal_chunks(struct store *s, uint32_t epoch, const struct store_progress *progress,
                          uint8_t *plain, struct error *err)
{
    STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
    STORE_CURSOR_AUTO struct store_cursor *c = NULL;
    uint64_t done = 0, total = s->state.totals[COLUMN_CHUNKS].rows;
    if (!store_snapshot_open(s, &snapshot, err) ||
        !store_cursor_open(snapshot, "_chunks", slice_str(""), &c, err))
        return false;
    for (bool found = true;;) {
        struct slice key, value;
        struct chunk_row row;
        if (!store_cursor_next(c, &key, &value, &found, err))
            return false;
        if (!found)
            break;
        if (key.len != CHUNK_ID_LEN || !chunk_row_decode(value, &row))
            return error_set(err, "store/damaged", "blob", "a chunk's row is malformed");
        pthread_mutex_lock(&s->blob_lock);
        bool ok = reseal_chunk(s, key.data, row.len, epoch, plain, err);
        pthread_mutex_unlock(&s->blob_lock);
        if (!ok)
            return false;
        progress_tick(progress, "chunks", ++done, total);
    }
    return fsync(s->blob_fd) == 0 ? true : blob_io_failed("sync", s->blob_dir, err);
}

/* ---- the older keys ---- */

/* Rows of sessions under keys that are about to be forgotten: nothing is sealed in them any more.
 */
static bool drop_sessions(struct store *s, uint32_t epoch, struct error *err)
{
    TXN_AUTO struct txn t = {0};
    MDB_val k = {0}, v = {0};
    uint8_t first = ROW_SESSION;
    if (!txn_begin(s, &t, err))
        return false;
    k = (MDB_val){1, &first};
    int rc = mdb_cursor_get(t.cursor, &k, &v, MDB_SET_RANGE);
    while (rc == 0 && k.mv_size == 5 && ((const uint8_t *)k.mv_data)[0] == ROW_SESSION) {
        if (v.mv_size >= 4 && load_u32be(v.mv_data) != epoch)
            rc = mdb_cursor_del(t.cursor, 0);
        if (rc == 0)
            rc = mdb_cursor_get(t.cursor, &k, &v, MDB_NEXT);
    }
    if (rc != 0 && rc != MDB_NOTFOUND)
        return engine_lmdb_failed(rc, "forget old sessions", err);
    return txn_commit(&t, err);
}

static void ring_wipe(struct key_ring *ring)
{
    secret_wipe(ring, sizeof *ring);
}

static bool forget_old_keys(struct store *s, struct slice kms_key, struct error *err)
{
    __attribute__((cleanup(ring_wipe))) struct key_ring ring = {0};
    pthread_mutex_lock(&s->keys_lock);
    ring = s->keys->ring;
    pthread_mutex_unlock(&s->keys_lock);
    ring.data_keys[0] = ring.data_keys[ring.count - 1];
    ring.count = 1;
    return change_ring(s, &ring, kms_key, err);
}

/* Uploads under way hold chunks sealed under the key that was current when they began: they must be
 * over. */
static bool no_uploads(struct store *s, struct error *err)
{
    return atomic_load(&s->open_writers) == 0
               ? true
               : error_set(err, "store/busy", NULL,
                           "uploads are under way; reseal when they have ended");
}

static bool reseal(struct store *s, struct slice kms_key, const struct store_progress *progress,
                   uint8_t *plain, struct error *err)
{
    uint32_t epoch = s->sealing_epoch;
    return no_uploads(s, err) && reseal_rows(s, epoch, progress, err) &&
           reseal_chunks(s, epoch, progress, plain, err) && drop_sessions(s, epoch, err) &&
           forget_old_keys(s, kms_key, err);
}

static uint32_t key_count(struct store *s)
{
    pthread_mutex_lock(&s->keys_lock);
    uint32_t count = s->keys->ring.count;
    pthread_mutex_unlock(&s->keys_lock);
    return count;
}

bool store_reseal(struct store *s, struct slice kms_key, const struct store_progress *progress,
                  struct error *err)
{
    if (!change_check_key(s, kms_key, err))
        return false;
    uint8_t *plain = malloc(BLOB_CHUNK_SIZE);
    if (plain == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    pthread_mutex_lock(&s->admin_lock);
    bool ok = key_count(s) == 1 || reseal(s, kms_key, progress, plain, err);
    pthread_mutex_unlock(&s->admin_lock);
    secret_wipe(plain, BLOB_CHUNK_SIZE);
    free(plain);
    return ok;
}
