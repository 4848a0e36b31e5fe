/* Signing chains, signatures over exact bytes, CRLs. */
#include "dcap/documents.h"

#include <string.h>

#include "dcap/cert_role.h"
#include "x509/pem.h"

/* One kind of signed JSON document: where its parts are and what they are called. */
struct document_kind {
    enum collateral_part chain, body, signature;
    const char *signature_code;
    const char *fields[SIGNER_CHAIN_LEN]; /* of the chain */
};

static const struct document_kind tcb_info_kind = {
    COLLATERAL_TCB_INFO_ISSUER_CHAIN,
    COLLATERAL_TCB_INFO,
    COLLATERAL_TCB_INFO_SIGNATURE,
    "signature/tcb-info",
    {"tcbInfoIssuerChain.signing", "tcbInfoIssuerChain.root"}};

static const struct document_kind qe_identity_kind = {
    COLLATERAL_QE_IDENTITY_ISSUER_CHAIN,
    COLLATERAL_QE_IDENTITY,
    COLLATERAL_QE_IDENTITY_SIGNATURE,
    "signature/qe-identity",
    {"qeIdentityIssuerChain.signing", "qeIdentityIssuerChain.root"}};

static bool present(const struct collateral *c, enum collateral_part part, struct error *err)
{
    return c->part[part].len > 0
               ? true
               : error_set(err, "collateral/missing", collateral_part_name(part),
                           "the collateral has no %s", collateral_part_name(part));
}

static bool verify_signer(const struct x509_cert *signing, const struct x509_cert *top,
                          const struct dcap_root *root, const char *const *fields,
                          struct error *err)
{
    return dcap_root_check(root, top, fields[1], err) &&
           cert_role_check(signing, CERT_TCB_SIGNING, fields[0], err) &&
           cert_role_check_issuer(signing, top, root->key, fields[0], err);
}

static void note_signer(const struct x509_cert *cert, const char *field, size_t at,
                        struct document_signer *out)
{
    out->serial[at].len = cert->serial.len;
    memcpy(out->serial[at].bytes, cert->serial.data, cert->serial.len);
    out->validity[at] = (struct validity){field, cert->not_before_s, cert->not_after_s};
}

static bool open_signer(struct slice pem, const struct dcap_root *root,
                        const struct document_kind *kind, struct document_signer *out,
                        struct error *err)
{
    struct x509_chain chain;
    struct x509_cert cert[SIGNER_CHAIN_LEN];
    enum cert_role role;
    if (!x509_chain_from_pem(pem, &chain, err))
        return error_prefix(err, "%s", collateral_part_name(kind->chain));
    if (chain.count != SIGNER_CHAIN_LEN)
        return error_set(err, "cert/chain", collateral_part_name(kind->chain),
                         "%s has %zu certificates, not signer and root",
                         collateral_part_name(kind->chain), chain.count);
    for (size_t i = 0; i < SIGNER_CHAIN_LEN; i++)
        if (!x509_cert_parse(chain.der[i], &cert[i], err))
            return error_prefix(err, "%s", collateral_part_name(kind->chain));
    /* Both orders occur in what services send. */
    size_t top = cert_role_of(&cert[0], &role) && role == CERT_ROOT_CA ? 0 : 1;
    const struct x509_cert *signing = &cert[1 - top];
    if (!verify_signer(signing, &cert[top], root, kind->fields, err))
        return false;
    memcpy(out->point, signing->public_key, sizeof out->point);
    note_signer(signing, kind->fields[0], 0, out);
    note_signer(&cert[top], kind->fields[1], 1, out);
    return true;
}

static bool verify_body(const struct collateral *c, const struct document_kind *kind,
                        const struct document_signer *signer, struct error *err)
{
    struct slice signature = collateral_part(c, kind->signature);
    if (!p256_verify(signer->point, collateral_part(c, kind->body), signature.data, NULL))
        return error_set(err, kind->signature_code, collateral_part_name(kind->signature),
                         "%s is not signed by its issuer", collateral_part_name(kind->body));
    return true;
}

