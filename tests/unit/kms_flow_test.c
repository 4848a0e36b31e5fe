/* The whole exchange over real sockets: a node of this project against a KMS of this project on a
 * software TDX platform. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/codec.h"
#include "support/kms_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct kms_fixture world;
static const char key_path[] =
    "merod/storage/locked-read-only/12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf";

static int open_world(void **state)
{
    (void)state;
    fixture_open(&world);
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
    fixture_scenario(&world, "node", NULL);
    fixture_scenario(&world, "stranger", NULL);
    fixture_pcs_scenario(&world, NULL);
    fixture_defaults(&world);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fixture_stop(&world);
    return 0;
}

static void start_default(void)
{
    fixture_configure(&world);
    fixture_start(&world);
}

/* ---- the way it should go ---- */

struct seen {
    enum keyrelease_step steps[16];
    size_t count;
    bool sealed;
    enum tcb_status status;
};

static void see(const struct keyrelease_event *event, void *ctx)
{
    struct seen *seen = ctx;
    assert_true(seen->count < COUNT(seen->steps));
    assert_true(event->took_us >= 0);
    if (event->step == KEYRELEASE_STEP_KMS_ATTESTED)
        seen->status = event->kms_verdict->status;
    if (event->step == KEYRELEASE_STEP_KEY)
        seen->sealed = event->sealed;
    seen->steps[seen->count++] = event->step;
}

static void expect_key(const struct secret *key)
{
    uint8_t want[32];
    fixture_key(&world, key_path, want);
    assert_int_equal(key->len, 32);
    assert_memory_equal(key->data, want, 32);
}

static void test_sealed_release(void **state)
{
    (void)state;
    struct fixture_node node;
    struct seen seen = {0};
    struct error err = {0};
    static const enum keyrelease_step want[] = {KEYRELEASE_STEP_KMS_ATTESTED,
                                                KEYRELEASE_STEP_CHALLENGE, KEYRELEASE_STEP_QUOTE,
                                                KEYRELEASE_STEP_SIGNED, KEYRELEASE_STEP_KEY};
    start_default();
    fixture_node(&world, "node", &node);
    node.options.on_event = see;
    node.options.ctx = &seen;
    for (unsigned i = 0; i < 3; i++) { /* the same key each time */
        SECRET_AUTO struct secret key = {0};
        struct keyrelease_failure failure;
        bool sealed = false;
        seen = (struct seen){0};
        if (!keyrelease_fetch(&node.options, &key, &sealed, &failure, &err))
            fail_msg("%s: %s", failure.probe_code, err.message);
        assert_true(sealed && seen.sealed);
        assert_int_equal(seen.count, COUNT(want));
        assert_memory_equal(seen.steps, want, sizeof(want));
        assert_int_equal(seen.status, TCB_UP_TO_DATE);
        expect_key(&key);
    }
    fixture_node_free(&node);
}

static void test_own_binding(void **state)
{
    (void)state;
    struct fixture_node node;
    struct error err = {0};
    SECRET_AUTO struct secret key = {0};
    start_default();
    fixture_node(&world, "node", &node);
    node.options.has_binding = true;
    memset(node.options.binding, 0x5a, 32);
    assert_true(keyrelease_fetch(&node.options, &key, NULL, NULL, &err));
    expect_key(&key);
    fixture_node_free(&node);
}

static void test_unverified_kms_needs_leave(void **state)
{
    (void)state;
    struct fixture_node node;
    struct error err = {0};
    struct seen seen = {0};
    SECRET_AUTO struct secret key = {0};
    start_default();
    fixture_node(&world, "node", &node);
    node.options.kms_policy = NULL;
    assert_false(keyrelease_fetch(&node.options, &key, NULL, NULL, &err));
    assert_string_equal(err.code, "keyrelease/unverified");
    node.options.insecure_skip_kms_verification = true;
    node.options.on_event = see;
    node.options.ctx = &seen;
    assert_true(keyrelease_fetch(&node.options, &key, NULL, NULL, &err));
    assert_int_equal(seen.steps[0], KEYRELEASE_STEP_KMS_UNVERIFIED);
    assert_true(seen.sealed);
    expect_key(&key);
    fixture_node_free(&node);
}

