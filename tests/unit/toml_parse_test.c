/* The TOML reader beyond the public cases: positions, error texts, limits at n-1, n and n+1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <string.h>

#include "toml/toml.h"

static struct toml_document *parse_ok(const char *text)
{
    struct toml_document *doc = NULL;
    struct error err = {0};
    if (!toml_parse(slice_str(text), &doc, &err))
        fail_msg("refused: %s", err.message);
    return doc;
}

static void values_come_with_their_kind(void **state)
{
    (void)state;
    TOML_AUTO struct toml_document *doc =
        parse_ok("s = \"a\\u0000b\"\ni = -9_223_372_036_854_775_808\nf = 6.5e-1\nb = true\n"
                 "d = 2026-08-27 10:00:00.5z\narr = [1, \"x\", { y = 2 }]\n[t.\"q.q\"]\nk = 'v'\n");
    const struct toml *root = toml_root(doc);
    struct slice text;
    int64_t integer;
    double number;
    bool truth;
    assert_int_equal(toml_kind(root), TOML_TABLE);
    assert_int_equal(toml_count(root), 7);
    assert_true(toml_string(toml_get(root, "s"), &text));
    assert_int_equal(text.len, 3);
    assert_memory_equal(text.data, "a\0b", 3);
    assert_true(toml_integer(toml_get(root, "i"), &integer));
    assert_true(integer == INT64_MIN);
    assert_true(toml_float(toml_get(root, "f"), &number));
    assert_true(number == 0.65);
    assert_true(toml_bool(toml_get(root, "b"), &truth) && truth);
    assert_true(toml_datetime_text(toml_get(root, "d"), &text));
    assert_true(slice_equal_str(text, "2026-08-27T10:00:00.500Z"));
    assert_int_equal(toml_count(toml_get(root, "arr")), 3);
    assert_true(toml_integer(toml_get(toml_at(toml_get(root, "arr"), 2), "y"), &integer));
    assert_int_equal(integer, 2);
    /* a quoted key with a dot has no dotted path, but is there */
    assert_null(toml_find(root, "t.q.q"));
    assert_non_null(toml_get(toml_find(root, "t"), "q.q"));
}

static void accessors_refuse_other_kinds(void **state)
{
    (void)state;
    TOML_AUTO struct toml_document *doc = parse_ok("i = 1\ns = '1'\nt.x = 1\na = []\n");
    const struct toml *root = toml_root(doc);
    struct slice text;
    int64_t integer;
    double number;
    bool truth;
    size_t len;
    assert_false(toml_string(toml_get(root, "i"), &text));
    assert_false(toml_float(toml_get(root, "i"), &number)); /* integers are not floats */
    assert_false(toml_bool(toml_get(root, "i"), &truth));
    assert_false(toml_datetime_text(toml_get(root, "s"), &text));
    assert_false(toml_integer(toml_get(root, "s"), &integer));
    assert_false(toml_string(NULL, &text));
    assert_null(toml_get(root, "absent"));
    assert_null(toml_get(toml_get(root, "i"), "x"));
    assert_null(toml_get(NULL, "x"));
    assert_null(toml_find(root, "t.x.y"));
    assert_null(toml_find(root, ""));
    assert_non_null(toml_find(root, "t.x"));
    assert_int_equal(toml_count(toml_get(root, "i")), 0);
    assert_null(toml_at(root, 4));
    assert_null(toml_key_at(toml_get(root, "a"), 0, &len));
    assert_int_equal(*toml_key_at(root, 2, &len), 't');
    assert_int_equal(len, 1);
}

