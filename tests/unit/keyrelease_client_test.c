/* The node before KMSs that misbehave: transport rule, probe codes and texts of compatibility facts
 * A.5, B.7 and D.6, limits, retries, cancellation. The KMS is a script behind a real socket; it is
 * not verified here (that is kms_flow_test's), so that every later step can be reached. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keyrelease/client.h"
#include "support/scripted_server.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the transport rule ---- */

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool strict_ok, lax_ok, warns;
        const char *message;
    } cases[] = {
        {"https://kms.example:8443/", true, true, false, NULL},
        {"HTTPS://kms.example", true, true, false, NULL},
        {"http://127.0.0.1:8080/", true, true, false, NULL},
        {"http://127.9.9.9/x", true, true, false, NULL},
        {"http://[::1]:8080/", true, true, false, NULL},
        {"http://localhost:8080/", false, true, true,
         "In production attestation mode, tee.kms.phala.url must use HTTPS or loopback HTTP to "
         "prevent KMS spoofing: http://localhost:8080/"},
        {"http://[::ffff:127.0.0.1]/", false, true, true, "must use HTTPS or loopback HTTP"},
        {"http://128.0.0.1/", false, true, true, "must use HTTPS or loopback HTTP"},
        {"http://kms.example/", false, true, true, "must use HTTPS or loopback HTTP"},
        {"ftp://kms.example/", false, false, false,
         "Unsupported KMS URL scheme 'ftp'; expected https:// (or http:// for loopback development "
         "only)"},
        {"Unix:/run/kms.sock", false, false, false, "Unsupported KMS URL scheme 'unix'"},
        {"kms.example", false, false, false, "is not an absolute URL"},
        {"", false, false, false, "is not an absolute URL"},
        {"://x", false, false, false, "is not an absolute URL"},
        {"https://", false, false, false, "is not usable"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = {0};
        bool warns = false;
        if (keyrelease_check_url(cases[i].url, true, NULL, &err) != cases[i].strict_ok)
            fail_msg("strict %s: %s", cases[i].url, err.message);
        if (cases[i].message != NULL && strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: '%s'", cases[i].url, err.message);
        if (keyrelease_check_url(cases[i].url, false, &warns, &err) != cases[i].lax_ok)
            fail_msg("lax %s: %s", cases[i].url, err.message);
        assert_int_equal(warns, cases[i].warns);
    }
}

/* ---- scripts ---- */

#define NONCE  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define DATA32 "0000000000000000000000000000000000000000000000000000000000000000"
#define OK_ATTEST                                                                                  \
    "{\"quoteB64\":\"AAAA\",\"reportDataHex\":\"" DATA32 DATA32                                    \
    "\",\"eventLog\":[],\"vmConfig\":\"\"}"
#define OK_CHALLENGE                                                                               \
    "{\"challengeId\":\"0123456789abcdef0123456789abcdef\",\"nonceB64\":\"" NONCE                  \
    "\",\"expiresAt\":4000000000}"
#define OK_KEY "{\"key\":\"" DATA32 "\"}"

static char *reply_of(int status, const char *content_type, const char *more, const char *body)
{
    size_t room = strlen(body) + strlen(more) + 256;
    char *text = malloc(room);
    assert_non_null(text);
    snprintf(text, room,
             "HTTP/1.1 %d Status\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
             content_type, more, strlen(body), body);
    return text;
}

struct kms_script {
    struct script scripts[12];
    char *texts[12];
    size_t count;
};

static void add_reply(struct kms_script *s, int status, const char *type, const char *more,
                      const char *body)
{
    s->texts[s->count] = reply_of(status, type, more, body);
    s->scripts[s->count] = (struct script){.reply = s->texts[s->count], .keep_open = true};
    s->count++;
}

static void add_good(struct kms_script *s, const char *body)
{
    add_reply(s, 200, "application/json", "", body);
}

static void free_script(struct kms_script *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->texts[i]);
}

struct outcome {
    bool ok, sealed;
    size_t key_len;
    struct keyrelease_failure failure;
    struct error err;
    unsigned connections, requests;
    char last_request[8192];
    int64_t took_ms;
};

