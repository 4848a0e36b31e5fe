/* DER writer, X.690 sections 8 and 10. */
#include "sim/der.h"

#include <string.h>

enum { DER_HEADER_MAX = 1 + 1 + 4 };

static size_t der_header(uint8_t tag, size_t len, uint8_t out[DER_HEADER_MAX])
{
    size_t at = 0;
    out[at++] = tag;
    if (len < 0x80) {
        out[at++] = (uint8_t)len;
        return at;
    }
    unsigned octets = len > 0xffffff ? 4 : len > 0xffff ? 3 : len > 0xff ? 2 : 1;
    out[at++] = (uint8_t)(0x80 | octets);
    while (octets-- > 0)
        out[at++] = (uint8_t)(len >> (8 * octets));
    return at;
}

void der_put(struct buf *out, uint8_t tag, struct slice content)
{
    uint8_t header[DER_HEADER_MAX];
    buf_append(out, slice_of(header, der_header(tag, content.len, header)));
    buf_append(out, content);
}

void der_put_bool(struct buf *out, bool value)
{
    uint8_t octet = value ? 0xff : 0x00;
    der_put(out, DER_BOOLEAN, slice_of(&octet, 1));
}

void der_put_uint(struct buf *out, uint8_t tag, uint64_t value)
{
    uint8_t octets[9] = {0}; /* one more than the value: a leading zero keeps it positive */
    store_u64be(octets + 1, value);
    size_t skip = 0;
    while (skip < 8 && octets[skip] == 0 && octets[skip + 1] < 0x80)
        skip++;
    der_put(out, tag, slice_of(octets + skip, sizeof octets - skip));
}

size_t der_begin(const struct buf *out)
{
    return out->len;
}

void der_end(struct buf *out, size_t begin, uint8_t tag)
{
    if (out->failed || begin > out->len) {
        out->failed = true;
        return;
    }
    size_t content_len = out->len - begin;
    uint8_t header[DER_HEADER_MAX];
    size_t header_len = der_header(tag, content_len, header);
    if (buf_extend(out, header_len) == NULL)
        return;
    memmove(out->data + begin + header_len, out->data + begin, content_len);
    memcpy(out->data + begin, header, header_len);
}
