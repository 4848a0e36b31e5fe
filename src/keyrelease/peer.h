/* Judging the other side's quote: what both sides of the exchange share. A caller looks at the
 * claimed report data first (cheap, and its mismatch has answers of its own), then asks for the
 * verdict, which carries the same 64 bytes or fails. */
#ifndef KEYRELEASE_PEER_H
#define KEYRELEASE_PEER_H

#include "dcap/verifier.h"
#include "keyrelease/binding.h"

/* The report data that a quote claims, unverified. Codes: quote/... In development builds mock
 * quotes are read too. */
bool keyrelease_claimed_report_data(struct slice quote, uint8_t out[KEYRELEASE_REPORT_DATA_LEN],
                                    struct error *err) MUST_USE;

/* Verifies the quote of a TD at time now_s and compares the report data inside, in constant time.
 * Codes: those of dcap_verifier_check(), keyrelease/binding. *out untouched on failure. */
bool keyrelease_verify_peer(struct dcap_verifier *verifier, struct slice quote, int64_t now_s,
                            const uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN],
                            struct verdict *out, struct error *err) MUST_USE;

#ifdef MERO_DEV
/* Mock quotes (facts D.5 step 7) exist in development builds alone. */
bool keyrelease_is_mock(struct slice quote);
/* The report data that one carries; false when it is too short to carry any. */
bool keyrelease_mock_report_data(struct slice quote, uint8_t out[KEYRELEASE_REPORT_DATA_LEN],
                                 struct error *err) MUST_USE;
/* The verdict on one: registers zero, status Mock. Code keyrelease/binding. */
bool keyrelease_mock_verdict(struct slice quote,
                             const uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN],
                             struct verdict *out, struct error *err) MUST_USE;
#endif

#endif
