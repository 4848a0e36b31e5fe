/* The signed documents of collateral, each by itself: who signed it, what it says, how long it
 * counts. Nothing is parsed before its signature was verified, except the CRLs' own shell.
 * Spec: DCAP facts 3.2, 4. */
#ifndef DCAP_DOCUMENTS_H
#define DCAP_DOCUMENTS_H

#include "dcap/attester.h"
#include "dcap/collateral.h"
#include "dcap/qe_identity.h"
#include "dcap/tcb_info.h"

enum { SIGNER_CHAIN_LEN = 2 };

/* The certificate that signs TCB info or QE identity, and the root above it. */
struct document_signer {
    uint8_t point[P256_POINT_LEN];
    struct cert_serial serial[SIGNER_CHAIN_LEN];
    struct validity validity[SIGNER_CHAIN_LEN];
};

/* Each verifies the part of `documents` (and its signature and issuer chain, which lie beside it)
 * and parses it into *out, which points into the part and is undefined after a failure. Dates and
 * revocation are not looked at. `known` (may be NULL) is the signer of the other document: the same
 * chain is not verified twice.
 * Codes: collateral/missing, collateral/format, chain/..., cert/..., signature/tcb-info,
 * signature/qe-identity. */
bool document_tcb_info(const struct collateral *documents, const struct dcap_root *root,
                       struct tcb_info *out, struct document_signer *signer,
                       struct error *err) MUST_USE;
bool document_qe_identity(const struct collateral *documents, const struct dcap_root *root,
                          const struct document_signer *tcb_info_signer, struct qe_identity *out,
                          struct document_signer *signer, struct error *err) MUST_USE;

/* The CRLs need to know their issuer: the CA of the attester, and the root above it. Codes
 * collateral/missing, crl/..., crl/issuer, crl/signature. */
bool document_root_crl(const struct collateral *documents, const struct attester *attester,
                       const struct dcap_root *root, struct x509_crl *out,
                       struct error *err) MUST_USE;
bool document_pck_crl(const struct collateral *documents, const struct attester *attester,
                      struct x509_crl *out, struct error *err) MUST_USE;

/* How long each counts. */
struct validity document_span_tcb_info(const struct tcb_info *info);
struct validity document_span_qe_identity(const struct qe_identity *identity);
struct validity document_span_crl(const struct x509_crl *crl, enum collateral_part part);

#endif
