/* The server's patience: half-open and dripping clients, answers that come too late, a crowd, and
 * the end while requests run. */
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/server.h"
#include "support/http_fixture.h"
#include "support/raw_http.h"

/* ---- deadlines ---- */

static int64_t cut_after_ms(unsigned at_port, const char *first, const char *drip, int wait_ms)
{
    int fd = raw_connect(at_port);
    int64_t began = clock_monotonic_ms();
    bool closed = false;
    raw_send(fd, first);
    while (!closed && clock_monotonic_ms() - began < wait_ms) {
        raw_read(fd, NULL, 100, &closed);
        if (drip != NULL && !closed)
            closed = !raw_send(fd, drip);
    }
    close(fd);
    return closed ? clock_monotonic_ms() - began : -1;
}

struct slow_case {
    const char *first;
    const char *drip;
    unsigned port;
    int64_t cut_ms;
};

static void *be_slow(void *arg)
{
    struct slow_case *c = arg;
    c->cut_ms = cut_after_ms(c->port, c->first, c->drip, 6000);
    return NULL;
}

static void test_deadlines(void **state)
{
    (void)state;
    struct http_server *s = start_with((struct http_server_options){
        .listen = any_port, .listen_count = 1, .idle_timeout_s = 1, .request_deadline_s = 1});
    struct slow_case cases[] = {
        {.first = ""},                                   /* says nothing */
        {.first = "GET /hello HT"},                      /* stops in the middle */
        {.first = "GET /he", .drip = "l"},               /* drips the request line */
        {.first = "GET /hello" H, .drip = "X-A: b\r\n"}, /* drips headers */
        {.first = "POST /echo" H "Content-Length: 900\r\n\r\n", .drip = "x"},
        {.first = "POST /echo" H "Transfer-Encoding: chunked\r\n\r\n", .drip = "1\r\nx\r\n"},
        {.first = "POST /echo" H "Content-Length: 5\r\n\r\nabc"},  /* half a body */
        {.first = "PUT /stream" H "Content-Length: 5\r\n\r\nabc"}, /* a stream at a standstill */
        {.first = "GET /hello" H "\r\n"},                          /* served, then silent */
        {.first = "GET /hello" H "\r\n", .drip = "G"},             /* served, then dripping */
    };
    enum { COUNT = sizeof cases / sizeof cases[0] };
    pthread_t threads[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        cases[i].port = http_server_port(s, 0);
        assert_int_equal(pthread_create(&threads[i], NULL, be_slow, &cases[i]), 0);
    }
    for (size_t i = 0; i < COUNT; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < COUNT; i++)
        if (cases[i].cut_ms < 700 || cases[i].cut_ms > 5500)
            fail_msg("case %zu: cut after %lld ms", i, (long long)cases[i].cut_ms);
    http_server_stop(&s, 0);
}

/* A stream may take as long as it makes progress. */
static void test_slow_stream_lives(void **state)
{
    (void)state;
    struct http_server *s = start_with((struct http_server_options){
        .listen = any_port, .listen_count = 1, .idle_timeout_s = 2, .request_deadline_s = 1});
    int fd = raw_connect(http_server_port(s, 0));
    atomic_store(&seen.streamed, 0);
    raw_send(fd, "PUT /stream" H "Content-Length: 5\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        pause_ms(500);
        assert_true(raw_send(fd, "x"));
    }
    assert_int_equal(raw_status(raw_read(fd, "\r\n\r\n5", 3000, NULL)), 200);
    close(fd);
    http_server_stop(&s, 0);
}

static void test_late_answer_becomes_503(void **state)
{
    (void)state;
    struct http_server *s = start_with((struct http_server_options){
        .listen = any_port, .listen_count = 1, .request_deadline_s = 1});
    int before = finished_so_far();
    int fd = raw_connect(http_server_port(s, 0));
    raw_send(fd, "GET /later?ms=2600" H "\r\n");
    const char *reply = raw_read(fd, "refused", 6000, NULL);
    assert_int_equal(raw_status(reply), 503);
    assert_non_null(strstr(reply, "X-Before: yes"));
    /* the connection serves on, and the late answer goes nowhere */
    raw_send(fd, "GET /hello" H "\r\n");
    reply = raw_read(fd, "hello", 2000, NULL);
    assert_int_equal(raw_status(reply), 200);
    assert_null(strstr(reply, "later"));
    close(fd);
    for (int i = 0; i < 300 && atomic_load(&seen.finished) < before + 2; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&seen.finished), before + 2);
    http_server_stop(&s, 0);
}

static void test_a_route_may_be_more_patient(void **state)
{
    (void)state;
    struct http_server *s = start_with((struct http_server_options){
        .listen = any_port, .listen_count = 1, .request_deadline_s = 1});
    int fd = raw_connect(http_server_port(s, 0));
    raw_send(fd, "GET /patient?ms=2600" H "\r\n");
    assert_int_equal(raw_status(raw_read(fd, "later", 4000, NULL)), 200);
    close(fd);
    http_server_stop(&s, 0);
}

/* ---- crowd ---- */

/* When most places are taken, those that are not used are given up early; below that they live as
 * long as the idle timeout says, and a connection with a request in work is never cut for it. */
static void test_crowded_server_sheds_idle_connections(void **state)
{
    (void)state;
    struct http_server *s = start_with((struct http_server_options){
        .listen = any_port, .listen_count = 1, .threads = 1, .connections_max = 8});
    unsigned p = http_server_port(s, 0);
    int fds[6];
    bool closed = true;
    for (size_t i = 0; i < 5; i++)
        fds[i] = raw_connect(p);
    raw_read(fds[0], NULL, 2500, &closed);
    assert_false(closed);
    fds[5] = raw_connect(p); /* the sixth of eight */
    raw_send(fds[5], "GET /later?ms=600" H "\r\n");
    int64_t began = clock_monotonic_ms();
    for (size_t i = 0; i < 5; i++) {
        raw_read(fds[i], NULL, 3000, &closed);
        assert_true(closed);
        close(fds[i]);
    }
    assert_true(clock_monotonic_ms() - began < 8000);
    assert_int_equal(raw_status(raw_reply(fds[5], false, 5000)), 200);
    close(fds[5]);
    http_server_stop(&s, 0);
}

/* ---- stop ---- */

static void test_stop_while_requests_run(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        unsigned drain_ms;
        int status;
    } cases[] = {
        {"GET /later?ms=200" H "\r\n", 2000, 200}, /* drained */
        {"GET /later?ms=700" H "\r\n", 50, 503},   /* too slow: answered in its place */
        {"POST /echo" H "Content-Length: 5\r\n\r\nab", 50, 0},
        {"GET /hel", 50, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_server *s =
            start_with((struct http_server_options){.listen = any_port, .listen_count = 1});
        int fd = raw_connect(http_server_port(s, 0));
        raw_send(fd, cases[i].request);
        pause_ms(50);
        int64_t stopping = clock_monotonic_ms();
        http_server_stop(&s, cases[i].drain_ms);
        assert_true(clock_monotonic_ms() - stopping < 5000);
        bool closed = false;
        const char *reply = raw_read(fd, NULL, 2000, &closed);
        assert_int_equal(raw_status(reply), cases[i].status);
        assert_true(closed);
        close(fd);
    }
    pause_ms(800); /* the late holder still lets go of its exchange */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_slow_stream_lives),
        cmocka_unit_test(test_late_answer_becomes_503),
        cmocka_unit_test(test_a_route_may_be_more_patient),
        cmocka_unit_test(test_crowded_server_sheds_idle_connections),
        cmocka_unit_test(test_stop_while_requests_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
