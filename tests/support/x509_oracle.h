/* What OpenSSL reads in the same certificate or CRL: every field that x509 reports must be the same
 * there. */
#ifndef SUPPORT_X509_ORACLE_H
#define SUPPORT_X509_ORACLE_H

#include "x509/x509.h"

/* NULL when OpenSSL agrees on every field, else the name of the first that differs. */
const char *oracle_cert_differs(const struct x509_cert *cert);
const char *oracle_crl_differs(const struct x509_crl *crl);
/* OpenSSL's opinion on a signature. */
bool oracle_cert_signed_by(struct slice cert, struct slice issuer);
bool oracle_crl_signed_by(struct slice crl, struct slice issuer);

#endif
