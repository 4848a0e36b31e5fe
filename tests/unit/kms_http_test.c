/* What arrives at the KMS's door: every endpoint, the framework's answers, bad input of each kind
 * with its documented status and tag, faults of the agent, limits. Compatibility facts D.1-D.5. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include "support/kms_fixture.h"
#include "support/raw_http.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PEER     "12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf"
#define B32      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct kms_fixture world;

static int open_world(void **state)
{
    (void)state;
    fixture_open(&world);
    fixture_defaults(&world);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    fixture_close(&world);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    fixture_scenario(&world, "kms", NULL);
    fixture_defaults(&world);
    return 0;
}

static int begin_running(void **state)
{
    begin(state);
    fixture_configure(&world);
    fixture_start(&world);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fixture_stop(&world);
    return 0;
}

static void get(const char *method, const char *path, struct fixture_reply *out)
{
    char request[512];
    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: kms\r\nConnection: close\r\n\r\n",
             method, path);
    fixture_request(&world, request, out);
}

/* ---- shape of the good answers ---- */

static void test_health(void **state)
{
    (void)state;
    struct fixture_reply reply;
    get("GET", "/health", &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "{\"status\":\"alive\",\"service\":\"mero-kms-phala\"}");
    assert_non_null(strstr(reply.headers, "application/json"));
    int fd = raw_connect(kms_port(world.kms));
    assert_true(raw_send(fd, "HEAD /health HTTP/1.1\r\nHost: kms\r\nConnection: close\r\n\r\n"));
    assert_int_equal(raw_status(raw_reply(fd, true, 5000)), 200);
    close(fd);
}

static void test_challenge_shape(void **state)
{
    (void)state;
    struct fixture_reply reply;
    json_t *root JSON_AUTO = NULL;
    struct error err = {0};
    int64_t expires = 0;
    fixture_post(&world, "/challenge", "{\"peerId\":\"" PEER "\"}", &reply);
    assert_int_equal(reply.status, 200);
    assert_true(json_parse(slice_str(reply.body), 4096, 0, &root, &err));
    struct slice id, nonce;
    assert_true(json_get_str(root, "challengeId", &id, &err));
    assert_true(json_get_str(root, "nonceB64", &nonce, &err));
    assert_true(json_get_int(root, "expiresAt", 0, INT64_MAX, &expires, &err));
    assert_int_equal(id.len, 112);
    assert_int_equal(strspn((const char *)id.data, "0123456789abcdef"), 112);
    assert_int_equal(nonce.len, 44);
    assert_in_range(expires, clock_unix_s() + 58, clock_unix_s() + 61);
    assert_int_equal(strncmp(reply.body, "{\"challengeId\":\"", 16), 0);
}

static void test_attest_shape(void **state)
{
    (void)state;
    struct fixture_reply reply;
    fixture_post(&world, "/attest", "{\"nonceB64\":\"" B32 "\"}", &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(strncmp(reply.body, "{\"quoteB64\":\"BA", 15), 0);
    /* nonce, then the default binding, signed as it is */
    const char *data = strstr(reply.body, "\"reportDataHex\":\"");
    assert_non_null(data);
    assert_memory_equal(&data[17 + 64],
                        "2323feace9fd1751a89ab2bebb8aba145f343a3688e3d1655ed428eb0766e396", 64);
    assert_non_null(strstr(reply.body, "\"eventLog\":[{\"imr\":0"));
    assert_non_null(strstr(reply.body, "\"vmConfig\":\""));
    assert_null(strstr(reply.body, "transportPublicKeyB64"));
    fixture_post(&world, "/attest", "{\"nonceB64\":\"" B32 "\",\"transportKey\":true}", &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body, "\"transportPublicKeyB64\":\""));
    data = strstr(reply.body, "\"reportDataHex\":\"");
    assert_memory_not_equal(&data[17 + 64], "2323feace9fd1751", 16);
}

/* ---- the framework's answers ---- */

struct door_case {
    const char *name, *request;
    int status;
    const char *header, *body; /* substrings; body "" = must be empty, NULL = not looked at */
};

