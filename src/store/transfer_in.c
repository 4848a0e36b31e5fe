/* Import: a line at a time, records in batches, blobs from their chunk files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/hash.h"
#include "base/json_reader.h"
#include "store/change.h"
#include "store/legacy.h"
#include "store/transfer.h"

enum { IMPORT_ROWS = 1000, IMPORT_BYTES = 8 * 1024 * 1024, READ_PIECE = 65536 };
#define LINE_MAX_BYTES (2 * ((size_t)STORE_VALUE_MAX + LEGACY_OVERHEAD + STORE_KEY_MAX) + 4096)

struct importing {
    struct store *store;
    const struct store_import_options *options;
    const struct store_progress *progress;
    struct store_import_report report;
    struct store_batch *batch;
    unsigned rows;
    size_t bytes;
    struct buf line, text, key, value, opened;
    char column[64];
};

static bool flush(struct importing *im, struct error *err)
{
    im->rows = 0;
    im->bytes = 0;
    return im->batch == NULL || store_batch_commit(&im->batch, err);
}

/* ---- blobs ---- */

static bool append_chunk(struct importing *im, struct blob_writer *w, struct slice id,
                         struct error *err)
{
    char path[PATH_TEXT_MAX];
    uint8_t digest[SHA256_LEN];
    BUF_AUTO struct buf name = BUF_INIT(BASE58_TEXT_MAX);
    BUF_AUTO struct buf plain = BUF_INIT_SECRET(BLOB_CHUNK_SIZE);
    if (!base58_append(&name, id))
        return error_set(err, "memory", NULL, "out of memory");
    if (!path_join(im->options->blob_dir, buf_cstr(&name), path, err) ||
        !file_read(path, &plain, err))
        return false;
    sha256(buf_slice(&plain), digest);
    if (!slice_equal(id, slice_of(digest, sizeof digest)))
        return error_set(err, "import/blob", path, "%s does not hold what its name says", path);
    return blob_writer_append(w, buf_slice(&plain), err);
}

static bool import_root(struct importing *im, struct slice key, const struct blob_root *root,
                        struct error *err)
{
    struct blob_writer *w = NULL;
    struct blob_info info;
    struct blob_id id;
    blob_root_id(root->links, &id);
    if (!slice_equal(key, slice_of(id.bytes, sizeof id.bytes)))
        return error_set(err, "import/blob", "Blobs", "a blob's id is not that of its chunks");
    bool ok = blob_writer_open(im->store, &w, err);
    for (size_t at = 0; ok && at < root->links.len; at += CHUNK_ID_LEN)
        ok = append_chunk(im, w, slice_cut(root->links, at, CHUNK_ID_LEN), err);
    ok = ok && blob_writer_finish(&w, root->content_hash, &info, err);
    blob_writer_abort(&w);
    im->report.blobs += ok;
    return ok;
}

/* Rows of chunks say nothing that their roots do not. */
static bool import_blob(struct importing *im, struct slice key, struct slice value,
                        struct error *err)
{
    struct blob_root root;
    uint32_t count = value.len >= 44 ? load_u32le(&value.data[40]) : UINT32_MAX;
    bool chunk = count == 0 && value.len == 48 && load_u64le(value.data) > 0;
    if (chunk)
        return true;
    if (!blob_root_decode(value, &root))
        return error_set(err, "import/blob", "Blobs", "a blob's row is malformed");
    if (im->options->blob_dir == NULL)
        return error_set(err, "import/blob", "Blobs",
                         "there are blobs, and no folder of chunk files was named");
    return flush(im, err) && import_root(im, key, &root, err);
}

/* ---- lines ---- */

