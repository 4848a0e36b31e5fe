/* The bounded DER reader. Spec: X.690 8.1 and 10.1 (lengths), 8.3 (INTEGER), 11.1 (BOOLEAN); RFC
 * 5280, 4.1.2.5 (times). */
#include "x509/der.h"

#include "base/clock.h"

static void fail(struct reader *r)
{
    r->failed = true;
    r->rest.len = 0;
}

/* The length octets: short form below 128, else the fewest octets that hold it, at most four. */
static size_t read_length(struct reader *r)
{
    unsigned first = reader_u8(r);
    if (first < 0x80)
        return first;
    unsigned count = first & 0x7f;
    if (count < 1 || count > 4) {
        fail(r);
        return 0;
    }
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len = len << 8 | reader_u8(r);
    if (len < 0x80 || len >> (8 * (count - 1)) == 0)
        fail(r);
    return len;
}

struct slice der_any(struct reader *r, unsigned *tag)
{
    *tag = reader_u8(r);
    if ((*tag & 0x1f) == 0x1f)
        fail(r);
    size_t len = read_length(r);
    struct slice value = reader_take(r, len);
    if (r->failed)
        *tag = 0;
    return value;
}

struct slice der_value(struct reader *r, unsigned tag)
{
    unsigned found;
    struct slice value = der_any(r, &found);
    if (r->failed || found != tag) {
        fail(r);
        return slice_of(NULL, 0);
    }
    return value;
}

struct slice der_whole(struct reader *r, unsigned tag)
{
    struct slice before = r->rest;
    (void)der_value(r, tag);
    return r->failed ? slice_of(NULL, 0) : slice_cut(before, 0, before.len - r->rest.len);
}

struct reader der_enter(struct reader *r, unsigned tag)
{
    struct reader inside = reader_of(der_value(r, tag));
    inside.failed = r->failed;
    return inside;
}

bool der_next_is(const struct reader *r, unsigned tag)
{
    return !r->failed && r->rest.len > 0 && r->rest.data[0] == tag;
}

/* X.690 8.3.2: the first nine bits of an INTEGER are neither all zero nor all one. */
static struct slice magnitude(struct reader *r, struct slice value, size_t len_max)
{
    bool negative = value.len > 0 && (value.data[0] & 0x80) != 0;
    bool padded = value.len > 1 && value.data[0] == 0;
    if (value.len == 0 || negative || (padded && (value.data[1] & 0x80) == 0)) {
        fail(r);
        return slice_of(NULL, 0);
    }
    struct slice digits = padded ? slice_cut(value, 1, value.len - 1) : value;
    if (digits.len > len_max) {
        fail(r);
        return slice_of(NULL, 0);
    }
    return digits;
}

struct slice der_unsigned(struct reader *r, size_t len_max)
{
    return magnitude(r, der_value(r, DER_INTEGER), len_max);
}

uint32_t der_small(struct reader *r, unsigned tag, uint32_t max)
{
    struct slice digits = magnitude(r, der_value(r, tag), sizeof(uint32_t));
    uint32_t value = 0;
    for (size_t i = 0; i < digits.len; i++)
        value = value << 8 | digits.data[i];
    if (value <= max)
        return value;
    fail(r);
    return 0;
}

bool der_boolean(struct reader *r)
{
    struct slice value = der_value(r, DER_BOOLEAN);
    if (value.len == 1 && (value.data[0] == 0x00 || value.data[0] == 0xff))
        return value.data[0] != 0;
    fail(r);
    return false;
}

struct slice der_bit_octets(struct reader *r)
{
    struct slice value = der_value(r, DER_BIT_STRING);
    if (value.len > 0 && value.data[0] == 0)
        return slice_cut(value, 1, value.len - 1);
    fail(r);
    return slice_of(NULL, 0);
}

/* Two decimal digits; makes *ok false when they are not. */
static int two_digits(struct reader *text, bool *ok)
{
    int tens = reader_u8(text) - '0';
    int ones = reader_u8(text) - '0';
    if (tens < 0 || tens > 9 || ones < 0 || ones > 9)
        *ok = false;
    return 10 * tens + ones;
}

int64_t der_time(struct reader *r)
{
    unsigned tag;
    struct reader text = reader_of(der_any(r, &tag));
    bool ok = tag == DER_UTC_TIME || tag == DER_GENERALIZED_TIME;
    int year = two_digits(&text, &ok);
    if (tag == DER_UTC_TIME)
        year += year < 50 ? 2000 : 1900;
    else
        year = 100 * year + two_digits(&text, &ok);
    int month = two_digits(&text, &ok), day = two_digits(&text, &ok);
    int hour = two_digits(&text, &ok), minute = two_digits(&text, &ok);
    int second = two_digits(&text, &ok);
    int64_t unix_s = 0;
    ok = ok && reader_u8(&text) == 'Z' && reader_at_end(&text) &&
         time_from_civil(year, month, day, hour, minute, second, &unix_s);
    if (!ok)
        fail(r);
    return unix_s;
}