static const struct door_case door_cases[] = {
    {"unknown path", "GET /nothing HTTP/1.1\r\nHost: k\r\n\r\n", 404, NULL, ""},
    {"path with a slash too many", "GET /health/ HTTP/1.1\r\nHost: k\r\n\r\n", 404, NULL, ""},
    {"wrong method on health", "POST /health HTTP/1.1\r\nHost: k\r\nContent-Length: 0\r\n\r\n", 405,
     "Allow: GET,HEAD", ""},
    {"wrong method on attest", "GET /attest HTTP/1.1\r\nHost: k\r\n\r\n", 405, "Allow: POST", ""},
    {"preflight without CORS", "OPTIONS /attest HTTP/1.1\r\nHost: k\r\n\r\n", 405, "Allow: POST",
     ""},
    {"no content type", "POST /challenge HTTP/1.1\r\nHost: k\r\nContent-Length: 2\r\n\r\n{}", 415,
     "text/plain", "Expected request with `Content-Type: application/json`"},
    {"form",
     "POST /challenge HTTP/1.1\r\nHost: k\r\nContent-Type: application/x-www-form-urlencoded\r\n"
     "Content-Length: 2\r\n\r\n{}",
     415, "text/plain", "Expected request with"},
    {"almost JSON",
     "POST /challenge HTTP/1.1\r\nHost: k\r\nContent-Type: application/jsonx\r\n"
     "Content-Length: 2\r\n\r\n{}",
     415, NULL, NULL},
    {"JSON with parameters",
     "POST /challenge HTTP/1.1\r\nHost: k\r\nContent-Type: Application/JSON ; charset=utf-8\r\n"
     "Content-Length: 2\r\n\r\n{}",
     422, "text/plain", "missing field `peerId`"},
    {"JSON by suffix",
     "POST /challenge HTTP/1.1\r\nHost: k\r\nContent-Type: application/problem+json\r\n"
     "Content-Length: 2\r\n\r\n{}",
     422, NULL, NULL},
    {"declared too large",
     "POST /challenge HTTP/1.1\r\nHost: k\r\nContent-Type: application/json\r\n"
     "Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n",
     413, "text/plain", "Failed to buffer the request body: length limit exceeded"},
    {"two lengths",
     "POST /challenge HTTP/1.1\r\nHost: k\r\nContent-Type: application/json\r\n"
     "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
     400, NULL, NULL},
};

static void test_door(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(door_cases); i++) {
        const struct door_case *c = &door_cases[i];
        struct fixture_reply reply;
        fixture_request(&world, c->request, &reply);
        bool body_ok =
            c->body == NULL ||
            (c->body[0] == '\0' ? reply.body[0] == '\0' : strstr(reply.body, c->body) != NULL);
        bool header_ok = c->header == NULL || strstr(reply.headers, c->header) != NULL;
        if (reply.status != c->status || !body_ok || !header_ok)
            fail_msg("%s: %d '%s' %s", c->name, reply.status, reply.body, reply.headers);
    }
}

/* ---- bodies ---- */

struct body_case {
    const char *path, *body;
    int status;
    const char *text; /* tag, or part of a text/plain body */
};

