/* The whole simulator in one process, on real sockets: the agent's HTTP rules, the collateral
 * service's answers, every fault of both, control while it runs, and the production clients against
 * it (dstack client, collateral fetching, verification). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include "dcap/verifier.h"
#include "http/client.h"
#include "platform/dstack.h"
#include "quote/eventlog.h"
#include "sim/service.h"
#include "x509/pem.h"
#include "x509/x509.h"

enum { PATIENCE_MS = 5000, BODY_MAX = 8 << 20 };

static struct error err;
static char dir[] = "/tmp/mero-sim-XXXXXX";
static struct sim_service *service;
static char agent_socket[256], old_socket[256], new_socket[256], pcs_url[128], root_pem[256];
static const uint8_t report_data[64] = {0xab, 1, 2, 3};

/* --- calls --- */

struct reply {
    struct http_response r;
    json_t *json; /* NULL when the body is none */
};

static void reply_free(struct reply *reply)
{
    json_release(&reply->json);
    http_response_free(&reply->r);
}
#define REPLY_AUTO __attribute__((cleanup(reply_free)))

static bool try_call(const char *socket, const char *method, const char *url, const char *body,
                     unsigned timeout_ms, size_t body_max, struct reply *out)
{
    const struct http_client_options options = {.unix_socket = socket, .ignore_proxy = true};
    struct http_client *client HTTP_CLIENT_AUTO = NULL;
    struct http_request request = {
        .method = method, .url = url, .timeout_ms = timeout_ms, .body_max = body_max};
    *out = (struct reply){0};
    if (body != NULL) {
        request.body = slice_str(body);
        request.headers[0] = "Content-Type: application/json";
    }
    assert_true(http_client_open(&options, &client, &err));
    if (!http_client_call(client, &request, &out->r, &err))
        return false;
    if (!json_parse(buf_slice(&out->r.body), BODY_MAX, JSON_DECODE_ANY, &out->json, NULL))
        out->json = NULL;
    return true;
}

static struct reply agent_at(const char *socket, const char *method_name, const char *body)
{
    struct reply reply;
    char url[512];
    snprintf(url, sizeof url, "http://localhost/%s", method_name);
    if (!try_call(socket, body == NULL ? "GET" : "POST", url, body, PATIENCE_MS, BODY_MAX, &reply))
        fail_msg("%s: %s: %s", method_name, err.code, err.message);
    return reply;
}

static struct reply agent(const char *method_name, const char *body)
{
    return agent_at(agent_socket, method_name, body);
}

static struct reply pcs(const char *path)
{
    struct reply reply;
    char url[512];
    snprintf(url, sizeof url, "%s%s", pcs_url, path);
    if (!try_call(NULL, "GET", url, NULL, PATIENCE_MS, BODY_MAX, &reply))
        fail_msg("%s: %s: %s", path, err.code, err.message);
    return reply;
}

static const char *text_of(const struct reply *reply, const char *member)
{
    const char *text = json_string_value(json_object_get(reply->json, member));
    assert_non_null(text);
    return text;
}

static void assert_error(const struct reply *reply, long status, const char *text)
{
    assert_int_equal(reply->r.status, status);
    assert_string_equal(text_of(reply, "error"), text);
}

/* Sets a scenario through the control page; "" = none. */
static void play(const char *who, const char *words)
{
    struct reply reply REPLY_AUTO;
    char url[512];
    char body[512];
    snprintf(url, sizeof url, "%s/sim/%s", pcs_url, who);
    snprintf(body, sizeof body, "{\"scenarios\":[%s]}", words);
    assert_true(try_call(NULL, "PUT", url, body, PATIENCE_MS, BODY_MAX, &reply));
    assert_int_equal(reply.r.status, 204);
}

/* --- agent --- */

static void agent_version_and_unknown_methods(void **state)
{
    (void)state;
    struct reply version REPLY_AUTO = agent("Version", NULL);
    assert_int_equal(version.r.status, 200);
    assert_string_equal(text_of(&version, "version"), "0.5.8");
    struct reply unknown REPLY_AUTO = agent("GetTlsKey", "{}");
    assert_error(&unknown, 400, "Service not found: GetTlsKey");
    struct reply old REPLY_AUTO = agent_at(old_socket, "Version", NULL);
    assert_error(&old, 400, "Service not found: Version");
    struct reply emit REPLY_AUTO = agent_at(new_socket, "EmitEvent", "{\"event\":\"x\"}");
    assert_error(&emit, 400, "Service not found: EmitEvent");
}

