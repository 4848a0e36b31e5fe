/* TLS end to end: our client against our server, with certificates right and wrong on both sides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "http/client.h"
#include "http/server.h"
#include "support/raw_http.h"
#include "support/test_certs.h"

static char dir[] = "/tmp/mero-tls-test-XXXXXX";
static atomic_int served;

static const struct test_cert certs[] = {
    {.name = "ca", .use = TEST_CERT_CA},
    {.name = "other-ca", .use = TEST_CERT_CA},
    {.name = "server", .issuer = "ca", .use = TEST_CERT_SERVER},
    {.name = "server2", .issuer = "other-ca", .use = TEST_CERT_SERVER},
    {.name = "server-old",
     .issuer = "ca",
     .use = TEST_CERT_SERVER,
     .from_s = -7200,
     .until_s = -60},
    {.name = "client", .issuer = "ca", .use = TEST_CERT_CLIENT},
    {.name = "client-other", .issuer = "other-ca", .use = TEST_CERT_CLIENT},
    {.name = "client-old",
     .issuer = "ca",
     .use = TEST_CERT_CLIENT,
     .from_s = -7200,
     .until_s = -60},
    {.name = "client-early",
     .issuer = "ca",
     .use = TEST_CERT_CLIENT,
     .from_s = 600,
     .until_s = 7200},
    {.name = "client-self", .use = TEST_CERT_CLIENT},
};

static char *path_of(const char *name, const char *suffix, char out[256])
{
    snprintf(out, 256, "%s/%s.%s", dir, name, suffix);
    return out;
}

/* Leaked on purpose: the server borrows the text until it stops. */
static const char *text_of(const char *name, const char *suffix)
{
    char path[256];
    struct buf b = BUF_INIT(65536);
    struct error err = {0};
    assert_true(file_read(path_of(name, suffix, path), &b, &err));
    static struct buf kept[64];
    static size_t count;
    assert_true(count < 64);
    kept[count] = b;
    return buf_cstr(&kept[count++]);
}

static void on_hello(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&served, 1);
    http_exchange_reply_secret(x, 200, "text/plain", slice_str("hello"));
}

static const struct http_route routes[] = {{.method = "GET", .path = "/", .handler = on_hello}};
static const char *const any_port[] = {"0.0.0.0:0"};

/* Long for whoever waits for an answer on a busy machine, short where the deadline is the point. */
enum { PATIENT_S = 30, IMPATIENT_S = 1 };

static struct http_server *start_with(const char *cert, const char *client_ca, unsigned deadline_s)
{
    struct http_server *s = NULL;
    struct error err = {0};
    struct http_server_options o = {.listen = any_port,
                                    .listen_count = 1,
                                    .routes = routes,
                                    .route_count = 1,
                                    .request_deadline_s = deadline_s,
                                    .idle_timeout_s = deadline_s,
                                    .tls_cert_pem = text_of(cert, "pem"),
                                    .tls_key_pem = text_of(cert, "key"),
                                    .tls_client_ca_pem =
                                        client_ca != NULL ? text_of(client_ca, "pem") : NULL};
    if (!http_server_start(&o, &s, &err))
        fail_msg("%s: %s", err.code, err.message);
    return s;
}

static struct http_server *start(const char *cert, const char *client_ca)
{
    return start_with(cert, client_ca, PATIENT_S);
}

struct attempt {
    const char *ca;     /* NULL = only the system's roots */
    const char *client; /* NULL = no client certificate */
    const char *host;
    const char *code; /* NULL = success */
    const char *says;
};

static struct http_client *client_for(const struct attempt *a)
{
    char ca[256];
    char cert[256];
    char key[256];
    struct http_client_options o = {0};
    struct http_client *c = NULL;
    struct error err = {0};
    if (a->ca != NULL)
        o.ca_path = path_of(a->ca, "pem", ca);
    if (a->client != NULL) {
        o.client_cert_path = path_of(a->client, "pem", cert);
        o.client_key_path = path_of(a->client, "key", key);
    }
    if (!http_client_open(&o, &c, &err))
        fail_msg("%s: %s", err.code, err.message);
    return c;
}

