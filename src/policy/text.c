/* Normalisation of measurement texts in the dialects of the existing programs (compatibility facts
 * B.6). */
#include "policy/text.h"

#include "base/codec.h"

enum { TEXT_SHOWN_MAX = 100 };

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice policy_text_trim(struct slice s)
{
    while (s.len > 0 && is_space(s.data[0]))
        s = slice_cut(s, 1, s.len - 1);
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

struct slice policy_text_strip_0x(struct slice s, bool any_case)
{
    if (s.len >= 2 && s.data[0] == '0' && (s.data[1] == 'x' || (any_case && s.data[1] == 'X')))
        return slice_cut(s, 2, s.len - 2);
    return s;
}

bool policy_text_next_csv(struct slice *rest, struct slice *entry)
{
    if (!rest->data)
        return false;
    size_t at = 0;
    while (at < rest->len && rest->data[at] != ',')
        at++;
    *entry = slice_cut(*rest, 0, at);
    /* Past the last entry the rest has no data at all, so that "a," still yields its empty end. */
    *rest = at < rest->len ? slice_of(&rest->data[at + 1], rest->len - at - 1) : slice_of(NULL, 0);
    return true;
}

int policy_text_shown(struct slice s)
{
    return s.len > TEXT_SHOWN_MAX ? TEXT_SHOWN_MAX : (int)s.len;
}

static bool is_hex(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!digit)
            return false;
    }
    return true;
}

static struct slice strip_prefix(struct slice s, enum policy_dialect dialect)
{
    if (dialect != POLICY_DIALECT_KMS)
        return policy_text_strip_0x(s, true);
    for (struct slice next = policy_text_strip_0x(s, false); next.len != s.len;
         next = policy_text_strip_0x(s, false))
        s = next;
    return s;
}

static bool bad_measurement(struct slice text, struct slice digits, enum policy_dialect dialect,
                            const char *field, struct error *err)
{
    bool hex = is_hex(digits);
    if (dialect == POLICY_DIALECT_KMS)
        return error_set(err, "policy/value", field,
                         "%s contains an invalid measurement '%.*s': expected %d hex characters, "
                         "got %zu%s",
                         field, policy_text_shown(text), (const char *)text.data,
                         2 * MEASUREMENT_LEN, digits.len, hex ? "" : " with non-hex among them");
    if (!hex || digits.len % 2 != 0)
        return error_set(err, "policy/value", field, "%s contains non-hex value: %.*s", field,
                         policy_text_shown(text), (const char *)text.data);
    return error_set(
        err, "policy/value", field,
        "%s contains invalid TDX measurement length (expected %d bytes, got %zu bytes)", field,
        MEASUREMENT_LEN, digits.len / 2);
}

bool policy_parse_measurement(struct slice text, enum policy_dialect dialect, const char *field,
                              uint8_t out[MEASUREMENT_LEN], bool *empty, struct error *err)
{
    struct slice trimmed = policy_text_trim(text);
    struct slice digits = strip_prefix(trimmed, dialect);
    /* A bare "0x" is nothing to the node, and a wrong value to the KMS. */
    if (dialect == POLICY_DIALECT_KMS ? trimmed.len == 0 : digits.len == 0) {
        *empty = true;
        return true;
    }
    if (!hex_decode(digits, out, MEASUREMENT_LEN))
        return bad_measurement(trimmed, digits, dialect, field, err);
    *empty = false;
    return true;
}
