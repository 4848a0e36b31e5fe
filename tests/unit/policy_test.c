/* The policy room: normalisation dialects, JSON shapes, and every way a verdict can be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "policy/policy.h"

enum { HEX_LEN = 2 * MEASUREMENT_LEN };

/* 96 times the same digit. */
static const char *digits(char digit)
{
    static char slots[8][HEX_LEN + 1];
    static unsigned next;
    char *out = slots[next++ % 8];
    memset(out, digit, HEX_LEN);
    out[HEX_LEN] = '\0';
    return out;
}

static void set_bytes(uint8_t *out, char digit)
{
    assert_true(hex_decode(slice_of(digits(digit), HEX_LEN), out, MEASUREMENT_LEN));
}

/* An up-to-date TD whose registers are 11.., 22.., 33.., 44.., 55... */
static struct verdict good_verdict(void)
{
    struct verdict v = {.tee = TEE_TDX, .status = TCB_UP_TO_DATE, .quote_version = 4};
    v.tcb_evaluation_data_number = 20;
    v.tdattributes[3] = 0x10;
    set_bytes(v.mrtd, '1');
    for (unsigned i = 0; i < 4; i++)
        set_bytes(v.rtmr[i], (char)('2' + (int)i));
    set_bytes(v.mrseam, '6');
    return v;
}

static void add(struct policy *p, enum policy_register r, const char *text)
{
    struct error err = {0};
    if (!policy_add_measurement(p, r, slice_str(text), POLICY_DIALECT_NODE, "list", &err))
        fail_msg("%s", err.message);
}

/* The daemons' policy that accepts good_verdict(). */
static void good_policy(struct policy *p)
{
    policy_init(p);
    p->lists_required = true;
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        add(p, (enum policy_register)r, digits((char)('1' + (int)r)));
}

/* ---- normalisation ---- */

struct dialect_case {
    const char *text;
    enum policy_dialect dialect;
    bool ok, empty;
    const char *message; /* substring of the refusal */
};