static const struct body_case body_cases[] = {
    /* not JSON: 400; JSON of another shape: 422 */
    {"/challenge", "", 400, "Failed to parse the request body as JSON: "},
    {"/challenge", "{", 400, "Failed to parse the request body as JSON: "},
    {"/challenge", "{\"peerId\":\"a\"}x", 400, "Failed to parse the request body as JSON: "},
    {"/challenge", "{\"peerId\":\"a\\x\"}", 400, "Failed to parse the request body as JSON: "},
    {"/challenge", "{\"peerId\":\"\xc3\x28\"}", 400, "Failed to parse the request body as JSON: "},
    {"/challenge", "[]", 422, "Failed to deserialize the JSON body into the target type: "},
    {"/challenge", "{\"peerId\":1}", 422, "peerId: invalid type"},
    {"/challenge", "{\"peerId\":\"a\",\"peerId\":\"a\"}", 422, "repeated member name"},
    {"/attest", "{}", 422, "missing field `nonceB64`"},
    {"/attest", "{\"nonceB64\":\"" B32 "\",\"transportKey\":1}", 422, "transportKey"},
    {"/get-key", "{}", 422, "missing field `challengeId`"},
    {"/get-key", "{\"challengeId\":\"\",\"quoteB64\":\"\",\"peerId\":\"\",\"signatureB64\":\"\"}",
     422, "missing field `peerPublicKeyB64`"},
    /* peer ids */
    {"/challenge", "{\"peerId\":\"\"}", 400,
     "{\"error\":\"invalid_peer_id\",\"details\":\"peer ID must not be empty\"}"},
    {"/challenge", "{\"peerId\":\" \\t\"}", 400, "peer ID must not be empty"},
    {"/challenge", "{\"peerId\":\"0OIl\"}", 400,
     "{\"error\":\"invalid_peer_id\",\"details\":\"peer ID contains non-base58btc characters\"}"},
    {"/challenge", "{\"peerId\":\" abc \"}", 200, "challengeId"},
    {"/challenge", "{\"peerId\":\"a\",\"more\":{\"a\":[1,2,{}]}}", 200, "challengeId"},
    /* attest */
    {"/attest", "{\"nonceB64\":\"\"}", 400, "nonceB64 must be exactly 32 bytes"},
    {"/attest", "{\"nonceB64\":\"AAAA\"}", 400,
     "{\"error\":\"invalid_attestation_request\",\"details\":\"nonceB64 must be exactly 32 "
     "bytes\"}"},
    {"/attest", "{\"nonceB64\":\"AAA\"}", 400, "\"nonceB64: "},
    {"/attest", "{\"nonceB64\":\"" B32 " \"}", 400, "\"nonceB64: "},
    {"/attest", "{\"nonceB64\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", 400,
     "\"nonceB64: "}, /* padding left off */
    {"/attest", "{\"nonceB64\":\"" B32 "\",\"bindingB64\":\"AAAA\"}", 400,
     "bindingB64 must be exactly 32 bytes"},
    {"/attest", "{\"nonceB64\":\"" B32 "\",\"bindingB64\":\"" B32 "\"}", 400,
     "bindingB64 is not accepted without transportKey"},
    {"/attest", "{\"nonceB64\":\"" B32 "\",\"bindingB64\":\"" B32 "\",\"transportKey\":true}", 200,
     "transportPublicKeyB64"},
    {"/attest", "{\"nonceB64\":\"" B32 "\",\"bindingB64\":null}", 200, "quoteB64"},
    {"/attest",
     "{\"nonceB64\":\"" B32 "\",\"bindingB64\":\"IyP+rOn9F1GomrK+u4q6FF80OjaI49FlXtQo6wdm45Y=\"}",
     200, "quoteB64"},
};

static void test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(body_cases); i++) {
        const struct body_case *c = &body_cases[i];
        struct fixture_reply reply;
        fixture_post(&world, c->path, c->body, &reply);
        if (reply.status != c->status || strstr(reply.body, c->text) == NULL)
            fail_msg("%s %s: %d %.300s", c->path, c->body, reply.status, reply.body);
    }
}

/* A body of exactly the limit is read; one byte more is not; nesting to 32 levels, not 33. */
static void test_body_limits(void **state)
{
    (void)state;
    static char body[65600];
    struct fixture_reply reply;
    for (size_t len = 65535; len <= 65537; len++) {
        size_t at = (size_t)snprintf(body, sizeof(body), "{\"peerId\":\"a\",\"x\":\"");
        memset(&body[at], 'x', len - at - 2);
        memcpy(&body[len - 2], "\"}", 3);
        fixture_post(&world, "/challenge", body, &reply);
        assert_int_equal(reply.status, len <= 65536 ? 200 : 413);
    }
    for (size_t depth = 31; depth <= 33; depth++) {
        size_t at = (size_t)snprintf(body, sizeof(body), "{\"peerId\":\"a\",\"x\":");
        memset(&body[at], '[', depth - 1);
        memset(&body[at + depth - 1], ']', depth - 1);
        memcpy(&body[at + 2 * (depth - 1)], "}", 2);
        fixture_post(&world, "/challenge", body, &reply);
        assert_int_equal(reply.status, depth <= 32 ? 200 : 400);
    }
    for (size_t len = 127; len <= 129; len++) {
        size_t at = (size_t)snprintf(body, sizeof(body), "{\"peerId\":\"");
        memset(&body[at], 'a', len);
        memcpy(&body[at + len], "\"}", 3);
        fixture_post(&world, "/challenge", body, &reply);
        assert_int_equal(reply.status, len <= 128 ? 200 : 400);
        if (len > 128)
            assert_non_null(strstr(reply.body, "peer ID exceeds max length 128"));
    }
}

