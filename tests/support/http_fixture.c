/* The routes that the server's tests drive: answers of every kind, good and careless. */
#include "support/http_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"

const char *const any_port[] = {"127.0.0.1:0"};

void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

struct fixture_seen seen;

static void answer_text(struct http_exchange *x, const char *text)
{
    http_exchange_reply(x, 200, "text/plain", slice_str(text));
}

static void on_hello(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    answer_text(x, "hello");
}

static void on_echo(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_exchange_reply(x, 200, "application/octet-stream", http_exchange_body(x));
}

static void on_describe(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    char text[512];
    const char *q = http_exchange_query(x, "a");
    const char *h = http_exchange_header(x, "x-test");
    snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%s", http_exchange_method(x), http_exchange_path(x),
             http_exchange_tail(x), q != NULL ? q : "-", h != NULL ? h : "-",
             http_exchange_peer(x));
    answer_text(x, text);
}

static void on_secret(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_exchange_reply_secret(x, 200, "application/json", slice_str("{\"key\":\"00\"}"));
}

static void on_forgetful(struct http_exchange *x, void *ctx)
{
    (void)x;
    (void)ctx;
}

static void on_twice(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    answer_text(x, "first");
    answer_text(x, "second");
}

struct later {
    struct http_exchange *x;
    long delay_ms;
};

static void *answer_later(void *arg)
{
    struct later *l = arg;
    pause_ms(l->delay_ms);
    answer_text(l->x, "later");
    free(l);
    return NULL;
}

static void start_later(struct http_exchange *x, long delay_ms)
{
    struct later *l = malloc(sizeof *l);
    pthread_t thread;
    if (l == NULL)
        abort();
    *l = (struct later){x, delay_ms};
    if (pthread_create(&thread, NULL, answer_later, l) != 0)
        abort();
    pthread_detach(thread);
}

static void on_later(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    const char *delay = http_exchange_query(x, "ms");
    long ms = 0;
    for (size_t i = 0; delay != NULL && delay[i] != '\0'; i++)
        ms = ms * 10 + (delay[i] - '0');
    http_exchange_defer(x);
    start_later(x, ms);
}

/* The answer may come before the handler says that it will: the order must not matter. */
static void on_early_later(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    answer_text(x, "early");
    http_exchange_defer(x);
}

static bool stream_begin(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    if (http_exchange_query(x, "refuse") != NULL) {
        http_exchange_reply(x, 403, "text/plain", slice_str("no"));
        return false;
    }
    return true;
}

static bool stream_data(struct http_exchange *x, struct slice piece, void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&seen.streamed, piece.len);
    if (http_exchange_query(x, "stop") != NULL) {
        http_exchange_reply(x, 507, "text/plain", slice_str("full"));
        return false;
    }
    return true;
}

static void stream_end(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    char text[32];
    snprintf(text, sizeof text, "%zu", atomic_load(&seen.streamed));
    answer_text(x, text);
}

static ssize_t source_read(void *ctx, uint64_t offset, uint8_t *out, size_t max)
{
    uint64_t fail_at = *(const uint64_t *)ctx;
    if (offset >= fail_at)
        return -1;
    size_t len = max < 1000 ? max : 1000;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)((offset + i) % 251);
    return (ssize_t)len;
}

static void source_free(void *ctx)
{
    free(ctx);
    atomic_fetch_add(&seen.source_freed, 1);
}

static void on_download(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    uint64_t *fail_at = malloc(sizeof *fail_at);
    if (fail_at == NULL)
        abort();
    *fail_at = http_exchange_query(x, "fail") != NULL ? 5000 : UINT64_MAX;
    http_exchange_reply_stream(x, 200, "application/octet-stream", 100000, source_read, source_free,
                               fail_at);
}

static void on_fallback(struct http_exchange *x, unsigned status, void *ctx)
{
    (void)ctx;
    atomic_store(&seen.fallback_status, (int)status);
    char text[32];
    snprintf(text, sizeof text, "refused %u", status);
    http_exchange_reply(x, status, "text/plain", slice_str(text));
}

static void on_before_send(struct http_exchange *x, unsigned status, void *ctx)
{
    (void)status;
    (void)ctx;
    atomic_fetch_add(&seen.before_send, 1);
    http_exchange_add_header(x, "X-Before", "yes");
}

static void on_finished(struct http_exchange *x, void *ctx)
{
    (void)x;
    (void)ctx;
    atomic_fetch_add(&seen.finished, 1);
}

static const struct http_stream_ops stream_ops = {stream_begin, stream_data, stream_end};

static const struct http_route routes[] = {
    {.method = "GET", .path = "/hello", .handler = on_hello},
    {.method = "GET", .path = "/secret", .handler = on_secret},
    {.method = "POST", .path = "/echo", .handler = on_echo, .body_max = BODY_MAX},
    {.method = "GET", .path = "/blobs/*", .handler = on_describe},
    {.method = "DELETE", .path = "/blobs/*", .handler = on_describe},
    {.method = "GET", .path = "/blobs/special", .handler = on_hello},
    {.method = "GET", .path = "/query", .handler = on_describe},
    {.method = "*", .path = "/any", .handler = on_describe, .any_method = true},
    {.method = "GET", .path = "/forget", .handler = on_forgetful},
    {.method = "GET", .path = "/twice", .handler = on_twice},
    {.method = "GET", .path = "/later", .handler = on_later},
    {.method = "GET", .path = "/patient", .handler = on_later, .answer_deadline_s = 4},
    {.method = "GET", .path = "/early", .handler = on_early_later},
    {.method = "PUT", .path = "/stream", .stream = &stream_ops, .body_max = STREAM_MAX},
    {.method = "GET", .path = "/download", .handler = on_download},
};

struct http_server *start_with(struct http_server_options o)
{
    struct http_server *s = NULL;
    struct error err = {0};
    o.routes = routes;
    o.route_count = sizeof routes / sizeof routes[0];
    o.fallback = on_fallback;
    o.before_send = on_before_send;
    o.finished = on_finished;
    if (!http_server_start(&o, &s, &err))
        abort();
    return s;
}

int finished_so_far(void)
{
    int before = -1;
    while (before != atomic_load(&seen.finished)) {
        before = atomic_load(&seen.finished);
        pause_ms(200);
    }
    return before;
}