static void test_measurement_dialects(void **state)
{
    (void)state;
    char plain[HEX_LEN + 1], upper[HEX_LEN + 1], once[128], capital[128], twice[128], spaced[128];
    char longer[128], odd[128];
    memcpy(plain, digits('a'), sizeof(plain));
    memcpy(upper, digits('A'), sizeof(upper));
    snprintf(once, sizeof(once), "0x%s", plain);
    snprintf(capital, sizeof(capital), "0X%s", plain);
    snprintf(twice, sizeof(twice), "0x0x%s", plain);
    snprintf(spaced, sizeof(spaced), " \t0x%s\r\n", upper);
    snprintf(longer, sizeof(longer), "%saa", plain);
    snprintf(odd, sizeof(odd), "%sa", plain);
    const struct dialect_case cases[] = {
        {plain, POLICY_DIALECT_NODE, true, false, NULL},
        {upper, POLICY_DIALECT_NODE, true, false, NULL},
        {once, POLICY_DIALECT_NODE, true, false, NULL},
        {capital, POLICY_DIALECT_NODE, true, false, NULL},
        {spaced, POLICY_DIALECT_NODE, true, false, NULL},
        {twice, POLICY_DIALECT_NODE, false, false, "field contains non-hex value: 0x0x"},
        {longer, POLICY_DIALECT_NODE, false, false,
         "field contains invalid TDX measurement length (expected 48 bytes, got 49 bytes)"},
        {"aabb", POLICY_DIALECT_NODE, false, false, "(expected 48 bytes, got 2 bytes)"},
        {odd, POLICY_DIALECT_NODE, false, false, "field contains non-hex value: a"},
        {"zz", POLICY_DIALECT_NODE, false, false, "field contains non-hex value: zz"},
        {"", POLICY_DIALECT_NODE, true, true, NULL},
        {" \n", POLICY_DIALECT_NODE, true, true, NULL},
        {"0x", POLICY_DIALECT_NODE, true, true, NULL},
        {plain, POLICY_DIALECT_KMS, true, false, NULL},
        {once, POLICY_DIALECT_KMS, true, false, NULL},
        {twice, POLICY_DIALECT_KMS, true, false, NULL},
        {spaced, POLICY_DIALECT_KMS, true, false, NULL},
        {capital, POLICY_DIALECT_KMS, false, false, "expected 96 hex characters, got 98"},
        {longer, POLICY_DIALECT_KMS, false, false, "expected 96 hex characters, got 98"},
        {"0x", POLICY_DIALECT_KMS, false, false, "got 0"},
        {"", POLICY_DIALECT_KMS, true, true, NULL},
        {capital, POLICY_DIALECT_RELEASE, true, false, NULL},
        {twice, POLICY_DIALECT_RELEASE, false, false, "non-hex"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct dialect_case *c = &cases[i];
        uint8_t out[MEASUREMENT_LEN] = {0};
        bool empty = false;
        struct error err = {0};
        bool ok =
            policy_parse_measurement(slice_str(c->text), c->dialect, "field", out, &empty, &err);
        if (ok != c->ok || empty != c->empty)
            fail_msg("case %zu '%s': ok %d empty %d: %s", i, c->text, ok, empty, err.message);
        if (ok && !empty)
            assert_int_equal(out[0], 0xaa);
        if (!ok) {
            assert_string_equal(err.code, "policy/value");
            assert_string_equal(err.field, "field");
            if (!strstr(err.message, c->message))
                fail_msg("case %zu: '%s' lacks '%s'", i, err.message, c->message);
        }
    }
}

static void test_lists(void **state)
{
    (void)state;
    struct policy p POLICY_AUTO;
    struct error err = {0};
    policy_init(&p);
    add(&p, POLICY_RTMR1, digits('7'));
    add(&p, POLICY_RTMR1, digits('7')); /* kept once */
    assert_int_equal(p.lists[POLICY_RTMR1].count, 1);
    char csv[512];
    snprintf(csv, sizeof(csv), " %s ,, %s,", digits('8'), digits('9'));
    assert_true(policy_add_measurement_csv(&p, POLICY_RTMR1, slice_str(csv), POLICY_DIALECT_KMS,
                                           "ALLOWED_RTMR1", &err));
    assert_int_equal(p.lists[POLICY_RTMR1].count, 3);
    assert_false(policy_add_measurement_csv(&p, POLICY_RTMR1, slice_str("1,2"), POLICY_DIALECT_KMS,
                                            "ALLOWED_RTMR1", &err));
    policy_clear_list(&p, POLICY_RTMR1);
    assert_int_equal(p.lists[POLICY_RTMR1].count, 0);
    for (unsigned i = 0; i < POLICY_LIST_MAX; i++) {
        char text[HEX_LEN + 1];
        snprintf(text, sizeof(text), "%096x", i);
        add(&p, POLICY_MRTD, text);
    }
    assert_false(policy_add_measurement(&p, POLICY_MRTD, slice_str(digits('f')),
                                        POLICY_DIALECT_NODE, "list", &err));
    assert_string_equal(err.code, "policy/limit");
    assert_int_equal(p.lists[POLICY_MRTD].count, POLICY_LIST_MAX);
}

static void test_statuses(void **state)
{
    (void)state;
    struct policy p POLICY_AUTO;
    struct error err = {0};
    policy_init(&p);
    assert_true(p.statuses[TCB_UP_TO_DATE]);
    policy_clear_statuses(&p);
    assert_false(policy_accepts_any_status(&p));
    assert_true(
        policy_add_status_csv(&p, slice_str(" outofdate, SWHardeningNeeded ,,"), "f", &err));
    assert_true(p.statuses[TCB_OUT_OF_DATE]);
    assert_true(p.statuses[TCB_SW_HARDENING_NEEDED]);
    assert_false(p.statuses[TCB_UP_TO_DATE]);
    assert_true(policy_add_status(&p, slice_str("Revoked"), "f", &err));
    assert_false(p.statuses[TCB_REVOKED]);
    assert_false(policy_add_status(&p, slice_str("uptodatee"), "f", &err));
    assert_string_equal(err.message, "f contains an unknown TCB status 'uptodatee'");
}

static void test_sets(void **state)
{
    (void)state;
    struct policy p POLICY_AUTO;
    struct error err = {0};
    policy_init(&p);
    struct policy_set set = {0};
    assert_false(policy_add_set(&p, &set, &err));
    snprintf(set.name, sizeof(set.name), "one");
    assert_false(policy_add_set(&p, &set, &err));
    set.given[POLICY_MRTD] = true;
    assert_true(policy_add_set(&p, &set, &err));
    assert_false(policy_add_set(&p, &set, &err)); /* same name */
    for (unsigned i = 1; i < POLICY_SETS_MAX; i++) {
        snprintf(set.name, sizeof(set.name), "set %u", i);
        assert_true(policy_add_set(&p, &set, &err));
    }
    snprintf(set.name, sizeof(set.name), "one too many");
    assert_false(policy_add_set(&p, &set, &err));
    assert_string_equal(err.code, "policy/limit");
}

/* ---- decision ---- */

struct decide_case {
    const char *name;
    void (*change)(struct policy *p, struct verdict *v);
    const char *code; /* NULL = accepted */
    const char *kms;  /* texts, NULL = not looked at */
    const char *node_config;
    const char *node_release;
};

static void no_change(struct policy *p, struct verdict *v)
{
    (void)p, (void)v;
}
static void debug_td(struct policy *p, struct verdict *v)
{
    (void)p;
    v->tdattributes[0] = 0x01;
}
static void profiled_td(struct policy *p, struct verdict *v)
{
    (void)p;
    v->tdattributes[0] = 0x10;
}
static void no_sept(struct policy *p, struct verdict *v)
{
    (void)p;
    v->tdattributes[3] = 0;
}
static void no_sept_cli(struct policy *p, struct verdict *v)
{
    p->debug_only = true;
    v->tdattributes[3] = 0;
}
static void lass(struct policy *p, struct verdict *v)
{
    (void)p;
    v->tdattributes[3] = 0x18;
}
static void migratable(struct policy *p, struct verdict *v)
{
    (void)p;
    v->tdattributes[3] = 0x30;
}
static void migratable_cli(struct policy *p, struct verdict *v)
{
    p->debug_only = true;
    v->tdattributes[3] = 0x30;
}
static void pks_kl_perfmon(struct policy *p, struct verdict *v)
{
    (void)p;
    v->tdattributes[3] = 0xd0;
    v->tdattributes[7] = 0x80;
}
static void tpa(struct policy *p, struct verdict *v)
{
    (void)p;
    v->tdattributes[7] = 0x40;
}
static void service_td(struct policy *p, struct verdict *v)
{
    (void)p;
    v->mrservicetd[47] = 1;
}
static void sgx(struct policy *p, struct verdict *v)
{
    (void)p;
    v->tee = TEE_SGX;
}
static void sgx_cli(struct policy *p, struct verdict *v)
{
    policy_free(p);
    policy_init(p);
    p->debug_only = true;
    v->tee = TEE_SGX;
}
static void sgx_debug_cli(struct policy *p, struct verdict *v)
{
    sgx_cli(p, v);
    v->sgx_attributes[0] = 0x02;
}
static void out_of_date(struct policy *p, struct verdict *v)
{
    struct error err;
    assert_true(policy_add_status(p, slice_str("SWHardeningNeeded"), "f", &err));
    v->status = TCB_OUT_OF_DATE;
}
static void revoked(struct policy *p, struct verdict *v)
{
    p->statuses[TCB_REVOKED] = true; /* even if somebody sets it by hand */
    v->status = TCB_REVOKED;
}
static void other_mrtd(struct policy *p, struct verdict *v)
{
    (void)p;
    set_bytes(v->mrtd, 'e');
}
static void other_rtmr2(struct policy *p, struct verdict *v)
{
    (void)p;
    set_bytes(v->rtmr[2], 'e');
}
static void many_rtmr3(struct policy *p, struct verdict *v)
{
    const char *more = "6789ab";
    for (size_t i = 0; more[i] != '\0'; i++)
        add(p, POLICY_RTMR3, digits(more[i]));
    set_bytes(v->rtmr[3], 'e');
}
static void empty_list(struct policy *p, struct verdict *v)
{
    (void)v;
    policy_clear_list(p, POLICY_RTMR0);
}
static void empty_list_cli(struct policy *p, struct verdict *v)
{
    (void)v;
    p->lists_required = false;
    policy_clear_list(p, POLICY_RTMR0);
}
static void add_exact_set(struct policy *p, const char *name, const struct verdict *v)
{
    struct error err = {0};
    struct policy_set set = {0};
    snprintf(set.name, sizeof(set.name), "%s", name);
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        set.given[r] = true;
        memcpy(set.value[r], policy_register_value(v, (enum policy_register)r), MEASUREMENT_LEN);
    }
    assert_true(policy_add_set(p, &set, &err));
}
static void sets_match(struct policy *p, struct verdict *v)
{
    struct verdict other = *v;
    set_bytes(other.mrtd, 'e');
    add_exact_set(p, "old", &other);
    add_exact_set(p, "new", v);
}
static void sets_only(struct policy *p, struct verdict *v)
{
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        policy_clear_list(p, (enum policy_register)r);
    sets_match(p, v);
}
/* Each register is in some set and in its list, but no set has them together. */
static void sets_mixed(struct policy *p, struct verdict *v)
{
    struct verdict other = *v;
    set_bytes(other.rtmr[2], 'e');
    add_exact_set(p, "node 1.4.2", &other);
    set_bytes(other.mrtd, 'e');
    add_exact_set(p, "far", &other);
}
static void set_mrseam(struct policy *p, struct verdict *v)
{
    (void)v;
    struct error err = {0};
    struct policy_set set = {.name = "pinned", .has_mrseam = true};
    assert_true(policy_add_set(p, &set, &err));
}
static void floor_met(struct policy *p, struct verdict *v)
{
    p->evaluation_number_min = v->tcb_evaluation_data_number;
}
static void floor_missed(struct policy *p, struct verdict *v)
{
    p->evaluation_number_min = v->tcb_evaluation_data_number + 1;
}
static void denied_advisory(struct policy *p, struct verdict *v)
{
    struct error err = {0};
    assert_true(policy_add_denied_advisory(p, slice_str("INTEL-SA-00837"), "f", &err));
    v->advisory_count = 2;
    snprintf(v->advisories[0], ADVISORY_TEXT_MAX, "INTEL-SA-00828");
    snprintf(v->advisories[1], ADVISORY_TEXT_MAX, "INTEL-SA-00837");
}
static void other_ppid(struct policy *p, struct verdict *v)
{
    (void)v;
    struct error err = {0};
    assert_true(policy_add_ppid(p, slice_str("0x000102030405060708090a0b0c0d0e0f"), "f", &err));
}
static void right_ppid(struct policy *p, struct verdict *v)
{
    other_ppid(p, v);
    for (unsigned i = 0; i < 16; i++)
        v->ppid[i] = (uint8_t)i;
}
static void pinned_xfam(struct policy *p, struct verdict *v)
{
    (void)v;
    p->has_xfam = true;
    p->xfam[0] = 7;
}

