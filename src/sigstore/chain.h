/* From a signer's certificate to an authority of the trust root. Spec: Sigstore facts 10.2. */
#ifndef SIGSTORE_CHAIN_H
#define SIGSTORE_CHAIN_H

#include "sigstore/trust_internal.h"

/*
 * Finds the authority that issued the leaf and that counted, with all its certificates, at every
 * one of the proven times. *issuer is the certificate that signed the leaf, in the trust root's
 * memory. Codes: sigstore/chain, sigstore/chain-time.
 */
bool sigstore_chain_check(const struct sigstore_trust *trust, X509 *leaf, const int64_t *times_s,
                          size_t time_count, const X509 **issuer, struct error *err) MUST_USE;

/* A store with the authority's anchor alone, judging no dates; NULL for want of memory. */
X509_STORE *sigstore_chain_store(const struct sigstore_authority *authority);
/* The certificates before the anchor, borrowed; NULL for want of memory. */
STACK_OF(X509) * sigstore_chain_untrusted(const struct sigstore_authority *authority);

#endif
