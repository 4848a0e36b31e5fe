/* Numbers, booleans, dates and times of TOML 1.0.0. */
#include "toml/scalar.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int at(struct slice s, size_t i)
{
    return i < s.len ? s.data[i] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int digit_value(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* Length of the run of digits of `base` that starts at `from`, with single underscores between
 * digits; 0 when there is no digit or an underscore stands wrong. */
static size_t digit_run(struct slice s, size_t from, int base)
{
    size_t i = from;
    while (digit_value(at(s, i)) < base || (i > from && at(s, i) == '_')) {
        if (at(s, i) == '_' && digit_value(at(s, i + 1)) >= base)
            return 0;
        i++;
    }
    return i - from;
}

/* Digits (and underscores) of `s` as a number; false when it passes max. */
static bool accumulate(struct slice s, unsigned base, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '_')
            continue;
        uint64_t digit = (uint64_t)digit_value(s.data[i]);
        if (value > (max - digit) / base)
            return false;
        value = value * base + digit;
    }
    *out = value;
    return true;
}

static const char *read_prefixed(struct slice token, int base, struct scalar *out)
{
    uint64_t value;
    if (token.len == 2 || digit_run(token, 2, base) != token.len - 2)
        return "malformed integer";
    if (!accumulate(slice_cut(token, 2, token.len), (unsigned)base, INT64_MAX, &value))
        return "integer out of range";
    out->kind = TOML_INTEGER;
    out->integer = (int64_t)value;
    return NULL;
}

static const char *read_decimal(struct slice token, size_t sign, struct scalar *out)
{
    bool negative = at(token, 0) == '-';
    uint64_t value;
    if (!accumulate(slice_cut(token, sign, token.len), 10, (uint64_t)INT64_MAX + negative, &value))
        return "integer out of range";
    out->kind = TOML_INTEGER;
    out->integer = negative ? (int64_t)(0 - value) : (int64_t)value;
    return NULL;
}

/* strtod in the "C" locale, whatever the process has set. */
static bool to_double(const char *text, double *out)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        return false;
    locale_t before = uselocale(c);
    *out = strtod(text, NULL);
    uselocale(before);
    freelocale(c);
    return isfinite(*out);
}

static const char *read_float(struct slice token, struct scalar *out)
{
    char plain[TOML_NUMBER_LEN_MAX + 1];
    size_t len = 0;
    for (size_t i = 0; i < token.len; i++)
        if (token.data[i] != '_')
            plain[len++] = (char)token.data[i];
    plain[len] = 0;
    out->kind = TOML_FLOAT;
    return to_double(plain, &out->number) ? NULL : "float out of range";
}

static const char *read_special_float(struct slice word, bool negative, struct scalar *out)
{
    double value = slice_equal_str(word, "inf") ? (double)INFINITY : (double)NAN;
    out->kind = TOML_FLOAT;
    out->number = negative ? -value : value;
    return NULL;
}

static const char *read_number(struct slice token, struct scalar *out)
{
    size_t sign = at(token, 0) == '+' || at(token, 0) == '-' ? 1 : 0;
    struct slice word = slice_cut(token, sign, token.len);
    if (slice_equal_str(word, "inf") || slice_equal_str(word, "nan"))
        return read_special_float(word, at(token, 0) == '-', out);
    if (token.len > TOML_NUMBER_LEN_MAX)
        return "number too long";
    if (at(token, 0) == '0' && at(token, 1) == 'x')
        return read_prefixed(token, 16, out);
    if (at(token, 0) == '0' && at(token, 1) == 'o')
        return read_prefixed(token, 8, out);
    if (at(token, 0) == '0' && at(token, 1) == 'b')
        return read_prefixed(token, 2, out);

    size_t whole = digit_run(token, sign, 10), i = sign + whole;
    if (whole == 0)
        return "not a TOML value (strings need quotes)";
    if (whole > 1 && at(token, sign) == '0')
        return "a number may not start with 0";
    if (i == token.len)
        return read_decimal(token, sign, out);
    if (at(token, i) == '.') {
        size_t fraction = digit_run(token, i + 1, 10);
        if (fraction == 0)
            return "malformed float";
        i += 1 + fraction;
    }
    if (at(token, i) == 'e' || at(token, i) == 'E') {
        size_t exponent_sign = at(token, i + 1) == '+' || at(token, i + 1) == '-' ? 1 : 0;
        size_t exponent = digit_run(token, i + 1 + exponent_sign, 10);
        if (exponent == 0)
            return "malformed float";
        i += 1 + exponent_sign + exponent;
    }
    return i == token.len ? read_float(token, out) : "malformed number";
}

