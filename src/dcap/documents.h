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

/* The documents that are JSON. */
enum signed_document { SIGNED_TCB_INFO, SIGNED_QE_IDENTITY };

/* The certificate that signs them, and the root above it. */
struct document_signer {
    struct p256_key *key; /* owned */
    struct cert_serial serial[SIGNER_CHAIN_LEN];
    struct validity validity[SIGNER_CHAIN_LEN];
};

/* Verifies the issuer chain that lies beside a document; dates and revocation are not looked at.
 * Codes collateral/missing, chain/..., cert/.... */
bool document_signer_open(const struct collateral *documents, enum signed_document which,
                          const struct dcap_root *root, struct document_signer *out,
                          struct error *err) MUST_USE;
void document_signer_close(struct document_signer *signer);
#define DOCUMENT_SIGNER_AUTO __attribute__((cleanup(document_signer_close)))

/* Verify the document's signature and parse it into *out, which points into the document and is
 * undefined after a failure. Codes collateral/missing, signature/tcb-info, signature/qe-identity,
 * collateral/format. */
bool document_tcb_info(const struct collateral *documents, const struct document_signer *signer,
                       struct tcb_info *out, struct error *err) MUST_USE;
bool document_qe_identity(const struct collateral *documents, const struct document_signer *signer,
                          struct qe_identity *out, struct error *err) MUST_USE;

/* The CRLs need to know their issuer. Codes collateral/missing, crl/..., crl/issuer, crl/signature.
 */
bool document_root_crl(const struct collateral *documents, const struct pck_issuer *issuer,
                       const struct dcap_root *root, struct x509_crl *out,
                       struct error *err) MUST_USE;
bool document_pck_crl(const struct collateral *documents, const struct pck_issuer *issuer,
                      struct x509_crl *out, struct error *err) MUST_USE;

/* How long each counts. */
struct validity document_span_tcb_info(const struct tcb_info *info);
struct validity document_span_qe_identity(const struct qe_identity *identity);
struct validity document_span_crl(const struct x509_crl *crl, enum collateral_part part);

/* The documents as they are asked for, kept and replaced: one at a time. */
enum document_kind {
    DOCUMENT_TCB_INFO,
    DOCUMENT_QE_IDENTITY,
    DOCUMENT_PCK_CRL,
    DOCUMENT_ROOT_CRL,
    DOCUMENT_KINDS
};
struct document_key {
    enum document_kind kind;
    enum tee_type tee; /* TCB info and QE identity */
    uint8_t fmspc[6];  /* TCB info */
    bool early;        /* TCB info: of the early TCB evaluation data set, not the standard one */
    enum pck_ca ca;    /* PCK CRL */
};
bool document_key_equal(const struct document_key *a, const struct document_key *b);
/* "tcb-info-tdx-b0c06f000000-standard", "qe-identity-tdx", "pck-crl-platform", "root-crl". */
enum { DOCUMENT_NAME_MAX = 48 };
void document_key_name(const struct document_key *key, char out[DOCUMENT_NAME_MAX]);
/* Which parts of collateral make up the document: bit 1 << part. */
unsigned document_parts(enum document_kind kind);

/* How old a document is, and how long it counts. */
enum { DOCUMENT_SPANS_MAX = 3 };
struct document_mark {
    uint32_t evaluation_number; /* 0 for CRLs */
    int64_t issued_s;           /* issueDate or thisUpdate: CRL numbers never change */
    size_t span_count;
    struct validity spans[DOCUMENT_SPANS_MAX];
};

/* Verifies one document and that it is the one asked for. Codes: those above and
 * collateral/mismatch. */
bool document_inspect(const struct document_key *key, const struct collateral *documents,
                      const struct pck_issuer *issuer, const struct dcap_root *root,
                      struct document_mark *out, struct error *err) MUST_USE;
/* By evaluation number, then by issue date. */
bool document_is_older(const struct document_mark *a, const struct document_mark *than);

#endif
