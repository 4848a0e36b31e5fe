/* Real quotes against genuine collateral at several times: the verdict is the reference verifier's,
 * or a refusal for one of the stricter readings (docs/verification.md). Prints a table of counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/dcap_case.h"
#include "support/vectors.h"

static struct dcap_root intel;

static const char *const out_of_time[] = {"collateral/expired", "collateral/not-yet-valid",
                                          "cert/expired", "cert/not-yet-valid", NULL};

/* What the reference says, and the codes of ours that mean the same. */
static const struct {
    const char *reference;
    const char *codes[5];
} refusals[] = {
    {"STATUS_TCB_NOT_SUPPORTED", {"tcb/not-supported"}},
    /* Intel's own sample of 2021 calls DER "PEM", and its PCK is a CA: refused before that. */
    {"STATUS_TDX_MODULE_MISMATCH", {"chain/format"}},
    {"FAIL:STATUS_UNSUPPORTED_QUOTE_FORMAT", {"quote/"}},
    {"FAIL:STATUS_UNSUPPORTED_QE_CERTIFICATION_DATA_TYPE", {"quote/certification", "quote/"}},
    {"FAIL:STATUS_UNSUPPORTED_CERT_FORMAT", {"quote/", "chain/", "cert/"}},
    {"FAIL:STATUS_SGX_CRL_UNSUPPORTED_FORMAT",
     {"collateral/missing", "chain/", "cert/", "signature/"}},
};

enum outcome {
    SAME_STATUS,
    EXPIRED_REFUSED,
    SAME_REFUSAL,
    REFUSED_OUT_OF_TIME,
    STRICTER_NOT_YET_VALID,
    WRONG,
    OUTCOMES
};
static const char *const outcome_names[OUTCOMES] = {
    "same status",
    "reference flags expiry, refused here",
    "refused by both, for the same reason",
    "refused by both, here for the time first",
    "stricter: issue date in the future",
    "WRONG",
};
static size_t counts[OUTCOMES];

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value != NULL ? value : "";
}

static enum outcome judge_refusal(const char *reference, const char *when, const char *code)
{
    bool time_refusal = dcap_case_code_in(code, out_of_time);
    if (strncmp(reference, "EXPIRED+", 8) == 0)
        return time_refusal ? EXPIRED_REFUSED : WRONG;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (strcmp(reference, refusals[i].reference) == 0)
            return dcap_case_code_in(code, refusals[i].codes) ? SAME_REFUSAL
                   : time_refusal                             ? REFUSED_OUT_OF_TIME
                                                              : WRONG;
    bool early = strcmp(when, "1s-before-window") == 0 && strstr(code, "/not-yet-valid") != NULL;
    return early ? STRICTER_NOT_YET_VALID : WRONG;
}

static bool same_text(const char *id, const char *what, const char *ours, const char *reference)
{
    if (strcmp(ours, reference) == 0)
        return true;
    print_error("%s: %s is %s, the reference says %s\n", id, what, ours, reference);
    return false;
}

static bool same_number(const char *id, const char *what, int64_t ours, const json_t *reference)
{
    if (ours == json_integer_value(reference))
        return true;
    print_error("%s: %s is %lld, the reference says %lld\n", id, what, (long long)ours,
                (long long)json_integer_value(reference));
    return false;
}

/* Status, advisories, number and date of an accepted quote. */
static bool same_details(const char *id, struct verdict *v, const char *reference,
                         const json_t *detail)
{
    const char *current =
        v->has_current_status ? tcb_status_name(v->current_status) : tcb_status_name(v->status);
    return same_text(id, "status", tcb_status_name(v->status), reference) &&
           same_text(id, "current status", current, text(detail, "current_status")) &&
           same_text(id, "advisories", dcap_case_advisories(v->advisories, v->advisory_count),
                     text(detail, "advisories")) &&
           (!v->has_current_status ||
            same_text(id, "current advisories",
                      dcap_case_advisories(v->current_advisories, v->current_advisory_count),
                      text(detail, "current_advisories"))) &&
           same_number(id, "evaluation number", v->tcb_evaluation_data_number,
                       json_object_get(detail, "tcb_eval_num_min")) &&
           same_number(id, "TCB date", v->tcb_date_s, json_object_get(detail, "launch_tcb_date"));
}

