/* The mock quote of reference facts D.5 step 7. Development builds only. */
#ifndef PLATFORM_MOCK_DEV_H
#define PLATFORM_MOCK_DEV_H

#include "base/bytes.h"
#include "platform/quote_source.h"

/* Appends the 256 bytes; false when out refuses them. */
bool mock_quote(const uint8_t report_data[REPORT_DATA_LEN], struct buf *out) MUST_USE;

#endif
