/* What a handler may do with an exchange, and what it may do wrong: state, headers, answers that
 * come too late, streams that fail without a word, a server without hooks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/server.h"
#include "support/http_fixture.h"
#include "support/raw_http.h"

static atomic_int freed;
static atomic_int sources_freed;
static struct http_exchange *_Atomic held; /* deferred and not yet answered */

/* ---- handlers ---- */

static void on_state(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    char *state = strdup("kept");
    http_exchange_set_state(x, state);
    http_exchange_reply(x, 200, NULL, slice_str(http_exchange_state(x)));
}

static void on_last_header(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    const char *first = http_exchange_header(x, "X-A");
    const char *last = http_exchange_last_header(x, "x-a");
    char text[64];
    snprintf(text, sizeof text, "%s,%s,%d", first, last,
             http_exchange_last_header(x, "X-B") == NULL);
    http_exchange_reply(x, 200, NULL, slice_str(text));
}

static void on_bad_header(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_exchange_add_header(x, "X-Split", "a\r\nX-Injected: b");
    http_exchange_reply(x, 200, NULL, slice_str("never seen"));
}

static void on_many_headers(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    const char *count = http_exchange_query(x, "n");
    for (int i = 0; i < (count[0] - '0') * 10 + (count[1] - '0'); i++)
        http_exchange_add_header(x, "X-N", "1");
    http_exchange_reply(x, 200, NULL, slice_str("fine"));
}

static void on_hold(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_exchange_defer(x);
    http_exchange_defer(x); /* once is enough */
    atomic_store(&held, x);
}

static bool begin_badly(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    return http_exchange_query(x, "begin") == NULL;
}

static bool take_badly(struct http_exchange *x, struct slice piece, void *ctx)
{
    (void)x;
    (void)piece;
    (void)ctx;
    return false;
}

static void end_badly(struct http_exchange *x, void *ctx)
{
    (void)x;
    (void)ctx;
}

static const struct http_stream_ops bad_ops = {begin_badly, take_badly, end_badly};

static const struct http_route routes[] = {
    {.method = "GET", .path = "/state", .handler = on_state},
    {.method = "GET", .path = "/last", .handler = on_last_header},
    {.method = "GET", .path = "/bad-header", .handler = on_bad_header},
    {.method = "GET", .path = "/many", .handler = on_many_headers},
    {.method = "GET", .path = "/hold", .handler = on_hold},
    {.method = "GET", .path = "/tail/*", .handler = on_state},
    {.method = "PUT", .path = "/bad-stream", .stream = &bad_ops, .body_max = 100},
};

static void free_state(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    free(http_exchange_state(x));
    atomic_fetch_add(&freed, 1);
}

static struct http_server *start(unsigned deadline_s)
{
    struct http_server *s = NULL;
    struct error err = {0};
    const struct http_server_options o = {.listen = any_port,
                                          .listen_count = 1,
                                          .request_deadline_s = deadline_s,
                                          .routes = routes,
                                          .route_count = sizeof routes / sizeof routes[0],
                                          .finished = free_state};
    if (!http_server_start(&o, &s, &err))
        fail_msg("%s: %s", err.code, err.message);
    return s;
}

/* ---- tests ---- */