static struct identity *identity;
static struct quote_source *quotes;
static atomic_bool cancel_flag;
static unsigned budget_ms = 1500;

static int open_node(void **state)
{
    (void)state;
    struct error err = {0};
    uint8_t seed[32] = {1};
    const struct quote_source_options options = {.kind = QUOTE_SOURCE_MOCK};
    assert_true(identity_from_seed(slice_of(seed, 32), &identity, &err));
    assert_true(quote_source_open(&options, &quotes, &err));
    return 0;
}

static int close_node(void **state)
{
    (void)state;
    identity_free(&identity);
    quote_source_close(&quotes);
    return 0;
}

static void fetch(const char *url, struct outcome *out)
{
    SECRET_AUTO struct secret key = {0};
    const struct keyrelease_options options = {
        .url = url,
        .insecure_skip_kms_verification = true,
        .insecure_allow_clear_key_release = true,
        .quotes = quotes,
        .identity = identity,
        .budget_ms = budget_ms,
        .cancel = &cancel_flag,
    };
    int64_t before_ms = clock_monotonic_ms();
    out->ok = keyrelease_fetch(&options, &key, &out->sealed, &out->failure, &out->err);
    out->took_ms = clock_monotonic_ms() - before_ms;
    out->key_len = key.len;
}

static void play(struct kms_script *s, struct outcome *out)
{
    char url[64];
    *out = (struct outcome){0};
    struct scripted_server *server = scripted_start(s->scripts, s->count, NULL);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/kms", scripted_port(server));
    fetch(url, out);
    out->connections = scripted_connections(server);
    out->requests = scripted_requests(server);
    snprintf(out->last_request, sizeof(out->last_request), "%s", scripted_last_request(server));
    scripted_stop(&server);
    free_script(s);
}

/* ---- one reply wrong, everything before it right ---- */

struct reply_case {
    enum keyrelease_stage stage;
    int status;
    const char *type, *body;
    const char *probe_code, *code, *details; /* details: exact when it starts with '=' */
    const char *kms_error;
};