static bool call(struct http_client *c, const char *host, unsigned port, struct error *err)
{
    char url[64];
    snprintf(url, sizeof url, "https://%s:%u/", host != NULL ? host : "127.0.0.1", port);
    struct http_request r = {.method = "GET", .url = url, .timeout_ms = 5000, .body_max = 10};
    struct http_response answer HTTP_RESPONSE_AUTO = {0};
    return http_client_call(c, &r, &answer, err) && answer.status == 200 &&
           slice_equal_str(buf_slice(&answer.body), "hello");
}

static void check(struct http_server *s, const struct attempt *a)
{
    struct http_client *c HTTP_CLIENT_AUTO = client_for(a);
    struct error err = {0};
    int before = atomic_load(&served);
    bool ok = call(c, a->host, http_server_port(s, 0), &err);
    if (ok != (a->code == NULL))
        fail_msg("%s/%s: %s %s", a->ca, a->client, ok ? "accepted" : err.code, err.message);
    if (!ok && (strcmp(err.code, a->code) != 0 || strstr(err.message, a->says) == NULL))
        fail_msg("%s/%s: %s: %s", a->ca, a->client, err.code, err.message);
    /* a refused client has reached no handler */
    assert_int_equal(atomic_load(&served), before + (ok ? 1 : 0));
}

static void test_server_certificates(void **state)
{
    (void)state;
    static const struct {
        const char *server;
        struct attempt attempt;
    } cases[] = {
        {"server", {.ca = "ca"}},
        {"server", {.ca = "ca", .host = "localhost"}},
        {"server", {.ca = "ca", .client = "client"}}, /* offered, not asked for */
        {"server", {.ca = NULL, .code = "http/tls", .says = "certificate"}},
        {"server", {.ca = "other-ca", .code = "http/tls", .says = "certificate"}},
        {"server-old", {.ca = "ca", .code = "http/tls", .says = "expired"}},
        {"server", {.ca = "ca", .host = "127.0.0.2", .code = "http/tls", .says = "127.0.0.2"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_server *s = start(cases[i].server, NULL);
        check(s, &cases[i].attempt);
        http_server_stop(&s, 100);
    }
}

static void test_client_certificates(void **state)
{
    (void)state;
    static const struct attempt cases[] = {
        {.ca = "ca", .client = "client"},
        {.ca = "ca", .client = NULL, .code = "http/tls", .says = "refuses"},
        {.ca = "ca", .client = "client-other", .code = "http/tls", .says = "refuses"},
        {.ca = "ca", .client = "client-old", .code = "http/tls", .says = "refuses"},
        {.ca = "ca", .client = "client-early", .code = "http/tls", .says = "refuses"},
        {.ca = "ca", .client = "client-self", .code = "http/tls", .says = "refuses"},
        {.ca = "ca", .client = "server", .code = "http/tls", .says = "refuses"}, /* wrong purpose */
        {.ca = "ca", .client = "client"},
    };
    struct http_server *s = start("server", "ca");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(s, &cases[i]);
    http_server_stop(&s, 100);
}

/* One request over exactly this version of TLS; the status, 0 when there is no answer. */
static int call_with_version(unsigned port, int version, const char *client)
{
    char path[256];
    char reply[512] = "";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0); /* or OpenSSL itself would refuse the old versions */
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    if (client != NULL) {
        SSL_CTX_use_certificate_file(ctx, path_of(client, "pem", path), SSL_FILETYPE_PEM);
        SSL_CTX_use_PrivateKey_file(ctx, path_of(client, "key", path), SSL_FILETYPE_PEM);
    }
    SSL *ssl = SSL_new(ctx);
    int fd = raw_connect(port);
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    if (SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1 &&
        SSL_write(ssl, request, (int)sizeof request - 1) > 0)
        SSL_read(ssl, reply, (int)sizeof reply - 1);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return raw_status(reply);
}

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        int version;
        const char *client;
        int status;
    } cases[] = {
        {TLS1_3_VERSION, "client", 200},   {TLS1_2_VERSION, "client", 200},
        {TLS1_2_VERSION, NULL, 0},         {TLS1_2_VERSION, "client-other", 0},
        {TLS1_2_VERSION, "client-old", 0}, {TLS1_3_VERSION, "client-old", 0},
        {TLS1_1_VERSION, "client", 0},     {TLS1_VERSION, "client", 0},
    };
    struct http_server *s = start("server", "ca");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (call_with_version(http_server_port(s, 0), cases[i].version, cases[i].client) !=
            cases[i].status)
            fail_msg("case %zu", i);
    http_server_stop(&s, 100);
}

