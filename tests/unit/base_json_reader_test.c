/* The JSON reader: what it takes, what it refuses and where it says the fault is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "base/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool skips(const char *text, size_t len)
{
    struct json_reader r;
    struct slice span;
    json_reader_open(&r, slice_of(text, len));
    return json_reader_skip(&r, &span) && json_reader_finish(&r);
}

static void takes_every_form(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}",
        "[]",
        " [ ] ",
        "0",
        "-0",
        "10",
        "1.5",
        "1e9",
        "1E+9",
        "-1.25e-3",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\\u0041\\n\\/\\\\\\\"\"",
        "\"\\ud83d\\ude00\"",
        "\"\xf0\x9f\x98\x80\"",
        "{\"a\":{\"a\":1},\"b\":[{\"a\":2},{\"a\":3}]}",
        "[1,[2,[3]],{}]",
        "\t{\r\n\"a\" : 1 , \"b\" : [ 1 , 2 ] }\n",
    };
    for (size_t i = 0; i < COUNT(good); i++)
        if (!skips(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
}

static void refuses_what_is_not_json(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[",
        "}",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1]",
        "[1}",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "tru",
        "nul",
        "True",
        "NaN",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud83d\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ude00\"",
        "\"a\nb\"",
        "\"\x80\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xe2\x82\"",
        "{} {}",
        "1 2",
        "[] x",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"\\u0061\":1,\"a\":2}",
        "[{\"x\":{\"n\":1,\"n\":1}}]",
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        if (skips(bad[i], strlen(bad[i])))
            fail_msg("taken: %s", bad[i]);
    assert_false(skips("\"a\0b\"", 5));
    assert_false(skips("1\0", 2));
}

static void bounds_depth(void **state)
{
    (void)state;
    char text[2 * (JSON_READER_DEPTH_MAX + 1)];
    for (size_t depth = JSON_READER_DEPTH_MAX - 1; depth <= JSON_READER_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(&text[depth], ']', depth);
        assert_int_equal(skips(text, 2 * depth), depth <= JSON_READER_DEPTH_MAX);
    }
}

static void bounds_names(void **state)
{
    (void)state;
    for (int count = JSON_READER_NAMES_MAX - 1; count <= JSON_READER_NAMES_MAX + 1; count++) {
        BUF_AUTO struct buf text = BUF_INIT(8192);
        for (int i = 0; i < count; i++)
            buf_printf(&text, "%c\"n%d\":0", i == 0 ? '{' : ',', i);
        buf_append_str(&text, "}");
        assert_false(text.failed);
        assert_int_equal(skips((const char *)text.data, text.len), count <= JSON_READER_NAMES_MAX);
    }
}

struct sample {
    uint8_t small;
    uint16_t medium;
    uint32_t large;
    uint64_t huge;
    uint8_t bytes[3];
    int64_t when_s;
    char text[8];
};

static const struct json_field sample_fields[] = {
    JSON_FIELD(struct sample, small, "small", json_field_uint),
    JSON_FIELD_OPTIONAL(struct sample, medium, "medium", json_field_uint),
    JSON_FIELD_OPTIONAL(struct sample, large, "large", json_field_uint),
    JSON_FIELD_OPTIONAL(struct sample, huge, "huge", json_field_uint),
    JSON_FIELD_OPTIONAL(struct sample, bytes, "bytes", json_field_hex),
    JSON_FIELD_OPTIONAL(struct sample, when_s, "when", json_field_date),
    JSON_FIELD_OPTIONAL(struct sample, text, "text", json_field_text),
};

static bool read_sample(const char *text, struct sample *out, uint32_t *seen, struct error *err)
{
    struct json_reader r;
    json_reader_open(&r, slice_str(text));
    if (json_reader_fields(&r, sample_fields, COUNT(sample_fields), out, seen) &&
        json_reader_finish(&r))
        return true;
    return json_reader_error(&r, NULL, "root", err);
}

static void reads_fields(void **state)
{
    (void)state;
    struct sample s = {0};
    uint32_t seen = 0;
    assert_true(
        read_sample("{\"unknown\":[{\"small\":9}],\"text\":\"\\u00e9\\n1234\",\"small\":255,"
                    "\"medium\":65535,\"large\":4294967295,\"huge\":18446744073709551615,"
                    "\"bytes\":\"00fFa1\",\"when\":\"2026-01-01T00:00:00Z\"}",
                    &s, &seen, NULL));
    assert_int_equal(seen, 0x7f);
    assert_int_equal(s.small, 255);
    assert_int_equal(s.medium, 65535);
    assert_int_equal(s.large, UINT32_MAX);
    assert_true(s.huge == UINT64_MAX);
    assert_memory_equal(s.bytes, "\x00\xff\xa1", 3);
    assert_int_equal(s.when_s, 1767225600);
    assert_string_equal(s.text, "\xc3\xa9\n1234");
    assert_true(read_sample("{\"small\":0}", &s, &seen, NULL));
    assert_int_equal(seen, 1);
}

static void refuses_fields(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code, *field;
    } cases[] = {
        {"{}", "json/missing", "root.small"},
        {"[]", "json/type", "root"},
        {"{\"small\":256}", "json/value", "root.small"},
        {"{\"small\":-1}", "json/value", "root.small"},
        {"{\"small\":1.0}", "json/value", "root.small"},
        {"{\"small\":1e0}", "json/value", "root.small"},
        {"{\"small\":\"1\"}", "json/type", "root.small"},
        {"{\"small\":null}", "json/type", "root.small"},
        {"{\"small\":1,\"medium\":65536}", "json/value", "root.medium"},
        {"{\"small\":1,\"large\":4294967296}", "json/value", "root.large"},
        {"{\"small\":1,\"huge\":18446744073709551616}", "json/value", "root.huge"},
        {"{\"small\":1,\"bytes\":\"00ff\"}", "json/value", "root.bytes"},
        {"{\"small\":1,\"bytes\":\"00ff0g\"}", "json/value", "root.bytes"},
        {"{\"small\":1,\"when\":\"2026-01-01T00:00:00+00:00\"}", "json/value", "root.when"},
        {"{\"small\":1,\"text\":\"12345678\"}", "json/value", "root.text"},
        {"{\"small\":1,\"text\":\"\\u0000\"}", "json/value", "root.text"},
        {"{\"small\":1,\"x\":[1,{\"y\":2,\"y\":2}]}", "json/duplicate", "root.x[1].y"},
        {"{\"small\":1,\"x\":[1,[2,3,nope]]}", "json/syntax", "root.x[1][2]"},
        {"{\"small\":1} ,", "json/syntax", "root"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sample s = {0};
        struct error err = {0};
        if (read_sample(cases[i].text, &s, NULL, &err))
            fail_msg("taken: %s", cases[i].text);
        assert_string_equal(err.code, cases[i].code);
        assert_string_equal(err.field, cases[i].field);
    }
}

static void gives_the_exact_bytes(void **state)
{
    (void)state;
    struct json_reader r;
    struct slice span = {0};
    json_reader_open(&r, slice_str("{\"a\" : { \"b\":\"}\\\"\" } ,\"c\":1}"));
    assert_true(json_reader_object(&r));
    assert_true(json_reader_more(&r));
    assert_true(json_reader_name_is(&r, "a"));
    assert_true(json_reader_skip(&r, &span));
    assert_true(slice_equal_str(span, "{ \"b\":\"}\\\"\" }"));
    assert_true(json_reader_more(&r));
    assert_true(json_reader_name_is(&r, "c"));
    assert_false(json_reader_more(&r)); /* the value of "c" was not read */
    assert_non_null(r.problem);
}

