/* Whole verifications of crafted quotes and collateral: one thing wrong at a time, every byte
 * flipped, every date one second either side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dcap/tcb.h"
#include "dcap/verify.h"
#include "sim/world.h"
#include "support/fake_pcs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { DAY_IN_S = 86400 };
static const int64_t NOW = 1767268800; /* 2026-01-01T12:00:00Z */

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct error why = {.code = "?"};                                                          \
        struct error *err __attribute__((unused)) = &why;                                          \
        if (!(call))                                                                               \
            fail_msg("%s: %s", why.code, why.message);                                             \
    } while (0)

/* A world, and what is made from it once its descriptions were changed. */
struct stage {
    struct sim_world world;
    struct buf quote;
    struct sim_collateral made;
    struct collateral documents;
    struct dcap_root root;
    struct buf chain; /* what a change keeps for the quote to borrow */
};

static void stage_open(struct stage *s, uint16_t version, enum sim_body body)
{
    memset(s, 0, sizeof *s);
    OK(sim_world_create(
        &s->world,
        &(struct sim_world_options){.now_s = NOW, .quote_version = version, .body = body}, err));
    s->quote = BUF_INIT(1 << 18);
    s->chain = BUF_INIT(1 << 16);
    BUF_AUTO struct buf pem = BUF_INIT(1 << 16);
    OK(sim_world_root_pem(&s->world, &pem, err));
    OK(dcap_root_open_pem(buf_slice(&pem), &s->root, err));
}

static void stage_make(struct stage *s)
{
    static const uint8_t report_data[64] = {1, 2, 3};
    OK(sim_world_reissue(&s->world, err));
    OK(sim_world_quote(&s->world, report_data, &s->quote, err));
    OK(sim_collateral_make(&s->world.pki, &s->world.collateral, &s->made, err));
    fake_pcs_collateral(&s->made, &s->documents);
}

static void stage_close(struct stage *s)
{
    collateral_free(&s->documents);
    sim_collateral_free(&s->made);
    sim_world_free(&s->world);
    buf_free(&s->quote);
    buf_free(&s->chain);
    dcap_root_close(&s->root);
}
#define STAGE_AUTO __attribute__((cleanup(stage_close)))

static bool verify_at(struct stage *s, int64_t now_s, struct verdict *v, struct error *err)
{
    return dcap_verify(buf_slice(&s->quote), &s->documents, &s->root, NULL, now_s, v, err);
}

/* "UpToDate", or the code of the refusal. */
static const char *outcome_at(struct stage *s, int64_t now_s)
{
    struct verdict v;
    struct error err = {.code = "?"};
    return verify_at(s, now_s, &v, &err) ? tcb_status_name(v.status) : err.code;
}

/* ---- one thing wrong at a time ---- */

typedef void change(struct stage *s);

struct crafted {
    const char *name;
    change *change; /* of the descriptions, before anything is made */
    change *after;  /* of what was made */
    const char *expect;
};

#define PCK(s)     (&(s)->world.pck.spec)
#define CA(s)      (&(s)->world.pki.cert[SIM_PLATFORM_CA].spec)
#define SIGNING(s) (&(s)->world.pki.cert[SIM_TCB_SIGNING].spec)
#define ROOT(s)    (&(s)->world.pki.cert[SIM_ROOT_CA].spec)
#define TCB(s)     (&(s)->world.collateral.tcb_info)
#define QE(s)      (&(s)->world.collateral.qe_identity)
#define CHANGE(name, ...)                                                                          \
    static void name(struct stage *s)                                                              \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

static void set_cn(struct sim_name *name, const char *cn)
{
    snprintf(name->cn, sizeof name->cn, "%s", cn);
}

CHANGE(nothing, (void)s)
/* certificates */
CHANGE(pck_cn, set_cn(&PCK(s)->subject, "My Intel SGX PCK Certificate"))
CHANGE(pck_is_ca, PCK(s)->is_ca = true)
CHANGE(pck_issuer, set_cn(&PCK(s)->issuer, "Intel SGX PCK Processor CA"))
CHANGE(pck_broken, PCK(s)->broken_signature = true)
CHANGE(pck_stranger, s->world.pck.signer = s->world.stranger)
CHANGE(pck_no_usage, PCK(s)->key_usage = SIM_USAGE_CERT_SIGN)
CHANGE(pck_no_aki, PCK(s)->omit = SIM_EXT_AKI)
CHANGE(pck_no_ski, PCK(s)->omit = SIM_EXT_SKI)
CHANGE(pck_no_crldp, PCK(s)->omit = SIM_EXT_CRLDP)
CHANGE(pck_no_key_usage, PCK(s)->omit = SIM_EXT_KEY_USAGE)
CHANGE(pck_no_basic, PCK(s)->omit = SIM_EXT_BASIC)
CHANGE(pck_no_sgx, PCK(s)->omit = SIM_EXT_SGX)
CHANGE(pck_twice, PCK(s)->duplicate = SIM_EXT_SGX)
CHANGE(pck_unknown, PCK(s)->unknown_extension = true)
CHANGE(pck_unknown_critical, PCK(s)->unknown_extension_critical = true)
CHANGE(pck_sha384, PCK(s)->sha384 = true)
CHANGE(pck_no_fmspc, PCK(s)->sgx.omit = 1u << SIM_SGX_FMSPC)
CHANGE(pck_other_fmspc, PCK(s)->sgx.fmspc[3] ^= 1)
CHANGE(pck_other_pceid, PCK(s)->sgx.pceid[0] ^= 1)
CHANGE(ca_cn, set_cn(&CA(s)->subject, "Evil CA"); set_cn(&PCK(s)->issuer, "Evil CA"))
CHANGE(ca_not_ca, CA(s)->is_ca = false; CA(s)->path_len = -1)
CHANGE(ca_broken, CA(s)->broken_signature = true)
CHANGE(ca_stranger, s->world.pki.cert[SIM_PLATFORM_CA].signer = s->world.stranger)
CHANGE(ca_no_cert_sign, CA(s)->key_usage = SIM_USAGE_CRL_SIGN)
CHANGE(root_no_path, ROOT(s)->path_len = 0)
CHANGE(root_broken, ROOT(s)->broken_signature = true)
CHANGE(root_other_cert, ROOT(s)->not_before_s -= DAY_IN_S)
CHANGE(signing_cn, set_cn(&SIGNING(s)->subject, "Intel SGX TCB Signing 2"))
CHANGE(signing_is_ca, SIGNING(s)->is_ca = true)
CHANGE(signing_broken, SIGNING(s)->broken_signature = true)
CHANGE(signing_stranger, s->world.pki.cert[SIM_TCB_SIGNING].signer = s->world.stranger)
CHANGE(signing_issuer, set_cn(&SIGNING(s)->issuer, "Intel SGX PCK Platform CA"))
CHANGE(signing_no_usage, SIGNING(s)->key_usage = SIM_USAGE_CRL_SIGN)
/* quote */
CHANGE(quote_broken, s->world.quote.broken_signature = true)
CHANGE(quote_zero, s->world.quote.zero_signature = true)
CHANGE(quote_stranger, s->world.quote.attestation_key = s->world.stranger;
       s->world.quote.claimed_key = sim_key_public(s->world.attestation_key))