static const struct decide_case decide_cases[] = {
    {"as it should be", no_change, NULL, NULL, NULL, NULL},
    {"debug", debug_td, "platform/debug", NULL, NULL, NULL},
    {"profiling", profiled_td, "platform/debug", NULL, NULL, NULL},
    {"no SEPT_VE_DISABLE", no_sept, "platform/td-attributes", NULL, NULL, NULL},
    {"no SEPT_VE_DISABLE, command line", no_sept_cli, NULL, NULL, NULL, NULL},
    {"LASS", lass, "platform/td-attributes", NULL, NULL, NULL},
    {"migratable", migratable, "platform/td-attributes", NULL, NULL, NULL},
    {"migratable, command line", migratable_cli, NULL, NULL, NULL, NULL},
    {"PKS, KL, PERFMON", pks_kl_perfmon, NULL, NULL, NULL, NULL},
    {"TPA", tpa, "platform/td-attributes", NULL, NULL, NULL},
    {"service TD", service_td, "platform/service-td", NULL, NULL, NULL},
    {"SGX", sgx, "platform/tee-type", NULL, NULL, NULL},
    {"SGX, command line", sgx_cli, NULL, NULL, NULL, NULL},
    {"SGX debug, command line", sgx_debug_cli, "platform/debug", NULL, NULL, NULL},
    {"out of date", out_of_date, "tcb/status",
     "TCB status 'OutOfDate' is not allowed. Allowed values: uptodate, swhardeningneeded",
     "KMS TCB status 'OutOfDate' is not allowed. Allowed: uptodate, swhardeningneeded",
     "KMS TCB status 'OutOfDate' is not allowed. Allowed: uptodate, swhardeningneeded"},
    {"revoked", revoked, "tcb/status", NULL, NULL, NULL},
    {"other MRTD", other_mrtd, "measurement/mrtd",
     "MRTD "
     "'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
     "e"
     "eee' is not in allowlist",
     NULL,
     "KMS MRTD "
     "'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
     "e"
     "eee' is not in allowlist "
     "[11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "1111 (1 total)]"},
    {"other RTMR2", other_rtmr2, "measurement/rtmr2", NULL, NULL, NULL},
    {"seven RTMR3", many_rtmr3, "measurement/rtmr3", NULL, NULL, NULL},
    {"empty list", empty_list, "measurement/empty-list", "RTMR0 allowlist is empty",
     "KMS attestation policy is missing required non-empty allowlist "
     "'tee.kms.phala.attestation.allowed_rtmr0'",
     "KMS attestation policy is missing required non-empty allowlist 'policy.allowed_rtmr0'"},
    {"empty list, command line", empty_list_cli, NULL, NULL, NULL, NULL},
    {"lists and a set", sets_match, NULL, NULL, NULL, NULL},
    {"sets only", sets_only, NULL, NULL, NULL, NULL},
    {"registers of different sets", sets_mixed, "measurement/set", NULL, NULL, NULL},
    {"set with another MRSEAM", set_mrseam, "measurement/set", NULL, NULL, NULL},
    {"evaluation number at the floor", floor_met, NULL, NULL, NULL, NULL},
    {"evaluation number below", floor_missed, "platform/evaluation-number", NULL, NULL, NULL},
    {"denied advisory", denied_advisory, "platform/advisory", NULL, NULL, NULL},
    {"other PPID", other_ppid, "platform/ppid", NULL, NULL, NULL},
    {"right PPID", right_ppid, NULL, NULL, NULL, NULL},
    {"xfam", pinned_xfam, "platform/xfam", NULL, NULL, NULL},
};