/* Pinned by what was deployed: the KMS's event log is replayed. */
static void test_compose_hash(void **state)
{
    (void)state;
    struct fixture_node node;
    struct error err = {0};
    char hex[65];
    start_default();
    fixture_node(&world, "node", &node);
    for (unsigned i = 0; i < 2; i++) {
        SECRET_AUTO struct secret key = {0};
        struct keyrelease_failure failure = {0};
        uint8_t hash[32];
        memcpy(hash, fixture_machine(&world, "kms")->compose_hash, sizeof(hash));
        hash[0] ^= i == 0; /* first another one, then the right one beside it */
        hex_encode(slice_of(hash, sizeof(hash)), hex);
        assert_true(policy_add_compose_hash(&world.kms_policy, slice_str(hex), "test", &err));
        bool ok = keyrelease_fetch(&node.options, &key, NULL, &failure, &err);
        assert_int_equal(ok, i == 1);
        if (!ok) {
            assert_string_equal(err.code, "measurement/compose-hash");
            assert_string_equal(failure.probe_code, "KMS_PROFILE_POLICY_REJECTED");
        }
    }
    fixture_node_free(&node);
}

/* ---- the KMS as the node judges it ---- */

struct kms_case {
    const char *kms_scenario, *pcs_scenario;
    const char *code, *probe_code;
};

/* Nothing but /attest is asked of a KMS that is not trusted: the challenge counter stays. */
static void test_node_refuses_kms(void **state)
{
    (void)state;
    static const struct kms_case cases[] = {
        {"other:mrtd", NULL, "measurement/mrtd", "KMS_PROFILE_POLICY_REJECTED"},
        {"other:rtmr2", NULL, "measurement/rtmr2", "KMS_PROFILE_POLICY_REJECTED"},
        {"tcb:OutOfDate", NULL, "tcb/status", "KMS_PROFILE_POLICY_REJECTED"},
        {"debug-td", NULL, "platform/debug", "KMS_ATTEST_VERIFICATION_FAILED"},
        {"broken-quote-signature", NULL, "signature/", "KMS_ATTEST_VERIFICATION_FAILED"},
        {"revoked-pck", NULL, "", "KMS_ATTEST_VERIFICATION_FAILED"},
        {"agent:silent", NULL, "keyrelease/refused", "KMS_ATTEST_REJECTED"},
        {"agent:malformed", NULL, "keyrelease/refused", "KMS_ATTEST_REJECTED"},
        {"wrong-report-data", NULL, "keyrelease/refused", "KMS_ATTEST_REJECTED"},
    };
    struct fixture_reply metrics;
    fixture_configure(&world);
    world.config.agent_ms = 300;
    fixture_start(&world);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture_node node;
        struct keyrelease_failure failure = {0};
        struct error err = {0};
        SECRET_AUTO struct secret key = {0};
        dcap_verifier_close(&world.verifier); /* no collateral from before the scenario */
        const struct dcap_verifier_options options = {
            .endpoints = {world.pcs_url}, .endpoint_count = 1, .root_pem_path = world.root_pem};
        assert_true(dcap_verifier_open(&options, &world.verifier, &err));
        fixture_scenario(&world, "kms", cases[i].kms_scenario);
        fixture_node(&world, "node", &node);
        if (keyrelease_fetch(&node.options, &key, NULL, &failure, &err))
            fail_msg("%s: trusted", cases[i].kms_scenario);
        if (strcmp(failure.probe_code, cases[i].probe_code) != 0 ||
            strncmp(err.code, cases[i].code, strlen(cases[i].code)) != 0)
            fail_msg("%s: %s %s %s", cases[i].kms_scenario, failure.probe_code, err.code,
                     err.message);
        assert_int_equal(failure.stage, KEYRELEASE_ATTEST);
        assert_null(key.data);
        fixture_node_free(&node);
    }
    fixture_admin(&world, "/metrics", &metrics);
    assert_non_null(
        strstr(metrics.body, "mero_kms_requests_total{endpoint=\"challenge\",code=\"ok\"} 0\n"));
}

/* ---- the node as the KMS judges it ---- */

struct node_case {
    const char *machine, *scenario;
    int status;
    const char *tag, *details, *probe_code;
};

