/* Mock quotes, for development without a TDX platform (compatibility facts D.5 step 7): the mark,
 * 64 bytes of report data, zeros up to 256 bytes. A release build has neither this file nor the
 * mark. */
#include "keyrelease/peer.h"

#include <string.h>

#include "base/clock.h"

static const char mock_mark[] = "MOCK_TDX_QUOTE_V1";

bool keyrelease_is_mock(struct slice quote)
{
    return slice_equal_str(slice_cut(quote, 0, sizeof(mock_mark) - 1), mock_mark);
}

bool keyrelease_mock_report_data(struct slice quote, uint8_t out[KEYRELEASE_REPORT_DATA_LEN],
                                 struct error *err)
{
    struct slice claimed = slice_cut(quote, sizeof(mock_mark) - 1, KEYRELEASE_REPORT_DATA_LEN);
    if (claimed.len != KEYRELEASE_REPORT_DATA_LEN)
        return error_set(err, "quote/truncated", "report_data", "the mock quote is too short");
    memcpy(out, claimed.data, KEYRELEASE_REPORT_DATA_LEN);
    return true;
}

bool keyrelease_mock_verdict(struct slice quote,
                             const uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN],
                             struct verdict *out, struct error *err)
{
    struct verdict verdict = {.tee = TEE_TDX,
                              .is_mock = true,
                              .status = TCB_STATUS_MOCK,
                              .verified_at_s = clock_unix_s()};
    if (!keyrelease_mock_report_data(quote, verdict.report_data, err))
        return false;
    if (!bytes_equal_ct(verdict.report_data, report_data, KEYRELEASE_REPORT_DATA_LEN))
        return error_set(err, "keyrelease/binding", "report_data",
                         "the report data inside the quote is not what was asked for");
    *out = verdict;
    return true;
}