static void nodes_know_their_place(void **state)
{
    (void)state;
    TOML_AUTO struct toml_document *doc =
        parse_ok("\xef\xbb\xbf# \xe2\x82\xac\r\nk = 1\r\n\r\n  [\"\xe2\x82\xac\".b]\r\n"
                 "  \"\xc3\xa9\" = [ \"\xe2\x82\xac\", 2,\r\n 3 ]\r\n[[x]]\r\n");
    const struct toml *root = toml_root(doc);
    static const struct {
        const char *path;
        unsigned line, column;
    } places[] = {{"k", 2, 5}, {"\xe2\x82\xac.b", 4, 3}, {"\xe2\x82\xac.b.\xc3\xa9", 5, 9}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const struct toml *node = toml_find(root, places[i].path);
        assert_non_null(node);
        assert_int_equal(toml_line(node), places[i].line);
        assert_int_equal(toml_column(node), places[i].column);
    }
    const struct toml *array = toml_find(root, "\xe2\x82\xac.b.\xc3\xa9");
    assert_int_equal(toml_column(toml_at(array, 0)), 11);
    assert_int_equal(toml_column(toml_at(array, 1)), 16);
    assert_int_equal(toml_line(toml_at(array, 2)), 6);
    assert_int_equal(toml_line(toml_at(toml_get(root, "x"), 0)), 7);
    assert_int_equal(toml_line(NULL), 0);
    assert_int_equal(toml_column(NULL), 0);
}

static void refusals_say_where_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code, *message;
    } cases[] = {
        {"a = 1\nb =", "toml/syntax",
         "line 2, column 4: expected a value, found the end of the text"},
        {"a = 1\nb = \n", "toml/syntax",
         "line 2, column 5: expected a value, found the end of the line"},
        {"a = 1 b = 2", "toml/syntax", "line 1, column 7: expected the end of the line, found 'b'"},
        {"a = yes", "toml/syntax", "line 1, column 5: not a TOML value (strings need quotes): yes"},
        {"k = 23jhTaZr634ThMawuz8v8", "toml/syntax",
         "line 1, column 5: malformed number: 23jhTaZr..."},
        {"k = 23jhTaZr634ThMawuz8v", "toml/syntax",
         "line 1, column 5: malformed number: 23jhTaZr634ThMawuz8v"},
        {"a = 010", "toml/syntax", "line 1, column 5: a number may not start with 0: 010"},
        {"a = 9223372036854775808", "toml/syntax",
         "line 1, column 5: integer out of range: 9223372036854775808"},
        {"a = 1e999", "toml/syntax", "line 1, column 5: float out of range: 1e999"},
        {"a = 2026-02-29", "toml/syntax", "line 1, column 5: malformed date or time: 2026-02-29"},
        {"a = \"x", "toml/syntax",
         "line 1, column 7: expected the closing quote of the string, found the end of the text"},
        {"a = \"\\q\"", "toml/syntax",
         "line 1, column 6: unknown escape in a string (a backslash is \\\\)"},
        {"a = \"\\ud800\"", "toml/syntax",
         "line 1, column 6: escape of U+D800, which is no Unicode scalar"},
        {"a = \"\\u12\"", "toml/syntax", "line 1, column 6: this escape needs 4 hex digits"},
        {"a = 'x\x01'", "toml/syntax",
         "line 1, column 7: control character U+0001 in a string (write it as an escape)"},
        {"# \x01", "toml/syntax", "line 1, column 3: control character U+0001 in a comment"},
        {"a = 1\n\"a\" = 2", "toml/duplicate",
         "line 2, column 1: key 'a' is already defined at line 1 and cannot be defined or extended "
         "here"},
        {"[x]\n[x]", "toml/duplicate",
         "line 2, column 2: key 'x' is already defined at line 1 and cannot be defined or extended "
         "here"},
        {"a = {b = 1}\n[a.c]", "toml/duplicate",
         "line 2, column 2: key 'a' is already defined at line 1 and cannot be defined or extended "
         "here"},
        {"a = { b = 1, }", "toml/syntax", "line 1, column 14: expected a key, found '}'"},
        {"a = { b = 1\n}", "toml/syntax",
         "line 1, column 12: expected ',' or '}' in the inline table, found the end of the line"},
        {"a = [1 2]", "toml/syntax",
         "line 1, column 8: expected ',' or ']' in the array, found '2'"},
        {"[a", "toml/syntax",
         "line 1, column 3: expected ']' behind the header's name, found the end of the text"},
        {"[[a]", "toml/syntax",
         "line 1, column 4: expected ']]' behind the header's name, found ']'"},
        {"= 1", "toml/syntax", "line 1, column 1: expected a key, found '='"},
        {"\xe2\x82\xac = 1", "toml/syntax",
         "line 1, column 1: expected a key, found '\xe2\x82\xac'"},
        {"a 1", "toml/syntax", "line 1, column 3: expected '=' behind the key, found '1'"},
        {"a = 1\nb = \"\xc3\xa9\xff\"", "toml/utf8", "line 2, column 7: invalid UTF-8"},
        {"a = 1\r", "toml/syntax", "line 1, column 6: expected the end of the line, found U+000D"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct toml_document *doc = NULL;
        struct error err = {0};
        assert_false(toml_parse(slice_str(cases[i].text), &doc, &err));
        assert_null(doc);
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.code, cases[i].code);
    }
}