static void test_kms_refuses_node(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {"stranger", NULL, 403, "measurement_policy_rejected", "' is not in allowlist",
         "KMS_PROFILE_POLICY_REJECTED"},
        {"node", "other:mrtd", 403, "measurement_policy_rejected", "MRTD '",
         "KMS_PROFILE_POLICY_REJECTED"},
        {"node", "other:rtmr0", 403, "measurement_policy_rejected", "RTMR0 '",
         "KMS_PROFILE_POLICY_REJECTED"},
        {"node", "other:rtmr3", 403, "measurement_policy_rejected", "RTMR3 '",
         "KMS_PROFILE_POLICY_REJECTED"},
        {"node", "tcb:OutOfDate", 403, "tcb_status_rejected",
         "TCB status 'OutOfDate' is not allowed. Allowed values: uptodate", "KMS_GET_KEY_REJECTED"},
        {"node", "tcb:SWHardeningNeeded", 403, "tcb_status_rejected", "'SWHardeningNeeded'",
         "KMS_GET_KEY_REJECTED"},
        {"node", "debug-td", 401, "attestation_verification_failed",
         "Quote cryptographic verification failed", "KMS_GET_KEY_REJECTED"},
        {"node", "broken-quote-signature", 401, "attestation_verification_failed",
         "Quote cryptographic verification failed", "KMS_GET_KEY_REJECTED"},
        {"node", "revoked-pck", 401, "attestation_verification_failed",
         "Quote cryptographic verification failed", "KMS_GET_KEY_REJECTED"},
        {"node", "tcb-info:unknown", 401, "attestation_verification_failed",
         "Quote cryptographic verification failed", "KMS_GET_KEY_REJECTED"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct node_case *c = &cases[i];
        struct fixture_node node;
        struct keyrelease_failure failure = {0};
        struct error err = {0};
        SECRET_AUTO struct secret key = {0};
        char state_dir[256];
        begin(state);
        snprintf(state_dir, sizeof(state_dir), "%s/state-%zu", world.dir, i);
        fixture_set(&world, "MERO_KMS_STATE_DIR", state_dir); /* no collateral from before */
        fixture_scenario(&world, c->machine, c->scenario);
        start_default();
        fixture_node(&world, c->machine, &node);
        if (keyrelease_fetch(&node.options, &key, NULL, &failure, &err))
            fail_msg("%s %s: got the key", c->machine, c->scenario);
        if (failure.http_status != c->status || strcmp(failure.kms_error, c->tag) != 0 ||
            strstr(failure.details, c->details) == NULL ||
            strcmp(failure.probe_code, c->probe_code) != 0)
            fail_msg("%s %s: %s %s", c->machine, c->scenario, failure.probe_code, failure.details);
        assert_string_equal(err.code, "keyrelease/refused");
        assert_int_equal(failure.stage, KEYRELEASE_GET_KEY);
        fixture_node_free(&node);
        finish(state);
    }
}

/* ---- what somebody else might send ---- */

static void test_replay(void **state)
{
    (void)state;
    struct fixture_proof proof;
    struct fixture_reply first, second;
    start_default();
    fixture_prove(&world, "node", true, &proof);
    fixture_get_key(&world, &proof, &first);
    assert_int_equal(first.status, 200);
    assert_non_null(strstr(first.body, "{\"sealedKeyB64\":\""));
    fixture_get_key(&world, &proof, &second);
    fixture_expect(&second, 401, "invalid_challenge");
    assert_non_null(
        strstr(second.body, "Challenge validation failed: challenge not found or expired"));
    fixture_proof_free(&proof);
}

/* A request that fails burns nothing: the node may try again with the same challenge. */
static void test_failure_leaves_the_challenge(void **state)
{
    (void)state;
    struct fixture_proof proof;
    struct fixture_reply reply;
    start_default();
    fixture_prove(&world, "node", true, &proof);
    proof.signature[0] ^= 1;
    fixture_get_key(&world, &proof, &reply);
    fixture_expect(&reply, 401, "invalid_signature");
    proof.signature[0] ^= 1;
    fixture_get_key(&world, &proof, &reply);
    assert_int_equal(reply.status, 200);
    fixture_proof_free(&proof);
}

typedef void change_proof(struct fixture_proof *p);

