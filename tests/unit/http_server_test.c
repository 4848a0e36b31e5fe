/* The server over real sockets: routing, framework answers, limits, deferred answers
 * from other threads, streams, addresses. */
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
#include "http/client.h"
#include "http/server.h"
#include "support/http_fixture.h"
#include "support/raw_http.h"

static struct http_server *shared;
static unsigned port;

static int start_shared(void **state)
{
    (void)state;
    shared = start_with((struct http_server_options){.listen = any_port, .listen_count = 1});
    port = http_server_port(shared, 0);
    return 0;
}

static int stop_shared(void **state)
{
    (void)state;
    http_server_stop(&shared, 1000);
    return 0;
}

/* ---- routing ---- */

struct routing_case {
    const char *request;
    int status;
    const char *holds; /* a part of the reply */
    const char *lacks;
};

static void check_routing(const struct routing_case *c)
{
    const char *reply = raw_exchange(port, c->request);
    if (raw_status(reply) != c->status)
        fail_msg("%.60s: status %d, want %d: %.200s", c->request, raw_status(reply), c->status,
                 reply);
    if (c->holds != NULL && strstr(reply, c->holds) == NULL)
        fail_msg("%.60s: no '%s' in %s", c->request, c->holds, reply);
    if (c->lacks != NULL && strstr(reply, c->lacks) != NULL)
        fail_msg("%.60s: '%s' in %s", c->request, c->lacks, reply);
}

