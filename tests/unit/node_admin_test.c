/* The admin API over real sockets on a real store (compatibility facts E). */
#include "node/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "http/client.h"
#include "node/limits.h"

enum { BODY_MAX = 8 * 1024 * 1024 };

static const char HELLO_ID[] = "B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH";
static const char HELLO_HASH[] = "42TEXg1vFAbcJ65y7qdYG9iCPvYfy3NDdVLd75akX2P5";
static const char EMPTY_ID[] = "GKot5hBsd81kMupNCXHaqbhv3huEbxAFMLnpcX2hniwn";

struct api {
    char dir[64];
    struct store *store;
    struct admin *admin;
    struct http_client *client;
    char base[128];
    struct http_response response;
};

/* --- helpers --- */

static void open_store(struct api *api)
{
    char data[128], blobs[128];
    uint8_t key[32] = {7};
    struct error err;
    snprintf(data, sizeof data, "%s/data", api->dir);
    snprintf(blobs, sizeof blobs, "%s/blobs", api->dir);
    struct store_options options = {
        .data_dir = data, .blob_dir = blobs, .key = slice_of(key, sizeof key), .create = true};
    if (!store_open(&options, &api->store, &err))
        fail_msg("%s: %s", err.code, err.message);
}

static void start_api(struct api *api, const char *prefix)
{
    static const char *const listen[] = {"127.0.0.1:0"};
    struct admin_options options = {.listen = listen, .listen_count = 1, .path_prefix = prefix};
    struct http_client_options client = {.ignore_proxy = true};
    struct error err;
    if (!admin_start(&options, &api->admin, &err))
        fail_msg("%s: %s", err.code, err.message);
    assert_true(http_client_open(&client, &api->client, &err));
    snprintf(api->base, sizeof api->base, "http://127.0.0.1:%u", admin_port(api->admin, 0));
}

static int setup(void **state)
{
    struct api *api = calloc(1, sizeof *api);
    snprintf(api->dir, sizeof api->dir, "/tmp/merod-admin-XXXXXX");
    assert_non_null(mkdtemp(api->dir));
    open_store(api);
    start_api(api, NULL);
    admin_set_ready(api->admin, api->store, NULL);
    *state = api;
    return 0;
}

static int teardown(void **state)
{
    struct api *api = *state;
    http_response_free(&api->response);
    http_client_close(&api->client);
    admin_stop(&api->admin, 1000);
    store_close(&api->store);
    assert_true(file_remove_tree(api->dir, NULL));
    free(api);
    return 0;
}

/* The response stays in api->response until the next call. header may be NULL. */
static long call(struct api *api, const char *method, const char *path, struct slice body,
                 const char *header)
{
    char url[512];
    struct error err;
    snprintf(url, sizeof url, "%s%s", api->base, path);
    struct http_request request = {.method = method,
                                   .url = url,
                                   .headers = {header},
                                   .body = body,
                                   .timeout_ms = 10000,
                                   .body_max = BODY_MAX};
    http_response_free(&api->response);
    memset(&api->response, 0, sizeof api->response);
    if (!http_client_call(api->client, &request, &api->response, &err))
        fail_msg("%s %s: %s: %s", method, path, err.code, err.message);
    return api->response.status;
}

static long get(struct api *api, const char *path)
{
    return call(api, "GET", path, slice_of(NULL, 0), NULL);
}

static void expect_body(struct api *api, const char *text)
{
    struct buf *body = &api->response.body;
    if (!slice_equal_str(buf_slice(body), text))
        fail_msg("got '%.*s', wanted '%s'", (int)body->len, (const char *)body->data, text);
}

static void expect_header(struct api *api, const char *name, const char *value)
{
    struct slice got;
    if (!http_response_header(&api->response, name, &got))
        fail_msg("no header %s", name);
    if (!slice_equal_str(got, value))
        fail_msg("%s is '%.*s', wanted '%s'", name, (int)got.len, (const char *)got.data, value);
}

