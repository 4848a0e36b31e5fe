/* Hex, base64 and base58btc: known answers, strictness, limits. */
#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void hex_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {{"00ff", true},    {"00FF", true},    {"0", false},
                 {"00f", false},    {"00fg", false},   {"00 ff", false},
                 {"0x00ff", false}, {"00ff00", false}, {"", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t out[2] = {1, 1};
        assert_int_equal(hex_decode(slice_str(cases[i].text), out, 2), cases[i].ok);
        if (cases[i].ok)
            assert_memory_equal(out, "\x00\xff", 2);
    }
}

static void base64_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *bytes; /* NULL = refused */
    } cases[] = {
        {"", ""},       {"Zg==", "f"},  {"Zm8=", "fo"},    {"Zm9v", "foo"},  {"Zm9vYmFy", "foobar"},
        {"Zg", NULL},   {"Zg=", NULL},  {"Zh==", NULL},    {"Zm9v\n", NULL}, {" Zm9", NULL},
        {"Zm9-", NULL}, {"====", NULL}, {"Zg==Zg==", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BUF_AUTO struct buf out = BUF_INIT(16);
        bool ok = base64_decode_append(slice_str(cases[i].text), &out);
        assert_int_equal(ok, cases[i].bytes != NULL);
        uint8_t public[16];
        for (size_t len = 0; len < 9; len++) {
            bool right = ok && len == out.len;
            assert_int_equal(base64_decode_public(slice_str(cases[i].text), public, len), right);
            assert_true(!right || slice_equal(slice_of(public, len), buf_slice(&out)));
        }
        if (ok)
            assert_true(slice_equal_str(buf_slice(&out), cases[i].bytes));
        else
            assert_int_equal(out.len, 0);
    }
}

static void base64_exact_length(void **state)
{
    (void)state;
    uint8_t out[32], in[34] = {7};
    for (size_t len = 31; len <= 33; len++) {
        BUF_AUTO struct buf text = BUF_INIT(64);
        assert_true(base64_append(&text, slice_of(in, len)));
        assert_int_equal(base64_decode(buf_slice(&text), out, 32), len == 32);
    }
}

/* Both decoders, on every byte in every place of a group. */
static void base64_decoders_agree(void **state)
{
    (void)state;
    static const char *const texts[] = {"AAAA", "AAA=", "AA==", "////", "+/A=", "zA=="};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (unsigned change = 0; change < 4 * 256; change++) {
            uint8_t text[4], a[3] = {0}, b[3] = {0};
            memcpy(text, texts[i], 4);
            text[change / 256] = (uint8_t)change;
            for (size_t len = 1; len <= 3; len++) {
                bool ok = base64_decode(slice_of(text, 4), a, len);
                assert_int_equal(base64_decode_public(slice_of(text, 4), b, len), ok);
                assert_true(!ok || memcmp(a, b, len) == 0);
            }
        }
}

static void base64_fills_a_buffer_to_its_ceiling(void **state)
{
    (void)state;
    for (size_t max = 3; max <= 5; max++) {
        BUF_AUTO struct buf out = BUF_INIT(max);
        assert_int_equal(base64_decode_append(slice_str("AAAAAA=="), &out), max >= 4);
    }
}

static void base58_known_answers(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *text;
    } cases[] = {{"", ""},
                 {"00", "1"},
                 {"0000", "11"},
                 {"61", "2g"},
                 {"626262", "a3gV"},
                 {"0000287fb4cd", "11233QC4"},
                 {"516b6fcd0f", "ABnLTmg"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BUF_AUTO struct buf bytes = BUF_INIT(64), text = BUF_INIT(64), back = BUF_INIT(64);
        assert_true(hex_decode_append(slice_str(cases[i].hex), &bytes));
        assert_true(base58_append(&text, buf_slice(&bytes)));
        assert_string_equal(buf_cstr(&text), cases[i].text);
        assert_true(base58_decode_append(buf_slice(&text), &back));
        assert_true(slice_equal(buf_slice(&back), buf_slice(&bytes)));
    }
}

static void base58_limits(void **state)
{
    (void)state;
    uint8_t in[BASE58_BYTES_MAX + 1];
    memset(in, 0xff, sizeof in);
    for (size_t len = BASE58_BYTES_MAX - 1; len <= BASE58_BYTES_MAX + 1; len++) {
        BUF_AUTO struct buf text = BUF_INIT(512);
        assert_int_equal(base58_append(&text, slice_of(in, len)), len <= BASE58_BYTES_MAX);
    }
    char ones[BASE58_TEXT_MAX + 2];
    memset(ones, '1', sizeof ones);
    BUF_AUTO struct buf out = BUF_INIT(512);
    assert_true(base58_decode_append(slice_of(ones, BASE58_BYTES_MAX), &out));
    assert_false(base58_decode_append(slice_of(ones, BASE58_BYTES_MAX + 1), &out));
    assert_false(base58_decode_append(slice_of(ones, BASE58_TEXT_MAX + 1), &out));
    assert_false(base58_decode_append(slice_str("0OIl"), &out));
    assert_false(base58_is_alphabet(slice_str("abc0")));
    assert_true(base58_is_alphabet(slice_str("abc1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_is_strict),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_exact_length),
        cmocka_unit_test(base64_decoders_agree),
        cmocka_unit_test(base64_fills_a_buffer_to_its_ceiling),
        cmocka_unit_test(base58_known_answers),
        cmocka_unit_test(base58_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