CHANGE(quote_unbound, s->world.quote.claimed_key = sim_key_public(s->world.stranger);
       s->world.quote.keep_qe_report_data = true)
CHANGE(qe_broken, s->world.quote.broken_qe_signature = true)
CHANGE(qe_zero, s->world.quote.zero_qe_signature = true)
CHANGE(qe_stranger, s->world.quote.pck_key = s->world.stranger)
CHANGE(no_auth_data, s->world.quote.qe_auth_len = 0)
CHANGE(long_auth_data, s->world.quote.qe_auth_len = 1000)
CHANGE(manifest, s->world.quote.inner_type = 7)
CHANGE(only_ppid, s->world.quote.inner_type = 1)
CHANGE(padded, s->world.quote.padded_len = 8000)
/* QE identity */
CHANGE(qe_miscselect, QE(s)->miscselect[1] ^= 1)
CHANGE(qe_attributes, QE(s)->attributes[0] ^= 1)
CHANGE(qe_unmasked_attribute, QE(s)->attributes_mask[0] = 0xfb; QE(s)->attributes[0] |= 4)
CHANGE(qe_unmasked_report, s->world.quote.qe.attributes[0] |= 4; QE(s)->attributes_mask[0] = 0xfb)
CHANGE(qe_mrsigner, QE(s)->mrsigner[31] ^= 1)
CHANGE(qe_prodid, QE(s)->isvprodid ^= 1)
CHANGE(qe_debug, s->world.quote.qe.attributes[0] |= 2)
CHANGE(qe_debug_unmasked, s->world.quote.qe.attributes[0] |= 2; QE(s)->attributes_mask[0] = 0xf9)
CHANGE(qe_old, s->world.quote.qe.isvsvn = 3)
CHANGE(qe_below, s->world.quote.qe.isvsvn = 1)
CHANGE(qe_revoked, QE(s)->levels[0].status = "Revoked")
CHANGE(qe_id, snprintf(QE(s)->id, sizeof QE(s)->id, "QE"))
CHANGE(qe_version, QE(s)->version = 3)
/* TCB */
CHANGE(comp_low, PCK(s)->sgx.components[1]--)
CHANGE(comp_lower, PCK(s)->sgx.components[1] = 5)
CHANGE(comp_lowest, PCK(s)->sgx.components[1] = 2; PCK(s)->sgx.pcesvn = 5)
CHANGE(comp_none, PCK(s)->sgx.components[4] = 0)
CHANGE(pcesvn_low, PCK(s)->sgx.pcesvn--)
CHANGE(cpusvn_low, memset(PCK(s)->sgx.cpusvn, 0, 16))
CHANGE(tdx_low, s->world.quote.td.tee_tcb_svn[2]--)
CHANGE(tdx_last, TCB(s)->levels[0].tdx[15] = 1)
CHANGE(module_old, s->world.quote.td.tee_tcb_svn[0]--)
CHANGE(module_unknown, s->world.quote.td.tee_tcb_svn[1] = 2)
CHANGE(module_version_0, s->world.quote.td.tee_tcb_svn[1] = 0; s->world.quote.td.tee_tcb_svn[0] = 5)
CHANGE(module_version_0_low, s->world.quote.td.tee_tcb_svn[1] = 0;
       s->world.quote.td.tee_tcb_svn[0] = 4)
CHANGE(module_none, TCB(s)->has_module_identities = false)
CHANGE(module_base_none, TCB(s)->has_module = false)
CHANGE(module_signer, s->world.quote.td.mrsignerseam[47] = 1)
CHANGE(module_attributes, s->world.quote.td.seamattributes[0] = 1)
CHANGE(module_attributes_match, s->world.quote.td.seamattributes[0] = 1;
       for (size_t i = 0; i < TCB(s)->identity_count; i++) TCB(s)->identities[i].attributes[0] = 1)
CHANGE(level_revoked, TCB(s)->levels[0].status = "Revoked")
CHANGE(level_configuration, TCB(s)->levels[0].status = "ConfigurationNeeded")
CHANGE(tcb_id, snprintf(TCB(s)->id, sizeof TCB(s)->id, "SGX"))
CHANGE(tcb_version, TCB(s)->version = 4)
CHANGE(tcb_type, TCB(s)->tcb_type = 1)
CHANGE(tcb_duplicate, TCB(s)->levels[1] = TCB(s)->levels[0])
CHANGE(tcb_signer, s->world.collateral.tcb_info_signer = s->world.stranger)
CHANGE(tcb_pck_signer, s->world.collateral.tcb_info_signer = s->world.pck.key)
CHANGE(qe_id_signer, s->world.collateral.qe_identity_signer = s->world.stranger)
/* CRLs */
CHANGE(root_crl_signer, s->world.collateral.root_crl_signer = s->world.stranger)
CHANGE(pck_crl_signer, s->world.collateral.pck_crl_signer = s->world.stranger)
CHANGE(pck_crl_issuer, set_cn(&s->world.collateral.pck_crl.issuer, "Intel SGX PCK Processor CA"))
CHANGE(root_crl_no_number, s->world.collateral.root_crl.omit = SIM_EXT_CRL_NUMBER)
CHANGE(pck_crl_no_aki, s->world.collateral.pck_crl.omit = SIM_EXT_AKI)
CHANGE(pck_crl_forever, s->world.collateral.pck_crl.omit_next_update = true)
CHANGE(pck_crl_critical, s->world.collateral.pck_crl.unknown_extension_critical = true)