/* ---- order of /get-key's checks: each request is wrong in everything that comes later ---- */

static void get_key_body(const char *id, const char *quote, const char *peer, const char *key,
                         const char *signature, const char *seal, char *out, size_t out_len)
{
    snprintf(out, out_len,
             "{\"challengeId\":\"%s\",\"quoteB64\":\"%s\",\"peerId\":\"%s\",\"peerPublicKeyB64\":"
             "\"%s\",\"signatureB64\":\"%s\"%s%s%s}",
             id, quote, peer, key, signature, seal != NULL ? ",\"sealToB64\":\"" : "",
             seal != NULL ? seal : "", seal != NULL ? "\"" : "");
}

struct order_case {
    bool good_id; /* a challenge of this peer's */
    const char *id, *quote, *peer, *key, *signature, *seal;
    int status;
    const char *tag, *details;
};

static const struct order_case order_cases[] = {
    {false, "x", "x", "0", "x", "x", NULL, 400, "invalid_peer_id", "non-base58btc"},
    {false, "x", "x", PEER, "x", "x", NULL, 401, "invalid_challenge",
     "challenge ID must be 112 lower-case hex characters"},
    {true, NULL, "x", PEER, "x", "x", NULL, 400, "invalid_attestation_request",
     "sealToB64 is required"},
    {true, NULL, "x", PEER, "x", "x", "AAAA", 400, "invalid_attestation_request",
     "sealToB64 must be base64 of exactly 32 bytes"},
    {true, NULL, "x", PEER, "x", "x", B32, 400, "invalid_request", "quoteB64: "},
    {false,
     "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000",
     "AAAA", PEER, "x", "x", B32, 401, "invalid_challenge",
     "Challenge validation failed: challenge not found or expired"},
    {true, NULL, "AAAA", PEER, "x", "x", B32, 400, "invalid_peer_public_key", "peerPublicKeyB64: "},
    {true, NULL, "AAAA", PEER, "AAAA", "x", B32, 401, "invalid_signature", "signatureB64: "},
    {true, NULL, "AAAA", PEER, "AAAA", "AAAA", B32, 400, "invalid_peer_public_key", ""},
    /* RSA, Secp256k1: not Ed25519 */
    {true, NULL, "AAAA", PEER, "CAASACIA", "AAAA", B32, 400, "invalid_peer_public_key", ""},
    {true, NULL, "AAAA", PEER, "CAESIHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk", "AAAA", B32, 401,
     "invalid_signature", "signature verification failed"},
    {true, NULL, "AAAA", PEER, "CAESIHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZl", "AAAA", B32, 401,
     "peer_identity_mismatch", "does not correspond to the claimed peer ID"},
};

static void test_get_key_order(void **state)
{
    (void)state;
    struct challenge_reply challenge;
    fixture_challenge(&world, PEER, &challenge);
    for (size_t i = 0; i < COUNT(order_cases); i++) {
        const struct order_case *c = &order_cases[i];
        struct fixture_reply reply;
        char body[4096];
        get_key_body(c->good_id ? challenge.id : c->id, c->quote, c->peer, c->key, c->signature,
                     c->seal, body, sizeof(body));
        fixture_post(&world, "/get-key", body, &reply);
        fixture_expect(&reply, c->status, c->tag);
        if (strstr(reply.body, c->details) == NULL)
            fail_msg("case %zu: %s", i, reply.body);
    }
}

