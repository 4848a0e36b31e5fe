/* Validity windows of the keys in a trust root. */
#include "sigstore/window.h"

#include <string.h>

#include "base/clock.h"

enum { SECONDS_LEN = 19, FRACTION_DIGITS_MAX = 9, OFFSET_LEN = 6, MINUTE_MS = 60000 };

static bool two_digits(struct slice s, size_t at, int *out)
{
    if (at + 2 > s.len)
        return false;
    unsigned tens = s.data[at] - (unsigned)'0', ones = s.data[at + 1] - (unsigned)'0';
    *out = (int)(tens * 10 + ones);
    return tens < 10 && ones < 10;
}

/* "Z" or "+hh:mm". */
static bool parse_zone(struct slice s, int64_t *out_ms)
{
    int hours, minutes;
    if (slice_equal_str(s, "Z"))
        return *out_ms = 0, true;
    if (s.len != OFFSET_LEN || (s.data[0] != '+' && s.data[0] != '-') || s.data[3] != ':' ||
        !two_digits(s, 1, &hours) || !two_digits(s, 4, &minutes) || hours > 23 || minutes > 59)
        return false;
    int64_t ms = ((int64_t)hours * 60 + minutes) * MINUTE_MS;
    *out_ms = s.data[0] == '+' ? ms : -ms;
    return true;
}

/* ".999": digits behind the third are cut off. Moves *s behind the fraction. */
static bool parse_fraction(struct slice *s, int64_t *out_ms)
{
    size_t digits = 0;
    int64_t ms = 0;
    if (s->len == 0 || s->data[0] != '.')
        return *out_ms = 0, true;
    while (1 + digits < s->len && s->data[1 + digits] >= '0' && s->data[1 + digits] <= '9')
        digits++;
    if (digits == 0 || digits > FRACTION_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < 3; i++)
        ms = ms * 10 + (i < digits ? s->data[1 + i] - '0' : 0);
    *s = slice_cut(*s, 1 + digits, s->len);
    *out_ms = ms;
    return true;
}

bool sigstore_time_parse(struct slice text, int64_t *out_unix_ms)
{
    char plain[SECONDS_LEN + 1];
    int64_t unix_s, fraction_ms, zone_ms;
    if (text.len < SECONDS_LEN + 1)
        return false;
    memcpy(plain, text.data, SECONDS_LEN);
    plain[SECONDS_LEN] = 'Z';
    struct slice rest = slice_cut(text, SECONDS_LEN, text.len);
    if (!time_parse_utc(slice_of(plain, sizeof plain), &unix_s) ||
        !parse_fraction(&rest, &fraction_ms) || !parse_zone(rest, &zone_ms))
        return false;
    *out_unix_ms = unix_s * 1000 + fraction_ms - zone_ms;
    return true;
}

static bool read_bound(const struct fields *f, const json_t *range, const char *name, int64_t *out,
                       struct error *err)
{
    struct slice text;
    return fields_text(f, range, name, &text, err) &&
           (sigstore_time_parse(text, out) ||
            error_set(err, f->code, name, "validFor.%s is not a time", name));
}

bool sigstore_window_read(const struct fields *f, const json_t *obj, struct sigstore_window *out,
                          struct error *err)
{
    struct sigstore_window window = {.end_ms = INT64_MAX};
    json_t *range;
    if (!fields_object(f, obj, "validFor", &range, err) ||
        !read_bound(f, range, "start", &window.start_ms, err))
        return false;
    const json_t *end = json_object_get(range, "end");
    if (end != NULL && !json_is_null(end) && !read_bound(f, range, "end", &window.end_ms, err))
        return false;
    if (window.end_ms < window.start_ms)
        return error_set(err, f->code, "validFor", "a key's validFor ends before it starts");
    *out = window;
    return true;
}

bool sigstore_window_has(const struct sigstore_window *window, int64_t unix_ms)
{
    return unix_ms >= window->start_ms && unix_ms <= window->end_ms;
}
