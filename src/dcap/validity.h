/* Spans of time in which something counts, both ends included. Signatures are checked once, these
 * at every use. Spec: DCAP facts 8. */
#ifndef DCAP_VALIDITY_H
#define DCAP_VALIDITY_H

#include "base/bytes.h"

struct validity {
    const char *what; /* a literal: "tcbInfo", "pckCertChain[0]" */
    int64_t from_s, to_s;
};

enum validity_of { VALIDITY_OF_CERT, VALIDITY_OF_COLLATERAL };

/* Codes cert/expired, cert/not-yet-valid or collateral/expired, collateral/not-yet-valid. */
bool validity_check(const struct validity *spans, size_t count, enum validity_of of, int64_t now_s,
                    struct error *err) MUST_USE;
/* The end of the first to end. */
int64_t validity_end(const struct validity *spans, size_t count);

#endif
