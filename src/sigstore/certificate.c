/* Reading certificates strictly, and what a signer's must look like. */
#include "sigstore/certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "sigstore/limits.h"
#include "sigstore/openssl_auto.h"

enum { PEM_LINE_CHARS = 64, X509_V3 = 2 };

static bool encodes_to(X509 *cert, struct slice der)
{
    unsigned char *again __attribute__((cleanup(sigstore_auto_bytes))) = NULL;
    int len = i2d_X509(cert, &again);
    return len >= 0 && slice_equal(slice_of(again, (size_t)len), der);
}

X509 *sigstore_certificate_read(struct slice der)
{
    const unsigned char *at = der.data;
    if (der.len == 0 || der.len > SIGSTORE_CERT_MAX)
        return NULL;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    if (cert != NULL && !encodes_to(cert, der)) {
        X509_free(cert);
        cert = NULL;
    }
    ERR_clear_error();
    return cert;
}

static bool unix_time(const ASN1_TIME *time, int64_t *out)
{
    struct tm civil;
    return time != NULL && ASN1_TIME_to_tm(time, &civil) == 1 &&
           time_from_civil(civil.tm_year + 1900, civil.tm_mon + 1, civil.tm_mday, civil.tm_hour,
                           civil.tm_min, civil.tm_sec, out);
}

bool sigstore_certificate_dates(const X509 *cert, int64_t *not_before_s, int64_t *not_after_s)
{
    return unix_time(X509_get0_notBefore(cert), not_before_s) &&
           unix_time(X509_get0_notAfter(cert), not_after_s);
}

bool sigstore_certificates_at(X509 *const *certs, size_t count, int64_t unix_s)
{
    for (size_t i = 0; i < count; i++) {
        int64_t from_s, to_s;
        if (!sigstore_certificate_dates(certs[i], &from_s, &to_s) || unix_s < from_s ||
            unix_s > to_s)
            return false;
    }
    return true;
}

bool sigstore_certificate_pem(struct slice der, struct buf *out)
{
    BUF_AUTO struct buf text = BUF_INIT(SIGSTORE_CERT_MAX / 3 * 4 + 4);
    if (!base64_append(&text, der))
        return false;
    buf_append_str(out, "-----BEGIN CERTIFICATE-----\n");
    for (size_t at = 0; at < text.len; at += PEM_LINE_CHARS) {
        buf_append(out, slice_cut(buf_slice(&text), at, PEM_LINE_CHARS));
        buf_append_byte(out, '\n');
    }
    buf_append_str(out, "-----END CERTIFICATE-----\n");
    return !out->failed;
}

static bool refuse(struct error *err, const char *field, const char *text)
{
    return error_set(err, "sigstore/leaf-profile", field, "the signer's certificate %s", text);
}

bool sigstore_leaf_check(X509 *leaf, struct error *err)
{
    /* Fills OpenSSL's cache of what the extensions say, which the getters below read. */
    X509_check_purpose(leaf, -1, 0);
    ERR_clear_error();
    uint32_t flags = X509_get_extension_flags(leaf);
    if ((flags & EXFLAG_INVALID) != 0)
        return refuse(err, "extensions", "has a malformed extension");
    if ((flags & EXFLAG_CRITICAL) != 0)
        return refuse(err, "extensions", "has a critical extension that is not known here");
    if (X509_get_version(leaf) != X509_V3)
        return refuse(err, "version", "is not of version 3");
    if ((flags & EXFLAG_CA) != 0)
        return refuse(err, "basicConstraints", "is an authority's");
    if ((flags & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0)
        return refuse(err, "keyUsage", "is not for digital signatures");
    if ((flags & EXFLAG_XKUSAGE) == 0 || (X509_get_extended_key_usage(leaf) & XKU_CODE_SIGN) == 0)
        return refuse(err, "extendedKeyUsage", "is not for signing code");
    return true;
}
