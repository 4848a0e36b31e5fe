/* Format-preserving edits: where a key goes, what stays, and (over many generated documents) that
 * the edited document means the old one with one key changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toml/toml.h"

static const struct {
    const char *what, *before, *path, *value, *after;
} edits[] = {
    /* ---- replacing ---- */
    {"a value where it stands, trailing comment kept", "a = 1   # one\nb = 2\n", "a", "\"x\"",
     "a = \"x\"   # one\nb = 2\n"},
    {"blanks around the value do not count", "a=1\n", "a", " \t[1, 2] ", "a=[1, 2]\n"},
    {"under a header", "[t]\n  a=1# c\n", "t.a", "2", "[t]\n  a=2# c\n"},
    {"a quoted key is the bare key", "[\"t\"]\n'a' = 1\n", "t.a", "2", "[\"t\"]\n'a' = 2\n"},
    {"behind a dotted key", "t.u.a = 1\n", "t.u.a", "2", "t.u.a = 2\n"},
    {"in an inline table", "t = { a = 1, b = 2 } # c\n", "t.a", "3", "t = { a = 3, b = 2 } # c\n"},
    {"a long value by a short one", "a = [\n  1, # x\n  2,\n] # c\nb = 1\n", "a", "[]",
     "a = [] # c\nb = 1\n"},
    {"a long string", "a = \"\"\"x\n# no comment\n\"\"\"\nb = 1\n", "a", "0", "a = 0\nb = 1\n"},
    {"an inline table as a whole", "t = { a = 1 }\n", "t", "{ b = 2 }", "t = { b = 2 }\n"},
    {"without a newline at the end", "a = 1", "a", "2", "a = 2"},
    {"CR LF stays", "a = 1\r\nb = 2\r\n", "b", "3", "a = 1\r\nb = 3\r\n"},

    /* ---- a new key in an existing table ---- */
    {"behind the last key of its table", "[t]\na = 1 # x\n\n# about u\n[u]\nb = 2\n", "t.c", "3",
     "[t]\na = 1 # x\nc = 3\n\n# about u\n[u]\nb = 2\n"},
    {"in a table without keys", "[t]\n[u]\n", "t.c", "3", "[t]\nc = 3\n[u]\n"},
    {"indented like its neighbours", "[t]\n\t a = 1\n", "t.c", "3", "[t]\n\t a = 1\n\t c = 3\n"},
    {"newline added at the end", "[t]\na = 1", "t.c", "3", "[t]\na = 1\nc = 3\n"},
    {"newline added behind a header", "[t]", "t.c", "3", "[t]\nc = 3\n"},
    {"with the document's newlines", "[t]\r\na = 1\r\n", "t.c", "3", "[t]\r\na = 1\r\nc = 3\r\n"},
    {"in the root", "a = 1\n\n[t]\n", "c", "3", "a = 1\nc = 3\n\n[t]\n"},
    {"first in the root", "[t]\na = 1\n", "c", "3", "c = 3\n\n[t]\na = 1\n"},
    {"first in the root, under the file's comment", "# file\n\n# about t\n[t]\n", "c", "3",
     "# file\n\nc = 3\n\n# about t\n[t]\n"},
    {"in a file of comments", "# file", "c", "3", "# file\nc = 3\n"},
    {"in an empty file", "", "c", "3", "c = 3\n"},
    {"behind a byte order mark", "\xef\xbb\xbf[t]\n", "c", "3",
     "\xef\xbb\xbf"
     "c = 3\n\n[t]\n"},
    {"behind a long value", "[t]\na = [\n 1,\n]\n# end\n", "t.c", "3",
     "[t]\na = [\n 1,\n]\nc = 3\n# end\n"},
    {"beside dotted keys", "x.a = 1\ny = 2\n", "x.c", "3", "x.a = 1\nx.c = 3\ny = 2\n"},
    {"beside dotted keys under a header", "[t]\n  x.y.a = 1\nz = 2\n", "t.x.y.c", "3",
     "[t]\n  x.y.a = 1\n  x.y.c = 3\nz = 2\n"},
    {"in an inline table, last", "t = { a = 1 }\n", "t.c", "3", "t = { a = 1, c = 3 }\n"},
    {"in an inline table without blanks", "t = {a=1}\n", "t.c", "3", "t = {a=1, c = 3}\n"},
    {"in an empty inline table", "t = {}\nu = { }\n", "t.c", "3", "t = { c = 3 }\nu = { }\n"},
    {"in an empty inline table with a blank", "u = { }\n", "u.c", "3", "u = { c = 3 }\n"},
    {"in a dotted table inside an inline table", "t = { x.a = 1 }\n", "t.x.c", "3",
     "t = { x.a = 1, x.c = 3 }\n"},
    {"in a table that only longer headers imply", "a = 1\n\n# about\n[t.u]\nb = 2\n", "t.c", "3",
     "a = 1\n\n[t]\nc = 3\n\n# about\n[t.u]\nb = 2\n"},
    {"in a table that only an array of tables implies", "[[t.u]]\nb = 2\n", "t.c", "3",
     "[t]\nc = 3\n\n[[t.u]]\nb = 2\n"},
    {"a key that needs quotes", "[t]\n", "t.a b", "3", "[t]\n\"a b\" = 3\n"},

    /* ---- missing parents ---- */
    {"a header at the end of the file", "a = 1\n", "tee.kms.phala.url", "\"https://k:8443/\"",
     "a = 1\n\n[tee.kms.phala]\nurl = \"https://k:8443/\"\n"},
    {"the only thing in a file", "", "t.c", "3", "[t]\nc = 3\n"},
    {"behind the nearest relatives", "[t.a]\nx = 1\n\n\n# about z\n[z]\ny = 2\n", "t.b.c", "3",
     "[t.a]\nx = 1\n\n[t.b]\nc = 3\n\n\n# about z\n[z]\ny = 2\n"},
    {"behind the table and all tables in it", "[t]\na = 1\n[t.u]\nb = 2\n[t.u.v]\n[z]\n", "t.w.c",
     "3", "[t]\na = 1\n[t.u]\nb = 2\n[t.u.v]\n\n[t.w]\nc = 3\n[z]\n"},
    {"a comment behind the last key stays with it", "[t]\na = 1\n# b = 2\n\n[z]\n", "t.w.c", "3",
     "[t]\na = 1\n# b = 2\n\n[t.w]\nc = 3\n\n[z]\n"},
    {"dotted in a dotted parent", "[t]\nx.a = 1\n", "t.x.y.z", "3", "[t]\nx.a = 1\nx.y.z = 3\n"},
    {"dotted in an inline parent", "t = { a = 1 }\n", "t.x.y", "3", "t = { a = 1, x.y = 3 }\n"},
    {"quoted where it must be", "", "t.a b.c", "3", "[t.\"a b\"]\nc = 3\n"},

    /* ---- tables that become values ---- */
    {"a table", "[t]\na = 1\n# about u\n[u]\nb = 2\n", "t", "{ c = 3 }",
     "t = { c = 3 }\n\n# about u\n[u]\nb = 2\n"},
    {"a table with its sub-tables and comments",
     "x = 0\n\n# about t\n[t]\na = 1\n[u]\n[t.v]\nb = 2\n", "t", "1", "x = 0\nt = 1\n\n[u]\n"},
    {"a table inside a table", "[t]\na = 1\n\n[t.u]\nb = 2\n\n[z]\n", "t.u", "5",
     "[t]\na = 1\nu = 5\n\n[z]\n"},
    {"a table whose parent only it implied", "[t.u]\nb = 2\n", "t.u", "5", "[t]\nu = 5\n"},
    {"an array of tables", "[t]\n[[t.s]]\na = 1\n[t.s.sub]\n[[t.s]]\na = 2\n", "t.s", "[]",
     "[t]\ns = []\n"},
    {"a dotted table", "x.a = 1 # c\ny = 2\nx.b.c = 3\nx.d = 4\n", "x", "5", "x = 5 # c\ny = 2\n"},
    {"a dotted table with a header below", "[f]\na.c = 1\n[f.a.t]\ns = 1\n[g]\n", "f.a", "5",
     "[f]\na = 5\n[g]\n"},
    {"a dotted table in an inline table", "t = { a.b = 1, a.c = 2 , z = 3, a.d.e = 4 }\n", "t.a",
     "5", "t = { a = 5 , z = 3 }\n"},
};

