/* The production verifier judges what the simulator makes: honest evidence of every kind is
 * accepted, and every scenario leads to the verdict that its name promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "dcap/verify.h"
#include "sim/stage.h"
#include "sim/world.h"

enum { NOW = 1767225600 };

static struct error err;
static uint8_t report_data[64];

/* The nine members, through the object in which tools exchange them. */
static void as_collateral(const struct sim_collateral *from, struct collateral *out)
{
    struct buf text BUF_AUTO = BUF_INIT(SIM_COLLATERAL_MAX);
    assert_true(sim_collateral_write(from, &text, &err));
    if (!collateral_read(buf_slice(&text), out, &err))
        fail_msg("%s: %s", err.code, err.message);
}

static void root_of(const struct sim_pki *pki, struct dcap_root *out)
{
    struct buf pem BUF_AUTO = BUF_INIT(SIM_CHAIN_MAX);
    assert_true(sim_pem_append(buf_slice(&pki->cert[SIM_ROOT_CA].der), &pem, &err));
    if (!dcap_root_open_pem(buf_slice(&pem), out, &err))
        fail_msg("%s: %s", err.code, err.message);
}

static bool verify(const struct sim_pki *pki, const struct sim_collateral_spec *spec,
                   const struct buf *quote, int64_t now_s, struct verdict *verdict)
{
    struct sim_collateral made SIM_COLLATERAL_AUTO = {0};
    struct collateral collateral COLLATERAL_AUTO;
    struct dcap_root root DCAP_ROOT_AUTO = {0};
    assert_true(sim_collateral_make(pki, spec, &made, &err));
    as_collateral(&made, &collateral);
    root_of(pki, &root);
    memset(&err, 0, sizeof err);
    return dcap_verify(buf_slice(quote), &collateral, &root, NULL, now_s, verdict, &err);
}

static void every_kind_of_quote_is_accepted(void **state)
{
    (void)state;
    static const struct {
        uint16_t version;
        enum sim_body body;
        bool processor_ca;
    } kinds[] = {
        {3, SIM_BODY_SGX, false},   {3, SIM_BODY_SGX, true},    {4, SIM_BODY_SGX, false},
        {4, SIM_BODY_TD_10, false}, {4, SIM_BODY_TD_10, true},  {5, SIM_BODY_SGX, false},
        {5, SIM_BODY_TD_10, false}, {5, SIM_BODY_TD_15, false}, {5, SIM_BODY_TD_15_EX, false},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sim_world w SIM_WORLD_AUTO;
        struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
        struct verdict verdict = {0};
        assert_true(
            sim_world_create(&w,
                             &(struct sim_world_options){.now_s = NOW,
                                                         .quote_version = kinds[i].version,
                                                         .body = kinds[i].body,
                                                         .processor_ca = kinds[i].processor_ca},
                             &err));
        assert_true(sim_world_quote(&w, report_data, &quote, &err));
        if (!verify(&w.pki, &w.collateral, &quote, NOW, &verdict))
            fail_msg("version %d body %d: %s: %s", kinds[i].version, (int)kinds[i].body, err.code,
                     err.message);
        assert_int_equal(verdict.status, TCB_UP_TO_DATE);
        assert_memory_equal(verdict.report_data, report_data, 64);
        assert_memory_equal(verdict.fmspc, w.pck.spec.sgx.fmspc, 6);
        assert_int_equal(verdict.tcb_evaluation_data_number, SIM_EVALUATION_NUMBER);
    }
}

static void another_seed_is_another_root(void **state)
{
    (void)state;
    struct sim_world a SIM_WORLD_AUTO;
    struct sim_world b SIM_WORLD_AUTO;
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    struct verdict verdict;
    assert_true(sim_world_create(&a, &(struct sim_world_options){.now_s = NOW, .seed = "a"}, &err));
    assert_true(sim_world_create(&b, &(struct sim_world_options){.now_s = NOW, .seed = "b"}, &err));
    assert_true(sim_world_quote(&a, report_data, &quote, &err));
    assert_false(verify(&b.pki, &b.collateral, &quote, NOW, &verdict));
}

