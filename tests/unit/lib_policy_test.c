/* merotee/policy.h: decisions on verdicts that were earned by real verifications. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/lib_fixture.h"

enum { HEX_MAX = 97 };

static void to_hex(const uint8_t *bytes, size_t len, char out[HEX_MAX])
{
    for (size_t i = 0; i < len; i++)
        snprintf(&out[2 * i], 3, "%02x", bytes[i]);
}

/* A verdict on the fixture's quote as it is now. */
static struct merotee_verdict *verdict_of(struct lib_fixture *f)
{
    struct merotee_verdict *v = merotee_verdict_new();
    struct merotee_collateral *c = NULL;
    lib_fixture_make(f);
    LIB_OK(merotee_collateral_read(f->collateral_json.data, f->collateral_json.len, &c, err));
    LIB_OK(merotee_dev_verify(f->root_pem.data, f->root_pem.len, f->quote.data, f->quote.len, c,
                              NULL, LIB_NOW, v, err));
    merotee_collateral_free(c);
    return v;
}

static struct merotee_policy *policy_of(enum merotee_policy_profile profile)
{
    struct merotee_policy *p = NULL;
    LIB_OK(merotee_policy_new(profile, &p, err));
    return p;
}

static void allow_field(struct merotee_policy *p, const struct merotee_verdict *v,
                        enum merotee_field field)
{
    char hex[HEX_MAX];
    to_hex(merotee_verdict_field(v, field, NULL), 48, hex);
    LIB_OK(merotee_policy_allow(p, field, hex, err));
}

static void allow_all(struct merotee_policy *p, const struct merotee_verdict *v)
{
    for (int field = MEROTEE_FIELD_MRTD; field <= MEROTEE_FIELD_RTMR3; field++)
        allow_field(p, v, (enum merotee_field)field);
}

static void merge(struct merotee_policy *p, const char *json)
{
    LIB_OK(merotee_policy_merge_json(p, json, strlen(json), MEROTEE_POLICY_OF_NODE, err));
}

static void an_empty_verdict_is_refused(void **state)
{
    struct merotee_verdict *v = merotee_verdict_new();
    struct merotee_policy *p = policy_of(MEROTEE_POLICY_INSPECT);
    struct merotee_refusal why_not = {.size = sizeof why_not};
    (void)state;
    LIB_REFUSES("verdict/empty", merotee_policy_decide(p, v, NULL, &why_not, err));
    assert_string_equal(why_not.code, "verdict/empty");
    assert_false(merotee_policy_decide(p, v, NULL, NULL, NULL));
    merotee_policy_free(p);
    merotee_policy_free(NULL);
    merotee_verdict_free(v);
}

static void profiles_differ_where_nothing_is_said(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = verdict_of(f);
    struct merotee_policy *inspect = policy_of(MEROTEE_POLICY_INSPECT);
    struct merotee_policy *release = policy_of(MEROTEE_POLICY_RELEASE);
    struct merotee_policy *none = NULL;
    LIB_OK(merotee_policy_decide(inspect, v, NULL, NULL, err));
    LIB_REFUSES("measurement/empty-list", merotee_policy_decide(release, v, NULL, NULL, err));
    allow_all(release, v);
    LIB_OK(merotee_policy_decide(release, v, NULL, NULL, err));
    LIB_REFUSES("usage", merotee_policy_new((enum merotee_policy_profile)2, &none, err));
    assert_null(none);
    merotee_verdict_free(v);
    merotee_policy_free(inspect);
    merotee_policy_free(release);
}

static void a_refusal_names_register_and_nearest(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = verdict_of(f);
    struct merotee_policy *p = policy_of(MEROTEE_POLICY_RELEASE);
    struct merotee_refusal why_not = {.size = sizeof why_not};
    struct merotee_error error;
    char got[HEX_MAX];
    allow_all(p, v);
    merotee_verdict_free(v);
    f->world.quote.td.rtmr[2][5] ^= 1;
    v = verdict_of(f);
    to_hex(f->world.quote.td.rtmr[2], 48, got);
    assert_false(merotee_policy_decide(p, v, NULL, &why_not, &error));
    assert_string_equal(error.code, "measurement/rtmr2");
    assert_string_equal(error.field, "rtmr2");
    assert_string_equal(why_not.code, error.code);
    assert_string_equal(why_not.got, got);
    assert_int_equal(why_not.allowed_count, 1);
    assert_int_equal(strlen(why_not.allowed), 96);
    assert_non_null(strstr(why_not.nearest, "RTMR2 only"));
    assert_int_equal(why_not.size, sizeof why_not);
    allow_field(p, v, MEROTEE_FIELD_RTMR2);
    LIB_OK(merotee_policy_decide(p, v, NULL, &why_not, err));
    assert_null(why_not.code);
    merotee_verdict_free(v);
    merotee_policy_free(p);
}