static const struct reply_case reply_cases[] = {
    {KEYRELEASE_ATTEST, 401, "application/json",
     "{\"error\":\"attestation_verification_failed\",\"details\":\"agent away\"}",
     "KMS_ATTEST_REJECTED", "keyrelease/refused",
     "=KMS attestation request failed (401 Unauthorized): attestation_verification_failed - agent "
     "away",
     "attestation_verification_failed"},
    {KEYRELEASE_ATTEST, 502, "text/plain", "bad gateway", "KMS_ATTEST_REJECTED",
     "keyrelease/refused", "=KMS attestation request failed (502 Bad Gateway): bad gateway", NULL},
    {KEYRELEASE_ATTEST, 404, "text/plain", "", "KMS_ATTEST_REJECTED", "keyrelease/refused",
     "=KMS attestation request failed (404 Not Found): ", NULL},
    {KEYRELEASE_ATTEST, 400, "application/json", "{\"error\":\"x\"}", "KMS_ATTEST_REJECTED",
     "keyrelease/refused", "=KMS attestation request failed (400 Bad Request): x", "x"},
    {KEYRELEASE_ATTEST, 403, "application/json", "{\"error\":\" Profile_Policy_Rejected \"}",
     "KMS_PROFILE_POLICY_REJECTED", "keyrelease/refused", "403 Forbidden",
     " Profile_Policy_Rejected "},
    {KEYRELEASE_ATTEST, 200, "application/json", "{\"quoteB64\":\"AAAA\"}",
     "KMS_ATTEST_RESPONSE_INVALID", "keyrelease/response", "reportDataHex", NULL},
    {KEYRELEASE_ATTEST, 200, "text/html", "<html>", "KMS_ATTEST_RESPONSE_INVALID",
     "keyrelease/response", "not usable", NULL},
    {KEYRELEASE_ATTEST, 204, "text/plain", "", "KMS_ATTEST_RESPONSE_INVALID", "keyrelease/response",
     "not usable", NULL},
    {KEYRELEASE_CHALLENGE, 429, "application/json",
     "{\"error\":\"rate_limited\",\"details\":\"Too many pending challenges. Retry shortly.\"}",
     "KMS_CHALLENGE_REJECTED", "keyrelease/refused",
     "=KMS challenge request failed (429 Too Many Requests): rate_limited - Too many pending "
     "challenges. Retry shortly.",
     "rate_limited"},
    {KEYRELEASE_CHALLENGE, 200, "application/json", "{}", "KMS_CHALLENGE_RESPONSE_INVALID",
     "keyrelease/response", "challengeId", NULL},
    {KEYRELEASE_CHALLENGE, 200, "application/json",
     "{\"challengeId\":\"x\",\"nonceB64\":\"AAAA\",\"expiresAt\":1}", "KMS_CHALLENGE_NONCE_INVALID",
     "keyrelease/response", "=Challenge nonce must be exactly 32 bytes", NULL},
    {KEYRELEASE_GET_KEY, 403, "application/json",
     "{\"error\":\"measurement_policy_rejected\",\"details\":\"MRTD 'aa' is not in allowlist\"}",
     "KMS_PROFILE_POLICY_REJECTED", "keyrelease/refused",
     "=KMS get-key request failed (403 Forbidden): measurement_policy_rejected - MRTD 'aa' is not "
     "in "
     "allowlist",
     "measurement_policy_rejected"},
    {KEYRELEASE_GET_KEY, 401, "application/json", "{\"error\":\"invalid_signature\"}",
     "KMS_GET_KEY_REJECTED", "keyrelease/refused", "401 Unauthorized", "invalid_signature"},
    {KEYRELEASE_GET_KEY, 200, "application/json", "{\"key\":\"\"}", "KMS_KEY_INVALID",
     "keyrelease/key", "=KMS returned an empty encryption key", NULL},
    {KEYRELEASE_GET_KEY, 200, "application/json", "{\"key\":\"aabb\"}",
     "KMS_GET_KEY_REQUEST_FAILED", "keyrelease/key",
     "=KMS returned an undersized encryption key: 2 bytes, expected at least 32", NULL},
    {KEYRELEASE_GET_KEY, 200, "application/json", "[]", "KMS_GET_KEY_RESPONSE_INVALID",
     "keyrelease/response", "reply", NULL},
    {KEYRELEASE_GET_KEY, 200, "application/json",
     "{\"sealedKeyB64\":\"AAAA\",\"sealNonceB64\":\"AAAAAAAAAAAAAAAA\"}",
     "KMS_GET_KEY_RESPONSE_INVALID", "keyrelease/response", "key is missing", NULL},
};

static void expect_outcome(const struct reply_case *c, const struct outcome *o)
{
    const char *want = c->details[0] == '=' ? &c->details[1] : c->details;
    bool text_ok = c->details[0] == '=' ? strcmp(o->failure.details, want) == 0
                                        : strstr(o->failure.details, want) != NULL;
    if (o->ok || strcmp(o->failure.probe_code, c->probe_code) != 0 ||
        strcmp(o->err.code, c->code) != 0 || !text_ok || o->failure.stage != c->stage)
        fail_msg("%s: got %s %s '%s'", c->body, o->ok ? "key" : o->failure.probe_code, o->err.code,
                 o->failure.details);
    assert_int_equal(o->failure.has_kms_error, c->kms_error != NULL);
    if (c->kms_error != NULL)
        assert_string_equal(o->failure.kms_error, c->kms_error);
    assert_int_equal(o->failure.http_status, c->status < 300 ? 0 : c->status);
    assert_int_equal(o->key_len, 0);
}

static void test_replies(void **state)
{
    (void)state;
    budget_ms = 1; /* no retries here */
    for (size_t i = 0; i < COUNT(reply_cases); i++) {
        const struct reply_case *c = &reply_cases[i];
        struct kms_script script = {0};
        struct outcome o;
        if (c->stage > KEYRELEASE_ATTEST)
            add_good(&script, OK_ATTEST);
        if (c->stage > KEYRELEASE_CHALLENGE)
            add_good(&script, OK_CHALLENGE);
        add_reply(&script, c->status, c->type, "", c->body);
        play(&script, &o);
        expect_outcome(c, &o);
    }
    budget_ms = 1500;
}

