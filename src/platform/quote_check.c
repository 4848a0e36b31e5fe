/* Parses what a source returned and compares the report data inside. */
#include "platform/quote_check.h"

#include "quote/quote.h"

bool quote_check(struct slice bytes, const uint8_t report_data[REPORT_DATA_LEN], struct error *err)
{
    struct quote q;
    struct error why = {0};
    if (!quote_parse(bytes, &q, &why))
        return error_set(err, "platform/quote", why.field, "the machine's quote cannot be read: %s",
                         why.message);
    if (!bytes_equal_ct(q.report_data, report_data, REPORT_DATA_LEN))
        return error_set(err, "platform/report-data", "reportData",
                         "the machine's quote carries other report data than was asked for");
    return true;
}
