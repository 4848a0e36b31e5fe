/* From a certificate to its signer. */
#ifndef SIGSTORE_SIGNER_READ_H
#define SIGSTORE_SIGNER_READ_H

#include <openssl/x509.h>

#include "sigstore/signer.h"

/*
 * Reads the subject and Fulcio's extensions. The old form of an extension (raw text) is what
 * counts; the new form (DER) must say the same where both are there. Every extension at most once.
 * Code sigstore/identity.
 */
bool sigstore_signer_read(const X509 *leaf, struct sigstore_signer *out,
                          struct error *err) MUST_USE;

#endif
