/* One request and its answer. A deferred exchange may be answered from any thread while the guard
 * decides that it is too late; `phase`, under the server's lock, says who of the two came first.
 * The request's texts are copies, so that a late holder can still read them. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "http/server_internal.h"

/* ---- life ---- */

struct http_exchange *exchange_new(struct http_server *s, struct MHD_Connection *connection,
                                   const char *target)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info == NULL || info->socket_context == NULL)
        return NULL;
    struct http_exchange *x = calloc(1, sizeof *x);
    char *path = strdup(target);
    if (x == NULL || path == NULL) {
        free(x);
        free(path);
        return NULL;
    }
    x->path = path;
    x->connection = connection;
    x->entry = info->socket_context;
    memcpy(x->peer, x->entry->peer, sizeof x->peer);
    atomic_init(&x->refs, 1);
    x->server = s;
    atomic_fetch_add(&s->refs, 1);
    atomic_fetch_add(&s->active, 1);
    return x;
}

static void drop_reply_headers(struct http_exchange *x)
{
    for (size_t i = 0; i < x->reply_header_count; i++)
        free((void *)(uintptr_t)x->reply_headers[i].name);
    x->reply_header_count = 0;
}

void exchange_unref(struct http_exchange *x)
{
    if (atomic_fetch_sub(&x->refs, 1) != 1)
        return;
    struct http_server *s = x->server;
    if (s->options.finished != NULL)
        s->options.finished(x, s->options.ctx);
    if (x->response != NULL)
        MHD_destroy_response(x->response);
    drop_reply_headers(x);
    buf_free(&x->body);
    free(x->headers.items);
    free(x->path);
    free(x->query);
    free(x->tail);
    free(x);
    server_unref(s);
}

enum phase exchange_phase(const struct http_exchange *x)
{
    return atomic_load(&x->phase);
}

bool exchange_step(struct http_exchange *x, enum phase from, enum phase to)
{
    return atomic_compare_exchange_strong(&x->phase, &from, to);
}

/* ---- the answer ---- */

void http_exchange_add_header(struct http_exchange *x, const char *name, const char *value)
{
    size_t name_len = strlen(name) + 1;
    size_t value_len = strlen(value) + 1;
    char *text =
        x->reply_header_count < HTTP_REPLY_HEADERS_MAX ? malloc(name_len + value_len) : NULL;
    if (text == NULL) {
        x->broken = true;
        return;
    }
    memcpy(text, name, name_len);
    memcpy(&text[name_len], value, value_len);
    x->reply_headers[x->reply_header_count++] = (struct pair){text, &text[name_len]};
}

/* The right to answer. False: somebody has answered already, or the server did when it became too
 * late; then there is nothing to do but to let go. */
static bool claim(struct http_exchange *x, bool *was_deferred)
{
    *was_deferred = exchange_step(x, PHASE_DEFERRED, PHASE_ANSWERING);
    return *was_deferred || exchange_step(x, PHASE_OPEN, PHASE_ANSWERING);
}

static void let_go(struct http_exchange *x)
{
    if (atomic_exchange(&x->held, false))
        exchange_unref(x);
}

static void resume(struct http_exchange *x)
{
    struct http_server *s = x->server;
    pthread_mutex_lock(&s->lock);
    x->entry->waiting = NULL;
    s->suspended--;
    MHD_resume_connection(x->connection);
    if (s->no_defer)
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void publish(struct http_exchange *x, unsigned status, struct MHD_Response *response,
                    bool was_deferred)
{
    x->status = status;
    x->response = response;
    atomic_store(&x->phase, PHASE_ANSWERED);
    if (was_deferred)
        resume(x);
    let_go(x);
}

static bool add_headers(struct http_exchange *x, unsigned status, struct MHD_Response *r)
{
    bool ok = !x->broken;
    for (size_t i = 0; ok && i < x->reply_header_count; i++)
        ok = MHD_add_response_header(r, x->reply_headers[i].name, x->reply_headers[i].value) ==
             MHD_YES;
    if (ok && status == 405 && x->allow[0] != '\0')
        ok = MHD_add_response_header(r, "Allow", x->allow) == MHD_YES;
    if (ok && atomic_load(&x->server->stopping))
        ok = MHD_add_response_header(r, "Connection", "close") == MHD_YES;
    return ok;
}

/* Takes the response over. An answer that cannot be built becomes none: the connection closes. */
static void send_response(struct http_exchange *x, unsigned status, const char *content_type,
                          struct MHD_Response *r, bool was_deferred)
{
    struct http_server *s = x->server;
    if (content_type != NULL)
        http_exchange_add_header(x, "Content-Type", content_type);
    if (s->options.before_send != NULL)
        s->options.before_send(x, status, s->options.ctx);
    if (r != NULL && !add_headers(x, status, r)) {
        MHD_destroy_response(r);
        r = NULL;
    }
    publish(x, status, r, was_deferred);
}

void http_exchange_reply(struct http_exchange *x, unsigned status, const char *content_type,
                         struct slice body)
{
    bool was_deferred;
    if (!claim(x, &was_deferred)) {
        let_go(x);
        return;
    }
    /* libmicrohttpd only reads it: MUST_COPY. */
    void *bytes = body.len > 0 ? (void *)(uintptr_t)body.data : (void *)(uintptr_t) "";
    struct MHD_Response *r =
        MHD_create_response_from_buffer(body.len, bytes, MHD_RESPMEM_MUST_COPY);
    send_response(x, status, content_type, r, was_deferred);
}

/* A copy that is wiped once libmicrohttpd is done with it. */
struct secret_body {
    size_t len;
    uint8_t bytes[];
};

static void free_secret_body(void *ctx)
{
    struct secret_body *b = ctx;
    secret_wipe(b, sizeof *b + b->len);
    free(b);
}

static struct MHD_Response *secret_response(struct slice body)
{
    struct secret_body *b = malloc(sizeof *b + body.len);
    if (b == NULL)
        return NULL;
    b->len = body.len;
    if (body.len > 0)
        memcpy(b->bytes, body.data, body.len);
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
        b->len, b->bytes, free_secret_body, b);
    if (r == NULL)
        free_secret_body(b);
    return r;
}

