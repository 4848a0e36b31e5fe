/* From configuration and environment to the plan for the key: what is refused, what is relaxed
 * (compatibility facts C.6, B.7; settings.md). */
#include "node/key_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/node_dir.h"

#define HEX48                                                                                      \
    "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"   \
    "111111"
#define LISTS                                                                                      \
    {"tee.kms.phala.attestation.allowed_mrtd", "[\"" HEX48 "\"]"},                                 \
        {"tee.kms.phala.attestation.allowed_rtmr0", "[\"" HEX48 "\"]"},                            \
        {"tee.kms.phala.attestation.allowed_rtmr1", "[\"" HEX48 "\"]"},                            \
        {"tee.kms.phala.attestation.allowed_rtmr2", "[\"" HEX48 "\"]"},                            \
        {"tee.kms.phala.attestation.allowed_rtmr3", "[\"" HEX48 "\"]"},                            \
    {                                                                                              \
        "tee.kms.phala.attestation.enabled", "true"                                                \
    }
#define URL(text)                                                                                  \
    {                                                                                              \
        "tee.kms.phala.url", "\"" text "\""                                                        \
    }

static struct node_config *config_of(const char *dir, const struct edit *edits)
{
    struct error err;
    struct node_config *config = config_with(dir, edits);
    if (!node_config_resolve_policy(config, &err))
        fail_msg("%s: %s", err.code, err.message);
    return config;
}

