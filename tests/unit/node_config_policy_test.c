/* The policy that judges the KMS: lists and sets of config.toml, policy_json_path in its shapes,
 * and what an enabled policy must have after both (compatibility facts B.5, B.6, K.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/config_internal.h"
#include "support/node_dir.h"
#include "support/vectors.h"

#define ATT "tee.kms.phala.attestation."

/* 96 hex digits of one kind */
#define HEX(d) d d d d d d d d d d d d
#define M(d)   HEX(d d d d d d d d)
#define QM(d)  "\"" M(d) "\""
#define LISTS                                                                                      \
    {"tee.kms.phala.url", "'https://kms'"}, {ATT "enabled", "true"},                               \
        {ATT "allowed_mrtd", "[" QM("1") "]"}, {ATT "allowed_rtmr0", "[" QM("2") "]"},             \
        {ATT "allowed_rtmr1", "[" QM("3") "]"}, {ATT "allowed_rtmr2", "[" QM("4") "]"},            \
    {                                                                                              \
        ATT "allowed_rtmr3", "[" QM("5") "]"                                                       \
    }

static bool resolve(struct node_config *c, const char *dir, struct error *err)
{
    char real[PATH_TEXT_MAX];
    assert_non_null(realpath(dir, real));
    const char *const dirs[] = {"/no/such/dir", real};
    return config_resolve_policy_under(c, dirs, 2, err);
}

static void assert_list(const struct policy *p, enum policy_register r, const char *digits)
{
    assert_int_equal(p->lists[r].count, strlen(digits));
    for (size_t i = 0; digits[i] != 0; i++) {
        int nibble = digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10;
        for (size_t b = 0; b < MEASUREMENT_LEN; b++)
            assert_int_equal(p->lists[r].values[i][b], nibble * 0x11);
    }
}

