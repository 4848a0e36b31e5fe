/* Quote writer: layouts of DCAP facts 1.1-1.4, bindings of 2. */
#include "sim/quote.h"

#include <string.h>

#include "base/hash.h"
#include "sim/documents.h"

enum {
    HEADER_LEN = 48,
    DESCRIPTOR_LEN = 6,
    ENCLAVE_REPORT_LEN = 384,
    TD_10_LEN = 584,
    TD_15_LEN = 648,
    TD_15_EX_LEN = 885,
    TEE_TDX = 0x81,
    KEY_P256 = 2,
    CERT_PCK_CHAIN = 5,
    CERT_QE_REPORT = 6,
};

static const uint8_t intel_vendor_id[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                            0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static void put(struct buf *out, const void *data, size_t len)
{
    buf_append(out, slice_of(data, len));
}

static void put_zeros(struct buf *out, size_t len)
{
    uint8_t *at = len == 0 ? NULL : buf_extend(out, len);
    if (at != NULL)
        memset(at, 0, len);
}

/* A true length with a lie on top, in `width` bytes. */
static void put_len(struct buf *out, size_t len, int64_t lie, unsigned width)
{
    uint64_t mask = width == 2 ? 0xffff : 0xffffffff;
    buf_append_le(out, ((uint64_t)len + (uint64_t)lie) & mask, width);
}

static size_t body_len(enum sim_body body)
{
    switch (body) {
    case SIM_BODY_SGX:
        return ENCLAVE_REPORT_LEN;
    case SIM_BODY_TD_10:
        return TD_10_LEN;
    case SIM_BODY_TD_15:
        return TD_15_LEN;
    case SIM_BODY_TD_15_EX:
        return TD_15_EX_LEN;
    }
    return 0;
}

size_t sim_quote_body_at(const struct sim_quote_spec *spec)
{
    return HEADER_LEN + (spec->version == 5 ? (size_t)DESCRIPTOR_LEN : 0);
}

size_t sim_quote_signed_len(const struct sim_quote_spec *spec)
{
    return sim_quote_body_at(spec) + body_len(spec->body);
}

static void put_header(struct buf *out, const struct sim_quote_spec *spec)
{
    buf_append_le(out, spec->version, 2);
    buf_append_le(out, spec->key_type, 2);
    buf_append_le(out, spec->tee_type, 4);
    buf_append_le(out, spec->qe_svn, 2);
    buf_append_le(out, spec->pce_svn, 2);
    put(out, spec->vendor_id, sizeof spec->vendor_id);
    put(out, spec->user_data, sizeof spec->user_data);
}

static void put_enclave_report(struct buf *out, const struct sim_enclave_report *r)
{
    put(out, r->cpusvn, sizeof r->cpusvn);
    buf_append_le(out, r->miscselect, 4);
    put(out, r->reserved1, sizeof r->reserved1);
    put(out, r->attributes, sizeof r->attributes);
    put(out, r->mrenclave, sizeof r->mrenclave);
    put(out, r->reserved2, sizeof r->reserved2);
    put(out, r->mrsigner, sizeof r->mrsigner);
    put(out, r->reserved3, sizeof r->reserved3);
    buf_append_le(out, r->isvprodid, 2);
    buf_append_le(out, r->isvsvn, 2);
    put(out, r->reserved4, sizeof r->reserved4);
    put(out, r->report_data, sizeof r->report_data);
}

static void put_td_report(struct buf *out, const struct sim_td_report *r, enum sim_body body)
{
    put(out, r->tee_tcb_svn, sizeof r->tee_tcb_svn);
    put(out, r->mrseam, sizeof r->mrseam);
    put(out, r->mrsignerseam, sizeof r->mrsignerseam);
    put(out, r->seamattributes, sizeof r->seamattributes);
    put(out, r->tdattributes, sizeof r->tdattributes);
    put(out, r->xfam, sizeof r->xfam);
    put(out, r->mrtd, sizeof r->mrtd);
    put(out, r->mrconfigid, sizeof r->mrconfigid);
    put(out, r->mrowner, sizeof r->mrowner);
    put(out, r->mrownerconfig, sizeof r->mrownerconfig);
    put(out, r->rtmr, sizeof r->rtmr);
    put(out, r->report_data, sizeof r->report_data);
    if (body >= SIM_BODY_TD_15) {
        put(out, r->tee_tcb_svn2, sizeof r->tee_tcb_svn2);
        put(out, r->mrservicetd, sizeof r->mrservicetd);
    }
    if (body >= SIM_BODY_TD_15_EX)
        put(out, r->extended, sizeof r->extended);
}

static void put_body(struct buf *out, const struct sim_quote_spec *spec)
{
    if (spec->version == 5) {
        buf_append_le(out, spec->body, 2);
        put_len(out, body_len(spec->body), spec->body_size_lie, 4);
    }
    if (spec->body == SIM_BODY_SGX)
        put_enclave_report(out, &spec->enclave);
    else
        put_td_report(out, &spec->td, spec->body);
}

/* r || s of `message`, or what the description wants instead. */
static bool put_signature(struct buf *out, const struct sim_key *key, struct slice message,
                          bool broken, bool zero, struct error *err)
{
    uint8_t signature[SIM_SIGNATURE_LEN] = {0};
    if (key == NULL)
        return error_set(err, "sim/quote", NULL, "a signing key is missing");
    if (!zero && !sim_key_sign(key, message, signature, err))
        return false;
    if (broken)
        signature[SIM_SIGNATURE_LEN - 1] ^= 1;
    put(out, signature, sizeof signature);
    return true;
}

static const uint8_t *claimed_key(const struct sim_quote_spec *spec)
{
    return spec->claimed_key != NULL ? spec->claimed_key : sim_key_public(spec->attestation_key);
}

/* SHA-256(attestation key | QE authentication data), then 32 zero bytes. */
static void bind_qe_report(const struct sim_quote_spec *spec, struct sim_enclave_report *qe)
{
    if (spec->keep_qe_report_data)
        return;
    const struct slice parts[2] = {slice_of(claimed_key(spec), SIM_PUBLIC_LEN),
                                   slice_of(spec->qe_auth, spec->qe_auth_len)};
    memset(qe->report_data, 0, sizeof qe->report_data);
    sha256_parts(parts, 2, qe->report_data);
}

/* QE report, its signature, QE authentication data, inner certification data. */
static bool put_certification(struct buf *out, const struct sim_quote_spec *spec, struct error *err)
{
    struct buf report BUF_AUTO = BUF_INIT(ENCLAVE_REPORT_LEN);
    struct sim_enclave_report qe = spec->qe;
    bind_qe_report(spec, &qe);
    put_enclave_report(&report, &qe);
    buf_append(out, buf_slice(&report));
    if (!put_signature(out, spec->pck_key, buf_slice(&report), spec->broken_qe_signature,
                       spec->zero_qe_signature, err))
        return false;
    put_len(out, spec->qe_auth_len, spec->qe_auth_len_lie, 2);
    put(out, spec->qe_auth, spec->qe_auth_len);
    buf_append_le(out, spec->inner_type, 2);
    put_len(out, spec->chain.len + (spec->chain_nul ? 1 : 0), spec->inner_len_lie, 4);
    buf_append(out, spec->chain);
    put_zeros(out, spec->chain_nul ? 1 : 0);
    put_zeros(out, spec->inner_slack);
    return true;
}

static bool put_auth(struct buf *out, const struct sim_quote_spec *spec, struct slice signed_part,
                     struct error *err)
{
    struct buf certification BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    if (!put_signature(out, spec->attestation_key, signed_part, spec->broken_signature,
                       spec->zero_signature, err))
        return false;
    put(out, claimed_key(spec), SIM_PUBLIC_LEN);
    if (!put_certification(&certification, spec, err))
        return false;
    if (spec->version != 3) {
        buf_append_le(out, spec->outer_type, 2);
        put_len(out, certification.len, spec->outer_len_lie, 4);
    }
    buf_append(out, buf_slice(&certification));
    put_zeros(out, spec->outer_slack);
    return true;
}

bool sim_quote_make(const struct sim_quote_spec *spec, struct buf *out, struct error *err)
{
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    struct buf auth BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    put_header(&quote, spec);
    put_body(&quote, spec);
    if (!put_auth(&auth, spec, buf_slice(&quote), err))
        return false;
    put_len(&quote, auth.len, spec->auth_len_lie, 4);
    buf_append(&quote, buf_slice(&auth));
    if (quote.len < spec->padded_len)
        put_zeros(&quote, spec->padded_len - quote.len);
    return (!quote.failed && !auth.failed && buf_append(out, buf_slice(&quote))) ||
           error_set(err, "sim/limit", NULL, "the quote is too long");
}

static void default_qe(struct sim_enclave_report *qe, bool tdx)
{
    struct sim_qe_identity identity;
    sim_qe_identity_defaults(&identity, tdx, 0);
    for (size_t i = 0; i < 16; i++)
        qe->cpusvn[i] = (uint8_t)sim_svns_current.components[i];
    qe->attributes[0] = 0x11;
    qe->attributes[8] = 0xe7; /* xfrm, outside the identity's mask */
    sha256(slice_str(tdx ? "mero-sim TD quoting enclave" : "mero-sim quoting enclave"),
           qe->mrenclave);
    memcpy(qe->mrsigner, identity.mrsigner, sizeof qe->mrsigner);
    qe->isvprodid = (uint16_t)identity.isvprodid;
    qe->isvsvn = sim_svns_current.qe_isvsvn;
}

void sim_quote_defaults(struct sim_quote_spec *spec, uint16_t version, enum sim_body body)
{
    static const uint8_t xfam[8] = {0xe7, 0x02, 0x06};
    bool tdx = body != SIM_BODY_SGX;
    memset(spec, 0, sizeof *spec);
    spec->version = version;
    spec->key_type = KEY_P256;
    spec->tee_type = tdx ? TEE_TDX : 0;
    memcpy(spec->vendor_id, intel_vendor_id, sizeof intel_vendor_id);
    spec->body = body;
    memcpy(spec->td.tee_tcb_svn, sim_svns_current.tee_tcb_svn, 16);
    memcpy(spec->td.tee_tcb_svn2, sim_svns_current.tee_tcb_svn, 16);
    sha384(slice_str("mero-sim TDX module"), spec->td.mrseam);
    spec->td.tdattributes[3] = 0x10; /* SEPT_VE_DISABLE */
    memcpy(spec->td.xfam, xfam, sizeof xfam);
    default_qe(&spec->qe, tdx);
    spec->enclave.attributes[0] = 0x05; /* INIT, MODE64BIT */
    for (size_t i = 0; i < 32; i++)
        spec->qe_auth[i] = (uint8_t)i;
    spec->qe_auth_len = 32;
    spec->outer_type = CERT_QE_REPORT;
    spec->inner_type = CERT_PCK_CHAIN;
    spec->chain_nul = true;
}
