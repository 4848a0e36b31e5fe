/* The judgement, and the whole verification in the order of its steps. */
#include "dcap/verify.h"

#include <string.h>

#include "base/codec.h"
#include "dcap/tcb.h"

static bool mismatch(struct error *err, const char *field, const uint8_t *has, const uint8_t *wants,
                     size_t len)
{
    char has_hex[33], wants_hex[33];
    hex_encode(slice_of(has, len), has_hex);
    hex_encode(slice_of(wants, len), wants_hex);
    return error_set(err, "collateral/mismatch", field, "%s is %s, the platform's is %s", field,
                     has_hex, wants_hex);
}

static enum tee_type tee_of(const struct quote *q)
{
    return q->tee == QUOTE_TEE_TDX ? TEE_TDX : TEE_SGX;
}

/* Is the TCB info for this kind of quote and this model of platform? */
static bool check_match(const struct quote *q, const struct attester_facts *facts,
                        const struct tcb_info *tcb, struct error *err)
{
    if (tcb->tee != tee_of(q))
        return error_set(
            err, "collateral/mismatch", "tcbInfo.id", "the TCB info is for %s, the quote is of %s",
            tcb->tee == TEE_TDX ? "TDX" : "SGX", q->tee == QUOTE_TEE_TDX ? "TDX" : "SGX");
    if (memcmp(tcb->fmspc, facts->fmspc, sizeof tcb->fmspc) != 0)
        return mismatch(err, "tcbInfo.fmspc", tcb->fmspc, facts->fmspc, sizeof tcb->fmspc);
    if (memcmp(tcb->pceid, facts->pceid, sizeof tcb->pceid) != 0)
        return mismatch(err, "tcbInfo.pceId", tcb->pceid, facts->pceid, sizeof tcb->pceid);
    return true;
}

static uint32_t evaluation_number(const struct trusted_collateral *t)
{
    return t->tcb.evaluation_number < t->qe.evaluation_number ? t->tcb.evaluation_number
                                                              : t->qe.evaluation_number;
}

static bool check_floor(const struct trusted_collateral *t, const struct dcap_options *options,
                        struct error *err)
{
    uint32_t floor = options != NULL ? options->evaluation_number_min : 0;
    if (evaluation_number(t) < floor)
        return error_set(err, "collateral/evaluation-number", "tcbEvaluationDataNumber",
                         "the TCB evaluation data number is %u, at least %u is wanted",
                         evaluation_number(t), floor);
    return true;
}

static void note_td(const struct td_report *td, struct verdict *v)
{
    memcpy(v->tee_tcb_svn, td->tee_tcb_svn, sizeof v->tee_tcb_svn);
    memcpy(v->mrseam, td->mrseam, sizeof v->mrseam);
    memcpy(v->mrsignerseam, td->mrsignerseam, sizeof v->mrsignerseam);
    memcpy(v->seamattributes, td->seamattributes, sizeof v->seamattributes);
    memcpy(v->tdattributes, td->tdattributes, sizeof v->tdattributes);
    memcpy(v->xfam, td->xfam, sizeof v->xfam);
    memcpy(v->mrtd, td->mrtd, sizeof v->mrtd);
    memcpy(v->mrconfigid, td->mrconfigid, sizeof v->mrconfigid);
    memcpy(v->mrowner, td->mrowner, sizeof v->mrowner);
    memcpy(v->mrownerconfig, td->mrownerconfig, sizeof v->mrownerconfig);
    for (size_t i = 0; i < 4; i++)
        memcpy(v->rtmr[i], td->rtmr[i], sizeof v->rtmr[i]);
    if (td->tee_tcb_svn2 != NULL)
        memcpy(v->tee_tcb_svn2, td->tee_tcb_svn2, sizeof v->tee_tcb_svn2);
    if (td->mrservicetd != NULL)
        memcpy(v->mrservicetd, td->mrservicetd, sizeof v->mrservicetd);
}

static void note_enclave(const struct sgx_report *sgx, struct verdict *v)
{
    memcpy(v->mrenclave, sgx->mrenclave, sizeof v->mrenclave);
    memcpy(v->mrsigner, sgx->mrsigner, sizeof v->mrsigner);
    memcpy(v->sgx_attributes, sgx->attributes, sizeof v->sgx_attributes);
    v->miscselect = sgx->miscselect;
    v->isvprodid = sgx->isvprodid;
    v->isvsvn = sgx->isvsvn;
}

