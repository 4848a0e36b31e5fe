/* Collateral whose signatures were verified up to the root, each document parsed once. What depends
 * on the time or on the platform is asked at every use. Spec: DCAP facts 5.3 to 5.5, 8. */
#ifndef DCAP_TRUSTED_H
#define DCAP_TRUSTED_H

#include "dcap/documents.h"

/* The documents in the order of enum document_kind, then both signing chains. */
enum { TRUSTED_SPANS = DOCUMENT_KINDS + 2 * SIGNER_CHAIN_LEN };

/* Immutable once open; any number of threads may use it at the same time. */
struct trusted_collateral {
    struct tcb_info tcb;
    struct qe_identity qe;
    struct x509_crl root_crl;
    struct x509_crl pck_crl;
    uint8_t pck_ca_point[P256_POINT_LEN]; /* the key that the PCK CRL was verified with */
    struct validity spans[TRUSTED_SPANS];
};

/*
 * Verifies everything that does not depend on the time. `documents` must outlive *out and stay as
 * they are. The PCK CRL must be that of `issuer`: only a PCK chain tells its key. Codes:
 * those of dcap/documents.h and cert/revoked (a signing certificate).
 */
bool trusted_collateral_open(const struct collateral *documents, const struct pck_issuer *issuer,
                             const struct dcap_root *root, struct trusted_collateral **out,
                             struct error *err) MUST_USE;
void trusted_collateral_close(struct trusted_collateral **t);
#define TRUSTED_COLLATERAL_AUTO __attribute__((cleanup(trusted_collateral_close)))

/* All spans: collateral/expired, collateral/not-yet-valid. */
bool trusted_collateral_check_dates(const struct trusted_collateral *t, int64_t now_s,
                                    struct error *err) MUST_USE;
/* Is the PCK CRL that of the attester's CA? */
bool trusted_collateral_covers(const struct trusted_collateral *t, const struct attester *attester);
/* PCK, CA and root of a covered attester against the CRLs. Code cert/revoked. */
bool trusted_collateral_check_revocation(const struct trusted_collateral *t,
                                         const struct attester *attester,
                                         struct error *err) MUST_USE;

#endif