/* prefix, then `count` times `unit`, then suffix */
static void repeat(struct buf *out, const char *prefix, const char *unit, size_t count,
                   const char *suffix)
{
    buf_reset(out);
    buf_append_str(out, prefix);
    for (size_t i = 0; i < count; i++)
        buf_append_str(out, unit);
    buf_append_str(out, suffix);
    assert_false(out->failed);
}

static void assert_parses(const struct buf *text, const char *code)
{
    TOML_AUTO struct toml_document *doc = NULL;
    struct error err = {0};
    bool ok = toml_parse(buf_slice(text), &doc, &err);
    if (ok != (code == NULL))
        fail_msg("expected %s, got %s", code != NULL ? code : "success", ok ? "success" : err.code);
    if (code != NULL)
        assert_string_equal(err.code, code);
}

static void depth_is_limited(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = BUF_INIT(4096);
    static const struct {
        const char *prefix, *unit, *suffix;
        size_t most;
    } forms[] = {
        {"a = ", "[", "", TOML_DEPTH_MAX},              /* closed below */
        {"a = ", "{a=", "1", TOML_DEPTH_MAX - 1},       /* closed below */
        {"", "a.", "a = 1\n", TOML_DEPTH_MAX - 1},      /* dotted keys */
        {"[", "a.", "a]\n", TOML_DEPTH_MAX - 1},        /* headers */
        {"[a]\n", "a.", "a = 1\n", TOML_DEPTH_MAX - 2}, /* both together */
    };
    static const char *const closing[] = {"]", "}", "", "", ""};
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++)
        for (size_t n = forms[f].most - 1; n <= forms[f].most + 1; n++) {
            repeat(&text, forms[f].prefix, forms[f].unit, n, forms[f].suffix);
            for (size_t i = 0; i < n; i++)
                buf_append_str(&text, closing[f]);
            assert_parses(&text, n <= forms[f].most ? NULL : "toml/depth");
        }
}

static void sizes_are_limited(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = BUF_INIT(TOML_LEN_MAX + 2);
    for (size_t n = TOML_NODES_MAX - 3; n <= TOML_NODES_MAX - 1; n++) {
        /* root and array count too */
        repeat(&text, "a=[", "1,", n, "]");
        assert_parses(&text, n <= TOML_NODES_MAX - 2 ? NULL : "toml/size");
    }
    for (size_t n = TOML_NUMBER_LEN_MAX - 1; n <= TOML_NUMBER_LEN_MAX + 1; n++) {
        repeat(&text, "a=0.", "1", n - 2, "");
        assert_parses(&text, n <= TOML_NUMBER_LEN_MAX ? NULL : "toml/syntax");
    }
    for (size_t n = TOML_LEN_MAX - 1; n <= TOML_LEN_MAX + 1; n++) {
        repeat(&text, "a='", "x", n - 4, "'");
        assert_parses(&text, n <= TOML_LEN_MAX ? NULL : "toml/size");
    }
}

/* The slowest shapes within the limits end: many keys in one table, deep dotted keys, very many
 * lines. The test runner's time limit is the bound. */
