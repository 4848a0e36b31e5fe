/* Collateral as a verifier gets it: two signed documents, two CRLs and the issuer chains, and the
 * nine-member JSON object in which tools exchange them. */
#ifndef SIM_COLLATERAL_H
#define SIM_COLLATERAL_H

#include "sim/documents.h"
#include "sim/pki.h"

struct sim_collateral {
    struct buf pck_crl_issuer_chain; /* PEM */
    struct buf root_ca_crl;          /* DER */
    struct buf pck_crl;              /* DER */
    struct buf tcb_info_issuer_chain;
    struct buf tcb_info; /* the exact signed bytes */
    char tcb_info_signature[SIM_SIGNATURE_HEX_LEN + 1];
    struct buf qe_identity_issuer_chain;
    struct buf qe_identity;
    char qe_identity_signature[SIM_SIGNATURE_HEX_LEN + 1];
};

/* What the documents are made from. */
struct sim_collateral_spec {
    enum sim_role pck_ca;
    struct sim_tcb_info tcb_info;
    struct sim_qe_identity qe_identity;
    struct sim_crl_spec root_crl, pck_crl;
    /* NULL = the role's own key */
    const struct sim_key *tcb_info_signer, *qe_identity_signer, *root_crl_signer, *pck_crl_signer;
};

void sim_collateral_defaults(struct sim_collateral_spec *spec, const struct sim_pki *pki,
                             enum sim_role pck_ca, bool tdx, const uint8_t fmspc[6], int64_t now_s);

/* Makes everything. Free with sim_collateral_free(), which also takes a zeroed struct. */
bool sim_collateral_make(const struct sim_pki *pki, const struct sim_collateral_spec *spec,
                         struct sim_collateral *out, struct error *err) MUST_USE;
void sim_collateral_free(struct sim_collateral *c);
#define SIM_COLLATERAL_AUTO __attribute__((cleanup(sim_collateral_free)))

/* Sign the documents again after their text was edited. */
bool sim_collateral_sign_tcb_info(const struct sim_pki *pki, struct sim_collateral *c,
                                  struct error *err) MUST_USE;
bool sim_collateral_sign_qe_identity(const struct sim_pki *pki, struct sim_collateral *c,
                                     struct error *err) MUST_USE;

/* The object with members pck_crl_issuer_chain, root_ca_crl, pck_crl, tcb_info_issuer_chain,
 * tcb_info, tcb_info_signature, qe_identity_issuer_chain, qe_identity, qe_identity_signature;
 * CRLs as hex of DER. Appended, indented, with a newline at the end. */
bool sim_collateral_write(const struct sim_collateral *c, struct buf *out,
                          struct error *err) MUST_USE;

#endif