static void edits_go_where_they_belong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        BUF_AUTO struct buf out = BUF_INIT(TOML_LEN_MAX);
        struct error err = {0};
        if (!toml_set(slice_str(edits[i].before), edits[i].path, slice_str(edits[i].value), &out,
                      &err))
            fail_msg("%s: %s", edits[i].what, err.message);
        if (strcmp(buf_cstr(&out), edits[i].after) != 0)
            fail_msg("%s:\n%s---- expected:\n%s----", edits[i].what, buf_cstr(&out),
                     edits[i].after);
    }
}

static void wrong_edits_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *before, *path, *value, *code, *message;
    } cases[] = {
        {"mode = 1\n", "mode.x", "1", "toml/type",
         "cannot set 'mode.x': parent of 'x' is not a table"},
        {"mode = 1\n", "mode.x.y", "1", "toml/type",
         "cannot set 'mode.x.y': 'mode' is not a table"},
        {"[t]\na = [1]\n", "t.a.0", "1", "toml/type",
         "cannot set 't.a.0': parent of '0' is not a table"},
        {"[[t]]\na = 1\n", "t.a", "1", "toml/type",
         "cannot set 't.a': parent of 'a' is not a table"},
        {"[[t]]\na = 1\n", "t.a.b.c", "1", "toml/type", "cannot set 't.a.b.c': 't' is not a table"},
        {"", "", "1", "toml/type", "cannot set '': empty key segment"},
        {"", "a..b", "1", "toml/type", "cannot set 'a..b': empty key segment"},
        {"", "a.", "1", "toml/type", "cannot set 'a.': empty key segment"},
        {"", ".a", "1", "toml/type", "cannot set '.a': empty key segment"},
        {"", "a", "", "toml/syntax",
         "line 1, column 1: expected a value, found the end of the text"},
        {"", "a", "1 # x", "toml/syntax",
         "line 1, column 2: expected the end of the value, found ' '"},
        {"", "a", "1\nb = 2", "toml/syntax",
         "line 1, column 2: expected the end of the value, found the end of the line"},
        {"", "a", "x", "toml/syntax",
         "line 1, column 1: not a TOML value (strings need quotes): x"},
        {"a = \n", "a", "1", "toml/syntax",
         "line 1, column 5: expected a value, found the end of the line"},
        {"", "a", "\xff", "toml/utf8", "line 1, column 1: invalid UTF-8"},
        {"", "\xff", "1", "toml/utf8", "cannot set '?': line 1, column 2: invalid UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BUF_AUTO struct buf out = BUF_INIT(TOML_LEN_MAX);
        assert_true(buf_append_str(&out, "kept"));
        struct error err = {0};
        assert_false(toml_set(slice_str(cases[i].before), cases[i].path, slice_str(cases[i].value),
                              &out, &err));
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.code, cases[i].code);
        assert_string_equal(buf_cstr(&out), "kept");
    }
}