void http_exchange_reply_secret(struct http_exchange *x, unsigned status, const char *content_type,
                                struct slice body)
{
    bool was_deferred;
    if (!claim(x, &was_deferred)) {
        let_go(x);
        return;
    }
    send_response(x, status, content_type, secret_response(body), was_deferred);
}

struct source {
    http_stream_read *read;
    void (*free_ctx)(void *ctx);
    void *ctx;
};

static ssize_t read_source(void *ctx, uint64_t offset, char *out, size_t max)
{
    const struct source *from = ctx;
    ssize_t got = from->read(from->ctx, offset, (uint8_t *)out, max);
    return got > 0 ? got : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void free_source(void *ctx)
{
    struct source *from = ctx;
    if (from->free_ctx != NULL)
        from->free_ctx(from->ctx);
    free(from);
}

static struct MHD_Response *stream_response(uint64_t len, struct source template)
{
    struct source *from = malloc(sizeof *from);
    if (from == NULL) {
        if (template.free_ctx != NULL)
            template.free_ctx(template.ctx);
        return NULL;
    }
    *from = template;
    struct MHD_Response *r =
        MHD_create_response_from_callback(len, HTTP_STREAM_BLOCK, read_source, from, free_source);
    if (r == NULL)
        free_source(from);
    return r;
}

void http_exchange_reply_stream(struct http_exchange *x, unsigned status, const char *content_type,
                                uint64_t len, http_stream_read *read, void (*free_ctx)(void *ctx),
                                void *ctx)
{
    bool was_deferred;
    if (!claim(x, &was_deferred)) {
        if (free_ctx != NULL)
            free_ctx(ctx);
        let_go(x);
        return;
    }
    x->streams = true;
    struct MHD_Response *r = stream_response(len, (struct source){read, free_ctx, ctx});
    send_response(x, status, content_type, r, was_deferred);
}

/* Nobody else knows the exchange yet, so it can be suspended before the step is visible; the lock
 * keeps the guard from looking in between. */
void http_exchange_defer(struct http_exchange *x)
{
    struct http_server *s = x->server;
    if (exchange_phase(x) != PHASE_OPEN)
        return;
    pthread_mutex_lock(&s->lock);
    atomic_store(&x->held, true);
    atomic_fetch_add(&x->refs, 1);
    if (!s->no_defer) {
        x->entry->waiting = x;
        s->suspended++;
        MHD_suspend_connection(x->connection);
    }
    atomic_store(&x->phase, s->no_defer ? PHASE_EXPIRED : PHASE_DEFERRED);
    pthread_mutex_unlock(&s->lock);
}

void exchange_fall_back(struct http_exchange *x, unsigned status)
{
    struct http_server *s = x->server;
    if (s->options.fallback != NULL)
        s->options.fallback(x, status, s->options.ctx);
    if (exchange_phase(x) == PHASE_OPEN)
        http_exchange_reply(x, status, NULL, slice_of(NULL, 0));
}

enum MHD_Result exchange_queue(struct http_exchange *x)
{
    if (x->response == NULL)
        return MHD_NO;
    guard_set_stage(x->entry, STAGE_ANSWERING,
                    x->streams ? 0 : x->server->options.request_deadline_s);
    return MHD_queue_response(x->connection, x->status, x->response);
}

/* The holder may be working on `x` at this moment, so the answer is made on a stand-in that shares
 * the request and nothing else. */
enum MHD_Result exchange_queue_expired(struct http_exchange *x)
{
    struct http_exchange *in_place = malloc(sizeof *in_place);
    if (in_place == NULL)
        return MHD_NO;
    *in_place = (struct http_exchange){.server = x->server,
                                       .connection = x->connection,
                                       .entry = x->entry,
                                       .route = x->route,
                                       .path = x->path,
                                       .tail = x->tail,
                                       .headers = x->headers,
                                       .query_count = x->query_count,
                                       .body = x->body};
    memcpy(in_place->method, x->method, sizeof x->method);
    memcpy(in_place->peer, x->peer, sizeof x->peer);
    memcpy(in_place->query_pairs, x->query_pairs, sizeof x->query_pairs);
    exchange_fall_back(in_place, 503);
    enum MHD_Result result = exchange_queue(in_place);
    if (in_place->response != NULL)
        MHD_destroy_response(in_place->response);
    drop_reply_headers(in_place);
    free(in_place);
    return result;
}
