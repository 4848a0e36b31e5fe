/* The trust anchor: a public key. Certificates for it may be re-issued (Intel's was), so a
 * certificate is never the anchor, but those known by heart need no signature check.
 * Spec: DCAP facts 3.1. */
#ifndef DCAP_ROOT_H
#define DCAP_ROOT_H

#include "base/hash.h"
#include "x509/x509.h"

enum { DCAP_ROOT_KNOWN_MAX = 2 };

/* Immutable once open; any number of threads may use it at the same time. */
struct dcap_root {
    uint8_t point[P256_POINT_LEN];
    struct p256_key *key; /* owned */
    size_t known_count;
    uint8_t known[DCAP_ROOT_KNOWN_MAX][SHA256_LEN]; /* digests of certificates for this key */
};

/* Intel's SGX root key. */
bool dcap_root_open_intel(struct dcap_root *out, struct error *err) MUST_USE;
void dcap_root_close(struct dcap_root *root);
#define DCAP_ROOT_AUTO __attribute__((cleanup(dcap_root_close)))

/* A self-signed certificate with the name and role of the root, for this key and no other. Codes
 * cert/subject, cert/issuer, cert/constraints, cert/root (another key), cert/signature; `field`
 * names the certificate. */
bool dcap_root_check(const struct dcap_root *root, const struct x509_cert *cert, const char *field,
                     struct error *err) MUST_USE;

#ifdef MERO_DEV
/* Development builds: the root of a software platform, as PEM. */
bool dcap_root_open_pem(struct slice pem, struct dcap_root *out, struct error *err) MUST_USE;
#endif

#endif
