/* Reading blobs, listing, looking up and deleting them. */
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "store/chunk_file.h"

bool blob_missing(const struct blob_id *id, struct error *err)
{
    char text[BASE58_TEXT_MAX + 1];
    struct buf b = {.data = (uint8_t *)text, .cap = sizeof text, .max = sizeof text - 1};
    bool ok = base58_append(&b, slice_of(id->bytes, sizeof id->bytes));
    text[ok ? b.len : 0] = 0;
    return error_set(err, "blob/not-found", text, "there is no blob %s", text);
}

bool blob_root_find(const struct reading *r, const struct blob_id *id, struct buf *text,
                    struct blob_root *out, bool *found, struct error *err)
{
    const struct column *column = blob_column(COLUMN_BLOBS);
    struct disk_key row;
    struct slice sealed, key, value;
    if (!disk_key_make(&r->store->keys->names, column, slice_of(id->bytes, sizeof id->bytes), &row,
                       err) ||
        !page_tree_get(&r->view->tree, disk_key_slice(&row), &sealed, found, err))
        return false;
    if (!*found)
        return true;
    if (!record_open_column(r, column, disk_key_slice(&row), sealed, &key, &value, err))
        return false;
    buf_reset(text);
    if (!buf_append(text, value))
        return error_set(err, "memory", NULL, "out of memory for a blob's row");
    return blob_root_decode(buf_slice(text), out)
               ? true
               : error_set(err, "store/damaged", "Blobs", "a blob's row is malformed");
}

static void fill_info(const struct blob_id *id, const struct blob_root *root, struct blob_info *out)
{
    out->id = *id;
    out->size = root->size;
    memcpy(out->content_hash, root->content_hash, sizeof out->content_hash);
}

bool blob_stat(struct store *s, const struct blob_id *id, struct blob_info *out, struct error *err)
{
    READING_AUTO struct reading r = {0};
    BUF_AUTO struct buf text = BUF_INIT(STORE_VALUE_MAX);
    struct blob_root root;
    bool found;
    if (!reading_begin(s, &r, err) || !blob_root_find(&r, id, &text, &root, &found, err))
        return false;
    if (!found)
        return blob_missing(id, err);
    fill_info(id, &root, out);
    return true;
}

/* ---- reading ---- */

enum { HELD_MAX = 1 << BLOB_SEGMENT_LOG2_MAX };

struct blob_reader {
    struct store *store;
    struct blob_id id;
    uint64_t size;
    struct buf links;
    uint64_t chunk; /* the one at hand */
    struct chunk_file file;
    uint8_t *piece;        /* CHUNK_PIECE_ROOM bytes */
    uint8_t *held;         /* a segment of which only a part was asked for; NULL before the first */
    uint32_t held_segment; /* UINT32_MAX when none */
};

static void close_chunk(struct blob_reader *r)
{
    chunk_file_close(&r->file);
    r->held_segment = UINT32_MAX;
}

bool blob_reader_open(struct store *s, const struct blob_id *id, struct blob_reader **out,
                      struct blob_info *info, struct error *err)
{
    READING_AUTO struct reading reading = {0};
    struct blob_root root;
    bool found;
    if (!reading_begin(s, &reading, err))
        return false;
    __attribute__((cleanup(blob_reader_close))) struct blob_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    r->store = s;
    r->id = *id;
    r->file.fd = -1;
    r->links = BUF_INIT(STORE_VALUE_MAX);
    r->piece = malloc(CHUNK_PIECE_ROOM);
    if (r->piece == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!blob_root_find(&reading, id, &r->links, &root, &found, err))
        return false;
    if (!found)
        return blob_missing(id, err);
    fill_info(id, &root, info);
    r->size = root.size;
    /* Of the row only the links are kept. */
    memmove(r->links.data, root.links.data, root.links.len);
    r->links.len = root.links.len;
    *out = r;
    r = NULL;
    return true;
}

void blob_reader_close(struct blob_reader **r)
{
    if (*r == NULL)
        return;
    close_chunk(*r);
    if ((*r)->held != NULL)
        secret_wipe((*r)->held, HELD_MAX);
    free((*r)->held);
    free((*r)->piece);
    buf_free(&(*r)->links);
    free(*r);
    *r = NULL;
}

static uint32_t chunk_len(const struct blob_reader *r, uint64_t chunk)
{
    uint64_t left = r->size - chunk * BLOB_CHUNK_SIZE;
    return left < BLOB_CHUNK_SIZE ? (uint32_t)left : BLOB_CHUNK_SIZE;
}