static void expect_text(const struct decide_case *c, const struct policy_refusal *refusal,
                        const struct error *err, enum policy_voice voice, const char *want)
{
    char text[POLICY_TEXT_MAX];
    policy_refusal_text(refusal, voice, err->message, text);
    if (want && strcmp(text, want) != 0)
        fail_msg("%s: '%s' instead of '%s'", c->name, text, want);
}

static void test_decide(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(decide_cases) / sizeof(decide_cases[0]); i++) {
        const struct decide_case *c = &decide_cases[i];
        struct policy p POLICY_AUTO;
        struct policy_refusal refusal = {0};
        struct error err = {0};
        struct verdict v = good_verdict();
        good_policy(&p);
        c->change(&p, &v);
        bool ok = policy_decide(&p, &v, &refusal, &err);
        if (ok != (c->code == NULL))
            fail_msg("%s: %s", c->name, ok ? "accepted" : err.message);
        if (ok)
            continue;
        if (strcmp(refusal.code, c->code) != 0 || strcmp(err.code, c->code) != 0)
            fail_msg("%s: code %s / %s", c->name, refusal.code, err.code);
        expect_text(c, &refusal, &err, POLICY_VOICE_KMS, c->kms);
        expect_text(c, &refusal, &err, POLICY_VOICE_NODE_CONFIG, c->node_config);
        expect_text(c, &refusal, &err, POLICY_VOICE_NODE_RELEASE, c->node_release);
        assert_false(policy_decide(&p, &v, NULL, NULL));
    }
}

