/* The DER reader: shortest lengths, integers, booleans, times, each at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/der_builder.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void lengths(void **state)
{
    (void)state;
    static const struct {
        const char *head; /* tag and length of an OCTET STRING */
        size_t len;       /* of its contents */
        bool ok;
    } cases[] = {
        {"0400", 0, true},
        {"0401", 1, true},
        {"047f", 127, true},
        {"048180", 128, true},
        {"0481ff", 255, true},
        {"04820100", 256, true},
        {"0482ffff", 65535, true},
        {"0483010000", 65536, true},
        {"048400010000", 65536, false},
        {"048100", 0, false},
        {"04817f", 127, false},
        {"048200ff", 255, false},
        {"04820080", 128, false},
        {"048300ffff", 65535, false},
        {"0480", 0, false},
        {"04ff", 0, false},
        {"04850000000000", 0, false},
        {"0488ffffffffffffffff", 0, false},
        {"0484ffffffff", 4, false},
        {"04", 0, false},
        {"", 0, false},
        {"0482", 0, false},
        {"048201", 0, false},
        {"0401", 0, false},
        {"0481", 0, false},
        {"1f00", 0, false},
        {"1f8100", 0, false},
    };
    static uint8_t zeros[65536];
    for (size_t i = 0; i < COUNT(cases); i++) {
        der_reset();
        struct reader r =
            reader_of(DER_JOIN(der_hex(cases[i].head), slice_of(zeros, cases[i].len)));
        struct slice value = der_value(&r, DER_OCTET_STRING);
        if (reader_at_end(&r) != cases[i].ok || value.len != (cases[i].ok ? cases[i].len : 0))
            fail_msg("%s: wrong", cases[i].head);
    }
}

static void a_failure_sticks(void **state)
{
    (void)state;
    der_reset();
    struct reader r = reader_of(der_hex("020105 040100"));
    unsigned tag;
    assert_int_equal(der_value(&r, DER_OCTET_STRING).len, 0); /* it is an INTEGER */
    assert_true(r.failed);
    assert_int_equal(der_any(&r, &tag).len, 0);
    assert_int_equal(tag, 0);
    assert_false(der_next_is(&r, DER_OCTET_STRING));
    assert_true(der_enter(&r, DER_SEQUENCE).failed);
    assert_int_equal(der_whole(&r, DER_OCTET_STRING).len, 0);
    assert_false(reader_at_end(&r));
}

static void wholes_and_insides(void **state)
{
    (void)state;
    der_reset();
    struct slice bytes = der_hex("3005 020105 0500 0400");
    struct reader r = reader_of(bytes);
    assert_true(der_next_is(&r, DER_SEQUENCE));
    struct slice whole = der_whole(&r, DER_SEQUENCE);
    assert_ptr_equal(whole.data, bytes.data);
    assert_int_equal(whole.len, 7);
    struct reader again = reader_of(whole);
    struct reader inside = der_enter(&again, DER_SEQUENCE);
    assert_int_equal(der_small(&inside, DER_INTEGER, 5), 5);
    unsigned tag;
    assert_int_equal(der_any(&inside, &tag).len, 0);
    assert_int_equal(tag, 0x05);
    assert_true(reader_at_end(&inside));
    assert_int_equal(der_value(&r, DER_OCTET_STRING).len, 0);
    assert_true(reader_at_end(&r));
}

