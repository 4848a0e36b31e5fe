/* GET, HEAD, DELETE and list of blobs. Spec: compatibility facts E.4. */
#include "node/admin_blob.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/codec.h"
#include "base/log.h"
#include "node/admin_internal.h"
#include "node/mime.h"
#include "node/range.h"

enum { ETAG_MAX = 2 * 32 + 3, CONTENT_RANGE_MAX = 80 };

bool admin_base58_32(const char *text, uint8_t out[32])
{
    struct buf raw BUF_AUTO = BUF_INIT(BASE58_BYTES_MAX);
    if (!base58_decode_append(slice_str(text), &raw) || raw.len != 32)
        return false;
    memcpy(out, raw.data, 32);
    return true;
}

bool admin_blob_id_text(const struct blob_id *id, char out[BLOB_ID_TEXT_MAX])
{
    struct buf text BUF_AUTO = BUF_INIT(BLOB_ID_TEXT_MAX);
    if (!base58_append(&text, slice_of(id->bytes, sizeof id->bytes)) || buf_cstr(&text) == NULL)
        return false;
    snprintf(out, BLOB_ID_TEXT_MAX, "%s", buf_cstr(&text));
    return true;
}

/* What the store says of a blob operation, in the words of the API. */
static void reply_store_error(struct http_exchange *x, const char *what, const struct error *err)
{
    if (error_is(err, "blob/not-found")) {
        admin_reply_error(x, 404, "Blob not found");
        return;
    }
    log_error("%s code=%s reason='%s'", what, err->code, err->message);
    admin_reply_error(x, 500, "%s", what);
}

/* --- list --- */

struct listing {
    struct buf text;
    bool first;
};

static bool list_one(const struct blob_info *info, void *ctx)
{
    struct listing *l = ctx;
    char id[BLOB_ID_TEXT_MAX];
    if (!admin_blob_id_text(&info->id, id))
        return false;
    buf_printf(&l->text, "%s{\"blob_id\":\"%s\",\"size\":%llu}", l->first ? "" : ",", id,
               (unsigned long long)info->size);
    l->first = false;
    return !l->text.failed;
}

void admin_blob_list(struct http_exchange *x, void *ctx)
{
    struct store *store = admin_serving_store(ctx, x);
    if (store == NULL)
        return;
    struct error err;
    struct listing l = {.text = BUF_INIT(NODE_BLOB_LIST_MAX), .first = true};
    buf_append_str(&l.text, "{\"data\":{\"blobs\":[");
    if (!blob_list(store, list_one, &l, &err))
        reply_store_error(x, "Failed to list blobs", &err);
    else if (!buf_append_str(&l.text, "]}}") || l.text.failed)
        admin_reply_error(x, 500, "Failed to list blobs: the list is longer than %d bytes",
                          NODE_BLOB_LIST_MAX);
    else
        http_exchange_reply(x, 200, "application/json", buf_slice(&l.text));
    buf_free(&l.text);
}

/* --- download --- */

struct download {
    struct admin *admin;
    struct blob_reader *reader;
    uint64_t start; /* of the range inside the blob */
    char id[BLOB_ID_TEXT_MAX];
};

static void download_free(void *ctx)
{
    struct download *d = ctx;
    blob_reader_close(&d->reader);
    free(d);
}

static ssize_t download_read(void *ctx, uint64_t offset, uint8_t *out, size_t max)
{
    struct download *d = ctx;
    struct error err;
    size_t got = 0;
    if (!blob_reader_read(d->reader, d->start + offset, out, max, &got, &err)) {
        log_error("blob read failed blob=%s code=%s reason='%s'", d->id, err.code, err.message);
        return -1;
    }
    if (got == 0)
        return -1; /* shorter than its own record says */
    atomic_fetch_add(&d->admin->metrics.blob_bytes_out, got);
    return (ssize_t)got;
}

static const char *content_type(struct blob_reader *reader, struct error *err)
{
    uint8_t head[NODE_MIME_SNIFF_LEN];
    size_t len = 0, got = 0;
    do {
        if (!blob_reader_read(reader, len, head + len, sizeof head - len, &got, err))
            return NULL;
        len += got;
    } while (got > 0 && len < sizeof head);
    return mime_of(slice_of(head, len));
}

/* "*", or a comma-separated list that holds `etag`; weak comparison. */
static bool etag_listed(const char *header, const char *etag)
{
    return header != NULL && (strcmp(header, "*") == 0 || strstr(header, etag) != NULL);
}