static void note_platform(const struct attester_facts *facts, struct verdict *v)
{
    memcpy(v->fmspc, facts->fmspc, sizeof v->fmspc);
    memcpy(v->pceid, facts->pceid, sizeof v->pceid);
    memcpy(v->ppid, facts->ppid, sizeof v->ppid);
    v->has_platform_instance_id = facts->has_platform_instance_id;
    memcpy(v->platform_instance_id, facts->platform_instance_id, sizeof v->platform_instance_id);
}

static void note_quote(const struct quote *q, struct verdict *v)
{
    v->tee = tee_of(q);
    v->quote_version = q->version;
    v->body_type = (uint16_t)q->body_type;
    memcpy(v->report_data, q->report_data, sizeof v->report_data);
    if (q->body_type == QUOTE_BODY_SGX)
        note_enclave(&q->sgx, v);
    else
        note_td(&q->td, v);
}

static int64_t first_expiry(const struct attester_facts *facts, const struct trusted_collateral *t)
{
    int64_t chain = validity_end(facts->validity, ATTESTER_CHAIN_LEN);
    int64_t collateral = validity_end(t->spans, TRUSTED_SPANS);
    return chain < collateral ? chain : collateral;
}

bool dcap_check_attester_dates(const struct attester *attester, int64_t now_s, struct error *err)
{
    return validity_check(attester_facts(attester)->validity, ATTESTER_CHAIN_LEN, VALIDITY_OF_CERT,
                          now_s, err);
}

/* Everything that makes a quote unusable, before its TCB is looked at. */
static bool check_admission(const struct quote *q, const struct attester *attester,
                            const struct trusted_collateral *t, const struct dcap_options *options,
                            int64_t now_s, struct error *err)
{
    if (!trusted_collateral_covers(t, attester))
        return error_set(err, "crl/issuer", "pck_crl", "the PCK CRL is not that of the PCK's CA");
    return dcap_check_attester_dates(attester, now_s, err) &&
           trusted_collateral_check_dates(t, now_s, err) &&
           trusted_collateral_check_revocation(t, attester, err) &&
           check_match(q, attester_facts(attester), &t->tcb, err) && check_floor(t, options, err);
}

bool dcap_judge(const struct quote *q, const struct attester *attester,
                const struct trusted_collateral *collateral, const struct dcap_options *options,
                int64_t now_s, struct verdict *out, struct error *err)
{
    const struct attester_facts *facts = attester_facts(attester);
    struct verdict v;
    struct tcb_claim claim = {.pcesvn = facts->pcesvn,
                              .td = q->body_type != QUOTE_BODY_SGX ? &q->td : NULL,
                              .qe_isvsvn = facts->qe.isvsvn,
                              .qe_levels = &collateral->qe.levels};
    if (!check_admission(q, attester, collateral, options, now_s, err) ||
        !qe_identity_judge(&collateral->qe, tee_of(q), &facts->qe, &claim.qe_level, err))
        return false;
    memcpy(claim.components, facts->components, sizeof claim.components);
    memset(&v, 0, sizeof v);
    if (!tcb_evaluate(&collateral->tcb, &claim, &v, err))
        return false;
    note_quote(q, &v);
    note_platform(facts, &v);
    v.tcb_evaluation_data_number = evaluation_number(collateral);
    v.earliest_expiry_s = first_expiry(facts, collateral);
    v.verified_at_s = now_s;
    *out = v;
    return true;
}

bool dcap_verify(struct slice quote, const struct collateral *collateral,
                 const struct dcap_root *root, const struct dcap_options *options, int64_t now_s,
                 struct verdict *out, struct error *err)
{
    struct quote q;
    ATTESTER_AUTO struct attester *attester = NULL;
    TRUSTED_COLLATERAL_AUTO struct trusted_collateral *trusted = NULL;
    return quote_parse(quote, &q, err) &&
           attester_open(&q, collateral_part(collateral, COLLATERAL_PCK_CHAIN), root, NULL,
                         &attester, err) &&
           dcap_check_attester_dates(attester, now_s, err) &&
           attester_check_quote(attester, &q, err) &&
           trusted_collateral_open(collateral, &attester_facts(attester)->issuer, root, &trusted,
                                   err) &&
           dcap_judge(&q, attester, trusted, options, now_s, out, err);
}
