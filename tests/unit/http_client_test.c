/* The client against servers that behave, that misbehave, and that are not there. */
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
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/client.h"
#include "support/scripted_server.h"

static struct http_client *open_client(struct http_client_options o)
{
    struct http_client *c = NULL;
    struct error err = {0};
    if (!http_client_open(&o, &c, &err))
        fail_msg("%s: %s", err.code, err.message);
    return c;
}

static char *url_of(const struct scripted_server *s, char out[64])
{
    snprintf(out, 64, "http://127.0.0.1:%u/x", scripted_port(s));
    return out;
}

/* ---- good answers ---- */

static void test_answer(void **state)
{
    (void)state;
    static const struct script scripts[] = {
        {.reply =
             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One:  a b \r\nRetry-After: 7\r\n\r\nhello",
         .keep_open = true},
        {.reply = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n", .keep_open = true},
        {.reply = "HTTP/1.1 100 Continue\r\nX-Old: 1\r\n\r\n"
                  "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         .keep_open = true},
    };
    struct scripted_server *s = scripted_start(scripts, 3, NULL);
    struct http_client *c HTTP_CLIENT_AUTO = open_client((struct http_client_options){0});
    struct error err = {0};
    char url[64];
    struct http_request r = {
        .method = "GET", .url = url_of(s, url), .timeout_ms = 5000, .body_max = 10};
    struct http_response answer HTTP_RESPONSE_AUTO = {0};
    struct slice value;

    assert_true(http_client_call(c, &r, &answer, &err));
    assert_int_equal(answer.status, 200);
    assert_true(slice_equal_str(buf_slice(&answer.body), "hello"));
    assert_true(http_response_header(&answer, "x-one", &value));
    assert_true(slice_equal_str(value, "a b"));
    assert_false(http_response_header(&answer, "X-On", &value));
    assert_int_equal(http_response_retry_after_s(&answer), 7);

    assert_true(http_client_call(c, &r, &answer, &err));
    assert_int_equal(answer.status, 404);
    assert_true(slice_equal_str(buf_slice(&answer.body), "no\n"));

    r.method = "POST";
    r.body = slice_of("\0\1\2", 3);
    r.headers[0] = "Content-Type: application/json";
    if (!http_client_call(c, &r, &answer, &err))
        fail_msg("%s: %s", err.code, err.message);
    assert_int_equal(answer.status, 201);
    assert_true(slice_equal_str(buf_slice(&answer.body), "abc"));
    assert_false(http_response_header(&answer, "X-Old", &value));
    const char *request = scripted_last_request(s);
    assert_non_null(strstr(request, "POST /x HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(request, "Content-Length: 3\r\n"));
    assert_non_null(strstr(request, "User-Agent: merotee/"));
    assert_null(strstr(request, "Expect"));
    assert_null(strstr(request, "Accept-Encoding"));

    assert_int_equal(scripted_connections(s), 1); /* one connection for all three */
    scripted_stop(&s);
}

static void test_methods(void **state)
{
    (void)state;
    static const struct script scripts[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .keep_open = true}};
    static const struct {
        const char *method, *body, *holds, *lacks;
    } cases[] = {
        {"GET", "", "GET /x HTTP/1.1", "Content-"},
        {"HEAD", "", "HEAD /x HTTP/1.1", "Content-"},
        {"POST", "", "Content-Length: 0", "Content-Type"},
        {"POST", "ab", "\r\n\r\nab", "Content-Type"},
        {"PUT", "abc", "PUT /x HTTP/1.1", "chunked"},
        {"DELETE", "", "DELETE /x HTTP/1.1", "Content-"},
        {"GET", "", "GET /x HTTP/1.1", "Content-"},
    };
    struct scripted_server *s = scripted_start(scripts, 1, NULL);
    struct http_client *c HTTP_CLIENT_AUTO = open_client((struct http_client_options){0});
    char url[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request r = {.method = cases[i].method,
                                 .url = url_of(s, url),
                                 .timeout_ms = 5000,
                                 .body = slice_str(cases[i].body)};
        struct http_response answer HTTP_RESPONSE_AUTO = {0};
        struct error err = {0};
        if (!http_client_call(c, &r, &answer, &err))
            fail_msg("%s: %s", cases[i].method, err.message);
        if (strstr(scripted_last_request(s), cases[i].holds) == NULL ||
            strstr(scripted_last_request(s), cases[i].lacks) != NULL)
            fail_msg("%s: %s", cases[i].method, scripted_last_request(s));
    }
    scripted_stop(&s);
}

static void test_secret_answer(void **state)
{
    (void)state;
    static const struct script scripts[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}};
    struct scripted_server *s = scripted_start(scripts, 1, NULL);
    struct http_client *c HTTP_CLIENT_AUTO = open_client((struct http_client_options){0});
    char url[64];
    struct http_request r = {
        .method = "GET", .url = url_of(s, url), .timeout_ms = 5000, .body_max = 9};
    struct http_response answer HTTP_RESPONSE_AUTO = {.secret = true};
    struct error err = {0};
    assert_true(http_client_call(c, &r, &answer, &err));
    assert_true(answer.body.wipe);
    assert_true(slice_equal_str(buf_slice(&answer.body), "hello"));
    scripted_stop(&s);
}

static void test_unix_socket(void **state)
{
    (void)state;
    static const struct script scripts[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}};
    char dir[] = "/tmp/mero-http-test-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    struct scripted_server *s = scripted_start(scripts, 1, path);
    struct http_client *c HTTP_CLIENT_AUTO =
        open_client((struct http_client_options){.unix_socket = path});
    struct http_request r = {
        .method = "GET", .url = "http://localhost/a", .timeout_ms = 5000, .body_max = 2};
    struct http_response answer HTTP_RESPONSE_AUTO = {0};
    struct error err = {0};
    assert_true(http_client_call(c, &r, &answer, &err));
    assert_non_null(strstr(scripted_last_request(s), "Host: localhost\r\n"));
    scripted_stop(&s);
    assert_false(http_client_call(c, &r, &answer, &err));
    assert_string_equal(err.code, "http/connect");
    assert_non_null(strstr(err.message, "there is no socket"));
    assert_non_null(strstr(err.message, path));
    rmdir(dir);
}

/* ---- ceilings ---- */

static void test_body_ceiling(void **state)
{
    (void)state;
    static const struct script scripts[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"},
        {.reply =
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"},
        {.reply = "HTTP/1.1 200 OK\r\n\r\n0123456789"},
    };
    for (size_t i = 0; i < 3; i++)
        for (size_t max = 9; max <= 11; max++) {
            struct scripted_server *s = scripted_start(&scripts[i], 1, NULL);
            struct http_client *c HTTP_CLIENT_AUTO = open_client((struct http_client_options){0});
            char url[64];
            struct http_request r = {
                .method = "GET", .url = url_of(s, url), .timeout_ms = 5000, .body_max = max};
            struct http_response answer HTTP_RESPONSE_AUTO = {0};
            struct error err = {0};
            bool ok = http_client_call(c, &r, &answer, &err);
            assert_int_equal(ok, max >= 10);
            if (!ok) {
                assert_string_equal(err.code, "http/too-large");
                assert_non_null(strstr(err.message, "larger than 9 bytes"));
                assert_null(answer.body.data);
            }
            scripted_stop(&s);
        }
}

static void test_header_ceiling(void **state)
{
    (void)state;
    /* status line and blank line belong to what is kept */
    static const char start[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
    for (int extra = -1; extra <= 1; extra++) {
        size_t want = (size_t)(HTTP_CLIENT_HEADER_TEXT_MAX + extra);
        struct buf reply BUF_AUTO = BUF_INIT(200000);
        buf_append_str(&reply, start);
        while (reply.len + 1002 < want - 200)
            buf_printf(&reply, "X: %0997d\r\n", 0);
        size_t last = want - 2 - reply.len;
        buf_printf(&reply, "X: %0*d\r\n\r\n", (int)(last - 5), 0);
        assert_int_equal(reply.len, want);
        const struct script script = {.reply = (const char *)reply.data, .len = reply.len};
        struct scripted_server *s = scripted_start(&script, 1, NULL);
        struct http_client *c HTTP_CLIENT_AUTO = open_client((struct http_client_options){0});
        char url[64];
        struct http_request r = {
            .method = "GET", .url = url_of(s, url), .timeout_ms = 5000, .body_max = 9};
        struct http_response answer HTTP_RESPONSE_AUTO = {0};
        struct error err = {0};
        assert_int_equal(http_client_call(c, &r, &answer, &err), extra <= 0);
        if (extra > 0)
            assert_string_equal(err.code, "http/too-large");
        scripted_stop(&s);
    }
}

/* ---- bad answers ---- */

static void test_bad_answers(void **state)
{
    (void)state;
    static const struct {
        struct script script;
        const char *code;
        const char *says;
    } cases[] = {
        {{.reply = "rubbish\r\n\r\n"}, "http/protocol", "not usable HTTP"},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"}, "http/protocol", NULL},
        {{.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"},
         "http/protocol",
         NULL},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc"}, "http/protocol", NULL},
        {{.reply = NULL}, "http/connect", "without an answer"},
        {{.reply = NULL, .keep_open = true},
         "http/timeout",
         "did not answer in full within 400 ms"},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", .keep_open = true},
         "http/timeout",
         NULL},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789", .drip_ms = 50},
         "http/timeout",
         NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scripted_server *s = scripted_start(&cases[i].script, 1, NULL);
        struct http_client *c HTTP_CLIENT_AUTO = open_client((struct http_client_options){0});
        char url[64];
        struct http_request r = {
            .method = "GET", .url = url_of(s, url), .timeout_ms = 400, .body_max = 100};
        struct http_response answer HTTP_RESPONSE_AUTO = {0};
        struct error err = {0};
        int64_t began = clock_monotonic_ms();
        assert_false(http_client_call(c, &r, &answer, &err));
        assert_true(clock_monotonic_ms() - began < 5000);
        if (strcmp(err.code, cases[i].code) != 0 ||
            (cases[i].says != NULL && strstr(err.message, cases[i].says) == NULL))
            fail_msg("case %zu: %s: %s", i, err.code, err.message);
        assert_null(answer.body.data);
        scripted_stop(&s);
    }
}

static void test_nobody_there(void **state)
{
    (void)state;
    static const struct {
        const char *url, *says;
    } cases[] = {
        {"http://127.0.0.1:9/", "nobody listens at 127.0.0.1:9 (connection refused)"},
        {"http://[::1]:9/", "[::1]:9"},
        {"http://no-such-host.invalid/", "cannot resolve the host name 'no-such-host.invalid'"},
    };
    struct http_client *c HTTP_CLIENT_AUTO =
        open_client((struct http_client_options){.ignore_proxy = true});
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request r = {.method = "GET", .url = cases[i].url, .timeout_ms = 5000};
        struct http_response answer HTTP_RESPONSE_AUTO = {0};
        struct error err = {0};
        assert_false(http_client_call(c, &r, &answer, &err));
        if (strcmp(err.code, "http/connect") != 0 || strstr(err.message, cases[i].says) == NULL)
            fail_msg("%s: %s: %s", cases[i].url, err.code, err.message);
    }
}

static void test_redirects_are_answers(void **state)
{
    (void)state;
    static const struct script scripts[] = {
        {.reply =
             "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"}};
    for (unsigned max = 0; max <= 5; max += 5) {
        struct scripted_server *s = scripted_start(scripts, 1, NULL);
        struct http_client *c HTTP_CLIENT_AUTO =
            open_client((struct http_client_options){.redirects_max = max});
        char url[64];
        struct http_request r = {.method = "GET", .url = url_of(s, url), .timeout_ms = 3000};
        struct http_response answer HTTP_RESPONSE_AUTO = {0};
        struct error err = {0};
        assert_true(http_client_call(c, &r, &answer, &err));
        assert_int_equal(answer.status, 302);
        scripted_stop(&s);
    }
}

/* ---- cancel ---- */

static void *raise_flag(void *arg)
{
    const struct timespec t = {.tv_nsec = 200000000L};
    nanosleep(&t, NULL);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    static const struct script scripts[] = {{.reply = NULL, .keep_open = true}};
    struct scripted_server *s = scripted_start(scripts, 1, NULL);
    atomic_bool cancel = false;
    pthread_t thread;
    struct http_client *c HTTP_CLIENT_AUTO =
        open_client((struct http_client_options){.cancel = &cancel});
    char url[64];
    struct http_request r = {.method = "GET", .url = url_of(s, url), .timeout_ms = 20000};
    struct http_response answer HTTP_RESPONSE_AUTO = {0};
    struct error err = {0};
    assert_int_equal(pthread_create(&thread, NULL, raise_flag, &cancel), 0);
    int64_t began = clock_monotonic_ms();
    assert_false(http_client_call(c, &r, &answer, &err));
    assert_string_equal(err.code, "http/canceled");
    assert_true(clock_monotonic_ms() - began < 5000);
    pthread_join(thread, NULL);
    /* raised before the call: nothing is sent */
    unsigned before = scripted_requests(s);
    assert_false(http_client_call(c, &r, &answer, &err));
    assert_string_equal(err.code, "http/canceled");
    assert_int_equal(scripted_requests(s), before);
    scripted_stop(&s);
}

/* ---- proxies ---- */

static void test_proxy_variables(void **state)
{
    (void)state;
    static const struct script via_proxy[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy"}};
    static const struct script direct[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere"}};
    struct scripted_server *proxy = scripted_start(via_proxy, 1, NULL);
    struct scripted_server *s = scripted_start(direct, 1, NULL);
    char proxy_url[64];
    char url[64];
    snprintf(proxy_url, sizeof proxy_url, "http://127.0.0.1:%u", scripted_port(proxy));
    setenv("http_proxy", proxy_url, 1);
    const struct {
        const char *url;
        bool ignore;
        const char *body; /* NULL = a failure to resolve */
    } cases[] = {
        {"http://far-away.invalid/", false, "proxy"},
        {"http://far-away.invalid/", true, NULL},
        {url_of(s, url), false, "there"}, /* loopback never goes through a proxy */
    };
    for (size_t i = 0; i < 3; i++) {
        struct http_client *c HTTP_CLIENT_AUTO =
            open_client((struct http_client_options){.ignore_proxy = cases[i].ignore});
        struct http_request r = {
            .method = "GET", .url = cases[i].url, .timeout_ms = 3000, .body_max = 9};
        struct http_response answer HTTP_RESPONSE_AUTO = {0};
        struct error err = {0};
        assert_int_equal(http_client_call(c, &r, &answer, &err), cases[i].body != NULL);
        if (cases[i].body != NULL)
            assert_true(slice_equal_str(buf_slice(&answer.body), cases[i].body));
    }
    unsetenv("http_proxy");
    scripted_stop(&proxy);
    scripted_stop(&s);
}

/* ---- requests that are refused before anything is sent ---- */

static void test_refused_requests(void **state)
{
    (void)state;
    struct http_client *c HTTP_CLIENT_AUTO = open_client((struct http_client_options){0});
    struct http_response answer HTTP_RESPONSE_AUTO = {0};
    struct error err = {0};
    struct http_request r = {.method = "GET", .url = "ftp://127.0.0.1/", .timeout_ms = 1000};
    assert_false(http_client_call(c, &r, &answer, &err));
    assert_string_equal(err.code, "http/url");
    r.url = "file:///etc/passwd";
    assert_false(http_client_call(c, &r, &answer, &err));
    assert_string_equal(err.code, "http/url");
    r.url = "http://127.0.0.1:9/";
    r.headers[0] = "X: a\r\nY: b";
    assert_false(http_client_call(c, &r, &answer, &err));
    assert_string_equal(err.code, "http/protocol");
}

static void test_bad_options(void **state)
{
    (void)state;
    static const struct http_client_options cases[] = {
        {.ca_path = "/nowhere/ca.pem"},
        {.ca_path = "/dev/null"},
        {.client_cert_path = "/dev/null"},
        {.client_key_path = "/dev/null"},
        {.client_cert_path = "/nowhere/cert.pem", .client_key_path = "/dev/null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_client *c = NULL;
        struct error err = {0};
        assert_false(http_client_open(&cases[i], &c, &err));
        assert_null(c);
        assert_true(error_is(&err, "http/tls") || error_is(&err, "file/"));
    }
}

/* ---- URLs ---- */

static void test_url_parse(void **state)
{
    (void)state;
    static const struct {
        const char *url, *scheme, *host, *path;
        unsigned port;
    } good[] = {
        {"https://Kms.Example:8443/a/b?c=d", "https", "kms.example", "/a/b", 8443},
        {"http://127.0.0.1", "http", "127.0.0.1", "/", 80},
        {"https://[::1]/", "https", "::1", "/", 443},
        {"HTTP://x:1/", "http", "x", "/", 1},
        {"http://0x7f.1:80/", "http", "127.0.0.1", "/", 80},
    };
    static const char *const bad[] = {
        "",
        "127.0.0.1:80",
        "ftp://x/",
        "http://",
        "http://x:0/",
        "http://x:65536/",
        "http://u:p@x/",
        "http://u@x/",
        "http://[fe80::1%25eth0]/",
        "/path",
        "http://x y/",
        "http://x\r\n/",
        "unix:/x",
    };
    struct error err = {0};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct http_url u;
        if (!http_url_parse(good[i].url, &u, &err))
            fail_msg("%s: %s", good[i].url, err.message);
        assert_string_equal(u.scheme, good[i].scheme);
        assert_string_equal(u.host, good[i].host);
        assert_string_equal(u.path, good[i].path);
        assert_int_equal(u.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http_url u = {.port = 77};
        if (http_url_parse(bad[i], &u, &err))
            fail_msg("'%s' was accepted", bad[i]);
        assert_string_equal(err.code, "http/url");
        assert_int_equal(u.port, 77);
    }
}

static void test_url_lengths(void **state)
{
    (void)state;
    static const struct {
        size_t host, path;
        bool ok;
    } cases[] = {
        {255, 1, true}, {256, 1, false}, {10, 1023, true}, {10, 1024, false}, {10, 4090, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf url BUF_AUTO = BUF_INIT(8192);
        struct http_url u;
        struct error err = {0};
        buf_append_str(&url, "http://");
        for (size_t n = 0; n < cases[i].host; n++)
            buf_append_byte(&url, n % 50 == 49 ? '.' : 'h');
        buf_append_byte(&url, '/');
        for (size_t n = 1; n < cases[i].path; n++)
            buf_append_byte(&url, 'p');
        assert_int_equal(http_url_parse(buf_cstr(&url), &u, &err), cases[i].ok);
    }
}

static void test_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool loopback;
    } cases[] = {
        {"127.0.0.1", true},
        {"127.255.255.254", true},
        {"::1", true},
        {"128.0.0.1", false},
        {"126.255.255.255", false},
        {"localhost", false},
        {"::ffff:127.0.0.1", false},
        {"::2", false},
        {"::", false},
        {"127.0.0.1.example", false},
        {"", false},
        {"[::1]", false},
        {"127.1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (http_host_is_loopback(cases[i].host) != cases[i].loopback)
            fail_msg("%s", cases[i].host);
}

static void test_url_join(void **state)
{
    (void)state;
    static const struct {
        const char *base, *relative, *out;
    } cases[] = {
        {"http://x", "attest", "http://x/attest"},
        {"http://x/", "attest", "http://x/attest"},
        {"http://x/a", "/attest", "http://x/a/attest"},
        {"https://x:8443/a/", "b?c=d", "https://x:8443/a/b?c=d"},
        {"http://x/?q=1", "b", NULL},
        {"http://x/#f", "b", NULL},
        {"not a url", "b", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out BUF_AUTO = BUF_INIT(100);
        struct error err = {0};
        assert_int_equal(http_url_join(cases[i].base, cases[i].relative, &out, &err),
                         cases[i].out != NULL);
        if (cases[i].out != NULL)
            assert_string_equal(buf_cstr(&out), cases[i].out);
    }
    struct buf tight BUF_AUTO = BUF_INIT(14);
    struct error err = {0};
    assert_false(http_url_join("http://x", "attest", &tight, &err));
}

static void test_retry_after(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        unsigned seconds;
    } cases[] = {
        {"HTTP/1.1 429 X\r\n\r\n", 0},
        {"HTTP/1.1 429 X\r\nRetry-After: 12\r\n\r\n", 12},
        {"HTTP/1.1 429 X\r\nretry-after:0\r\n\r\n", 0},
        {"HTTP/1.1 429 X\r\nRetry-After: 999999999\r\n\r\n", 3600},
        {"HTTP/1.1 429 X\r\nRetry-After: 99999999999999999999\r\n\r\n", 0},
        {"HTTP/1.1 429 X\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n", 0},
        {"HTTP/1.1 429 X\r\nRetry-After: -5\r\n\r\n", 0},
        {"HTTP/1.1 429 X\r\nRetry-After:\r\n\r\n", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_response r HTTP_RESPONSE_AUTO = {.headers = BUF_INIT(1000)};
        buf_append_str(&r.headers, cases[i].headers);
        assert_int_equal(http_response_retry_after_s(&r), cases[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_secret_answer),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_body_ceiling),
        cmocka_unit_test(test_header_ceiling),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_redirects_are_answers),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_proxy_variables),
        cmocka_unit_test(test_refused_requests),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_url_parse),
        cmocka_unit_test(test_url_lengths),
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_url_join),
        cmocka_unit_test(test_retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
