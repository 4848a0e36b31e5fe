/* Looking at a store: its figures, and the complete check. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/change.h"

/* ---- info ---- */

static void fill_columns(const struct state *state, struct store_info *out)
{
    for (size_t i = 0; i < column_count(); i++) {
        const struct column *c = column_at(i);
        const struct column_total *total = &state->totals[c->id];
        if (total->rows == 0)
            continue;
        out->columns[out->column_count++] =
            (struct store_column_info){c->name, c->keys == KEYS_ORDERED, total->rows, total->bytes};
    }
    out->rows = state_rows(state);
    out->blobs = state->totals[COLUMN_BLOBS].rows;
    out->chunks = state->totals[COLUMN_CHUNKS].rows;
    out->counter = state->counter;
    out->sessions = state->sessions;
    out->rollbacks = state->rollbacks;
}

static void fill_damage(const struct store *s, struct store_info *out)
{
    BUF_AUTO struct buf text = BUF_INIT(sizeof out->damage - 1);
    out->damage_seen = damage_read(s, &text);
    if (!out->damage_seen)
        return;
    size_t len = text.len > 0 && text.data[text.len - 1] == '\n' ? text.len - 1 : text.len;
    memcpy(out->damage, text.data, len);
}

bool store_info_get(struct store *s, struct store_info *out, struct error *err)
{
    READING_AUTO struct reading r = {0};
    struct stat st;
    struct state state;
    _Static_assert((int)STORE_COLUMNS_MAX >= (int)COLUMN_COUNT_MAX, "every column has a line");
    if (!reading_begin(s, &r, err) || !record_read_state(&r, &state, err))
        return false;
    memset(out, 0, sizeof *out);
    memcpy(out->store_id, s->id.bytes, sizeof out->store_id);
    out->format = STORE_FORMAT_VERSION;
    out->suite = store_is_encrypted(s) ? "AES-256-GCM" : "none";
    out->created_s = s->created_s;
    out->segment_bytes = 1U << s->segment_log2;
    fair_lock_take(&s->write_lock);
    out->generation = s->generation;
    fair_lock_release(&s->write_lock);
    pthread_mutex_lock(&s->keys_lock);
    out->key_epoch = key_ring_current(&s->keys->ring)->epoch;
    out->key_count = s->keys->ring.count;
    pthread_mutex_unlock(&s->keys_lock);
    if (fstat(s->data_fd, &st) == 0)
        out->data_file_bytes = (uint64_t)st.st_size;
    fill_columns(&state, out);
    fill_damage(s, out);
    return true;
}

/* ---- verify ---- */

struct verify {
    struct store *store;
    struct reading reading;
    struct state state;
    const struct store_progress *progress;
    void (*finding)(void *ctx, const struct error *what);
    void *ctx;
    struct store_verify_report report;
    struct set_hasher *hasher;
    struct set_root links, linked; /* what roots link, and what chunk rows say is linked */
    uint8_t *chunk;
};

static void found(struct verify *v, uint64_t *count, const struct error *what)
{
    ++*count;
    if (v->finding != NULL)
        v->finding(v->ctx, what);
}

/* A chunk id counts like a record does in the state root; only its last bytes do, which is enough.
 */
static void add_times(struct set_hasher *h, struct set_root *root, struct slice id, uint64_t times)
{
    struct set_root one = {0};
    set_root_add(h, &one, id, id);
    for (unsigned i = 0; i < 4; i++)
        root->lanes[i] += one.lanes[i] * times;
}

static bool check_chunk_content(struct verify *v, struct slice id, const struct chunk_row *row,
                                struct error *err)
{
    uint8_t digest[SHA256_LEN];
    uint32_t epoch;
    if (!chunk_read_whole(v->store, id.data, row->len, v->chunk, &epoch, err))
        return false;
    sha256(slice_of(v->chunk, row->len), digest);
    v->report.chunk_bytes += row->len;
    return slice_equal(id, slice_of(digest, sizeof digest))
               ? true
               : error_set(err, "store/damaged", "blob",
                           "a chunk's content is not what its id says");
}

/* Deleted since the snapshot was taken: no error. */
static bool chunk_is_gone(struct verify *v, struct slice id)
{
    READING_AUTO struct reading now = {0};
    struct disk_key row;
    struct slice sealed;
    bool there = true;
    return reading_begin(v->store, &now, NULL) &&
           disk_key_make(&v->store->keys->names, blob_column(COLUMN_CHUNKS), id, &row, NULL) &&
           page_tree_get(&now.view->tree, disk_key_slice(&row), &sealed, &there, NULL) && !there;
}

static bool verify_chunk(struct verify *v, struct slice id, struct slice value, struct error *err)
{
    struct chunk_row row;
    if (id.len != CHUNK_ID_LEN || !chunk_row_decode(value, &row))
        return error_set(err, "store/damaged", "blob", "a chunk's row is malformed");
    add_times(v->hasher, &v->linked, id, row.refs);
    v->report.chunks++;
    pthread_mutex_lock(&v->store->blob_lock);
    struct error what = {0};
    bool ok = check_chunk_content(v, id, &row, &what) || chunk_is_gone(v, id);
    pthread_mutex_unlock(&v->store->blob_lock);
    if (!ok)
        found(v, &v->report.chunk_errors, &what);
    return true;
}

