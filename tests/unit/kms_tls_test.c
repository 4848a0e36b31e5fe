/* TLS in the KMS itself: certificates, client certificates, reload on SIGHUP, and the whole
 * exchange with a node that presents one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "http/client.h"
#include "support/kms_fixture.h"
#include "support/test_certs.h"

static struct kms_fixture world;
static char url[64];

static const struct test_cert certs[] = {
    {.name = "ca", .use = TEST_CERT_CA},
    {.name = "other-ca", .use = TEST_CERT_CA},
    {.name = "server", .issuer = "ca", .use = TEST_CERT_SERVER},
    {.name = "server2", .issuer = "other-ca", .use = TEST_CERT_SERVER},
    {.name = "client", .issuer = "ca", .use = TEST_CERT_CLIENT},
    {.name = "client-other", .issuer = "other-ca", .use = TEST_CERT_CLIENT},
    {.name = "client-old",
     .issuer = "ca",
     .use = TEST_CERT_CLIENT,
     .from_s = -7200,
     .until_s = -60},
};

static const char *path_of(const char *name)
{
    static char slots[8][256];
    static unsigned next;
    char *out = slots[next++ % 8];
    snprintf(out, sizeof(slots[0]), "%s/%s", world.dir, name);
    return out;
}

static int open_world(void **state)
{
    (void)state;
    fixture_open(&world);
    for (size_t i = 0; i < sizeof(certs) / sizeof(certs[0]); i++)
        test_cert_make(world.dir, &certs[i]);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    fixture_close(&world);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fixture_stop(&world);
    return 0;
}

static void start(bool clients)
{
    fixture_defaults(&world);
    fixture_set(&world, "MERO_KMS_TLS_CERT", path_of("server.pem"));
    fixture_set(&world, "MERO_KMS_TLS_KEY", path_of("server.key"));
    if (clients)
        fixture_set(&world, "MERO_KMS_TLS_CLIENT_CA", path_of("ca.pem"));
    fixture_configure(&world);
    fixture_start(&world);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", kms_port(world.kms));
}

static bool fetch(const char *ca, const char *client, struct error *err)
{
    struct fixture_node node;
    SECRET_AUTO struct secret key = {0};
    char cert[64] = "", private_key[64] = "";
    fixture_node(&world, "node", &node);
    node.options.url = url;
    node.options.tls_ca_path = path_of(ca);
    node.options.budget_ms = 1;
    if (client != NULL) {
        snprintf(cert, sizeof(cert), "%s.pem", client);
        snprintf(private_key, sizeof(private_key), "%s.key", client);
        node.options.tls_client_cert_path = path_of(cert);
        node.options.tls_client_key_path = path_of(private_key);
    }
    bool ok = keyrelease_fetch(&node.options, &key, NULL, NULL, err);
    fixture_node_free(&node);
    return ok;
}

static void test_tls(void **state)
{
    (void)state;
    struct error err = {0};
    start(false);
    if (!fetch("ca.pem", NULL, &err))
        fail_msg("%s", err.message);
    assert_false(fetch("other-ca.pem", NULL, &err));
    assert_string_equal(err.code, "keyrelease/transport");
    /* Plain HTTP is not answered there. */
    struct fixture_reply reply;
    fixture_request(&world, "GET /health HTTP/1.1\r\nHost: k\r\n\r\n", &reply);
    assert_int_not_equal(reply.status, 200);
}

static void test_client_certificates(void **state)
{
    (void)state;
    struct error err = {0};
    start(true);
    if (!fetch("ca.pem", "client", &err))
        fail_msg("%s", err.message);
    assert_false(fetch("ca.pem", NULL, &err));
    assert_false(fetch("ca.pem", "client-other", &err));
    assert_false(fetch("ca.pem", "client-old", &err));
}

static void replace(const char *name, const char *by)
{
    struct buf text BUF_AUTO = BUF_INIT(65536);
    struct error err = {0};
    assert_true(file_read(path_of(by), &text, &err));
    assert_true(file_write_atomic(path_of(name), buf_slice(&text), 0600, &err));
}

/* A certificate that does not fit its key leaves the old pair in place; a good pair is taken. */
static void test_reload(void **state)
{
    (void)state;
    struct error err = {0};
    start(false);
    replace("server.pem", "server2.pem");
    kms_reload(world.kms);
    if (!fetch("ca.pem", NULL, &err))
        fail_msg("%s", err.message);
    replace("server.key", "server2.key");
    kms_reload(world.kms);
    assert_false(fetch("ca.pem", NULL, &err));
    if (!fetch("other-ca.pem", NULL, &err))
        fail_msg("%s", err.message);
}

static void test_unusable_files(void **state)
{
    (void)state;
    struct error err = {0};
    const char *const keys[] = {path_of("nothing.key"), path_of("ca.key")};
    for (size_t i = 0; i < 2; i++) {
        fixture_defaults(&world);
        fixture_set(&world, "MERO_KMS_TLS_CERT", path_of("client.pem"));
        fixture_set(&world, "MERO_KMS_TLS_KEY", keys[i]);
        fixture_configure(&world);
        assert_false(kms_start(&world.config, &world.kms, &err));
        assert_null(world.kms);
        kms_config_free(&world.config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_tls, finish),
        cmocka_unit_test_teardown(test_client_certificates, finish),
        cmocka_unit_test_teardown(test_reload, finish),
        cmocka_unit_test_teardown(test_unusable_files, finish),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
