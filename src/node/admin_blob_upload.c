/* PUT of a blob: the body goes to the store piece by piece, never as a whole into memory.
 * Spec: compatibility facts E.4. */
#include <stdlib.h>

#include "base/log.h"
#include "node/admin_blob.h"
#include "node/admin_internal.h"

struct upload {
    struct admin_state state; /* first: released when the exchange ends, however it ends */
    struct admin *admin;
    struct blob_writer *writer; /* aborted on release unless finished */
    uint64_t len;
    bool has_hash;
    uint8_t hash[32]; /* SHA-256 of the content, as the client expects it */
};

static void upload_release(struct admin_state *state)
{
    struct upload *u = (struct upload *)state;
    blob_writer_abort(&u->writer);
    free(u);
}

static void reply_failed(struct http_exchange *x, const struct error *err)
{
    if (error_is(err, "blob/hash")) {
        admin_reply_error(x, 400, "Failed to store blob: %s", err->message);
        return;
    }
    log_error("blob upload failed code=%s reason='%s'", err->code, err->message);
    if (error_is(err, "file/full") || error_is(err, "store/full"))
        admin_reply_error(x, 507, "Failed to store blob: no space left");
    else
        admin_reply_error(x, 500, "Failed to store blob");
}

/* The 32 bytes of ?hash=; false after answering 400. */
static bool expected_hash(struct http_exchange *x, struct upload *u)
{
    const char *text = http_exchange_query(x, "hash");
    u->has_hash = text != NULL;
    if (text == NULL || admin_base58_32(text, u->hash))
        return true;
    admin_reply_error(x, 400, "The provided hash is not a valid format");
    return false;
}

static bool upload_begin(struct http_exchange *x, void *ctx)
{
    struct store *store = admin_serving_store(ctx, x);
    if (store == NULL)
        return false;
    struct error err;
    struct upload *u = calloc(1, sizeof *u);
    if (u == NULL) {
        admin_reply_error(x, 500, "Failed to store blob");
        return false;
    }
    *u = (struct upload){.state = {.release = upload_release}, .admin = ctx};
    http_exchange_set_state(x, &u->state);
    if (!expected_hash(x, u))
        return false;
    if (blob_writer_open(store, &u->writer, &err))
        return true;
    reply_failed(x, &err);
    return false;
}

static bool upload_data(struct http_exchange *x, struct slice piece, void *ctx)
{
    (void)ctx;
    struct upload *u = http_exchange_state(x);
    struct error err;
    u->len += piece.len;
    if (u->len > NODE_BLOB_MAX) {
        admin_reply_error(x, 413, "blob upload exceeds maximum allowed size");
        return false;
    }
    atomic_fetch_add(&u->admin->metrics.blob_bytes_in, piece.len);
    if (blob_writer_append(u->writer, piece, &err))
        return true;
    reply_failed(x, &err);
    return false;
}

static void upload_end(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    struct upload *u = http_exchange_state(x);
    struct blob_info info;
    struct error err;
    char id[BLOB_ID_TEXT_MAX];
    if (!blob_writer_finish(&u->writer, u->has_hash ? u->hash : NULL, &info, &err)) {
        reply_failed(x, &err);
        return;
    }
    if (!admin_blob_id_text(&info.id, id)) {
        admin_reply_error(x, 500, "Failed to store blob");
        return;
    }
    admin_reply_data(x, 200, json_pack("{s:s,s:I}", "blob_id", id, "size", (json_int_t)info.size));
}

const struct http_stream_ops admin_blob_upload = {
    .begin = upload_begin, .data = upload_data, .end = upload_end};
