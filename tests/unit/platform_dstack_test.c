/* The dstack client against an agent on a real unix socket: right, wrong in every way the spec
 * names, slow, silent and absent. */
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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "http/server.h"
#include "platform/dstack.h"
#include "platform/quote_source.h"
#include "platform/tee_info.h"
#include "sim/world.h"
#include "support/scripted_server.h"

enum { NOW = 1767225600 };

static char dir[] = "/tmp/mero-dstack-test-XXXXXX";
static char socket_path[64];
static uint8_t report_data[64];
static struct sim_world world;

static int set_up(void **state)
{
    (void)state;
    struct error err = {0};
    if (mkdtemp(dir) == NULL ||
        !sim_world_create(&world, &(struct sim_world_options){.now_s = NOW}, &err))
        return -1;
    snprintf(socket_path, sizeof socket_path, "%s/dstack.sock", dir);
    for (size_t i = 0; i < sizeof report_data; i++)
        report_data[i] = (uint8_t)(i * 3 + 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sim_world_free(&world);
    return file_remove_tree(dir, NULL) ? 0 : -1;
}

static struct dstack *open_dstack(unsigned timeout_ms)
{
    struct dstack *d = NULL;
    struct error err = {0};
    const struct dstack_options o = {.socket_path = socket_path, .timeout_ms = timeout_ms};
    if (!dstack_open(&o, &d, &err))
        fail_msg("%s: %s", err.code, err.message);
    return d;
}

/* A reply of 200 with this JSON. */
static struct script json_script(struct buf *into, const char *status, const char *json)
{
    *into = BUF_INIT(8 * 1024 * 1024);
    buf_printf(into,
               "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               status, strlen(json), json);
    return (struct script){.reply = (const char *)into->data, .len = into->len};
}

/* ---- GetKey ---- */

#define KEY "af4e8c2fe75b508c3cc073368c9aa61fa63fae6cd10be440391581551b6366e9"

struct key_case {
    const char *status;
    const char *json;
    const char *code; /* NULL = success */
    const char *says;
};

static void check_key(const struct key_case *c)
{
    struct buf text BUF_AUTO = {0};
    struct script script = json_script(&text, c->status, c->json);
    struct scripted_server *agent = scripted_start(&script, 1, socket_path);
    struct dstack *d = open_dstack(2000);
    struct secret key SECRET_AUTO = {0};
    struct error err = {0};
    bool ok = dstack_get_key(d, "merod/storage/x", &key, &err);
    if (ok != (c->code == NULL))
        fail_msg("%s: %s %s", c->json, err.code, err.message);
    if (ok) {
        char hex[65];
        assert_int_equal(key.len, 32);
        hex_encode(secret_slice(&key), hex);
        assert_string_equal(hex, KEY);
    } else {
        assert_null(key.data);
        if (strcmp(err.code, c->code) != 0 || strstr(err.message, c->says) == NULL)
            fail_msg("%s: %s: %s", c->json, err.code, err.message);
        assert_true(strlen(err.message) < 500);
        assert_null(strstr(err.message, KEY)); /* never in a message, not even a bad one */
    }
    dstack_close(&d);
    scripted_stop(&agent);
}

static void test_get_key(void **state)
{
    (void)state;
    static const struct key_case cases[] = {
        {"200 OK", "{\"key\":\"" KEY "\",\"signature_chain\":[\"00\",\"01\"]}", NULL, NULL},
        {"200 OK", "{\"signature_chain\":[],\"key\":\"0x" KEY "\"}", NULL, NULL},
        {"200 OK", "{\"key\":\"0x0X" KEY "\",\"more\":{\"a\":[1,2,null]}}", NULL, NULL},
        {"200 OK", "{\"key\":\"AF4E8C2FE75B508C3CC073368C9AA61FA63FAE6CD10BE440391581551B6366E9\"}",
         NULL, NULL},
        {"200 OK", "{\"key\":\"" KEY "00\"}", "platform/agent", "no key of 32 bytes"},
        {"200 OK", "{\"key\":\"af4e\"}", "platform/agent", "no key of 32 bytes"},
        {"200 OK", "{\"key\":\"\"}", "platform/agent", "no key of 32 bytes"},
        {"200 OK", "{\"key\":\"g" KEY "\"}", "platform/agent", "no key of 32 bytes"},
        {"200 OK", "{\"key\":\"" KEY "\",\"key\":\"" KEY "\"}", "platform/agent", "GetKey"},
        {"200 OK", "{\"key\":null}", "platform/agent", "GetKey"},
        {"200 OK", "{\"key\":5}", "platform/agent", "GetKey"},
        {"200 OK", "{}", "platform/agent", "key"},
        {"200 OK", "null", "platform/agent", "GetKey"},
        {"200 OK", "", "platform/agent", "GetKey"},
        {"200 OK", "[\"" KEY "\"]", "platform/agent", "GetKey"},
        {"200 OK", "{\"key\":\"" KEY "\"", "platform/agent", "GetKey"},
        {"200 OK", "{\"key\":\"" KEY "\"} x", "platform/agent", "GetKey"},
        {"200 OK", "<html>", "platform/agent", "GetKey"},
        {"201 Created", "{\"key\":\"" KEY "\"}", "platform/agent", "status 201"},
        {"400 Bad Request", "{\n  \"error\": \"Unsupported algorithm\"\n}", "platform/agent",
         "Unsupported algorithm"},
        {"400 Bad Request", "{\"error\":\"Service not found: GetKey\"}", "platform/agent-method",
         "does not know GetKey"},
        {"404 Not Found", "<html>no such route</html>", "platform/agent", "status 404"},
        {"500 Internal Server Error", "", "platform/agent", "status 500"},
        {"302 Found", "", "platform/agent", "status 302"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_key(&cases[i]);
}

static void test_request_as_the_spec_says(void **state)
{
    (void)state;
    struct buf text BUF_AUTO = {0};
    struct script script = json_script(&text, "200 OK", "{\"key\":\"" KEY "\"}");
    struct scripted_server *agent = scripted_start(&script, 1, socket_path);
    struct dstack *d = open_dstack(2000);
    struct secret key SECRET_AUTO = {0};
    struct error err = {0};
    assert_true(dstack_get_key(d, "merod/storage/\"q\"/12D3", &key, &err));
    const char *request = scripted_last_request(agent);
    assert_ptr_equal(strstr(request, "POST /GetKey HTTP/1.1\r\n"), request);
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(request,
                           "\r\n\r\n{\"path\":\"merod/storage/\\\"q\\\"/12D3\",\"purpose\":\"\","
                           "\"algorithm\":\"secp256k1\"}"));
    dstack_close(&d);
    scripted_stop(&agent);
}

static void test_error_text_is_bounded_and_printable(void **state)
{
    (void)state;
    struct buf json BUF_AUTO = BUF_INIT(100000);
    buf_append_str(&json, "{\"error\":\"\\u001b[31m\\n");
    for (int i = 0; i < 5000; i++)
        buf_append_str(&json, "xyz ");
    buf_append_str(&json, "\"}");
    struct buf text BUF_AUTO = {0};
    struct script script = json_script(&text, "400 Bad Request", buf_cstr(&json));
    struct scripted_server *agent = scripted_start(&script, 1, socket_path);
    struct dstack *d = open_dstack(2000);
    struct secret key SECRET_AUTO = {0};
    struct error err = {0};
    assert_false(dstack_get_key(d, "p", &key, &err));
    assert_true(strlen(err.message) < 200 + 150);
    assert_null(strchr(err.message, '\n'));
    assert_null(strchr(err.message, 27));
    dstack_close(&d);
    scripted_stop(&agent);
}

/* ---- GetQuote ---- */

static void make_quote_json(struct buf *json, const uint8_t in_quote[64], const char *event_log,
                            bool upper)
{
    struct buf quote BUF_AUTO = BUF_INIT(100000);
    struct error err = {0};
    *json = BUF_INIT(8 * 1024 * 1024);
    if (!sim_world_quote(&world, in_quote, &quote, &err))
        fail_msg("%s", err.message);
    buf_append_str(json, "{\"quote\":\"");
    size_t at = json->len;
    hex_append(json, buf_slice(&quote));
    for (size_t i = at; upper && i < json->len; i++)
        if (json->data[i] >= 'a')
            json->data[i] = (uint8_t)(json->data[i] - 32);
    buf_printf(json,
               "\",\"event_log\":\"%s\",\"report_data\":\"7878\",\"vm_config\":\"{\\\"v\\\":1}\"}",
               event_log);
    assert_non_null(buf_cstr(json));
}

static bool get_quote(const char *status, const char *json, struct dstack_quote *q,
                      struct error *err)
{
    struct buf text BUF_AUTO = {0};
    struct script script = json_script(&text, status, json);
    struct scripted_server *agent = scripted_start(&script, 1, socket_path);
    struct dstack *d = open_dstack(3000);
    bool ok = dstack_get_quote(d, report_data, q, err);
    assert_non_null(strstr(scripted_last_request(agent), "{\"report_data\":\"0104070a"));
    dstack_close(&d);
    scripted_stop(&agent);
    return ok;
}

static void test_get_quote(void **state)
{
    (void)state;
    for (int version = 4; version <= 5; version++)
        for (int upper = 0; upper < 2; upper++) {
            struct sim_world other SIM_WORLD_AUTO = {0};
            struct error err = {0};
            struct sim_world kept = world;
            assert_true(sim_world_create(
                &other,
                &(struct sim_world_options){.now_s = NOW, .quote_version = (uint16_t)version},
                &err));
            world = other;
            struct buf json BUF_AUTO = {0};
            make_quote_json(&json, report_data, "[{\\\"imr\\\":3}]", upper == 1);
            world = kept;
            struct dstack_quote q DSTACK_QUOTE_AUTO = {0};
            if (!get_quote("200 OK", buf_cstr(&json), &q, &err))
                fail_msg("%s: %s", err.code, err.message);
            assert_true(q.quote.len > 1000);
            assert_int_equal(q.quote.data[0], version);
            assert_true(slice_equal_str(buf_slice(&q.event_log), "[{\"imr\":3}]"));
            assert_true(slice_equal_str(buf_slice(&q.vm_config), "{\"v\":1}"));
        }
}

/* Through the front door: as the source of quotes, and as the source of the MRTD. */
static void test_as_quote_source(void **state)
{
    (void)state;
    struct buf json BUF_AUTO = {0};
    struct buf text BUF_AUTO = {0};
    make_quote_json(&json, report_data, "[{\\\"imr\\\":3}]", false);
    struct script script = json_script(&text, "200 OK", buf_cstr(&json));
    struct scripted_server *agent = scripted_start(&script, 1, socket_path);
    struct quote_source *s = NULL;
    struct error err = {0};
    const struct quote_source_options o = {
        .kind = QUOTE_SOURCE_DSTACK, .dstack_socket = socket_path, .timeout_ms = 3000};
    assert_true(quote_source_open(&o, &s, &err));
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    struct buf event_log BUF_AUTO = BUF_INIT(1000);
    assert_true(quote_source_take(s, report_data, &quote, &event_log, &err));
    assert_true(slice_equal_str(buf_slice(&event_log), "[{\"imr\":3}]"));
    assert_true(quote_source_take(s, report_data, &quote, NULL, &err));
    struct buf small BUF_AUTO = BUF_INIT(10);
    assert_false(quote_source_take(s, report_data, &small, NULL, &err));
    assert_string_equal(err.code, "platform/quote");
    /* the scripted agent cannot know the random report data of this one */
    uint8_t mrtd[MRTD_LEN];
    const struct tee_places nowhere = {.tdx_class = "/nowhere", .tdx_device = "/nowhere"};
    assert_false(tee_read_mrtd(&nowhere, s, mrtd, NULL, &err));
    assert_non_null(strstr(err.message, "other report data"));
    quote_source_close(&s);
    scripted_stop(&agent);
}

static void on_get_quote(struct http_exchange *x, void *ctx)
{
    struct slice body = http_exchange_body(x);
    uint8_t asked[64];
    struct buf json BUF_AUTO = {0};
    (void)ctx;
    /* {"report_data":"<128 digits>"} */
    if (!hex_decode(slice_cut(body, 16, 128), asked, sizeof asked))
        abort();
    make_quote_json(&json, asked, "[]", false);
    http_exchange_reply(x, 200, "application/json", buf_slice(&json));
}

static void test_mrtd_by_quote(void **state)
{
    (void)state;
    char address[80];
    snprintf(address, sizeof address, "unix:%s", socket_path);
    const char *const list[] = {address};
    static const struct http_route routes[] = {
        {.method = "POST", .path = "/GetQuote", .handler = on_get_quote, .body_max = 1000}};
    struct http_server *agent = NULL;
    struct quote_source *s = NULL;
    struct error err = {0};
    assert_true(http_server_start(
        &(struct http_server_options){
            .listen = list, .listen_count = 1, .routes = routes, .route_count = 1},
        &agent, &err));
    const struct quote_source_options o = {.kind = QUOTE_SOURCE_DSTACK,
                                           .dstack_socket = socket_path};
    assert_true(quote_source_open(&o, &s, &err));
    const struct tee_places nowhere = {.tdx_class = "/nowhere", .tdx_device = "/nowhere"};
    uint8_t mrtd[MRTD_LEN];
    const char *from = NULL;
    memset(world.quote.td.mrtd, 0x77, sizeof world.quote.td.mrtd);
    assert_true(tee_read_mrtd(&nowhere, s, mrtd, &from, &err));
    assert_string_equal(from, "quote");
    assert_memory_equal(mrtd, world.quote.td.mrtd, MRTD_LEN);
    quote_source_close(&s);
    http_server_stop(&agent, 100);
}

/* The echo in the reply is right and the quote itself is not: that is what must be noticed. */
static void test_wrong_report_data(void **state)
{
    (void)state;
    for (size_t at = 0; at < 64; at += 21) {
        uint8_t other[64];
        memcpy(other, report_data, sizeof other);
        other[at] ^= 0x10;
        struct buf json BUF_AUTO = {0};
        make_quote_json(&json, other, "[]", false);
        struct dstack_quote q DSTACK_QUOTE_AUTO = {0};
        struct error err = {0};
        assert_false(get_quote("200 OK", buf_cstr(&json), &q, &err));
        assert_string_equal(err.code, "platform/report-data");
        assert_null(q.quote.data);
    }
}

static void test_bad_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *status, *json, *code;
    } cases[] = {
        {"200 OK", "{\"quote\":\"0400\"}", "platform/quote"},
        {"200 OK", "{\"quote\":\"\"}", "platform/quote"},
        {"200 OK", "{\"quote\":\"040\"}", "platform/agent"},
        {"200 OK", "{\"quote\":\"zz\"}", "platform/agent"},
        {"200 OK", "{\"quote\":7}", "platform/agent"},
        {"200 OK", "{\"event_log\":\"[]\"}", "platform/agent"},
        {"200 OK", "null", "platform/agent"},
        {"400 Bad Request", "{\"error\":\"Report data is too long\"}", "platform/agent"},
        {"400 Bad Request", "{\"error\":\"Service not found: GetQuote\"}", "platform/agent-method"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dstack_quote q DSTACK_QUOTE_AUTO = {0};
        struct error err = {0};
        assert_false(get_quote(cases[i].status, cases[i].json, &q, &err));
        assert_string_equal(err.code, cases[i].code);
    }
}

/* ---- faults of transport ---- */

static void test_transport_faults(void **state)
{
    (void)state;
    static const struct {
        struct script script;
        const char *code;
    } cases[] = {
        {{.reply = NULL, .keep_open = true}, "platform/timeout"},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"key\":", .keep_open = true},
         "platform/timeout"},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"key\":\"" KEY "\"}",
          .drip_ms = 40},
         "platform/timeout"},
        {{.reply = NULL}, "platform/agent"},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"key\":"}, "platform/agent"},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{"}, "platform/agent"},
        {{.reply = "what?\r\n\r\n"}, "platform/agent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scripted_server *agent = scripted_start(&cases[i].script, 1, socket_path);
        struct dstack *d = open_dstack(400);
        struct secret key SECRET_AUTO = {0};
        struct error err = {0};
        int64_t began = clock_monotonic_ms();
        assert_false(dstack_get_key(d, "p", &key, &err));
        assert_true(clock_monotonic_ms() - began < 5000);
        if (strcmp(err.code, cases[i].code) != 0)
            fail_msg("case %zu: %s: %s", i, err.code, err.message);
        dstack_close(&d);
        scripted_stop(&agent);
    }
}

