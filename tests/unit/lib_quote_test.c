/* merotee/quote.h: what is taken out of quotes and event logs, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/lib_fixture.h"

static struct merotee_quote *parse(const struct buf *bytes)
{
    struct merotee_quote *q = NULL;
    LIB_OK(merotee_quote_parse(bytes->data, bytes->len, &q, err));
    return q;
}

static void field_is(const struct merotee_quote *q, enum merotee_field field, const void *bytes,
                     size_t len)
{
    size_t got_len = 1;
    const uint8_t *got = merotee_quote_field(q, field, &got_len);
    assert_int_equal(got_len, len);
    if (len == 0)
        assert_null(got);
    else
        assert_memory_equal(got, bytes, len);
    assert_ptr_equal(merotee_quote_field(q, field, NULL), got);
}

static void a_quote_owns_its_bytes(void **state)
{
    struct lib_fixture *f = *state;
    const struct sim_td_report *td = &f->world.quote.td;
    static const uint8_t report_data[64] = {LIB_NONCE};
    struct merotee_quote *q = parse(&f->quote);
    memset(f->quote.data, 0xee, f->quote.len);
    assert_int_equal(merotee_quote_len(q), f->quote.len);
    assert_int_equal(merotee_quote_version(q), 4);
    assert_int_equal(merotee_quote_tee(q), MEROTEE_TEE_TDX);
    assert_int_equal(merotee_quote_body(q), MEROTEE_BODY_TD_10);
    field_is(q, MEROTEE_FIELD_REPORT_DATA, report_data, 64);
    field_is(q, MEROTEE_FIELD_MRTD, td->mrtd, 48);
    for (int i = 0; i < MEROTEE_REGISTERS; i++)
        field_is(q, (enum merotee_field)(MEROTEE_FIELD_RTMR0 + i), td->rtmr[i], 48);
    field_is(q, MEROTEE_FIELD_MRSEAM, td->mrseam, 48);
    field_is(q, MEROTEE_FIELD_TDATTRIBUTES, td->tdattributes, 8);
    field_is(q, MEROTEE_FIELD_XFAM, td->xfam, 8);
    field_is(q, MEROTEE_FIELD_TEE_TCB_SVN, td->tee_tcb_svn, 16);
    field_is(q, MEROTEE_FIELD_MRSERVICETD, NULL, 0);
    field_is(q, MEROTEE_FIELD_MRENCLAVE, NULL, 0);
    field_is(q, MEROTEE_FIELD_FMSPC, NULL, 0);
    field_is(q, MEROTEE_FIELD_NONE, NULL, 0);
    field_is(q, MEROTEE_FIELD_COUNT, NULL, 0);
    field_is(q, (enum merotee_field)1000, NULL, 0);
    merotee_quote_free(q);
    merotee_quote_free(NULL);
}

static void every_body_has_its_fields(void **state)
{
    static const struct {
        uint16_t version;
        enum sim_body body;
        enum merotee_tee tee;
        enum merotee_field has, lacks;
    } kinds[] = {
        {3, SIM_BODY_SGX, MEROTEE_TEE_SGX, MEROTEE_FIELD_MRENCLAVE, MEROTEE_FIELD_MRTD},
        {5, SIM_BODY_TD_15, MEROTEE_TEE_TDX, MEROTEE_FIELD_MRSERVICETD, MEROTEE_FIELD_MRSIGNER},
        {5, SIM_BODY_TD_15_EX, MEROTEE_TEE_TDX, MEROTEE_FIELD_TEE_TCB_SVN2,
         MEROTEE_FIELD_SGX_ATTRIBUTES},
    };
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        SIM_WORLD_AUTO struct sim_world w = {0};
        BUF_AUTO struct buf bytes = BUF_INIT(1 << 16);
        const uint8_t report_data[64] = {0};
        const struct sim_world_options options = {
            .now_s = LIB_NOW, .quote_version = kinds[i].version, .body = kinds[i].body};
        assert_true(sim_world_create(&w, &options, NULL));
        assert_true(sim_world_quote(&w, report_data, &bytes, NULL));
        assert_true(buf_append_str(&bytes, "trailing"));
        struct merotee_quote *q = parse(&bytes);
        assert_int_equal(merotee_quote_len(q), bytes.len - 8);
        assert_int_equal(merotee_quote_version(q), kinds[i].version);
        assert_int_equal(merotee_quote_tee(q), kinds[i].tee);
        assert_int_equal((int)merotee_quote_body(q), (int)kinds[i].body);
        assert_non_null(merotee_quote_field(q, kinds[i].has, NULL));
        assert_null(merotee_quote_field(q, kinds[i].lacks, NULL));
        merotee_quote_free(q);
    }
}

static void what_is_no_quote_is_refused(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_quote *untouched = (struct merotee_quote *)f;
    struct merotee_quote **out = &untouched;
    LIB_REFUSES("quote/truncated", merotee_quote_parse(NULL, 0, out, err));
    LIB_REFUSES("quote/truncated", merotee_quote_parse(f->quote.data, f->quote.len - 1, out, err));
    f->quote.data[0] = 9;
    LIB_REFUSES("quote/version", merotee_quote_parse(f->quote.data, f->quote.len, out, err));
    assert_false(merotee_quote_parse(f->quote.data, f->quote.len, out, NULL));
    assert_ptr_equal(untouched, f);
}

static void views_show_it(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_quote *q = parse(&f->quote);
    char *text = NULL;
    LIB_OK(merotee_quote_json(q, &text, err));
    assert_non_null(strstr(text, "\"rtmr2\": \""));
    assert_non_null(strstr(text, "\"PckCertChain\""));
    merotee_free(text);
    LIB_OK(merotee_quote_text(q, &text, err));
    assert_non_null(strstr(text, "verified"));
    merotee_free(text);
    merotee_free(NULL);
    merotee_quote_free(q);
}

static void count_events(const struct merotee_event *event, void *context)
{
    size_t *seen = context;
    assert_int_equal(event->index, *seen);
    assert_int_equal(event->register_index, 3);
    assert_int_equal(event->digest_version, 1);
    if (*seen == 1) {
        assert_int_equal(event->name_len, strlen("compose-hash"));
        assert_memory_equal(event->name, "compose-hash", event->name_len);
        assert_int_equal(event->payload_len, 32);
    }
    (*seen)++;
}

static void a_log_is_replayed(void **state)
{
    struct lib_fixture *f = *state;
    struct merotee_event_log *log = NULL;
    size_t seen = 0;
    LIB_OK(
        merotee_event_log_read(f->log_json.data, f->log_json.len, count_events, &seen, &log, err));
    assert_int_equal(seen, 3);
    assert_memory_equal(merotee_event_log_register(log, 3), f->world.quote.td.rtmr[3], 48);
    assert_non_null(merotee_event_log_register(log, 0));
    assert_null(merotee_event_log_register(log, 4));
    assert_int_equal(merotee_event_log_compose_hash(log)[0], 0xc0);
    assert_int_equal(merotee_event_log_app_id(log)[0], 0xa9);
    assert_null(merotee_event_log_os_image_hash(log));
    merotee_event_log_free(log);
    merotee_event_log_free(NULL);
    LIB_OK(merotee_event_log_read("[]", 2, NULL, NULL, &log, err));
    assert_null(merotee_event_log_compose_hash(log));
    merotee_event_log_free(log);
    log = NULL;
    LIB_REFUSES("eventlog/format", merotee_event_log_read("{}", 2, NULL, NULL, &log, err));
    assert_null(log);
}

static void errors_are_asked_for_by_area(void **state)
{
    const struct merotee_error err = {.code = "collateral/expired"};
    (void)state;
    assert_true(merotee_error_is(&err, "collateral/expired"));
    assert_true(merotee_error_is(&err, "collateral/"));
    assert_false(merotee_error_is(&err, "collateral/exp"));
    assert_false(merotee_error_is(&err, "tcb/"));
    assert_false(merotee_error_is(NULL, "tcb/"));
    assert_string_equal(merotee_version(), MERO_VERSION);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lib_fixture_set_up, lib_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_quote_owns_its_bytes),      cmocka_unit_test(every_body_has_its_fields),
        TEST(what_is_no_quote_is_refused), TEST(views_show_it),
        TEST(a_log_is_replayed),           cmocka_unit_test(errors_are_asked_for_by_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
