/* Signing chains, signatures over exact bytes, CRLs. */
#include "dcap/documents.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "dcap/cert_role.h"
#include "x509/pem.h"

/* Where the parts of a signed document are and what they are called. */
static const struct signed_kind {
    enum collateral_part chain, body, signature;
    const char *signature_code;
    const char *fields[SIGNER_CHAIN_LEN]; /* of the chain */
} kinds[] = {
    [SIGNED_TCB_INFO] = {COLLATERAL_TCB_INFO_ISSUER_CHAIN,
                         COLLATERAL_TCB_INFO,
                         COLLATERAL_TCB_INFO_SIGNATURE,
                         "signature/tcb-info",
                         {"tcbInfoIssuerChain.signing", "tcbInfoIssuerChain.root"}},
    [SIGNED_QE_IDENTITY] = {COLLATERAL_QE_IDENTITY_ISSUER_CHAIN,
                            COLLATERAL_QE_IDENTITY,
                            COLLATERAL_QE_IDENTITY_SIGNATURE,
                            "signature/qe-identity",
                            {"qeIdentityIssuerChain.signing", "qeIdentityIssuerChain.root"}},
};

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

static bool parse_signer(struct slice pem, const char *name, struct x509_chain *chain,
                         struct x509_cert cert[SIGNER_CHAIN_LEN], struct error *err)
{
    if (!x509_chain_from_pem(pem, chain, err))
        return error_prefix(err, "%s", name);
    if (chain->count != SIGNER_CHAIN_LEN)
        return error_set(err, "cert/chain", name, "%s has %zu certificates, not signer and root",
                         name, chain->count);
    for (size_t i = 0; i < SIGNER_CHAIN_LEN; i++)
        if (!x509_cert_parse(chain->der[i], &cert[i], err))
            return error_prefix(err, "%s", name);
    return true;
}

bool document_signer_open(const struct collateral *documents, enum signed_document which,
                          const struct dcap_root *root, struct document_signer *out,
                          struct error *err)
{
    const struct signed_kind *kind = &kinds[which];
    const char *name = collateral_part_name(kind->chain);
    struct x509_chain chain;
    struct x509_cert cert[SIGNER_CHAIN_LEN];
    enum cert_role role;
    if (!present(documents, kind->chain, err) ||
        !parse_signer(collateral_part(documents, kind->chain), name, &chain, cert, err))
        return false;
    /* Both orders occur in what services send. */
    size_t top = cert_role_of(&cert[0], &role) && role == CERT_ROOT_CA ? 0 : 1;
    const struct x509_cert *signing = &cert[1 - top];
    if (!verify_signer(signing, &cert[top], root, kind->fields, err))
        return false;
    if (!p256_key_open(signing->public_key, &out->key, err))
        return error_prefix(err, "%s", kind->fields[0]);
    note_signer(signing, kind->fields[0], 0, out);
    note_signer(&cert[top], kind->fields[1], 1, out);
    return true;
}

void document_signer_close(struct document_signer *signer)
{
    p256_key_free(&signer->key);
}

static bool verify_body(const struct collateral *c, enum signed_document which,
                        const struct document_signer *signer, struct error *err)
{
    const struct signed_kind *kind = &kinds[which];
    const char *name = collateral_part_name(kind->signature);
    if (!present(c, kind->body, err) || !present(c, kind->signature, err))
        return false;
    if (!p256_key_verify(signer->key, collateral_part(c, kind->body),
                         collateral_part(c, kind->signature).data, NULL))
        return error_set(err, kind->signature_code, name, "%s is not signed by its issuer",
                         collateral_part_name(kind->body));
    return true;
}

bool document_tcb_info(const struct collateral *documents, const struct document_signer *signer,
                       struct tcb_info *out, struct error *err)
{
    return verify_body(documents, SIGNED_TCB_INFO, signer, err) &&
           tcb_info_parse(collateral_part(documents, COLLATERAL_TCB_INFO), out, err);
}

