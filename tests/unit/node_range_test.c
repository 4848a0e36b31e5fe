/* Byte ranges of downloads, and content types guessed from first bytes. */
#include "node/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "node/mime.h"

static void ranges(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        uint64_t size;
        struct range want;
    } cases[] = {
        {NULL, 10, {RANGE_WHOLE, 0, 0}},
        {"bytes=0-0", 10, {RANGE_PART, 0, 1}},
        {"bytes=0-9", 10, {RANGE_PART, 0, 10}},
        {"bytes=0-10", 10, {RANGE_PART, 0, 10}},
        {"BYTES=3-5", 10, {RANGE_PART, 3, 3}},
        {"bytes=9-", 10, {RANGE_PART, 9, 1}},
        {"bytes=10-", 10, {RANGE_UNSATISFIABLE, 0, 0}},
        {"bytes=11-12", 10, {RANGE_UNSATISFIABLE, 0, 0}},
        {"bytes=-3", 10, {RANGE_PART, 7, 3}},
        {"bytes=-10", 10, {RANGE_PART, 0, 10}},
        {"bytes=-11", 10, {RANGE_PART, 0, 10}},
        {"bytes=-0", 10, {RANGE_UNSATISFIABLE, 0, 0}},
        {"bytes=0-", 0, {RANGE_UNSATISFIABLE, 0, 0}},
        {"bytes=-1", 0, {RANGE_UNSATISFIABLE, 0, 0}},
        {"bytes=5-4", 10, {RANGE_WHOLE, 0, 0}},
        {"bytes=-", 10, {RANGE_WHOLE, 0, 0}},
        {"bytes=", 10, {RANGE_WHOLE, 0, 0}},
        {"bytes=1", 10, {RANGE_WHOLE, 0, 0}},
        {"bytes=0-1,3-4", 10, {RANGE_WHOLE, 0, 0}},
        {"bytes= 0-1", 10, {RANGE_WHOLE, 0, 0}},
        {"bytes=a-b", 10, {RANGE_WHOLE, 0, 0}},
        {"items=0-1", 10, {RANGE_WHOLE, 0, 0}},
        {"bytes=0-999999999999999999", 10, {RANGE_PART, 0, 10}},
        {"bytes=0-1999999999999999999", 10, {RANGE_WHOLE, 0, 0}},
        {"bytes=99999999999999999999999-", 10, {RANGE_WHOLE, 0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct range got = range_parse(cases[i].header, cases[i].size);
        assert_int_equal(got.kind, cases[i].want.kind);
        assert_int_equal(got.start, cases[i].want.start);
        assert_int_equal(got.len, cases[i].want.len);
    }
}

static void content_types(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        size_t len;
        const char *type;
    } cases[] = {
        {"", 0, "application/octet-stream"},
        {"\0asm\1\0\0\0", 8, "application/wasm"},
        {"\0as", 3, "application/octet-stream"},
        {"\x89PNG\r\n\x1a\n", 8, "image/png"},
        {"\x1f\x8b\x08", 3, "application/gzip"},
        {"PK\x03\x04", 4, "application/zip"},
        {"RIFF....WEBP", 12, "image/webp"},
        {"<html><script>", 14, "application/octet-stream"},
        {"<svg xmlns=", 11, "application/octet-stream"},
        {"hello", 5, "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(mime_of(slice_of(cases[i].head, cases[i].len)), cases[i].type);
    char tar[300] = {0};
    memcpy(tar + 257, "ustar", 5);
    assert_string_equal(mime_of(slice_of(tar, sizeof tar)), "application/x-tar");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges), cmocka_unit_test(content_types)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
