/* Internal to this room: what every source does with the bytes it got. */
#ifndef PLATFORM_QUOTE_CHECK_H
#define PLATFORM_QUOTE_CHECK_H

#include "base/bytes.h"
#include "platform/quote_source.h"

/* The bytes are a quote (platform/quote) and it carries this report data (platform/report-data). An
 * echo beside the quote proves nothing: only the copy inside is looked at. */
bool quote_check(struct slice quote, const uint8_t report_data[REPORT_DATA_LEN],
                 struct error *err) MUST_USE;

#endif