static void add_blob_headers(struct http_exchange *x, const char *id, const struct blob_info *info,
                             const char *etag, const char *type)
{
    char hash[2 * sizeof info->content_hash + 1];
    hex_encode(slice_of(info->content_hash, sizeof info->content_hash), hash);
    http_exchange_add_header(x, "ETag", etag);
    http_exchange_add_header(x, "Cache-Control", "private, no-cache");
    http_exchange_add_header(x, "Accept-Ranges", "bytes");
    http_exchange_add_header(x, "X-Blob-ID", id);
    http_exchange_add_header(x, "X-Blob-Hash", hash);
    http_exchange_add_header(x, "X-Blob-MIME-Type", type);
}

/* The range that counts: If-Range names another content -> the whole. */
static struct range wanted_range(const struct http_exchange *x, const char *etag, uint64_t size)
{
    const char *if_range = http_exchange_header(x, "If-Range");
    if (if_range != NULL && strcmp(if_range, etag) != 0)
        return (struct range){.kind = RANGE_WHOLE};
    return range_parse(http_exchange_header(x, "Range"), size);
}

/* Headers are complete; takes the download. */
static void send_content(struct http_exchange *x, struct download *d, uint64_t size,
                         struct range range, const char *type)
{
    char text[CONTENT_RANGE_MAX];
    if (range.kind == RANGE_UNSATISFIABLE) {
        snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)size);
        http_exchange_add_header(x, "Content-Range", text);
        download_free(d);
        admin_reply_error(x, 416, "The range is outside of the blob");
        return;
    }
    if (range.kind == RANGE_WHOLE) {
        http_exchange_reply_stream(x, 200, type, size, download_read, download_free, d);
        return;
    }
    snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)range.start,
             (unsigned long long)(range.start + range.len - 1), (unsigned long long)size);
    http_exchange_add_header(x, "Content-Range", text);
    d->start = range.start;
    http_exchange_reply_stream(x, 206, type, range.len, download_read, download_free, d);
}

static void serve_blob(struct http_exchange *x, struct download *d, const struct blob_info *info)
{
    struct error err;
    char hash[2 * sizeof info->content_hash + 1], etag[ETAG_MAX];
    hex_encode(slice_of(info->content_hash, sizeof info->content_hash), hash);
    snprintf(etag, sizeof etag, "\"%s\"", hash);
    const char *type = content_type(d->reader, &err);
    if (type == NULL) {
        download_free(d);
        reply_store_error(x, "Failed to retrieve blob", &err);
        return;
    }
    add_blob_headers(x, d->id, info, etag, type);
    if (etag_listed(http_exchange_header(x, "If-None-Match"), etag)) {
        download_free(d);
        http_exchange_reply(x, 304, type, slice_of(NULL, 0));
        return;
    }
    send_content(x, d, info->size, wanted_range(x, etag, info->size), type);
}

/* The id in the path; answers 400 when it is none. */
static bool path_id(struct http_exchange *x, struct blob_id *id)
{
    if (admin_base58_32(http_exchange_tail(x), id->bytes))
        return true;
    admin_reply_error(x, 400, "Invalid blob ID format");
    return false;
}

void admin_blob_get(struct http_exchange *x, void *ctx)
{
    struct store *store = admin_serving_store(ctx, x);
    struct blob_id id;
    struct blob_info info;
    struct error err;
    if (store == NULL || !path_id(x, &id))
        return;
    struct download *d = calloc(1, sizeof *d);
    if (d == NULL || !admin_blob_id_text(&id, d->id)) {
        free(d);
        admin_reply_error(x, 500, "Failed to retrieve blob");
        return;
    }
    d->admin = ctx;
    if (blob_reader_open(store, &id, &d->reader, &info, &err)) {
        serve_blob(x, d, &info);
        return;
    }
    free(d);
    if (error_is(&err, "blob/not-found"))
        admin_reply_error(x, 404, "Blob not found locally or in network");
    else
        reply_store_error(x, "Failed to retrieve blob", &err);
}

/* --- delete --- */

void admin_blob_delete(struct http_exchange *x, void *ctx)
{
    struct store *store = admin_serving_store(ctx, x);
    struct blob_id id;
    struct error err;
    char text[BLOB_ID_TEXT_MAX];
    if (store == NULL || !path_id(x, &id))
        return;
    if (!blob_delete(store, &id, &err)) {
        if (error_is(&err, "blob/not-found"))
            admin_reply_error(x, 500, "Failed to delete blob: Blob not found"); /* facts E.4 */
        else
            reply_store_error(x, "Failed to delete blob", &err);
        return;
    }
    if (!admin_blob_id_text(&id, text))
        text[0] = 0;
    admin_reply_json(x, 200, json_pack("{s:s,s:b}", "blob_id", text, "deleted", 1),
                     2 * BLOB_ID_TEXT_MAX);
}
