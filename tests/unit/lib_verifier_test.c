/* merotee/dcap.h: the verifier that fetches and remembers, from one thread and from many. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/lib_fixture.h"

enum { DAY_IN_S = 86400, EXPIRED_IN_S = 40 * DAY_IN_S };

static struct merotee_verifier_options options_of(const char *const *endpoint)
{
    return (struct merotee_verifier_options){.size = sizeof(struct merotee_verifier_options),
                                             .endpoints = endpoint,
                                             .endpoint_count = 1,
                                             .timeout_ms = 2000,
                                             .budget_ms = 4000};
}

static struct merotee_verifier *open_with(struct lib_fixture *f,
                                          const struct merotee_verifier_options *options)
{
    struct merotee_verifier *v = NULL;
    LIB_OK(merotee_dev_verifier_open(f->root_path, options, &v, err));
    return v;
}

static struct merotee_verifier *open_plain(struct lib_fixture *f)
{
    const char *base = f->pcs.base;
    struct merotee_verifier_options options = options_of(&base);
    return open_with(f, &options);
}

static struct merotee_verifier *open_cached(struct lib_fixture *f, uint32_t offline)
{
    const char *base = f->pcs.base;
    struct merotee_verifier_options options = options_of(&base);
    options.cache_dir = f->cache;
    options.offline = offline;
    return open_with(f, &options);
}

static bool check(struct lib_fixture *f, struct merotee_verifier *v, int64_t now_s,
                  struct merotee_error *err)
{
    struct merotee_verdict *verdict = merotee_verdict_new();
    bool ok = merotee_verifier_check(v, f->quote.data, f->quote.len, now_s, verdict, err);
    enum merotee_tcb_status wanted = ok ? MEROTEE_TCB_UP_TO_DATE : MEROTEE_TCB_NONE;
    assert_int_equal(merotee_verdict_status(verdict, MEROTEE_STATUS_OF_ALL), wanted);
    merotee_verdict_free(verdict);
    return ok;
}

static void fetches_once(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verifier *v = open_plain(f);
    for (int i = 0; i < 5; i++)
        LIB_OK(check(f, v, LIB_NOW + i, err));
    assert_int_equal(fake_pcs_count(&f->pcs), DOCUMENT_KINDS);
    LIB_OK(merotee_verifier_refresh(v, LIB_NOW, err));
    assert_int_equal(fake_pcs_count(&f->pcs), DOCUMENT_KINDS);
    f->quote.data[200] ^= 1;
    LIB_REFUSES("signature/quote", check(f, v, LIB_NOW, err));
    f->quote.data[200] ^= 1;
    LIB_REFUSES("collateral/expired", check(f, v, LIB_NOW + EXPIRED_IN_S, err));
    merotee_verifier_close(v);
    merotee_verifier_close(NULL);
}

static void remembers_on_disk_until_told_to_forget(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verifier *v = open_cached(f, 0);
    LIB_OK(check(f, v, LIB_NOW, err));
    merotee_verifier_close(v);
    fake_pcs_count(&f->pcs);
    v = open_cached(f, 1);
    LIB_OK(check(f, v, LIB_NOW, err));
    LIB_REFUSES("collateral/expired", check(f, v, LIB_NOW + EXPIRED_IN_S, err));
    merotee_verifier_close(v);
    LIB_OK(merotee_cache_forget(f->cache, err));
    v = open_cached(f, 1);
    LIB_REFUSES("collateral/missing", check(f, v, LIB_NOW, err));
    merotee_verifier_close(v);
    assert_int_equal(fake_pcs_count(&f->pcs), 0);
}

static void hands_documents_out_and_takes_them_in(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verifier *online = open_plain(f), *offline = open_cached(f, 1);
    struct merotee_verdict *verdict = merotee_verdict_new();
    struct merotee_collateral *c = NULL, *none = NULL;
    LIB_REFUSES(
        "collateral/missing",
        merotee_verifier_collateral(offline, f->quote.data, f->quote.len, LIB_NOW, &none, err));
    assert_null(none);
    LIB_OK(merotee_verifier_collateral(online, f->quote.data, f->quote.len, LIB_NOW, &c, err));
    LIB_OK(merotee_dev_verify(f->root_pem.data, f->root_pem.len, f->quote.data, f->quote.len, c,
                              NULL, LIB_NOW, verdict, err));
    LIB_REFUSES("collateral/expired", merotee_verifier_import(offline, f->quote.data, f->quote.len,
                                                              c, LIB_NOW + EXPIRED_IN_S, err));
    LIB_OK(merotee_verifier_import(offline, f->quote.data, f->quote.len, c, LIB_NOW, err));
    LIB_OK(check(f, offline, LIB_NOW, err));
    merotee_collateral_free(c);
    merotee_verdict_free(verdict);
    merotee_verifier_close(online);
    merotee_verifier_close(offline);
}

static void count_warning(void *context, const char *code, const char *message)
{
    atomic_uint *warnings = context;
    assert_string_equal(code, "collateral/unreachable");
    assert_true(message[0] != 0);
    atomic_fetch_add(warnings, 1);
}

static void tries_services_in_order_and_tells(void **state)
{
    struct lib_fixture *f = *state;
    atomic_uint warnings = 0;
    const char *services[2] = {"http://127.0.0.1:9", f->pcs.base};
    struct merotee_verifier_options options = options_of(services);
    options.endpoint_count = 2;
    options.warn = count_warning;
    options.warn_context = &warnings;
    struct merotee_verifier *v = open_with(f, &options);
    services[0] = services[1] = "nothing is borrowed";
    LIB_OK(check(f, v, LIB_NOW, err));
    assert_true(atomic_load(&warnings) > 0);
    merotee_verifier_close(v);
}

static void nothing_is_fetched_after_cancel(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verifier *v = open_plain(f);
    merotee_verifier_cancel(v);
    LIB_REFUSES("collateral/unreachable", check(f, v, LIB_NOW, err));
    merotee_verifier_close(v);
}

static void tells_how_long_collateral_lasts(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verifier *v = open_plain(f);
    struct merotee_verifier_status status = {.size = sizeof status, .tcb_info_expires_s = 1};
    LIB_OK(merotee_verifier_status(v, &status, err));
    assert_int_equal(status.platforms, 0);
    assert_int_equal(status.tcb_info_expires_s, 0);
    LIB_OK(check(f, v, LIB_NOW, err));
    LIB_OK(merotee_verifier_status(v, &status, err));
    assert_int_equal(status.size, sizeof status);
    assert_int_equal(status.platforms, 1);
    assert_int_equal(status.tcb_info_expires_s, f->world.collateral.tcb_info.next_update_s);
    assert_int_equal(status.qe_identity_expires_s, f->world.collateral.qe_identity.next_update_s);
    assert_true(status.pck_crl_expires_s > LIB_NOW && status.root_crl_expires_s > LIB_NOW);
    status.size--;
    LIB_REFUSES("usage", merotee_verifier_status(v, &status, err));
    merotee_verifier_close(v);
}

static void looks_ahead(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_verifier *v = open_plain(f);
    enum merotee_tcb_status status = MEROTEE_TCB_NONE;
    LIB_OK(check(f, v, LIB_NOW, err));
    assert_int_equal(fake_pcs_count(&f->pcs), DOCUMENT_KINDS);
    for (int level = 0; level < 3; level++) /* those above OutOfDate */
        f->world.collateral.tcb_info.levels[level].pcesvn++;
    lib_fixture_make(f);
    fake_pcs_serve(&f->pcs, &f->documents);
    LIB_OK(merotee_verifier_early_status(v, f->quote.data, f->quote.len, LIB_NOW, &status, err));
    assert_int_equal(status, MEROTEE_TCB_OUT_OF_DATE);
    LIB_OK(check(f, v, LIB_NOW, err)); /* what counts today is not touched */
    status = MEROTEE_TCB_NONE;
    f->quote.data[200] ^= 1;
    LIB_REFUSES("signature/quote", merotee_verifier_early_status(v, f->quote.data, f->quote.len,
                                                                 LIB_NOW, &status, err));
    assert_int_equal(status, MEROTEE_TCB_NONE);
    merotee_verifier_close(v);
}