static void test_clear_form_of_an_old_kms(void **state)
{
    (void)state;
    struct kms_script script = {0};
    struct outcome o;
    add_good(&script, OK_ATTEST);
    add_good(&script, OK_CHALLENGE);
    add_good(&script, OK_KEY);
    play(&script, &o);
    assert_true(o.ok);
    assert_false(o.sealed);
    assert_int_equal(o.key_len, 32);
    assert_int_equal(o.requests, 3);
    assert_int_equal(o.connections, 1); /* one handshake for all of it */
    assert_non_null(strstr(o.last_request, "POST /kms/get-key HTTP/1.1\r\n"));
    assert_non_null(strstr(o.last_request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(o.last_request, "{\"challengeId\":\"0123456789abcdef"));
    assert_null(strstr(o.last_request, "sealToB64"));
}

/* What is on offer is required: an answer in clear to a sealed request is no key. */
static void test_downgrade(void **state)
{
    (void)state;
    struct kms_script script = {0};
    struct outcome o;
    add_good(&script, "{\"quoteB64\":\"AAAA\",\"reportDataHex\":\"" DATA32 DATA32
                      "\",\"transportPublicKeyB64\":"
                      "\"CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}");
    add_good(&script, OK_CHALLENGE);
    add_good(&script, OK_KEY);
    play(&script, &o);
    assert_false(o.ok);
    assert_string_equal(o.failure.probe_code, "KMS_GET_KEY_RESPONSE_INVALID");
    assert_non_null(strstr(o.failure.details, "answered a sealed request with a key in clear"));
    assert_non_null(strstr(o.last_request, "\"sealToB64\":\""));
}

static void test_redirect_is_not_followed(void **state)
{
    (void)state;
    struct kms_script script = {0};
    struct outcome o;
    add_reply(&script, 302, "text/plain", "Location: http://127.0.0.1:1/\r\n", "");
    play(&script, &o);
    assert_string_equal(o.failure.probe_code, "KMS_ATTEST_REJECTED");
    assert_int_equal(o.failure.http_status, 302);
    assert_int_equal(o.requests, 1);
}

static void test_oversized_reply(void **state)
{
    (void)state;
    static char body[1024 * 1024 + 2];
    memset(body, ' ', sizeof(body) - 1);
    for (size_t extra = 0; extra < 2; extra++) {
        struct kms_script script = {0};
        struct outcome o;
        body[1024 * 1024 + extra] = '\0';
        add_good(&script, body);
        body[1024 * 1024 + extra] = ' ';
        play(&script, &o);
        assert_string_equal(o.failure.probe_code, extra == 0 ? "KMS_ATTEST_RESPONSE_INVALID"
                                                             : "KMS_ATTEST_RESPONSE_OVERSIZED");
    }
}

/* ---- time ---- */

static void test_transient_failures_are_retried(void **state)
{
    (void)state;
    struct kms_script script = {0};
    struct outcome o;
    add_reply(&script, 502, "text/html", "", "<h1>bad gateway</h1>");
    add_reply(&script, 503, "text/plain", "", "");
    add_good(&script, OK_ATTEST);
    add_reply(&script, 429, "application/json", "Retry-After: 1\r\n",
              "{\"error\":\"rate_limited\"}");
    add_good(&script, OK_CHALLENGE);
    add_reply(&script, 504, "text/plain", "", "");
    add_good(&script, OK_KEY);
    budget_ms = 4000;
    play(&script, &o);
    assert_true(o.ok);
    assert_int_equal(o.requests, 7);
    assert_true(o.took_ms >= 1000); /* as it was asked to wait */
    assert_null(o.failure.probe_code);
    budget_ms = 1500;
}

static void test_refusals_are_not_retried(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        bool transient;
    } cases[] = {
        {400, "{\"error\":\"invalid_peer_id\"}", false},
        {403, "{\"error\":\"tcb_status_rejected\"}", false},
        {500, "{\"error\":\"key_derivation_failed\"}", true},
        {503, "{\"error\":\"policy_not_ready\"}", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct kms_script script = {0};
        struct outcome o;
        add_good(&script, OK_ATTEST);
        add_reply(&script, cases[i].status, "application/json", "", cases[i].body);
        play(&script, &o);
        assert_false(o.ok);
        assert_int_equal(o.requests, 2);
        assert_int_equal(o.failure.transient, cases[i].transient);
    }
}

static void test_lost_challenge_is_asked_for_again(void **state)
{
    (void)state;
    static const char gone[] =
        "{\"error\":\"invalid_challenge\",\"details\":\"Challenge validation "
        "failed: challenge has expired\"}";
    struct kms_script script = {0};
    struct outcome o;
    add_good(&script, OK_ATTEST);
    for (unsigned i = 0; i < 3; i++) {
        add_good(&script, OK_CHALLENGE);
        add_reply(&script, 401, "application/json", "", gone);
    }
    add_good(&script, OK_CHALLENGE);
    add_good(&script, OK_KEY);
    play(&script, &o);
    assert_true(o.ok);
    assert_int_equal(o.requests, 9);
    /* Another reason under the same tag is an answer. */
    script = (struct kms_script){0};
    add_good(&script, OK_ATTEST);
    add_good(&script, OK_CHALLENGE);
    add_reply(&script, 401, "application/json", "",
              "{\"error\":\"invalid_challenge\",\"details\":\"Attested nonce does not match issued "
              "challenge\"}");
    play(&script, &o);
    assert_false(o.ok);
    assert_int_equal(o.requests, 3);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct outcome o = {0};
    budget_ms = 600;
    fetch("http://127.0.0.1:1/", &o);
    assert_false(o.ok);
    assert_string_equal(o.err.code, "keyrelease/unreachable");
    assert_string_equal(o.failure.probe_code, "KMS_ATTEST_VERIFICATION_FAILED");
    assert_int_equal(o.failure.stage, KEYRELEASE_ATTEST);
    assert_int_equal(o.failure.http_status, 0);
    assert_true(o.failure.transient);
    assert_in_range(o.took_ms, 200, 1500); /* tried again, inside the budget */
    budget_ms = 1500;
}

static void *cancel_soon(void *ctx)
{
    (void)ctx;
    usleep(200 * 1000);
    atomic_store(&cancel_flag, true);
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    static const struct script silent = {.reply = NULL, .keep_open = true};
    pthread_t thread;
    char url[64];
    struct scripted_server *server = scripted_start(&silent, 1, NULL);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", scripted_port(server));
    budget_ms = 20000;
    const char *const urls[] = {url, "http://127.0.0.1:1/"}; /* while waiting for, and between */
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct outcome o = {0};
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
        fetch(urls[i], &o);
        assert_int_equal(pthread_join(thread, NULL), 0);
        atomic_store(&cancel_flag, false);
        assert_false(o.ok);
        assert_string_equal(o.err.code, "keyrelease/canceled");
        assert_true(o.took_ms < 2000);
    }
    scripted_stop(&server);
    budget_ms = 1500;
}

static void test_bad_urls_never_connect(void **state)
{
    (void)state;
    struct outcome o = {0};
    fetch("ftp://127.0.0.1/", &o);
    assert_string_equal(o.failure.probe_code, "KMS_HTTP_INSECURE");
    assert_int_equal(o.failure.stage, KEYRELEASE_TRANSPORT);
    o = (struct outcome){0};
    fetch("https://", &o);
    assert_string_equal(o.failure.probe_code, "KMS_ENDPOINT_URL_INVALID");
    assert_string_equal(keyrelease_stage_name(o.failure.stage), "transport");
    assert_string_equal(keyrelease_stage_title(KEYRELEASE_GET_KEY), "GetKey");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_clear_form_of_an_old_kms),
        cmocka_unit_test(test_downgrade),
        cmocka_unit_test(test_redirect_is_not_followed),
        cmocka_unit_test(test_oversized_reply),
        cmocka_unit_test(test_transient_failures_are_retried),
        cmocka_unit_test(test_refusals_are_not_retried),
        cmocka_unit_test(test_lost_challenge_is_asked_for_again),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_bad_urls_never_connect),
    };
    return cmocka_run_group_tests(tests, open_node, close_node);
}