/* Up to date says so by itself; whoever is behind is told what is missing. */
static bool gaps_fit(const char *id, const struct verdict *v)
{
    bool levels_differ = v->platform_status == TCB_OUT_OF_DATE ||
                         v->platform_status == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED ||
                         v->qe_status == TCB_OUT_OF_DATE ||
                         (v->has_module_status && v->module_status == TCB_OUT_OF_DATE);
    bool ok = levels_differ ? v->gap_count > 0 : v->status != TCB_UP_TO_DATE || v->gap_count == 0;
    for (size_t i = 0; i < v->gap_count; i++)
        ok = ok && v->gaps[i].has < v->gaps[i].needs;
    if (!ok)
        print_error("%s: %s with %zu gaps\n", id, tcb_status_name(v->status), v->gap_count);
    return ok;
}

static enum outcome run_case(const json_t *c, const struct dcap_root *root)
{
    const char *id = text(c, "id"), *when = text(c, "when");
    const char *reference = text(json_object_get(c, "verdict"), "intel-qvl-1.27");
    const char *collateral_path = json_string_value(json_object_get(c, "collateral"));
    BUF_AUTO struct buf quote = BUF_INIT(1 << 20);
    JSON_AUTO json_t *collateral = NULL;
    struct verdict v;
    struct error err;
    vectors_read(text(c, "quote"), &quote);
    if (collateral_path != NULL)
        collateral = vectors_read_json(collateral_path);
    int64_t now_s = json_integer_value(json_object_get(c, "time"));
    if (dcap_case_run(buf_slice(&quote), collateral, root, now_s, &v, &err)) {
        if (strcmp(when, "1s-before-window") != 0 &&
            same_details(id, &v, reference, json_object_get(c, "intel_detail")) && gaps_fit(id, &v))
            return SAME_STATUS;
        print_error("%s: accepted as %s\n", id, tcb_status_name(v.status));
        return WRONG;
    }
    enum outcome outcome = judge_refusal(reference, when, err.code);
    if (outcome == WRONG)
        print_error("%s: reference %s, here %s: %s\n", id, reference, err.code, err.message);
    return outcome;
}

static void every_real_case_has_the_right_verdict(void **state)
{
    JSON_AUTO json_t *all = vectors_read_json("dcap/verdicts.json");
    size_t index;
    json_t *c;
    (void)state;
    json_array_foreach(json_object_get(all, "cases"), index, c)
    {
        char root_path[512];
        struct dcap_root own;
        snprintf(root_path, sizeof root_path, "dcap/real/%s/trusted_root.pem", text(c, "vector"));
        bool foreign = vectors_have(root_path);
        if (foreign)
            dcap_case_root(root_path, &own);
        char path[512];
        snprintf(path, sizeof path, "dcap/%s", text(c, "quote"));
        json_object_set_new(c, "quote", json_string(path));
        if (json_is_string(json_object_get(c, "collateral"))) {
            snprintf(path, sizeof path, "dcap/%s", text(c, "collateral"));
            json_object_set_new(c, "collateral", json_string(path));
        }
        counts[run_case(c, foreign ? &own : &intel)]++;
        if (foreign)
            dcap_root_close(&own);
    }
    for (size_t i = 0; i < OUTCOMES; i++)
        print_message("%6zu  %s\n", counts[i], outcome_names[i]);
    assert_int_equal(counts[WRONG], 0);
    assert_true(index >= 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_real_case_has_the_right_verdict)};
    vectors_require("dcap/verdicts.json");
    if (!dcap_root_open_intel(&intel, NULL))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dcap_root_close(&intel);
    return failed;
}
