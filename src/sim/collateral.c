/* One set of collateral: documents, CRLs, issuer chains (DCAP facts 4). */
#include "sim/collateral.h"

#include <string.h>

#include "base/codec.h"
#include "base/json.h"

void sim_collateral_defaults(struct sim_collateral_spec *spec, const struct sim_pki *pki,
                             enum sim_role pck_ca, bool tdx, const uint8_t fmspc[6], int64_t now_s)
{
    memset(spec, 0, sizeof *spec);
    spec->pck_ca = pck_ca;
    sim_tcb_info_defaults(&spec->tcb_info, tdx, fmspc, now_s);
    sim_qe_identity_defaults(&spec->qe_identity, tdx, now_s);
    sim_crl_defaults(&spec->root_crl, pki, SIM_ROOT_CA, now_s);
    sim_crl_defaults(&spec->pck_crl, pki, pck_ca, now_s);
}

static const struct sim_key *signer_or(const struct sim_key *wanted, const struct sim_pki *pki,
                                       enum sim_role role)
{
    return wanted != NULL ? wanted : pki->cert[role].key;
}

static bool make_chain(const struct sim_pki *pki, enum sim_role role, struct buf *out,
                       struct error *err)
{
    const struct sim_issued *chain[2] = {&pki->cert[role], &pki->cert[SIM_ROOT_CA]};
    return sim_chain_append(chain, 2, out, err);
}

static bool make_crls(const struct sim_pki *pki, const struct sim_collateral_spec *spec,
                      struct sim_collateral *c, struct error *err)
{
    return sim_crl_make(&spec->root_crl, signer_or(spec->root_crl_signer, pki, SIM_ROOT_CA),
                        &c->root_ca_crl, err) &&
           sim_crl_make(&spec->pck_crl, signer_or(spec->pck_crl_signer, pki, spec->pck_ca),
                        &c->pck_crl, err);
}

static bool make_documents(const struct sim_pki *pki, const struct sim_collateral_spec *spec,
                           struct sim_collateral *c, struct error *err)
{
    const struct sim_key *tcb = signer_or(spec->tcb_info_signer, pki, SIM_TCB_SIGNING);
    const struct sim_key *qe = signer_or(spec->qe_identity_signer, pki, SIM_TCB_SIGNING);
    return sim_tcb_info_write(&spec->tcb_info, &c->tcb_info, err) &&
           sim_document_sign(buf_slice(&c->tcb_info), tcb, c->tcb_info_signature, err) &&
           sim_qe_identity_write(&spec->qe_identity, &c->qe_identity, err) &&
           sim_document_sign(buf_slice(&c->qe_identity), qe, c->qe_identity_signature, err);
}

bool sim_collateral_make(const struct sim_pki *pki, const struct sim_collateral_spec *spec,
                         struct sim_collateral *out, struct error *err)
{
    struct sim_collateral c = {
        .pck_crl_issuer_chain = BUF_INIT(SIM_CHAIN_MAX),
        .root_ca_crl = BUF_INIT(SIM_DER_MAX),
        .pck_crl = BUF_INIT(SIM_DER_MAX),
        .tcb_info_issuer_chain = BUF_INIT(SIM_CHAIN_MAX),
        .tcb_info = BUF_INIT(SIM_DOCUMENT_MAX),
        .qe_identity_issuer_chain = BUF_INIT(SIM_CHAIN_MAX),
        .qe_identity = BUF_INIT(SIM_DOCUMENT_MAX),
    };
    if (!make_chain(pki, spec->pck_ca, &c.pck_crl_issuer_chain, err) ||
        !make_chain(pki, SIM_TCB_SIGNING, &c.tcb_info_issuer_chain, err) ||
        !make_chain(pki, SIM_TCB_SIGNING, &c.qe_identity_issuer_chain, err) ||
        !make_crls(pki, spec, &c, err) || !make_documents(pki, spec, &c, err)) {
        sim_collateral_free(&c);
        return false;
    }
    *out = c;
    return true;
}

void sim_collateral_free(struct sim_collateral *c)
{
    struct buf *const parts[] = {&c->pck_crl_issuer_chain,
                                 &c->root_ca_crl,
                                 &c->pck_crl,
                                 &c->tcb_info_issuer_chain,
                                 &c->tcb_info,
                                 &c->qe_identity_issuer_chain,
                                 &c->qe_identity};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        buf_free(parts[i]);
}

bool sim_collateral_sign_tcb_info(const struct sim_pki *pki, struct sim_collateral *c,
                                  struct error *err)
{
    return sim_document_sign(buf_slice(&c->tcb_info), pki->cert[SIM_TCB_SIGNING].key,
                             c->tcb_info_signature, err);
}

bool sim_collateral_sign_qe_identity(const struct sim_pki *pki, struct sim_collateral *c,
                                     struct error *err)
{
    return sim_document_sign(buf_slice(&c->qe_identity), pki->cert[SIM_TCB_SIGNING].key,
                             c->qe_identity_signature, err);
}

static bool set_text(json_t *object, const char *name, struct slice text)
{
    return json_object_set_new(object, name, json_stringn((const char *)text.data, text.len)) == 0;
}

static bool set_hex(json_t *object, const char *name, const struct buf *bytes)
{
    struct buf hex BUF_AUTO = BUF_INIT(2 * SIM_DER_MAX);
    return hex_append(&hex, buf_slice(bytes)) && set_text(object, name, buf_slice(&hex));
}

bool sim_collateral_write(const struct sim_collateral *c, struct buf *out, struct error *err)
{
    json_t *object JSON_AUTO = json_object();
    if (object == NULL ||
        !set_text(object, "pck_crl_issuer_chain", buf_slice(&c->pck_crl_issuer_chain)) ||
        !set_hex(object, "root_ca_crl", &c->root_ca_crl) ||
        !set_hex(object, "pck_crl", &c->pck_crl) ||
        !set_text(object, "tcb_info_issuer_chain", buf_slice(&c->tcb_info_issuer_chain)) ||
        !set_text(object, "tcb_info", buf_slice(&c->tcb_info)) ||
        !set_text(object, "tcb_info_signature", slice_str(c->tcb_info_signature)) ||
        !set_text(object, "qe_identity_issuer_chain", buf_slice(&c->qe_identity_issuer_chain)) ||
        !set_text(object, "qe_identity", buf_slice(&c->qe_identity)) ||
        !set_text(object, "qe_identity_signature", slice_str(c->qe_identity_signature)))
        return error_set(err, "sim/memory", NULL, "cannot build the collateral object");
    return json_write_pretty(object, out, err);
}
