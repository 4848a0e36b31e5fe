/* Quotes and collateral of a private PKI, one fault each: accepted with the status expected, or
 * refused for the reason expected. Group "tdattr" is policy: there the verifier must accept and
 * report the attributes. Prints a table by group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/dcap_case.h"
#include "support/vectors.h"

/* Their reasons, and our codes for them. */
static const struct {
    const char *reason;
    const char *codes[6];
} reasons[] = {
    {"format", {"quote/", "signature/attestation-key", "qe/report-data", "chain/"}},
    {"qe-vendor", {"quote/vendor"}},
    {"tcb-not-supported", {"tcb/not-supported"}},
    {"tcb-revoked", {"tcb/revoked"}},
    {"tcb-info-format", {"collateral/format", "signature/tcb-info"}},
    {"tcb-info-signature", {"signature/tcb-info", "collateral/missing", "collateral/format"}},
    {"tcb-info-expired", {"collateral/expired"}},
    {"tcb-info-not-yet-valid", {"collateral/not-yet-valid"}},
    {"tcb-info-mismatch", {"collateral/mismatch", "collateral/format"}},
    {"tdx-module-mismatch", {"tcb/module"}},
    {"qe-identity-format", {"collateral/format"}},
    {"qe-identity-signature", {"signature/qe-identity"}},
    {"qe-identity-expired", {"collateral/expired"}},
    {"qe-identity-not-yet-valid", {"collateral/not-yet-valid"}},
    {"qe-identity-mismatch", {"qe/identity", "collateral/mismatch"}},
    {"qe-debug", {"qe/debug"}},
    {"qe-report-data", {"qe/report-data"}},
    {"qe-report-signature", {"signature/qe-report"}},
    {"quote-signature", {"signature/quote"}},
    {"pck-chain", {"chain/", "cert/chain", "quote/certification"}},
    {"pck-chain-order", {"cert/subject", "cert/root"}},
    {"root-untrusted", {"cert/root"}},
    {"pck-expired", {"cert/expired"}},
    {"pck-not-yet-valid", {"cert/not-yet-valid"}},
    {"pck-signature", {"cert/signature"}},
    {"pck-issuer", {"cert/issuer"}},
    {"pck-is-ca", {"cert/constraints"}},
    {"inter-not-ca", {"cert/constraints"}},
    {"pck-subject", {"cert/subject"}},
    {"inter-subject", {"cert/subject"}},
    {"pck-extension", {"cert/sgx-missing", "cert/sgx", "cert/subject"}},
    {"pck-revoked", {"cert/revoked"}},
    {"inter-revoked", {"cert/revoked"}},
    {"root-revoked", {"cert/revoked"}},
    {"tcb-signing-revoked", {"cert/revoked"}},
    {"crl-format", {"crl/format", "crl/size", "collateral/missing"}},
    {"crl-issuer", {"crl/issuer"}},
    {"crl-signature", {"crl/signature"}},
    {"crl-extensions", {"crl/extension"}},
    {"crl-expired", {"collateral/expired"}},
    {"crl-not-yet-valid", {"collateral/not-yet-valid"}},
    {"signing-subject", {"cert/subject", "cert/chain"}},
    {"signing-chain", {"chain/", "collateral/missing", "cert/chain"}},
    {"signing-expired", {"collateral/expired"}},
    {"signing-not-yet-valid", {"collateral/not-yet-valid"}},
    {"signing-signature", {"cert/signature"}},
    {"signing-is-ca", {"cert/constraints"}},
    {"signing-root", {"cert/root"}},
};

enum { GROUPS_MAX = 32 };
static struct {
    char name[32];
    size_t accepted, refused, wrong;
} groups[GROUPS_MAX];

static size_t group_index(const char *name)
{
    size_t i = 0;
    while (groups[i].name[0] != 0 && strcmp(groups[i].name, name) != 0)
        i++;
    assert_true(i + 1 < GROUPS_MAX);
    snprintf(groups[i].name, sizeof groups[i].name, "%s", name);
    return i;
}

