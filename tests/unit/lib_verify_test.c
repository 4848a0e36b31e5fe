/* merotee/dcap.h and merotee/collateral.h with documents in hand: verdicts, empty ones, options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/lib_fixture.h"

static bool verify(struct lib_fixture *f, const struct merotee_verify_options *options,
                   int64_t now_s, struct merotee_verdict *v, struct merotee_error *err)
{
    struct merotee_collateral *c = NULL;
    bool ok = merotee_collateral_read(f->collateral_json.data, f->collateral_json.len, &c, err) &&
              merotee_dev_verify(f->root_pem.data, f->root_pem.len, f->quote.data, f->quote.len, c,
                                 options, now_s, v, err);
    merotee_collateral_free(c);
    return ok;
}

static void is_empty(const struct merotee_verdict *v)
{
    const char *what;
    uint32_t number;
    size_t len = 1;
    for (int whose = MEROTEE_STATUS_OF_ALL; whose <= MEROTEE_STATUS_OF_CURRENT; whose++)
        assert_int_equal(merotee_verdict_status(v, (enum merotee_status_of)whose),
                         MEROTEE_TCB_NONE);
    for (int field = 0; field <= MEROTEE_FIELD_COUNT; field++) {
        assert_null(merotee_verdict_field(v, (enum merotee_field)field, &len));
        assert_int_equal(len, 0);
    }
    assert_null(merotee_verdict_advisory(v, 0));
    assert_null(merotee_verdict_current_advisory(v, 0));
    assert_false(merotee_verdict_gap(v, 0, &what, &number, &number));
    assert_int_equal(merotee_verdict_tee(v), MEROTEE_TEE_NONE);
    assert_int_equal(merotee_verdict_body(v), MEROTEE_BODY_NONE);
    assert_int_equal(merotee_verdict_quote_version(v), 0);
    assert_int_equal(merotee_verdict_evaluation_number(v), 0);
    assert_int_equal(merotee_verdict_expires_s(v), 0);
    assert_int_equal(merotee_verdict_verified_at_s(v), 0);
    LIB_REFUSES("verdict/empty", merotee_verdict_check_nonce(v, "x", 1, err));
}

static void a_verdict_says_it_all(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = merotee_verdict_new();
    size_t len;
    LIB_OK(verify(f, NULL, LIB_NOW, v, err));
    assert_int_equal(merotee_verdict_status(v, MEROTEE_STATUS_OF_ALL), MEROTEE_TCB_UP_TO_DATE);
    assert_int_equal(merotee_verdict_status(v, MEROTEE_STATUS_OF_QE), MEROTEE_TCB_UP_TO_DATE);
    assert_int_equal(merotee_verdict_status(v, MEROTEE_STATUS_OF_CURRENT), MEROTEE_TCB_NONE);
    assert_string_equal(
        merotee_tcb_status_name(merotee_verdict_status(v, MEROTEE_STATUS_OF_PLATFORM)), "UpToDate");
    assert_int_equal(merotee_verdict_tee(v), MEROTEE_TEE_TDX);
    assert_int_equal(merotee_verdict_body(v), MEROTEE_BODY_TD_10);
    assert_int_equal(merotee_verdict_quote_version(v), 4);
    assert_int_equal(merotee_verdict_verified_at_s(v), LIB_NOW);
    assert_true(merotee_verdict_expires_s(v) > LIB_NOW);
    assert_true(merotee_verdict_tcb_date_s(v) > 0);
    assert_memory_equal(merotee_verdict_field(v, MEROTEE_FIELD_RTMR2, &len),
                        f->world.quote.td.rtmr[2], 48);
    assert_int_equal(len, 48);
    assert_memory_equal(merotee_verdict_field(v, MEROTEE_FIELD_FMSPC, &len),
                        f->world.pck.spec.sgx.fmspc, 6);
    assert_int_equal(len, 6);
    assert_non_null(merotee_verdict_field(v, MEROTEE_FIELD_PPID, NULL));
    assert_null(merotee_verdict_field(v, MEROTEE_FIELD_MRENCLAVE, NULL));
    assert_null(merotee_verdict_field(v, MEROTEE_FIELD_TEE_TCB_SVN2, NULL)); /* TD 1.0 */
    assert_null(merotee_verdict_field(v, MEROTEE_FIELD_NONE, NULL));
    assert_null(merotee_verdict_field(v, MEROTEE_FIELD_COUNT, NULL));
    merotee_verdict_free(v);
    merotee_verdict_free(NULL);
}