/* A caller compiled with a later release gives more room, and finds zeros there. */
static void a_refusal_may_be_of_another_age(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = verdict_of(f);
    struct merotee_policy *p = policy_of(MEROTEE_POLICY_RELEASE);
    struct {
        struct merotee_refusal known;
        uint64_t later, outside;
    } r = {.later = 1, .outside = 1};
    r.known.size = offsetof(__typeof__(r), outside);
    LIB_REFUSES("measurement/empty-list", merotee_policy_decide(p, v, NULL, &r.known, err));
    assert_string_equal(r.known.code, "measurement/empty-list");
    assert_int_equal(r.later, 0);
    assert_int_equal(r.outside, 1);
    for (size_t i = 0; i < 3; i++) {
        r.known.size = (const size_t[]){0, sizeof r.known - 1, 4097}[i];
        LIB_REFUSES("usage", merotee_policy_decide(p, v, NULL, &r.known, err));
    }
    merotee_verdict_free(v);
    merotee_policy_free(p);
}

static void statuses_are_chosen(void **state)
{
    struct lib_fixture *f = *state;
    for (int level = 0; level < 3; level++) /* those above OutOfDate */
        f->world.collateral.tcb_info.levels[level].pcesvn++;
    struct merotee_verdict *v = verdict_of(f);
    struct merotee_policy *p = policy_of(MEROTEE_POLICY_INSPECT);
    LIB_REFUSES("tcb/status", merotee_policy_decide(p, v, NULL, NULL, err));
    LIB_OK(merotee_policy_accept_status(p, "Revoked", err));
    LIB_REFUSES("tcb/status", merotee_policy_decide(p, v, NULL, NULL, err));
    LIB_OK(merotee_policy_accept_status(p, "outofdate", err));
    LIB_OK(merotee_policy_decide(p, v, NULL, NULL, err));
    LIB_OK(merotee_policy_deny_advisory(p, merotee_verdict_advisory(v, 0), err));
    LIB_REFUSES("platform/advisory", merotee_policy_decide(p, v, NULL, NULL, err));
    merotee_policy_clear_statuses(p);
    LIB_REFUSES("tcb/status", merotee_policy_decide(p, v, NULL, NULL, err));
    LIB_REFUSES("policy/value", merotee_policy_accept_status(p, "Fine", err));
    merotee_verdict_free(v);
    merotee_policy_free(p);
}

static void debug_is_refused_unless_asked_for(void **state)
{
    struct lib_fixture *f = *state;
    f->world.quote.td.tdattributes[0] |= 1;
    struct merotee_verdict *v = verdict_of(f);
    struct merotee_policy *inspect = policy_of(MEROTEE_POLICY_INSPECT);
    struct merotee_policy *release = policy_of(MEROTEE_POLICY_RELEASE);
    allow_all(release, v);
    LIB_REFUSES("platform/debug", merotee_policy_decide(inspect, v, NULL, NULL, err));
    LIB_REFUSES("platform/debug", merotee_policy_decide(release, v, NULL, NULL, err));
    LIB_REFUSES("usage", merotee_policy_allow_debug(release, err));
    LIB_REFUSES("platform/debug", merotee_policy_decide(release, v, NULL, NULL, err));
    LIB_OK(merotee_policy_allow_debug(inspect, err));
    LIB_OK(merotee_policy_decide(inspect, v, NULL, NULL, err));
    merotee_verdict_free(v);
    merotee_policy_free(inspect);
    merotee_policy_free(release);
}

