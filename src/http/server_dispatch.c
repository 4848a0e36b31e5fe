/* libmicrohttpd's callbacks. It calls for the request line, once when the headers are in, for each
 * piece of the body, and once (again after a suspension) when the body is complete. An answer
 * queued before the body is complete closes the connection, so a refused body that is small is read
 * to its end first: the client gets to see the refusal, and keeps its connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/server_internal.h"

/* ---- request line and headers ---- */

/* Paths are matched as they came, so nothing is decoded behind our back. */
size_t dispatch_keep_escapes(void *server, struct MHD_Connection *connection, char *text)
{
    (void)server;
    (void)connection;
    return strlen(text);
}

void *dispatch_on_target(void *server, const char *target, struct MHD_Connection *connection)
{
    struct http_server *s = server;
    struct http_exchange *x = exchange_new(s, connection, target);
    if (x != NULL)
        guard_set_stage(x->entry, STAGE_RECEIVING, s->options.request_deadline_s);
    return x;
}

/* "a=1&b=2": names and values decoded in place. */
static bool parse_query(struct http_exchange *x, const char *text)
{
    x->query = strdup(text);
    if (x->query == NULL)
        return false;
    char *rest = x->query;
    while (rest != NULL && *rest != '\0') {
        char *item = strsep(&rest, "&");
        char *name = strsep(&item, "=");
        char *value = item != NULL ? item : &name[strlen(name)];
        if (x->query_count == HTTP_QUERY_MAX || !percent_decode(name, true) ||
            !percent_decode(value, true))
            return false;
        x->query_pairs[x->query_count++] = (struct pair){name, value};
    }
    return true;
}

static bool split_target(struct http_exchange *x)
{
    char *query = strchr(x->path, '?');
    if (query == NULL)
        return true;
    *query = '\0';
    return parse_query(x, &query[1]);
}

/* More than one way to tell the body's length is how requests are smuggled past proxies. */
static bool framing_is_clear(const struct http_exchange *x)
{
    size_t lengths = 0;
    size_t encodings = 0;
    for (size_t i = 0; i < x->headers.count; i++) {
        const struct pair *p = &x->headers.items[i];
        lengths += strcasecmp(p->name, "Content-Length") == 0;
        if (strcasecmp(p->name, "Transfer-Encoding") != 0)
            continue;
        encodings++;
        if (strcasecmp(p->value, "chunked") != 0)
            return false;
    }
    return lengths + encodings <= 1;
}

/* Declared length of the body; UINT64_MAX when it is chunked. libmicrohttpd has refused what is not
 * a number. */
static uint64_t body_length(const struct http_exchange *x)
{
    if (http_exchange_header(x, "Transfer-Encoding") != NULL)
        return UINT64_MAX;
    const char *text = http_exchange_header(x, "Content-Length");
    uint64_t len = 0;
    for (size_t i = 0; text != NULL && text[i] >= '0' && text[i] <= '9'; i++)
        len = len > (UINT64_MAX - 9) / 10 ? UINT64_MAX : len * 10 + (uint64_t)(text[i] - '0');
    return len;
}

/* ---- routing ---- */

/* Length of what a route matches of the path (an exact match counts one more), 0 = no match. */
static size_t match(const struct http_route *r, const char *path)
{
    size_t len = strlen(r->path);
    bool prefix = len > 0 && r->path[len - 1] == '*';
    if (prefix)
        return strncmp(r->path, path, len - 1) == 0 ? len : 0;
    return strcmp(r->path, path) == 0 ? len + 1 : 0;
}