/* The file may be missing because the blob was just committed and its files are being put in place
 * (wait for that), or because it was deleted meanwhile (say so). */
static bool open_missing(struct blob_reader *r, uint64_t chunk, struct error *err)
{
    struct store *s = r->store;
    struct blob_info info;
    bool missing = false;
    pthread_mutex_lock(&s->blob_lock);
    bool ok = blob_stat(s, &r->id, &info, err) && journal_replay(s, err) &&
              chunk_file_open(s, &r->links.data[chunk * CHUNK_ID_LEN], chunk_len(r, chunk),
                              &r->file, &missing, err);
    pthread_mutex_unlock(&s->blob_lock);
    return missing ? chunk_file_damaged(r->file.name, "is missing", err) : ok;
}

static bool open_chunk(struct blob_reader *r, uint64_t chunk, struct error *err)
{
    bool missing = false;
    close_chunk(r);
    r->chunk = chunk;
    bool ok = chunk_file_open(r->store, &r->links.data[chunk * CHUNK_ID_LEN], chunk_len(r, chunk),
                              &r->file, &missing, err);
    return missing ? open_missing(r, chunk, err) : ok;
}

static bool hold_segment(struct blob_reader *r, uint32_t index, struct error *err)
{
    if (r->held_segment == index)
        return true;
    r->held_segment = UINT32_MAX;
    if (r->held == NULL)
        r->held = malloc(HELD_MAX);
    if (r->held == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!chunk_file_read(&r->file, index, r->piece, r->held, err))
        return false;
    r->held_segment = index;
    return true;
}

/* Some bytes from `offset`, all of one segment. */
static bool read_some(struct blob_reader *r, uint64_t offset, uint8_t *out, size_t max, size_t *got,
                      struct error *err)
{
    uint64_t chunk = offset / BLOB_CHUNK_SIZE;
    if ((r->file.fd < 0 || r->chunk != chunk) && !open_chunk(r, chunk, err))
        return false;
    uint32_t inside = (uint32_t)(offset % BLOB_CHUNK_SIZE);
    uint32_t index = inside >> r->file.cipher.header.segment_log2;
    struct chunk_segment s = chunk_segment_at(&r->file.cipher.header, index);
    if (inside == s.at && max >= s.len && r->held_segment != index) {
        *got = s.len;
        return chunk_file_read(&r->file, index, r->piece, out, err);
    }
    if (!hold_segment(r, index, err))
        return false;
    size_t left = s.at + s.len - inside;
    *got = max < left ? max : left;
    memcpy(out, &r->held[inside - s.at], *got);
    return true;
}

bool blob_reader_read(struct blob_reader *r, uint64_t offset, uint8_t *out, size_t max, size_t *got,
                      struct error *err)
{
    size_t total = 0;
    if (!engine_alive(r->store, err))
        return false;
    while (total < max && offset < r->size) {
        size_t some = 0;
        if (!damage_watch(r->store, read_some(r, offset, &out[total], max - total, &some, err),
                          err)) {
            secret_wipe(out, total);
            return false;
        }
        total += some;
        offset += some;
    }
    *got = total;
    return true;
}

/* ---- listing ---- */

static bool visit_root(struct slice key, struct slice value,
                       bool (*visit)(const struct blob_info *info, void *ctx), void *ctx,
                       bool *go_on, struct error *err)
{
    struct blob_root root;
    struct blob_info info;
    struct blob_id id;
    if (key.len != sizeof id.bytes || !blob_root_decode(value, &root))
        return error_set(err, "store/damaged", "Blobs", "a blob's row is malformed");
    memcpy(id.bytes, key.data, sizeof id.bytes);
    fill_info(&id, &root, &info);
    *go_on = visit(&info, ctx);
    return true;
}

bool blob_list(struct store *s, bool (*visit)(const struct blob_info *info, void *ctx), void *ctx,
               struct error *err)
{
    STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
    STORE_CURSOR_AUTO struct store_cursor *c = NULL;
    bool go_on = true;
    if (!store_snapshot_open(s, &snapshot, err) ||
        !store_cursor_open(snapshot, "Blobs", slice_str(""), &c, err))
        return false;
    while (go_on) {
        struct slice key, value;
        bool found;
        if (!store_cursor_next(c, &key, &value, &found, err) ||
            (found && !visit_root(key, value, visit, ctx, &go_on, err)))
            return false;
        go_on = go_on && found;
    }
    return true;
}
