/* The forms in which an operator holds a quote. */
#include "operator/evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Not a quote, only the first bytes that tell one. */
static const uint8_t raw_bytes[] = {4, 0, 2, 0, 0x81, 0, 0, 0};
static const struct slice raw = {raw_bytes, sizeof raw_bytes};

static const struct {
    const char *input;
    enum evidence_form form;
    const char *event_log;
} good[] = {
    {"0400020081000000", EVIDENCE_HEX, ""},
    {"0x0400020081000000\n", EVIDENCE_HEX, ""},
    {"  04000200\n  81000000\n", EVIDENCE_HEX, ""},
    {"BAACAIEAAAA=\n", EVIDENCE_BASE64, ""},
    {"BAAC\nAIEAAAA=", EVIDENCE_BASE64, ""},
    {"{\"quoteB64\":\"BAACAIEAAAA=\",\"eventLog\":[ {\"imr\":3} ]}", EVIDENCE_JSON,
     "[{\"imr\":3}]"},
    {"{\"data\":{\"quoteB64\":\"BAACAIEAAAA=\",\"quote\":{}}}", EVIDENCE_JSON, ""},
    {" {\"quote\":\"0400020081000000\",\"event_log\":\"[]\"}", EVIDENCE_JSON, "[]"},
    {"{\"quote_hex\":\"0400020081000000\"}", EVIDENCE_JSON, ""},
};

static void every_form_gives_the_same_bytes(void **state)
{
    (void)state;
    struct error err = {0};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        EVIDENCE_AUTO struct evidence e = {0};
        assert_true(evidence_parse(slice_str(good[i].input), &e, &err));
        assert_int_equal(e.form, good[i].form);
        assert_true(slice_equal(buf_slice(&e.quote), raw));
        assert_true(slice_equal_str(buf_slice(&e.event_log), good[i].event_log));
    }
    EVIDENCE_AUTO struct evidence e = {0};
    assert_true(evidence_parse(raw, &e, &err));
    assert_int_equal(e.form, EVIDENCE_RAW);
}

static void rubbish_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *input, *code;
    } bad[] = {
        {"", "evidence/empty"},
        {" \n", "evidence/empty"},
        {"hello world!", "evidence/format"},
        {"04000", "evidence/format"},
        {"{}", "evidence/format"},
        {"{\"quoteB64\":\"*\"}", "evidence/format"},
        {"{\"quoteB64\":7}", "evidence/format"},
        {"{\"quoteB64\":\"AAAA\",\"quoteB64\":\"AAAA\"}", "json/syntax"},
        {"{\"data\":[]}", "evidence/format"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct evidence e = {0};
        struct error err = {0};
        assert_false(evidence_parse(slice_str(bad[i].input), &e, &err));
        assert_string_equal(err.code, bad[i].code);
        assert_null(e.quote.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_gives_the_same_bytes),
        cmocka_unit_test(rubbish_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