static void sgx_has_fields_of_its_own(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = merotee_verdict_new();
    const struct sim_world_options options = {.now_s = LIB_NOW, .quote_version = 3};
    sim_world_free(&f->world);
    assert_true(sim_world_create(&f->world, &options, NULL));
    lib_fixture_make(f);
    LIB_OK(verify(f, NULL, LIB_NOW, v, err));
    assert_int_equal(merotee_verdict_tee(v), MEROTEE_TEE_SGX);
    assert_memory_equal(merotee_verdict_field(v, MEROTEE_FIELD_MRENCLAVE, NULL),
                        f->world.quote.enclave.mrenclave, 32);
    assert_null(merotee_verdict_field(v, MEROTEE_FIELD_MRTD, NULL));
    assert_int_equal(merotee_verdict_isv_svn(v), f->world.quote.enclave.isvsvn);
    assert_int_equal(merotee_verdict_isv_prod_id(v), f->world.quote.enclave.isvprodid);
    assert_int_equal(merotee_verdict_misc_select(v), f->world.quote.enclave.miscselect);
    merotee_verdict_free(v);
}

static void who_is_behind_is_told_how_far(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = merotee_verdict_new();
    const char *what = NULL;
    uint32_t has = 9, needs = 0;
    for (int level = 0; level < 3; level++) /* those above OutOfDate */
        f->world.collateral.tcb_info.levels[level].pcesvn++;
    lib_fixture_make(f);
    LIB_OK(verify(f, NULL, LIB_NOW, v, err));
    assert_int_equal(merotee_verdict_status(v, MEROTEE_STATUS_OF_ALL), MEROTEE_TCB_OUT_OF_DATE);
    assert_true(merotee_verdict_gap(v, 0, &what, &has, &needs));
    assert_string_equal(what, "pcesvn");
    assert_int_equal(needs, has + 1);
    assert_false(merotee_verdict_gap(v, 1, &what, &has, &needs));
    assert_non_null(merotee_verdict_advisory(v, 0));
    assert_null(merotee_verdict_advisory(v, 1000));
    merotee_verdict_free(v);
}

static void a_failure_empties_the_verdict(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = merotee_verdict_new();
    is_empty(v);
    LIB_OK(verify(f, NULL, LIB_NOW, v, err));
    f->quote.data[200] ^= 1;
    LIB_REFUSES("signature/quote", verify(f, NULL, LIB_NOW, v, err));
    is_empty(v);
    f->quote.data[200] ^= 1;
    LIB_OK(verify(f, NULL, LIB_NOW, v, err));
    const struct merotee_verify_options bad = {.size = 1};
    LIB_REFUSES("usage", verify(f, &bad, LIB_NOW, v, err));
    is_empty(v);
    LIB_OK(verify(f, NULL, LIB_NOW, v, err));
    assert_false(verify(f, NULL, LIB_NOW + 20LL * 365 * 86400, v, NULL));
    is_empty(v);
    merotee_verdict_free(v);
}

static void only_intels_root_is_trusted(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = merotee_verdict_new();
    struct merotee_collateral *c = NULL;
    LIB_OK(merotee_collateral_read(f->collateral_json.data, f->collateral_json.len, &c, err));
    LIB_REFUSES("cert/root", merotee_verify(f->quote.data, f->quote.len, c, NULL, LIB_NOW, v, err));
    LIB_REFUSES("chain/format",
                merotee_dev_verify("x", 1, f->quote.data, f->quote.len, c, NULL, LIB_NOW, v, err));
    merotee_collateral_free(c);
    merotee_verdict_free(v);
}

