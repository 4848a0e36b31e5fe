/* What each certificate of the DCAP hierarchy has to be called and to be allowed: the separation of
 * roles is what keeps a PCK from signing TCB info. Spec: DCAP facts 3.1, 3.2. */
#ifndef DCAP_CERT_ROLE_H
#define DCAP_CERT_ROLE_H

#include "x509/x509.h"

enum cert_role {
    CERT_ROOT_CA,
    CERT_PCK_PLATFORM_CA,
    CERT_PCK_PROCESSOR_CA,
    CERT_PCK,
    CERT_TCB_SIGNING,
    CERT_ROLES,
};

/* By the exact common name; false when it is nobody's. */
bool cert_role_of(const struct x509_cert *cert, enum cert_role *out) MUST_USE;
/* Name, basic constraints, key usage, and the extensions that Intel's certificates all have.
 * Codes cert/subject, cert/constraints, cert/extension. */
bool cert_role_check(const struct x509_cert *cert, enum cert_role role, const char *field,
                     struct error *err) MUST_USE;
/* Named as issuer and signed with its key. Codes cert/issuer, cert/signature. */
bool cert_role_check_issuer(const struct x509_cert *cert, const struct x509_cert *issuer,
                            const struct p256_key *issuer_key, const char *field,
                            struct error *err) MUST_USE;

#endif
