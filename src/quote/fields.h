/* The fields of report bodies with their names, in quote order: what the JSON view and the human
 * view both show. Internal to this room. Spec: DCAP facts 1.2, reference facts E.2. */
#ifndef QUOTE_FIELDS_H
#define QUOTE_FIELDS_H

#include "quote/quote.h"

struct quote_field {
    const char *name; /* as in the JSON view */
    const uint8_t *bytes;
    size_t len;
};

enum { QUOTE_FIELDS_MAX = 32 };

/* The fields that the body has; returns how many. */
size_t quote_body_fields(const struct quote *q, struct quote_field out[QUOTE_FIELDS_MAX]);

/* How the reference names a certification data type: "PckCertChain". */
const char *quote_cert_type_reference_name(enum quote_cert_type type);

#endif