/* A thread of its own, which the program's signals do not reach. */
static void refreshes_by_itself(void **state)
{
    struct lib_fixture *f = *state;
    const char *base = f->pcs.base;
    struct merotee_verifier_options options = options_of(&base);
    options.refresh_s = 1;
    struct merotee_verifier *v = open_with(f, &options);
    struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    unsigned asked = 0;
    LIB_OK(check(f, v, LIB_NOW, err));
    fake_pcs_count(&f->pcs);
    for (int i = 0; i < 100 && asked == 0; i++) {
        nanosleep(&pause, NULL);
        asked = fake_pcs_count(&f->pcs);
    }
    assert_true(asked > 0);
    merotee_verifier_close(v);
}

static void options_are_checked(void **state)
{
    struct lib_fixture *f = *state;
    const char *nine[9];
    struct merotee_verifier *v = NULL;
    for (size_t i = 0; i < 9; i++)
        nine[i] = f->pcs.base;
    struct merotee_verifier_options o = options_of(nine);
    o.endpoint_count = MEROTEE_ENDPOINTS_MAX;
    LIB_OK(merotee_verifier_open(&o, &v, err));
    LIB_REFUSES("cert/root", check(f, v, LIB_NOW, err)); /* Intel's root */
    merotee_verifier_close(v);
    v = NULL;
    o.endpoint_count = MEROTEE_ENDPOINTS_MAX + 1;
    LIB_REFUSES("usage", merotee_verifier_open(&o, &v, err));
    o.endpoint_count = 3;
    nine[2] = NULL;
    LIB_REFUSES("usage", merotee_verifier_open(&o, &v, err));
    nine[2] = "ftp://x";
    LIB_REFUSES("config/collateral-url", merotee_verifier_open(&o, &v, err));
    o.endpoints = NULL;
    LIB_REFUSES("usage", merotee_verifier_open(&o, &v, err));
    o = options_of(nine);
    o.offline = 2;
    LIB_REFUSES("usage", merotee_verifier_open(&o, &v, err));
    o.offline = 0;
    o.reserved = 1;
    LIB_REFUSES("usage", merotee_verifier_open(&o, &v, err));
    o.reserved = 0;
    o.size--;
    LIB_REFUSES("usage", merotee_verifier_open(&o, &v, err));
    LIB_REFUSES("usage", merotee_dev_verifier_open(NULL, NULL, &v, err));
    LIB_REFUSES("file/missing", merotee_dev_verifier_open("/nowhere.pem", NULL, &v, err));
    assert_null(v);
    LIB_OK(merotee_verifier_open(NULL, &v, err)); /* the defaults */
    merotee_verifier_close(v);
}