static void test_routing(void **state)
{
    (void)state;
    static const struct routing_case cases[] = {
        {"GET /hello" H "\r\n", 200, "\r\n\r\nhello", NULL},
        {"GET /hello" H "\r\n", 200, "X-Before: yes", NULL},
        {"GET /hello?x=1" H "\r\n", 200, "hello", NULL},
        {"HEAD /hello" H "\r\n", 200, "Content-Length: 5", "\r\n\r\nhello"},
        {"GET /secret" H "\r\n", 200, "{\"key\":\"00\"}", NULL},
        {"GET /" H "\r\n", 404, "refused 404", "Allow"},
        {"GET /hello/" H "\r\n", 404, "refused 404", NULL},
        {"GET /hell%6f" H "\r\n", 404, "refused 404", NULL},
        {"GET /hello%00" H "\r\n", 404, "refused 404", NULL},
        {"POST /hello" H "Content-Length: 0\r\n\r\n", 405, "Allow: GET,HEAD\r\n", NULL},
        {"PUT /blobs/x" H "Content-Length: 0\r\n\r\n", 405, "Allow: GET,HEAD,DELETE\r\n", NULL},
        {"GET /echo" H "\r\n", 405, "Allow: POST\r\n", NULL},
        {"GET /blobs/a%20b?a=1%262+3" H "X-Test: yes\r\n\r\n", 200,
         "GET|/blobs/a%20b|a b|1&2 3|yes|127.0.0.1", NULL},
        {"DELETE /blobs/" H "\r\n", 200, "DELETE|/blobs/||-|-|127.0.0.1", NULL},
        {"GET /blobs/special" H "\r\n", 200, "hello", NULL},
        {"DELETE /blobs/special" H "\r\n", 405, "Allow: GET,HEAD\r\n", NULL},
        {"GET /blobs/a%0" H "\r\n", 400, "refused 400", NULL},
        {"GET /blobs/a%zz" H "\r\n", 400, "refused 400", NULL},
        {"GET /blobs/a%00b" H "\r\n", 400, "refused 400", NULL},
        {"GET /query?a=%0g" H "\r\n", 400, "refused 400", NULL},
        {"GET /query?a=1&a=2" H "\r\n", 200, "|1|", NULL},
        {"GET /query?a" H "\r\n", 200, "/query|||-", NULL},
        {"BREW /any" H "\r\n", 200, "BREW|/any", NULL},
        {"GET /forget" H "\r\n", 500, "refused 500", NULL},
        {"GET /twice" H "\r\n", 200, "first", "second"},
        {"GET /early" H "\r\n", 200, "early", NULL},
        {"GET /later?ms=30" H "\r\n", 200, "later", NULL},
        {"GET /hello HTTP/1.0\r\n\r\n", 200, "hello", NULL},
        {"GET /hello HTTP/1.1\r\n\r\n", 400, NULL, "hello"},
        {"rubbish\r\n\r\n", 0, NULL, "HTTP/"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_routing(&cases[i]);
}

static void test_many_query_parameters(void **state)
{
    (void)state;
    for (int count = 31; count <= 33; count++) {
        struct buf request = BUF_INIT(4096);
        buf_append_str(&request, "GET /query?z=0");
        for (int i = 1; i < count; i++)
            buf_append_str(&request, "&b=1");
        buf_append_str(&request, H "\r\n");
        assert_int_equal(raw_status(raw_exchange(port, buf_cstr(&request))),
                         count <= 32 ? 200 : 400);
        buf_free(&request);
    }
}

/* ---- bodies ---- */

static const char *post(const char *target, const char *headers, size_t declared, size_t sent)
{
    struct buf request BUF_AUTO = BUF_INIT(4 * 1024 * 1024);
    buf_printf(&request, "%s" H "%sContent-Length: %zu\r\n\r\n", target, headers, declared);
    uint8_t *body = buf_extend(&request, sent);
    assert_non_null(body);
    memset(body, 'x', sent);
    int fd = raw_connect(port);
    assert_true(fd >= 0);
    raw_send_bytes(fd, request.data, request.len);
    const char *reply = raw_reply(fd, false, 5000);
    close(fd);
    return reply;
}

static void test_body_limits(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        int status;
    } cases[] = {{0, 200},     {BODY_MAX - 1, 200}, {BODY_MAX, 200}, {BODY_MAX + 1, 413},
                 {60000, 413}, {DRAIN_MAX, 413}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *reply = post("POST /echo", "", cases[i].len, cases[i].len);
        assert_int_equal(raw_status(reply), cases[i].status);
        if (cases[i].status == 413)
            assert_non_null(strstr(reply, "refused 413"));
    }
    assert_int_equal(raw_status(post("GET /hello", "", 5, 5)), 413);
    assert_int_equal(raw_status(post("POST /nowhere", "", 50000, 50000)), 404);
    assert_int_equal(raw_status(post("POST /hello", "", 50000, 50000)), 405);
}

/* A body that is far too large is refused on its announcement: not a byte of it is awaited. */
static void test_huge_body_is_refused_at_once(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, "POST /echo" H "Content-Length: 1073741825\r\n\r\n");
    bool closed = false;
    const char *reply = raw_read(fd, NULL, 3000, &closed);
    assert_int_equal(raw_status(reply), 413);
    assert_true(closed);
    close(fd);
}