bool document_qe_identity(const struct collateral *documents, const struct document_signer *signer,
                          struct qe_identity *out, struct error *err)
{
    return verify_body(documents, SIGNED_QE_IDENTITY, signer, err) &&
           qe_identity_parse(collateral_part(documents, COLLATERAL_QE_IDENTITY), out, err);
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

bool document_root_crl(const struct collateral *documents, const struct pck_issuer *issuer,
                       const struct dcap_root *root, struct x509_crl *out, struct error *err)
{
    return verify_crl(documents, COLLATERAL_ROOT_CRL, issuer->root_subject, root->key, out, err);
}

bool document_pck_crl(const struct collateral *documents, const struct pck_issuer *issuer,
                      struct x509_crl *out, struct error *err)
{
    return verify_crl(documents, COLLATERAL_PCK_CRL, issuer->subject, issuer->key, out, err);
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

bool document_key_equal(const struct document_key *a, const struct document_key *b)
{
    char name_a[DOCUMENT_NAME_MAX], name_b[DOCUMENT_NAME_MAX];
    document_key_name(a, name_a);
    document_key_name(b, name_b);
    return strcmp(name_a, name_b) == 0;
}

void document_key_name(const struct document_key *key, char out[DOCUMENT_NAME_MAX])
{
    const char *tee = key->tee == TEE_TDX ? "tdx" : "sgx";
    char fmspc[2 * sizeof key->fmspc + 1];
    hex_encode(slice_of(key->fmspc, sizeof key->fmspc), fmspc);
    switch (key->kind) {
    case DOCUMENT_TCB_INFO:
        snprintf(out, DOCUMENT_NAME_MAX, "tcb-info-%s-%s-%s", tee, fmspc,
                 key->early ? "early" : "standard");
        break;
    case DOCUMENT_QE_IDENTITY:
        snprintf(out, DOCUMENT_NAME_MAX, "qe-identity-%s", tee);
        break;
    case DOCUMENT_PCK_CRL:
        snprintf(out, DOCUMENT_NAME_MAX, "pck-crl-%s", pck_ca_name(key->ca));
        break;
    default:
        snprintf(out, DOCUMENT_NAME_MAX, "root-crl");
    }
}

unsigned document_parts(enum document_kind kind)
{
    static const unsigned parts[DOCUMENT_KINDS] = {
        [DOCUMENT_TCB_INFO] = 1u << COLLATERAL_TCB_INFO_ISSUER_CHAIN | 1u << COLLATERAL_TCB_INFO |
                              1u << COLLATERAL_TCB_INFO_SIGNATURE,
        [DOCUMENT_QE_IDENTITY] = 1u << COLLATERAL_QE_IDENTITY_ISSUER_CHAIN |
                                 1u << COLLATERAL_QE_IDENTITY |
                                 1u << COLLATERAL_QE_IDENTITY_SIGNATURE,
        [DOCUMENT_PCK_CRL] = 1u << COLLATERAL_PCK_CRL | 1u << COLLATERAL_PCK_CRL_ISSUER_CHAIN,
        [DOCUMENT_ROOT_CRL] = 1u << COLLATERAL_ROOT_CRL,
    };
    return parts[kind];
}

static void mark_document(struct document_mark *mark, uint32_t evaluation_number,
                          struct validity span, const struct document_signer *signer)
{
    *mark = (struct document_mark){.evaluation_number = evaluation_number,
                                   .issued_s = span.from_s,
                                   .span_count = signer != NULL ? 3 : 1,
                                   .spans = {span}};
    if (signer != NULL)
        memcpy(&mark->spans[1], signer->validity, sizeof signer->validity);
}

static bool inspect_tcb_info(const struct document_key *key, const struct collateral *documents,
                             const struct dcap_root *root, struct document_mark *out,
                             struct error *err)
{
    struct tcb_info info;
    DOCUMENT_SIGNER_AUTO struct document_signer signer = {.key = NULL};
    if (!document_signer_open(documents, SIGNED_TCB_INFO, root, &signer, err) ||
        !document_tcb_info(documents, &signer, &info, err))
        return false;
    if (info.tee != key->tee || memcmp(info.fmspc, key->fmspc, sizeof info.fmspc) != 0)
        return error_set(err, "collateral/mismatch", "tcbInfo",
                         "the TCB info is for another platform than the one asked for");
    mark_document(out, info.evaluation_number, document_span_tcb_info(&info), &signer);
    return true;
}

static bool inspect_qe_identity(const struct document_key *key, const struct collateral *documents,
                                const struct dcap_root *root, struct document_mark *out,
                                struct error *err)
{
    struct qe_identity identity;
    DOCUMENT_SIGNER_AUTO struct document_signer signer = {.key = NULL};
    if (!document_signer_open(documents, SIGNED_QE_IDENTITY, root, &signer, err) ||
        !document_qe_identity(documents, &signer, &identity, err))
        return false;
    if (strcmp(identity.id, key->tee == TEE_TDX ? "TD_QE" : "QE") != 0)
        return error_set(err, "collateral/mismatch", "enclaveIdentity.id",
                         "the QE identity is of %s, not the one asked for", identity.id);
    mark_document(out, identity.evaluation_number, document_span_qe_identity(&identity), &signer);
    return true;
}

bool document_inspect(const struct document_key *key, const struct collateral *documents,
                      const struct pck_issuer *issuer, const struct dcap_root *root,
                      struct document_mark *out, struct error *err)
{
    struct x509_crl crl;
    if (key->kind == DOCUMENT_TCB_INFO)
        return inspect_tcb_info(key, documents, root, out, err);
    if (key->kind == DOCUMENT_QE_IDENTITY)
        return inspect_qe_identity(key, documents, root, out, err);
    bool is_root = key->kind == DOCUMENT_ROOT_CRL;
    if (!(is_root ? document_root_crl(documents, issuer, root, &crl, err)
                  : document_pck_crl(documents, issuer, &crl, err)))
        return false;
    mark_document(
        out, 0, document_span_crl(&crl, is_root ? COLLATERAL_ROOT_CRL : COLLATERAL_PCK_CRL), NULL);
    return true;
}

bool document_is_older(const struct document_mark *a, const struct document_mark *than)
{
    if (a->evaluation_number != than->evaluation_number)
        return a->evaluation_number < than->evaluation_number;
    return a->issued_s < than->issued_s;
}
