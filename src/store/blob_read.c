/* Reading blobs, listing, looking up and deleting them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "store/blobs.h"

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

/* Small enough to stay in the cache between reading and opening. */
enum { READ_PIECE = 65536, HELD_MAX = 1 << BLOB_SEGMENT_LOG2_MAX };

struct blob_reader {
    struct store *store;
    struct blob_id id;
    uint64_t size;
    struct buf links;
    int fd; /* of the chunk at hand, -1 when none */
    uint64_t chunk;
    struct chunk_cipher cipher;
    uint8_t *piece;        /* READ_PIECE bytes of the file and a tag */
    uint8_t *held;         /* a segment of which only a part was asked for; NULL before the first */
    uint32_t held_segment; /* UINT32_MAX when none */
};

static void close_chunk(struct blob_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->held_segment = UINT32_MAX;
    chunk_cipher_close(&r->cipher);
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
    r->fd = -1;
    r->links = BUF_INIT(STORE_VALUE_MAX);
    r->piece = malloc(READ_PIECE + AEAD_TAG_LEN);
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

static bool damaged_chunk(const char *name, const char *what, struct error *err)
{
    return error_set(err, "store/damaged", name,
                     "chunk file %s %s; delete the blob and upload it again, or restore the last "
                     "good backup",
                     name, what);
}

/* The file may be missing because the blob was just committed and its files are being put in place
 * (wait for that), or because it was deleted meanwhile (say so). */
static bool open_file_again(struct blob_reader *r, const char *name, struct error *err)
{
    struct store *s = r->store;
    struct blob_info info;
    pthread_mutex_lock(&s->blob_lock);
    bool there = blob_stat(s, &r->id, &info, err);
    if (there)
        r->fd = openat(s->blob_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    pthread_mutex_unlock(&s->blob_lock);
    if (!there || r->fd >= 0)
        return there;
    return errno == ENOENT ? damaged_chunk(name, "is missing", err)
                           : blob_io_failed("open", name, err);
}

static bool open_file(struct blob_reader *r, const char *name, struct error *err)
{
    r->fd = openat(r->store->blob_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (r->fd >= 0)
        return true;
    return errno == ENOENT ? open_file_again(r, name, err) : blob_io_failed("open", name, err);
}

static uint32_t chunk_len(const struct blob_reader *r, uint64_t chunk)
{
    uint64_t left = r->size - chunk * BLOB_CHUNK_SIZE;
    return left < BLOB_CHUNK_SIZE ? (uint32_t)left : BLOB_CHUNK_SIZE;
}

static bool read_at(int fd, uint8_t *out, size_t len, uint64_t at, const char *name,
                    struct error *err)
{
    while (len > 0) {
        ssize_t n = pread(fd, out, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return blob_io_failed("read", name, err);
        if (n == 0)
            return damaged_chunk(name, "ends too early", err);
        out = &out[n];
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return true;
}

static bool read_header(struct blob_reader *r, uint64_t chunk, const char *name,
                        struct chunk_header *out, struct error *err)
{
    uint8_t text[CHUNK_HEADER_LEN];
    struct stat st;
    if (fstat(r->fd, &st) != 0)
        return blob_io_failed("look at", name, err);
    if (!read_at(r->fd, text, sizeof text, 0, name, err))
        return false;
    if (!chunk_header_decode(slice_of(text, sizeof text), out))
        return damaged_chunk(name, "has a malformed header", err);
    if (out->len != chunk_len(r, chunk) || (uint64_t)st.st_size != chunk_file_len(out))
        return damaged_chunk(name, "has the wrong length", err);
    return true;
}

static bool open_chunk(struct blob_reader *r, uint64_t chunk, struct error *err)
{
    struct store *s = r->store;
    const uint8_t *id = &r->links.data[chunk * CHUNK_ID_LEN];
    struct chunk_header header;
    char name[CHUNK_NAME_MAX];
    close_chunk(r);
    chunk_file_name(s, id, name);
    if (!open_file(r, name, err) || !read_header(r, chunk, name, &header, err)) {
        close_chunk(r);
        return false;
    }
    DATA_KEY_AUTO struct data_key dek = {0};
    bool ok = engine_data_key(s, header.epoch, &dek)
                  ? chunk_cipher_open(&r->cipher, &s->id, s->suite, &dek, &header, id, err)
                  : damaged_chunk(name, "was sealed under a data key that is gone", err);
    r->chunk = chunk;
    if (!ok)
        close_chunk(r);
    return ok;
}

/* All of a segment into out, unauthenticated as yet; the tag ends up in *tag. */
static bool read_pieces(struct blob_reader *r, const struct chunk_segment *s, const char *name,
                        uint8_t *out, const uint8_t **tag, struct error *err)
{
    for (uint32_t done = 0;;) {
        uint32_t left = s->len - done, len = left < READ_PIECE ? left : READ_PIECE;
        bool last = len == left;
        if (!read_at(r->fd, r->piece, len + (last ? AEAD_TAG_LEN : 0U), s->file_at + done, name,
                     err) ||
            !sealer_unseal_add(r->cipher.sealer, slice_of(r->piece, len), &out[done], err))
            return false;
        done += len;
        if (last) {
            *tag = &r->piece[len];
            return true;
        }
    }
}

/* Opens one segment into out, which has room for all of it and is wiped when it is not genuine. */
static bool read_segment(struct blob_reader *r, uint32_t index, uint8_t *out, struct error *err)
{
    struct chunk_segment s = chunk_segment_at(&r->cipher.header, index);
    const uint8_t *tag = NULL;
    char name[CHUNK_NAME_MAX];
    struct error why = {0};
    chunk_file_name(r->store, &r->links.data[r->chunk * CHUNK_ID_LEN], name);
    bool ok =
        chunk_unseal_begin(&r->cipher, index, err) && read_pieces(r, &s, name, out, &tag, err);
    if (ok && !sealer_unseal_end(r->cipher.sealer, tag, &why))
        ok = damaged_chunk(name, "does not pass its authentication", err);
    if (!ok)
        secret_wipe(out, s.len);
    return ok;
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
    if (!read_segment(r, index, r->held, err))
        return false;
    r->held_segment = index;
    return true;
}

/* Some bytes from `offset`, all of one segment. */
static bool read_some(struct blob_reader *r, uint64_t offset, uint8_t *out, size_t max, size_t *got,
                      struct error *err)
{
    uint64_t chunk = offset / BLOB_CHUNK_SIZE;
    if ((r->fd < 0 || r->chunk != chunk) && !open_chunk(r, chunk, err))
        return false;
    uint32_t inside = (uint32_t)(offset % BLOB_CHUNK_SIZE);
    uint32_t index = inside >> r->cipher.header.segment_log2;
    struct chunk_segment s = chunk_segment_at(&r->cipher.header, index);
    if (inside == s.at && max >= s.len && r->held_segment != index) {
        *got = s.len;
        return read_segment(r, index, out, err);
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
        size_t some;
        if (!read_some(r, offset, &out[total], max - total, &some, err)) {
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