static void refusals(void **state)
{
    static const struct {
        struct edit edits[EDITS_MAX];
        struct node_env env;
        const char *code, *field; /* NULL = a plan is made */
    } cases[] = {
        {.edits = {URL("https://kms/"), LISTS}},
        {.edits = {URL("https://kms/"), LISTS}, .env = {.release = {.use_env_policy = "1"}}},
        {.edits = {URL("https://kms/")},
         .code = "config/kms-unverified",
         .field = "tee.kms.phala.attestation.enabled"},
        {.edits = {URL("https://kms/")},
         .env = {.release = {.use_env_policy = "true"}},
         .code = "config/kms-unverified",
         .field = "tee.kms.phala.attestation.enabled"},
        {.edits = {URL("https://kms/"), {"tee.kms.phala.insecure_skip_kms_verification", "true"}}},
        {.edits = {URL("https://kms/"), LISTS},
         .env = {.release = {.kms_version = "2.3.71"}},
         .code = "release/unavailable",
         .field = "MERO_KMS_VERSION"},
        {.edits = {URL("https://kms/"), {"tee.kms.phala.insecure_skip_kms_verification", "true"}},
         .env = {.release = {.tee_version = "2.3.71"}},
         .code = "release/unavailable",
         .field = "MERO_TEE_VERSION"},
        {.edits = {URL("https://kms/"), LISTS},
         .env = {.release = {.release_tag = "latest"}},
         .code = "config/release-version",
         .field = "MERO_KMS_RELEASE_TAG"},
        {.edits = {URL("https://kms/"), LISTS},
         .env = {.release = {.release_tag = "2.3.71", .use_env_policy = "yes"}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node_config *config NODE_CONFIG_AUTO = config_of(*state, cases[i].edits);
        struct key_plan plan;
        struct error err;
        bool ok = key_plan_make(config, &cases[i].env, &plan, &err);
        if (ok != (cases[i].code == NULL))
            fail_msg("case %zu: %s", i, ok ? "a plan was made" : err.message);
        if (ok) {
            key_plan_free(&plan);
            continue;
        }
        assert_string_equal(err.code, cases[i].code);
        assert_string_equal(err.field, cases[i].field);
    }
}

static void a_verified_kms(void **state)
{
    static const struct edit edits[] = {URL("https://kms/base"), LISTS, {NULL, NULL}};
    struct node_config *config NODE_CONFIG_AUTO = config_of(*state, edits);
    struct node_env env = {.path_prefix = NULL};
    struct key_plan plan KEY_PLAN_AUTO;
    assert_true(key_plan_make(config, &env, &plan, NULL));
    const struct keyrelease_options *o = &plan.options;
    assert_string_equal(o->url, "https://kms/base");
    assert_ptr_equal(o->kms_policy, &plan.policy);
    assert_true(plan.policy.lists_required);
    assert_int_equal(plan.policy.lists[POLICY_RTMR3].count, 1);
    assert_true(o->strict_transport);
    assert_false(o->insecure_skip_kms_verification);
    assert_false(o->insecure_allow_clear_key_release);
    assert_false(o->has_binding);
    assert_ptr_equal(o->identity, config->identity);
    assert_int_equal(o->voice, POLICY_VOICE_NODE_CONFIG);
}

/* Both switches on: verifying wins. */
static void skipping_never_beats_a_policy(void **state)
{
    static const struct edit edits[] = {URL("https://kms/"),
                                        LISTS,
                                        {"tee.kms.phala.insecure_skip_kms_verification", "true"},
                                        {NULL, NULL}};
    struct node_config *config NODE_CONFIG_AUTO = config_of(*state, edits);
    struct node_env env = {.path_prefix = NULL};
    struct key_plan plan KEY_PLAN_AUTO;
    assert_true(key_plan_make(config, &env, &plan, NULL));
    assert_non_null(plan.options.kms_policy);
    assert_false(plan.options.insecure_skip_kms_verification);
}

static void relaxations(void **state)
{
    static const struct edit edits[] = {URL("https://kms/"),
                                        {"tee.kms.phala.insecure_skip_kms_verification", "true"},
                                        {"tee.kms.phala.insecure_allow_clear_key_release", "true"},
                                        {"tee.kms.phala.attestation.binding_b64",
                                         "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\""},
                                        {NULL, NULL}};
    struct node_config *config NODE_CONFIG_AUTO = config_of(*state, edits);
    struct node_env env = {.path_prefix = NULL};
    struct key_plan plan KEY_PLAN_AUTO;
    assert_true(key_plan_make(config, &env, &plan, NULL));
    assert_null(plan.options.kms_policy);
    assert_true(plan.options.insecure_skip_kms_verification);
    assert_true(plan.options.insecure_allow_clear_key_release);
    assert_false(plan.options.strict_transport);
    assert_true(plan.options.has_binding);
    assert_int_equal(plan.options.binding[31], 1);
}

static void mocks_need_both_switches(void **state)
{
    static const struct {
        const char *accept, *env;
        bool accepted, env_missing, lists_required, strict;
    } cases[] = {
        {"false", NULL, false, false, true, true},
        {"false", "1", false, false, true, true},
        {"true", NULL, false, true, false, false},
        {"true", "TRUE", true, false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct edit edits[] = {URL("https://kms/"),
                                     LISTS,
                                     {"tee.kms.phala.attestation.accept_mock", cases[i].accept},
                                     {NULL, NULL}};
        struct node_config *config NODE_CONFIG_AUTO = config_of(*state, edits);
        struct node_env env = {.allow_mock = cases[i].env};
        struct key_plan plan KEY_PLAN_AUTO;
        assert_true(key_plan_make(config, &env, &plan, NULL));
        assert_int_equal(plan.options.accept_mock, cases[i].accepted);
        assert_int_equal(plan.options.mock_env_missing, cases[i].env_missing);
        assert_int_equal(plan.policy.lists_required, cases[i].lists_required);
        assert_int_equal(plan.options.strict_transport, cases[i].strict);
    }
}

static void transport(void **state)
{
    static const struct {
        const char *url;
        bool verified, ok;
    } cases[] = {
        {"\"https://kms/\"", true, true},       {"\"http://127.0.0.1:1/\"", true, true},
        {"\"http://[::1]:1/\"", true, true},    {"\"http://localhost:1/\"", true, false},
        {"\"http://10.0.0.1/\"", true, false},  {"\"http://10.0.0.1/\"", false, true},
        {"\"ftp://127.0.0.1/\"", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct edit verified[] = {{"tee.kms.phala.url", cases[i].url}, LISTS, {NULL, NULL}};
        const struct edit skipped[] = {{"tee.kms.phala.url", cases[i].url},
                                       {"tee.kms.phala.insecure_skip_kms_verification", "true"},
                                       {NULL, NULL}};
        struct node_config *config NODE_CONFIG_AUTO =
            config_of(*state, cases[i].verified ? verified : skipped);
        struct node_env env = {.path_prefix = NULL};
        struct key_plan plan KEY_PLAN_AUTO;
        struct error err;
        assert_true(key_plan_make(config, &env, &plan, &err));
        bool ok = key_plan_announce(&plan, &err);
        if (ok != cases[i].ok)
            fail_msg("%s: %d", cases[i].url, ok);
        if (!ok)
            assert_string_equal(err.code, "keyrelease/transport");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_verified_kms),
        cmocka_unit_test(skipping_never_beats_a_policy),
        cmocka_unit_test(relaxations),
        cmocka_unit_test(mocks_need_both_switches),
        cmocka_unit_test(transport),
    };
    return cmocka_run_group_tests(tests, node_dir_setup, node_dir_teardown);
}