static void revoke(struct sim_crl_spec *crl, const struct sim_cert_spec *cert)
{
    OK(sim_crl_revoke(crl, &cert->serial, err));
}
CHANGE(revoke_pck, revoke(&s->world.collateral.pck_crl, PCK(s)))
CHANGE(revoke_ca, revoke(&s->world.collateral.root_crl, CA(s)))
CHANGE(revoke_root, revoke(&s->world.collateral.root_crl, ROOT(s)))
CHANGE(revoke_signing, revoke(&s->world.collateral.root_crl, SIGNING(s)))
CHANGE(revoke_elsewhere, revoke(&s->world.collateral.root_crl, PCK(s));
       revoke(&s->world.collateral.pck_crl, CA(s)))

/* of what was made */
static void put(struct stage *s, enum collateral_part part, struct slice text)
{
    OK(collateral_set(&s->documents, part, text, err));
}
CHANGE(swap_crls, put(s, COLLATERAL_PCK_CRL, buf_slice(&s->made.root_ca_crl));
       put(s, COLLATERAL_ROOT_CRL, buf_slice(&s->made.pck_crl)))
CHANGE(swap_documents, put(s, COLLATERAL_TCB_INFO, buf_slice(&s->made.qe_identity));
       put(s, COLLATERAL_TCB_INFO_SIGNATURE, slice_str(s->made.qe_identity_signature)))
CHANGE(no_root_crl, buf_reset(&s->documents.part[COLLATERAL_ROOT_CRL]))
CHANGE(no_pck_crl, buf_reset(&s->documents.part[COLLATERAL_PCK_CRL]))
CHANGE(no_tcb, buf_reset(&s->documents.part[COLLATERAL_TCB_INFO]))
CHANGE(no_tcb_signature, buf_reset(&s->documents.part[COLLATERAL_TCB_INFO_SIGNATURE]))
CHANGE(no_tcb_chain, buf_reset(&s->documents.part[COLLATERAL_TCB_INFO_ISSUER_CHAIN]))
CHANGE(no_qe, buf_reset(&s->documents.part[COLLATERAL_QE_IDENTITY]))
CHANGE(no_qe_signature, buf_reset(&s->documents.part[COLLATERAL_QE_IDENTITY_SIGNATURE]))
CHANGE(no_qe_chain, buf_reset(&s->documents.part[COLLATERAL_QE_IDENTITY_ISSUER_CHAIN]))
CHANGE(no_crl_chain, buf_reset(&s->documents.part[COLLATERAL_PCK_CRL_ISSUER_CHAIN]))
CHANGE(garbage_crl_chain, put(s, COLLATERAL_PCK_CRL_ISSUER_CHAIN, slice_str("garbage")))
CHANGE(pck_chain_as_signer,
       put(s, COLLATERAL_TCB_INFO_ISSUER_CHAIN, buf_slice(&s->made.pck_crl_issuer_chain)))
CHANGE(trailing_newline, OK(buf_append_str(&s->documents.part[COLLATERAL_TCB_INFO], "\n")))

/* The certificates in another order or number than the chain needs. */
static void put_chain(struct stage *s, enum collateral_part part, const enum sim_role *roles,
                      size_t count)
{
    const struct sim_issued *certs[4];
    BUF_AUTO struct buf pem = BUF_INIT(1 << 16);
    for (size_t i = 0; i < count; i++)
        certs[i] = &s->world.pki.cert[roles[i]];
    OK(sim_chain_append(certs, count, &pem, err));
    put(s, part, buf_slice(&pem));
}
static const enum sim_role signing_reversed[] = {SIM_ROOT_CA, SIM_TCB_SIGNING};
static const enum sim_role signing_alone[] = {SIM_TCB_SIGNING};
static const enum sim_role roots[] = {SIM_ROOT_CA, SIM_ROOT_CA};
static const enum sim_role signing_thrice[] = {SIM_TCB_SIGNING, SIM_ROOT_CA, SIM_ROOT_CA};
CHANGE(chain_reversed, put_chain(s, COLLATERAL_TCB_INFO_ISSUER_CHAIN, signing_reversed, 2))
CHANGE(chain_alone, put_chain(s, COLLATERAL_QE_IDENTITY_ISSUER_CHAIN, signing_alone, 1))
CHANGE(chain_roots, put_chain(s, COLLATERAL_QE_IDENTITY_ISSUER_CHAIN, roots, 2))
CHANGE(chain_long, put_chain(s, COLLATERAL_QE_IDENTITY_ISSUER_CHAIN, signing_thrice, 3))