/* --- scenarios --- */

struct expectation {
    const char *word;
    const char *code; /* of the refusal; NULL = accepted with `status` */
    enum tcb_status status;
};

static const struct expectation machine_cases[] = {
    {"none", NULL, TCB_UP_TO_DATE},
    {"tcb:UpToDate", NULL, TCB_UP_TO_DATE},
    {"tcb:SWHardeningNeeded", NULL, TCB_SW_HARDENING_NEEDED},
    {"tcb:ConfigurationNeeded", NULL, TCB_CONFIGURATION_NEEDED},
    {"tcb:ConfigurationAndSWHardeningNeeded", NULL, TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED},
    {"tcb:OutOfDate", NULL, TCB_OUT_OF_DATE},
    {"tcb:OutOfDateConfigurationNeeded", NULL, TCB_OUT_OF_DATE_CONFIGURATION_NEEDED},
    {"tcb:Revoked", "tcb/revoked", 0},
    {"tcb:TDRelaunchAdvised", NULL, TCB_TD_RELAUNCH_ADVISED},
    {"module-out-of-date", NULL, TCB_OUT_OF_DATE},
    {"qe-out-of-date", NULL, TCB_OUT_OF_DATE},
    {"revoked-pck", "cert/revoked", 0},
    {"tcb-info:expired", "collateral/expired", 0},
    {"tcb-info:not-yet-valid", "collateral/not-yet-valid", 0},
    {"tcb-info:rolled-back", NULL, TCB_UP_TO_DATE},
    {"tcb-info:bad-signature", "signature/tcb-info", 0},
    {"debug-td", NULL, TCB_UP_TO_DATE},
    {"other:all", NULL, TCB_UP_TO_DATE},
    {"wrong-report-data", NULL, TCB_UP_TO_DATE},
    {"broken-quote-signature", "signature/quote", 0},
};

static const struct expectation pcs_cases[] = {
    {"qe-identity:expired", "collateral/expired", 0},
    {"qe-identity:not-yet-valid", "collateral/not-yet-valid", 0},
    {"qe-identity:rolled-back", NULL, TCB_UP_TO_DATE},
    {"qe-identity:bad-signature", "signature/qe-identity", 0},
    {"pck-crl:expired", "collateral/expired", 0},
    {"pck-crl:not-yet-valid", "collateral/not-yet-valid", 0},
    {"pck-crl:rolled-back", NULL, TCB_UP_TO_DATE},
    {"pck-crl:bad-signature", "crl/signature", 0},
    {"root-crl:expired", "collateral/expired", 0},
    {"root-crl:not-yet-valid", "collateral/not-yet-valid", 0},
    {"root-crl:rolled-back", NULL, TCB_UP_TO_DATE},
    {"root-crl:bad-signature", "crl/signature", 0},
    {"revoked-ca", "cert/revoked", 0},
    {"revoked-tcb-signing", "cert/revoked", 0},
};

static struct sim_stage stage;
static char dir[] = "/tmp/mero-sim-verify-XXXXXX";

static bool verify_machine(struct sim_machine *m, struct verdict *verdict)
{
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    struct sim_collateral_spec spec;
    assert_true(sim_machine_quote(m, report_data, &quote, &err));
    sim_stage_collateral(&stage, m, SIM_PLATFORM_CA, true, false, &spec);
    return verify(&stage.pki, &spec, &quote, clock_unix_s(), verdict);
}