static void test_nearest(void **state)
{
    (void)state;
    struct policy p POLICY_AUTO;
    struct policy_refusal refusal = {0};
    struct error err = {0};
    struct verdict v = good_verdict();
    good_policy(&p);
    sets_mixed(&p, &v);
    assert_false(policy_decide(&p, &v, &refusal, &err));
    assert_string_equal(refusal.nearest, "nearest set \"node 1.4.2\": differs in RTMR2 only "
                                         "(kernel command line and initrd)");
    assert_non_null(strstr(err.message, refusal.nearest));
    many_rtmr3(&p, &v);
    set_bytes(v.mrtd, 'd');
    assert_false(policy_decide(&p, &v, &refusal, &err));
    assert_string_equal(refusal.nearest,
                        "nearest set \"node 1.4.2\": differs in MRTD, RTMR2, RTMR3");
    assert_int_equal(refusal.reg, POLICY_MRTD);
    set_bytes(v.mrtd, '1');
    assert_false(policy_decide(&p, &v, &refusal, &err));
    assert_int_equal(refusal.reg, POLICY_RTMR3);
    assert_int_equal(refusal.allowed_total, 7);
    assert_int_equal(strlen(refusal.allowed), 5 * HEX_LEN + 4 * 2); /* the first five */
}

/* ---- what was deployed ---- */

