/* Cursor of the TOML parser (TOML 1.0.0: white space, newlines, comments). */
#include "toml/scan.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

int scan_peek(const struct scanner *s, size_t ahead)
{
    size_t left = s->text.len - s->here.at;
    return ahead < left ? s->text.data[s->here.at + ahead] : SCAN_END;
}

bool scan_looking_at(const struct scanner *s, const char *text)
{
    for (size_t i = 0; text[i] != 0; i++)
        if (scan_peek(s, i) != (uint8_t)text[i])
            return false;
    return true;
}

void scan_skip(struct scanner *s, size_t len)
{
    for (size_t i = 0; i < len && s->here.at < s->text.len; i++) {
        bool is_tail = (s->text.data[s->here.at] & 0xc0) == 0x80;
        s->here.column += is_tail ? 0 : 1;
        s->here.at++;
    }
}

bool scan_take(struct scanner *s, char c)
{
    if (scan_peek(s, 0) != (uint8_t)c)
        return false;
    scan_skip(s, 1);
    return true;
}

bool scan_newline(struct scanner *s)
{
    if (scan_peek(s, 0) == '\n')
        s->here.at += 1;
    else if (scan_looking_at(s, "\r\n"))
        s->here.at += 2;
    else
        return false;
    s->here.line++;
    s->here.column = 1;
    return true;
}

void scan_blanks(struct scanner *s)
{
    while (scan_peek(s, 0) == ' ' || scan_peek(s, 0) == '\t')
        scan_skip(s, 1);
}

bool scan_is_control(int c)
{
    return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
}

bool scan_comment(struct scanner *s)
{
    if (!scan_take(s, '#'))
        return true;
    while (scan_peek(s, 0) != SCAN_END && scan_peek(s, 0) != '\n' && !scan_looking_at(s, "\r\n")) {
        if (scan_is_control(scan_peek(s, 0)))
            return scan_fail(s, s->here, "toml/syntax", "control character U+%04X in a comment",
                             (unsigned)scan_peek(s, 0));
        scan_skip(s, 1);
    }
    return true;
}

bool scan_gap(struct scanner *s)
{
    do {
        scan_blanks(s);
        if (!scan_comment(s))
            return false;
    } while (scan_newline(s));
    return true;
}

struct slice scan_since(const struct scanner *s, struct place from)
{
    return slice_cut(s->text, from.at, s->here.at - from.at);
}

bool scan_fail(const struct scanner *s, struct place where, const char *code, const char *format,
               ...)
{
    char what[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return error_set(s->err, code, NULL, "line %u, column %u: %s", where.line, where.column, what);
}

bool scan_fail_expected(const struct scanner *s, const char *what)
{
    int c = scan_peek(s, 0);
    if (c == SCAN_END)
        return scan_fail(s, s->here, "toml/syntax", "expected %s, found the end of the text", what);
    if (c == '\n' || scan_looking_at(s, "\r\n"))
        return scan_fail(s, s->here, "toml/syntax", "expected %s, found the end of the line", what);
    if (scan_is_control(c))
        return scan_fail(s, s->here, "toml/syntax", "expected %s, found U+%04X", what, (unsigned)c);
    struct slice rest = slice_cut(s->text, s->here.at, UTF8_SEQUENCE_MAX);
    return scan_fail(s, s->here, "toml/syntax", "expected %s, found '%.*s'", what,
                     (int)utf8_decode(rest.data, rest.len, NULL), (const char *)rest.data);
}
