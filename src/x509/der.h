/* A bounded reader for DER (X.690): one-byte tags, definite lengths in their shortest form, and no
 * recursion, so that depth is bounded by the code that reads. Every failure makes the reader's
 * `failed` stick; what failed is the business of whoever reads. Spec: RFC 5280, X.690 8-11. */
#ifndef X509_DER_H
#define X509_DER_H

#include "base/bytes.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};
/* Context-specific tag number n: primitive (IMPLICIT on a simple type) and constructed. */
#define DER_CONTEXT(n)      (0x80 | (n))
#define DER_CONTEXT_CONS(n) (0xa0 | (n))

/* The next value of any tag; *tag is 0 and the slice empty on failure. */
struct slice der_any(struct reader *r, unsigned *tag);
/* The contents of the next value, which must have `tag`. */
struct slice der_value(struct reader *r, unsigned tag);
/* The same value, tag and length included. */
struct slice der_whole(struct reader *r, unsigned tag);
/* A reader over the contents of the next value, which must have `tag`; failed when it is not. */
struct reader der_enter(struct reader *r, unsigned tag);
/* Whether the next value has `tag`; false at the end. */
bool der_next_is(const struct reader *r, unsigned tag);

/* A non-negative INTEGER in its shortest form: its magnitude without the sign byte, at least one
 * byte, at most len_max. */
struct slice der_unsigned(struct reader *r, size_t len_max);
/* A small non-negative INTEGER or ENUMERATED of at most `max`. */
uint32_t der_small(struct reader *r, unsigned tag, uint32_t max);
/* A BOOLEAN: 00 or FF. */
bool der_boolean(struct reader *r);
/* A BIT STRING without unused bits: its octets. */
struct slice der_bit_octets(struct reader *r);
/* UTCTime (1950..2049) or GeneralizedTime as RFC 5280 wants them: seconds present, "Z". */
int64_t der_time(struct reader *r);

#endif