static void values_are_checked_alone(void **state)
{
    (void)state;
    static const char *const good[] = {"1", " \"x\" ", "[\n1, # c\n]", "{ a = { b = 1 } }",
                                       "2026-08-27 10:00:00Z"};
    static const char *const bad[] = {"", " ", "1 2", "\n1", "1\n", "x = 1", "[1", "{ a = 1, }"};
    struct error err = {0};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(toml_check_value(slice_str(good[i]), &err));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(toml_check_value(slice_str(bad[i]), &err));
}

static void limits_hold_for_the_result(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = BUF_INIT(TOML_LEN_MAX), out = BUF_INIT(2 * TOML_LEN_MAX);
    struct error err = {0};
    /* "a = 1\n" must still fit: the last size that does, and one more */
    for (size_t spare = 5; spare <= 6; spare++) {
        buf_reset(&text);
        while (text.len < TOML_LEN_MAX - spare)
            assert_true(buf_append_byte(&text, '\n'));
        buf_reset(&out);
        bool ok = toml_set(buf_slice(&text), "a", slice_str("1"), &out, &err);
        assert_int_equal(ok, spare == 6);
        if (!ok)
            assert_string_equal(err.code, "toml/size");
    }
    /* a path of the greatest depth, and one more */
    char path[2 * (TOML_DEPTH_MAX + 1)] = "a";
    for (size_t i = 1; i < TOML_DEPTH_MAX; i++)
        snprintf(path + 2 * i - 1, 3, ".a");
    buf_reset(&out);
    assert_true(toml_set(slice_str(""), path, slice_str("1"), &out, &err));
    assert_false(toml_set(slice_str(""), path, slice_str("[1]"), &out, &err));
    assert_string_equal(err.code, "toml/depth");
    snprintf(path + 2 * TOML_DEPTH_MAX - 1, 3, ".a");
    assert_false(toml_set(slice_str(""), path, slice_str("1"), &out, &err));
    assert_string_equal(err.code, "toml/depth");
}