static bool serves(const struct http_route *r, const char *method)
{
    return r->any_method || strcmp(r->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

static void add_allowed(char *list, size_t size, const char *method)
{
    size_t used = strlen(list);
    const char *also = strcmp(method, "GET") == 0 ? ",HEAD" : "";
    snprintf(&list[used], size - used, "%s%s%s", used > 0 ? "," : "", method, also);
}

/* Of the routes with the closest path, the one with the method. Returns the status of the refusal
 * when there is none. */
static unsigned find_route(struct http_exchange *x)
{
    const struct http_server *s = x->server;
    size_t best = 0;
    for (size_t i = 0; i < s->options.route_count; i++) {
        size_t len = match(&s->routes[i], x->path);
        best = len > best ? len : best;
    }
    if (best == 0)
        return 404;
    x->allow[0] = '\0';
    for (size_t i = 0; i < s->options.route_count; i++) {
        const struct http_route *r = &s->routes[i];
        if (match(r, x->path) != best)
            continue;
        if (serves(r, x->method)) {
            x->route = r;
            return 0;
        }
        add_allowed(x->allow, sizeof x->allow, r->method);
    }
    return 405;
}

static bool keep_tail(struct http_exchange *x)
{
    size_t len = strlen(x->route->path);
    if (len == 0 || x->route->path[len - 1] != '*')
        return true;
    x->tail = strdup(&x->path[len - 1]);
    return x->tail != NULL && percent_decode(x->tail, false);
}

/* Status of the refusal, 0 when a handler is to have it. */
static unsigned examine(struct http_exchange *x, uint64_t body_len)
{
    if (!framing_is_clear(x) || !split_target(x))
        return 400;
    unsigned refusal = find_route(x);
    if (refusal != 0)
        return refusal;
    if (!keep_tail(x))
        return 400;
    return body_len != UINT64_MAX && body_len > x->route->body_max ? 413 : 0;
}

/* ---- headers are in ---- */

static bool is_answered(struct http_exchange *x)
{
    return x->refusal != 0 || exchange_phase(x) != PHASE_OPEN;
}

/* No body will be read: the client waits for leave to send it, or means to send more than we are
 * ready to throw away, or it cannot be told where the body ends (and the next request begins). */
static bool must_answer_now(const struct http_exchange *x, uint64_t body_len)
{
    const char *expect = http_exchange_header(x, "Expect");
    bool waits = body_len > 0 && expect != NULL && strcasecmp(expect, "100-continue") == 0;
    bool endless = body_len != UINT64_MAX && body_len > HTTP_DRAIN_MAX;
    return waits || endless || !framing_is_clear(x);
}

static enum MHD_Result answer_now(struct http_exchange *x)
{
    if (exchange_phase(x) == PHASE_OPEN)
        exchange_fall_back(x, x->refusal);
    return exchange_queue(x);
}

static void begin_stream(struct http_exchange *x)
{
    guard_set_stage(x->entry, STAGE_STREAMING, 0);
    if (!x->route->stream->begin(x, x->server->options.ctx) && !is_answered(x))
        x->refusal = 500;
}

static enum MHD_Result begin(struct http_exchange *x, const char *method)
{
    x->begun = true;
    snprintf(x->method, sizeof x->method, "%s", method);
    if (!tls_admit(x->entry) || !exchange_keep_headers(x))
        return MHD_NO;
    uint64_t body_len = body_length(x);
    x->refusal = examine(x, body_len);
    if (x->refusal == 0 && x->route->stream != NULL)
        begin_stream(x);
    else if (x->refusal == 0)
        x->body = BUF_INIT(x->route->body_max);
    return is_answered(x) && must_answer_now(x, body_len) ? answer_now(x) : MHD_YES;
}

/* ---- the body ---- */

static enum MHD_Result drain(struct http_exchange *x, size_t len)
{
    x->drained += len;
    return x->drained <= HTTP_DRAIN_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result take_piece(struct http_exchange *x, struct slice piece)
{
    if (is_answered(x))
        return drain(x, piece.len);
    x->received += piece.len;
    if (x->received > x->route->body_max) {
        x->refusal = 413;
        buf_reset(&x->body);
        return drain(x, piece.len);
    }
    if (x->route->stream == NULL)
        return buf_append(&x->body, piece) ? MHD_YES : MHD_NO;
    if (!x->route->stream->data(x, piece, x->server->options.ctx) && !is_answered(x))
        x->refusal = 500;
    return MHD_YES;
}

/* ---- the request is complete ---- */

static unsigned answer_deadline_s(const struct http_exchange *x)
{
    unsigned own = x->refusal == 0 ? x->route->answer_deadline_s : 0;
    return own != 0 ? own : x->server->options.request_deadline_s;
}

static void handle(struct http_exchange *x)
{
    void *ctx = x->server->options.ctx;
    guard_set_stage(x->entry, STAGE_ANSWERING, answer_deadline_s(x));
    if (x->refusal != 0)
        exchange_fall_back(x, x->refusal);
    else if (x->route->stream != NULL)
        x->route->stream->end(x, ctx);
    else
        x->route->handler(x, ctx);
    if (exchange_phase(x) == PHASE_OPEN)
        exchange_fall_back(x, 500);
}

static enum MHD_Result complete(struct http_exchange *x)
{
    if (exchange_phase(x) == PHASE_OPEN)
        handle(x);
    switch (exchange_phase(x)) {
    case PHASE_ANSWERED:
        return exchange_queue(x);
    case PHASE_EXPIRED:
        return exchange_queue_expired(x);
    default:
        return MHD_YES; /* parked */
    }
}

enum MHD_Result dispatch_on_request(void *server, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *upload, size_t *upload_len, void **exchange)
{
    (void)server;
    (void)connection;
    (void)url;
    (void)version;
    struct http_exchange *x = *exchange;
    if (x == NULL)
        return MHD_NO;
    if (!x->begun)
        return begin(x, method);
    if (*upload_len == 0)
        return complete(x);
    struct slice piece = slice_of(upload, *upload_len);
    *upload_len = 0;
    return take_piece(x, piece);
}

void dispatch_on_completed(void *server, struct MHD_Connection *connection, void **exchange,
                           enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct http_server *s = server;
    struct http_exchange *x = *exchange;
    if (x == NULL)
        return;
    guard_set_waiting(s, x->entry);
    *exchange = NULL;
    atomic_fetch_sub(&s->active, 1);
    exchange_unref(x);
}