/* Two or four digits at `from` as a number in [min, max]; -1 otherwise. */
static int date_field(struct slice s, size_t from, size_t width, int min, int max)
{
    int value = 0;
    for (size_t i = 0; i < width; i++) {
        if (!is_digit(at(s, from + i)))
            return -1;
        value = value * 10 + (s.data[from + i] - '0');
    }
    return value >= min && value <= max ? value : -1;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

enum { DATE_LEN = 10, TIME_LEN = 8, OFFSET_LEN = 6, FRACTION_MIN = 3, FRACTION_MAX = 9 };

static bool has_date_shape(struct slice s)
{
    return at(s, 4) == '-' && is_digit(at(s, 0)) && is_digit(at(s, 1)) && is_digit(at(s, 2)) &&
           is_digit(at(s, 3));
}

static bool has_time_shape(struct slice s)
{
    return at(s, 2) == ':' && is_digit(at(s, 0)) && is_digit(at(s, 1));
}

static bool date_ok(struct slice s)
{
    int year = date_field(s, 0, 4, 0, 9999);
    int month = date_field(s, 5, 2, 1, 12);
    if (year < 0 || month < 0 || at(s, 4) != '-' || at(s, 7) != '-')
        return false;
    return date_field(s, 8, 2, 1, days_in_month(year, month)) > 0;
}

/* hh:mm:ss at `from`; second 60 is a leap second of RFC 3339. */
static bool time_ok(struct slice s, size_t from)
{
    return date_field(s, from, 2, 0, 23) >= 0 && at(s, from + 2) == ':' &&
           date_field(s, from + 3, 2, 0, 59) >= 0 && at(s, from + 5) == ':' &&
           date_field(s, from + 6, 2, 0, 60) >= 0;
}

static bool offset_ok(struct slice s, size_t from)
{
    return (at(s, from) == '+' || at(s, from) == '-') && date_field(s, from + 1, 2, 0, 23) >= 0 &&
           at(s, from + 3) == ':' && date_field(s, from + 4, 2, 0, 59) >= 0;
}

/* Copies ".123456": at least milliseconds, at most nanoseconds. Returns its length in the token. */
static size_t copy_fraction(struct slice s, size_t from, struct buf *text)
{
    size_t digits = 0;
    while (is_digit(at(s, from + 1 + digits)))
        digits++;
    if (digits == 0)
        return 0;
    buf_append(text, slice_cut(s, from, 1 + (digits < FRACTION_MAX ? digits : FRACTION_MAX)));
    for (size_t i = digits; i < FRACTION_MIN; i++)
        buf_append_byte(text, '0');
    return 1 + digits;
}

/* Everything behind the date: time, fraction, offset. */
static bool copy_time(struct slice s, size_t from, bool offset_allowed, struct buf *text,
                      bool *has_offset)
{
    if (!time_ok(s, from))
        return false;
    buf_append(text, slice_cut(s, from, TIME_LEN));
    size_t i = from + TIME_LEN;
    if (at(s, i) == '.') {
        size_t len = copy_fraction(s, i, text);
        if (len == 0)
            return false;
        i += len;
    }
    *has_offset = offset_allowed && i < s.len;
    if (*has_offset && (at(s, i) == 'Z' || at(s, i) == 'z')) {
        buf_append_byte(text, 'Z');
        i += 1;
    } else if (*has_offset && offset_ok(s, i)) {
        buf_append(text, slice_cut(s, i, OFFSET_LEN));
        i += OFFSET_LEN;
    }
    return i == s.len;
}

static bool copy_date_time(struct slice token, struct buf *text, enum toml_kind *kind)
{
    bool has_offset = false;
    if (has_time_shape(token)) {
        *kind = TOML_LOCAL_TIME;
        return copy_time(token, 0, false, text, &has_offset);
    }
    if (!date_ok(token))
        return false;
    buf_append(text, slice_cut(token, 0, DATE_LEN));
    *kind = TOML_LOCAL_DATE;
    if (token.len == DATE_LEN)
        return true;
    int separator = at(token, DATE_LEN);
    if (separator != 'T' && separator != 't' && separator != ' ')
        return false;
    buf_append_byte(text, 'T');
    bool ok = copy_time(token, DATE_LEN + 1, true, text, &has_offset);
    *kind = has_offset ? TOML_OFFSET_DATETIME : TOML_LOCAL_DATETIME;
    return ok;
}

static const char *read_date_time(struct slice token, struct scalar *out)
{
    BUF_AUTO struct buf text = BUF_INIT(SCALAR_TEXT_MAX - 1);
    enum toml_kind kind;
    if (!copy_date_time(token, &text, &kind) || buf_cstr(&text) == NULL)
        return "malformed date or time";
    out->kind = kind;
    snprintf(out->text, sizeof out->text, "%s", buf_cstr(&text));
    return NULL;
}

bool scalar_is_date(struct slice token)
{
    return token.len == DATE_LEN && has_date_shape(token) && at(token, 7) == '-';
}

const char *scalar_read(struct slice token, struct scalar *out)
{
    *out = (struct scalar){.kind = TOML_BOOL};
    if (slice_equal_str(token, "true") || slice_equal_str(token, "false")) {
        out->truth = token.len == 4;
        return NULL;
    }
    if (has_date_shape(token) || has_time_shape(token))
        return read_date_time(token, out);
    return read_number(token, out);
}