static bool parse_line(struct importing *im, struct slice line, struct error *err)
{
    struct json_reader r;
    unsigned seen = 0;
    json_reader_open(&r, line);
    json_reader_object(&r);
    while (json_reader_more(&r)) {
        buf_reset(&im->text);
        if (json_reader_name_is(&r, "column")) {
            seen |= 1;
            json_reader_text(&r, im->column, sizeof im->column);
        } else if (json_reader_name_is(&r, "key_hex") || json_reader_name_is(&r, "value_hex")) {
            bool is_key = json_reader_name_is(&r, "key_hex");
            struct buf *out = is_key ? &im->key : &im->value;
            seen |= is_key ? 2U : 4U;
            buf_reset(out);
            if (json_reader_string(&r, &im->text) && !hex_decode_append(buf_slice(&im->text), out))
                json_reader_refuse(&r, "not an even number of hex digits");
        } else {
            json_reader_refuse(&r, "unknown member");
        }
    }
    if (!json_reader_finish(&r))
        return json_reader_error(&r, "import/line", "line", err);
    return seen == 7
               ? true
               : error_set(err, "import/line", "line", "column, key_hex and value_hex are needed");
}

static bool put_record(struct importing *im, struct slice key, struct slice value,
                       struct error *err)
{
    if (im->batch == NULL && !store_batch_begin(im->store, &im->batch, err))
        return false;
    if (!store_batch_put(im->batch, im->column, key, value, err))
        return false;
    im->report.records++;
    im->bytes += key.len + value.len;
    return (++im->rows < IMPORT_ROWS && im->bytes < IMPORT_BYTES) || flush(im, err);
}

static bool import_line(struct importing *im, struct slice line, struct error *err)
{
    if (!parse_line(im, line, err))
        return false;
    struct slice value = buf_slice(&im->value);
    if (im->options->legacy_key.len > 0) {
        buf_reset(&im->opened);
        if (!legacy_open(im->options->legacy_key, value, &im->opened, err))
            return false;
        value = buf_slice(&im->opened);
    }
    if (strcmp(im->column, "Blobs") == 0)
        return import_blob(im, buf_slice(&im->key), value, err);
    return put_record(im, buf_slice(&im->key), value, err);
}

static bool finish_line(struct importing *im, struct error *err)
{
    im->report.lines++;
    progress_tick(im->progress, "lines", im->report.lines, 0);
    if (im->line.len > 0 && !import_line(im, buf_slice(&im->line), err))
        return error_prefix(err, "line %llu", (unsigned long long)im->report.lines);
    buf_reset(&im->line);
    return true;
}

static bool take(struct importing *im, struct slice piece, struct error *err)
{
    while (piece.len > 0) {
        const uint8_t *end = memchr(piece.data, '\n', piece.len);
        size_t len = end != NULL ? (size_t)(end - piece.data) : piece.len;
        if (!buf_append(&im->line, slice_cut(piece, 0, len)))
            return error_set(err, "import/line", "line", "line %llu is too long",
                             (unsigned long long)im->report.lines + 1);
        if (end != NULL && !finish_line(im, err))
            return false;
        piece = slice_cut(piece, len + (end != NULL), piece.len);
    }
    return true;
}

static bool import_fd(struct importing *im, int fd, struct error *err)
{
    uint8_t piece[READ_PIECE];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, "import/read", NULL, "cannot read the lines: %s",
                             strerror(errno));
        if (n == 0)
            return (im->line.len == 0 || finish_line(im, err)) && flush(im, err);
        if (!take(im, slice_of(piece, (size_t)n), err))
            return false;
    }
}

bool store_import(struct store *s, int fd, const struct store_import_options *options,
                  const struct store_progress *progress, struct store_import_report *report,
                  struct error *err)
{
    struct importing im = {.store = s, .options = options, .progress = progress};
    im.line = BUF_INIT_SECRET(LINE_MAX_BYTES);
    im.text = BUF_INIT_SECRET(LINE_MAX_BYTES);
    im.key = BUF_INIT(STORE_KEY_MAX);
    im.value = BUF_INIT_SECRET((size_t)STORE_VALUE_MAX + LEGACY_OVERHEAD);
    im.opened = BUF_INIT_SECRET(STORE_VALUE_MAX);
    bool ok = import_fd(&im, fd, err);
    if (!ok && im.batch != NULL) { /* what came before the bad line stays */
        struct error ignored;
        ok = !store_batch_commit(&im.batch, &ignored) && false;
    }
    *report = im.report;
    struct buf *const all[] = {&im.line, &im.text, &im.key, &im.value, &im.opened};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_free(all[i]);
    return ok;
}
