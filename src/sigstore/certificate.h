/* Certificates as Fulcio issues them, through OpenSSL. Spec: Sigstore facts 3, 10.1. */
#ifndef SIGSTORE_CERTIFICATE_H
#define SIGSTORE_CERTIFICATE_H

#include <openssl/x509.h>

#include "base/bytes.h"

/* One certificate in DER, in its one right encoding, with nothing behind it; NULL otherwise. The
 * caller frees it. */
X509 *sigstore_certificate_read(struct slice der);

/* Unix seconds; false when the certificate's dates cannot be read. */
bool sigstore_certificate_dates(const X509 *cert, int64_t *not_before_s,
                                int64_t *not_after_s) MUST_USE;
/* True when every certificate counts at unix_s; both ends of its life do. */
bool sigstore_certificates_at(X509 *const *certs, size_t count, int64_t unix_s) MUST_USE;

/* PEM with lines of 64 characters, appended. */
bool sigstore_certificate_pem(struct slice der, struct buf *out) MUST_USE;

/* A certificate for signing code and for nothing that only an authority may do. Code
 * sigstore/leaf-profile. */
bool sigstore_leaf_check(X509 *leaf, struct error *err) MUST_USE;

#endif