static void keep(struct fixture_proof *p)
{
    (void)p;
}
static void other_seal_key(struct fixture_proof *p)
{
    struct error err = {0};
    keyrelease_pair_free(&p->seal);
    assert_true(keyrelease_pair_generate(&p->seal, &err));
}
static void take_seal_away(struct fixture_proof *p)
{
    p->sealed = false;
}
static void zero_seal_key(struct fixture_proof *p)
{
    memset(p->seal.public_key, 0, 32);
}
static void other_nonce(struct fixture_proof *p)
{
    p->report_data[0] ^= 1;
}
static void other_half(struct fixture_proof *p)
{
    p->report_data[63] ^= 1;
}
static void other_peer(struct fixture_proof *p)
{
    snprintf(p->peer_id, sizeof(p->peer_id), "12D3KooWAbcdefghijkmnopqrstuvwxyz");
}
static void padded_peer(struct fixture_proof *p)
{
    char text[128];
    snprintf(text, sizeof(text), " %.100s", p->peer_id);
    snprintf(p->peer_id, sizeof(p->peer_id), "%s", text);
}
static void upper_case_id(struct fixture_proof *p)
{
    for (char *at = p->challenge.id; *at != '\0'; at++)
        if (*at >= 'a' && *at <= 'f') {
            *at = (char)(*at - 'a' + 'A');
            return;
        }
}
static void old_style_id(struct fixture_proof *p)
{
    p->challenge.id[32] = '\0';
}
static void forged_id(struct fixture_proof *p)
{
    p->challenge.id[111] = p->challenge.id[111] == '0' ? '1' : '0';
}
static void later_expiry(struct fixture_proof *p)
{
    p->challenge.id[44] = p->challenge.id[44] == '0' ? '1' : '0';
}
static void rubbish_quote(struct fixture_proof *p)
{
    buf_reset(&p->quote);
    assert_true(buf_append_str(&p->quote, "dummy-quote"));
}
static void cut_quote(struct fixture_proof *p)
{
    p->quote.len = 700;
}
static void lying_auth_length(struct fixture_proof *p)
{
    p->quote.data[632] = 0xff; /* u32 behind the body of a v4 TD quote */
    p->quote.data[633] = 0xff;
    p->quote.data[634] = 0xff;
}
static void mock_quote(struct fixture_proof *p)
{
    uint8_t zeros[175] = {0};
    buf_reset(&p->quote);
    assert_true(buf_append_str(&p->quote, "MOCK_TDX_QUOTE_V1"));
    assert_true(buf_append(&p->quote, slice_of(p->report_data, 64)));
    assert_true(buf_append(&p->quote, slice_of(zeros, sizeof(zeros))));
}
static void rubbish_key(struct fixture_proof *p)
{
    p->public_key[0] ^= 1;
}
static void other_key(struct fixture_proof *p)
{
    p->public_key[10] ^= 1;
}

struct change_case {
    const char *name;
    change_proof *change; /* before signing */
    bool requote;         /* quote the changed report data */
    bool sign;            /* sign what was changed */
    int status;
    const char *tag;
};

static const struct change_case change_cases[] = {
    {"nothing changed", keep, false, false, 200, NULL},
    {"seal key exchanged by a proxy", other_seal_key, false, false, 401, "invalid_signature"},
    {"seal key exchanged by the node", other_seal_key, false, true, 401, "peer_id_mismatch"},
    {"seal key taken away", take_seal_away, false, false, 400, "invalid_attestation_request"},
    {"seal key of small order", zero_seal_key, false, true, 401, "peer_id_mismatch"},
    {"another nonce attested", other_nonce, true, true, 401, "invalid_challenge"},
    {"another peer attested", other_half, true, true, 401, "peer_id_mismatch"},
    {"another peer claimed", other_peer, false, true, 401, "invalid_challenge"},
    {"peer with a space", padded_peer, false, true, 401, "invalid_challenge"},
    {"id in capitals", upper_case_id, false, true, 401, "invalid_challenge"},
    {"id of another kind", old_style_id, false, true, 401, "invalid_challenge"},
    {"forged id", forged_id, false, true, 401, "invalid_challenge"},
    {"id with a later end", later_expiry, false, true, 401, "invalid_challenge"},
    {"rubbish quote", rubbish_quote, false, true, 401, "attestation_verification_failed"},
    {"cut quote", cut_quote, false, true, 401, "attestation_verification_failed"},
    {"quote with a lying length", lying_auth_length, false, true, 401,
     "attestation_verification_failed"},
    {"mock quote", mock_quote, false, true, 401, "mock_attestation_rejected"},
    {"another quote than signed", rubbish_quote, false, false, 401, "invalid_signature"},
    {"rubbish public key", rubbish_key, false, true, 400, "invalid_peer_public_key"},
    {"another public key", other_key, false, true, 401, "peer_identity_mismatch"},
};