static void test_connection_is_kept(void **state)
{
    (void)state;
    struct http_server *s = start("server", "ca");
    struct http_client *c HTTP_CLIENT_AUTO =
        client_for(&(struct attempt){.ca = "ca", .client = "client"});
    struct error err = {0};
    int64_t first = clock_monotonic_us();
    assert_true(call(c, NULL, http_server_port(s, 0), &err));
    int64_t second = clock_monotonic_us();
    for (int i = 0; i < 20; i++)
        assert_true(call(c, NULL, http_server_port(s, 0), &err));
    /* twenty calls without a handshake cost less than twenty with one */
    assert_true(clock_monotonic_us() - second < 20 * (second - first));
    http_server_stop(&s, 100);
}

static void test_reload(void **state)
{
    (void)state;
    struct http_server *s = start("server", "ca");
    struct error err = {0};
    check(s, &(struct attempt){.ca = "ca", .client = "client"});
    /* rubbish changes nothing */
    assert_false(http_server_reload_tls(s, "rubbish", "rubbish", NULL, &err));
    assert_string_equal(err.code, "http/tls");
    assert_false(
        http_server_reload_tls(s, text_of("server2", "pem"), text_of("server", "key"), NULL, &err));
    assert_false(http_server_reload_tls(s, text_of("server", "pem"), text_of("server", "key"),
                                        "rubbish", &err));
    check(s, &(struct attempt){.ca = "ca", .client = "client"});
    assert_true(http_server_reload_tls(s, text_of("server2", "pem"), text_of("server2", "key"),
                                       text_of("other-ca", "pem"), &err));
    check(s, &(struct attempt){.ca = "other-ca", .client = "client-other"});
    check(s, &(struct attempt){
                 .ca = "other-ca", .client = "client", .code = "http/tls", .says = "refuses"});
    check(s, &(struct attempt){
                 .ca = "ca", .client = "client-other", .code = "http/tls", .says = "certificate"});
    http_server_stop(&s, 100);
}

static void test_bad_server_identity(void **state)
{
    (void)state;
    const char *const good_cert = text_of("server", "pem");
    const char *const good_key = text_of("server", "key");
    const struct {
        const char *cert, *key, *client_ca;
    } cases[] = {
        {"", good_key, NULL},      {good_cert, "", NULL},
        {good_cert, NULL, NULL},   {good_cert, text_of("ca", "key"), NULL},
        {good_cert, good_key, ""}, {good_cert, good_key, "rubbish"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_server *s = NULL;
        struct error err = {0};
        struct http_server_options o = {.listen = any_port,
                                        .listen_count = 1,
                                        .tls_cert_pem = cases[i].cert,
                                        .tls_key_pem = cases[i].key,
                                        .tls_client_ca_pem = cases[i].client_ca};
        assert_false(http_server_start(&o, &s, &err));
        assert_string_equal(err.code, "http/tls");
        assert_null(s);
    }
}

/* Neither plain HTTP nor half a handshake holds a place for long. */
static void test_handshake_deadline(void **state)
{
    (void)state;
    struct http_server *s = start_with("server", NULL, IMPATIENT_S);
    static const char *const openings[] = {"", "\x16\x03\x01\x00\xc8", "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < 3; i++) {
        int fd = raw_connect(http_server_port(s, 0));
        int64_t began = clock_monotonic_ms();
        bool closed = false;
        raw_send(fd, openings[i]);
        raw_read(fd, NULL, 20000, &closed);
        assert_true(closed);
        assert_true(clock_monotonic_ms() - began < 20000); /* ours, not that of raw_read */
        close(fd);
    }
    http_server_stop(&s, 0);
}

static int make_certs(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets that the server has closed */
    if (mkdtemp(dir) == NULL)
        return -1;
    for (size_t i = 0; i < sizeof certs / sizeof certs[0]; i++)
        test_cert_make(dir, &certs[i]);
    return 0;
}

static int remove_certs(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_certificates),
        cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_connection_is_kept),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_bad_server_identity),
        cmocka_unit_test(test_handshake_deadline),
    };
    return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