/* ---- faults of the agent ---- */

struct agent_case {
    const char *scenario;
    const char *path;
    int status;
    const char *tag;
};

static void test_agent_faults(void **state)
{
    static const char *const faults[] = {"agent:silent",    "agent:malformed",  "agent:truncated",
                                         "agent:oversized", "agent:status:500", "agent:slow:5000"};
    begin(state);
    fixture_configure(&world);
    world.config.agent_ms = 400;
    fixture_start(&world);
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct fixture_proof proof;
        struct fixture_reply reply;
        int64_t before_ms = clock_monotonic_ms();
        fixture_prove(&world, "node", true, &proof);
        fixture_scenario(&world, "kms", faults[i]);
        fixture_get_key(&world, &proof, &reply);
        fixture_expect(&reply, 500, "key_derivation_failed");
        fixture_post(&world, "/attest", "{\"nonceB64\":\"" B32 "\"}", &reply);
        fixture_expect(&reply, 401, "attestation_verification_failed");
        assert_true(clock_monotonic_ms() - before_ms < 2000);
        fixture_scenario(&world, "kms", NULL);
        fixture_get_key(&world, &proof, &reply); /* nothing was burnt: the same request succeeds */
        assert_int_equal(reply.status, 200);
        fixture_proof_free(&proof);
    }
}

static void *ask(void *ctx)
{
    struct fixture_reply *reply = ctx;
    struct fixture_proof proof;
    fixture_prove(&world, "node", true, &proof);
    fixture_get_key(&world, &proof, reply);
    fixture_proof_free(&proof);
    return NULL;
}

/* While the agent hangs: health, challenges and the admin address answer at once, and no more than
 * the agreed number of requests wait for it. */
static void test_hanging_agent_blocks_nobody_else(void **state)
{
    enum { ASKERS = 6, IN_FLIGHT = 4 };
    static struct fixture_reply replies[ASKERS];
    pthread_t threads[ASKERS];
    struct fixture_reply reply;
    struct challenge_reply challenge;
    begin(state);
    fixture_configure(&world);
    world.config.agent_ms = 1500;
    world.config.get_key_in_flight = IN_FLIGHT;
    fixture_start(&world);
    fixture_scenario(&world, "kms", "agent:silent");
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &replies[i]), 0);
    usleep(300 * 1000);
    int64_t before_ms = clock_monotonic_ms();
    get("GET", "/health", &reply);
    assert_int_equal(reply.status, 200);
    fixture_challenge(&world, PEER, &challenge);
    fixture_admin(&world, "/livez", &reply);
    assert_int_equal(reply.status, 200);
    fixture_admin(&world, "/metrics", &reply);
    assert_non_null(strstr(reply.body, "mero_kms_in_flight_get_key 4\n"));
    assert_true(clock_monotonic_ms() - before_ms < 500);
    size_t busy = 0, failed = 0;
    for (size_t i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        busy += replies[i].status == 429 && strstr(replies[i].body, "rate_limited") != NULL &&
                strstr(replies[i].headers, "Retry-After: 1") != NULL;
        failed +=
            replies[i].status == 500 && strstr(replies[i].body, "key_derivation_failed") != NULL;
    }
    assert_int_equal(busy, ASKERS - IN_FLIGHT);
    assert_int_equal(failed, IN_FLIGHT);
}

/* The agent comes later than the service. */
static void test_agent_away_at_start(void **state)
{
    struct fixture_reply reply;
    struct fixture_proof proof;
    begin(state);
    fixture_scenario(&world, "kms", "agent:status:500");
    fixture_configure(&world);
    fixture_start(&world);
    get("GET", "/health", &reply);
    assert_int_equal(reply.status, 200);
    fixture_post(&world, "/attest", "{\"nonceB64\":\"" B32 "\",\"transportKey\":true}", &reply);
    fixture_expect(&reply, 401, "attestation_verification_failed");
    fixture_prove(&world, "node", true, &proof);
    fixture_get_key(&world, &proof, &reply);
    fixture_expect(&reply, 503, "policy_not_ready");
    fixture_admin(&world, "/readyz?verbose", &reply);
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.body, "{\"name\":\"platform\",\"ok\":false,\"detail\":\""));
    fixture_scenario(&world, "kms", NULL);
    for (unsigned i = 0; i < 50 && reply.status != 200; i++) {
        usleep(100 * 1000);
        fixture_admin(&world, "/readyz", &reply);
    }
    fixture_get_key(&world, &proof, &reply);
    assert_int_equal(reply.status, 200);
    fixture_proof_free(&proof);
}