static void agent_routes_like_rocket(void **state)
{
    (void)state;
    static const char *const missing[] = {"", "prpc/Tappd.Info", "a/b/c"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        struct reply reply REPLY_AUTO = agent(missing[i], NULL);
        struct slice type;
        assert_int_equal(reply.r.status, 404);
        assert_true(http_response_header(&reply.r, "Content-Type", &type));
        assert_true(slice_equal_str(type, "text/html; charset=utf-8"));
        assert_null(reply.json);
    }
    struct stat st;
    assert_int_equal(stat(agent_socket, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0777);
}

static void agent_wants_json_marked(void **state)
{
    (void)state;
    const struct http_client_options options = {.unix_socket = agent_socket};
    static const struct {
        const char *url, *type, *body;
        long status;
    } cases[] = {
        {"http://x/GetKey", "Content-Type: application/json", "{\"path\":\"p\"}", 200},
        {"http://x/GetKey", "Content-Type: application/json; charset=utf-8", "{}", 200},
        {"http://x/GetKey?json", "Content-Type: text/plain", "{\"path\":\"p\"}", 200},
        {"http://x/GetKey", "Content-Type: text/plain", "{\"path\":\"p\"}", 400},
        {"http://x/GetKey", "Content-Type: application/json", "{\"path\":", 400},
        {"http://x/GetKey", "Content-Type: application/json", "[]", 400},
        {"http://x/GetKey", "Content-Type: application/json", "{\"path\":1}", 400},
        {"http://x/GetKey", "Content-Type: application/json", "", 200},
        {"http://x/GetKey", "Content-Type: application/json", "{\"unknown\":1}", 200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_client *client HTTP_CLIENT_AUTO = NULL;
        struct http_response response HTTP_RESPONSE_AUTO = {0};
        const struct http_request request = {.method = "POST",
                                             .url = cases[i].url,
                                             .headers = {cases[i].type},
                                             .body = slice_str(cases[i].body),
                                             .timeout_ms = PATIENCE_MS,
                                             .body_max = BODY_MAX};
        assert_true(http_client_open(&options, &client, &err));
        assert_true(http_client_call(client, &request, &response, &err));
        if (response.status != cases[i].status)
            fail_msg("case %zu: status %ld", i, response.status);
    }
}

static void agent_gives_the_published_keys(void **state)
{
    (void)state;
    struct reply key REPLY_AUTO = agent("GetKey", "{\"path\":\"test\",\"purpose\":\"\","
                                                  "\"algorithm\":\"secp256k1\"}");
    assert_int_equal(key.r.status, 200);
    assert_string_equal(text_of(&key, "key"),
                        "133e8ca6e532ead3e38f00347408771da296e9c70e8e3e362f485154e64ef4e8");
    const json_t *chain = json_object_get(key.json, "signature_chain");
    assert_int_equal(json_array_size(chain), 2);
    assert_int_equal(json_string_length(json_array_get(chain, 0)), 130);
    /* purpose and algorithm do not change the key */
    struct reply same REPLY_AUTO =
        agent("GetKey", "{\"path\":\"test\",\"purpose\":\"p\",\"algorithm\":\"ed25519\"}");
    assert_string_equal(text_of(&same, "key"), text_of(&key, "key"));
    struct reply empty REPLY_AUTO = agent("GetKey", "{}");
    assert_string_equal(text_of(&empty, "key"),
                        "aa221ae548b5a8f52fcb8687cfd873712f6a1232b2717e5ee3d58ab74f21905b");
    struct reply by_query REPLY_AUTO = agent("GetKey?path=test", NULL);
    assert_string_equal(text_of(&by_query, "key"), text_of(&key, "key"));
    struct reply bad REPLY_AUTO = agent("GetKey", "{\"algorithm\":\"rsa\"}");
    assert_error(&bad, 400, "Unsupported algorithm");
    struct reply old REPLY_AUTO = agent_at(old_socket, "GetKey", "{\"algorithm\":\"rsa\"}");
    assert_int_equal(old.r.status, 200);
}

static void agent_reads_bytes_leniently(void **state)
{
    (void)state;
    static const struct {
        const char *given, *padded_start;
    } good[] = {{"", "0000"}, {"aB", "ab00"}, {"0xab", "ab00"}, {"0x0xAB", "ab00"}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"report_data\":\"%s\"}", good[i].given);
        struct reply reply REPLY_AUTO = agent("GetQuote", body);
        assert_int_equal(reply.r.status, 200);
        assert_memory_equal(text_of(&reply, "report_data"), good[i].padded_start, 4);
        assert_memory_equal(text_of(&reply, "quote") + 2 * 568, good[i].padded_start, 4);
    }
    char body[256] = "{\"report_data\":\"";
    memset(body + 16, 'a', 130);
    memcpy(body + 146, "\"}", 3);
    struct reply too_long REPLY_AUTO = agent("GetQuote", body);
    assert_error(&too_long, 400, "Report data is too long");
    memcpy(body + 144, "\"}", 3);
    struct reply fits REPLY_AUTO = agent("GetQuote", body);
    assert_int_equal(fits.r.status, 200);
    struct reply odd REPLY_AUTO = agent("GetQuote", "{\"report_data\":\"abc\"}");
    assert_int_equal(odd.r.status, 400);
    struct reply digits REPLY_AUTO = agent("GetQuote", "{\"report_data\":\"zz\"}");
    assert_int_equal(digits.r.status, 400);
}

static void agent_emits_into_log_and_register(void **state)
{
    (void)state;
    struct reply emitted REPLY_AUTO =
        agent("EmitEvent", "{\"event\":\"calimero.kms.profile\",\"payload\":\"63616c\"}");
    assert_int_equal(emitted.r.status, 200);
    assert_true(slice_equal_str(buf_slice(&emitted.r.body), "null"));
    struct reply quoted REPLY_AUTO = agent("GetQuote", "{\"report_data\":\"\"}");
    struct eventlog log;
    struct quote quote;
    struct buf bytes BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    if (!eventlog_read(slice_str(text_of(&quoted, "event_log")), &log, NULL, NULL, &err))
        fail_msg("%s", err.message);
    assert_true(hex_decode_append(slice_str(text_of(&quoted, "quote")), &bytes));
    assert_true(quote_parse(buf_slice(&bytes), &quote, &err));
    assert_true(eventlog_matches(&log, &quote.td, 3, &err));
    assert_int_equal(log.count[3], 10);
    static const char *const bad[] = {"{}", "{\"event\":\"\"}",
                                      "{\"event\":\"e\",\"payload\":\"z\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reply refused REPLY_AUTO = agent("EmitEvent", bad[i]);
        assert_int_equal(refused.r.status, 400);
    }
}

static void agent_tells_about_itself(void **state)
{
    (void)state;
    struct reply reply REPLY_AUTO = agent("Info", "{}");
    json_t *tcb JSON_AUTO = NULL;
    assert_int_equal(reply.r.status, 200);
    assert_true(json_parse(slice_str(text_of(&reply, "tcb_info")), BODY_MAX, 0, &tcb, &err));
    struct slice compose;
    uint8_t hash[SHA256_LEN];
    char hex[65];
    assert_true(json_get_str(tcb, "app_compose", &compose, &err));
    sha256(compose, hash);
    hex_encode(slice_of(hash, sizeof hash), hex);
    assert_string_equal(text_of(&reply, "compose_hash"), hex);
    assert_string_equal(json_string_value(json_object_get(tcb, "compose_hash")), hex);
    assert_int_equal(strlen(text_of(&reply, "app_id")), 40);
    assert_int_equal(strlen(text_of(&reply, "instance_id")), 40);
    /* complete even where GetQuote strips */
    const json_t *log = json_object_get(tcb, "event_log");
    for (size_t i = 0; i < json_array_size(log); i++)
        assert_int_equal(json_string_length(json_object_get(json_array_get(log, i), "digest")), 96);
    json_t *vm JSON_AUTO = NULL;
    assert_true(json_parse(slice_str(text_of(&reply, "vm_config")), 4096, 0, &vm, &err));
}

static void production_client_is_served(void **state)
{
    (void)state;
    struct dstack *d = NULL;
    struct secret key SECRET_AUTO = {0};
    struct dstack_quote q DSTACK_QUOTE_AUTO = {0};
    const struct dstack_options options = {.socket_path = agent_socket, .timeout_ms = PATIENCE_MS};
    char version[DSTACK_VERSION_MAX];
    assert_true(dstack_open(&options, &d, &err));
    if (!dstack_get_key(d, "test", &key, &err) || !dstack_get_quote(d, report_data, &q, &err) ||
        !dstack_version(d, version, &err))
        fail_msg("%s: %s", err.code, err.message);
    assert_int_equal(key.len, 32);
    assert_string_equal(version, "0.5.8");
    play("machines/kms", "\"wrong-report-data\"");
    assert_false(dstack_get_quote(d, report_data, &q, &err));
    assert_true(error_is(&err, "platform/report-data"));
    play("machines/kms", "");
    dstack_close(&d);
}

/* --- faults of the agent --- */

static void agent_faults(void **state)
{
    (void)state;
    struct reply reply REPLY_AUTO = {0};
    play("machines/kms", "\"agent:slow:300\"");
    int64_t begin = clock_monotonic_ms();
    assert_true(
        try_call(agent_socket, "GET", "http://x/Version", NULL, PATIENCE_MS, BODY_MAX, &reply));
    assert_true(clock_monotonic_ms() - begin >= 300);
    assert_int_equal(reply.r.status, 200);
    reply_free(&reply);

    play("machines/kms", "\"agent:silent\"");
    assert_false(try_call(agent_socket, "GET", "http://x/Version", NULL, 300, BODY_MAX, &reply));
    assert_true(error_is(&err, "http/timeout"));
    reply_free(&reply);

    play("machines/kms", "\"agent:truncated\"");
    assert_false(
        try_call(agent_socket, "GET", "http://x/Info", NULL, PATIENCE_MS, BODY_MAX, &reply));
    assert_true(error_is(&err, "http/protocol"));
    reply_free(&reply);

    play("machines/kms", "\"agent:oversized\"");
    assert_false(
        try_call(agent_socket, "GET", "http://x/Version", NULL, PATIENCE_MS, 1 << 20, &reply));
    assert_true(error_is(&err, "http/too-large"));
    reply_free(&reply);

    play("machines/kms", "\"agent:malformed\"");
    assert_true(
        try_call(agent_socket, "GET", "http://x/Version", NULL, PATIENCE_MS, BODY_MAX, &reply));
    assert_int_equal(reply.r.status, 200);
    assert_null(reply.json);
    reply_free(&reply);

    play("machines/kms", "\"agent:status:503\"");
    assert_true(
        try_call(agent_socket, "GET", "http://x/Version", NULL, PATIENCE_MS, BODY_MAX, &reply));
    assert_int_equal(reply.r.status, 503);
    assert_int_equal(http_response_retry_after_s(&reply.r), 1);
    play("machines/kms", "");
}

/* --- collateral service --- */

static const char *fmspc_of(const char *name)
{
    static char hex[13];
    struct sim_machine *m = sim_stage_machine(sim_service_stage(service), name);
    hex_encode(slice_of(m->pck.spec.sgx.fmspc, 6), hex);
    return hex;
}

static struct reply pcs_tcb(const char *name, const char *tee, const char *more)
{
    char path[256];
    snprintf(path, sizeof path, "/%s/certification/v4/tcb?fmspc=%s%s", tee, fmspc_of(name), more);
    return pcs(path);
}

static void assert_chain(const struct reply *reply, const char *header, const char *leaf_cn)
{
    struct slice value;
    struct buf pem BUF_AUTO = BUF_INIT(SIM_CHAIN_MAX);
    static struct x509_chain chain;
    struct x509_cert cert;
    assert_true(http_response_header(&reply->r, header, &value));
    assert_true(x509_percent_decode(value, &pem, &err));
    assert_true(x509_chain_from_pem(buf_slice(&pem), &chain, &err));
    assert_int_equal(chain.count, 2);
    assert_true(x509_cert_parse(chain.der[0], &cert, &err));
    assert_true(slice_equal_str(cert.subject.cn, leaf_cn));
    /* nothing but what a header may carry unencoded */
    for (size_t i = 0; i < value.len; i++)
        assert_non_null(strchr(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%-._~", value.data[i]));
}

static const json_t *document(const struct reply *reply, const char *name)
{
    const json_t *inner = json_object_get(reply->json, name);
    assert_int_equal(reply->r.status, 200);
    assert_non_null(inner);
    assert_int_equal(strlen(text_of(reply, "signature")), 128);
    return inner;
}

static void pcs_serves_documents(void **state)
{
    (void)state;
    struct reply tdx REPLY_AUTO = pcs_tcb("kms", "tdx", "");
    assert_chain(&tdx, "TCB-Info-Issuer-Chain", "Intel SGX TCB Signing");
    assert_string_equal(json_string_value(json_object_get(document(&tdx, "tcbInfo"), "id")), "TDX");
    struct reply sgx REPLY_AUTO = pcs_tcb("kms", "sgx", "");
    assert_string_equal(json_string_value(json_object_get(document(&sgx, "tcbInfo"), "id")), "SGX");
    struct reply qe REPLY_AUTO = pcs("/tdx/certification/v4/qe/identity");
    assert_chain(&qe, "SGX-Enclave-Identity-Issuer-Chain", "Intel SGX TCB Signing");
    assert_string_equal(json_string_value(json_object_get(document(&qe, "enclaveIdentity"), "id")),
                        "TD_QE");
    struct reply sgx_qe REPLY_AUTO = pcs("/sgx/certification/v4/qe/identity?update=standard");
    assert_string_equal(
        json_string_value(json_object_get(document(&sgx_qe, "enclaveIdentity"), "id")), "QE");
    struct reply numbers REPLY_AUTO = pcs("/tdx/certification/v4/tcbevaluationdatanumbers");
    assert_int_equal(json_array_size(json_object_get(document(&numbers, "tcbEvaluationDataNumbers"),
                                                     "tcbEvalNumbers")),
                     2);
    struct slice id;
    assert_true(http_response_header(&tdx.r, "Request-ID", &id));
}

static int64_t number_of(const struct reply *reply)
{
    const json_t *info = document(reply, "tcbInfo");
    return json_integer_value(json_object_get(info, "tcbEvaluationDataNumber"));
}

static void pcs_knows_update_classes(void **state)
{
    (void)state;
    struct reply standard REPLY_AUTO = pcs_tcb("kms", "tdx", "&update=standard");
    struct reply early REPLY_AUTO = pcs_tcb("kms", "tdx", "&update=early");
    struct reply by_number REPLY_AUTO = pcs_tcb("kms", "tdx", "&tcbEvaluationDataNumber=22");
    assert_int_equal(number_of(&standard), SIM_EVALUATION_NUMBER);
    assert_int_equal(number_of(&early), SIM_EVALUATION_NUMBER + 1);
    assert_int_equal(number_of(&by_number), SIM_EVALUATION_NUMBER + 1);
    struct reply early_qe REPLY_AUTO = pcs("/tdx/certification/v4/qe/identity?update=early");
    assert_int_equal(json_integer_value(json_object_get(document(&early_qe, "enclaveIdentity"),
                                                        "tcbEvaluationDataNumber")),
                     SIM_EVALUATION_NUMBER + 1);
}

static void pcs_refuses_as_intel_does(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        long status;
    } cases[] = {
        {"/tdx/certification/v4/tcb", 400},
        {"/tdx/certification/v4/tcb?fmspc=00", 400},
        {"/tdx/certification/v4/tcb?fmspc=zzzzzzzzzzzz", 400},
        {"/tdx/certification/v4/tcb?fmspc=000000000000", 404},
        {"/tdx/certification/v4/tcb?fmspc=000000000000&update=later", 400},
        {"/tdx/certification/v4/tcb?fmspc=000000000000&update=early&tcbEvaluationDataNumber=21",
         400},
        {"/tdx/certification/v4/tcb?fmspc=000000000000&tcbEvaluationDataNumber=20", 410},
        {"/tdx/certification/v4/tcb?fmspc=000000000000&tcbEvaluationDataNumber=1", 404},
        {"/tdx/certification/v4/qe/identity?update=x", 400},
        {"/sgx/certification/v4/pckcrl", 400},
        {"/sgx/certification/v4/pckcrl?ca=root", 400},
        {"/sgx/certification/v4/pckcrl?ca=platform&encoding=ber", 400},
        {"/sgx/certification/v3/tcb?fmspc=000000000000", 404},
        {"/", 404},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reply reply REPLY_AUTO = pcs(cases[i].path);
        if (reply.r.status != cases[i].status)
            fail_msg("%s: %ld", cases[i].path, reply.r.status);
    }
}

static void assert_crl(const struct reply *reply, const char *issuer, bool der)
{
    struct buf bytes BUF_AUTO = BUF_INIT(SIM_DER_MAX);
    struct x509_crl crl;
    assert_int_equal(reply->r.status, 200);
    assert_int_equal(reply->r.body.data[0] == 0x30 && reply->r.body.data[1] == 0x82, der);
    assert_true(x509_crl_decode(buf_slice(&reply->r.body), &bytes, &err));
    if (!x509_crl_parse(buf_slice(&bytes), &crl, &err))
        fail_msg("%s: %s", err.code, err.message);
    assert_true(slice_equal_str(crl.issuer.cn, issuer));
}

static void pcs_serves_crls_in_all_encodings(void **state)
{
    (void)state;
    struct reply der REPLY_AUTO = pcs("/sgx/certification/v4/pckcrl?ca=platform&encoding=der");
    assert_crl(&der, "Intel SGX PCK Platform CA", true);
    assert_chain(&der, "SGX-PCK-CRL-Issuer-Chain", "Intel SGX PCK Platform CA");
    struct reply pem REPLY_AUTO = pcs("/sgx/certification/v4/pckcrl?ca=processor");
    assert_crl(&pem, "Intel SGX PCK Processor CA", false);
    assert_memory_equal(pem.r.body.data, "-----BEGIN X509 CRL-----\n", 25);
    struct reply hex REPLY_AUTO = pcs("/sgx/certification/v4/rootcacrl");
    assert_crl(&hex, "Intel SGX Root CA", false);
    struct reply root REPLY_AUTO = pcs("/IntelSGXRootCA.der");
    assert_crl(&root, "Intel SGX Root CA", true);
}

static void pcs_documents_can_be_unknown(void **state)
{
    (void)state;
    play("machines/kms", "\"tcb-info:unknown\"");
    struct reply gone REPLY_AUTO = pcs_tcb("kms", "tdx", "");
    assert_int_equal(gone.r.status, 404);
    struct reply other REPLY_AUTO = pcs_tcb("old", "tdx", "");
    assert_int_equal(other.r.status, 200);
    play("machines/kms", "");
    play("pcs", "\"qe-identity:unknown\",\"pck-crl:unknown\",\"root-crl:unknown\"");
    static const char *const paths[] = {"/tdx/certification/v4/qe/identity",
                                        "/sgx/certification/v4/pckcrl?ca=platform",
                                        "/sgx/certification/v4/rootcacrl"};
    for (size_t i = 0; i < 3; i++) {
        struct reply reply REPLY_AUTO = pcs(paths[i]);
        assert_int_equal(reply.r.status, 404);
    }
    play("pcs", "");
}

static void pcs_faults(void **state)
{
    (void)state;
    struct reply reply REPLY_AUTO = {0};
    char url[256];
    snprintf(url, sizeof url, "%s/tdx/certification/v4/tcb?fmspc=%s", pcs_url, fmspc_of("kms"));
    play("machines/kms", "\"pcs:truncated\"");
    assert_false(try_call(NULL, "GET", url, NULL, PATIENCE_MS, BODY_MAX, &reply));
    reply_free(&reply);
    struct reply other REPLY_AUTO = pcs_tcb("old", "tdx", "");
    assert_int_equal(other.r.status, 200);
    play("machines/kms", "\"pcs:malformed\"");
    assert_true(try_call(NULL, "GET", url, NULL, PATIENCE_MS, BODY_MAX, &reply));
    assert_null(reply.json);
    reply_free(&reply);
    play("machines/kms", "");
    play("pcs", "\"pcs:silent\"");
    assert_false(try_call(NULL, "GET", url, NULL, 300, BODY_MAX, &reply));
    assert_true(error_is(&err, "http/timeout"));
    reply_free(&reply);
    play("pcs", "\"pcs:status:429\"");
    assert_true(try_call(NULL, "GET", url, NULL, PATIENCE_MS, BODY_MAX, &reply));
    assert_int_equal(reply.r.status, 429);
    play("pcs", "");
}

/* --- control --- */

static void control_refuses_nonsense(void **state)
{
    (void)state;
    static const struct {
        const char *who, *body;
        long status;
    } cases[] = {
        {"machines/nobody", "{\"scenarios\":[]}", 404},
        {"machines/kms", "{\"scenarios\":[\"nonsense\"]}", 400},
        {"machines/kms", "{\"scenarios\":[1]}", 400},
        {"machines/kms", "{\"scenarios\":[\"pck-crl:expired\"]}", 400},
        {"machines/kms", "{\"scenarios\":[\"tcb:TDRelaunchAdvised\"]}", 400}, /* v4 quotes */
        {"machines/kms", "{}", 400},
        {"machines/kms", "", 400},
        {"pcs", "{\"scenarios\":[\"debug-td\"]}", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reply reply REPLY_AUTO;
        char url[256];
        snprintf(url, sizeof url, "%s/sim/%s", pcs_url, cases[i].who);
        assert_true(try_call(NULL, "PUT", url, cases[i].body, PATIENCE_MS, BODY_MAX, &reply));
        if (reply.r.status != cases[i].status)
            fail_msg("case %zu: %ld", i, reply.r.status);
    }
}

static void control_shows_the_page(void **state)
{
    (void)state;
    struct reply reply REPLY_AUTO = pcs("/sim");
    assert_string_equal(text_of(&reply, "schema"), "mero.sim/1");
    assert_string_equal(text_of(&reply, "pcs_url"), pcs_url);
    assert_int_equal(json_array_size(json_object_get(reply.json, "machines")), 3);
    struct reply quote REPLY_AUTO = pcs("/sim/machines/kms/quote?report_data=00");
    assert_int_equal(quote.r.status, 400);
    struct reply none REPLY_AUTO = pcs("/sim/machines/nobody/quote");
    assert_int_equal(none.r.status, 404);
    struct reply other REPLY_AUTO = pcs("/sim/machines/kms/other");
    assert_int_equal(other.r.status, 404);
}

/* --- the production verifier, fetching from here --- */

static bool check(struct dcap_verifier *v, struct verdict *verdict)
{
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    struct sim_machine *m = sim_stage_machine(sim_service_stage(service), "kms");
    assert_true(sim_machine_quote(m, report_data, &quote, &err));
    return dcap_verifier_check(v, buf_slice(&quote), clock_unix_s(), verdict, &err);
}

static bool check_fresh(struct verdict *verdict)
{
    struct dcap_verifier *v DCAP_VERIFIER_AUTO = NULL;
    const struct dcap_verifier_options options = {
        .endpoints = {pcs_url}, .endpoint_count = 1, .root_pem_path = root_pem, .timeout_ms = 500};
    assert_true(dcap_verifier_open(&options, &v, &err));
    return check(v, verdict);
}

static void verifier_fetches_and_accepts(void **state)
{
    (void)state;
    struct verdict verdict = {0};
    if (!check_fresh(&verdict))
        fail_msg("%s: %s", err.code, err.message);
    assert_int_equal(verdict.status, TCB_UP_TO_DATE);
    play("machines/kms", "\"tcb:OutOfDate\"");
    assert_true(check_fresh(&verdict));
    assert_int_equal(verdict.status, TCB_OUT_OF_DATE);
    play("machines/kms", "");
}

static void verifier_meets_a_bad_service(void **state)
{
    (void)state;
    static const struct {
        const char *words, *code;
    } cases[] = {{"\"pcs:silent\"", "collateral/unreachable"},
                 {"\"pcs:truncated\"", "collateral/unreachable"},
                 {"\"pcs:oversized\"", "collateral/"},
                 {"\"pcs:malformed\"", "collateral/"},
                 {"\"pcs:status:500\"", "collateral/unreachable"},
                 {"\"pck-crl:expired\"", "collateral/expired"},
                 {"\"revoked-ca\"", "cert/revoked"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict verdict;
        play("pcs", cases[i].words);
        if (check_fresh(&verdict))
            fail_msg("%s: accepted", cases[i].words);
        if (!error_is(&err, cases[i].code))
            fail_msg("%s: %s: %s", cases[i].words, err.code, err.message);
    }
    play("pcs", "");
}

/* Who has seen the newer document keeps it; who has not cannot know. */
static void verifier_meets_a_roll_back(void **state)
{
    (void)state;
    struct dcap_verifier *v DCAP_VERIFIER_AUTO = NULL;
    struct verdict verdict;
    const struct dcap_verifier_options options = {
        .endpoints = {pcs_url}, .endpoint_count = 1, .root_pem_path = root_pem};
    assert_true(dcap_verifier_open(&options, &v, &err));
    assert_true(check(v, &verdict));
    assert_int_equal(verdict.tcb_evaluation_data_number, SIM_EVALUATION_NUMBER);
    play("machines/kms", "\"tcb-info:rolled-back\"");
    if (!dcap_verifier_refresh(v, clock_unix_s(), &err))
        assert_true(error_is(&err, "collateral/older"));
    assert_true(check(v, &verdict));
    assert_int_equal(verdict.tcb_evaluation_data_number, SIM_EVALUATION_NUMBER);
    assert_true(check_fresh(&verdict));
    assert_int_equal(verdict.tcb_evaluation_data_number, SIM_EVALUATION_NUMBER - 1);
    play("machines/kms", "");
}

/* --- life --- */

static void a_second_service_needs_its_own_place(void **state)
{
    (void)state;
    static struct sim_cast_view view;
    struct sim_service *second = NULL;
    assert_true(sim_machine_defaults(&view.machines[0], "kms", &err));
    view.count = 1;
    const struct sim_service_options options = {.dir = dir, .cast = &view};
    assert_false(sim_service_start(&options, &second, &err)); /* the socket is in use */
    assert_true(error_is(&err, "http/listen"));
    const struct sim_service_options open_listen = {
        .dir = dir, .listen = "0.0.0.0:0", .cast = &view};
    assert_false(sim_service_start(&open_listen, &second, &err));
    assert_true(error_is(&err, "sim/listen"));
    view.machines[1] = view.machines[0];
    view.count = 2;
    assert_false(sim_service_start(&options, &second, &err));
    assert_true(error_is(&err, "sim/machine"));
    assert_null(second);
}

/* Slow and silent answers do not hold up the end. */
static void it_stops_while_it_is_silent(void **state)
{
    (void)state;
    static struct sim_cast_view view;
    struct sim_service *second = NULL;
    struct reply reply REPLY_AUTO = {0};
    char second_dir[] = "/tmp/mero-sim2-XXXXXX";
    char socket[256];
    assert_non_null(mkdtemp(second_dir));
    snprintf(socket, sizeof socket, "%s/kms.sock", second_dir);
    assert_true(sim_machine_defaults(&view.machines[0], "kms", &err));
    view.machines[0].scenario.agent.kind = SIM_FAULT_SILENT;
    view.count = 1;
    const struct sim_service_options options = {.dir = second_dir, .cast = &view};
    assert_true(sim_service_start(&options, &second, &err));
    for (int i = 0; i < 3; i++)
        assert_false(try_call(socket, "GET", "http://x/Info", NULL, 100, BODY_MAX, &reply));
    int64_t begin = clock_monotonic_ms();
    sim_service_stop(&second);
    assert_true(clock_monotonic_ms() - begin < 3000);
    assert_false(file_exists(socket));
    assert_true(file_remove_tree(second_dir, &err));
}

static void set(struct sim_machine_options *options, const char *key, const char *value)
{
    assert_true(sim_machine_set(options, key, slice_str(value), &err));
}

static int set_up(void **state)
{
    (void)state;
    static struct sim_cast_view view;
    if (mkdtemp(dir) == NULL)
        return -1;
    assert_true(sim_machine_defaults(&view.machines[0], "kms", &err));
    set(&view.machines[0], "app-key",
        "d6e88992cdeeee35fe70b5db61ab66cdb191fb9b6ec9313757ef162dd7214d5d");
    assert_true(sim_machine_defaults(&view.machines[1], "old", &err));
    set(&view.machines[1], "agent-version", "0.5.5");
    assert_true(sim_machine_defaults(&view.machines[2], "new", &err));
    set(&view.machines[2], "agent-version", "0.6.0");
    view.count = 3;
    const struct sim_service_options options = {.dir = dir, .cast = &view};
    if (!sim_service_start(&options, &service, &err)) {
        print_error("%s: %s\n", err.code, err.message);
        return -1;
    }
    json_t *page JSON_AUTO = NULL;
    struct slice url;
    assert_true(json_parse(sim_service_page(service), SIM_STATE_FILE_MAX, 0, &page, &err));
    assert_true(json_get_str(page, "pcs_url", &url, &err));
    snprintf(pcs_url, sizeof pcs_url, "%.*s", (int)url.len, (const char *)url.data);
    snprintf(agent_socket, sizeof agent_socket, "%s/kms.sock", dir);
    snprintf(old_socket, sizeof old_socket, "%s/old.sock", dir);
    snprintf(new_socket, sizeof new_socket, "%s/new.sock", dir);
    snprintf(root_pem, sizeof root_pem, "%s/root.pem", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sim_service_stop(&service);
    return file_remove_tree(dir, NULL) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_version_and_unknown_methods),
        cmocka_unit_test(agent_routes_like_rocket),
        cmocka_unit_test(agent_wants_json_marked),
        cmocka_unit_test(agent_gives_the_published_keys),
        cmocka_unit_test(agent_reads_bytes_leniently),
        cmocka_unit_test(agent_emits_into_log_and_register),
        cmocka_unit_test(agent_tells_about_itself),
        cmocka_unit_test(production_client_is_served),
        cmocka_unit_test(agent_faults),
        cmocka_unit_test(pcs_serves_documents),
        cmocka_unit_test(pcs_knows_update_classes),
        cmocka_unit_test(pcs_refuses_as_intel_does),
        cmocka_unit_test(pcs_serves_crls_in_all_encodings),
        cmocka_unit_test(pcs_documents_can_be_unknown),
        cmocka_unit_test(pcs_faults),
        cmocka_unit_test(control_refuses_nonsense),
        cmocka_unit_test(control_shows_the_page),
        cmocka_unit_test(verifier_fetches_and_accepts),
        cmocka_unit_test(verifier_meets_a_bad_service),
        cmocka_unit_test(verifier_meets_a_roll_back),
        cmocka_unit_test(a_second_service_needs_its_own_place),
        cmocka_unit_test(it_stops_while_it_is_silent),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