static const struct crafted crafted[] = {
    {"nothing", nothing, NULL, "UpToDate"},
    {"PCK subject", pck_cn, NULL, "cert/subject"},
    {"PCK is a CA", pck_is_ca, NULL, "cert/constraints"},
    {"PCK names another issuer", pck_issuer, NULL, "cert/issuer"},
    {"PCK signature", pck_broken, NULL, "cert/signature"},
    {"PCK signer", pck_stranger, NULL, "cert/signature"},
    {"PCK key usage", pck_no_usage, NULL, "cert/extension"},
    {"PCK without AKI", pck_no_aki, NULL, "cert/extension"},
    {"PCK without SKI", pck_no_ski, NULL, "cert/extension"},
    {"PCK without CRLDP", pck_no_crldp, NULL, "cert/extension"},
    {"PCK without key usage", pck_no_key_usage, NULL, "cert/extension"},
    {"PCK without constraints", pck_no_basic, NULL, "cert/constraints"},
    {"PCK without SGX extension", pck_no_sgx, NULL, "cert/sgx-missing"},
    {"PCK with two SGX extensions", pck_twice, NULL, "cert/extension"},
    {"PCK with an unknown extension", pck_unknown, NULL, "UpToDate"},
    {"PCK with an unknown critical extension", pck_unknown_critical, NULL, "cert/critical"},
    {"PCK with SHA-384", pck_sha384, NULL, "cert/algorithm"},
    {"PCK without FMSPC", pck_no_fmspc, NULL, "cert/sgx"},
    {"PCK of another FMSPC", pck_other_fmspc, NULL, "collateral/mismatch"},
    {"PCK of another PCEID", pck_other_pceid, NULL, "collateral/mismatch"},
    {"CA subject", ca_cn, NULL, "cert/subject"},
    {"CA is none", ca_not_ca, NULL, "cert/constraints"},
    {"CA signature", ca_broken, NULL, "cert/signature"},
    {"CA signer", ca_stranger, NULL, "cert/signature"},
    {"CA key usage", ca_no_cert_sign, NULL, "cert/extension"},
    {"root allows no CA", root_no_path, NULL, "cert/constraints"},
    {"root signature", root_broken, NULL, "cert/signature"},
    {"another certificate of the root key", root_other_cert, NULL, "UpToDate"},
    {"signing subject", signing_cn, NULL, "cert/subject"},
    {"signing is a CA", signing_is_ca, NULL, "cert/constraints"},
    {"signing signature", signing_broken, NULL, "cert/signature"},
    {"signing signer", signing_stranger, NULL, "cert/signature"},
    {"signing issuer", signing_issuer, NULL, "cert/issuer"},
    {"signing key usage", signing_no_usage, NULL, "cert/extension"},
    {"quote signature", quote_broken, NULL, "signature/quote"},
    {"quote signature zero", quote_zero, NULL, "signature/quote"},
    {"quote signer", quote_stranger, NULL, "signature/quote"},
    {"attestation key not bound", quote_unbound, NULL, "qe/report-data"},
    {"QE report signature", qe_broken, NULL, "signature/qe-report"},
    {"QE report signature zero", qe_zero, NULL, "signature/qe-report"},
    {"QE report signer", qe_stranger, NULL, "signature/qe-report"},
    {"no QE auth data", no_auth_data, NULL, "UpToDate"},
    {"long QE auth data", long_auth_data, NULL, "UpToDate"},
    {"platform manifest", manifest, NULL, "quote/certification"},
    {"PPID alone", only_ppid, NULL, "quote/certification"},
    {"padded", padded, NULL, "UpToDate"},
    {"QE miscselect", qe_miscselect, NULL, "qe/identity"},
    {"QE attributes", qe_attributes, NULL, "qe/identity"},
    {"QE attribute wanted outside the mask", qe_unmasked_attribute, NULL, "qe/identity"},
    {"QE attribute set outside the mask", qe_unmasked_report, NULL, "UpToDate"},
    {"QE mrsigner", qe_mrsigner, NULL, "qe/identity"},
    {"QE isvprodid", qe_prodid, NULL, "qe/identity"},
    {"QE debug", qe_debug, NULL, "qe/identity"},
    {"QE debug, not masked", qe_debug_unmasked, NULL, "qe/debug"},
    {"QE out of date", qe_old, NULL, "OutOfDate"},
    {"QE below every level", qe_below, NULL, "qe/not-supported"},
    {"QE level revoked", qe_revoked, NULL, "tcb/revoked"},
    {"QE identity of another enclave", qe_id, NULL, "collateral/mismatch"},
    {"QE identity version", qe_version, NULL, "collateral/format"},
    {"a component low", comp_low, NULL, "SWHardeningNeeded"},
    {"a component lower", comp_lower, NULL, "OutOfDate"},
    {"a component lowest", comp_lowest, NULL, "tcb/revoked"},
    {"a component below every level", comp_none, NULL, "tcb/not-supported"},
    {"PCE SVN low", pcesvn_low, NULL, "OutOfDate"},
    {"CPUSVN does not count", cpusvn_low, NULL, "UpToDate"},
    {"TDX component low", tdx_low, NULL, "SWHardeningNeeded"},
    {"last TDX component low", tdx_last, NULL, "SWHardeningNeeded"},
    {"module old", module_old, NULL, "OutOfDate"},
    {"module unknown", module_unknown, NULL, "tcb/module"},
    {"module version 0", module_version_0, NULL, "UpToDate"},
    {"module version 0, low", module_version_0_low, NULL, "tcb/not-supported"},
    {"no module identities", module_none, NULL, "tcb/module"},
    {"no tdxModule", module_base_none, NULL, "collateral/format"},
    {"module signer", module_signer, NULL, "tcb/module"},
    {"module attributes", module_attributes, NULL, "tcb/module"},
    {"module attributes, as wanted", module_attributes_match, NULL, "tcb/module"},
    {"level revoked", level_revoked, NULL, "tcb/revoked"},
    {"level needs configuration", level_configuration, NULL, "ConfigurationNeeded"},
    {"TCB info of another TEE", tcb_id, NULL, "collateral/mismatch"},
    {"TCB info version", tcb_version, NULL, "collateral/format"},
    {"TCB info type", tcb_type, NULL, "collateral/format"},
    {"TCB info with a level twice", tcb_duplicate, NULL, "collateral/format"},
    {"TCB info signer", tcb_signer, NULL, "signature/tcb-info"},
    {"TCB info signed by the PCK", tcb_pck_signer, NULL, "signature/tcb-info"},
    {"QE identity signer", qe_id_signer, NULL, "signature/qe-identity"},
    {"root CRL signer", root_crl_signer, NULL, "crl/signature"},
    {"PCK CRL signer", pck_crl_signer, NULL, "crl/signature"},
    {"PCK CRL of another CA", pck_crl_issuer, NULL, "crl/issuer"},
    {"root CRL without number", root_crl_no_number, NULL, "crl/extension"},
    {"PCK CRL without AKI", pck_crl_no_aki, NULL, "crl/extension"},
    {"PCK CRL for ever", pck_crl_forever, NULL, "crl/time"},
    {"PCK CRL with an unknown critical extension", pck_crl_critical, NULL, "crl/critical"},
    {"PCK revoked", revoke_pck, NULL, "cert/revoked"},
    {"CA revoked", revoke_ca, NULL, "cert/revoked"},
    {"root revoked", revoke_root, NULL, "cert/revoked"},
    {"signing certificate revoked", revoke_signing, NULL, "cert/revoked"},
    {"serials in the other CRL", revoke_elsewhere, NULL, "UpToDate"},
    {"CRLs swapped", nothing, swap_crls, "crl/issuer"},
    {"documents swapped", nothing, swap_documents, "collateral/format"},
    {"no root CRL", nothing, no_root_crl, "collateral/missing"},
    {"no PCK CRL", nothing, no_pck_crl, "collateral/missing"},
    {"no TCB info", nothing, no_tcb, "collateral/missing"},
    {"no TCB info signature", nothing, no_tcb_signature, "collateral/missing"},
    {"no TCB info chain", nothing, no_tcb_chain, "collateral/missing"},
    {"no QE identity", nothing, no_qe, "collateral/missing"},
    {"no QE identity signature", nothing, no_qe_signature, "collateral/missing"},
    {"no QE identity chain", nothing, no_qe_chain, "collateral/missing"},
    {"no PCK CRL chain", nothing, no_crl_chain, "UpToDate"},
    {"garbage as PCK CRL chain", nothing, garbage_crl_chain, "UpToDate"},
    {"the PCK CA signs", nothing, pck_chain_as_signer, "cert/subject"},
    {"a newline behind the document", nothing, trailing_newline, "signature/tcb-info"},
    {"issuer chain root first", nothing, chain_reversed, "UpToDate"},
    {"issuer chain without root", nothing, chain_alone, "cert/chain"},
    {"issuer chain of roots", nothing, chain_roots, "cert/subject"},
    {"issuer chain of three", nothing, chain_long, "cert/chain"},
};