static void integers(void **state)
{
    (void)state;
    static const struct {
        const char *der, *magnitude; /* NULL: refused */
    } cases[] = {
        {"020100", "00"},         {"02017f", "7f"},       {"02020080", "80"},
        {"020200ff", "ff"},       {"02020100", "0100"},   {"020400ffffff", "ffffff"},
        {"0203ffffff", NULL},     {"0200", NULL},         {"020180", NULL},
        {"0202007f", NULL},       {"02020000", NULL},     {"0203000080", NULL},
        {"0204010203ff", NULL},   {"020401020304", NULL}, {"0a0101", NULL},
        {"02050081828384", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        der_reset();
        struct reader r = reader_of(der_hex(cases[i].der));
        struct slice found = der_unsigned(&r, 3);
        bool ok = !r.failed;
        if (ok != (cases[i].magnitude != NULL) ||
            (ok && !slice_equal(found, der_hex(cases[i].magnitude))))
            fail_msg("%s: wrong", cases[i].der);
    }
}

static void small_integers(void **state)
{
    (void)state;
    static const struct {
        const char *der;
        uint32_t max, value;
        bool ok;
    } cases[] = {
        {"020100", 0, 0, true},
        {"020101", 0, 0, false},
        {"0202 00ff", 255, 255, true},
        {"0202 0100", 255, 0, false},
        {"0203 00ffff", 65535, 65535, true},
        {"0203 010000", 65535, 0, false},
        {"0205 00ffffffff", UINT32_MAX, UINT32_MAX, true},
        {"0205 0100000000", UINT32_MAX, 0, false},
        {"0201ff", 255, 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        der_reset();
        struct reader r = reader_of(der_hex(cases[i].der));
        uint32_t value = der_small(&r, DER_INTEGER, cases[i].max);
        if (!r.failed != cases[i].ok || value != cases[i].value)
            fail_msg("%s: %u", cases[i].der, value);
    }
}

static void booleans(void **state)
{
    (void)state;
    static const struct {
        const char *der;
        bool value, ok;
    } cases[] = {{"0101ff", true, true}, {"010100", false, true},    {"010101", false, false},
                 {"0100", false, false}, {"0102ffff", false, false}, {"0201ff", false, false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        der_reset();
        struct reader r = reader_of(der_hex(cases[i].der));
        bool value = der_boolean(&r);
        if (value != cases[i].value || !r.failed != cases[i].ok)
            fail_msg("%s: wrong", cases[i].der);
    }
}

static void bit_strings(void **state)
{
    (void)state;
    der_reset();
    struct reader r = reader_of(der_hex("0303 00aabb 030100 0302 01aa"));
    assert_true(slice_equal(der_bit_octets(&r), der_hex("aabb")));
    assert_int_equal(der_bit_octets(&r).len, 0);
    assert_false(r.failed);
    assert_int_equal(der_bit_octets(&r).len, 0);
    assert_true(r.failed);
    r = reader_of(der_hex("0300"));
    assert_int_equal(der_bit_octets(&r).len, 0);
    assert_true(r.failed);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        unsigned tag;
        const char *text;
        int64_t unix_s; /* -1: refused */
    } cases[] = {
        {DER_UTC_TIME, "700101000000Z", 0},
        {DER_UTC_TIME, "180521104510Z", 1526899510},
        {DER_UTC_TIME, "491231235959Z", 2524607999},
        {DER_UTC_TIME, "000229000000Z", 951782400},
        {DER_GENERALIZED_TIME, "19700101000000Z", 0},
        {DER_GENERALIZED_TIME, "20491231235959Z", 2524607999},
        {DER_GENERALIZED_TIME, "20500101000000Z", 2524608000},
        {DER_GENERALIZED_TIME, "99991231235959Z", 253402300799},
        {DER_UTC_TIME, "500101000000Z", -1}, /* 1950 */
        {DER_UTC_TIME, "010229000000Z", -1},
        {DER_UTC_TIME, "201301000000Z", -1},
        {DER_UTC_TIME, "200100000000Z", -1},
        {DER_UTC_TIME, "200132000000Z", -1},
        {DER_UTC_TIME, "200101240000Z", -1},
        {DER_UTC_TIME, "200101006000Z", -1},
        {DER_UTC_TIME, "200101000060Z", -1},
        {DER_UTC_TIME, "2001010000Z", -1},
        {DER_UTC_TIME, "200101000000", -1},
        {DER_UTC_TIME, "200101000000z", -1},
        {DER_UTC_TIME, "200101000000+0000", -1},
        {DER_UTC_TIME, "200101000000Z ", -1},
        {DER_UTC_TIME, "20010100000 Z", -1},
        {DER_UTC_TIME, "2001010000:0Z", -1},
        {DER_UTC_TIME, "", -1},
        {DER_UTC_TIME, "20200101000000Z", -1},
        {DER_GENERALIZED_TIME, "200101000000Z", -1},
        {DER_GENERALIZED_TIME, "20200101000000.5Z", -1},
        {DER_GENERALIZED_TIME, "19691231235959Z", -1},
        {DER_PRINTABLE_STRING, "200101000000Z", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        der_reset();
        struct reader r = reader_of(der_tlv(cases[i].tag, slice_str(cases[i].text)));
        int64_t found = der_time(&r);
        if (r.failed ? cases[i].unix_s != -1 : found != cases[i].unix_s)
            fail_msg("%s: %lld", cases[i].text, r.failed ? -1LL : (long long)found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),
        cmocka_unit_test(a_failure_sticks),
        cmocka_unit_test(wholes_and_insides),
        cmocka_unit_test(integers),
        cmocka_unit_test(small_integers),
        cmocka_unit_test(booleans),
        cmocka_unit_test(bit_strings),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