static void put_hello(struct api *api)
{
    assert_int_equal(call(api, "PUT", "/admin-api/blobs", slice_str("hello"), NULL), 200);
}

/* --- tests --- */

static void fixed_answers(void **state)
{
    static const struct {
        const char *method, *path;
        long status;
        const char *body;
    } cases[] = {
        {"GET", "/admin-api/health", 200, "{\"data\":{\"status\":\"alive\"}}"},
        {"GET", "/admin-api/ready", 200, "{\"data\":{\"status\":\"ready\"}}"},
        {"GET", "/admin-api/is-authed", 200, "{\"data\":{\"status\":\"alive\"}}"},
        {"GET", "/admin-api/certificate", 404, "{\"error\":\"Certificate not found\"}"},
        {"GET", "/admin-api/blobs", 200, "{\"data\":{\"blobs\":[]}}"},
        {"GET", "/", 404, "{\"error\":\"Not found\"}"},
        {"GET", "/admin-api", 404, "{\"error\":\"Not found\"}"},
        {"POST", "/jsonrpc", 404, "{\"error\":\"Not found\"}"},
        {"GET", "/ws", 404, "{\"error\":\"Not found\"}"},
        {"GET", "/sse", 404, "{\"error\":\"Not found\"}"},
        {"POST", "/admin-api/tee/verify-quote", 404, "{\"error\":\"Not found\"}"},
        {"GET", "/admin-api/healthz", 404, "{\"error\":\"Not found\"}"},
        {"POST", "/admin-api/health", 405, "{\"error\":\"Method not allowed\"}"},
        {"GET", "/admin-api/tee/attest", 405, "{\"error\":\"Method not allowed\"}"},
        {"DELETE", "/admin-api/blobs", 405, "{\"error\":\"Method not allowed\"}"},
        {"GET", "/admin-api/blobs/0OIl", 400, "{\"error\":\"Invalid blob ID format\"}"},
        {"GET", "/admin-api/blobs/", 400, "{\"error\":\"Invalid blob ID format\"}"},
        {"GET", "/admin-api/blobs/11111111111111111111111111111111", 404,
         "{\"error\":\"Blob not found locally or in network\"}"},
        {"DELETE", "/admin-api/blobs/x", 400, "{\"error\":\"Invalid blob ID format\"}"},
        {"DELETE", "/admin-api/blobs/11111111111111111111111111111111", 500,
         "{\"error\":\"Failed to delete blob: Blob not found\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        long status = call(*state, cases[i].method, cases[i].path, slice_of(NULL, 0), NULL);
        if (status != cases[i].status)
            fail_msg("%s %s: %ld", cases[i].method, cases[i].path, status);
        expect_body(*state, cases[i].body);
        expect_header(*state, "Content-Type", "application/json");
        expect_header(*state, "X-Content-Type-Options", "nosniff");
    }
}

static void phases(void **state)
{
    struct api *api = *state;
    admin_stop(&api->admin, 1000);
    http_client_close(&api->client);
    start_api(api, NULL);
    assert_int_equal(get(api, "/admin-api/ready"), 503);
    expect_body(api, "{\"data\":{\"status\":\"starting\"}}");
    assert_int_equal(get(api, "/admin-api/health"), 503);
    expect_body(api, "{\"data\":{\"status\":\"store_unavailable\"}}");
    static const struct {
        const char *method, *path;
    } gated[] = {{"GET", "/admin-api/blobs"},    {"PUT", "/admin-api/blobs"},
                 {"GET", "/admin-api/blobs/x"},  {"DELETE", "/admin-api/blobs/x"},
                 {"GET", "/admin-api/tee/info"}, {"POST", "/admin-api/tee/attest"}};
    for (size_t i = 0; i < sizeof gated / sizeof gated[0]; i++) {
        struct slice body = slice_str(gated[i].method[0] == 'P' ? "x" : "");
        assert_int_equal(call(api, gated[i].method, gated[i].path, body, NULL), 503);
        expect_body(api, "{\"error\":\"The node is starting\"}");
        expect_header(api, "Retry-After", "1");
    }
    admin_set_ready(api->admin, api->store, NULL);
    assert_int_equal(get(api, "/admin-api/ready"), 200);
    admin_set_stopping(api->admin);
    assert_int_equal(get(api, "/admin-api/ready"), 503);
    expect_body(api, "{\"data\":{\"status\":\"shutting_down\"}}");
    assert_int_equal(get(api, "/admin-api/blobs"), 503);
    expect_body(api, "{\"error\":\"The node is shutting down\"}");
}

static void prefixes(void **state)
{
    struct api *api = *state;
    static const char *const given[] = {"/node1", "node1/", "/node1//"};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        admin_stop(&api->admin, 1000);
        http_client_close(&api->client);
        start_api(api, given[i]);
        assert_int_equal(get(api, "/node1/admin-api/is-authed"), 200);
        assert_int_equal(get(api, "/admin-api/is-authed"), 404);
        assert_int_equal(get(api, "/node1/metrics"), 200);
    }
    static const char *const listen[] = {"127.0.0.1:0"};
    static const char *const refused[] = {"/a b", "/a*", "/a?b", "/\xc3\xa4"};
    struct admin *admin = NULL;
    struct error err;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct admin_options options = {
            .listen = listen, .listen_count = 1, .path_prefix = refused[i]};
        assert_false(admin_start(&options, &admin, &err));
        assert_string_equal(err.code, "config/path-prefix");
    }
    char prefix[NODE_PATH_PREFIX_MAX + 2];
    for (size_t len = NODE_PATH_PREFIX_MAX - 1; len <= NODE_PATH_PREFIX_MAX + 1; len++) {
        memset(prefix, 'a', len);
        prefix[0] = '/';
        prefix[len] = 0;
        struct admin_options options = {.listen = listen, .listen_count = 1, .path_prefix = prefix};
        bool ok = admin_start(&options, &admin, &err);
        assert_int_equal(ok, len <= NODE_PATH_PREFIX_MAX);
        admin_stop(&admin, 0);
    }
}