static void test_expect_continue(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    raw_send(fd, "POST /echo" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(raw_status(raw_read(fd, "\r\n\r\n", 3000, NULL)), 100);
    raw_send(fd, "fives");
    const char *reply = raw_read(fd, "fives", 3000, NULL);
    assert_int_equal(raw_status(reply), 200);
    close(fd);
    fd = raw_connect(port);
    raw_send(fd, "POST /echo" H "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
    assert_int_equal(raw_status(raw_read(fd, "refused", 3000, NULL)), 413);
    close(fd);
}

/* ---- chunked ---- */

static int send_chunked(size_t total, size_t chunk)
{
    int fd = raw_connect(port);
    char head[32];
    char *data = malloc(chunk);
    assert_non_null(data);
    memset(data, 'x', chunk);
    bool ok = raw_send(fd, "POST /echo" H "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t sent = 0; ok && sent < total; sent += chunk) {
        size_t len = total - sent < chunk ? total - sent : chunk;
        snprintf(head, sizeof head, "%zx\r\n", len);
        ok = raw_send(fd, head) && raw_send_bytes(fd, data, len) && raw_send(fd, "\r\n");
    }
    free(data);
    raw_send(fd, "0\r\n\r\n");
    const char *reply = raw_reply(fd, false, 3000);
    close(fd);
    return raw_status(reply);
}

static void test_chunked_bodies(void **state)
{
    (void)state;
    assert_int_equal(send_chunked(BODY_MAX - 1, 100), 200);
    assert_int_equal(send_chunked(BODY_MAX, 100), 200);
    assert_int_equal(send_chunked(BODY_MAX + 1, 100), 413);
    assert_int_equal(send_chunked(100000, 5000), 413);
    /* endless: given up without an answer */
    assert_int_equal(send_chunked(DRAIN_MAX * 2, 50000), 0);
}

static void test_ambiguous_framing(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 5x\r\n",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        char request[512];
        snprintf(request, sizeof request,
                 "POST /echo" H "%s\r\n0\r\n\r\nGET /hello" H "\r\nGET /hello" H "\r\n",
                 headers[i]);
        int fd = raw_connect(port);
        raw_send(fd, request);
        bool closed = false;
        const char *reply = raw_read(fd, NULL, 3000, &closed);
        assert_int_equal(raw_status(reply), 400);
        assert_null(strstr(reply, "\r\n\r\nhello"));
        assert_true(closed);
        close(fd);
    }
}

/* ---- streams ---- */

static void test_stream_upload(void **state)
{
    (void)state;
    atomic_store(&seen.streamed, 0);
    const char *reply = post("PUT /stream", "", 3000000, 3000000);
    assert_int_equal(raw_status(reply), 200);
    assert_non_null(strstr(reply, "3000000"));
    assert_int_equal(raw_status(post("PUT /stream?refuse=1", "", 3, 3)), 403);
    assert_int_equal(raw_status(post("PUT /stream?stop=1", "", 300000, 300000)), 507);
    assert_int_equal(raw_status(post("PUT /stream", "", (size_t)STREAM_MAX + 1, 0)), 413);
}

static void test_stream_download(void **state)
{
    (void)state;
    int freed = atomic_load(&seen.source_freed);
    const char *reply = raw_exchange(port, "GET /download" H "\r\n");
    assert_int_equal(raw_status(reply), 200);
    assert_non_null(strstr(reply, "Content-Length: 100000\r\n"));
    const uint8_t *body = (const uint8_t *)strstr(reply, "\r\n\r\n");
    assert_non_null(body);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(body[4 + i], i % 251);
    /* a source that fails: the promise of 100000 bytes is visibly broken */
    int fd = raw_connect(port);
    raw_send(fd, "GET /download?fail=1" H "\r\n");
    bool closed = false;
    raw_read(fd, NULL, 3000, &closed);
    assert_true(closed);
    close(fd);
    raw_exchange(port, "HEAD /download" H "\r\n");
    for (int i = 0; i < 100 && atomic_load(&seen.source_freed) < freed + 3; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&seen.source_freed), freed + 3);
}

/* ---- connections ---- */

static void test_keep_alive_and_pipelining(void **state)
{
    (void)state;
    int fd = raw_connect(port);
    for (int i = 0; i < 3; i++) {
        raw_send(fd, "GET /hello" H "\r\n");
        assert_int_equal(raw_status(raw_read(fd, "hello", 3000, NULL)), 200);
    }
    /* a refused body leaves the connection usable */
    raw_send(fd, "POST /nowhere" H "Content-Length: 3\r\n\r\nabc");
    assert_int_equal(raw_status(raw_read(fd, "refused 404", 3000, NULL)), 404);
    raw_send(fd, "GET /later?ms=50" H "\r\nGET /hello" H "\r\nGET /query?a=last" H "\r\n");
    const char *reply = raw_read(fd, "|last|", 3000, NULL);
    const char *first = strstr(reply, "later");
    assert_non_null(first);
    const char *second = strstr(first, "hello");
    assert_non_null(second);
    assert_non_null(strstr(second, "|last|"));
    close(fd);
}

static void test_header_limit(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        bool fits;
    } cases[] = {{8000, true}, {64000, false}};
    for (size_t i = 0; i < 2; i++) {
        struct buf request = BUF_INIT(100000);
        buf_append_str(&request, "GET /hello" H "X-Long: ");
        for (size_t n = 0; n < cases[i].len; n++)
            buf_append_byte(&request, 'a');
        buf_append_str(&request, "\r\n\r\n");
        int status = raw_status(raw_exchange(port, buf_cstr(&request)));
        assert_int_equal(status, cases[i].fits ? 200 : 431);
        buf_free(&request);
    }
}