static void long_strings_go_to_a_buffer(void **state)
{
    (void)state;
    BUF_AUTO struct buf out = BUF_INIT(6);
    struct json_reader r;
    json_reader_open(&r, slice_str("[\"abc\",\"\\u0064ef\",\"g\"]"));
    assert_true(json_reader_array(&r));
    assert_true(json_reader_more(&r) && json_reader_string(&r, &out));
    assert_true(json_reader_more(&r) && json_reader_string(&r, &out));
    assert_true(slice_equal_str(buf_slice(&out), "abcdef"));
    assert_true(json_reader_more(&r));
    assert_false(json_reader_string(&r, &out));
    assert_string_equal(r.code, "json/value");
}

static void utf8_goes_round(void **state)
{
    (void)state;
    static const uint32_t points[] = {0,      0x7f,   0x80,   0x7ff,   0x800,
                                      0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};
    for (size_t i = 0; i < COUNT(points); i++) {
        uint8_t bytes[UTF8_SEQUENCE_MAX];
        uint32_t back = 1;
        size_t len = utf8_encode(points[i], bytes);
        assert_int_equal(utf8_decode(bytes, len, &back), len);
        assert_int_equal(back, points[i]);
        assert_int_equal(utf8_decode(bytes, len - 1, NULL), 0);
    }
}

static void strings_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
        {"\xc3\xa9\xe2\x80\xa6", "\"\xc3\xa9\xe2\x80\xa6\""},
        {"a\xff\xc3z", "\"a\xef\xbf\xbd\xef\xbf\xbdz\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out BUF_AUTO = BUF_INIT(100);
        assert_true(json_append_string(&out, slice_str(cases[i].in)));
        assert_string_equal(buf_cstr(&out), cases[i].out);
    }
    struct buf small BUF_AUTO = BUF_INIT(4);
    assert_false(json_append_string(&small, slice_str("abc")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_form),
        cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(bounds_names),
        cmocka_unit_test(reads_fields),
        cmocka_unit_test(refuses_fields),
        cmocka_unit_test(gives_the_exact_bytes),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(long_strings_go_to_a_buffer),
        cmocka_unit_test(utf8_goes_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
