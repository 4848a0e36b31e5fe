/* The signed certificate timestamp embedded in a certificate. */
#include "sigstore/sct.h"

#include <openssl/err.h>

#include "base/hash.h"
#include "sigstore/openssl_auto.h"

enum {
    SCT_V1 = 0,
    TYPE_CERTIFICATE_TIMESTAMP = 0,
    ENTRY_PRECERT = 1,
    HASH_SHA256 = 4,
    SIGNATURE_RSA = 1,
    SIGNATURE_ECDSA = 3,
    SIGNED_MAX = SIGSTORE_CERT_MAX + 65536 + 64,
};

struct sct {
    const uint8_t *log_id; /* [LOG_ID_LEN] */
    uint64_t timestamp_ms;
    struct slice extensions;
    uint8_t hash, algorithm;
    struct slice signature;
};

static bool refuse(struct error *err, const char *text)
{
    return error_set(err, "sigstore/sct", "signedCertificateTimestamp", "%s", text);
}

/* One SCT and nothing beside it: a list in an OCTET STRING in the extension. */
static bool parse_list(struct slice list, struct sct *out)
{
    struct reader outer = reader_of(list);
    struct reader inner = reader_of(reader_take(&outer, reader_u16be(&outer)));
    struct reader r = reader_of(reader_take(&inner, reader_u16be(&inner)));
    if (!reader_at_end(&outer) || !reader_at_end(&inner) || reader_u8(&r) != SCT_V1)
        return false;
    out->log_id = reader_bytes(&r, LOG_ID_LEN);
    out->timestamp_ms = reader_u64be(&r);
    out->extensions = reader_take(&r, reader_u16be(&r));
    out->hash = reader_u8(&r);
    out->algorithm = reader_u8(&r);
    out->signature = reader_take(&r, reader_u16be(&r));
    return reader_at_end(&r) && out->timestamp_ms <= INT64_MAX;
}

/* Appends the certificate as the log saw it: without the extension that holds the SCT. */
static bool append_precert(const X509 *leaf, struct buf *out)
{
    AUTO(x509) X509 *copy = X509_dup(leaf);
    int at = copy != NULL ? X509_get_ext_by_NID(copy, NID_ct_precert_scts, -1) : -1;
    unsigned char *tbs __attribute__((cleanup(sigstore_auto_bytes))) = NULL;
    if (at < 0)
        return false;
    X509_EXTENSION_free(X509_delete_ext(copy, at));
    int len = i2d_re_X509_tbs(copy, &tbs);
    return len > 0 && buf_append_be(out, (uint64_t)len, 3) &&
           buf_append(out, slice_of(tbs, (size_t)len));
}

/* The structure that the log signed. */
static bool build_signed(const X509 *leaf, const X509 *issuer, const struct sct *sct,
                         struct buf *out)
{
    unsigned char *spki __attribute__((cleanup(sigstore_auto_bytes))) = NULL;
    uint8_t issuer_key_hash[SHA256_LEN];
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), &spki);
    if (len <= 0)
        return false;
    sha256(slice_of(spki, (size_t)len), issuer_key_hash);
    buf_append_byte(out, SCT_V1);
    buf_append_byte(out, TYPE_CERTIFICATE_TIMESTAMP);
    buf_append_be(out, sct->timestamp_ms, 8);
    buf_append_be(out, ENTRY_PRECERT, 2);
    buf_append(out, slice_of(issuer_key_hash, sizeof issuer_key_hash));
    bool ok = append_precert(leaf, out);
    buf_append_be(out, sct->extensions.len, 2);
    buf_append(out, sct->extensions);
    return ok && !out->failed;
}

static bool algorithm_fits(EVP_PKEY *key, const struct sct *sct)
{
    enum sigstore_key_kind kind;
    if (!sigstore_key_kind_of(key, &kind) || sct->hash != HASH_SHA256)
        return false;
    return (kind == SIGSTORE_KEY_P256 && sct->algorithm == SIGNATURE_ECDSA) ||
           (kind == SIGSTORE_KEY_RSA && sct->algorithm == SIGNATURE_RSA);
}

static bool check_log(const struct sigstore_trust *trust, const struct sct *sct,
                      struct slice signed_bytes, struct error *err)
{
    bool is_known = false, is_signed = false;
    for (size_t i = 0; i < trust->ct_logs.count; i++) {
        const struct sigstore_log *log = &trust->ct_logs.list[i];
        if (!slice_equal(slice_of(log->id, LOG_ID_LEN), slice_of(sct->log_id, LOG_ID_LEN)))
            continue;
        is_known = true;
        if (!algorithm_fits(log->key, sct) ||
            !sigstore_key_verify(log->key, signed_bytes, sct->signature))
            continue;
        is_signed = true;
        if (sigstore_window_has(&log->window, (int64_t)sct->timestamp_ms))
            return true;
    }
    return refuse(err, is_signed ? "the certificate log did not count at the time of its SCT"
                       : is_known
                           ? "the SCT is not by the certificate log that it names"
                           : "the SCT is by a certificate log that is not in the trust root");
}

bool sigstore_sct_check(const struct sigstore_trust *trust, const X509 *leaf, const X509 *issuer,
                        struct error *err)
{
    struct sct sct = {0};
    BUF_AUTO struct buf signed_bytes = BUF_INIT(SIGNED_MAX);
    int at = X509_get_ext_by_NID(leaf, NID_ct_precert_scts, -1);
    if (at < 0)
        return refuse(err, "the signer's certificate has no SCT");
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(leaf, at));
    const unsigned char *der = ASN1_STRING_get0_data(value);
    long len = ASN1_STRING_length(value);
    const unsigned char *end = der;
    AUTO(octets) ASN1_OCTET_STRING *list = d2i_ASN1_OCTET_STRING(NULL, &end, len);
    ERR_clear_error();
    if (list == NULL || end != &der[len] ||
        !parse_list(slice_of(ASN1_STRING_get0_data(list), (size_t)ASN1_STRING_length(list)), &sct))
        return refuse(err, "the signer's certificate must hold one well-formed SCT");
    if (!build_signed(leaf, issuer, &sct, &signed_bytes))
        return refuse(err, "the SCT's signed bytes cannot be made");
    return check_log(trust, &sct, buf_slice(&signed_bytes), err);
}
