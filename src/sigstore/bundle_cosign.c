/* The bundle of cosign 1 and 2. Spec: Sigstore facts 1.1. */
#include "base/codec.h"
#include "sigstore/bundle_formats.h"
#include "sigstore/certificate.h"
#include "sigstore/trust_internal.h"
#include "x509/pem.h"

/* base64 of the PEM text of one certificate, in the one layout that cosign writes. */
static bool read_certificate(const struct fields *f, const json_t *root,
                             struct sigstore_bundle *out, struct error *err)
{
    struct slice text, pem;
    struct x509_chain chain;
    if (!fields_text(f, root, "cert", &text, err) ||
        !fields_decode(f, fields_trim(text), "cert", X509_CHAIN_TEXT_MAX, &pem, err))
        return false;
    BUF_AUTO struct buf again = BUF_INIT(X509_CHAIN_TEXT_MAX);
    if (!x509_chain_from_pem(pem, &chain, NULL) || chain.count != 1 ||
        !sigstore_certificate_pem(chain.der[0], &again) || !slice_equal(buf_slice(&again), pem))
        return error_set(err, f->code, "cert", "field `cert` is not one certificate in PEM");
    size_t from = out->decoded.len;
    if (!buf_append(&out->decoded, chain.der[0]))
        return error_set(err, "memory", NULL, "out of memory");
    out->leaf_der = slice_cut(buf_slice(&out->decoded), from, chain.der[0].len);
    return bundle_read_leaf(f, out, err);
}

/* 64 digits in lower case: the text itself is signed. */
static bool read_log_id(const struct fields *f, const json_t *payload, struct sigstore_bundle *out,
                        struct error *err)
{
    struct slice text;
    if (!fields_text(f, payload, "logID", &text, err))
        return false;
    BUF_AUTO struct buf again = BUF_INIT(2 * LOG_ID_LEN + 1);
    uint8_t id[LOG_ID_LEN];
    size_t from = out->decoded.len;
    if (text.len != (size_t)2 * LOG_ID_LEN || !hex_decode(text, id, sizeof id) ||
        !hex_append(&again, slice_of(id, sizeof id)) || !slice_equal(buf_slice(&again), text))
        return error_set(err, "sigstore/rekor-key-unknown", "logID",
                         "the log id is not %d lower-case hex digits", 2 * LOG_ID_LEN);
    if (!buf_append(&out->decoded, slice_of(id, sizeof id)))
        return error_set(err, "memory", NULL, "out of memory");
    out->entry.log_id = slice_cut(buf_slice(&out->decoded), from, sizeof id);
    return true;
}

static bool read_entry(const struct fields *f, const json_t *root, struct sigstore_bundle *out,
                       struct error *err)
{
    struct sigstore_entry *entry = &out->entry;
    json_t *rekor, *payload;
    entry->kind = slice_str("hashedrekord");
    entry->version = slice_str("0.0.1");
    entry->has_promise = true;
    return fields_object(f, root, "rekorBundle", &rekor, err) &&
           fields_base64(f, rekor, "SignedEntryTimestamp", SIGSTORE_SIGNATURE_MAX, &entry->promise,
                         err) &&
           fields_object(f, rekor, "Payload", &payload, err) &&
           fields_base64(f, payload, "body", SIGSTORE_BUNDLE_MAX, &entry->body, err) &&
           fields_int(f, payload, "integratedTime", &entry->integrated_time_s, err) &&
           fields_int(f, payload, "logIndex", &entry->index, err) &&
           read_log_id(f, payload, out, err);
}

bool bundle_read_cosign(const struct fields *f, const json_t *root, struct sigstore_bundle *out,
                        struct error *err)
{
    struct slice text;
    out->format = SIGSTORE_FORMAT_COSIGN;
    return fields_text(f, root, "base64Signature", &text, err) &&
           fields_decode(f, fields_trim(text), "base64Signature", SIGSTORE_SIGNATURE_MAX,
                         &out->signature, err) &&
           read_certificate(f, root, out, err) && read_entry(f, root, out, err);
}