static const char *text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool reason_fits(const char *reason, const char *code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reason, reasons[i].reason) == 0)
            return dcap_case_code_in(code, reasons[i].codes);
    return false;
}

/* What a policy decides is not the verifier's: the attributes must be there for it to see. */
static bool policy_can_see(const struct verdict *v, const char *reason)
{
    static const uint8_t sept_ve_disable = 0x10; /* bit 28 */
    if (strcmp(reason, "debug") == 0)
        return v->tee == TEE_SGX && (v->sgx_attributes[0] & 2) != 0;
    if (strcmp(reason, "service-td") == 0)
        return !slice_is_zero(slice_of(v->mrservicetd, sizeof v->mrservicetd));
    if (strcmp(reason, "td-attributes-debug") == 0)
        return (v->tdattributes[0] & 1) != 0;
    if (strcmp(reason, "td-attributes-sept-ve-disable") == 0)
        return (v->tdattributes[3] & sept_ve_disable) == 0;
    const uint8_t plain[8] = {0, 0, 0, sept_ve_disable, 0, 0, 0, 0};
    return memcmp(v->tdattributes, plain, sizeof plain) != 0;
}

static bool judge(const json_t *c, bool accepted, const struct verdict *v, const struct error *err)
{
    const char *expect = text(c, "expect");
    const char *what = strchr(expect, ':') + 1;
    if (strncmp(expect, "accept:", 7) == 0)
        return accepted && strcmp(tcb_status_name(v->status), what) == 0;
    if (strcmp(text(c, "group"), "tdattr") == 0)
        return accepted && policy_can_see(v, what);
    return !accepted && reason_fits(what, err->code);
}

static bool run_case(const json_t *c, bool *accepted)
{
    char path[512];
    BUF_AUTO struct buf quote = BUF_INIT(1 << 20);
    DCAP_ROOT_AUTO struct dcap_root root = {.key = NULL};
    struct verdict v;
    struct error err = {.code = ""};
    snprintf(path, sizeof path, "dcap/synthetic/%s/quote.bin", text(c, "id"));
    vectors_read(path, &quote);
    snprintf(path, sizeof path, "dcap/synthetic/%s/root.pem", text(c, "id"));
    dcap_case_root(path, &root);
    snprintf(path, sizeof path, "dcap/synthetic/%s/collateral.json", text(c, "id"));
    JSON_AUTO json_t *collateral = vectors_read_json(path);
    int64_t now_s = json_integer_value(json_object_get(c, "time"));
    *accepted = dcap_case_run(buf_slice(&quote), collateral, &root, now_s, &v, &err);
    if (judge(c, *accepted, &v, &err))
        return true;
    print_error("%s (%s): expected %s, got %s: %s\n", text(c, "id"), text(c, "desc"),
                text(c, "expect"), *accepted ? tcb_status_name(v.status) : err.code,
                *accepted ? "" : err.message);
    return false;
}

static void every_case_is_judged_as_expected(void **state)
{
    JSON_AUTO json_t *all = vectors_read_json("dcap/synthetic/cases.json");
    size_t index, wrong = 0;
    json_t *c;
    (void)state;
    json_array_foreach(all, index, c)
    {
        bool accepted = false;
        size_t g = group_index(text(c, "group"));
        if (!run_case(c, &accepted))
            groups[g].wrong++;
        else if (accepted)
            groups[g].accepted++;
        else
            groups[g].refused++;
    }
    print_message("group        accepted refused   wrong\n");
    for (size_t i = 0; groups[i].name[0] != 0; i++) {
        print_message("%-12s %8zu %7zu %7zu\n", groups[i].name, groups[i].accepted,
                      groups[i].refused, groups[i].wrong);
        wrong += groups[i].wrong;
    }
    assert_int_equal(wrong, 0);
    assert_true(index >= 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case_is_judged_as_expected)};
    vectors_require("dcap/synthetic/cases.json");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
