/* The admin API's server: routes, phases, envelopes. Spec: compatibility facts E. */
#include "node/admin.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "node/admin_internal.h"
#include "node/tee_queue.h"

enum { ERROR_JSON_MAX = 8192 };

void admin_reply_json(struct http_exchange *x, unsigned status, json_t *root, size_t len_max)
{
    json_t *owned JSON_AUTO = root;
    struct buf text BUF_AUTO = BUF_INIT(len_max);
    if (owned == NULL || !json_write_compact(owned, &text, NULL)) {
        http_exchange_reply(x, 500, "application/json",
                            slice_str("{\"error\":\"Internal server error\"}"));
        return;
    }
    http_exchange_reply(x, status, "application/json", buf_slice(&text));
}

void admin_reply_data(struct http_exchange *x, unsigned status, json_t *data)
{
    admin_reply_json(x, status, json_pack("{s:o}", "data", data), NODE_ATTEST_REPLY_MAX);
}

void admin_reply_error(struct http_exchange *x, unsigned status, const char *format, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct error clean;
    error_set(&clean, "admin/error", NULL, "%s", text); /* control bytes and bad UTF-8 become '?' */
    admin_reply_json(x, status, json_pack("{s:s}", "error", clean.message), ERROR_JSON_MAX);
}

bool admin_serving(struct admin *a, struct http_exchange *x)
{
    enum admin_phase phase = atomic_load(&a->phase);
    if (phase == ADMIN_READY)
        return true;
    http_exchange_add_header(x, "Retry-After", "1");
    admin_reply_error(x, 503, "%s",
                      phase == ADMIN_STARTING ? "The node is starting"
                                              : "The node is shutting down");
    return false;
}

struct store *admin_serving_store(struct admin *a, struct http_exchange *x)
{
    return admin_serving(a, x) ? atomic_load(&a->store) : NULL;
}

/* Framework answers in our envelope. */
static void on_fallback(struct http_exchange *x, unsigned status, void *ctx)
{
    (void)ctx;
    switch (status) {
    case 400:
        admin_reply_error(x, status, "Bad request");
        return;
    case 404:
        admin_reply_error(x, status, "Not found");
        return;
    case 405:
        admin_reply_error(x, status, "Method not allowed");
        return;
    case 408:
    case 503:
        admin_reply_error(x, status, "The request took too long");
        return;
    case 413:
        admin_reply_error(x, status, "The request body is too large");
        return;
    default:
        admin_reply_error(x, status, "Internal server error");
        return;
    }
}

static void on_before_send(struct http_exchange *x, unsigned status, void *ctx)
{
    struct admin *a = ctx;
    http_exchange_add_header(x, "X-Content-Type-Options", "nosniff");
    admin_metrics_count(&a->metrics, http_exchange_method(x), status);
}

static void on_finished(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    struct admin_state *state = http_exchange_state(x);
    if (state != NULL)
        state->release(state);
}

/* "/prefix" or "": a leading slash added, trailing ones dropped. */
static bool set_prefix(struct admin *a, const char *prefix, struct error *err)
{
    struct slice p = slice_str(prefix != NULL ? prefix : "");
    while (p.len > 0 && p.data[p.len - 1] == '/')
        p = slice_cut(p, 0, p.len - 1);
    if (p.len == 0)
        return true;
    const char *slash = p.data[0] == '/' ? "" : "/";
    int len =
        snprintf(a->prefix, sizeof a->prefix, "%s%.*s", slash, (int)p.len, (const char *)p.data);
    if (p.len > NODE_PATH_PREFIX_MAX || len < 0 || (size_t)len >= sizeof a->prefix)
        return error_set(err, "config/path-prefix", "NODE_PATH_PREFIX",
                         "NODE_PATH_PREFIX is longer than %d characters", NODE_PATH_PREFIX_MAX);
    for (size_t i = 0; a->prefix[i] != 0; i++)
        if (a->prefix[i] <= ' ' || a->prefix[i] == '*' || a->prefix[i] == '?' || a->prefix[i] > '~')
            return error_set(err, "config/path-prefix", "NODE_PATH_PREFIX",
                             "NODE_PATH_PREFIX '%s' is not a URL path", prefix);
    return true;
}

