/* Export. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "store/change.h"
#include "store/legacy.h"
#include "store/transfer.h"

struct exporting {
    struct store *store;
    const struct store_export_options *options;
    const struct store_sink *sink;
    const struct store_progress *progress;
    struct store_snapshot *snapshot;
    struct buf line, sealed;
    uint64_t done;
};

static bool write_line(struct exporting *e, const char *column, struct slice key,
                       struct slice value, struct error *err)
{
    struct slice content = value;
    buf_reset(&e->sealed);
    if (e->options->legacy_key.len > 0) {
        if (!legacy_seal(e->options->legacy_key, value, &e->sealed, err))
            return false;
        content = buf_slice(&e->sealed);
    }
    buf_reset(&e->line);
    buf_printf(&e->line, "{\"column\":\"%s\",\"key_hex\":\"", column);
    hex_append(&e->line, key);
    buf_append_str(&e->line, "\",\"value_hex\":\"");
    hex_append(&e->line, content);
    buf_append_str(&e->line, "\"}\n");
    if (e->line.failed)
        return error_set(err, "memory", NULL, "no memory for a line of the export");
    progress_tick(e->progress, "records", ++e->done, 0);
    return e->sink->write(e->sink->ctx, buf_slice(&e->line), err);
}

static bool write_chunk_file(struct exporting *e, struct slice id, uint32_t len, struct error *err)
{
    char path[PATH_TEXT_MAX];
    uint32_t epoch;
    BUF_AUTO struct buf name = BUF_INIT(BASE58_TEXT_MAX);
    uint8_t *plain = malloc(BLOB_CHUNK_SIZE);
    bool ok = plain != NULL && base58_append(&name, id);
    if (!ok)
        error_set(err, "memory", NULL, "out of memory");
    ok = ok && path_join(e->options->blob_dir, buf_cstr(&name), path, err) &&
         chunk_read_whole(e->store, id.data, len, plain, &epoch, err) &&
         file_write_atomic(path, slice_of(plain, len), 0600, err);
    if (plain != NULL)
        secret_wipe(plain, BLOB_CHUNK_SIZE);
    free(plain);
    return ok;
}

/* As the existing node's BlobMeta of a chunk: its hash is its id, it links nothing. */
static bool write_chunk(struct exporting *e, struct slice id, struct slice value, struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(128);
    struct blob_root leaf = {.links = slice_str("")};
    struct chunk_row row;
    if (id.len != sizeof leaf.content_hash || !chunk_row_decode(value, &row))
        return error_set(err, "store/damaged", "blob", "a chunk's row is malformed");
    leaf.size = row.len;
    leaf.refs = row.refs;
    memcpy(leaf.content_hash, id.data, id.len);
    blob_root_encode(&leaf, &text);
    return (e->options->blob_dir == NULL || write_chunk_file(e, id, row.len, err)) &&
           write_line(e, "Blobs", id, buf_slice(&text), err);
}

static bool export_column(struct exporting *e, const struct column *column, struct error *err)
{
    STORE_CURSOR_AUTO struct store_cursor *c = NULL;
    bool chunks = column->id == COLUMN_CHUNKS;
    if (!store_cursor_open(e->snapshot, column->name, slice_str(""), &c, err))
        return false;
    for (;;) {
        struct slice key, value;
        bool found;
        if (!store_cursor_next(c, &key, &value, &found, err))
            return false;
        if (!found)
            return true;
        if (chunks ? !write_chunk(e, key, value, err)
                   : !write_line(e, column->name, key, value, err))
            return false;
    }
}

static bool export_all(struct exporting *e, struct error *err)
{
    if (e->options->blob_dir != NULL && !file_make_dirs(e->options->blob_dir, 0700, err))
        return false;
    if (!store_snapshot_open(e->store, &e->snapshot, err))
        return false;
    for (size_t i = 0; i < column_count(); i++)
        if (column_at(i)->id != COLUMN_JOURNAL && !export_column(e, column_at(i), err))
            return false;
    return true;
}

bool store_export(struct store *s, const struct store_export_options *options,
                  const struct store_sink *sink, const struct store_progress *progress,
                  struct error *err)
{
    struct exporting e = {.store = s, .options = options, .sink = sink, .progress = progress};
    e.line = BUF_INIT_SECRET(2 * ((size_t)STORE_VALUE_MAX + STORE_KEY_MAX) + 256);
    e.sealed = BUF_INIT((size_t)STORE_VALUE_MAX + LEGACY_OVERHEAD);
    bool ok = export_all(&e, err);
    store_snapshot_close(&e.snapshot);
    buf_free(&e.line);
    buf_free(&e.sealed);
    return ok;
}