/* ---- threads: what the thread sanitizer looks at ---- */

enum { WORKERS = 8, ROUNDS = 40 };

/* One verifier, one policy, one log and one parsed quote for all. */
struct shared {
    struct lib_fixture *fixture;
    struct merotee_verifier *verifier;
    const struct merotee_policy *policy;
    const struct merotee_event_log *log;
    const struct merotee_quote *quote;
    const struct merotee_collateral *documents;
    atomic_uint accepted, refused, maintained;
};

/* Every second quote is forged. */
static void *verify_many(void *argument)
{
    struct shared *s = argument;
    struct merotee_verdict *verdict = merotee_verdict_new();
    struct merotee_error err;
    const struct buf *quote = &s->fixture->quote;
    uint8_t *forged = malloc(quote->len);
    memcpy(forged, quote->data, quote->len);
    for (size_t round = 0; round < ROUNDS; round++) {
        forged[600] = (uint8_t)(quote->data[600] ^ (round % 2));
        bool ok = merotee_verifier_check(s->verifier, forged, quote->len, LIB_NOW, verdict, &err) &&
                  merotee_policy_decide(s->policy, verdict, s->log, NULL, &err) &&
                  memcmp(merotee_verdict_field(verdict, MEROTEE_FIELD_MRTD, NULL),
                         merotee_quote_field(s->quote, MEROTEE_FIELD_MRTD, NULL), 48) == 0;
        if (ok)
            atomic_fetch_add(&s->accepted, 1);
        else if (merotee_error_is(&err, "signature/quote"))
            atomic_fetch_add(&s->refused, 1);
    }
    free(forged);
    merotee_verdict_free(verdict);
    return NULL;
}