static void one_thing_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(crafted); i++) {
        STAGE_AUTO struct stage s;
        stage_open(&s, 4, SIM_BODY_TD_10);
        crafted[i].change(&s);
        stage_make(&s);
        if (crafted[i].after != NULL)
            crafted[i].after(&s);
        const char *outcome = outcome_at(&s, NOW);
        if (strcmp(outcome, crafted[i].expect) != 0)
            fail_msg("%s: %s, expected %s", crafted[i].name, outcome, crafted[i].expect);
    }
}

/* ---- dates ---- */

struct dated {
    const char *name;
    int64_t *(*from)(struct stage *s);
    int64_t *(*to)(struct stage *s);
    const char *area;
};
#define DATED(name, from_field, to_field)                                                          \
    static int64_t *name##_from(struct stage *s)                                                   \
    {                                                                                              \
        return &(from_field);                                                                      \
    }                                                                                              \
    static int64_t *name##_to(struct stage *s)                                                     \
    {                                                                                              \
        return &(to_field);                                                                        \
    }
DATED(pck, PCK(s)->not_before_s, PCK(s)->not_after_s)
DATED(ca, CA(s)->not_before_s, CA(s)->not_after_s)
DATED(root, ROOT(s)->not_before_s, ROOT(s)->not_after_s)
DATED(signing, SIGNING(s)->not_before_s, SIGNING(s)->not_after_s)
DATED(tcb, TCB(s)->issue_s, TCB(s)->next_update_s)
DATED(qe, QE(s)->issue_s, QE(s)->next_update_s)
DATED(pck_crl, s->world.collateral.pck_crl.this_update_s, s->world.collateral.pck_crl.next_update_s)
DATED(root_crl, s->world.collateral.root_crl.this_update_s,
      s->world.collateral.root_crl.next_update_s)

static const struct dated dated[] = {
    {"PCK certificate", pck_from, pck_to, "cert"},
    {"PCK CA", ca_from, ca_to, "cert"},
    {"root", root_from, root_to, "cert"},
    {"signing certificate", signing_from, signing_to, "collateral"},
    {"TCB info", tcb_from, tcb_to, "collateral"},
    {"QE identity", qe_from, qe_to, "collateral"},
    {"PCK CRL", pck_crl_from, pck_crl_to, "collateral"},
    {"root CRL", root_crl_from, root_crl_to, "collateral"},
};

static void expect_at(struct stage *s, const char *name, int64_t now_s, const char *area,
                      const char *what)
{
    char wanted[64];
    const char *outcome = outcome_at(s, now_s);
    snprintf(wanted, sizeof wanted, "%s%s%s", what != NULL ? area : "", what != NULL ? "/" : "",
             what != NULL ? what : "UpToDate");
    if (strcmp(outcome, wanted) != 0)
        fail_msg("%s at %lld: %s, expected %s", name, (long long)(now_s - NOW), outcome, wanted);
}

static void every_date_counts_to_the_second(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dated); i++) {
        STAGE_AUTO struct stage s;
        stage_open(&s, 4, SIM_BODY_TD_10);
        *dated[i].from(&s) = NOW - 100;
        *dated[i].to(&s) = NOW + 100;
        stage_make(&s);
        expect_at(&s, dated[i].name, NOW - 101, dated[i].area, "not-yet-valid");
        expect_at(&s, dated[i].name, NOW - 100, dated[i].area, NULL);
        expect_at(&s, dated[i].name, NOW + 100, dated[i].area, NULL);
        expect_at(&s, dated[i].name, NOW + 101, dated[i].area, "expired");
        struct verdict v;
        OK(verify_at(&s, NOW, &v, err));
        assert_int_equal(v.earliest_expiry_s, NOW + 100);
    }
}