static void a_taken_port_is_told(void **state)
{
    struct api *api = *state;
    char taken[32];
    snprintf(taken, sizeof taken, "127.0.0.1:%u", admin_port(api->admin, 0));
    const char *const listen[] = {taken};
    struct admin_options options = {.listen = listen, .listen_count = 1};
    struct admin *second = NULL;
    struct error err;
    assert_false(admin_start(&options, &second, &err));
    assert_null(second);
    assert_string_equal(err.code, "node/listen");
    assert_non_null(strstr(err.message, taken));
}

static void upload_download_delete(void **state)
{
    struct api *api = *state;
    char path[128], expected[160];
    put_hello(api);
    snprintf(expected, sizeof expected, "{\"data\":{\"blob_id\":\"%s\",\"size\":5}}", HELLO_ID);
    expect_body(api, expected);

    snprintf(path, sizeof path, "/admin-api/blobs/%s", HELLO_ID);
    assert_int_equal(get(api, path), 200);
    expect_body(api, "hello");
    expect_header(api, "Content-Length", "5");
    expect_header(api, "Content-Type", "application/octet-stream");
    expect_header(api, "Cache-Control", "private, no-cache");
    expect_header(api, "Accept-Ranges", "bytes");
    expect_header(api, "X-Blob-ID", HELLO_ID);
    expect_header(api, "X-Blob-Hash",
                  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    expect_header(api, "X-Blob-MIME-Type", "application/octet-stream");
    expect_header(api, "ETag",
                  "\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"");

    assert_int_equal(call(api, "HEAD", path, slice_of(NULL, 0), NULL), 200);
    expect_header(api, "Content-Length", "5");
    assert_int_equal(api->response.body.len, 0);

    assert_int_equal(get(api, "/admin-api/blobs"), 200);
    snprintf(expected, sizeof expected, "{\"data\":{\"blobs\":[{\"blob_id\":\"%s\",\"size\":5}]}}",
             HELLO_ID);
    expect_body(api, expected);

    assert_int_equal(call(api, "DELETE", path, slice_of(NULL, 0), NULL), 200);
    snprintf(expected, sizeof expected, "{\"blob_id\":\"%s\",\"deleted\":true}", HELLO_ID);
    expect_body(api, expected);
    assert_int_equal(get(api, path), 404);
    assert_int_equal(get(api, "/admin-api/blobs"), 200);
    expect_body(api, "{\"data\":{\"blobs\":[]}}");
}

static void an_empty_blob(void **state)
{
    struct api *api = *state;
    char path[128], expected[160];
    assert_int_equal(call(api, "PUT", "/admin-api/blobs", slice_of(NULL, 0), NULL), 200);
    snprintf(expected, sizeof expected, "{\"data\":{\"blob_id\":\"%s\",\"size\":0}}", EMPTY_ID);
    expect_body(api, expected);
    snprintf(path, sizeof path, "/admin-api/blobs/%s", EMPTY_ID);
    assert_int_equal(get(api, path), 200);
    expect_header(api, "Content-Length", "0");
    assert_int_equal(call(api, "GET", path, slice_of(NULL, 0), "Range: bytes=0-"), 416);
    expect_header(api, "Content-Range", "bytes */0");
}

static void expected_hashes(void **state)
{
    struct api *api = *state;
    char path[160];
    snprintf(path, sizeof path, "/admin-api/blobs?hash=%s&context_id=x", HELLO_HASH);
    assert_int_equal(call(api, "PUT", path, slice_str("hello"), NULL), 200);
    assert_int_equal(call(api, "PUT", path, slice_str("hellO"), NULL), 400);
    assert_non_null(strstr(buf_cstr(&api->response.body), "{\"error\":\"Failed to store blob: "));
    assert_int_equal(call(api, "PUT", "/admin-api/blobs?hash=0OIl", slice_str("hello"), NULL), 400);
    expect_body(api, "{\"error\":\"The provided hash is not a valid format\"}");
    assert_int_equal(call(api, "PUT", "/admin-api/blobs?hash=", slice_str("hello"), NULL), 400);
    assert_int_equal(get(api, "/admin-api/blobs"), 200);
    assert_null(strstr(strstr(buf_cstr(&api->response.body), "blob_id") + 1, "blob_id"));
}

static void ranges_and_conditions(void **state)
{
    struct api *api = *state;
    char path[128];
    put_hello(api);
    snprintf(path, sizeof path, "/admin-api/blobs/%s", HELLO_ID);
    static const struct {
        const char *header;
        long status;
        const char *body, *content_range;
    } cases[] = {
        {"Range: bytes=1-3", 206, "ell", "bytes 1-3/5"},
        {"Range: bytes=-2", 206, "lo", "bytes 3-4/5"},
        {"Range: bytes=4-99", 206, "o", "bytes 4-4/5"},
        {"Range: bytes=5-", 416, NULL, "bytes */5"},
        {"Range: bytes=0-1,3-4", 200, "hello", NULL},
        {"If-None-Match: *", 304, "", NULL},
        {"If-None-Match: \"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"", 304,
         "", NULL},
        {"If-None-Match: \"a\", "
         "W/\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"",
         304, "", NULL},
        {"If-None-Match: \"other\"", 200, "hello", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(call(api, "GET", path, slice_of(NULL, 0), cases[i].header),
                         cases[i].status);
        if (cases[i].body != NULL)
            expect_body(api, cases[i].body);
        if (cases[i].content_range != NULL)
            expect_header(api, "Content-Range", cases[i].content_range);
    }
}

static void if_range(void **state)
{
    struct api *api = *state;
    char url[256];
    put_hello(api);
    snprintf(url, sizeof url, "%s/admin-api/blobs/%s", api->base, HELLO_ID);
    static const struct {
        const char *header;
        long status;
    } cases[] = {
        {"If-Range: \"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"", 206},
        {"If-Range: \"other\"", 200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_response response HTTP_RESPONSE_AUTO = {0};
        struct http_request request = {.method = "GET",
                                       .url = url,
                                       .headers = {"Range: bytes=0-0", cases[i].header},
                                       .timeout_ms = 5000,
                                       .body_max = 100};
        assert_true(http_client_call(api->client, &request, &response, NULL));
        assert_int_equal(response.status, cases[i].status);
    }
}

/* Several chunks: content, hash, and ranges across chunk borders. */
static void a_blob_of_several_chunks(void **state)
{
    struct api *api = *state;
    enum { LEN = 3 * 1024 * 1024 + 17, BORDER = 1024 * 1024 };
    uint8_t *content = malloc(LEN), hash[SHA256_LEN];
    for (size_t i = 0; i < LEN; i++)
        content[i] = (uint8_t)(i * 2654435761u >> 13);
    memcpy(content, "\x1f\x8b", 2);
    sha256(slice_of(content, LEN), hash);
    assert_int_equal(call(api, "PUT", "/admin-api/blobs", slice_of(content, LEN), NULL), 200);
    json_t *root JSON_AUTO = NULL, *data = NULL;
    struct slice id;
    char path[160], header[80];
    assert_true(json_parse(buf_slice(&api->response.body), 4096, 0, &root, NULL) &&
                json_get_object(root, "data", &data, NULL) &&
                json_get_str(data, "blob_id", &id, NULL));
    snprintf(path, sizeof path, "/admin-api/blobs/%.*s", (int)id.len, (const char *)id.data);

    assert_int_equal(get(api, path), 200);
    assert_int_equal(api->response.body.len, LEN);
    assert_memory_equal(api->response.body.data, content, LEN);
    expect_header(api, "Content-Type", "application/gzip");
    char hex[2 * SHA256_LEN + 1];
    hex_encode(slice_of(hash, sizeof hash), hex);
    expect_header(api, "X-Blob-Hash", hex);

    snprintf(header, sizeof header, "Range: bytes=%d-%d", BORDER - 3, BORDER + 2);
    assert_int_equal(call(api, "GET", path, slice_of(NULL, 0), header), 206);
    assert_int_equal(api->response.body.len, 6);
    assert_memory_equal(api->response.body.data, content + BORDER - 3, 6);
    free(content);
}

static void metrics(void **state)
{
    struct api *api = *state;
    put_hello(api);
    (void)get(api, "/nowhere");
    assert_int_equal(get(api, "/metrics"), 200);
    expect_header(api, "Content-Type",
                  "application/openmetrics-text; version=1.0.0; charset=utf-8");
    const char *text = buf_cstr(&api->response.body);
    static const char *const wanted[] = {
        "# TYPE http_requests counter\n",
        "http_requests_total{method=\"PUT\",status=\"200\"} 1\n",
        "http_requests_total{method=\"GET\",status=\"404\"} 1\n",
        "merod_ready 1\n",
        "merod_store_encrypted 1\n",
        "merod_blob_bytes_total{direction=\"in\"} 5\n",
        "merod_build_info{version=\"",
        "process_resident_memory_bytes ",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(text, wanted[i]) == NULL)
            fail_msg("no '%s' in\n%s", wanted[i], text);
    assert_null(strstr(text, "process_resident_memory_bytes 0\n"));
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(fixed_answers),
        TEST(phases),
        TEST(prefixes),
        TEST(a_taken_port_is_told),
        TEST(upload_download_delete),
        TEST(an_empty_blob),
        TEST(expected_hashes),
        TEST(ranges_and_conditions),
        TEST(if_range),
        TEST(a_blob_of_several_chunks),
        TEST(metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