static void nonces_have_1_to_64_bytes(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = merotee_verdict_new();
    uint8_t nonce[65] = {LIB_NONCE};
    LIB_OK(verify(f, NULL, LIB_NOW, v, err));
    LIB_REFUSES("usage", merotee_verdict_check_nonce(v, nonce, 0, err));
    LIB_OK(merotee_verdict_check_nonce(v, nonce, 1, err));
    LIB_OK(merotee_verdict_check_nonce(v, nonce, 64, err));
    LIB_REFUSES("usage", merotee_verdict_check_nonce(v, nonce, 65, err));
    nonce[63] = 1;
    LIB_OK(merotee_verdict_check_nonce(v, nonce, 63, err));
    LIB_REFUSES("binding/nonce", merotee_verdict_check_nonce(v, nonce, 64, err));
    merotee_verdict_free(v);
}

/* The options of a program that was compiled with a later release. */
struct later_options {
    struct merotee_verify_options known;
    uint64_t later;
};

static void options_may_be_of_another_age(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = merotee_verdict_new();
    struct later_options o = {.known = {.size = sizeof o}};
    uint32_t number = f->world.collateral.tcb_info.evaluation_number;
    LIB_OK(verify(f, &o.known, LIB_NOW, v, err));
    o.later = 1;
    LIB_REFUSES("usage", verify(f, &o.known, LIB_NOW, v, err));
    o.later = 0;
    for (size_t i = 0; i < 3; i++) {
        o.known.size = (const size_t[]){0, sizeof o.known - 1, 4097}[i];
        LIB_REFUSES("usage", verify(f, &o.known, LIB_NOW, v, err));
    }
    o.known = (struct merotee_verify_options){.size = sizeof o.known, .reserved = 1};
    LIB_REFUSES("usage", verify(f, &o.known, LIB_NOW, v, err));
    o.known.reserved = 0;
    o.known.evaluation_number_min = number;
    LIB_OK(verify(f, &o.known, LIB_NOW, v, err));
    assert_int_equal(merotee_verdict_evaluation_number(v), number);
    o.known.evaluation_number_min = number + 1;
    LIB_REFUSES("collateral/evaluation-number", verify(f, &o.known, LIB_NOW, v, err));
    merotee_verdict_free(v);
}

static void collateral_is_kept_and_written(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_collateral *c = NULL, *again = NULL;
    struct merotee_verdict *v = merotee_verdict_new();
    char *json = NULL;
    size_t len, again_len;
    LIB_OK(merotee_collateral_read(f->collateral_json.data, f->collateral_json.len, &c, err));
    LIB_OK(merotee_collateral_write(c, &json, err));
    LIB_OK(merotee_collateral_read(json, strlen(json), &again, err));
    merotee_free(json);
    for (int part = 0; part < MEROTEE_COLLATERAL_PARTS; part++) {
        const uint8_t *a = merotee_collateral_get(c, (enum merotee_collateral_part)part, &len);
        const uint8_t *b =
            merotee_collateral_get(again, (enum merotee_collateral_part)part, &again_len);
        assert_int_equal(len, again_len);
        assert_int_equal(a == NULL, part == MEROTEE_COLLATERAL_PCK_CHAIN);
        if (a != NULL)
            assert_memory_equal(a, b, len);
    }
    assert_null(merotee_collateral_get(c, MEROTEE_COLLATERAL_PARTS, &len));
    assert_int_equal(len, 0);
    merotee_collateral_free(again);
    merotee_collateral_free(c);
    merotee_collateral_free(NULL);
    merotee_verdict_free(v);
}

