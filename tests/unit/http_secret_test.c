/* No copy of a secret stays behind in this process: neither in the server that sent it nor in the
 * client that received it, over plain sockets; over TLS only what the TLS libraries themselves keep
 * would, and it is none either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/secret.h"
#include "http/client.h"
#include "http/server.h"
#include "platform/dstack.h"
#include "support/memory_scan.h"
#include "support/test_certs.h"

enum { KEY_LEN = 32, HEX_LEN = 64 };

static char dir[] = "/tmp/mero-secret-test-XXXXXX";
static unsigned char masked_hex[HEX_LEN]; /* the secret as text, masked */

/* The secret exists only while an answer is being made. */
static void answer(struct http_exchange *x, bool secret)
{
    char body[128];
    size_t at = (size_t)snprintf(body, sizeof body, "{\"key\":\"");
    for (size_t i = 0; i < HEX_LEN; i++)
        body[at++] = (char)(masked_hex[i] ^ MEMORY_MASK);
    snprintf(&body[at], sizeof body - at, "\"}");
    struct slice text = slice_of(body, at + 2);
    if (secret)
        http_exchange_reply_secret(x, 200, "application/json", text);
    else
        http_exchange_reply(x, 200, "application/json", text);
    secret_wipe(body, sizeof body);
}

static void on_secret(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    answer(x, true);
}

static void on_careless(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    answer(x, false);
}

static void *answer_later(void *x)
{
    answer(x, true);
    return NULL;
}

static void on_later(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    pthread_t thread;
    http_exchange_defer(x);
    if (pthread_create(&thread, NULL, answer_later, x) != 0)
        abort();
    pthread_detach(thread);
}

static const struct http_route routes[] = {
    {.method = "GET", .path = "/secret", .handler = on_secret},
    {.method = "GET", .path = "/later", .handler = on_later},
    {.method = "GET", .path = "/careless", .handler = on_careless},
    {.method = "POST", .path = "/GetKey", .handler = on_secret, .body_max = 1000},
};

static struct http_server *start(const char *address, const char *cert, const char *key)
{
    struct http_server *s = NULL;
    struct error err = {0};
    const struct http_server_options o = {.listen = &address,
                                          .listen_count = 1,
                                          .routes = routes,
                                          .route_count = sizeof routes / sizeof routes[0],
                                          .tls_cert_pem = cert,
                                          .tls_key_pem = key};
    if (!http_server_start(&o, &s, &err))
        fail_msg("%s: %s", err.code, err.message);
    return s;
}

/* Copies that are left when the answer has been freed, the connection being still open. */
static size_t left_after(struct http_client *c, const char *url, bool secret, size_t *while_held)
{
    struct http_response answer HTTP_RESPONSE_AUTO = {.secret = secret};
    struct error err = {0};
    const struct http_request r = {
        .method = "GET", .url = url, .timeout_ms = 5000, .body_max = 200};
    if (!http_client_call(c, &r, &answer, &err))
        fail_msg("%s: %s", err.code, err.message);
    assert_int_equal(answer.status, 200);
    usleep(20000); /* the server's thread lets go of its copy */
    *while_held = memory_count(masked_hex, HEX_LEN, 0);
    http_response_free(&answer);
    return memory_count(masked_hex, HEX_LEN, secret);
}

static void check_server(struct http_server *s, const char *base, const char *ca)
{
    static const struct {
        const char *path;
        bool secret;
    } cases[] = {{"/secret", true}, {"/later", true}, {"/secret", true}};
    struct http_client *c HTTP_CLIENT_AUTO = NULL;
    struct error err = {0};
    assert_true(http_client_open(&(struct http_client_options){.ca_path = ca}, &c, &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char url[96];
        size_t held = 0;
        snprintf(url, sizeof url, "%s:%u%s", base, http_server_port(s, 0), cases[i].path);
        size_t left = left_after(c, url, cases[i].secret, &held);
        assert_int_equal(held, 1); /* the caller's own */
        assert_int_equal(left, 0);
    }
}

static void test_plain(void **state)
{
    (void)state;
    struct http_server *s = start("127.0.0.1:0", NULL, NULL);
    check_server(s, "http://127.0.0.1", NULL);
    http_server_stop(&s, 100);
}

/* The scan finds what is there: without the care of above a copy stays. */
static void test_scan_can_fail(void **state)
{
    (void)state;
    struct http_server *s = start("127.0.0.1:0", NULL, NULL);
    struct http_client *c HTTP_CLIENT_AUTO = NULL;
    struct error err = {0};
    char url[96];
    size_t held = 0;
    assert_true(http_client_open(NULL, &c, &err));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/careless", http_server_port(s, 0));
    left_after(c, url, false, &held);
    assert_true(held >= 1);
    http_server_stop(&s, 100);
}

static char *pem(const char *name, const char *suffix, struct buf *into)
{
    char path[256];
    struct error err = {0};
    *into = BUF_INIT(65536);
    snprintf(path, sizeof path, "%s/%s.%s", dir, name, suffix);
    assert_true(file_read(path, into, &err));
    assert_non_null(buf_cstr(into));
    return (char *)into->data;
}

static void test_tls(void **state)
{
    (void)state;
    struct buf cert BUF_AUTO = {0};
    struct buf key BUF_AUTO = {0};
    char ca[256];
    snprintf(ca, sizeof ca, "%s/ca.pem", dir);
    struct http_server *s =
        start("127.0.0.1:0", pem("server", "pem", &cert), pem("server", "key", &key));
    check_server(s, "https://127.0.0.1", ca);
    http_server_stop(&s, 100);
}

static void test_agent_key(void **state)
{
    (void)state;
    char path[64];
    char address[80];
    snprintf(path, sizeof path, "%s/dstack.sock", dir);
    snprintf(address, sizeof address, "unix:%s", path);
    struct http_server *s = start(address, NULL, NULL);
    struct dstack *d = NULL;
    struct secret key SECRET_AUTO = {0};
    struct error err = {0};
    assert_true(dstack_open(&(struct dstack_options){.socket_path = path}, &d, &err));
    assert_true(dstack_get_key(d, "p", &key, &err));
    usleep(20000);
    assert_int_equal(memory_count(masked_hex, HEX_LEN, 1), 0);
    /* the key itself is in guarded memory and nowhere else */
    unsigned char masked[KEY_LEN];
    for (size_t i = 0; i < KEY_LEN; i++)
        masked[i] = key.data[i] ^ MEMORY_MASK;
    assert_int_equal(memory_count(masked, KEY_LEN, 0), 1);
    secret_free(&key);
    assert_int_equal(memory_count(masked, KEY_LEN, 1), 0);
    dstack_close(&d);
    http_server_stop(&s, 100);
}

static int set_up(void **state)
{
    (void)state;
    uint8_t random[KEY_LEN];
    char hex[HEX_LEN + 1];
    random_bytes(random, sizeof random);
    hex_encode(slice_of(random, sizeof random), hex);
    for (size_t i = 0; i < HEX_LEN; i++)
        masked_hex[i] = (unsigned char)hex[i] ^ MEMORY_MASK;
    secret_wipe(random, sizeof random);
    secret_wipe(hex, sizeof hex);
    if (mkdtemp(dir) == NULL)
        return -1;
    test_cert_make(dir, &(struct test_cert){.name = "ca", .use = TEST_CERT_CA});
    test_cert_make(dir,
                   &(struct test_cert){.name = "server", .issuer = "ca", .use = TEST_CERT_SERVER});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_agent_key),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_scan_can_fail),
    };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 77;
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    printf("skipped: sanitizers keep freed memory\n");
    return 77;
#endif
#endif
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