static struct policy_set replay_set(const struct verdict *v, uint8_t hash_byte)
{
    struct policy_set set = {.replay = true, .compose_hash_count = 1};
    snprintf(set.name, sizeof(set.name), "compose %02x", hash_byte);
    memset(set.compose_hashes[0], hash_byte, POLICY_COMPOSE_HASH_LEN);
    for (unsigned r = 0; r < POLICY_RTMR3; r++) {
        set.given[r] = true;
        memcpy(set.value[r], policy_register_value(v, (enum policy_register)r), MEASUREMENT_LEN);
    }
    return set;
}

/* Sets that ask for a compose hash instead of RTMR3: lists may leave RTMR3 out, and the hash counts
 * only together with the other registers of its set. */
static void test_replay_sets(void **state)
{
    (void)state;
    struct policy p POLICY_AUTO;
    struct error err = {0};
    struct verdict v = good_verdict(), other = good_verdict();
    uint8_t a[32], b[32];
    memset(a, 0xaa, sizeof(a));
    memset(b, 0xbb, sizeof(b));
    set_bytes(other.rtmr[2], 'e');
    struct policy_set set_a = replay_set(&v, 0xaa), set_b = replay_set(&other, 0xbb);
    policy_init(&p);
    p.lists_required = true;
    assert_false(policy_needs_event_log(&p));
    assert_true(policy_add_set(&p, &set_a, &err) && policy_add_set(&p, &set_b, &err));
    assert_true(policy_needs_event_log(&p));
    assert_true(policy_sets_cover(&p, POLICY_RTMR3) && policy_sets_cover(&p, POLICY_MRTD));
    assert_true(policy_decide(&p, &v, NULL, &err));
    assert_true(policy_decide_compose(&p, &v, a, &err));
    assert_false(policy_decide_compose(&p, &v, b, &err)); /* the other set's */
    assert_string_equal(err.code, "measurement/compose-hash");
    assert_false(policy_decide_compose(&p, &v, NULL, &err));
    assert_true(policy_decide_compose(&p, &other, b, &err));
    /* A list of hashes beside the sets holds, too. */
    assert_true(policy_add_compose_hash(
        &p, slice_str("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"), "f",
        &err));
    assert_false(policy_decide_compose(&p, &v, a, &err));
    assert_true(policy_decide_compose(&p, &other, b, &err));
    /* A set without replay beside them: its register counts, the hash does not. */
    struct policy_set exact = {.name = "exact", .given = {[POLICY_RTMR3] = true}};
    memcpy(exact.value[POLICY_RTMR3], v.rtmr[3], MEASUREMENT_LEN);
    assert_true(policy_add_set(&p, &exact, &err));
    assert_false(policy_sets_cover(&p, POLICY_MRTD));
    set_a.name[0] = 'C';
    set_a.given[POLICY_RTMR3] = true;
    assert_false(policy_add_set(&p, &set_a, &err)); /* a value and replay */
    set_a.given[POLICY_RTMR3] = false;
    set_a.compose_hash_count = 0;
    assert_false(policy_add_set(&p, &set_a, &err)); /* replay without hashes */
}

/* ---- JSON ---- */

static bool merge(struct policy *p, const char *text, enum policy_subject subject,
                  struct policy_document *doc, struct error *err)
{
    return policy_merge_json(p, slice_str(text), subject, POLICY_DIALECT_RELEASE, doc, err);
}

static size_t count_of(const struct policy *p, enum policy_register r)
{
    return p->lists[r].count;
}