static void hostile_shapes_end(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = BUF_INIT(TOML_LEN_MAX);
    for (unsigned i = 0; i < TOML_NODES_MAX - 1; i++)
        assert_true(buf_printf(&text, "key_of_some_length_%05u=1\n", i));
    assert_parses(&text, NULL);
    repeat(&text, "a=[", "{a.a.a.a.a.a=1},", 1500, "]");
    assert_parses(&text, NULL);
    repeat(&text, "", "\n", TOML_LEN_MAX - 1, "");
    assert_parses(&text, NULL);
}

static void numbers_ignore_the_locale(void **state)
{
    (void)state;
    (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* where installed: a comma for the point */
    TOML_AUTO struct toml_document *doc = parse_ok("f = 0.5\n");
    double number = 0;
    assert_true(toml_float(toml_get(toml_root(doc), "f"), &number));
    assert_true(number == 0.5);
    (void)setlocale(LC_ALL, "C");
}

/* Every prefix of a document with everything in it is read or refused, without reading past it. */
static void every_prefix_is_safe(void **state)
{
    (void)state;
    static const char text[] =
        "\xef\xbb\xbf# c\na = \"\"\"\\u00e9\\\n  x\"\"\"\"\nb = '''y'''\nc.d.\"e\\n\" = [ 1, # z\n"
        "2026-08-27T10:00:00+01:00, 10:00:00, { q = 0x1f, r = -inf } ]\n[[t.u]]\nv = 1_0.5e+3\r\n";
    for (size_t len = 0; len < sizeof text; len++) {
        BUF_AUTO struct buf exact = BUF_INIT(sizeof text);
        assert_true(buf_append(&exact, slice_of(text, len)));
        TOML_AUTO struct toml_document *doc = NULL;
        struct error err = {0};
        if (!toml_parse(buf_slice(&exact), &doc, &err))
            assert_non_null(err.code);
    }
}

static void strings_are_written_so_that_they_read_back(void **state)
{
    (void)state;
    BUF_AUTO struct buf raw = BUF_INIT(256);
    for (unsigned c = 0; c < 0x80; c++)
        buf_append_byte(&raw, (uint8_t)c);
    buf_append_str(&raw, "\xc3\xa9\xf0\x90\x80\x80");
    BUF_AUTO struct buf text = BUF_INIT(1024);
    buf_append_str(&text, "a = ");
    assert_true(toml_append_string(&text, buf_slice(&raw)));
    TOML_AUTO struct toml_document *doc = NULL;
    struct error err = {0};
    assert_true(toml_parse(buf_slice(&text), &doc, &err));
    struct slice back;
    assert_true(toml_string(toml_get(toml_root(doc), "a"), &back));
    assert_true(slice_equal(back, buf_slice(&raw)));
    BUF_AUTO struct buf tiny = BUF_INIT(3);
    assert_false(toml_append_string(&tiny, slice_str("abc")));
}

static void a_forgotten_secret_is_gone(void **state)
{
    (void)state;
    TOML_AUTO struct toml_document *doc = parse_ok("[i]\nk = 'secret-text' # c\nl = 'other'\n");
    const struct toml *root = toml_root(doc);
    struct slice text;
    assert_true(toml_string(toml_find(root, "i.k"), &text));
    assert_true(slice_equal_str(text, "secret-text"));
    toml_forget(doc, "i.k");
    toml_forget(doc, "i"); /* no string: nothing to do */
    toml_forget(doc, "x");
    assert_true(slice_is_zero(text));
    assert_true(toml_string(toml_find(root, "i.l"), &text));
    assert_true(slice_equal_str(text, "other"));
    assert_non_null(toml_get(toml_get(root, "i"), "k")); /* keys stay */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_with_their_kind),
        cmocka_unit_test(accessors_refuse_other_kinds),
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(refusals_say_where_and_what),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(hostile_shapes_end),
        cmocka_unit_test(numbers_ignore_the_locale),
        cmocka_unit_test(every_prefix_is_safe),
        cmocka_unit_test(strings_are_written_so_that_they_read_back),
        cmocka_unit_test(a_forgotten_secret_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
