/* The verifier that programs hold, against a collateral service on a real socket: what is fetched,
 * kept, shared and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "dcap/fetch.h"
#include "dcap/verifier.h"
#include "sim/world.h"
#include "support/fake_pcs.h"

enum { DAY_IN_S = 86400 };
static const int64_t NOW = 1767225600 + 12 * 3600; /* 2026-01-01T12:00:00Z */

/* A world, its collateral, a service that serves it, a directory. */
struct fixture {
    struct sim_world world;
    struct sim_collateral collateral;
    struct fake_pcs pcs;
    struct buf quote;
    char dir[64], cache[96], root[96];
    unsigned warnings;
    char last_warning[64];
};

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct error why = {.code = "?"};                                                          \
        struct error *err = &why;                                                                  \
        if (!(call))                                                                               \
            fail_msg("%s: %s", why.code, why.message);                                             \
    } while (0)

static void on_warning(void *context, const char *code, const char *message)
{
    struct fixture *f = context;
    (void)message;
    f->warnings++;
    snprintf(f->last_warning, sizeof f->last_warning, "%s", code);
}

static void make_collateral(struct fixture *f, struct sim_collateral *out)
{
    OK(sim_collateral_make(&f->world.pki, &f->world.collateral, out, err));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    static const uint8_t report_data[64] = {7};
    assert_non_null(f);
    OK(sim_world_create(&f->world, &(struct sim_world_options){.now_s = NOW}, err));
    make_collateral(f, &f->collateral);
    f->quote = BUF_INIT(1 << 16);
    OK(sim_world_quote(&f->world, report_data, &f->quote, err));
    fake_pcs_start(&f->pcs, &f->collateral);
    snprintf(f->dir, sizeof f->dir, "/tmp/dcap-verifier-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->cache, sizeof f->cache, "%s/cache", f->dir);
    snprintf(f->root, sizeof f->root, "%s/root.pem", f->dir);
    BUF_AUTO struct buf pem = BUF_INIT(1 << 16);
    OK(sim_world_root_pem(&f->world, &pem, err));
    OK(file_write_atomic(f->root, buf_slice(&pem), 0600, err));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fake_pcs_stop(&f->pcs);
    sim_collateral_free(&f->collateral);
    sim_world_free(&f->world);
    buf_free(&f->quote);
    OK(file_remove_tree(f->dir, err));
    free(f);
    return 0;
}

static struct dcap_verifier_options options_of(struct fixture *f)
{
    return (struct dcap_verifier_options){.endpoints = {f->pcs.base},
                                          .endpoint_count = 1,
                                          .timeout_ms = 2000,
                                          .budget_ms = 4000,
                                          .notices = {on_warning, f},
                                          .root_pem_path = f->root};
}

static struct dcap_verifier *open_with(const struct dcap_verifier_options *options)
{
    struct dcap_verifier *v = NULL;
    OK(dcap_verifier_open(options, &v, err));
    return v;
}

static struct dcap_verifier *open_plain(struct fixture *f)
{
    struct dcap_verifier_options options = options_of(f);
    return open_with(&options);
}

static struct dcap_verifier *open_cached(struct fixture *f, bool offline)
{
    struct dcap_verifier_options options = options_of(f);
    options.cache_dir = f->cache;
    options.offline = offline;
    return open_with(&options);
}

static void accepts(struct dcap_verifier *v, struct fixture *f, int64_t now_s)
{
    struct verdict verdict;
    OK(dcap_verifier_check(v, buf_slice(&f->quote), now_s, &verdict, err));
    assert_int_equal(verdict.status, TCB_UP_TO_DATE);
    assert_int_equal(verdict.verified_at_s, now_s);
    assert_int_equal(verdict.report_data[0], 7);
}

static void refuses(struct dcap_verifier *v, struct slice quote, int64_t now_s, const char *code)
{
    struct verdict verdict;
    struct error err = {.code = "none"};
    memset(&verdict, 0x5a, sizeof verdict);
    if (dcap_verifier_check(v, quote, now_s, &verdict, &err))
        fail_msg("accepted, %s was expected", code);
    if (strcmp(err.code, code) != 0)
        fail_msg("%s was expected, not %s: %s", code, err.code, err.message);
    for (size_t i = 0; i < sizeof verdict; i++)
        assert_int_equal(((const uint8_t *)&verdict)[i], 0x5a);
}

static void fetches_once_and_judges_many(void **state)
{
    struct fixture *f = *state;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    accepts(v, f, NOW);
    assert_int_equal(fake_pcs_count(&f->pcs), DOCUMENT_KINDS);
    assert_int_equal(strlen(f->pcs.last_fmspc), 12);
    for (int i = 0; i < 10; i++)
        accepts(v, f, NOW + i);
    assert_int_equal(fake_pcs_count(&f->pcs), 0);
    assert_int_equal(f->warnings, 0);
}

static void judges_every_kind_of_quote(void **state)
{
    static const struct {
        uint16_t version;
        enum sim_body body;
        bool processor;
    } kinds[] = {
        {3, SIM_BODY_SGX, false},   {3, SIM_BODY_SGX, true},       {4, SIM_BODY_SGX, false},
        {4, SIM_BODY_TD_10, true},  {5, SIM_BODY_SGX, false},      {5, SIM_BODY_TD_10, false},
        {5, SIM_BODY_TD_15, false}, {5, SIM_BODY_TD_15_EX, false},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        SIM_WORLD_AUTO struct sim_world w = {0};
        SIM_COLLATERAL_AUTO struct sim_collateral c = {0};
        BUF_AUTO struct buf quote = BUF_INIT(1 << 16);
        struct verdict verdict;
        const uint8_t report_data[64] = {(uint8_t)i};
        OK(sim_world_create(&w,
                            &(struct sim_world_options){.now_s = NOW,
                                                        .quote_version = kinds[i].version,
                                                        .body = kinds[i].body,
                                                        .processor_ca = kinds[i].processor},
                            err));
        OK(sim_collateral_make(&w.pki, &w.collateral, &c, err));
        OK(sim_world_quote(&w, report_data, &quote, err));
        fake_pcs_serve(&f->pcs, &c);
        DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
        OK(dcap_verifier_check(v, buf_slice(&quote), NOW, &verdict, err));
        assert_int_equal(verdict.status, TCB_UP_TO_DATE);
        assert_int_equal(verdict.quote_version, kinds[i].version);
        assert_int_equal(verdict.body_type, kinds[i].body);
        assert_int_equal(verdict.report_data[0], i);
    }
}

static void takes_crls_in_every_form(void **state)
{
    struct fixture *f = *state;
    for (enum fake_pcs_crl form = FAKE_CRL_DER; form <= FAKE_CRL_PEM; form++) {
        f->pcs.crl = form;
        DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
        accepts(v, f, NOW);
    }
}

static void asks_nobody_about_forgeries(void **state)
{
    struct fixture *f = *state;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    f->quote.data[200] ^= 1;
    refuses(v, buf_slice(&f->quote), NOW, "signature/quote");
    f->quote.data[200] ^= 1;
    refuses(v, slice_cut(buf_slice(&f->quote), 0, 700), NOW, "quote/truncated");
    refuses(v, buf_slice(&f->quote), NOW + 20LL * 365 * DAY_IN_S, "cert/expired");
    assert_int_equal(fake_pcs_count(&f->pcs), 0);
    accepts(v, f, NOW);
}

static void a_known_attester_is_not_believed_more(void **state)
{
    struct fixture *f = *state;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    accepts(v, f, NOW);
    for (size_t at = 0; at < sim_quote_signed_len(&f->world.quote); at += 37) {
        f->quote.data[at] ^= 1;
        struct verdict verdict;
        assert_false(dcap_verifier_check(v, buf_slice(&f->quote), NOW, &verdict, NULL));
        f->quote.data[at] ^= 1;
    }
    accepts(v, f, NOW);
    /* The QE report is part of what the attester is known by. */
    f->world.quote.broken_qe_signature = true;
    f->quote.len = 0;
    static const uint8_t report_data[64] = {7};
    OK(sim_world_quote(&f->world, report_data, &f->quote, err));
    refuses(v, buf_slice(&f->quote), NOW, "signature/qe-report");
}

static void goes_on_to_the_next_endpoint(void **state)
{
    struct fixture *f = *state;
    struct dcap_verifier_options options = options_of(f);
    struct fake_pcs bad;
    fake_pcs_start(&bad, &f->collateral);
    options.endpoints[0] = "http://127.0.0.1:9"; /* nobody */
    options.endpoints[1] = bad.base;
    options.endpoints[2] = f->pcs.base;
    options.endpoint_count = 3;
    for (size_t kind = 0; kind < DOCUMENT_KINDS; kind++) {
        static const struct fake_pcs_manner manners[] = {
            {.status = 404},
            {.status = 500},
            {.body = "{"},
            {.body = "{\"tcbInfo\":{},\"signature\":\"00\"}"},
            {.oversize = COLLATERAL_DOCUMENT_MAX + 1},
            {.status = 429, .retry_after_s = 600},
        };
        for (size_t m = 0; m < sizeof manners / sizeof manners[0]; m++) {
            memset(bad.manner, 0, sizeof bad.manner);
            bad.manner[kind] = manners[m];
            DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_with(&options);
            accepts(v, f, NOW);
            assert_true(f->warnings > 0);
        }
    }
    fake_pcs_stop(&bad);
}

static void says_why_there_is_no_collateral(void **state)
{
    struct fixture *f = *state;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    struct fake_pcs_manner *tcb = &f->pcs.manner[DOCUMENT_TCB_INFO];
    *tcb = (struct fake_pcs_manner){.status = 503};
    refuses(v, buf_slice(&f->quote), NOW, "collateral/unreachable");
    *tcb = (struct fake_pcs_manner){.oversize = COLLATERAL_DOCUMENT_MAX + 1};
    refuses(v, buf_slice(&f->quote), NOW, "collateral/unreachable");
    *tcb = (struct fake_pcs_manner){.oversize = COLLATERAL_DOCUMENT_MAX};
    refuses(v, buf_slice(&f->quote), NOW, "collateral/format");
    *tcb = (struct fake_pcs_manner){.no_chain = true};
    refuses(v, buf_slice(&f->quote), NOW, "collateral/format");
    *tcb = (struct fake_pcs_manner){.body = "{\"tcbInfo\":{},\"signature\":\"zz\"}"};
    refuses(v, buf_slice(&f->quote), NOW, "collateral/format");
    *tcb = (struct fake_pcs_manner){0};
    refuses(v, buf_slice(&f->quote), NOW + 40 * DAY_IN_S, "collateral/expired");
    refuses(v, buf_slice(&f->quote), NOW - 2 * DAY_IN_S, "collateral/not-yet-valid");
    f->pcs.manner[DOCUMENT_PCK_CRL].no_chain = true;
    accepts(v, f, NOW);
}

static void keeps_to_its_budget(void **state)
{
    struct fixture *f = *state;
    struct dcap_verifier_options options = options_of(f);
    options.timeout_ms = 200;
    options.budget_ms = 300;
    for (size_t kind = 0; kind < DOCUMENT_KINDS; kind++)
        f->pcs.manner[kind].delay_ms = 1000;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_with(&options);
    int64_t start = clock_monotonic_ms();
    refuses(v, buf_slice(&f->quote), NOW, "collateral/unreachable");
    assert_true(clock_monotonic_ms() - start < 900);
}

static void waits_as_long_as_asked(void **state)
{
    struct fixture *f = *state;
    f->pcs.manner[DOCUMENT_QE_IDENTITY] =
        (struct fake_pcs_manner){.status = 429, .first = 1, .retry_after_s = 1};
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    int64_t start = clock_monotonic_ms();
    accepts(v, f, NOW);
    assert_true(clock_monotonic_ms() - start >= 900);
    assert_int_equal(fake_pcs_count(&f->pcs), DOCUMENT_KINDS + 1);
}

static void does_not_wait_longer_than_its_budget(void **state)
{
    struct fixture *f = *state;
    f->pcs.manner[DOCUMENT_TCB_INFO] =
        (struct fake_pcs_manner){.status = 503, .first = 1, .retry_after_s = 60};
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    int64_t start = clock_monotonic_ms();
    refuses(v, buf_slice(&f->quote), NOW, "collateral/unreachable");
    /* It was asked to be left alone, so it is. */
    refuses(v, buf_slice(&f->quote), NOW, "collateral/unreachable");
    assert_int_equal(fake_pcs_count(&f->pcs), 1);
    assert_true(clock_monotonic_ms() - start < 500);
}

static void a_disk_serves_the_next_process(void **state)
{
    struct fixture *f = *state;
    struct dcap_verifier *v = open_cached(f, true);
    refuses(v, buf_slice(&f->quote), NOW, "collateral/missing");
    dcap_verifier_close(&v);
    v = open_cached(f, false);
    accepts(v, f, NOW);
    dcap_verifier_close(&v);
    struct stat info;
    assert_int_equal(stat(f->cache, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    fake_pcs_count(&f->pcs);
    v = open_cached(f, true);
    accepts(v, f, NOW);
    refuses(v, buf_slice(&f->quote), NOW + 40 * DAY_IN_S, "collateral/expired");
    accepts(v, f, NOW);
    dcap_verifier_close(&v);
    assert_int_equal(fake_pcs_count(&f->pcs), 0);
    OK(dcap_cache_forget(f->cache, err));
    v = open_cached(f, true);
    refuses(v, buf_slice(&f->quote), NOW, "collateral/missing");
    dcap_verifier_close(&v);
    OK(dcap_cache_forget("/nonexistent/cache", err));
    assert_int_equal(f->warnings, 0);
}

static void damage_on_disk_counts_as_nothing(void **state)
{
    struct fixture *f = *state;
    char path[160];
    struct dcap_verifier *v = open_cached(f, false);
    accepts(v, f, NOW);
    dcap_verifier_close(&v);
    snprintf(path, sizeof path, "%s/qe-identity-tdx.json", f->cache);
    BUF_AUTO struct buf text = BUF_INIT(1 << 20);
    OK(file_read(path, &text, err));
    for (size_t at = 0; at < text.len; at += text.len / 40) {
        text.data[at] ^= 0x15;
        OK(file_write_atomic(path, buf_slice(&text), 0600, err));
        text.data[at] ^= 0x15;
        f->warnings = 0;
        fake_pcs_count(&f->pcs);
        v = open_cached(f, false);
        accepts(v, f, NOW);
        dcap_verifier_close(&v);
        assert_int_equal(f->warnings, 1);
        assert_string_equal(f->last_warning, "cache/unreadable");
        assert_int_equal(fake_pcs_count(&f->pcs), 1);
    }
    f->warnings = 0;
    OK(file_write_atomic(path, slice_cut(buf_slice(&text), 0, text.len / 2), 0600, err));
    v = open_cached(f, true);
    refuses(v, buf_slice(&f->quote), NOW, "collateral/missing");
    dcap_verifier_close(&v);
    assert_int_equal(f->warnings, 1);
}

static void a_disk_that_cannot_be_written_is_a_warning(void **state)
{
    struct fixture *f = *state;
    char path[160];
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_cached(f, false);
    snprintf(path, sizeof path, "%s/root-crl.json", f->cache);
    assert_int_equal(mkdir(path, 0700), 0);
    accepts(v, f, NOW);
    assert_true(f->warnings >= 1);
    assert_string_equal(f->last_warning, "cache/unwritable");
}

/* What makes a document of a later day older than one seen before. */
static void served_older(struct fixture *f, void (*age)(struct sim_collateral_spec *spec),
                         const char *code)
{
    const int64_t later = NOW + 35 * DAY_IN_S; /* what was fetched first has expired by then */
    struct sim_collateral_spec today = f->world.collateral;
    struct dcap_verifier *v = open_cached(f, false);
    accepts(v, f, NOW);
    sim_tcb_info_defaults(&f->world.collateral.tcb_info, true, today.tcb_info.fmspc, later);
    sim_qe_identity_defaults(&f->world.collateral.qe_identity, true, later);
    f->world.collateral.root_crl.next_update_s += 400LL * DAY_IN_S;
    f->world.collateral.pck_crl.this_update_s = later;
    f->world.collateral.pck_crl.next_update_s = later + DAY_IN_S;
    age(&f->world.collateral);
    SIM_COLLATERAL_AUTO struct sim_collateral old = {0};
    make_collateral(f, &old);
    fake_pcs_serve(&f->pcs, &old);
    if (code != NULL)
        refuses(v, buf_slice(&f->quote), later, code);
    else
        accepts(v, f, later);
    dcap_verifier_close(&v);
    /* The disk remembers as well as the memory does. */
    v = open_cached(f, false);
    if (code != NULL)
        refuses(v, buf_slice(&f->quote), later, code);
    dcap_verifier_close(&v);
    OK(dcap_cache_forget(f->cache, err));
    v = open_cached(f, false);
    accepts(v, f, later);
    dcap_verifier_close(&v);
    OK(dcap_cache_forget(f->cache, err));
    f->world.collateral = today;
    fake_pcs_serve(&f->pcs, &f->collateral);
}

static void not_at_all(struct sim_collateral_spec *spec)
{
    (void)spec;
}

static void lower_tcb_number(struct sim_collateral_spec *spec)
{
    spec->tcb_info.evaluation_number--;
}

static void lower_qe_number(struct sim_collateral_spec *spec)
{
    spec->qe_identity.evaluation_number--;
}

static void earlier_tcb_issue(struct sim_collateral_spec *spec)
{
    spec->tcb_info.issue_s = NOW - 3 * DAY_IN_S;
}

static void higher_number_but_earlier(struct sim_collateral_spec *spec)
{
    spec->tcb_info.evaluation_number++;
    spec->tcb_info.issue_s = NOW - 3 * DAY_IN_S;
}

static void earlier_qe_issue(struct sim_collateral_spec *spec)
{
    spec->qe_identity.issue_s = NOW - 3 * DAY_IN_S;
}

static void earlier_pck_crl(struct sim_collateral_spec *spec)
{
    spec->pck_crl.this_update_s = NOW - 3 * DAY_IN_S;
}

static void nothing_older_replaces_what_is_known(void **state)
{
    struct fixture *f = *state;
    served_older(f, not_at_all, NULL);
    served_older(f, lower_tcb_number, "collateral/older");
    served_older(f, lower_qe_number, "collateral/older");
    served_older(f, earlier_tcb_issue, "collateral/older");
    served_older(f, earlier_qe_issue, "collateral/older");
    served_older(f, earlier_pck_crl, "collateral/older");
    served_older(f, higher_number_but_earlier, NULL);
}

static void refresh_brings_revocation(void **state)
{
    struct fixture *f = *state;
    SIM_COLLATERAL_AUTO struct sim_collateral newer = {0};
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    accepts(v, f, NOW);
    OK(sim_crl_revoke(&f->world.collateral.pck_crl, &f->world.pck.spec.serial, err));
    f->world.collateral.pck_crl.this_update_s += 60;
    make_collateral(f, &newer);
    fake_pcs_serve(&f->pcs, &newer);
    accepts(v, f, NOW); /* what is held still counts */
    OK(dcap_verifier_refresh(v, NOW, err));
    refuses(v, buf_slice(&f->quote), NOW, "cert/revoked");
    fake_pcs_serve(&f->pcs, &f->collateral); /* the one without the entry is older now */
    struct error err = {.code = NULL};
    assert_true(dcap_verifier_refresh(v, NOW, &err));
    assert_string_equal(f->last_warning, "collateral/refused");
    refuses(v, buf_slice(&f->quote), NOW, "cert/revoked");
}

static void refresh_keeps_what_it_cannot_replace(void **state)
{
    struct fixture *f = *state;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    accepts(v, f, NOW);
    for (size_t kind = 0; kind < DOCUMENT_KINDS; kind++)
        f->pcs.manner[kind].status = 500;
    assert_true(dcap_verifier_refresh(v, NOW, NULL));
    assert_true(f->warnings > 0);
    accepts(v, f, NOW);
    assert_false(dcap_verifier_refresh(v, NOW + 40 * DAY_IN_S, NULL));
    accepts(v, f, NOW);
}

static void a_thread_refreshes(void **state)
{
    struct fixture *f = *state;
    struct dcap_verifier_options options = options_of(f);
    options.refresh_s = 1;
    clock_dev_set(NOW);
    struct dcap_verifier *v = open_with(&options);
    accepts(v, f, NOW);
    assert_int_equal(fake_pcs_count(&f->pcs), DOCUMENT_KINDS);
    int64_t start = clock_monotonic_ms();
    unsigned asked = 0;
    while (asked < DOCUMENT_KINDS && clock_monotonic_ms() - start < 5000) {
        accepts(v, f, NOW);
        asked += fake_pcs_count(&f->pcs);
    }
    assert_true(asked >= DOCUMENT_KINDS);
    assert_true(clock_monotonic_ms() - start >= 800);
    /* Closing does not wait for a service that hangs. */
    for (size_t kind = 0; kind < DOCUMENT_KINDS; kind++)
        f->pcs.manner[kind].delay_ms = 1500;
    while (fake_pcs_count(&f->pcs) == 0 && clock_monotonic_ms() - start < 10000)
        accepts(v, f, NOW);
    start = clock_monotonic_ms();
    dcap_verifier_close(&v);
    assert_true(clock_monotonic_ms() - start < 1000);
}

static void says_how_long_it_lasts(void **state)
{
    struct fixture *f = *state;
    struct dcap_verifier_status status;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    dcap_verifier_status(v, &status);
    assert_int_equal(status.platforms, 0);
    assert_int_equal(status.tcb_info_expiry_s, 0);
    accepts(v, f, NOW);
    dcap_verifier_status(v, &status);
    assert_int_equal(status.platforms, 1);
    const struct sim_collateral_spec *spec = &f->world.collateral;
    assert_int_equal(status.tcb_info_expiry_s, spec->tcb_info.next_update_s);
    assert_int_equal(status.qe_identity_expiry_s, spec->qe_identity.next_update_s);
    assert_int_equal(status.pck_crl_expiry_s, spec->pck_crl.next_update_s);
    assert_int_equal(status.root_crl_expiry_s, spec->root_crl.next_update_s);
}

static void warns_of_the_next_judgement(void **state)
{
    struct fixture *f = *state;
    SIM_COLLATERAL_AUTO struct sim_collateral early = {0};
    struct verdict verdict;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_cached(f, false);
    accepts(v, f, NOW);
    f->world.collateral.tcb_info.evaluation_number++;
    f->world.collateral.tcb_info.levels[0].status = "OutOfDate";
    make_collateral(f, &early);
    f->pcs.early = &early;
    OK(dcap_verifier_check_early(v, buf_slice(&f->quote), NOW, &verdict, err));
    assert_int_equal(verdict.status, TCB_OUT_OF_DATE);
    accepts(v, f, NOW); /* and changes nothing */
    fake_pcs_count(&f->pcs);
    OK(dcap_verifier_check_early(v, buf_slice(&f->quote), NOW, &verdict, err));
    assert_int_equal(fake_pcs_count(&f->pcs), 0);
    f->quote.data[200] ^= 1;
    assert_false(dcap_verifier_check_early(v, buf_slice(&f->quote), NOW, &verdict, NULL));
}

static void hands_out_the_bundle(void **state)
{
    struct fixture *f = *state;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    COLLATERAL_AUTO struct collateral bundle, wanted, back;
    BUF_AUTO struct buf json = BUF_INIT(1 << 20);
    OK(dcap_verifier_collateral(v, buf_slice(&f->quote), NOW, &bundle, err));
    fake_pcs_collateral(&f->collateral, &wanted);
    OK(collateral_write(&bundle, &json, err));
    OK(collateral_read(buf_slice(&json), &back, err));
    for (size_t i = 0; i < COLLATERAL_PARTS; i++) {
        assert_true(slice_equal(buf_slice(&bundle.part[i]), buf_slice(&wanted.part[i])));
        assert_true(slice_equal(buf_slice(&back.part[i]), buf_slice(&wanted.part[i])));
    }
}

static void has_a_floor(void **state)
{
    struct fixture *f = *state;
    for (uint32_t floor = SIM_EVALUATION_NUMBER - 1; floor <= SIM_EVALUATION_NUMBER + 1; floor++) {
        struct dcap_verifier_options options = options_of(f);
        options.evaluation_number_min = floor;
        DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_with(&options);
        if (floor <= SIM_EVALUATION_NUMBER)
            accepts(v, f, NOW);
        else
            refuses(v, buf_slice(&f->quote), NOW, "collateral/evaluation-number");
    }
}

struct job {
    struct dcap_verifier *v;
    struct slice quote;
    bool ok;
    char code[64];
    int64_t took_ms;
};

static void *run_job(void *arg)
{
    struct job *job = arg;
    struct verdict verdict;
    struct error err = {.code = ""};
    int64_t start = clock_monotonic_ms();
    job->ok = dcap_verifier_check(job->v, job->quote, NOW, &verdict, &err);
    snprintf(job->code, sizeof job->code, "%s", job->ok ? "" : err.code);
    job->took_ms = clock_monotonic_ms() - start;
    return NULL;
}

enum { JOBS = 8 };

static void run_jobs(struct fixture *f, struct dcap_verifier *v, struct job jobs[JOBS])
{
    pthread_t threads[JOBS];
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.v = v, .quote = buf_slice(&f->quote)};
        assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
    }
    for (size_t i = 0; i < JOBS; i++)
        pthread_join(threads[i], NULL);
}

static void one_thread_fetches_for_all(void **state)
{
    struct fixture *f = *state;
    struct job jobs[JOBS];
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    for (size_t kind = 0; kind < DOCUMENT_KINDS; kind++)
        f->pcs.manner[kind].delay_ms = 50;
    run_jobs(f, v, jobs);
    for (size_t i = 0; i < JOBS; i++)
        assert_true(jobs[i].ok);
    assert_int_equal(fake_pcs_count(&f->pcs), DOCUMENT_KINDS);
}

static void one_failure_is_everybodys(void **state)
{
    struct fixture *f = *state;
    struct job jobs[JOBS];
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    f->pcs.manner[DOCUMENT_TCB_INFO] = (struct fake_pcs_manner){.status = 500, .delay_ms = 300};
    int64_t start = clock_monotonic_ms();
    run_jobs(f, v, jobs);
    for (size_t i = 0; i < JOBS; i++) {
        assert_false(jobs[i].ok);
        assert_string_equal(jobs[i].code, "collateral/unreachable");
    }
    assert_true(clock_monotonic_ms() - start < 300 * JOBS / 2);
    f->pcs.manner[DOCUMENT_TCB_INFO] = (struct fake_pcs_manner){0};
    accepts(v, f, NOW);
}

static void who_has_collateral_does_not_wait(void **state)
{
    struct fixture *f = *state;
    SIM_WORLD_AUTO struct sim_world other = {0};
    BUF_AUTO struct buf quote = BUF_INIT(1 << 16);
    static const uint8_t report_data[64] = {7};
    struct verdict verdict;
    pthread_t thread;
    /* Another model of the same root: its TCB info is not what the service has. */
    OK(sim_world_create(&other, &(struct sim_world_options){.now_s = NOW}, err));
    other.pck.spec.sgx.fmspc[5] ^= 1;
    OK(sim_issue(&other.pck, err));
    OK(sim_world_quote(&other, report_data, &quote, err));
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_plain(f);
    accepts(v, f, NOW);
    f->pcs.manner[DOCUMENT_TCB_INFO].delay_ms = 700;
    struct job job = {.v = v, .quote = buf_slice(&quote)};
    assert_int_equal(pthread_create(&thread, NULL, run_job, &job), 0);
    int64_t start = clock_monotonic_ms();
    while (clock_monotonic_ms() - start < 300) /* the other one is waiting for its answer */
        OK(dcap_verifier_check(v, buf_slice(&f->quote), NOW, &verdict, err));
    pthread_join(thread, NULL);
    assert_false(job.ok);
    assert_string_equal(job.code, "collateral/mismatch");
    assert_true(job.took_ms >= 600);
}

static void is_told_to_stop(void **state)
{
    struct fixture *f = *state;
    atomic_bool stop = true;
    struct dcap_verifier_options options = options_of(f);
    options.cancel = &stop;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_with(&options);
    refuses(v, buf_slice(&f->quote), NOW, "collateral/unreachable");
    atomic_store(&stop, false);
    accepts(v, f, NOW);
}

static void knows_where_documents_are(void **state)
{
    static const uint8_t fmspc[6] = {0xb0, 0xc0, 0x6f, 0, 0, 0};
    static const struct {
        const char *base, *kept;
        struct document_key key;
        const char *url;
    } cases[] = {
        {"https://api.trustedservices.intel.com",
         "https://api.trustedservices.intel.com",
         {.kind = DOCUMENT_TCB_INFO, .tee = TEE_TDX},
         "https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=b0c06f000000"},
        {"https://api.trustedservices.intel.com/",
         "https://api.trustedservices.intel.com",
         {.kind = DOCUMENT_TCB_INFO, .tee = TEE_SGX, .early = true},
         "https://api.trustedservices.intel.com/sgx/certification/v4/"
         "tcb?fmspc=b0c06f000000&update=early"},
        {"https://api.trustedservices.intel.com",
         "https://api.trustedservices.intel.com",
         {.kind = DOCUMENT_ROOT_CRL},
         "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"},
        {"https://API.trustedservices.intel.com:443/",
         "https://API.trustedservices.intel.com:443",
         {.kind = DOCUMENT_ROOT_CRL},
         "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"},
        {"https://api.trustedservices.intel.com.example.org",
         "https://api.trustedservices.intel.com.example.org",
         {.kind = DOCUMENT_ROOT_CRL},
         "https://api.trustedservices.intel.com.example.org/sgx/certification/v4/rootcacrl"},
        {"https://pccs.example.org:8081/sgx/certification/v4/",
         "https://pccs.example.org:8081",
         {.kind = DOCUMENT_QE_IDENTITY, .tee = TEE_TDX},
         "https://pccs.example.org:8081/tdx/certification/v4/qe/identity"},
        {"http://[::1]:81/intel//",
         "http://[::1]:81/intel",
         {.kind = DOCUMENT_PCK_CRL, .ca = PCK_CA_PROCESSOR},
         "http://[::1]:81/intel/sgx/certification/v4/pckcrl?ca=processor&encoding=der"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fetch_endpoint e;
        struct document_key key = cases[i].key;
        BUF_AUTO struct buf url = BUF_INIT(1024);
        memcpy(key.fmspc, fmspc, sizeof fmspc);
        OK(fetch_endpoint_open(cases[i].base, &e, err));
        assert_string_equal(e.base, cases[i].kept);
        OK(fetch_url(e.base, &key, &url, err));
        assert_string_equal(buf_cstr(&url), cases[i].url);
        fetch_endpoint_close(&e);
    }
    static const char *const bad[] = {
        "", "pccs", "ftp://pccs", "https://", "https://pccs/?a=b", "https://u:hush@pccs"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fetch_endpoint e;
        struct error err = {.code = ""};
        assert_false(fetch_endpoint_open(bad[i], &e, &err));
        assert_string_equal(err.code, "config/collateral-url");
        assert_null(strstr(err.message, "hush"));
        assert_null(strstr(err.field, "hush"));
    }
}

static void refuses_bad_options(void **state)
{
    struct fixture *f = *state;
    struct dcap_verifier *v = NULL;
    struct dcap_verifier_options options = options_of(f);
    options.endpoints[0] = "nonsense";
    assert_false(dcap_verifier_open(&options, &v, NULL));
    options = options_of(f);
    options.root_pem_path = "/nonexistent/root.pem";
    assert_false(dcap_verifier_open(&options, &v, NULL));
    options = options_of(f);
    options.cache_dir = f->root; /* a file */
    assert_false(dcap_verifier_open(&options, &v, NULL));
    options = options_of(f);
    options.endpoint_count = DCAP_ENDPOINTS_MAX + 1;
    assert_false(dcap_verifier_open(&options, &v, NULL));
    assert_null(v);
}

static void trusts_intel_unless_told(void **state)
{
    struct fixture *f = *state;
    struct dcap_verifier_options options = options_of(f);
    options.root_pem_path = NULL;
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = open_with(&options);
    refuses(v, buf_slice(&f->quote), NOW, "cert/root");
    assert_int_equal(fake_pcs_count(&f->pcs), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fetches_once_and_judges_many),
        TEST(judges_every_kind_of_quote),
        TEST(takes_crls_in_every_form),
        TEST(asks_nobody_about_forgeries),
        TEST(a_known_attester_is_not_believed_more),
        TEST(goes_on_to_the_next_endpoint),
        TEST(says_why_there_is_no_collateral),
        TEST(keeps_to_its_budget),
        TEST(waits_as_long_as_asked),
        TEST(does_not_wait_longer_than_its_budget),
        TEST(a_disk_serves_the_next_process),
        TEST(damage_on_disk_counts_as_nothing),
        TEST(a_disk_that_cannot_be_written_is_a_warning),
        TEST(nothing_older_replaces_what_is_known),
        TEST(refresh_brings_revocation),
        TEST(refresh_keeps_what_it_cannot_replace),
        TEST(a_thread_refreshes),
        TEST(says_how_long_it_lasts),
        TEST(warns_of_the_next_judgement),
        TEST(hands_out_the_bundle),
        TEST(has_a_floor),
        TEST(one_thread_fetches_for_all),
        TEST(one_failure_is_everybodys),
        TEST(who_has_collateral_does_not_wait),
        TEST(is_told_to_stop),
        cmocka_unit_test(knows_where_documents_are),
        TEST(refuses_bad_options),
        TEST(trusts_intel_unless_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