static void test_json_shapes(void **state)
{
    (void)state;
    struct policy p POLICY_AUTO;
    struct policy_document doc;
    struct error err = {0};
    char text[4096];
    policy_init(&p);
    add(&p, POLICY_MRTD, digits('1'));
    add(&p, POLICY_RTMR0, digits('2'));
    add(&p, POLICY_RTMR3, digits('3'));
    /* Flat wins over nested, [] clears, absent keeps, unknown members are ignored. */
    snprintf(text, sizeof(text),
             "{\"allowed_mrtd\":[\"0X%s\",\"\"],\"allowed_rtmr0\":[],\"other\":{},"
             "\"policy\":{\"allowed_mrtd\":[],\"allowed_rtmr1\":[\"%s\"]},\"binding_b64\":"
             "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\"}",
             digits('a'), digits('b'));
    assert_true(merge(&p, text, POLICY_SUBJECT_KMS, &doc, &err));
    assert_int_equal(count_of(&p, POLICY_MRTD), 1);
    assert_int_equal(p.lists[POLICY_MRTD].values[0][0], 0xaa);
    assert_int_equal(count_of(&p, POLICY_RTMR0), 0);
    assert_int_equal(count_of(&p, POLICY_RTMR1), 1);
    assert_int_equal(count_of(&p, POLICY_RTMR3), 1);
    assert_true(doc.has_binding);
    assert_int_equal(doc.binding[31], 1);
    /* Published shape: the role decides, and the other role's lists are never taken. */
    snprintf(text, sizeof(text),
             "{\"role\":\"kms\",\"tag\":\"2.3.71\",\"profile\":\"debug\",\"schema_version\":1,"
             "\"policy\":{\"kms_allowed_mrtd\":[\"%s\"],\"node_allowed_mrtd\":[\"%s\"],"
             "\"allowed_mrtd\":[\"%s\"],\"node_allowed_rtmr0\":[\"%s\"],"
             "\"kms_allowed_tcb_statuses\":[\"outofdate\"]}}",
             digits('c'), digits('d'), digits('e'), digits('f'));
    assert_true(merge(&p, text, POLICY_SUBJECT_KMS, &doc, &err));
    assert_int_equal(p.lists[POLICY_MRTD].values[0][0], 0xcc);
    assert_int_equal(count_of(&p, POLICY_RTMR0), 0);
    assert_true(p.statuses[TCB_OUT_OF_DATE] && !p.statuses[TCB_UP_TO_DATE]);
    assert_string_equal(doc.tag, "2.3.71");
    assert_string_equal(doc.role, "kms");
    assert_string_equal(doc.profile, "debug");
    assert_true(doc.has_schema_version && doc.schema_version == 1 && !doc.has_binding);
    assert_true(merge(&p, text, POLICY_SUBJECT_NODE, NULL, &err));
    assert_int_equal(p.lists[POLICY_MRTD].values[0][0], 0xdd);
    assert_int_equal(count_of(&p, POLICY_RTMR0), 1);
}

/* An empty role list: the node passes over it, the KMS does not. */
static void test_json_empty_role_list(void **state)
{
    (void)state;
    struct policy p POLICY_AUTO;
    struct error err = {0};
    char text[512];
    policy_init(&p);
    snprintf(text, sizeof(text),
             "{\"policy\":{\"kms_allowed_mrtd\":[],\"node_allowed_mrtd\":[],"
             "\"allowed_mrtd\":[\"%s\"]}}",
             digits('a'));
    assert_true(merge(&p, text, POLICY_SUBJECT_KMS, NULL, &err));
    assert_int_equal(count_of(&p, POLICY_MRTD), 1);
    assert_true(merge(&p, text, POLICY_SUBJECT_NODE, NULL, &err));
    assert_int_equal(count_of(&p, POLICY_MRTD), 0);
}