static void platforms_and_floors_are_pinned(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = verdict_of(f);
    struct merotee_policy *p = policy_of(MEROTEE_POLICY_INSPECT);
    char ppid[HEX_MAX];
    merotee_policy_require_evaluation_number(p, merotee_verdict_evaluation_number(v));
    LIB_OK(merotee_policy_decide(p, v, NULL, NULL, err));
    merotee_policy_require_evaluation_number(p, merotee_verdict_evaluation_number(v) + 1);
    LIB_REFUSES("platform/evaluation-number", merotee_policy_decide(p, v, NULL, NULL, err));
    merotee_policy_require_evaluation_number(p, 0);
    LIB_OK(merotee_policy_allow_ppid(p, "00112233445566778899aabbccddeeff", err));
    LIB_REFUSES("platform/ppid", merotee_policy_decide(p, v, NULL, NULL, err));
    to_hex(merotee_verdict_field(v, MEROTEE_FIELD_PPID, NULL), 16, ppid);
    LIB_OK(merotee_policy_allow_ppid(p, ppid, err));
    LIB_OK(merotee_policy_decide(p, v, NULL, NULL, err));
    merge(p, "{\"xfam\": \"0000000000000000\"}");
    LIB_REFUSES("platform/xfam", merotee_policy_decide(p, v, NULL, NULL, err));
    merotee_verdict_free(v);
    merotee_policy_free(p);
}

static void a_document_is_merged_whole_or_not(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = verdict_of(f);
    struct merotee_policy *p = policy_of(MEROTEE_POLICY_RELEASE);
    char json[1024], hex[HEX_MAX];
    to_hex(f->world.quote.td.mrtd, 48, hex);
    snprintf(json, sizeof json,
             "{\"policy\": {\"allowed_set\": [{\"name\": \"v1\", \"mrtd\": \"%s\"}]}}", hex);
    merge(p, json);
    LIB_OK(merotee_policy_decide(p, v, NULL, NULL, err));
    const char *bad = "{\"allowed_tcb_statuses\": [\"OutOfDate\"], \"xfam\": 1}";
    LIB_REFUSES("json/type",
                merotee_policy_merge_json(p, bad, strlen(bad), MEROTEE_POLICY_OF_NODE, err));
    LIB_OK(merotee_policy_decide(p, v, NULL, NULL, err));
    LIB_REFUSES("json/syntax", merotee_policy_merge_json(p, "{", 1, MEROTEE_POLICY_OF_KMS, err));
    LIB_REFUSES("usage",
                merotee_policy_merge_json(p, "{}", 2, (enum merotee_policy_subject)2, err));
    merotee_verdict_free(v);
    f->world.quote.td.mrtd[0] ^= 1;
    v = verdict_of(f);
    LIB_REFUSES("measurement/set", merotee_policy_decide(p, v, NULL, NULL, err));
    merotee_verdict_free(v);
    merotee_policy_free(p);
}

static void subjects_have_lists_of_their_own(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = verdict_of(f);
    char json[1024], hex[HEX_MAX], other[HEX_MAX];
    to_hex(f->world.quote.td.mrtd, 48, hex);
    to_hex((const uint8_t[48]){1}, 48, other);
    snprintf(json, sizeof json,
             "{\"policy\": {\"kms_allowed_mrtd\": [\"%s\"], \"node_allowed_mrtd\": [\"%s\"]}}", hex,
             other);
    for (int subject = MEROTEE_POLICY_OF_KMS; subject <= MEROTEE_POLICY_OF_NODE; subject++) {
        struct merotee_policy *p = policy_of(MEROTEE_POLICY_INSPECT);
        LIB_OK(merotee_policy_merge_json(p, json, strlen(json),
                                         (enum merotee_policy_subject)subject, err));
        if (subject == MEROTEE_POLICY_OF_KMS)
            LIB_OK(merotee_policy_decide(p, v, NULL, NULL, err));
        else
            LIB_REFUSES("measurement/mrtd", merotee_policy_decide(p, v, NULL, NULL, err));
        merotee_policy_free(p);
    }
    merotee_verdict_free(v);
}

