/* Quotes: whatever parses has its parts inside the input, in order and without gaps, and can be
 * shown. */
#include <stdlib.h>

#include "quote/quote_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct quote q;
    struct error err = {0};
    if (!quote_parse(slice_of(data, size), &q, &err)) {
        check(error_is(&err, "quote/"));
        return 0;
    }
    size_t wrapping = q.version == 3 ? 0 : 6;
    check(q.exact.data == data && q.exact.len + q.trailing_len == size);
    check(q.exact.len == q.signed_part.len + 4 + QUOTE_SIGNATURE_LEN + QUOTE_KEY_LEN + wrapping +
                             SGX_REPORT_LEN + QUOTE_SIGNATURE_LEN + 2 + q.qe_auth_data.len + 6 +
                             q.cert_data.len);
    BUF_AUTO struct buf text = BUF_INIT(QUOTE_TEXT_MAX);
    check(quote_append_text(&q, &text));
    return 0;
}
