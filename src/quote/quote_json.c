/* The JSON view of a quote. Spec: reference facts E.2. */
#include "quote/quote_json.h"

#include "base/codec.h"
#include "quote/fields.h"

/* An object being filled; `failed` sticks, so that only the end needs a check. */
struct view {
    json_t *object;
    bool failed;
};

static void put(struct view *v, const char *name, json_t *value)
{
    if (json_object_set_new(v->object, name, value) != 0)
        v->failed = true;
}

static void put_number(struct view *v, const char *name, uint32_t number)
{
    put(v, name, json_integer(number));
}

static void put_text(struct view *v, const char *name, const char *text)
{
    put(v, name, json_string(text));
}

static void put_hex(struct view *v, const char *name, struct slice bytes)
{
    BUF_AUTO struct buf hex = BUF_INIT(2 * QUOTE_LEN_MAX);
    bool ok = hex_append(&hex, bytes);
    put(v, name, ok ? json_stringn(buf_cstr(&hex), hex.len) : NULL);
}

/* A new object inside *parent. */
static struct view put_object(struct view *parent, const char *name)
{
    struct view child = {.object = json_object()};
    put(parent, name, child.object);
    if (parent->failed)
        child = (struct view){.failed = true};
    return child;
}

static void put_header(struct view *top, const struct quote *q)
{
    struct view v = put_object(top, "header");
    put_number(&v, "version", q->version);
    put_number(&v, "attestationKeyType", q->attestation_key_type);
    put_number(&v, "teeType", q->tee);
    put_hex(&v, "qeVendorId", slice_of(q->qe_vendor_id, QUOTE_VENDOR_ID_LEN));
    put_hex(&v, "userData", slice_of(q->user_data, QUOTE_USER_DATA_LEN));
    if (q->version == 3) {
        put_number(&v, "qeSvn", q->qe_svn);
        put_number(&v, "pceSvn", q->pce_svn);
    }
    top->failed = top->failed || v.failed;
}

static const char *tdx_version(enum quote_body_type type)
{
    if (type == QUOTE_BODY_TD_10)
        return "1.0";
    return type == QUOTE_BODY_TD_15 ? "1.5" : "1.5-ex";
}

static void put_body(struct view *top, const struct quote *q)
{
    struct view v = put_object(top, "body");
    struct quote_field fields[QUOTE_FIELDS_MAX];
    if (q->tee == QUOTE_TEE_TDX)
        put_text(&v, "tdxVersion", tdx_version(q->body_type));
    size_t count = quote_body_fields(q, fields);
    for (size_t i = 0; i < count; i++)
        put_hex(&v, fields[i].name, slice_of(fields[i].bytes, fields[i].len));
    if (q->tee == QUOTE_TEE_SGX) {
        put_number(&v, "isvprodid", q->sgx.isvprodid);
        put_number(&v, "isvsvn", q->sgx.isvsvn);
    }
    top->failed = top->failed || v.failed;
}

static void put_attestation_key(struct view *v, const struct quote *q)
{
    BUF_AUTO struct buf point = BUF_INIT(1 + QUOTE_KEY_LEN);
    if (!buf_append_byte(&point, 0x04) ||
        !buf_append(&point, slice_of(q->attestation_key, QUOTE_KEY_LEN)))
        v->failed = true;
    put_hex(v, "attestationKey", buf_slice(&point));
}

static void put_certification(struct view *top, const struct quote *q)
{
    struct view v = put_object(top, "certificationData");
    put_text(&v, "type", "qeReportCertificationData");
    struct view data = put_object(&v, "data");
    put_hex(&data, "qeReport", q->qe_report);
    put_hex(&data, "signature", slice_of(q->qe_report_signature, QUOTE_SIGNATURE_LEN));
    put_hex(&data, "qeAuthenticationData", q->qe_auth_data);
    put_text(&data, "certificationDataType", quote_cert_type_reference_name(q->cert_type));
    put_hex(&data, "certificationData", q->cert_data);
    top->failed = top->failed || v.failed || data.failed;
}

bool quote_to_json(const struct quote *q, json_t **out, struct error *err)
{
    JSON_AUTO json_t *object = json_object();
    struct view top = {.object = object};
    put_header(&top, q);
    put_body(&top, q);
    put_hex(&top, "signature", slice_of(q->signature, QUOTE_SIGNATURE_LEN));
    put_attestation_key(&top, q);
    put_certification(&top, q);
    if (top.failed)
        return error_set(err, "memory", NULL, "out of memory");
    *out = object;
    object = NULL;
    return true;
}