/* ---- limits per source ---- */

static void post_from(const char *forwarded, struct fixture_reply *out)
{
    char request[512];
    snprintf(request, sizeof(request),
             "POST /challenge HTTP/1.1\r\nHost: k\r\nContent-Type: application/json\r\n%s"
             "Content-Length: 15\r\nConnection: close\r\n\r\n{\"peerId\":\"abc\"",
             forwarded);
    memcpy(&request[strlen(request)], "}", 2);
    char *length = strstr(request, "Content-Length: 15");
    memcpy(length, "Content-Length: 16", 18);
    fixture_request(&world, request, out);
}

static void test_rate_limit(void **state)
{
    struct fixture_reply reply;
    begin(state);
    fixture_set(&world, "MERO_KMS_RATE", "1");
    fixture_set(&world, "MERO_KMS_BURST", "3");
    fixture_configure(&world);
    fixture_start(&world);
    for (unsigned i = 0; i < 3; i++) {
        post_from("", &reply);
        assert_int_equal(reply.status, 200);
    }
    post_from("", &reply);
    fixture_expect(&reply, 429, "rate_limited");
    assert_non_null(strstr(reply.headers, "Retry-After: 1"));
    /* An address that the client makes up helps nobody here. */
    post_from("X-Forwarded-For: 203.0.113.9\r\n", &reply);
    assert_int_equal(reply.status, 429);
    get("GET", "/health", &reply);
    assert_int_equal(reply.status, 200);
    fixture_admin(&world, "/metrics", &reply);
    assert_non_null(strstr(reply.body, "mero_kms_source_penalties_active 1\n"));
}

static void test_rate_limit_behind_a_proxy(void **state)
{
    struct fixture_reply reply;
    begin(state);
    fixture_set(&world, "MERO_KMS_RATE", "1");
    fixture_set(&world, "MERO_KMS_BURST", "1");
    fixture_set(&world, "MERO_KMS_TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8");
    fixture_configure(&world);
    fixture_start(&world);
    post_from("X-Forwarded-For: 203.0.113.9\r\n", &reply);
    assert_int_equal(reply.status, 200);
    post_from("X-Forwarded-For: 203.0.113.9\r\n", &reply);
    assert_int_equal(reply.status, 429);
    /* Another source; what it claims to the left of its own hop is hearsay. */
    post_from("X-Forwarded-For: 203.0.113.9, 203.0.113.10, 10.1.2.3\r\n", &reply);
    assert_int_equal(reply.status, 200);
    post_from("X-Forwarded-For: 1.2.3.4, 203.0.113.10\r\n", &reply);
    assert_int_equal(reply.status, 429);
    /* Proxies that add a line of their own. */
    post_from("X-Forwarded-For: 203.0.113.77\r\nX-Forwarded-For: 203.0.113.10\r\n", &reply);
    assert_int_equal(reply.status, 429);
}

/* ---- CORS ---- */

static void test_cors(void **state)
{
    struct fixture_reply reply;
    begin(state);
    fixture_set(&world, "CORS_ALLOWED_ORIGINS", "https://app.example, https://b.example");
    fixture_configure(&world);
    fixture_start(&world);
    fixture_request(&world,
                    "OPTIONS /attest HTTP/1.1\r\nHost: k\r\nOrigin: https://app.example\r\n"
                    "Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n",
                    &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.headers, "Access-Control-Allow-Origin: https://app.example\r\n"));
    assert_non_null(strstr(reply.headers, "Access-Control-Allow-Methods: GET,POST"));
    assert_non_null(strstr(reply.headers, "Access-Control-Allow-Headers: *"));
    fixture_request(&world,
                    "GET /health HTTP/1.1\r\nHost: k\r\nOrigin: https://b.example\r\nConnection: "
                    "close\r\n\r\n",
                    &reply);
    assert_non_null(strstr(reply.headers, "Access-Control-Allow-Origin: https://b.example"));
    fixture_request(&world,
                    "GET /health HTTP/1.1\r\nHost: k\r\nOrigin: https://evil.example\r\n"
                    "Connection: close\r\n\r\n",
                    &reply);
    assert_int_equal(reply.status, 200);
    assert_null(strstr(reply.headers, "Access-Control-Allow-Origin"));
}