static void test_json_ours(void **state)
{
    (void)state;
    struct policy p POLICY_AUTO;
    struct error err = {0};
    char text[2048];
    policy_init(&p);
    snprintf(text, sizeof(text),
             "{\"allowed_set\":[{\"name\":\"a\",\"mrtd\":\"%s\",\"rtmr2\":\"%s\",\"xfam\":"
             "\"e702060000000000\",\"mrseam\":\"%s\"}],\"allowed_mrseam\":[\"%s\"],"
             "\"td_attributes\":\"0000001000000000\",\"min_tcb_evaluation_data_number\":18,"
             "\"denied_advisories\":[\"INTEL-SA-00837\"],\"allowed_ppid\":"
             "[\"000102030405060708090a0b0c0d0e0f\"],\"policy\":{\"kms_allowed_event_payload\":"
             "[\"20b1cdee230f9e68e37f61f8c9cd26470129e12d0b7b9515c2b1f17ffb4e2091\"]}}",
             digits('a'), digits('b'), digits('6'), digits('6'));
    assert_true(merge(&p, text, POLICY_SUBJECT_KMS, NULL, &err));
    assert_int_equal(p.set_count, 1);
    assert_true(p.sets[0].given[POLICY_MRTD] && p.sets[0].given[POLICY_RTMR2]);
    assert_false(p.sets[0].given[POLICY_RTMR0]);
    assert_true(p.sets[0].has_xfam && p.sets[0].has_mrseam && !p.sets[0].has_tdattributes);
    assert_true(p.has_tdattributes && p.tdattributes[3] == 0x10 && !p.has_xfam);
    assert_int_equal(p.evaluation_number_min, 18);
    assert_int_equal(p.denied_advisory_count, 1);
    assert_int_equal(p.ppid_count, 1);
    assert_int_equal(p.compose_hash_count, 1);
    assert_int_equal(p.mrseam.count, 1);
    assert_true(merge(&p,
                      "{\"allowed_set\":[{\"name\":\"r\",\"rtmr3\":\"replay\",\"compose_hashes\":["
                      "\"20b1cdee230f9e68e37f61f8c9cd26470129e12d0b7b9515c2b1f17ffb4e2091\"]}]}",
                      POLICY_SUBJECT_KMS, NULL, &err));
    assert_true(p.sets[1].replay && p.sets[1].compose_hash_count == 1);
    assert_int_equal(p.sets[1].compose_hashes[0][0], 0x20);
}

static void test_json_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"", "json/syntax"},
        {"[]", "json/type"},
        {"{\"policy\":[]}", "json/type"},
        {"{\"allowed_mrtd\":\"x\"}", "json/type"},
        {"{\"allowed_mrtd\":[1]}", "json/type"},
        {"{\"allowed_mrtd\":[\"zz\"]}", "policy/value"},
        {"{\"allowed_tcb_statuses\":[\"fine\"]}", "policy/value"},
        {"{\"allowed_tcb_statuses\":[null]}", "json/type"},
        {"{\"binding_b64\":\"AAA=\"}", "json/value"},
        {"{\"binding_b64\":3}", "json/type"},
        {"{\"kms\":3}", "json/type"},
        {"{\"tag\":3}", "json/type"},
        {"{\"xfam\":\"00\"}", "policy/value"},
        {"{\"min_tcb_evaluation_data_number\":-1}", "json/value"},
        {"{\"allowed_set\":[3]}", "json/type"},
        {"{\"allowed_set\":[{\"name\":\"a\"}]}", "policy/value"},
        {"{\"allowed_set\":[{\"mrtd\":\"a\"}]}", "json/missing"},
        {"{\"allowed_set\":[{\"name\":\"a\",\"rtmr3\":\"replay\"}]}", "policy/value"},
        {"{\"allowed_set\":[{\"name\":\"a\",\"rtmr2\":\"replay\"}]}", "policy/value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy p POLICY_AUTO;
        struct policy_document doc = {.schema_version = 77};
        struct error err = {0};
        good_policy(&p);
        if (merge(&p, cases[i].text, POLICY_SUBJECT_KMS, &doc, &err))
            fail_msg("accepted: %s", cases[i].text);
        if (strcmp(err.code, cases[i].code) != 0)
            fail_msg("%s: %s (%s)", cases[i].text, err.code, err.message);
        assert_int_equal(count_of(&p, POLICY_MRTD), 1); /* untouched */
        assert_int_equal(doc.schema_version, 77);
    }
}

static void test_copy(void **state)
{
    (void)state;
    struct policy p POLICY_AUTO, copy POLICY_AUTO = {0};
    struct error err = {0};
    struct verdict v = good_verdict();
    good_policy(&p);
    sets_match(&p, &v);
    right_ppid(&p, &v);
    assert_true(policy_copy(&copy, &p, &err));
    policy_free(&p);
    assert_true(policy_decide(&copy, &v, NULL, &err));
    set_bytes(v.rtmr[1], 'e');
    assert_false(policy_decide(&copy, &v, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measurement_dialects),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_decide),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_replay_sets),
        cmocka_unit_test(test_json_shapes),
        cmocka_unit_test(test_json_empty_role_list),
        cmocka_unit_test(test_json_ours),
        cmocka_unit_test(test_json_refused),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