static void test_changed_proofs(void **state)
{
    (void)state;
    start_default();
    for (size_t i = 0; i < COUNT(change_cases); i++) {
        const struct change_case *c = &change_cases[i];
        struct fixture_proof proof;
        struct fixture_reply reply;
        struct error err = {0};
        fixture_prove(&world, "node", true, &proof);
        c->change(&proof);
        if (c->requote) {
            buf_reset(&proof.quote);
            assert_true(sim_machine_quote(fixture_machine(&world, "node"), proof.report_data,
                                          &proof.quote, &err));
        }
        if (c->sign)
            fixture_sign(&world, &proof);
        fixture_get_key(&world, &proof, &reply);
        const char *want = c->tag != NULL ? c->tag : "sealedKeyB64";
        if (reply.status != c->status || strstr(reply.body, want) == NULL)
            fail_msg("%s: %d %s", c->name, reply.status, reply.body);
        fixture_proof_free(&proof);
    }
}

/* ---- clear form, mock, no policy ---- */

static void test_clear_form(void **state)
{
    (void)state;
    struct fixture_proof proof;
    struct fixture_reply reply;
    uint8_t want[32];
    char hex[65], body[128];
    fixture_set(&world, "MERO_KMS_REQUIRE_SEALED_KEY_RELEASE", "false");
    start_default();
    fixture_prove(&world, "node", false, &proof);
    fixture_get_key(&world, &proof, &reply);
    fixture_key(&world, key_path, want);
    hex_encode(slice_of(want, 32), hex);
    snprintf(body, sizeof(body), "{\"key\":\"%s\"}", hex);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, body);
    fixture_proof_free(&proof);
    /* Whoever asks for it sealed gets it sealed. */
    fixture_prove(&world, "node", true, &proof);
    fixture_get_key(&world, &proof, &reply);
    assert_non_null(strstr(reply.body, "sealedKeyB64"));
    fixture_proof_free(&proof);
}

static void test_mock_where_accepted(void **state)
{
    (void)state;
    struct fixture_proof proof;
    struct fixture_reply reply;
    fixture_set(&world, "ACCEPT_MOCK_ATTESTATION", "true");
    start_default();
    fixture_prove(&world, "node", true, &proof);
    mock_quote(&proof);
    fixture_sign(&world, &proof);
    fixture_get_key(&world, &proof, &reply);
    assert_int_equal(reply.status, 200);
    fixture_proof_free(&proof);
    /* Mock or not: the report data must fit. */
    fixture_prove(&world, "node", true, &proof);
    other_half(&proof);
    mock_quote(&proof);
    fixture_sign(&world, &proof);
    fixture_get_key(&world, &proof, &reply);
    fixture_expect(&reply, 401, "peer_id_mismatch");
    fixture_proof_free(&proof);
}

static void test_policy_not_ready(void **state)
{
    (void)state;
    struct fixture_node node;
    struct keyrelease_failure failure = {0};
    struct error err = {0};
    struct fixture_reply reply;
    SECRET_AUTO struct secret key = {0};
    fixture_set(&world, "USE_ENV_POLICY", "false");
    fixture_set(&world, "MERO_KMS_VERSION", "mero-kms-v2.3.71");
    start_default();
    fixture_node(&world, "node", &node);
    int64_t before_ms = clock_monotonic_ms();
    assert_false(keyrelease_fetch(&node.options, &key, NULL, &failure, &err));
    assert_int_equal(failure.http_status, 503);
    assert_string_equal(failure.kms_error, "policy_not_ready");
    assert_non_null(strstr(failure.details, "release verification is missing"));
    assert_true(failure.transient);
    assert_true(clock_monotonic_ms() - before_ms < 2500); /* said at once, not after the budget */
    fixture_admin(&world, "/readyz", &reply);
    assert_int_equal(reply.status, 503);
    fixture_node_free(&node);
}

static void test_policy_not_enforced(void **state)
{
    (void)state;
    struct fixture_proof proof;
    struct fixture_reply reply;
    fixture_set(&world, "ENFORCE_MEASUREMENT_POLICY", "false");
    start_default();
    fixture_prove(&world, "stranger", true, &proof);
    fixture_get_key(&world, &proof, &reply);
    assert_int_equal(reply.status, 200);
    fixture_proof_free(&proof);
    /* Debug TDs count to the verification, which is always done. */
    fixture_scenario(&world, "stranger", "debug-td");
    fixture_prove(&world, "stranger", true, &proof);
    fixture_get_key(&world, &proof, &reply);
    fixture_expect(&reply, 401, "attestation_verification_failed");
    fixture_proof_free(&proof);
}