static void lists_of_the_file_are_normalised(void **state)
{
    static const struct edit edits[] = {
        LISTS,
        {ATT "allowed_mrtd", "[' 0X" M("A") "\t', '', " QM("a") ", " QM("b") "]"},
        {ATT "allowed_tcb_statuses", "[' outofdate ', '']"},
        {ATT "allowed_compose_hashes", "['1234']"},
        {NULL, NULL}};
    static const struct edit with_hash[] = {
        LISTS,
        {ATT "allowed_compose_hashes",
         "['20b1cdee230f9e68e37f61f8c9cd26470129e12d0b7b9520b1cdee230f9e68ff']"},
        {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *bad = config_with(*state, edits);
    struct error err = {0};
    assert_false(resolve(bad, *state, &err)); /* a compose hash has 32 bytes */
    assert_non_null(strstr(err.message, "allowed_compose_hashes"));

    struct edit good[EDITS_MAX];
    memcpy(good, edits, sizeof edits);
    good[9] = (struct edit){NULL, NULL};
    NODE_CONFIG_AUTO struct node_config *c = config_with(*state, good);
    assert_true(resolve(c, *state, &err));
    const struct policy *p = &c->tee.attestation.policy;
    assert_list(p, POLICY_MRTD, "ab"); /* duplicates once */
    assert_list(p, POLICY_RTMR3, "5");
    assert_true(p->statuses[TCB_OUT_OF_DATE]);
    assert_false(p->statuses[TCB_UP_TO_DATE]);
    assert_true(c->tee.attestation.resolved);

    NODE_CONFIG_AUTO struct node_config *hashed = config_with(*state, with_hash);
    assert_true(resolve(hashed, *state, &err));
    assert_int_equal(hashed->tee.attestation.policy.compose_hash_count, 1);
    assert_true(hashed->tee.attestation.policy.statuses[TCB_UP_TO_DATE]); /* the default */
}

static void nothing_is_resolved_while_attestation_is_off(void **state)
{
    static const struct edit cases[][4] = {
        {{NULL, NULL}},
        {{"tee.kms", "{}"}},
        {{"tee.kms.phala.url", "'https://kms'"}, {ATT "policy_json_path", "'relative'"}},
    };
    for (size_t i = 0; i < 3; i++) {
        NODE_CONFIG_AUTO struct node_config *c = config_with(*state, cases[i]);
        struct error err = {0};
        assert_true(node_config_resolve_policy(c, &err));
        assert_false(c->tee.attestation.resolved);
    }
}

/* JSON in a file, the sample's lists below it. */
static bool resolve_json(const char *dir, const char *json, struct node_config **c,
                         struct error *err)
{
    char path[PATH_TEXT_MAX], quoted[PATH_TEXT_MAX + 2];
    write_test_file(dir, "policy.json", slice_str(json), path);
    snprintf(quoted, sizeof quoted, "'%s'", path);
    const struct edit edits[] = {LISTS, {ATT "policy_json_path", quoted}, {NULL, NULL}};
    *c = config_with(dir, edits);
    return resolve(*c, dir, err);
}

static void external_lists_replace_those_of_the_file(void **state)
{
    static const struct {
        const char *json, *mrtd, *rtmr3;
        bool up_to_date, out_of_date, binding;
    } cases[] = {
        {"{}", "1", "5", true, false, false},
        {"{\"x\": 1, \"allowed_mrtd\": [" QM("7") "]}", "7", "5", true, false, false},
        {"{\"policy\": {\"allowed_mrtd\": [" QM("7") "], \"allowed_rtmr3\": [" QM("8") ", " QM(
             "9") "]}}",
         "7", "89", true, false, false},
        /* flat wins over nested */
        {"{\"allowed_mrtd\": [" QM("6") "], \"policy\": {\"allowed_mrtd\": [" QM("7") "]}}", "6",
         "5", true, false, false},
        /* the published shape; a node's lists never count for a KMS */
        {"{\"policy\": {\"kms_allowed_mrtd\": [" QM("7") "], \"node_allowed_rtmr3\": [" QM(
             "8") "],"
                  " \"allowed_mrtd\": [" QM("6") "]}}",
         "7", "5", true, false, false},
        {"{\"policy\": {\"kms_allowed_mrtd\": [], \"allowed_mrtd\": [" QM("6") "]}}", "6", "5",
         true, false, false},
        {"{\"allowed_tcb_statuses\": [\"OutOfDate\"]}", "1", "5", false, true, false},
        {"{\"binding_b64\": \"IyP+rOn9F1GomrK+u4q6FF80OjaI49FlXtQo6wdm45Y=\"}", "1", "5", true,
         false, true},
        {"{\"kms\": {\"default_binding_b64\": \"IyP+rOn9F1GomrK+u4q6FF80OjaI49FlXtQo6wdm45Y=\"}}",
         "1", "5", true, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        NODE_CONFIG_AUTO struct node_config *c = NULL;
        struct error err = {0};
        if (!resolve_json(*state, cases[i].json, &c, &err))
            fail_msg("%s: %s", cases[i].json, err.message);
        const struct node_attestation_config *a = &c->tee.attestation;
        assert_list(&a->policy, POLICY_MRTD, cases[i].mrtd);
        assert_list(&a->policy, POLICY_RTMR3, cases[i].rtmr3);
        assert_int_equal(a->policy.statuses[TCB_UP_TO_DATE], cases[i].up_to_date);
        assert_int_equal(a->policy.statuses[TCB_OUT_OF_DATE], cases[i].out_of_date);
        assert_int_equal(a->has_binding, cases[i].binding);
        assert_null(a->policy_json_path); /* not read a second time */
        assert_true(node_config_validate(c, &err));
    }
}

static void wrong_external_policies_are_refused(void **state)
{
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{\"allowed_mrtd\": []}", ATT
         "enabled is true, but allowed_mrtd is empty. Configure at least one trusted KMS MRTD."},
        {"{\"allowed_rtmr2\": [\" \"]}",
         ATT "enabled is true and accept_mock is false, but allowed_rtmr2 is empty."},
        {"{\"allowed_tcb_statuses\": []}",
         ATT "enabled is true, but allowed_tcb_statuses is empty."},
        {"{\"allowed_mrtd\": [\"abcd\"]}", "expected 48 bytes, got 2 bytes"},
        {"{\"allowed_mrtd\": \"abcd\"}", "must be an array"},
        {"{\"allowed_mrtd\": [1]}", "must be strings"},
        {"{\"binding_b64\": \"AA==\"}", "32 bytes"},
        {"{\"allowed_mrtd\": [], \"allowed_mrtd\": []}",
         "Failed to parse external KMS attestation "},
        {"[]", "Failed to parse external KMS attestation policy JSON at "},
        {"{", "Failed to parse external KMS attestation policy JSON at "},
        {"", "Failed to parse external KMS attestation policy JSON at "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        NODE_CONFIG_AUTO struct node_config *c = NULL;
        struct error err = {0};
        assert_false(resolve_json(*state, cases[i].json, &c, &err));
        assert_memory_equal(err.message,
                            "Failed to resolve tee.kms.phala.attestation policy (including "
                            "external policy_json_path): ",
                            84);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].json, err.message);
        assert_true(error_is(&err, "config/"));
        assert_false(c->tee.attestation.resolved);
        assert_false(c->tee.attestation.has_binding);
    }
}

static bool resolve_path(const char *dir, const char *path, struct error *err)
{
    char quoted[PATH_TEXT_MAX + 2];
    snprintf(quoted, sizeof quoted, "'%s'", path);
    const struct edit edits[] = {LISTS, {ATT "policy_json_path", quoted}, {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *c = config_with(dir, edits);
    return resolve(c, dir, err);
}

static void the_policy_file_must_lie_in_an_allowed_directory(void **state)
{
    char inside[PATH_TEXT_MAX], outside[PATH_TEXT_MAX], link_in[PATH_TEXT_MAX],
        link_out[PATH_TEXT_MAX], other[PATH_TEXT_MAX], sibling[PATH_TEXT_MAX],
        text[PATH_TEXT_MAX + 256];
    struct error err = {0};
    node_dir_make(other);
    write_test_file(*state, "p.json", slice_str("{}"), inside);
    write_test_file(other, "p.json", slice_str("{}"), outside);
    assert_true(path_join(*state, "to-outside", link_out, &err));
    assert_true(path_join(other, "to-inside", link_in, &err));
    assert_int_equal(symlink(outside, link_out), 0);
    assert_int_equal(symlink(inside, link_in), 0);
    /* a name that only begins like the directory */
    snprintf(sibling, sizeof sibling, "%sx", (char *)*state);
    assert_true(file_make_dirs(sibling, 0700, &err));
    write_test_file(sibling, "p.json", slice_str("{}"), NULL);

    assert_true(resolve_path(*state, inside, &err));
    assert_true(resolve_path(*state, link_in, &err)); /* what counts is where the file is */
    snprintf(text, sizeof text, "%s/../%s/p.json", (char *)*state, strrchr(*state, '/') + 1);
    assert_true(resolve_path(*state, text, &err));

    snprintf(text, sizeof text, ATT "policy_json_path must be under one of: /no/such/dir, %s",
             (char *)*state);
    assert_false(resolve_path(*state, outside, &err));
    assert_non_null(strstr(err.message, text));
    assert_string_equal(err.code, "config/policy-file");
    assert_false(resolve_path(*state, link_out, &err));
    assert_non_null(strstr(err.message, text));
    snprintf(text, sizeof text, "%s/p.json", sibling);
    assert_false(resolve_path(*state, text, &err));
    assert_non_null(strstr(err.message, "must be under one of"));

    assert_false(resolve_path(*state, "policy.json", &err));
    assert_non_null(
        strstr(err.message, ATT "policy_json_path must be an absolute path: policy.json"));
    snprintf(text, sizeof text, "%s/missing.json", (char *)*state);
    assert_false(resolve_path(*state, text, &err));
    assert_non_null(
        strstr(err.message, "Failed to canonicalize external KMS attestation policy path at "));
    assert_false(resolve_path(*state, *state, &err)); /* a directory */
    assert_non_null(strstr(err.message, "Failed to read external KMS attestation policy file at "));
    node_dir_remove(other);
    node_dir_remove(sibling);
}

static void the_real_directories_are_those_of_the_facts(void **state)
{
    static const struct edit edits[] = {
        LISTS, {ATT "policy_json_path", "'/etc/passwd'"}, {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *c = config_with(*state, edits);
    struct error err = {0};
    assert_false(node_config_resolve_policy(c, &err));
    assert_string_equal(err.message,
                        "Failed to resolve tee.kms.phala.attestation policy (including external "
                        "policy_json_path): " ATT
                        "policy_json_path must be under one of: /etc/calimero, /run/calimero");
}

/* The release policy as it is really published. */
static void a_published_policy_is_understood(void **state)
{
    BUF_AUTO struct buf json = BUF_INIT(POLICY_JSON_MAX);
    NODE_CONFIG_AUTO struct node_config *c = NULL;
    struct error err = {0};
    if (!vectors_have("release-policy/policy-2.3.71.json"))
        skip();
    vectors_read("release-policy/policy-2.3.71.json", &json);
    assert_true(resolve_json(*state, buf_cstr(&json), &c, &err));
    const struct node_attestation_config *a = &c->tee.attestation;
    assert_true(a->policy.statuses[TCB_OUT_OF_DATE]);
    assert_int_equal(a->policy.lists[POLICY_MRTD].count, 1);
    assert_int_equal(a->policy.lists[POLICY_MRTD].values[0][0], 0xf0);
    assert_int_equal(a->policy.lists[POLICY_RTMR3].values[0][0], 0x74);
    assert_true(a->has_binding);
    assert_int_equal(a->binding[0], 0x23);
}

static void sets_are_read_and_cover_missing_lists(void **state)
{
#define SET(name, more) "{ name = '" name "', " more " }"
#define ALL(d)                                                                                     \
    "mrtd = " QM(d) ", rtmr0 = " QM(d) ", rtmr1 = " QM(d) ", rtmr2 = " QM(d) ", rtmr3 = " QM(d)
    static const struct edit sets_only[] = {
        {"tee.kms.phala.url", "'https://kms'"},
        {ATT "enabled", "true"},
        {ATT "allowed_set",
         "[" SET("one", ALL("6")) ", " SET(
             "two",
             ALL("7") ", mrseam = " QM(
                 "8") ", td_attributes = '0000001000000000', xfam = 'e702060000000000'") "]"},
        {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *c = config_with(*state, sets_only);
    struct error err = {0};
    if (!node_config_validate(c, &err) || !resolve(c, *state, &err))
        fail_msg("%s", err.message);
    const struct policy *p = &c->tee.attestation.policy;
    assert_int_equal(p->set_count, 2);
    assert_string_equal(p->sets[1].name, "two");
    assert_true(p->sets[1].given[POLICY_RTMR3] && p->sets[1].has_mrseam && p->sets[1].has_xfam &&
                p->sets[1].has_tdattributes);
    assert_int_equal(p->sets[1].mrseam[0], 0x88);
    assert_int_equal(p->sets[1].tdattributes[3], 0x10);
    assert_int_equal(p->sets[1].xfam[0], 0xe7);
    assert_false(p->sets[0].has_mrseam);
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        assert_list(p, (enum policy_register)r, "67");

    /* a register that some set leaves out still needs its list */
    static const struct edit gap[] = {
        {"tee.kms.phala.url", "'https://kms'"},
        {ATT "enabled", "true"},
        {ATT "allowed_set", "[" SET("one", ALL("6")) ", " SET("two", "mrtd = " QM("7")) "]"},
        {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *g = config_with(*state, gap);
    assert_false(resolve(g, *state, &err));
    assert_non_null(strstr(err.message, "but allowed_rtmr0 is empty."));

    /* given lists stay as they are: both must hold */
    static const struct edit both[] = {
        LISTS, {ATT "allowed_set", "[" SET("one", ALL("6")) "]"}, {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *b = config_with(*state, both);
    assert_true(resolve(b, *state, &err));
    assert_list(&b->tee.attestation.policy, POLICY_MRTD, "1");

    static const struct edit twice[] = {
        LISTS,
        {ATT "allowed_set", "[" SET("one", ALL("6")) ", " SET("one", ALL("7")) "]"},
        {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *t = config_with(*state, twice);
    assert_false(resolve(t, *state, &err));
    assert_non_null(strstr(err.message, "'one' is given twice"));
}

/* [[...]] and an array of inline tables are the same. */
static void sets_may_be_written_as_tables(void **state)
{
    BUF_AUTO struct buf text = BUF_INIT(65536);
    sample_with((struct edit[]){LISTS, {NULL, NULL}}, &text);
    buf_append_str(&text, "\n[[tee.kms.phala.attestation.allowed_set]]\nname = 'one'\nmrtd = '" M(
                              "1") "'\n[[tee.kms.phala.attestation.allowed_set]]\nname = "
                                   "'two'\nrtmr1 = '" M("3") "'\n");
    NODE_CONFIG_AUTO struct node_config *c = NULL;
    struct error err = {0};
    assert_true(node_config_parse(buf_slice(&text), *state, &c, &err));
    assert_true(resolve(c, *state, &err));
    assert_int_equal(c->tee.attestation.policy.set_count, 2);
    assert_true(c->tee.attestation.policy.sets[1].given[POLICY_RTMR1]);
    assert_false(c->tee.attestation.policy.sets[1].given[POLICY_MRTD]);
}

static void accept_mock_asks_for_no_lists(void **state)
{
    static const struct edit edits[] = {{"tee.kms.phala.url", "'https://kms'"},
                                        {ATT "enabled", "true"},
                                        {ATT "accept_mock", "true"},
                                        {ATT "allowed_tcb_statuses", "[]"},
                                        {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *c = config_with(*state, edits);
    struct error err = {0};
    assert_true(resolve(c, *state, &err));
    assert_true(c->tee.attestation.resolved);
    assert_false(policy_accepts_any_status(&c->tee.attestation.policy));
}

int main(void)
{
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, node_dir_setup, node_dir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(lists_of_the_file_are_normalised),
        WITH_DIR(nothing_is_resolved_while_attestation_is_off),
        WITH_DIR(external_lists_replace_those_of_the_file),
        WITH_DIR(wrong_external_policies_are_refused),
        WITH_DIR(the_policy_file_must_lie_in_an_allowed_directory),
        WITH_DIR(the_real_directories_are_those_of_the_facts),
        WITH_DIR(a_published_policy_is_understood),
        WITH_DIR(sets_are_read_and_cover_missing_lists),
        WITH_DIR(sets_may_be_written_as_tables),
        WITH_DIR(accept_mock_asks_for_no_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