/* What a daemon does beside: refreshes, imports, hands documents out. */
static void *maintain(void *argument)
{
    struct shared *s = argument;
    const struct buf *quote = &s->fixture->quote;
    for (size_t round = 0; round < ROUNDS / 4; round++) {
        struct merotee_collateral *c = NULL;
        bool ok =
            merotee_verifier_refresh(s->verifier, LIB_NOW, NULL) &&
            merotee_verifier_import(s->verifier, quote->data, quote->len, s->documents, LIB_NOW,
                                    NULL) &&
            merotee_verifier_collateral(s->verifier, quote->data, quote->len, LIB_NOW, &c, NULL);
        atomic_fetch_add(&s->maintained, ok ? 1 : 0);
        merotee_collateral_free(c);
    }
    return NULL;
}

static void serves_all_threads(void **state)
{
    struct lib_fixture *f = *state;
    struct shared s = {.fixture = f, .verifier = open_cached(f, 0)};
    struct merotee_policy *policy = NULL;
    struct merotee_event_log *log = NULL;
    struct merotee_quote *quote = NULL;
    struct merotee_collateral *documents = NULL;
    pthread_t threads[WORKERS + 1];
    LIB_OK(merotee_policy_new(MEROTEE_POLICY_INSPECT, &policy, err));
    LIB_OK(merotee_event_log_read(f->log_json.data, f->log_json.len, NULL, NULL, &log, err));
    LIB_OK(merotee_quote_parse(f->quote.data, f->quote.len, &quote, err));
    LIB_OK(
        merotee_collateral_read(f->collateral_json.data, f->collateral_json.len, &documents, err));
    s.policy = policy;
    s.log = log;
    s.quote = quote;
    s.documents = documents;
    for (size_t i = 0; i <= WORKERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < WORKERS ? verify_many : maintain, &s), 0);
    for (size_t i = 0; i <= WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&s.accepted), WORKERS * ROUNDS / 2);
    assert_int_equal(atomic_load(&s.refused), WORKERS * ROUNDS / 2);
    assert_int_equal(atomic_load(&s.maintained), ROUNDS / 4);
    merotee_verifier_close(s.verifier);
    merotee_collateral_free(documents);
    merotee_quote_free(quote);
    merotee_event_log_free(log);
    merotee_policy_free(policy);
}

/* A fetch that hangs ends when another thread cancels. */
static void *check_in_thread(void *argument)
{
    struct shared *s = argument;
    struct merotee_error err;
    if (!check(s->fixture, s->verifier, LIB_NOW, &err) &&
        merotee_error_is(&err, "collateral/unreachable"))
        atomic_fetch_add(&s->refused, 1);
    return NULL;
}

static void cancel_ends_what_hangs(void **state)
{
    struct lib_fixture *f = *state;
    const char *base = f->pcs.base;
    struct merotee_verifier_options options = options_of(&base);
    struct timespec pause = {.tv_nsec = 100 * 1000 * 1000}, start, end;
    pthread_t thread;
    options.timeout_ms = options.budget_ms = 60000;
    struct shared s = {.fixture = f, .verifier = open_with(f, &options)};
    for (size_t kind = 0; kind < DOCUMENT_KINDS; kind++)
        f->pcs.manner[kind].delay_ms = 2500;
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(pthread_create(&thread, NULL, check_in_thread, &s), 0);
    nanosleep(&pause, NULL);
    merotee_verifier_cancel(s.verifier);
    pthread_join(thread, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(atomic_load(&s.refused), 1);
    assert_true(end.tv_sec - start.tv_sec <= 2);
    merotee_verifier_close(s.verifier);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lib_fixture_set_up, lib_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fetches_once),
        TEST(remembers_on_disk_until_told_to_forget),
        TEST(hands_documents_out_and_takes_them_in),
        TEST(tries_services_in_order_and_tells),
        TEST(nothing_is_fetched_after_cancel),
        TEST(tells_how_long_collateral_lasts),
        TEST(looks_ahead),
        TEST(refreshes_by_itself),
        TEST(options_are_checked),
        TEST(serves_all_threads),
        TEST(cancel_ends_what_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
