/* Strings of TOML 1.0.0: basic and literal, each on one line or several. Newlines inside the long
 * forms are read as LF. */
#include "toml/string.h"

#include "base/utf8.h"
#include "toml/tree.h"

struct form {
    char quote;
    bool literal, multi_line;
};

static bool out_of_memory(const struct scanner *s)
{
    return error_set(s->err, "memory", NULL, "out of memory");
}

static int hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The digits of \uXXXX or \UXXXXXXXX; the cursor stands behind the letter. */
static bool read_code_point(struct scanner *s, struct place start, size_t digits, struct buf *out)
{
    uint32_t point = 0;
    for (size_t i = 0; i < digits; i++) {
        int value = hex_value(scan_peek(s, 0));
        if (value < 0)
            return scan_fail(s, start, "toml/syntax", "this escape needs %zu hex digits", digits);
        point = point << 4 | (uint32_t)value;
        scan_skip(s, 1);
    }
    uint8_t bytes[UTF8_SEQUENCE_MAX];
    size_t len = utf8_encode(point, bytes);
    if (len == 0)
        return scan_fail(s, start, "toml/syntax", "escape of U+%04X, which is no Unicode scalar",
                         (unsigned)point);
    return buf_append(out, slice_of(bytes, len)) ? true : out_of_memory(s);
}

/* Behind a backslash at the end of a line everything up to the next visible character vanishes. */
static bool skip_line_break(struct scanner *s)
{
    scan_blanks(s);
    if (!scan_newline(s))
        return false;
    do
        scan_blanks(s);
    while (scan_newline(s));
    return true;
}

static bool read_escape(struct scanner *s, bool multi_line, struct buf *out)
{
    static const struct {
        char letter, value;
    } simple[] = {{'b', '\b'}, {'t', '\t'}, {'n', '\n'}, {'f', '\f'},
                  {'r', '\r'}, {'"', '"'},  {'\\', '\\'}};
    struct place start = s->here;
    scan_skip(s, 1);
    int letter = scan_peek(s, 0);
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++)
        if (letter == simple[i].letter) {
            scan_skip(s, 1);
            return buf_append_byte(out, (uint8_t)simple[i].value) ? true : out_of_memory(s);
        }
    if (scan_take(s, 'u'))
        return read_code_point(s, start, 4, out);
    if (scan_take(s, 'U'))
        return read_code_point(s, start, 8, out);
    if (multi_line && skip_line_break(s))
        return true;
    return scan_fail(s, start, "toml/syntax", "unknown escape in a string (a backslash is \\\\)");
}

/* At a quote: true with *closed when the string ends here; quotes that are content go to out. Up to
 * two quotes may stand directly before the closing three. */
static bool read_quotes(struct scanner *s, const struct form *form, struct buf *out, bool *closed)
{
    size_t run = 0, closing = form->multi_line ? 3 : 1, most = form->multi_line ? 5 : 1;
    while (run < most && scan_peek(s, run) == (uint8_t)form->quote)
        run++;
    *closed = run >= closing;
    scan_skip(s, run);
    for (size_t i = *closed ? closing : 0; i < run; i++)
        if (!buf_append_byte(out, (uint8_t)form->quote))
            return out_of_memory(s);
    return true;
}

/* One step of the content: a newline, an escape, or a plain byte. */
static bool read_content(struct scanner *s, const struct form *form, struct buf *out)
{
    int c = scan_peek(s, 0);
    if (c == '\\' && !form->literal)
        return read_escape(s, form->multi_line, out);
    if (form->multi_line && scan_newline(s))
        return buf_append_byte(out, '\n') ? true : out_of_memory(s);
    if (c == SCAN_END || c == '\n' || scan_looking_at(s, "\r\n"))
        return scan_fail_expected(s, "the closing quote of the string");
    if (scan_is_control(c))
        return scan_fail(s, s->here, "toml/syntax",
                         "control character U+%04X in a string (write it as an escape)",
                         (unsigned)c);
    scan_skip(s, 1);
    return buf_append_byte(out, (uint8_t)c) ? true : out_of_memory(s);
}

bool string_read(struct scanner *s, bool multi_line, struct buf *out)
{
    struct form form = {.quote = (char)scan_peek(s, 0), .literal = scan_peek(s, 0) == '\''};
    form.multi_line =
        multi_line && scan_peek(s, 1) == scan_peek(s, 0) && scan_peek(s, 2) == scan_peek(s, 0);
    scan_skip(s, form.multi_line ? 3 : 1);
    if (form.multi_line)
        scan_newline(s); /* a newline right behind the opening does not count */
    for (bool closed = false; !closed;) {
        bool ok = scan_peek(s, 0) == (uint8_t)form.quote ? read_quotes(s, &form, out, &closed)
                                                         : read_content(s, &form, out);
        if (!ok)
            return false;
    }
    return true;
}

bool toml_is_bare_char(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool toml_append_string(struct buf *out, struct slice s)
{
    static const char short_escapes[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    bool ok = buf_append_byte(out, '"');
    for (size_t i = 0; ok && i < s.len; i++) {
        uint8_t c = s.data[i];
        size_t known = 0;
        while (short_escapes[known] != 0 && (uint8_t)short_escapes[known] != c)
            known++;
        if (short_escapes[known] != 0)
            ok = buf_append_byte(out, '\\') && buf_append_byte(out, (uint8_t)letters[known]);
        else if (scan_is_control(c))
            ok = buf_printf(out, "\\u%04X", c);
        else
            ok = buf_append_byte(out, c);
    }
    return ok && buf_append_byte(out, '"');
}

bool toml_append_key(struct buf *out, struct slice key)
{
    bool bare = key.len > 0;
    for (size_t i = 0; i < key.len; i++)
        bare = bare && toml_is_bare_char(key.data[i]);
    return bare ? buf_append(out, key) : toml_append_string(out, key);
}
