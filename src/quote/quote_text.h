/* The human view of a quote: one line per field, for `mero-tee quote inspect`. */
#ifndef QUOTE_QUOTE_TEXT_H
#define QUOTE_QUOTE_TEXT_H

#include "quote/quote.h"

/* Appends the lines; false when out's ceiling (QUOTE_TEXT_MAX is enough) or memory is reached. The
 * first line says that nothing has been verified. */
enum { QUOTE_TEXT_MAX = 16384 };
bool quote_append_text(const struct quote *q, struct buf *out);

/* The names of the bits that are set, "SEPT_VE_DISABLE, PERFMON", "bit 8" for one without a name;
 * "none". Spec: DCAP facts 9. */
bool td_attributes_append(const uint8_t attributes[8], struct buf *out);
bool sgx_attributes_append(const uint8_t attributes[16], struct buf *out);

#endif
