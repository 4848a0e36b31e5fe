/* Parsing and ordering of versions. */
#include "release/version.h"

#include <string.h>

#include "release/limits.h"

enum { NUMBER_DIGITS_MAX = 18 };

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_suffix(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-';
}

static bool take_number(struct reader *r, uint64_t *out)
{
    uint64_t number = 0;
    size_t digits = 0;
    while (digits < r->rest.len && digits <= NUMBER_DIGITS_MAX && is_digit(r->rest.data[digits])) {
        number = number * 10 + (uint64_t)(r->rest.data[digits] - '0');
        digits++;
    }
    reader_take(r, digits);
    *out = number;
    return digits > 0 && digits <= NUMBER_DIGITS_MAX;
}

/* One or more characters of a suffix. */
static bool take_suffix(struct reader *r, struct slice *out)
{
    size_t len = 0;
    while (len < r->rest.len && is_suffix(r->rest.data[len]))
        len++;
    *out = reader_take(r, len);
    return len > 0;
}

static bool parse(struct slice text, struct release_version *out)
{
    struct reader r = reader_of(text);
    struct slice build;
    *out = (struct release_version){0};
    if (text.len >= RELEASE_VERSION_MAX || !take_number(&r, &out->number[0]) ||
        reader_u8(&r) != '.' || !take_number(&r, &out->number[1]) || reader_u8(&r) != '.' ||
        !take_number(&r, &out->number[2]))
        return false;
    if (r.rest.len > 0 && r.rest.data[0] == '-') {
        reader_u8(&r);
        if (!take_suffix(&r, &out->pre))
            return false;
    }
    if (r.rest.len > 0 && r.rest.data[0] == '+') {
        reader_u8(&r);
        while (take_suffix(&r, &build) && r.rest.len > 0 && r.rest.data[0] == '+')
            reader_u8(&r);
        if (build.len == 0)
            return false;
    }
    return reader_at_end(&r);
}

bool release_version_parse(const char *text, struct release_version *out, struct error *err)
{
    struct release_version made;
    if (!parse(slice_str(text), &made))
        return error_set(err, "release/version", NULL, "'%s' is not a version like 2.3.71", text);
    *out = made;
    return true;
}

/* The identifier in front of the next '.', which is taken too. */
static struct slice take_identifier(struct slice *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != '.')
        len++;
    struct slice identifier = slice_cut(*rest, 0, len);
    *rest = slice_cut(*rest, len + 1, rest->len);
    return identifier;
}

static bool is_numeric(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_digit(s.data[i]))
            return false;
    return s.len > 0;
}

static struct slice without_zeros(struct slice s)
{
    while (s.len > 1 && s.data[0] == '0')
        s = slice_cut(s, 1, s.len);
    return s;
}

static int compare_text(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    if (order != 0)
        return order < 0 ? -1 : 1;
    return a.len == b.len ? 0 : (a.len < b.len ? -1 : 1);
}

/* Numbers by value and below texts, texts by their bytes. */
static int compare_identifier(struct slice a, struct slice b)
{
    if (is_numeric(a) != is_numeric(b))
        return is_numeric(a) ? -1 : 1;
    if (!is_numeric(a))
        return compare_text(a, b);
    a = without_zeros(a);
    b = without_zeros(b);
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return compare_text(a, b);
}

static int compare_pre(struct slice a, struct slice b)
{
    if (a.len == 0 || b.len == 0)
        return a.len == b.len ? 0 : (a.len == 0 ? 1 : -1);
    while (a.len > 0 && b.len > 0) {
        int order = compare_identifier(take_identifier(&a), take_identifier(&b));
        if (order != 0)
            return order;
    }
    return a.len == b.len ? 0 : (a.len == 0 ? -1 : 1);
}

int release_version_compare(const struct release_version *a, const struct release_version *b)
{
    for (size_t i = 0; i < 3; i++)
        if (a->number[i] != b->number[i])
            return a->number[i] < b->number[i] ? -1 : 1;
    return compare_pre(a->pre, b->pre);
}