/* ---- every byte ---- */

static const struct kind {
    uint16_t version;
    enum sim_body body;
} kinds[] = {{3, SIM_BODY_SGX},   {4, SIM_BODY_SGX},   {4, SIM_BODY_TD_10},   {5, SIM_BODY_SGX},
             {5, SIM_BODY_TD_10}, {5, SIM_BODY_TD_15}, {5, SIM_BODY_TD_15_EX}};

static void a_flip_in_the_quote_counts_everywhere_but_in_padding(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        STAGE_AUTO struct stage s;
        struct quote q;
        stage_open(&s, kinds[k].version, kinds[k].body);
        s.world.quote.padded_len = 6000;
        stage_make(&s);
        OK(quote_parse(buf_slice(&s.quote), &q, err));
        assert_string_equal(outcome_at(&s, NOW), "UpToDate");
        size_t exact = q.exact.len, step = k == 2 ? 1 : 29; /* one kind whole, the others sampled */
        assert_true(exact + 64 < s.quote.len);
        for (size_t at = k; at < exact + 64; at += step) {
            uint8_t bit = (uint8_t)(1u << (at % 8));
            s.quote.data[at] ^= bit;
            struct verdict v;
            bool accepted = verify_at(&s, NOW, &v, NULL);
            s.quote.data[at] ^= bit;
            if (accepted != (at >= exact))
                fail_msg("version %u: byte %zu of %zu flipped: %s", kinds[k].version, at, exact,
                         accepted ? "accepted" : "refused");
        }
    }
}

static void a_flip_in_the_collateral_counts(void **state)
{
    STAGE_AUTO struct stage s;
    struct quote q;
    ATTESTER_AUTO struct attester *attester = NULL;
    const struct slice none = {NULL, 0};
    (void)state;
    stage_open(&s, 4, SIM_BODY_TD_10);
    stage_make(&s);
    OK(quote_parse(buf_slice(&s.quote), &q, err));
    OK(attester_open(&q, none, &s.root, NULL, &attester, err));
    for (size_t part = 0; part < COLLATERAL_PARTS; part++) {
        struct buf *bytes = &s.documents.part[part];
        bool needed = part != COLLATERAL_PCK_CRL_ISSUER_CHAIN;
        for (size_t at = 0; at < bytes->len; at += part == COLLATERAL_TCB_INFO ? 11 : 3) {
            TRUSTED_COLLATERAL_AUTO struct trusted_collateral *trusted = NULL;
            bytes->data[at] ^= (uint8_t)(1u << (at % 8));
            bool ok = trusted_collateral_open(&s.documents, &attester_facts(attester)->issuer,
                                              &s.root, &trusted, NULL);
            bytes->data[at] ^= (uint8_t)(1u << (at % 8));
            if (ok == needed)
                fail_msg("byte %zu of %s flipped: %s", at,
                         collateral_part_name((enum collateral_part)part),
                         ok ? "accepted" : "refused");
        }
    }
}

/* ---- what a verdict says ---- */

static void fill(void *out, size_t len, uint8_t first)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)(first + i);
}

static void the_verdict_says_what_the_td_report_says(void **state)
{
    STAGE_AUTO struct stage s;
    struct verdict v;
    (void)state;
    stage_open(&s, 5, SIM_BODY_TD_15);
    struct sim_td_report *td = &s.world.quote.td;
    fill(td->mrseam, 48, 10);
    fill(td->tdattributes, 8, 20);
    fill(td->xfam, 8, 30);
    fill(td->mrtd, 48, 40);
    fill(td->mrconfigid, 48, 50);
    fill(td->mrowner, 48, 60);
    fill(td->mrownerconfig, 48, 70);
    fill(td->rtmr, sizeof td->rtmr, 80);
    fill(td->mrservicetd, 48, 90);
    stage_make(&s);
    OK(verify_at(&s, NOW, &v, err));
    assert_int_equal(v.tee, TEE_TDX);
    assert_false(v.is_mock);
    assert_int_equal(v.quote_version, 5);
    assert_int_equal(v.body_type, 3);
    assert_memory_equal(v.mrseam, td->mrseam, 48);
    assert_memory_equal(v.tdattributes, td->tdattributes, 8);
    assert_memory_equal(v.xfam, td->xfam, 8);
    assert_memory_equal(v.mrtd, td->mrtd, 48);
    assert_memory_equal(v.mrconfigid, td->mrconfigid, 48);
    assert_memory_equal(v.mrowner, td->mrowner, 48);
    assert_memory_equal(v.mrownerconfig, td->mrownerconfig, 48);
    assert_memory_equal(v.rtmr, td->rtmr, sizeof v.rtmr);
    assert_memory_equal(v.mrservicetd, td->mrservicetd, 48);
    assert_memory_equal(v.tee_tcb_svn, td->tee_tcb_svn, 16);
    assert_memory_equal(v.tee_tcb_svn2, td->tee_tcb_svn2, 16);
    assert_memory_equal(v.report_data, "\1\2\3\0", 4);
    assert_memory_equal(v.fmspc, PCK(&s)->sgx.fmspc, 6);
    assert_memory_equal(v.ppid, PCK(&s)->sgx.ppid, 16);
    assert_true(v.has_platform_instance_id);
    assert_memory_equal(v.platform_instance_id, PCK(&s)->sgx.platform_instance_id, 16);
    assert_int_equal(v.tcb_evaluation_data_number, SIM_EVALUATION_NUMBER);
    assert_int_equal(v.verified_at_s, NOW);
    assert_true(v.has_module_status && v.has_current_status);
    assert_int_equal(v.gap_count, 0);
    assert_int_equal(v.mrenclave[0], 0);
}