static void collateral_is_put_together(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_collateral *c = NULL;
    struct merotee_verdict *v = merotee_verdict_new();
    const struct sim_collateral *d = &f->documents;
    const struct {
        enum merotee_collateral_part part;
        struct slice text;
    } parts[] = {
        {MEROTEE_COLLATERAL_ROOT_CRL, buf_slice(&d->root_ca_crl)},
        {MEROTEE_COLLATERAL_PCK_CRL, buf_slice(&d->pck_crl)},
        {MEROTEE_COLLATERAL_TCB_INFO_ISSUER_CHAIN, buf_slice(&d->tcb_info_issuer_chain)},
        {MEROTEE_COLLATERAL_TCB_INFO, buf_slice(&d->tcb_info)},
        {MEROTEE_COLLATERAL_TCB_INFO_SIGNATURE, slice_str(d->tcb_info_signature)},
        {MEROTEE_COLLATERAL_QE_IDENTITY_ISSUER_CHAIN, buf_slice(&d->qe_identity_issuer_chain)},
        {MEROTEE_COLLATERAL_QE_IDENTITY, buf_slice(&d->qe_identity)},
        {MEROTEE_COLLATERAL_QE_IDENTITY_SIGNATURE, slice_str(d->qe_identity_signature)},
    };
    LIB_OK(merotee_collateral_new(&c, err));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        LIB_REFUSES("collateral/missing",
                    merotee_dev_verify(f->root_pem.data, f->root_pem.len, f->quote.data,
                                       f->quote.len, c, NULL, LIB_NOW, v, err));
        LIB_OK(
            merotee_collateral_set(c, parts[i].part, parts[i].text.data, parts[i].text.len, err));
    }
    LIB_OK(merotee_dev_verify(f->root_pem.data, f->root_pem.len, f->quote.data, f->quote.len, c,
                              NULL, LIB_NOW, v, err));
    LIB_REFUSES("collateral/format",
                merotee_collateral_set(c, MEROTEE_COLLATERAL_TCB_INFO_SIGNATURE, "00", 2, err));
    assert_null(merotee_collateral_get(c, MEROTEE_COLLATERAL_TCB_INFO_SIGNATURE, NULL));
    LIB_REFUSES("usage", merotee_collateral_set(c, MEROTEE_COLLATERAL_PARTS, "x", 1, err));
    merotee_collateral_free(c);
    c = NULL;
    LIB_REFUSES("collateral/format", merotee_collateral_read("{", 1, &c, err));
    assert_null(c);
    merotee_verdict_free(v);
}

static void a_log_is_held_against_a_verdict(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verdict *v = merotee_verdict_new();
    struct merotee_event_log *log = NULL;
    LIB_OK(merotee_event_log_read(f->log_json.data, f->log_json.len, NULL, NULL, &log, err));
    LIB_REFUSES("verdict/empty", merotee_event_log_check(log, v, 3, err));
    LIB_OK(verify(f, NULL, LIB_NOW, v, err));
    LIB_OK(merotee_event_log_check(log, v, 3, err));
    LIB_REFUSES("eventlog/register", merotee_event_log_check(log, v, 4, err));
    f->world.quote.td.rtmr[3][47] ^= 1;
    lib_fixture_make(f);
    LIB_OK(verify(f, NULL, LIB_NOW, v, err));
    LIB_REFUSES("eventlog/mismatch", merotee_event_log_check(log, v, 3, err));
    LIB_OK(merotee_event_log_check(log, v, 0, err));
    merotee_event_log_free(log);
    merotee_verdict_free(v);
}

static void statuses_have_intels_names(void **state)
{
    (void)state;
    assert_string_equal(merotee_tcb_status_name(MEROTEE_TCB_NONE), "none");
    assert_string_equal(merotee_tcb_status_name(MEROTEE_TCB_UP_TO_DATE), "UpToDate");
    assert_string_equal(
        merotee_tcb_status_name(MEROTEE_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED),
        "TDRelaunchAdvisedConfigurationNeeded");
    assert_string_equal(merotee_tcb_status_name((enum merotee_tcb_status)9), "none");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lib_fixture_set_up, lib_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_verdict_says_it_all),
        TEST(sgx_has_fields_of_its_own),
        TEST(who_is_behind_is_told_how_far),
        TEST(a_failure_empties_the_verdict),
        TEST(only_intels_root_is_trusted),
        TEST(nonces_have_1_to_64_bytes),
        TEST(options_may_be_of_another_age),
        TEST(collateral_is_kept_and_written),
        TEST(collateral_is_put_together),
        TEST(a_log_is_held_against_a_verdict),
        cmocka_unit_test(statuses_have_intels_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
