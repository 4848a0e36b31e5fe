/* Taking a DCAP quote apart. Spec: DCAP facts 1 (layout), 13 (what malformed quotes did elsewhere).
 * Every length is compared with the bytes that remain before it is used for anything. */
#include "quote/quote.h"

#include <string.h>

static const uint8_t INTEL_VENDOR_ID[QUOTE_VENDOR_ID_LEN] = {
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

const char *quote_cert_type_name(enum quote_cert_type type)
{
    switch (type) {
    case QUOTE_CERT_PPID_PLAIN:
        return "PCK_ID_PLAIN";
    case QUOTE_CERT_PPID_RSA2048:
        return "PCK_ID_RSA_2048_OAEP";
    case QUOTE_CERT_PPID_RSA3072:
        return "PCK_ID_RSA_3072_OAEP";
    case QUOTE_CERT_PCK_LEAF:
        return "PCK_LEAF_CERT";
    case QUOTE_CERT_PCK_CHAIN:
        return "PCK_CERT_CHAIN";
    case QUOTE_CERT_QE_REPORT:
        return "QE_REPORT_CERT";
    case QUOTE_CERT_PLATFORM_MANIFEST:
        return "PLATFORM_MANIFEST";
    }
    return "unknown";
}

const char *quote_body_type_name(enum quote_body_type type)
{
    switch (type) {
    case QUOTE_BODY_SGX:
        return "SGX";
    case QUOTE_BODY_TD_10:
        return "TD 1.0";
    case QUOTE_BODY_TD_15:
        return "TD 1.5";
    case QUOTE_BODY_TD_15_EX:
        return "TD 1.5-ex";
    }
    return "unknown";
}

static size_t body_len(enum quote_body_type type)
{
    switch (type) {
    case QUOTE_BODY_SGX:
        return SGX_REPORT_LEN;
    case QUOTE_BODY_TD_10:
        return TD_REPORT_10_LEN;
    case QUOTE_BODY_TD_15:
        return TD_REPORT_15_LEN;
    case QUOTE_BODY_TD_15_EX:
        return TD_REPORT_15_EX_LEN;
    }
    return 0;
}

void sgx_report_view(struct slice bytes, struct sgx_report *out)
{
    struct reader r = reader_of(bytes);
    out->cpusvn = reader_bytes(&r, 16);
    out->miscselect_bytes = reader_bytes(&r, 4);
    out->miscselect = load_u32le(out->miscselect_bytes);
    (void)reader_take(&r, 28);
    out->attributes = reader_bytes(&r, 16);
    out->mrenclave = reader_bytes(&r, 32);
    (void)reader_take(&r, 32);
    out->mrsigner = reader_bytes(&r, 32);
    (void)reader_take(&r, 96);
    out->isvprodid = reader_u16le(&r);
    out->isvsvn = reader_u16le(&r);
    (void)reader_take(&r, 60);
    out->reportdata = reader_bytes(&r, QUOTE_REPORT_DATA_LEN);
}

static void view_td_15_ex(struct reader *r, struct td_report *out)
{
    out->vmid = reader_bytes(r, 1);
    out->td_id = reader_bytes(r, 32);
    out->devinfo_hash = reader_bytes(r, 48);
    out->init_servtd_hash = reader_bytes(r, 48);
    out->init_servtd_attr = reader_bytes(r, 8);
    out->init_cpusvn = reader_bytes(r, 16);
    out->init_tee_tcb_svn = reader_bytes(r, 16);
    out->init_tee_fmspc = reader_bytes(r, 12);
    out->cur_servtd_hash = reader_bytes(r, 48);
    out->cur_servtd_attr = reader_bytes(r, 8);
}

void td_report_view(struct slice bytes, enum quote_body_type type, struct td_report *out)
{
    struct reader r = reader_of(bytes);
    *out = (struct td_report){.tee_tcb_svn = reader_bytes(&r, 16)};
    out->mrseam = reader_bytes(&r, 48);
    out->mrsignerseam = reader_bytes(&r, 48);
    out->seamattributes = reader_bytes(&r, 8);
    out->tdattributes = reader_bytes(&r, 8);
    out->xfam = reader_bytes(&r, 8);
    out->mrtd = reader_bytes(&r, 48);
    out->mrconfigid = reader_bytes(&r, 48);
    out->mrowner = reader_bytes(&r, 48);
    out->mrownerconfig = reader_bytes(&r, 48);
    for (size_t i = 0; i < 4; i++) {
        out->rtmr[i] = reader_bytes(&r, 48);
    }
    out->reportdata = reader_bytes(&r, QUOTE_REPORT_DATA_LEN);
    if (type == QUOTE_BODY_TD_15 || type == QUOTE_BODY_TD_15_EX) {
        out->tee_tcb_svn2 = reader_bytes(&r, 16);
        out->mrservicetd = reader_bytes(&r, 48);
    }
    if (type == QUOTE_BODY_TD_15_EX) {
        view_td_15_ex(&r, out);
    }
}

static bool fail_truncated(const char *field, size_t need, size_t have, struct error *err)
{
    return error_set(err, "quote/truncated", field, "%s needs %zu bytes, the quote has %zu left",
                     field, need, have);
}

static bool require(const struct reader *r, size_t len, const char *field, struct error *err)
{
    return r->rest.len >= len || fail_truncated(field, len, r->rest.len, err);
}

static bool check_header(const struct quote *q, uint32_t tee, struct error *err)
{
    if (q->version < 3 || q->version > 5)
        return error_set(err, "quote/version", "header.version",
                         "quote version %u is not one of 3, 4, 5", q->version);
    if (q->attestation_key_type != QUOTE_KEY_ECDSA_P256)
        return error_set(err, "quote/key-type", "header.attestationKeyType",
                         "attestation key type %u is not 2 (ECDSA P-256)", q->attestation_key_type);
    if (tee != QUOTE_TEE_SGX && tee != QUOTE_TEE_TDX)
        return error_set(err, "quote/tee-type", "header.teeType",
                         "TEE type 0x%x is neither SGX (0x0) nor TDX (0x81)", tee);
    if (q->version == 3 && tee != QUOTE_TEE_SGX)
        return error_set(err, "quote/tee-type", "header.teeType",
                         "a version 3 quote is for SGX only, this one says TEE type 0x%x", tee);
    if (memcmp(q->qe_vendor_id, INTEL_VENDOR_ID, QUOTE_VENDOR_ID_LEN) != 0)
        return error_set(err, "quote/vendor", "header.qeVendorId",
                         "the quoting enclave's vendor is not Intel");
    return true;
}

static bool read_header(struct reader *r, struct quote *q, struct error *err)
{
    if (!require(r, QUOTE_HEADER_LEN, "header", err))
        return false;
    q->version = reader_u16le(r);
    q->attestation_key_type = reader_u16le(r);
    uint32_t tee = reader_u32le(r);
    q->qe_svn = reader_u16le(r);
    q->pce_svn = reader_u16le(r);
    q->qe_vendor_id = reader_bytes(r, QUOTE_VENDOR_ID_LEN);
    q->user_data = reader_bytes(r, QUOTE_USER_DATA_LEN);
    if (!check_header(q, tee, err))
        return false;
    q->tee = tee == QUOTE_TEE_SGX ? QUOTE_TEE_SGX : QUOTE_TEE_TDX;
    return true;
}

static bool read_descriptor(struct reader *r, struct quote *q, struct error *err)
{
    if (!require(r, QUOTE_V5_DESCRIPTOR_LEN, "body descriptor", err))
        return false;
    unsigned type = reader_u16le(r);
    uint32_t size = reader_u32le(r);
    if (type < QUOTE_BODY_SGX || type > QUOTE_BODY_TD_15_EX)
        return error_set(err, "quote/body-type", "body.type", "body type %u is not one of 1 to 4",
                         type);
    q->body_type = (enum quote_body_type)type;
    if ((q->body_type == QUOTE_BODY_SGX) != (q->tee == QUOTE_TEE_SGX))
        return error_set(err, "quote/body-type", "body.type",
                         "a %s body does not go with TEE type 0x%x",
                         quote_body_type_name(q->body_type), (unsigned)q->tee);
    if (size != body_len(q->body_type))
        return error_set(err, "quote/body-size", "body.size",
                         "a %s body has %zu bytes, the descriptor says %u",
                         quote_body_type_name(q->body_type), body_len(q->body_type), size);
    return true;
}

static bool read_body(struct reader *r, struct quote *q, struct error *err)
{
    if (q->version == 5) {
        if (!read_descriptor(r, q, err))
            return false;
    } else {
        q->body_type = q->tee == QUOTE_TEE_SGX ? QUOTE_BODY_SGX : QUOTE_BODY_TD_10;
    }
    size_t len = body_len(q->body_type);
    if (!require(r, len, "body", err))
        return false;
    q->body = reader_take(r, len);
    if (q->body_type == QUOTE_BODY_SGX) {
        sgx_report_view(q->body, &q->sgx);
        q->report_data = q->sgx.reportdata;
    } else {
        td_report_view(q->body, q->body_type, &q->td);
        q->report_data = q->td.reportdata;
    }
    return true;
}

/* Cuts the authentication data out and fixes where the quote ends. */
static bool read_auth_block(struct reader *r, struct quote *q, struct slice bytes,
                            struct reader *auth, struct error *err)
{
    q->signed_part = slice_cut(bytes, 0, bytes.len - r->rest.len);
    if (!require(r, 4, "authentication data length", err))
        return false;
    uint32_t len = reader_u32le(r);
    if (len > QUOTE_LEN_MAX - q->signed_part.len - 4)
        return error_set(err, "quote/too-large", "authData.length",
                         "%u bytes of authentication data are more than a quote of %u may hold",
                         len, (unsigned)QUOTE_LEN_MAX);
    if (!require(r, len, "authentication data", err))
        return false;
    *auth = reader_of(reader_take(r, len));
    q->exact = slice_cut(bytes, 0, bytes.len - r->rest.len);
    q->trailing_len = r->rest.len;
    return true;
}

/* From here on what runs short is the authentication data, not the quote. */
static bool require_auth(const struct reader *r, size_t len, const char *field, struct error *err)
{
    return r->rest.len >= len ||
           error_set(err, "quote/auth-size", field,
                     "%s needs %zu bytes, the authentication data has %zu left", field, len,
                     r->rest.len);
}

static bool read_cert_type(struct reader *r, unsigned *type, const char *field, struct error *err)
{
    if (!require_auth(r, 6, field, err)) /* type u16, length u32 */
        return false;
    *type = reader_u16le(r);
    return true;
}

/* length u32 and the bytes, which must reach exactly to the end of what is around them. */
static bool read_cert_data(struct reader *r, struct slice *data, const char *field,
                           struct error *err)
{
    uint32_t len = reader_u32le(r);
    if (len > r->rest.len)
        return error_set(err, "quote/cert-size", field,
                         "%s says %u bytes, the authentication data has %zu left", field, len,
                         r->rest.len);
    if (len < r->rest.len)
        return error_set(err, "quote/slack", field, "%zu unused bytes follow the %u bytes of %s",
                         r->rest.len - len, len, field);
    *data = reader_take(r, len);
    return true;
}

static bool read_signature(struct reader *r, struct quote *q, struct error *err)
{
    if (!require_auth(r, QUOTE_SIGNATURE_LEN + QUOTE_KEY_LEN, "signature and attestation key", err))
        return false;
    q->signature = reader_bytes(r, QUOTE_SIGNATURE_LEN);
    q->attestation_key = reader_bytes(r, QUOTE_KEY_LEN);
    return true;
}

static bool read_qe_part(struct reader *r, struct quote *q, struct error *err)
{
    if (!require_auth(r, SGX_REPORT_LEN + QUOTE_SIGNATURE_LEN + 2, "qeReport", err))
        return false;
    q->qe_report = reader_take(r, SGX_REPORT_LEN);
    sgx_report_view(q->qe_report, &q->qe);
    q->qe_report_signature = reader_bytes(r, QUOTE_SIGNATURE_LEN);
    uint16_t auth_len = reader_u16le(r);
    if (!require_auth(r, auth_len, "qeAuthenticationData", err))
        return false;
    q->qe_auth_data = reader_take(r, auth_len);
    return true;
}

static bool read_certification(struct reader *r, struct quote *q, struct error *err)
{
    unsigned type;
    if (!read_cert_type(r, &type, "certificationData", err))
        return false;
    if (type < QUOTE_CERT_PPID_PLAIN || type > QUOTE_CERT_PLATFORM_MANIFEST ||
        type == QUOTE_CERT_QE_REPORT)
        return error_set(err, "quote/cert-type", "certificationData.type",
                         "certification data type %u is not one of 1 to 5, 7", type);
    q->cert_type = (enum quote_cert_type)type;
    return read_cert_data(r, &q->cert_data, "certificationData", err);
}

/* Version 3 lays the QE part flat; 4 and 5 wrap it in certification data of type 6. */
static bool unwrap_qe_part(struct reader *r, const struct quote *q, struct reader *inner,
                           struct error *err)
{
    unsigned type;
    struct slice outer;
    *inner = *r;
    if (q->version == 3)
        return true;
    if (!read_cert_type(r, &type, "qeReportCertificationData", err))
        return false;
    if (type != QUOTE_CERT_QE_REPORT)
        return error_set(err, "quote/cert-type", "qeReportCertificationData.type",
                         "outer certification data type %u is not 6", type);
    if (!read_cert_data(r, &outer, "qeReportCertificationData", err))
        return false;
    *inner = reader_of(outer);
    return true;
}

static bool read_auth(struct reader *r, struct quote *q, struct error *err)
{
    struct reader inner;
    return read_signature(r, q, err) && unwrap_qe_part(r, q, &inner, err) &&
           read_qe_part(&inner, q, err) && read_certification(&inner, q, err);
}

bool quote_parse(struct slice bytes, struct quote *out, struct error *err)
{
    struct quote q = {0};
    struct reader r = reader_of(bytes);
    struct reader auth;
    if (!read_header(&r, &q, err) || !read_body(&r, &q, err) ||
        !read_auth_block(&r, &q, bytes, &auth, err) || !read_auth(&auth, &q, err))
        return false;
    *out = q;
    return true;
}

bool quote_pck_chain(const struct quote *q, struct slice *out_pem, struct error *err)
{
    if (q->cert_type != QUOTE_CERT_PCK_CHAIN)
        return error_set(err, "quote/certification", "certificationData.type",
                         "certification data of type %u (%s) carries no PCK certificate chain, so "
                         "the quote cannot be verified by itself",
                         (unsigned)q->cert_type, quote_cert_type_name(q->cert_type));
    *out_pem = q->cert_data;
    return true;
}