static bool all_present(const struct collateral *c, const struct document_kind *kind,
                        struct error *err)
{
    return present(c, kind->chain, err) && present(c, kind->body, err) &&
           present(c, kind->signature, err);
}

bool document_tcb_info(const struct collateral *documents, const struct dcap_root *root,
                       struct tcb_info *out, struct document_signer *signer, struct error *err)
{
    const struct document_kind *kind = &tcb_info_kind;
    return all_present(documents, kind, err) &&
           open_signer(collateral_part(documents, kind->chain), root, kind, signer, err) &&
           verify_body(documents, kind, signer, err) &&
           tcb_info_parse(collateral_part(documents, kind->body), out, err);
}

/* The signer of the other document under our names, when the chains are the same. */
static bool same_signer(const struct collateral *c, const struct document_signer *other,
                        struct document_signer *out)
{
    if (other == NULL || !slice_equal(collateral_part(c, COLLATERAL_TCB_INFO_ISSUER_CHAIN),
                                      collateral_part(c, COLLATERAL_QE_IDENTITY_ISSUER_CHAIN)))
        return false;
    *out = *other;
    for (size_t i = 0; i < SIGNER_CHAIN_LEN; i++)
        out->validity[i].what = qe_identity_kind.fields[i];
    return true;
}

bool document_qe_identity(const struct collateral *documents, const struct dcap_root *root,
                          const struct document_signer *tcb_info_signer, struct qe_identity *out,
                          struct document_signer *signer, struct error *err)
{
    const struct document_kind *kind = &qe_identity_kind;
    return all_present(documents, kind, err) &&
           (same_signer(documents, tcb_info_signer, signer) ||
            open_signer(collateral_part(documents, kind->chain), root, kind, signer, err)) &&
           verify_body(documents, kind, signer, err) &&
           qe_identity_parse(collateral_part(documents, kind->body), out, err);
}

static bool verify_crl(const struct collateral *c, enum collateral_part part, struct slice issuer,
                       const struct p256_key *key, struct x509_crl *out, struct error *err)
{
    const char *name = collateral_part_name(part);
    if (!present(c, part, err))
        return false;
    if (!x509_crl_parse(collateral_part(c, part), out, err))
        return error_prefix(err, "%s", name);
    if (!slice_equal(out->issuer.der, issuer))
        return error_set(err, "crl/issuer", name, "%s is that of \"%.*s\", not the one needed",
                         name, (int)out->issuer.cn.len, (const char *)out->issuer.cn.data);
    if (!x509_crl_verify(out, key, NULL))
        return error_set(err, "crl/signature", name, "%s is not signed by its issuer", name);
    return true;
}

bool document_root_crl(const struct collateral *documents, const struct attester *attester,
                       const struct dcap_root *root, struct x509_crl *out, struct error *err)
{
    return verify_crl(documents, COLLATERAL_ROOT_CRL, attester_facts(attester)->root_subject,
                      root->key, out, err);
}

bool document_pck_crl(const struct collateral *documents, const struct attester *attester,
                      struct x509_crl *out, struct error *err)
{
    P256_KEY_AUTO struct p256_key *key = NULL;
    const struct attester_facts *facts = attester_facts(attester);
    return p256_key_open(facts->ca_point, &key, err) &&
           verify_crl(documents, COLLATERAL_PCK_CRL, facts->ca_subject, key, out, err);
}

struct validity document_span_tcb_info(const struct tcb_info *info)
{
    return (struct validity){"tcbInfo", info->issue_s, info->next_s};
}

struct validity document_span_qe_identity(const struct qe_identity *identity)
{
    return (struct validity){"enclaveIdentity", identity->issue_s, identity->next_s};
}

struct validity document_span_crl(const struct x509_crl *crl, enum collateral_part part)
{
    return (struct validity){collateral_part_name(part), crl->this_update_s, crl->next_update_s};
}