static void test_oversized_reply(void **state)
{
    (void)state;
    struct buf json BUF_AUTO = BUF_INIT(6 * 1024 * 1024);
    buf_append_str(&json, "{\"quote\":\"");
    uint8_t *zeros = buf_extend(&json, 5 * 1024 * 1024);
    assert_non_null(zeros);
    memset(zeros, '0', 5 * 1024 * 1024);
    buf_append_str(&json, "\"}");
    struct dstack_quote q DSTACK_QUOTE_AUTO = {0};
    struct error err = {0};
    assert_false(get_quote("200 OK", buf_cstr(&json), &q, &err));
    assert_string_equal(err.code, "platform/agent");
    assert_non_null(strstr(err.message, "larger than"));
}

static void test_agent_away_and_back(void **state)
{
    (void)state;
    struct dstack *d = open_dstack(1000);
    struct secret key SECRET_AUTO = {0};
    struct error err = {0};
    assert_false(dstack_get_key(d, "p", &key, &err));
    assert_string_equal(err.code, "platform/agent");
    assert_non_null(strstr(err.message, socket_path));
    struct buf text BUF_AUTO = {0};
    struct script script = json_script(&text, "200 OK", "{\"key\":\"" KEY "\"}");
    for (int i = 0; i < 2; i++) { /* and once more after a restart of the agent */
        struct scripted_server *agent = scripted_start(&script, 1, socket_path);
        secret_free(&key);
        assert_true(dstack_get_key(d, "p", &key, &err));
        scripted_stop(&agent);
    }
    dstack_close(&d);
}