static void test_expired_challenge(void **state)
{
    (void)state;
    struct fixture_node node;
    struct keyrelease_failure failure = {0};
    struct error err = {0};
    struct fixture_reply metrics;
    SECRET_AUTO struct secret key = {0};
    fixture_set(&world, "CHALLENGE_TTL_SECS", "0");
    start_default();
    fixture_node(&world, "node", &node);
    assert_false(keyrelease_fetch(&node.options, &key, NULL, &failure, &err));
    assert_string_equal(failure.kms_error, "invalid_challenge");
    assert_non_null(strstr(failure.details, "Challenge validation failed: challenge has expired"));
    /* Asked for again three times, then no more. */
    fixture_admin(&world, "/metrics", &metrics);
    assert_non_null(
        strstr(metrics.body, "mero_kms_requests_total{endpoint=\"challenge\",code=\"ok\"} 4\n"));
    fixture_node_free(&node);
}

/* ---- the platform below the KMS ---- */

/* A simulator behind the socket, or an evil agent: found out before anybody is served. */
static void test_counterfeit_platform(void **state)
{
    (void)state;
    static const struct {
        const char *scenario, *code;
        bool fatal;
    } cases[] = {
        {"broken-quote-signature", "signature/", true},
        {"wrong-report-data", "", false},
        {"revoked-pck", "cert/", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = {0};
        struct fixture_reply reply;
        char state_dir[256];
        begin(state);
        snprintf(state_dir, sizeof(state_dir), "%s/state-own-%zu", world.dir, i);
        fixture_set(&world, "MERO_KMS_STATE_DIR", state_dir); /* no collateral from before */
        fixture_scenario(&world, "kms", cases[i].scenario);
        fixture_configure(&world);
        bool started = kms_start(&world.config, &world.kms, &err);
        assert_int_equal(started, !cases[i].fatal);
        if (cases[i].fatal) {
            assert_true(error_is(&err, cases[i].code));
            assert_non_null(strstr(err.message, "own platform does not verify"));
            kms_config_free(&world.config);
            continue;
        }
        fixture_stop(&world);
        fixture_configure(&world);
        fixture_start(&world);
        struct fixture_proof proof;
        fixture_prove(&world, "node", true, &proof);
        fixture_get_key(&world, &proof, &reply);
        fixture_expect(&reply, 503, "policy_not_ready");
        fixture_proof_free(&proof);
        /* The node's own evidence is judged first. */
        fixture_prove(&world, "stranger", true, &proof);
        fixture_get_key(&world, &proof, &reply);
        fixture_expect(&reply, 403, "measurement_policy_rejected");
        fixture_proof_free(&proof);
        fixture_stop(&world);
    }
}

/* The event is emitted once, however often the service starts. */
static void test_runtime_event(void **state)
{
    (void)state;
    struct buf log BUF_AUTO = BUF_INIT(1 << 20);
    struct error err = {0};
    for (unsigned i = 0; i < 2; i++) {
        start_default();
        finish(state);
    }
    assert_true(sim_machine_event_log(fixture_machine(&world, "kms"), false, &log, &err));
    const char *first = strstr(buf_cstr(&log), "\"calimero.kms.profile\"");
    assert_non_null(first);
    assert_null(strstr(&first[1], "\"calimero.kms.profile\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sealed_release, begin, finish),
        cmocka_unit_test_setup_teardown(test_own_binding, begin, finish),
        cmocka_unit_test_setup_teardown(test_unverified_kms_needs_leave, begin, finish),
        cmocka_unit_test_setup_teardown(test_compose_hash, begin, finish),
        cmocka_unit_test_setup_teardown(test_node_refuses_kms, begin, finish),
        cmocka_unit_test_setup_teardown(test_kms_refuses_node, begin, finish),
        cmocka_unit_test_setup_teardown(test_replay, begin, finish),
        cmocka_unit_test_setup_teardown(test_failure_leaves_the_challenge, begin, finish),
        cmocka_unit_test_setup_teardown(test_changed_proofs, begin, finish),
        cmocka_unit_test_setup_teardown(test_clear_form, begin, finish),
        cmocka_unit_test_setup_teardown(test_mock_where_accepted, begin, finish),
        cmocka_unit_test_setup_teardown(test_policy_not_ready, begin, finish),
        cmocka_unit_test_setup_teardown(test_policy_not_enforced, begin, finish),
        cmocka_unit_test_setup_teardown(test_expired_challenge, begin, finish),
        cmocka_unit_test_setup_teardown(test_counterfeit_platform, begin, finish),
        cmocka_unit_test_setup_teardown(test_runtime_event, begin, finish),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
