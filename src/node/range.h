/* One byte range of a download (RFC 9110, 14.1.2 and 14.2). */
#ifndef NODE_RANGE_H
#define NODE_RANGE_H

#include "base/bytes.h"

enum range_kind {
    RANGE_WHOLE,         /* no range, several ranges, another unit or nonsense: send everything */
    RANGE_PART,          /* 206 */
    RANGE_UNSATISFIABLE, /* 416 */
};

struct range {
    enum range_kind kind;
    uint64_t start, len; /* RANGE_PART only */
};

/* header: value of Range, or NULL. size: of the whole content. */
struct range range_parse(const char *header, uint64_t size);

#endif
