/* UTF-8 sequences, strictly as RFC 3629 has them. */
#include "base/utf8.h"

#include <stdbool.h>

static const struct {
    uint8_t mask, value; /* of the lead byte */
    uint32_t min;        /* below it the form is overlong */
} forms[UTF8_SEQUENCE_MAX] = {
    {0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

static bool is_scalar(uint32_t point)
{
    return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

size_t utf8_decode(const uint8_t *text, size_t len, uint32_t *point)
{
    for (size_t tail = 0; tail < UTF8_SEQUENCE_MAX && tail < len; tail++) {
        if ((text[0] & forms[tail].mask) != forms[tail].value)
            continue;
        uint32_t value = text[0] & (uint8_t)~forms[tail].mask;
        for (size_t i = 1; i <= tail; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            value = value << 6 | (text[i] & 0x3f);
        }
        if (value < forms[tail].min || !is_scalar(value))
            return 0;
        if (point != NULL)
            *point = value;
        return tail + 1;
    }
    return 0;
}

size_t utf8_encode(uint32_t point, uint8_t out[UTF8_SEQUENCE_MAX])
{
    if (!is_scalar(point))
        return 0;
    size_t tail = UTF8_SEQUENCE_MAX - 1;
    while (point < forms[tail].min)
        tail--;
    for (size_t i = tail; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (uint8_t)(forms[tail].value | point);
    return tail + 1;
}