static void test_cancel(void **state)
{
    (void)state;
    static const struct script silent = {.reply = NULL, .keep_open = true};
    struct scripted_server *agent = scripted_start(&silent, 1, socket_path);
    atomic_bool cancel = true;
    struct dstack *d = NULL;
    struct error err = {0};
    struct secret key SECRET_AUTO = {0};
    assert_true(dstack_open(&(struct dstack_options){.socket_path = socket_path, .cancel = &cancel},
                            &d, &err));
    assert_false(dstack_get_key(d, "p", &key, &err));
    assert_string_equal(err.code, "platform/canceled");
    dstack_close(&d);
    scripted_stop(&agent);
}

/* ---- the other methods ---- */

static void test_emit_event(void **state)
{
    (void)state;
    static const struct {
        const char *status, *json, *code;
    } cases[] = {
        {"200 OK", "null", NULL},
        {"200 OK", "{}", NULL},
        {"200 OK", "", "platform/agent"},
        {"200 OK", "nul", "platform/agent"},
        {"400 Bad Request", "{\"error\":\"Service not found: EmitEvent\"}",
         "platform/agent-method"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf text BUF_AUTO = {0};
        struct script script = json_script(&text, cases[i].status, cases[i].json);
        struct scripted_server *agent = scripted_start(&script, 1, socket_path);
        struct dstack *d = open_dstack(2000);
        struct error err = {0};
        bool ok = dstack_emit_event(d, "calimero.kms.profile",
                                    slice_str("calimero.kms.profile=debug"), &err);
        assert_int_equal(ok, cases[i].code == NULL);
        if (!ok)
            assert_string_equal(err.code, cases[i].code);
        assert_non_null(
            strstr(scripted_last_request(agent),
                   "{\"event\":\"calimero.kms.profile\",\"payload\":\"63616c696d65726f2e"));
        dstack_close(&d);
        scripted_stop(&agent);
    }
}

static void test_info_and_version(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool info, version;
    } cases[] = {
        {"{\"app_id\":\"00\",\"tcb_info\":\"{}\",\"version\":\"0.5.8\"}", true, true},
        {"{\"app_id\":\"00\"}", true, false},
        {"[]", false, false},
        {"{\"version\":7}", true, false},
        {"{", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf text BUF_AUTO = {0};
        struct script script = json_script(&text, "200 OK", cases[i].json);
        struct scripted_server *agent = scripted_start(&script, 1, socket_path);
        struct dstack *d = open_dstack(2000);
        struct buf info BUF_AUTO = BUF_INIT(1000);
        char version[DSTACK_VERSION_MAX];
        struct error err = {0};
        assert_int_equal(dstack_info(d, &info, &err), cases[i].info);
        if (cases[i].info)
            assert_string_equal(buf_cstr(&info), cases[i].json);
        assert_int_equal(dstack_version(d, version, &err), cases[i].version);
        if (cases[i].version)
            assert_string_equal(version, "0.5.8");
        dstack_close(&d);
        scripted_stop(&agent);
    }
}

/* Development builds: the simulator's endpoint may be a URL. */
static void test_endpoint_url(void **state)
{
    (void)state;
    struct buf text BUF_AUTO = {0};
    struct script script = json_script(&text, "200 OK", "{\"key\":\"" KEY "\"}");
    struct scripted_server *agent = scripted_start(&script, 1, NULL);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", scripted_port(agent));
    struct dstack *d = NULL;
    struct secret key SECRET_AUTO = {0};
    struct error err = {0};
    assert_true(dstack_open(&(struct dstack_options){.socket_path = url}, &d, &err));
    assert_true(dstack_get_key(d, "p", &key, &err));
    dstack_close(&d);
    scripted_stop(&agent);
    assert_false(dstack_open(&(struct dstack_options){.socket_path = ""}, &d, &err));
    assert_string_equal(err.code, "platform/agent");
}

/* ---- finding the socket ---- */

static void touch(const char *root, const char *path)
{
    char full[256];
    struct error err = {0};
    snprintf(full, sizeof full, "%s%s", root, path);
    char parent[PATH_TEXT_MAX];
    assert_true(path_dirname(full, parent, &err) && file_make_dirs(parent, 0700, &err));
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fclose(f);
}

static void test_search_list(void **state)
{
    (void)state;
    static const char *const found_first[] = {"/run/dstack/dstack.sock",
                                              "/var/run/dstack/dstack.sock", "/run/dstack.sock",
                                              "/var/run/dstack.sock"};
    char root[128];
    snprintf(root, sizeof root, "%s/root", dir);
    const struct dstack_options o = {.search_root = root};
    struct dstack *d = NULL;
    struct error err = {0};
    assert_false(dstack_open(&o, &d, &err));
    assert_string_equal(err.code, "platform/agent");
    touch(root, "/run/tappd.sock");
    assert_false(dstack_open(&o, &d, &err));
    assert_non_null(strstr(err.message, "older than 0.4.2"));
    /* from the last of the list to the first: each takes precedence over those before */
    for (size_t i = 0; i < 4; i++) {
        touch(root, found_first[i]);
        assert_true(dstack_open(&o, &d, &err));
        assert_string_equal(dstack_socket_path(d) + strlen(root), found_first[i]);
        dstack_close(&d);
    }
}

/* ---- many callers ---- */

static atomic_int calls;

static void *answer_after_a_while(void *exchange)
{
    const struct timespec nap = {.tv_nsec = 100000000L};
    nanosleep(&nap, NULL);
    http_exchange_reply(exchange, 200, "application/json", slice_str("{\"key\":\"" KEY "\"}"));
    return NULL;
}

static void on_get_key(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    pthread_t thread;
    atomic_fetch_add(&calls, 1);
    http_exchange_defer(x);
    assert_int_equal(pthread_create(&thread, NULL, answer_after_a_while, x), 0);
    pthread_detach(thread);
}

static void *ask_keys(void *arg)
{
    for (int i = 0; i < 3; i++) {
        struct secret key SECRET_AUTO = {0};
        struct error err = {0};
        if (!dstack_get_key(arg, "p", &key, &err))
            return (void *)1;
    }
    return NULL;
}

static void test_calls_run_side_by_side(void **state)
{
    (void)state;
    enum { CALLERS = 12 };
    char address[80];
    snprintf(address, sizeof address, "unix:%s", socket_path);
    const char *const list[] = {address};
    static const struct http_route routes[] = {
        {.method = "POST", .path = "/GetKey", .handler = on_get_key, .body_max = 1000}};
    struct http_server *s = NULL;
    struct error err = {0};
    assert_true(http_server_start(
        &(struct http_server_options){
            .listen = list, .listen_count = 1, .routes = routes, .route_count = 1},
        &s, &err));
    struct dstack *d = open_dstack(5000);
    pthread_t threads[CALLERS];
    int64_t began = clock_monotonic_ms();
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_keys, d), 0);
    for (size_t i = 0; i < CALLERS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(atomic_load(&calls), 3 * CALLERS);
    assert_true(clock_monotonic_ms() - began < 100 * CALLERS * 3);
    dstack_close(&d);
    http_server_stop(&s, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_key),
        cmocka_unit_test(test_request_as_the_spec_says),
        cmocka_unit_test(test_error_text_is_bounded_and_printable),
        cmocka_unit_test(test_get_quote),
        cmocka_unit_test(test_as_quote_source),
        cmocka_unit_test(test_mrtd_by_quote),
        cmocka_unit_test(test_wrong_report_data),
        cmocka_unit_test(test_bad_quotes),
        cmocka_unit_test(test_transport_faults),
        cmocka_unit_test(test_oversized_reply),
        cmocka_unit_test(test_agent_away_and_back),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_emit_event),
        cmocka_unit_test(test_info_and_version),
        cmocka_unit_test(test_endpoint_url),
        cmocka_unit_test(test_search_list),
        cmocka_unit_test(test_calls_run_side_by_side),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
