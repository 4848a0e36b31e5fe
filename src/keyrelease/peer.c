/* Judging the other side's quote. */
#include "keyrelease/peer.h"

#include <string.h>

#include "quote/quote.h"

bool keyrelease_claimed_report_data(struct slice quote, uint8_t out[KEYRELEASE_REPORT_DATA_LEN],
                                    struct error *err)
{
#ifdef MERO_DEV
    if (keyrelease_is_mock(quote))
        return keyrelease_mock_report_data(quote, out, err);
#endif
    struct quote q;
    if (!quote_parse(quote, &q, err))
        return false;
    memcpy(out, q.report_data, KEYRELEASE_REPORT_DATA_LEN);
    return true;
}

bool keyrelease_verify_peer(struct dcap_verifier *verifier, struct slice quote, int64_t now_s,
                            const uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN],
                            struct verdict *out, struct error *err)
{
    struct verdict verdict;
    if (!dcap_verifier_check(verifier, quote, now_s, &verdict, err))
        return false;
    if (!bytes_equal_ct(verdict.report_data, report_data, KEYRELEASE_REPORT_DATA_LEN))
        return error_set(err, "keyrelease/binding", "report_data",
                         "the report data inside the quote is not what was asked for");
    *out = verdict;
    return true;
}