static const struct http_route ROUTES[ADMIN_ROUTES] = {
    {.method = "GET", .path = "/admin-api/health", .handler = admin_health},
    {.method = "GET", .path = "/admin-api/ready", .handler = admin_ready},
    {.method = "GET", .path = "/admin-api/is-authed", .handler = admin_is_authed},
    {.method = "GET", .path = "/admin-api/certificate", .handler = admin_certificate},
    {.method = "GET",
     .path = "/admin-api/tee/info",
     .handler = admin_tee_info,
     .answer_deadline_s = NODE_QUOTE_ANSWER_S},
    {.method = "POST",
     .path = "/admin-api/tee/attest",
     .handler = admin_tee_attest,
     .body_max = NODE_ATTEST_BODY_MAX,
     .answer_deadline_s = NODE_QUOTE_ANSWER_S},
    {.method = "GET", .path = "/admin-api/blobs", .handler = admin_blob_list},
    {.method = "PUT",
     .path = "/admin-api/blobs",
     .stream = &admin_blob_upload,
     .body_max = NODE_BLOB_MAX},
    {.method = "GET", .path = "/admin-api/blobs/*", .handler = admin_blob_get},
    {.method = "DELETE", .path = "/admin-api/blobs/*", .handler = admin_blob_delete},
    {.method = "GET", .path = "/metrics", .handler = admin_metrics_get},
};

/* Fills routes with those that are served; returns their number. */
static size_t make_routes(struct admin *a, const struct admin_options *options,
                          struct http_route routes[ADMIN_ROUTES])
{
    size_t count = 0;
    for (size_t i = 0; i < ADMIN_ROUTES; i++) {
        if (options->admin_disabled && strncmp(ROUTES[i].path, "/admin-api/", 11) == 0)
            continue;
        snprintf(a->paths[i], sizeof a->paths[i], "%s%s", a->prefix, ROUTES[i].path);
        routes[count] = ROUTES[i];
        routes[count++].path = a->paths[i];
    }
    return count;
}

static bool start_server(struct admin *a, const struct admin_options *options, struct error *err)
{
    struct http_route routes[ADMIN_ROUTES];
    size_t count = make_routes(a, options, routes);
    struct http_server_options server = {.listen = options->listen,
                                         .listen_count = options->listen_count,
                                         .threads = NODE_HTTP_THREADS,
                                         .idle_timeout_s = options->idle_timeout_s,
                                         .routes = routes,
                                         .route_count = count,
                                         .fallback = on_fallback,
                                         .before_send = on_before_send,
                                         .finished = on_finished,
                                         .ctx = a};
    struct error cause;
    if (http_server_start(&server, &a->server, &cause))
        return true;
    return error_set(err, "node/listen", cause.field, "cannot serve the admin API: %s",
                     cause.message);
}

bool admin_start(const struct admin_options *options, struct admin **out, struct error *err)
{
    struct admin *a = calloc(1, sizeof *a);
    if (a == NULL)
        return error_set(err, "node/memory", NULL, "out of memory");
    a->started_s = clock_unix_s();
    a->places = options->places;
    if (!set_prefix(a, options->path_prefix, err) || !tee_queue_start(a, &a->tee, err) ||
        !start_server(a, options, err)) {
        admin_stop(&a, 0);
        return false;
    }
    *out = a;
    return true;
}

unsigned admin_port(const struct admin *a, size_t listen_index)
{
    return http_server_port(a->server, listen_index);
}

void admin_set_ready(struct admin *a, struct store *store, struct quote_source *quotes)
{
    tee_queue_set_source(a->tee, quotes);
    atomic_store(&a->store, store);
    atomic_store(&a->phase, ADMIN_READY);
}

void admin_set_stopping(struct admin *a)
{
    atomic_store(&a->phase, ADMIN_STOPPING);
    atomic_store(&a->stopping, true);
}

void admin_stop(struct admin **a, unsigned drain_ms)
{
    struct admin *gone = *a;
    *a = NULL;
    if (gone == NULL)
        return;
    admin_set_stopping(gone);
    if (gone->tee != NULL)
        tee_queue_stop(gone->tee); /* answers what waits, or the drain would wait for it */
    http_server_stop(&gone->server, drain_ms);
    tee_queue_free(&gone->tee);
    free(gone);
}