static void the_verdict_says_what_the_enclave_report_says(void **state)
{
    STAGE_AUTO struct stage s;
    struct verdict v;
    (void)state;
    stage_open(&s, 3, SIM_BODY_SGX);
    struct sim_enclave_report *enclave = &s.world.quote.enclave;
    fill(enclave->mrenclave, 32, 10);
    fill(enclave->mrsigner, 32, 20);
    fill(enclave->attributes, 16, 30);
    enclave->miscselect = 0x01020304;
    enclave->isvprodid = 0x0506;
    enclave->isvsvn = 0x0708;
    stage_make(&s);
    OK(verify_at(&s, NOW, &v, err));
    assert_int_equal(v.tee, TEE_SGX);
    assert_memory_equal(v.mrenclave, enclave->mrenclave, 32);
    assert_memory_equal(v.mrsigner, enclave->mrsigner, 32);
    assert_memory_equal(v.sgx_attributes, enclave->attributes, 16);
    assert_int_equal(v.miscselect, 0x01020304);
    assert_int_equal(v.isvprodid, 0x0506);
    assert_int_equal(v.isvsvn, 0x0708);
    assert_false(v.has_module_status || v.has_current_status);
    assert_true(slice_is_zero(slice_of(v.mrtd, 48)));
}

static const struct svn_gap *gap_named(const struct verdict *v, const char *what)
{
    for (size_t i = 0; i < v->gap_count; i++)
        if (strcmp(v->gaps[i].what, what) == 0)
            return &v->gaps[i];
    fail_msg("no gap %s", what);
    return NULL;
}

static void the_verdict_says_what_is_missing(void **state)
{
    STAGE_AUTO struct stage s;
    struct verdict v;
    (void)state;
    stage_open(&s, 4, SIM_BODY_TD_10);
    s.world.pck.spec.sgx.components[1] = 4;
    s.world.pck.spec.sgx.pcesvn = 11;
    s.world.quote.td.tee_tcb_svn[0] = 5;
    s.world.quote.qe.isvsvn = 3;
    stage_make(&s);
    OK(verify_at(&s, NOW, &v, err));
    assert_int_equal(v.status, TCB_OUT_OF_DATE);
    assert_int_equal(v.platform_status, TCB_OUT_OF_DATE);
    assert_int_equal(v.module_status, TCB_OUT_OF_DATE);
    assert_int_equal(v.qe_status, TCB_OUT_OF_DATE);
    assert_int_equal(v.gap_count, 4);
    assert_int_equal(gap_named(&v, "sgxtcbcomponents[1]")->has, 4);
    assert_int_equal(gap_named(&v, "sgxtcbcomponents[1]")->needs, 8);
    assert_int_equal(gap_named(&v, "pcesvn")->needs, 13);
    assert_int_equal(gap_named(&v, "tdxModule TDX_01 isvsvn")->has, 5);
    assert_int_equal(gap_named(&v, "tdxModule TDX_01 isvsvn")->needs, 7);
    assert_int_equal(gap_named(&v, "qe isvsvn")->has, 3);
    assert_true(v.advisory_count > 0);
    for (size_t i = 1; i < v.advisory_count; i++)
        assert_true(strcmp(v.advisories[i - 1], v.advisories[i]) < 0);
}

static void not_supported_says_what_is_missing(void **state)
{
    STAGE_AUTO struct stage s;
    struct verdict v;
    struct error refusal;
    (void)state;
    stage_open(&s, 4, SIM_BODY_TD_10);
    s.world.pck.spec.sgx.components[4] = 1;
    stage_make(&s);
    assert_false(verify_at(&s, NOW, &v, &refusal));
    assert_string_equal(refusal.code, "tcb/not-supported");
    assert_string_equal(refusal.field, "sgxtcbcomponents[4]");
    assert_non_null(strstr(refusal.message, "sgxtcbcomponents[4] is 1 and needs 4"));
}

/* Facts 6.3, as a table. */
static void statuses_converge(void **state)
{
    static const struct {
        enum tcb_status platform, with_out_of_date;
    } rows[] = {
        {TCB_UP_TO_DATE, TCB_OUT_OF_DATE},
        {TCB_SW_HARDENING_NEEDED, TCB_OUT_OF_DATE},
        {TCB_CONFIGURATION_NEEDED, TCB_OUT_OF_DATE_CONFIGURATION_NEEDED},
        {TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED, TCB_OUT_OF_DATE_CONFIGURATION_NEEDED},
        {TCB_OUT_OF_DATE, TCB_OUT_OF_DATE},
        {TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, TCB_OUT_OF_DATE_CONFIGURATION_NEEDED},
        {TCB_REVOKED, TCB_REVOKED},
    };
    static const enum tcb_status others[] = {TCB_UP_TO_DATE, TCB_OUT_OF_DATE, TCB_REVOKED};
    (void)state;
    for (size_t r = 0; r < COUNT(rows); r++)
        for (size_t a = 0; a < COUNT(others); a++)
            for (size_t b = 0; b < COUNT(others); b++) {
                enum tcb_status pair[] = {others[a], others[b]};
                bool revoked = a == 2 || b == 2, old = a == 1 || b == 1;
                assert_int_equal(tcb_converge(rows[r].platform, pair, 2),
                                 revoked ? TCB_REVOKED
                                 : old   ? rows[r].with_out_of_date
                                         : rows[r].platform);
            }
}