static bool verify_root(struct verify *v, struct slice key, struct slice value, struct error *err)
{
    struct blob_root root;
    struct blob_id id;
    v->report.blobs++;
    if (!blob_root_decode(value, &root))
        return error_set(err, "store/damaged", "Blobs", "a blob's row is malformed");
    blob_root_id(root.links, &id);
    for (size_t at = 0; at < root.links.len; at += CHUNK_ID_LEN)
        add_times(v->hasher, &v->links, slice_cut(root.links, at, CHUNK_ID_LEN), 1);
    return slice_equal(key, slice_of(id.bytes, sizeof id.bytes))
               ? true
               : error_set(err, "store/damaged", "Blobs", "a blob's id is not that of its chunks");
}

static bool verify_row(struct verify *v, struct slice row, struct slice sealed, struct error *err)
{
    struct slice key, value;
    struct disk_key place;
    const struct column *column = column_by_id(row.len > 0 ? row.data[0] : 0);
    if (column == NULL) /* the state and sessions; a strange row was found by engine_check */
        return true;
    v->report.records++;
    if (!record_open_column(&v->reading, column, row, sealed, &key, &value, err) ||
        !disk_key_make(&v->store->keys->names, column, key, &place, err))
        return false;
    if (!slice_equal(row, disk_key_slice(&place)))
        return error_set(err, "store/damaged", column->name, "a record does not have its own name");
    if (column->id == COLUMN_CHUNKS)
        return verify_chunk(v, key, value, err);
    return column->id != COLUMN_BLOBS || verify_root(v, key, value, err);
}

/* Goes on after a bad record; a bad page ends the walk, for its neighbours cannot be found. */
static void verify_rows(struct verify *v)
{
    struct page_cursor at;
    struct error what = {0};
    bool more = page_cursor_seek(&at, &v->reading.view->tree, slice_str(""), &what);
    bool walking = more;
    while (walking && more) {
        struct slice row, sealed;
        walking = page_cursor_next(&at, &row, &sealed, &more, &what);
        if (walking && more && !verify_row(v, row, sealed, &what))
            found(v, &v->report.record_errors, &what);
        progress_tick(v->progress, "records", v->report.records, state_rows(&v->state));
    }
    if (!walking)
        found(v, &v->report.record_errors, &what);
}

static void verify_whole(struct verify *v)
{
    struct check_totals totals;
    struct error what = {0};
    if (!engine_check(&v->reading, &v->state, &totals, &what))
        found(v, &v->report.record_errors, &what);
}

static void verify_links(struct verify *v)
{
    struct error what;
    if (v->report.record_errors > 0 || set_root_equal(&v->links, &v->linked))
        return;
    error_set(&what, "store/damaged", "blob",
              "the chunks do not carry as many links as the blobs have");
    found(v, &v->report.blob_errors, &what);
}

/* Files that look like chunks, beyond those that rows account for. Nothing is written meanwhile. */
static bool count_strange(struct verify *v, struct error *err)
{
    struct store *s = v->store;
    int fd = openat(s->blob_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL) {
        if (fd >= 0)
            close(fd);
        return blob_io_failed("list", s->blob_dir, err);
    }
    uint64_t files = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        bool known = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                     strcmp(e->d_name, uploads_name) == 0 ||
                     strcmp(e->d_name, blob_marker_name) == 0 ||
                     strcmp(e->d_name, "lost+found") == 0;
        files += !known;
    }
    closedir(d);
    struct state now;
    READING_AUTO struct reading r = {0};
    if (!reading_begin(s, &r, err) || !record_read_state(&r, &now, err))
        return false;
    uint64_t rows = now.totals[COLUMN_CHUNKS].rows;
    v->report.strange_files = files > rows ? files - rows : 0;
    return true;
}

static bool verify_files(struct verify *v, struct error *err)
{
    pthread_mutex_lock(&v->store->blob_lock);
    bool ok = journal_replay(v->store, err) && count_strange(v, err);
    pthread_mutex_unlock(&v->store->blob_lock);
    return ok;
}

static bool verify_all(struct verify *v, struct error *err)
{
    struct error what = {0};
    if (!reading_begin(v->store, &v->reading, err))
        return false;
    if (!record_read_state(&v->reading, &v->state, &what)) {
        found(v, &v->report.record_errors, &what);
        return true;
    }
    verify_whole(v);
    verify_rows(v);
    verify_links(v);
    return verify_files(v, err);
}

bool store_verify(struct store *s, const struct store_progress *progress,
                  void (*finding)(void *ctx, const struct error *what), void *ctx,
                  struct store_verify_report *report, struct error *err)
{
    struct verify v = {.store = s, .progress = progress, .finding = finding, .ctx = ctx};
    SET_HASHER_AUTO struct set_hasher *hasher = NULL;
    if (!set_hasher_open(&hasher, &s->keys->names, err))
        return false;
    v.hasher = hasher;
    v.chunk = malloc(BLOB_CHUNK_SIZE);
    if (v.chunk == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    bool ok = verify_all(&v, err);
    reading_end(&v.reading);
    secret_wipe(v.chunk, BLOB_CHUNK_SIZE);
    free(v.chunk);
    if (!ok)
        return false;
    v.report.clean =
        v.report.record_errors == 0 && v.report.blob_errors == 0 && v.report.chunk_errors == 0;
    if (v.report.clean && !s->read_only)
        damage_clear(s);
    *report = v.report;
    return true;
}
