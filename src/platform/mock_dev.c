/* Marker, report data, zeros. */
#include "platform/mock_dev.h"

enum { MOCK_QUOTE_LEN = 256 };

bool mock_quote(const uint8_t report_data[REPORT_DATA_LEN], struct buf *out)
{
    static const uint8_t zeros[MOCK_QUOTE_LEN];
    static const char marker[] = "MOCK_TDX_QUOTE_V1";
    size_t marker_len = sizeof marker - 1;
    return buf_append_str(out, marker) && buf_append(out, slice_of(report_data, REPORT_DATA_LEN)) &&
           buf_append(out, slice_of(zeros, MOCK_QUOTE_LEN - marker_len - REPORT_DATA_LEN));
}
