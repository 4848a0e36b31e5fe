/* "bytes=first-last", "bytes=first-", "bytes=-suffix". */
#include "node/range.h"

#include <strings.h>

enum { RANGE_DIGITS_MAX = 18 }; /* fits an int64_t */

/* Digits at the front of r; *given tells whether there were any. False when there are too many. */
static bool take_number(struct reader *r, uint64_t *value, bool *given)
{
    size_t digits = 0;
    *value = 0;
    while (r->rest.len > 0 && r->rest.data[0] >= '0' && r->rest.data[0] <= '9') {
        *value = *value * 10 + (uint64_t)(reader_u8(r) - '0');
        if (++digits > RANGE_DIGITS_MAX)
            return false;
    }
    *given = digits > 0;
    return true;
}

static struct range suffix_range(uint64_t len, uint64_t size)
{
    if (len == 0 || size == 0)
        return (struct range){.kind = RANGE_UNSATISFIABLE};
    len = len < size ? len : size;
    return (struct range){.kind = RANGE_PART, .start = size - len, .len = len};
}

struct range range_parse(const char *header, uint64_t size)
{
    static const struct range whole = {.kind = RANGE_WHOLE};
    if (header == NULL || strncasecmp(header, "bytes=", 6) != 0)
        return whole;
    struct reader r = reader_of(slice_str(header));
    (void)reader_take(&r, 6);
    uint64_t first = 0, last = 0;
    bool has_first = false, has_last = false;
    if (!take_number(&r, &first, &has_first) || reader_u8(&r) != '-' ||
        !take_number(&r, &last, &has_last) || !reader_at_end(&r) || (!has_first && !has_last))
        return whole;
    if (!has_first)
        return suffix_range(last, size);
    if (has_last && last < first)
        return whole;
    if (first >= size)
        return (struct range){.kind = RANGE_UNSATISFIABLE};
    if (!has_last || last >= size)
        last = size - 1;
    return (struct range){.kind = RANGE_PART, .start = first, .len = last - first + 1};
}