static void test_answers_without_hooks(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
        const char *ends;
    } cases[] = {
        {"GET /state" H "\r\n", 200, "\r\n\r\nkept"},
        {"GET /tail/%4a%4A" H "\r\n", 200, "\r\n\r\nkept"},
        {"GET /last" H "X-A: 1\r\nX-A: 2\r\nx-a: 3\r\n\r\n", 200, "\r\n\r\n1,3,1"},
        {"GET /many?n=23" H "\r\n", 200, "fine"},
        {"GET /many?n=24" H "\r\n", 200, "fine"},
        {"GET /many?n=25" H "\r\n", 0, ""}, /* rather no answer than half of one */
        {"GET /bad-header" H "\r\n", 0, ""},
        {"GET /nowhere" H "\r\n", 404, "Content-Length: 0\r\n\r\n"},
        {"PUT /state" H "Content-Length: 0\r\n\r\n", 405, "\r\n\r\n"},
        {"PUT /bad-stream?begin=1" H "Content-Length: 3\r\n\r\nabc", 500, "\r\n\r\n"},
        {"PUT /bad-stream" H "Content-Length: 3\r\n\r\nabc", 500, "\r\n\r\n"},
        {"PUT /bad-stream" H "Content-Length: 0\r\n\r\n", 500, "\r\n\r\n"},
    };
    struct http_server *s = start(30);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *reply = raw_exchange(http_server_port(s, 0), cases[i].request);
        size_t len = strlen(reply);
        size_t end = strlen(cases[i].ends);
        if (raw_status(reply) != cases[i].status || len < end ||
            strcmp(&reply[len - end], cases[i].ends) != 0 || strstr(reply, "Injected") != NULL)
            fail_msg("%.40s: %s", cases[i].request, reply);
    }
    http_server_stop(&s, 1000);
    assert_int_equal(atomic_load(&freed), sizeof cases / sizeof cases[0]);
}

static void free_source(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&sources_freed, 1);
}

static ssize_t read_source(void *ctx, uint64_t offset, uint8_t *out, size_t max)
{
    (void)ctx;
    (void)offset;
    (void)out;
    (void)max;
    return -1;
}

static void answer(struct http_exchange *x, int kind)
{
    if (kind == 0)
        http_exchange_reply(x, 200, NULL, slice_str("late"));
    else if (kind == 1)
        http_exchange_reply_secret(x, 200, NULL, slice_str("late"));
    else
        http_exchange_reply_stream(x, 200, NULL, 5, read_source, free_source, NULL);
}

static struct http_exchange *wait_held(void)
{
    struct http_exchange *x = NULL;
    for (int i = 0; i < 500 && (x = atomic_exchange(&held, NULL)) == NULL; i++)
        pause_ms(10);
    return x;
}

/* Whatever comes too late is dropped whole, and the exchange is let go exactly then. */
static void test_late_answers_of_every_kind(void **state)
{
    (void)state;
    struct http_server *s = start(1);
    for (int kind = 0; kind < 3; kind++) {
        int before = atomic_load(&freed);
        int fd = raw_connect(http_server_port(s, 0));
        raw_send(fd, "GET /hold" H "\r\n");
        struct http_exchange *x = wait_held();
        assert_non_null(x);
        assert_int_equal(raw_status(raw_reply(fd, false, 8000)), 503);
        close(fd);
        pause_ms(100);
        assert_int_equal(atomic_load(&freed), before);
        assert_string_equal(http_exchange_path(x), "/hold"); /* still there to be read */
        answer(x, kind);
        for (int i = 0; i < 500 && atomic_load(&freed) == before; i++)
            pause_ms(10);
        assert_int_equal(atomic_load(&freed), before + 1);
        assert_int_equal(atomic_load(&sources_freed), kind == 2);
    }
    http_server_stop(&s, 0);
}

static void *stop_soon(void *server)
{
    struct http_server *s = server;
    http_server_stop(&s, 0);
    return NULL;
}

/* The holder outlives the server. */
static void test_answer_after_stop(void **state)
{
    (void)state;
    struct http_server *s = start(30);
    int before = atomic_load(&freed);
    int fd = raw_connect(http_server_port(s, 0));
    raw_send(fd, "GET /hold" H "\r\n");
    struct http_exchange *x = wait_held();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, s), 0);
    pthread_join(thread, NULL);
    assert_int_equal(raw_status(raw_reply(fd, false, 3000)), 503);
    close(fd);
    assert_int_equal(atomic_load(&freed), before);
    answer(x, 0);
    assert_int_equal(atomic_load(&freed), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_without_hooks),
        cmocka_unit_test(test_late_answers_of_every_kind),
        cmocka_unit_test(test_answer_after_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