static void test_silent_client_gone_while_deferred(void **state)
{
    (void)state;
    int before = finished_so_far();
    int fd = raw_connect(port);
    raw_send(fd, "GET /later?ms=100" H "\r\n");
    pause_ms(20);
    close(fd);
    for (int i = 0; i < 200 && atomic_load(&seen.finished) == before; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&seen.finished), before + 1);
}

/* ---- load ---- */

enum { CLIENTS = 8, ROUNDS = 25 };

static void *hammer(void *arg)
{
    atomic_int *good = arg;
    int fd = raw_connect(port);
    for (int i = 0; i < ROUNDS; i++) {
        raw_send(fd, i % 2 == 0 ? "GET /later?ms=1" H "\r\n" : "GET /hello" H "\r\n");
        const char *reply = raw_reply(fd, false, 5000);
        if (raw_status(reply) == 200 && strstr(reply, i % 2 == 0 ? "later" : "hello") != NULL)
            atomic_fetch_add(good, 1);
    }
    close(fd);
    return NULL;
}

static void test_concurrent_deferred_answers(void **state)
{
    (void)state;
    pthread_t threads[CLIENTS];
    atomic_int good = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &good), 0);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&good), CLIENTS * ROUNDS);
}

static void test_connection_limit(void **state)
{
    (void)state;
    struct http_server *s = start_with((struct http_server_options){
        .listen = any_port, .listen_count = 1, .threads = 1, .connections_max = 4});
    unsigned p = http_server_port(s, 0);
    int held[4];
    for (size_t i = 0; i < 4; i++) {
        held[i] = raw_connect(p);
        raw_send(held[i], "GET /hello" H "\r\n");
        assert_int_equal(raw_status(raw_read(held[i], "hello", 2000, NULL)), 200);
    }
    int fifth = raw_connect(p);
    raw_send(fifth, "GET /hello" H "\r\n");
    assert_int_equal(raw_status(raw_read(fifth, "hello", 300, NULL)), 0);
    close(held[0]);
    /* a place is free again: whoever still waits, or comes anew, is served */
    close(fifth);
    int sixth = raw_connect(p);
    raw_send(sixth, "GET /hello" H "\r\n");
    assert_int_equal(raw_status(raw_read(sixth, "hello", 3000, NULL)), 200);
    close(sixth);
    for (size_t i = 1; i < 4; i++)
        close(held[i]);
    http_server_stop(&s, 0);
}

/* ---- addresses ---- */

static void test_several_addresses(void **state)
{
    (void)state;
    char path[] = "/tmp/mero-http-test-XXXXXX";
    assert_non_null(mkdtemp(path));
    char socket_path[64];
    char address[80];
    snprintf(socket_path, sizeof socket_path, "%s/a.sock", path);
    snprintf(address, sizeof address, "unix:%s", socket_path);
    const char *const addresses[] = {"127.0.0.1:0", address, "[::1]:0"};
    struct http_server *s =
        start_with((struct http_server_options){.listen = addresses, .listen_count = 3});
    assert_int_not_equal(http_server_port(s, 0), 0);
    assert_int_equal(http_server_port(s, 1), 0);
    assert_int_not_equal(http_server_port(s, 2), 0);
    assert_int_equal(http_server_port(s, 3), 0);
    int fd = raw_connect_unix(socket_path);
    assert_true(fd >= 0);
    raw_send(fd, "GET /query" H "\r\n");
    assert_non_null(strstr(raw_read(fd, "unix", 2000, NULL), "|unix"));
    close(fd);

    char url[64];
    struct http_client *c HTTP_CLIENT_AUTO = NULL;
    struct http_response answer HTTP_RESPONSE_AUTO = {0};
    struct error err = {0};
    snprintf(url, sizeof url, "http://[::1]:%u/query", http_server_port(s, 2));
    const struct http_request r = {
        .method = "GET", .url = url, .timeout_ms = 2000, .body_max = 100};
    assert_true(http_client_open(NULL, &c, &err) && http_client_call(c, &r, &answer, &err));
    assert_true(slice_equal_str(buf_slice(&answer.body), "GET|/query||-|-|::1"));

    /* the same address twice is refused, by name */
    struct http_server *second = NULL;
    struct http_server_options o = {.listen = &addresses[1], .listen_count = 1};
    assert_false(http_server_start(&o, &second, &err));
    assert_string_equal(err.code, "http/listen");
    assert_non_null(strstr(err.message, "in use"));
    char taken[32];
    snprintf(taken, sizeof taken, "127.0.0.1:%u", http_server_port(s, 0));
    const char *const taken_list[] = {taken};
    o.listen = taken_list;
    assert_false(http_server_start(&o, &second, &err));
    assert_non_null(strstr(err.message, "in use"));
    assert_null(second);

    http_server_stop(&s, 0);
    assert_int_not_equal(access(socket_path, F_OK), 0);
    rmdir(path);
}

