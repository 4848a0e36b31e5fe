/* The certificate log's signed word that it saw a certificate. Spec: RFC 6962 3.2 and 3.3; Sigstore
 * facts 11. */
#ifndef SIGSTORE_SCT_H
#define SIGSTORE_SCT_H

#include "sigstore/trust_internal.h"

/* The leaf has exactly one SCT inside, by a log that counted at the SCT's own time. issuer is the
 * certificate that signed the leaf. Code sigstore/sct. */
bool sigstore_sct_check(const struct sigstore_trust *trust, const X509 *leaf, const X509 *issuer,
                        struct error *err) MUST_USE;

#endif
