/* A small DER writer (X.690): enough for certificate extension values and for re-signing a TBS
 * structure. Everything is appended to a buf; check buf.failed once at the end. */
#ifndef SIM_DER_H
#define SIM_DER_H

#include "base/bytes.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_SEQUENCE = 0x30,
    DER_CONTEXT_0 = 0x80,
    DER_CONTEXT_CONSTRUCTED_0 = 0xa0,
    DER_URI = 0x86,
};

void der_put(struct buf *out, uint8_t tag, struct slice content);
void der_put_bool(struct buf *out, bool value);
/* INTEGER or ENUMERATED, minimal two's complement of an unsigned value. */
void der_put_uint(struct buf *out, uint8_t tag, uint64_t value);
/* Position of content that is wrapped later: write the content after der_begin(), then der_end()
 * puts tag and length in front of it. */
size_t der_begin(const struct buf *out);
void der_end(struct buf *out, size_t begin, uint8_t tag);

#endif
