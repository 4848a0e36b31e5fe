/* A timestamp authority's signed word when a signature was there. Spec: RFC 3161; Sigstore facts 9.
 */
#ifndef SIGSTORE_TIMESTAMP_H
#define SIGSTORE_TIMESTAMP_H

#include "sigstore/trust_internal.h"

/* One TimeStampResp over the bytes of `signature`, by the very signer that an authority of the
 * trust root names and that counted at the time in it, *out_unix_s. Code sigstore/tsa. */
bool sigstore_timestamp_check(const struct sigstore_trust *trust, struct slice response,
                              struct slice signature, int64_t *out_unix_s,
                              struct error *err) MUST_USE;

#endif
