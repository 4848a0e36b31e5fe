/* Collateral, verified as a whole. */
#include "dcap/trusted.h"

#include <stdlib.h>
#include <string.h>

static bool check_revoked(const struct x509_crl *crl, const struct cert_serial *serial,
                          const char *field, struct error *err)
{
    if (x509_crl_revokes(crl, cert_serial_slice(serial)))
        return error_set(err, "cert/revoked", field, "%s was revoked by its issuer", field);
    return true;
}

static bool check_signer(const struct x509_crl *root_crl, const struct document_signer *signer,
                         struct error *err)
{
    for (size_t i = 0; i < SIGNER_CHAIN_LEN; i++)
        if (!check_revoked(root_crl, &signer->serial[i], signer->validity[i].what, err))
            return false;
    return true;
}

static void note_spans(struct trusted_collateral *t, const struct document_signer *tcb_signer,
                       const struct document_signer *qe_signer)
{
    const struct validity spans[TRUSTED_SPANS] = {
        [DOCUMENT_TCB_INFO] = document_span_tcb_info(&t->tcb),
        [DOCUMENT_QE_IDENTITY] = document_span_qe_identity(&t->qe),
        [DOCUMENT_PCK_CRL] = document_span_crl(&t->pck_crl, COLLATERAL_PCK_CRL),
        [DOCUMENT_ROOT_CRL] = document_span_crl(&t->root_crl, COLLATERAL_ROOT_CRL),
        [DOCUMENT_KINDS] = tcb_signer->validity[0],
        tcb_signer->validity[1],
        qe_signer->validity[0],
        qe_signer->validity[1],
    };
    memcpy(t->spans, spans, sizeof spans);
}

/* TCB info and QE identity, whose signers are usually one. */
static bool open_documents(const struct collateral *documents, const struct dcap_root *root,
                           struct trusted_collateral *t, struct error *err)
{
    DOCUMENT_SIGNER_AUTO struct document_signer tcb_signer = {.key = NULL};
    DOCUMENT_SIGNER_AUTO struct document_signer other_signer = {.key = NULL};
    const struct document_signer *qe_signer = &tcb_signer;
    if (!document_signer_open(documents, SIGNED_TCB_INFO, root, &tcb_signer, err) ||
        !document_tcb_info(documents, &tcb_signer, &t->tcb, err))
        return false;
    if (!slice_equal(collateral_part(documents, COLLATERAL_TCB_INFO_ISSUER_CHAIN),
                     collateral_part(documents, COLLATERAL_QE_IDENTITY_ISSUER_CHAIN))) {
        qe_signer = &other_signer;
        if (!document_signer_open(documents, SIGNED_QE_IDENTITY, root, &other_signer, err))
            return false;
    }
    if (!document_qe_identity(documents, qe_signer, &t->qe, err) ||
        !check_signer(&t->root_crl, &tcb_signer, err) ||
        !check_signer(&t->root_crl, qe_signer, err))
        return false;
    note_spans(t, &tcb_signer, qe_signer);
    return true;
}

bool trusted_collateral_open(const struct collateral *documents, const struct pck_issuer *issuer,
                             const struct dcap_root *root, struct trusted_collateral **out,
                             struct error *err)
{
    TRUSTED_COLLATERAL_AUTO struct trusted_collateral *t = malloc(sizeof *t);
    if (t == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!document_root_crl(documents, issuer, root, &t->root_crl, err) ||
        !document_pck_crl(documents, issuer, &t->pck_crl, err) ||
        !open_documents(documents, root, t, err))
        return false;
    memcpy(t->pck_ca_point, issuer->point, sizeof t->pck_ca_point);
    *out = t;
    t = NULL;
    return true;
}

void trusted_collateral_close(struct trusted_collateral **t)
{
    free(*t);
    *t = NULL;
}

bool trusted_collateral_check_dates(const struct trusted_collateral *t, int64_t now_s,
                                    struct error *err)
{
    return validity_check(t->spans, TRUSTED_SPANS, VALIDITY_OF_COLLATERAL, now_s, err);
}

bool trusted_collateral_covers(const struct trusted_collateral *t, const struct attester *attester)
{
    const struct pck_issuer *issuer = &attester_facts(attester)->issuer;
    return memcmp(t->pck_ca_point, issuer->point, sizeof t->pck_ca_point) == 0 &&
           slice_equal(t->pck_crl.issuer.der, issuer->subject);
}

bool trusted_collateral_check_revocation(const struct trusted_collateral *t,
                                         const struct attester *attester, struct error *err)
{
    const struct attester_facts *facts = attester_facts(attester);
    /* A serial counts in the CRL of its own issuer alone. */
    return check_revoked(&t->pck_crl, &facts->serial[0], facts->validity[0].what, err) &&
           check_revoked(&t->root_crl, &facts->serial[1], facts->validity[1].what, err) &&
           check_revoked(&t->root_crl, &facts->serial[2], facts->validity[2].what, err);
}