static void compose_hashes_need_the_log(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = verdict_of(f);
    struct merotee_policy *p = policy_of(MEROTEE_POLICY_INSPECT);
    struct merotee_event_log *log = NULL, *empty = NULL;
    char json[256], hex[HEX_MAX];
    LIB_OK(merotee_event_log_read(f->log_json.data, f->log_json.len, NULL, NULL, &log, err));
    LIB_OK(merotee_event_log_read("[]", 2, NULL, NULL, &empty, err));
    to_hex((const uint8_t[32]){0xee}, 32, hex);
    snprintf(json, sizeof json, "{\"allowed_compose_hashes\": [\"%s\"]}", hex);
    merge(p, json);
    LIB_REFUSES("measurement/compose-hash", merotee_policy_decide(p, v, NULL, NULL, err));
    LIB_REFUSES("measurement/compose-hash", merotee_policy_decide(p, v, log, NULL, err));
    LIB_REFUSES("eventlog/mismatch", merotee_policy_decide(p, v, empty, NULL, err));
    to_hex(merotee_event_log_compose_hash(log), 32, hex);
    snprintf(json, sizeof json, "{\"allowed_compose_hashes\": [\"%s\"]}", hex);
    merge(p, json);
    LIB_OK(merotee_policy_decide(p, v, log, NULL, err));
    /* The right name in a log that leads elsewhere, and a right register without the name. */
    merotee_verdict_free(v);
    f->world.quote.td.rtmr[3][0] ^= 1;
    v = verdict_of(f);
    LIB_REFUSES("eventlog/mismatch", merotee_policy_decide(p, v, log, NULL, err));
    merotee_verdict_free(v);
    memset(f->world.quote.td.rtmr[3], 0, 48);
    v = verdict_of(f);
    LIB_REFUSES("measurement/compose-hash", merotee_policy_decide(p, v, empty, NULL, err));
    merotee_event_log_free(log);
    merotee_event_log_free(empty);
    merotee_verdict_free(v);
    merotee_policy_free(p);
}

static void bad_entries_are_refused(void **state)
{
    struct merotee_policy *p = policy_of(MEROTEE_POLICY_INSPECT);
    char hex[HEX_MAX];
    (void)state;
    to_hex((const uint8_t[48]){1}, 48, hex);
    LIB_REFUSES("usage", merotee_policy_allow(p, MEROTEE_FIELD_REPORT_DATA, hex, err));
    LIB_REFUSES("usage", merotee_policy_allow(p, MEROTEE_FIELD_MRSEAM, hex, err));
    LIB_REFUSES("policy/value", merotee_policy_allow(p, MEROTEE_FIELD_MRTD, "", err));
    LIB_REFUSES("policy/value", merotee_policy_allow(p, MEROTEE_FIELD_MRTD, NULL, err));
    LIB_REFUSES("policy/value", merotee_policy_allow(p, MEROTEE_FIELD_MRTD, &hex[1], err));
    LIB_REFUSES("policy/value", merotee_policy_allow_ppid(p, "00", err));
    LIB_REFUSES("policy/value", merotee_policy_allow_ppid(p, NULL, err));
    LIB_REFUSES("policy/value", merotee_policy_deny_advisory(p, "", err));
    LIB_REFUSES("policy/value", merotee_policy_accept_status(p, NULL, err));
    for (unsigned i = 0; i < MEROTEE_POLICY_LIST_MAX; i++) {
        to_hex((const uint8_t[48]){(uint8_t)i, (uint8_t)(i >> 8)}, 48, hex);
        LIB_OK(merotee_policy_allow(p, MEROTEE_FIELD_RTMR3, hex, err));
    }
    to_hex((const uint8_t[48]){[47] = 1}, 48, hex);
    LIB_REFUSES("policy/limit", merotee_policy_allow(p, MEROTEE_FIELD_RTMR3, hex, err));
    merotee_policy_free(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lib_fixture_set_up, lib_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_verdict_is_refused),
        TEST(profiles_differ_where_nothing_is_said),
        TEST(a_refusal_names_register_and_nearest),
        TEST(a_refusal_may_be_of_another_age),
        TEST(statuses_are_chosen),
        TEST(debug_is_refused_unless_asked_for),
        TEST(platforms_and_floors_are_pinned),
        TEST(a_document_is_merged_whole_or_not),
        TEST(subjects_have_lists_of_their_own),
        TEST(compose_hashes_need_the_log),
        cmocka_unit_test(bad_entries_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