/* ---- no oracle ---- */

static void test_listed_binding(void **state)
{
    struct fixture_reply reply;
    begin(state);
    fixture_set(&world, "MERO_KMS_ATTEST_BINDINGS", B32);
    fixture_configure(&world);
    fixture_start(&world);
    fixture_post(&world, "/attest", "{\"nonceB64\":\"" B32 "\",\"bindingB64\":\"" B32 "\"}",
                 &reply);
    assert_int_equal(reply.status, 200);
    fixture_post(&world, "/attest",
                 "{\"nonceB64\":\"" B32
                 "\",\"bindingB64\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}",
                 &reply);
    fixture_expect(&reply, 400, "invalid_attestation_request");
}

/* ---- the admin address ---- */

static void test_admin(void **state)
{
    (void)state;
    struct fixture_reply reply;
    fixture_admin(&world, "/livez", &reply);
    assert_int_equal(reply.status, 200);
    fixture_admin(&world, "/readyz", &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "ok");
    fixture_admin(&world, "/readyz?verbose", &reply);
    static const char *const checks[] = {"policy", "platform", "collateral", "challenges", "audit"};
    for (size_t i = 0; i < COUNT(checks); i++) {
        char want[64];
        snprintf(want, sizeof(want), "{\"name\":\"%s\",\"ok\":true", checks[i]);
        assert_non_null(strstr(reply.body, want));
    }
    fixture_admin(&world, "/version", &reply);
    assert_non_null(strstr(reply.body, "\"name\":\"mero-kms-phala\""));
    fixture_admin(&world, "/health", &reply);
    assert_int_equal(reply.status, 404);
    get("GET", "/metrics", &reply); /* not on the public address */
    assert_int_equal(reply.status, 404);
    struct fixture_proof proof;
    fixture_prove(&world, "node", true, &proof);
    fixture_get_key(&world, &proof, &reply);
    fixture_proof_free(&proof);
    fixture_admin(&world, "/metrics", &reply);
    assert_non_null(
        strstr(reply.body, "mero_kms_key_releases_total{result=\"sealed\",code=\"ok\"} 1\n"));
    assert_non_null(strstr(reply.body, "mero_kms_verify_duration_seconds_count 1\n"));
    assert_null(strstr(reply.body, PEER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_health, begin_running, finish),
        cmocka_unit_test_setup_teardown(test_challenge_shape, begin_running, finish),
        cmocka_unit_test_setup_teardown(test_attest_shape, begin_running, finish),
        cmocka_unit_test_setup_teardown(test_door, begin_running, finish),
        cmocka_unit_test_setup_teardown(test_bodies, begin_running, finish),
        cmocka_unit_test_setup_teardown(test_body_limits, begin_running, finish),
        cmocka_unit_test_setup_teardown(test_get_key_order, begin_running, finish),
        cmocka_unit_test_teardown(test_agent_faults, finish),
        cmocka_unit_test_teardown(test_hanging_agent_blocks_nobody_else, finish),
        cmocka_unit_test_teardown(test_agent_away_at_start, finish),
        cmocka_unit_test_teardown(test_rate_limit, finish),
        cmocka_unit_test_teardown(test_rate_limit_behind_a_proxy, finish),
        cmocka_unit_test_teardown(test_cors, finish),
        cmocka_unit_test_teardown(test_listed_binding, finish),
        cmocka_unit_test_setup_teardown(test_admin, begin_running, finish),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