static void expect(const struct expectation *e, struct verdict *verdict)
{
    bool ok = verify_machine(&stage.machines[0], verdict);
    if (e->code == NULL && !ok)
        fail_msg("%s: refused: %s: %s", e->word, err.code, err.message);
    if (e->code != NULL && ok)
        fail_msg("%s: accepted", e->word);
    if (e->code != NULL && !error_is(&err, e->code))
        fail_msg("%s: %s (%s), not %s", e->word, err.code, err.message, e->code);
    if (e->code == NULL && verdict->status != e->status)
        fail_msg("%s: %s", e->word, tcb_status_name(verdict->status));
}

static void machine_scenarios_are_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof machine_cases / sizeof machine_cases[0]; i++) {
        const struct expectation *e = &machine_cases[i];
        struct sim_scenario scenario = {0};
        struct verdict verdict = {0};
        assert_true(sim_scenario_apply(&scenario, SIM_SCOPE_MACHINE, slice_str(e->word), &err));
        assert_true(sim_machine_set_scenario(&stage.machines[0], &scenario, &err));
        expect(e, &verdict);
        if (e->code == NULL) {
            assert_int_equal(verdict.tdattributes[0], strcmp(e->word, "debug-td") == 0);
            assert_int_equal(memcmp(verdict.report_data, report_data, 64) != 0,
                             strcmp(e->word, "wrong-report-data") == 0);
            assert_int_equal(verdict.tcb_evaluation_data_number,
                             SIM_EVALUATION_NUMBER -
                                 (strcmp(e->word, "tcb-info:rolled-back") == 0));
            assert_memory_not_equal(verdict.mrtd, stage.machines[1].td.mrtd, 48);
        }
        /* What one machine plays does not touch the other. */
        if (!verify_machine(&stage.machines[1], &verdict))
            fail_msg("%s hurts the other machine: %s", e->word, err.message);
        assert_int_equal(verdict.status, TCB_UP_TO_DATE);
    }
    struct sim_scenario none = {0};
    assert_true(sim_machine_set_scenario(&stage.machines[0], &none, &err));
}

static void service_scenarios_are_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pcs_cases / sizeof pcs_cases[0]; i++) {
        struct sim_scenario scenario = {0};
        struct verdict verdict = {0};
        assert_true(
            sim_scenario_apply(&scenario, SIM_SCOPE_PCS, slice_str(pcs_cases[i].word), &err));
        sim_stage_set_scenario(&stage, &scenario);
        expect(&pcs_cases[i], &verdict);
    }
    sim_stage_set_scenario(&stage, &(struct sim_scenario){0});
}

static void a_level_is_missed_by_a_named_gap(void **state)
{
    (void)state;
    struct sim_scenario scenario = {.tcb_status = "OutOfDate"};
    struct verdict verdict = {0};
    assert_true(sim_machine_set_scenario(&stage.machines[0], &scenario, &err));
    assert_true(verify_machine(&stage.machines[0], &verdict));
    assert_int_equal(verdict.gap_count, 1);
    assert_int_equal(verdict.gaps[0].has + 1, verdict.gaps[0].needs);
    assert_int_equal(verdict.advisory_count, 2);
    assert_true(sim_machine_set_scenario(&stage.machines[0], &(struct sim_scenario){0}, &err));
}

static int set_up(void **state)
{
    (void)state;
    struct sim_machine_options machines[2];
    for (size_t i = 0; i < sizeof report_data; i++)
        report_data[i] = (uint8_t)(i + 1);
    if (mkdtemp(dir) == NULL || !sim_machine_defaults(&machines[0], "one", &err) ||
        !sim_machine_defaults(&machines[1], "two", &err))
        return -1;
    machines[0].quote_version = 5;
    return sim_stage_open(&stage, dir, NULL, machines, 2, &(struct sim_scenario){0}, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sim_stage_close(&stage);
    return file_remove_tree(dir, NULL) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_quote_is_accepted),
        cmocka_unit_test(another_seed_is_another_root),
        cmocka_unit_test(machine_scenarios_are_what_they_say),
        cmocka_unit_test(service_scenarios_are_what_they_say),
        cmocka_unit_test(a_level_is_missed_by_a_named_gap),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
