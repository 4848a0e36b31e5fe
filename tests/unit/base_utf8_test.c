/* UTF-8 steps: the boundaries of RFC 3629, and every code point there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

static void every_scalar_round_trips(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x110000; point++) {
        uint8_t bytes[UTF8_SEQUENCE_MAX];
        size_t len = utf8_encode(point, bytes);
        bool scalar = point < 0xd800 || (point > 0xdfff && point < 0x110000);
        assert_int_equal(len > 0, scalar);
        uint32_t back = 0;
        if (scalar) {
            assert_int_equal(utf8_decode(bytes, len, &back), len);
            assert_int_equal(back, point);
            assert_int_equal(utf8_decode(bytes, len - 1, NULL), 0);
        }
    }
    assert_int_equal(utf8_encode(UINT32_MAX, (uint8_t[4]){0}), 0);
}

static void malformed_sequences_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",             /* a tail alone */
        "\xbf\xbf",         /* */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong, 2 bytes */
        "\xe0\x9f\xbf",     /* overlong, 3 bytes */
        "\xf0\x8f\xbf\xbf", /* overlong, 4 bytes */
        "\xed\xa0\x80",     /* U+D800 */
        "\xed\xbf\xbf",     /* U+DFFF */
        "\xf4\x90\x80\x80", /* U+110000 */
        "\xf8\x88\x80\x80", /* five-byte form */
        "\xff",             /* never */
        "\xc2",             /* cut short */
        "\xe2\x82",         /* cut short */
        "\xc2\x41",         /* tail is no tail */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(utf8_decode((const uint8_t *)bad[i], strlen(bad[i]), NULL), 0);
    assert_int_equal(utf8_decode((const uint8_t *)"a", 0, NULL), 0);
}

static void messages_of_several_lines_stay_printable(void **state)
{
    (void)state;
    struct error err = {0};
    assert_false(error_set(&err, "a/b", "f", "first\nnot %s", "second\n"));
    assert_string_equal(err.message, "first?not second?");
    assert_false(error_append_line(&err, "  - %s", "x\ny\x1b"));
    assert_false(error_prefix(&err, "in\n%s", "\xff"));
    assert_string_equal(err.message, "in??: first?not second?\n  - x?y?");
    assert_string_equal(err.code, "a/b");
    for (int i = 0; i < 200; i++)
        assert_false(error_append_line(&err, "%s", "\xe2\x82\xac\xe2\x82\xac"));
    assert_int_equal(strlen(err.message), ERROR_MESSAGE_MAX - 1);
    assert_false(error_append_line(NULL, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scalar_round_trips),
        cmocka_unit_test(malformed_sequences_are_refused),
        cmocka_unit_test(messages_of_several_lines_stay_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