/* Facts 6.4: launched on 06 01, running on 07 01. */
static void relaunch_is_advised(void **state)
{
    static const struct {
        const char *top;         /* status of the level that both reach */
        uint8_t launch, current; /* module SVNs; 7 is UpToDate, 6 OutOfDate */
        const char *expect;
    } cases[] = {
        {"UpToDate", 6, 7, "TDRelaunchAdvised"},
        {"SWHardeningNeeded", 6, 7, "TDRelaunchAdvised"},
        {"ConfigurationNeeded", 6, 7, "TDRelaunchAdvisedConfigurationNeeded"},
        {"UpToDate", 7, 7, "UpToDate"},
        {"UpToDate", 7, 6, "UpToDate"},
        {"UpToDate", 6, 6, "OutOfDate"},
        {"ConfigurationNeeded", 6, 6, "OutOfDateConfigurationNeeded"},
        {"OutOfDate", 6, 7, "OutOfDate"},
        {"UpToDate", 6, 0, "tcb/not-supported"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        STAGE_AUTO struct stage s;
        stage_open(&s, 5, SIM_BODY_TD_15);
        TCB(&s)->levels[0].status = cases[i].top;
        s.world.quote.td.tee_tcb_svn[0] = cases[i].launch;
        memcpy(s.world.quote.td.tee_tcb_svn2, s.world.quote.td.tee_tcb_svn, 16);
        s.world.quote.td.tee_tcb_svn2[0] = cases[i].current;
        stage_make(&s);
        assert_string_equal(outcome_at(&s, NOW), cases[i].expect);
    }
}

/* ---- certification data without a chain ---- */

static void keep_chain(struct stage *s)
{
    OK(sim_world_pck_chain(&s->world, &s->chain, err));
}

static void a_chain_from_elsewhere_serves(void **state)
{
    static const char ppid[404] = "encrypted";
    static const size_t ppid_len[] = {0, 36, 276, 404};
    (void)state;
    for (uint16_t type = 1; type <= 4; type++) {
        STAGE_AUTO struct stage s;
        BUF_AUTO struct buf leaf = BUF_INIT(1 << 14);
        stage_open(&s, 4, SIM_BODY_TD_10);
        OK(sim_world_reissue(&s.world, err));
        keep_chain(&s);
        OK(sim_pem_append(buf_slice(&s.world.pck.der), &leaf, err));
        s.world.quote.inner_type = type;
        s.world.quote.chain = type == 4 ? buf_slice(&leaf) : slice_of(ppid, ppid_len[type]);
        static const uint8_t report_data[64];
        OK(sim_world_quote(&s.world, report_data, &s.quote, err));
        OK(sim_collateral_make(&s.world.pki, &s.world.collateral, &s.made, err));
        fake_pcs_collateral(&s.made, &s.documents);
        assert_string_equal(outcome_at(&s, NOW), "quote/certification");
        OK(collateral_set(&s.documents, COLLATERAL_PCK_CHAIN, buf_slice(&s.chain), err));
        assert_string_equal(outcome_at(&s, NOW), "UpToDate");
    }
}

static void a_leaf_must_be_that_of_the_chain(void **state)
{
    STAGE_AUTO struct stage s;
    BUF_AUTO struct buf leaf = BUF_INIT(1 << 14);
    static const uint8_t report_data[64];
    (void)state;
    stage_open(&s, 4, SIM_BODY_TD_10);
    OK(sim_pem_append(buf_slice(&s.world.pck.der), &leaf, err));
    OK(sim_world_reissue(&s.world, err)); /* the same facts under another signature */
    keep_chain(&s);
    s.world.quote.inner_type = 4;
    s.world.quote.chain = buf_slice(&leaf);
    OK(sim_world_quote(&s.world, report_data, &s.quote, err));
    OK(sim_collateral_make(&s.world.pki, &s.world.collateral, &s.made, err));
    fake_pcs_collateral(&s.made, &s.documents);
    OK(collateral_set(&s.documents, COLLATERAL_PCK_CHAIN, buf_slice(&s.chain), err));
    assert_string_equal(outcome_at(&s, NOW), "cert/chain");
}

static void a_chain_in_the_quote_is_the_one_that_counts(void **state)
{
    STAGE_AUTO struct stage s;
    (void)state;
    stage_open(&s, 4, SIM_BODY_TD_10);
    stage_make(&s);
    OK(collateral_set(&s.documents, COLLATERAL_PCK_CHAIN, slice_str("garbage"), err));
    assert_string_equal(outcome_at(&s, NOW), "UpToDate");
}

static void a_stranger_is_not_intel(void **state)
{
    STAGE_AUTO struct stage s;
    DCAP_ROOT_AUTO struct dcap_root intel = {.key = NULL};
    struct verdict v;
    struct error refusal;
    (void)state;
    stage_open(&s, 4, SIM_BODY_TD_10);
    stage_make(&s);
    OK(dcap_root_open_intel(&intel, err));
    assert_false(dcap_verify(buf_slice(&s.quote), &s.documents, &intel, NULL, NOW, &v, &refusal));
    assert_string_equal(refusal.code, "cert/root");
}

static void outputs_stay_untouched(void **state)
{
    STAGE_AUTO struct stage s;
    struct verdict v;
    (void)state;
    stage_open(&s, 4, SIM_BODY_TD_10);
    TCB(&s)->levels[0].status = "Revoked";
    stage_make(&s);
    memset(&v, 0x5a, sizeof v);
    assert_false(verify_at(&s, NOW, &v, NULL));
    for (size_t i = 0; i < sizeof v; i++)
        assert_int_equal(((const uint8_t *)&v)[i], 0x5a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thing_wrong),
        cmocka_unit_test(every_date_counts_to_the_second),
        cmocka_unit_test(a_flip_in_the_quote_counts_everywhere_but_in_padding),
        cmocka_unit_test(a_flip_in_the_collateral_counts),
        cmocka_unit_test(the_verdict_says_what_the_td_report_says),
        cmocka_unit_test(the_verdict_says_what_the_enclave_report_says),
        cmocka_unit_test(the_verdict_says_what_is_missing),
        cmocka_unit_test(not_supported_says_what_is_missing),
        cmocka_unit_test(statuses_converge),
        cmocka_unit_test(relaunch_is_advised),
        cmocka_unit_test(a_chain_from_elsewhere_serves),
        cmocka_unit_test(a_leaf_must_be_that_of_the_chain),
        cmocka_unit_test(a_chain_in_the_quote_is_the_one_that_counts),
        cmocka_unit_test(a_stranger_is_not_intel),
        cmocka_unit_test(outputs_stay_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