/* ---- the property: meaning(set(doc, path, value)) = meaning(doc) with path := value ---- */

enum { FACTS_MAX = 4096, FACT_LEN_MAX = 256, NAMES = 4 };

/* What a document says, one fact a line: "/a/b = 1". Tables and arrays are facts of their own
 * unless something is in them, because an edit may turn an implied table into a written one. */
struct facts {
    char (*lines)[FACT_LEN_MAX];
    size_t count;
};

static void add_fact(struct facts *facts, const char *prefix, const char *value)
{
    assert_true(facts->count < FACTS_MAX);
    assert_true(strlen(prefix) + strlen(value) + 4 < FACT_LEN_MAX);
    snprintf(facts->lines[facts->count++], FACT_LEN_MAX, "%.120s = %.120s", prefix, value);
}

static void collect(struct facts *facts, const struct toml *node, const char *prefix)
{
    struct slice text;
    int64_t integer;
    char value[128] = "?";
    if (toml_kind(node) == TOML_TABLE || toml_kind(node) == TOML_ARRAY) {
        for (size_t i = 0; i < toml_count(node); i++) {
            char below[160];
            size_t len = 0;
            const char *key = toml_key_at(node, i, &len);
            if (key != NULL)
                snprintf(below, sizeof below, "%s/%.*s", prefix, (int)len, key);
            else
                snprintf(below, sizeof below, "%s[%zu]", prefix, i);
            collect(facts, toml_at(node, i), below);
        }
        if (toml_count(node) == 0)
            add_fact(facts, prefix, toml_kind(node) == TOML_TABLE ? "{}" : "[]");
        return;
    }
    if (toml_integer(node, &integer))
        snprintf(value, sizeof value, "%lld", (long long)integer);
    else if (toml_string(node, &text))
        snprintf(value, sizeof value, "'%.*s'", (int)text.len, (const char *)text.data);
    add_fact(facts, prefix, value);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct facts facts_of(struct slice text)
{
    struct facts facts = {.lines = calloc(FACTS_MAX, FACT_LEN_MAX)};
    assert_non_null(facts.lines);
    TOML_AUTO struct toml_document *doc = NULL;
    struct error err = {0};
    if (!toml_parse(text, &doc, &err))
        fail_msg("%s in:\n%.*s", err.message, (int)text.len, (const char *)text.data);
    collect(&facts, toml_root(doc), "");
    return facts;
}

static bool is_below(const char *fact, const char *path)
{
    size_t len = strlen(path);
    return strncmp(fact, path, len) == 0 && strchr("/[ ", fact[len]) != NULL;
}

/* Drops the facts below `path`, and "parent = {}" of every parent: they are no longer empty. */
static void forget(struct facts *facts, const char *path)
{
    size_t kept = 0;
    for (size_t i = 0; i < facts->count; i++) {
        const char *fact = facts->lines[i];
        size_t prefix = strcspn(fact, " ");
        bool empty_parent = strcmp(&fact[prefix], " = {}") == 0 && strlen(path) > prefix &&
                            strncmp(path, fact, prefix) == 0 && path[prefix] == '/';
        if (!is_below(fact, path) && !empty_parent)
            memmove(facts->lines[kept++], fact, FACT_LEN_MAX);
    }
    facts->count = kept;
}

static bool says_something_of(const struct facts *facts, const char *path)
{
    for (size_t i = 0; i < facts->count; i++)
        if (is_below(facts->lines[i], path))
            return true;
    return false;
}

static uint32_t random_state;

static uint32_t pick(uint32_t below) /* a generator of our own: the same documents every time */
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static const char *const names[NAMES] = {"a", "b", "c", "d"};

static void random_key(struct buf *out, unsigned parts)
{
    static const char *const quotes[] = {"", "", "", "", "", "'", "\"", " "};
    for (unsigned i = 0; i < parts; i++) {
        const char *quote = quotes[pick(8)];
        buf_printf(out, "%s%s%s%s", i > 0 ? "." : "", quote, names[pick(NAMES)], quote);
    }
}

static void random_value(struct buf *out, unsigned depth)
{
    unsigned count = pick(3);
    switch (depth > 2 ? pick(3) : pick(6)) {
    case 0:
        buf_printf(out, "%u", pick(100));
        break;
    case 1:
        buf_append_str(out, "\"x # y\"");
        break;
    case 2:
        buf_append_str(out, "'''\n[z]\n# y'''");
        break;
    case 3:
        buf_append_str(out, "[ # c\n");
        for (unsigned i = 0; i < count; i++) {
            random_value(out, depth + 1);
            buf_append_str(out, ",\n");
        }
        buf_append_str(out, "]");
        break;
    default:
        buf_append_str(out, pick(2) ? "{ " : "{");
        for (unsigned i = 0; i < count; i++) {
            if (i > 0)
                buf_append_str(out, pick(2) ? ", " : ",");
            random_key(out, 1 + pick(2));
            buf_append_str(out, "=");
            random_value(out, depth + 1);
        }
        buf_append_str(out, pick(2) ? " }" : "}");
        break;
    }
}

/* Lines that may or may not be valid together; the caller keeps those that are. */
static void random_line(struct buf *out)
{
    static const char *const fillers[] = {"\n", "# comment\n", "  \n", "\t# [no.header]\n"};
    switch (pick(6)) {
    case 0:
        buf_append_str(out, fillers[pick(4)]);
        break;
    case 1:
        buf_append_str(out, pick(4) ? "[" : "  [");
        random_key(out, 1 + pick(3));
        buf_append_str(out, pick(2) ? "]\n" : "] # c\n");
        break;
    case 2:
        buf_append_str(out, "[[");
        random_key(out, 1 + pick(3));
        buf_append_str(out, "]]\n");
        break;
    default:
        buf_append_str(out, pick(3) ? "" : "  ");
        random_key(out, 1 + pick(3));
        buf_append_str(out, " = ");
        random_value(out, 0);
        buf_append_str(out, pick(2) ? "\n" : " # c\n");
        break;
    }
}

static bool parses(const struct buf *text)
{
    TOML_AUTO struct toml_document *doc = NULL;
    return toml_parse(buf_slice(text), &doc, NULL);
}

static void random_document(struct buf *out)
{
    buf_reset(out);
    unsigned lines = pick(14);
    for (unsigned i = 0; i < lines; i++) {
        size_t before = out->len;
        random_line(out);
        if (!parses(out))
            out->len = before;
    }
    if (out->len > 0 && pick(6) == 0)
        out->len--; /* no newline at the end */
    assert_true(parses(out));
}

/* Every byte of `part` stands in `whole`, in the same order. */
static bool is_subsequence(struct slice part, struct slice whole)
{
    size_t at = 0;
    for (size_t i = 0; i < whole.len && at < part.len; i++)
        at += whole.data[i] == part.data[at] ? 1 : 0;
    return at == part.len;
}

static void check_one_edit(const struct buf *text, const char *path, const struct buf *value)
{
    BUF_AUTO struct buf out = BUF_INIT(TOML_LEN_MAX), single = BUF_INIT(TOML_LEN_MAX);
    struct error err = {0};
    if (!toml_set(buf_slice(text), path, buf_slice(value), &out, &err)) {
        if (strcmp(err.code, "toml/type") != 0)
            fail_msg("%s\n%.*s", err.message, (int)text->len, (const char *)text->data);
        return;
    }
    char slashed[64] = "/";
    for (size_t i = 0; path[i] != 0; i++)
        snprintf(&slashed[i + 1], 2, "%c", path[i] == '.' ? '/' : path[i]);
    struct facts before = facts_of(buf_slice(text)), after = facts_of(buf_slice(&out));
    bool existed = says_something_of(&before, slashed);
    forget(&before, slashed);
    /* the expected facts of the new value come from a document that has nothing else */
    buf_printf(&single, "%s = %.*s\n", path, (int)value->len, (const char *)value->data);
    struct facts fresh = facts_of(buf_slice(&single));
    for (size_t i = 0; i < fresh.count; i++)
        memcpy(before.lines[before.count++], fresh.lines[i], FACT_LEN_MAX);
    qsort(before.lines, before.count, FACT_LEN_MAX, by_text);
    qsort(after.lines, after.count, FACT_LEN_MAX, by_text);
    bool same = before.count == after.count;
    for (size_t i = 0; same && i < after.count; i++)
        same = strcmp(before.lines[i], after.lines[i]) == 0;
    if (!same)
        fail_msg("set %s = %.*s\n---- before\n%.*s---- after\n%.*s----", path, (int)value->len,
                 (const char *)value->data, (int)text->len, (const char *)text->data, (int)out.len,
                 (const char *)out.data);
    if (!existed && !is_subsequence(buf_slice(text), buf_slice(&out)))
        fail_msg("bytes were lost by an insertion into:\n%.*s", (int)text->len,
                 (const char *)text->data);
    free(before.lines);
    free(after.lines);
    free(fresh.lines);
}

static void edits_mean_what_they_say(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = BUF_INIT(65536), value = BUF_INIT(4096);
    for (uint32_t round = 0; round < 6000; round++) {
        random_state = round;
        random_document(&text);
        do {
            buf_reset(&value);
            random_value(&value, 1);
        } while (!toml_check_value(buf_slice(&value), NULL));
        char path[16];
        unsigned parts = 1 + pick(3);
        for (unsigned i = 0; i < parts; i++)
            snprintf(&path[i > 0 ? 2 * i - 1 : 0], 3, "%s%s", i > 0 ? "." : "", names[pick(NAMES)]);
        check_one_edit(&text, path, &value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_go_where_they_belong), cmocka_unit_test(wrong_edits_are_refused),
        cmocka_unit_test(values_are_checked_alone),   cmocka_unit_test(limits_hold_for_the_result),
        cmocka_unit_test(edits_mean_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