static void test_stale_socket_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/mero-http-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char path[64];
    char address[80];
    snprintf(path, sizeof path, "%s/a.sock", dir);
    snprintf(address, sizeof address, "unix:%s", path);
    const char *const list[] = {address};
    struct http_server_options o = {.listen = list, .listen_count = 1};
    /* a server that was killed leaves its file behind */
    struct http_server *s = start_with(o);
    char moved[64];
    snprintf(moved, sizeof moved, "%s/b.sock", dir);
    assert_int_equal(rename(path, moved), 0);
    http_server_stop(&s, 0);
    assert_int_equal(rename(moved, path), 0);
    s = start_with(o);
    http_server_stop(&s, 0);
    /* anything else in that place is not ours to remove */
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    struct error err = {0};
    assert_false(http_server_start(&o, &s, &err));
    assert_non_null(strstr(err.message, "not a socket"));
    assert_int_equal(unlink(path), 0);
    rmdir(dir);
}

static void test_bad_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        "127.0.0.1", "127.0.0.1:",   "127.0.0.1:99999999",
                                      "host:80", ":80",       "[::1]80",      "127.0.0.1:8x",
                                      "unix:",   "1.2.3:80x", "203.0.113.9:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http_server *s = NULL;
        struct error err = {0};
        struct http_server_options o = {.listen = &bad[i], .listen_count = 1};
        assert_false(http_server_start(&o, &s, &err));
        assert_string_equal(err.code, "http/listen");
        assert_null(s);
    }
}

static void test_every_exchange_finished_once(void **state)
{
    (void)state;
    int finished = finished_so_far();
    int sent = atomic_load(&seen.before_send);
    for (int i = 0; i < 20; i++)
        raw_exchange(port, i % 2 == 0 ? "GET /hello" H "\r\n" : "GET /later?ms=1" H "\r\n");
    for (int i = 0; i < 100 && atomic_load(&seen.finished) < finished + 20; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&seen.finished), finished + 20);
    assert_int_equal(atomic_load(&seen.before_send), sent + 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routing),
        cmocka_unit_test(test_many_query_parameters),
        cmocka_unit_test(test_body_limits),
        cmocka_unit_test(test_huge_body_is_refused_at_once),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_chunked_bodies),
        cmocka_unit_test(test_ambiguous_framing),
        cmocka_unit_test(test_stream_upload),
        cmocka_unit_test(test_stream_download),
        cmocka_unit_test(test_keep_alive_and_pipelining),
        cmocka_unit_test(test_header_limit),
        cmocka_unit_test(test_silent_client_gone_while_deferred),
        cmocka_unit_test(test_concurrent_deferred_answers),
        cmocka_unit_test(test_every_exchange_finished_once),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_several_addresses),
        cmocka_unit_test(test_stale_socket_file),
        cmocka_unit_test(test_bad_addresses),
    };
    return cmocka_run_group_tests(tests, start_shared, stop_shared);
}
