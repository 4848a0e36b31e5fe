/* Certificates and CRLs in Intel's shape (DCAP facts 3.1, 3.2, 4.5) through OpenSSL X509. Extension
 * values are written by hand because their exact bytes and order matter. */
#include "sim/cert.h"

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "sim/der.h"

static const char sgx_oid_text[] = "1.2.840.113741.1.13.1";
static const char unknown_oid_text[] = "1.3.6.1.4.1.55555.1";

static bool cert_failed(struct error *err, const char *step)
{
    return error_set(err, "sim/certificate", NULL, "OpenSSL refused to set %s", step);
}

struct sim_name sim_name_intel(const char *cn)
{
    struct sim_name name = {.o = "Intel Corporation", .l = "Santa Clara", .st = "CA", .c = "US"};
    snprintf(name.cn, sizeof name.cn, "%s", cn);
    return name;
}

void sim_key_id(const struct sim_key *key, uint8_t out[SIM_KEY_ID_LEN])
{
    uint8_t point[1 + SIM_PUBLIC_LEN] = {0x04};
    uint8_t digest[SHA256_LEN];
    memcpy(point + 1, sim_key_public(key), SIM_PUBLIC_LEN);
    sha256(slice_of(point, sizeof point), digest);
    memcpy(out, digest, SIM_KEY_ID_LEN);
}

static bool add_name_part(X509_NAME *name, int nid, int type, const char *text)
{
    return text[0] == '\0' ||
           X509_NAME_add_entry_by_NID(name, nid, type, (const unsigned char *)text, -1, -1, 0) == 1;
}

static X509_NAME *make_name(const struct sim_name *from)
{
    X509_NAME *name = X509_NAME_new();
    if (name != NULL && add_name_part(name, NID_commonName, V_ASN1_UTF8STRING, from->cn) &&
        add_name_part(name, NID_organizationName, V_ASN1_UTF8STRING, from->o) &&
        add_name_part(name, NID_localityName, V_ASN1_UTF8STRING, from->l) &&
        add_name_part(name, NID_stateOrProvinceName, V_ASN1_UTF8STRING, from->st) &&
        add_name_part(name, NID_countryName, V_ASN1_PRINTABLESTRING, from->c))
        return name;
    X509_NAME_free(name);
    return NULL;
}

static bool set_serial(ASN1_INTEGER *out, const struct sim_serial *serial)
{
    BIGNUM *number = BN_bin2bn(serial->bytes, (int)serial->len, NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, out) != NULL;
    BN_free(number);
    return ok;
}

static bool set_names(X509 *cert, const struct sim_cert_spec *spec)
{
    X509_NAME *subject = make_name(&spec->subject);
    X509_NAME *issuer = make_name(&spec->issuer);
    bool ok = subject != NULL && issuer != NULL && X509_set_subject_name(cert, subject) == 1 &&
              X509_set_issuer_name(cert, issuer) == 1;
    X509_NAME_free(subject);
    X509_NAME_free(issuer);
    return ok;
}

/* UTCTime up to 2049, GeneralizedTime from 2050 on, as RFC 5280 wants. */
static ASN1_TIME *make_time(int64_t unix_s)
{
    return ASN1_TIME_set(NULL, (time_t)unix_s);
}

static bool set_validity(X509 *cert, const struct sim_cert_spec *spec)
{
    ASN1_TIME *before = make_time(spec->not_before_s);
    ASN1_TIME *after = make_time(spec->not_after_s);
    bool ok = before != NULL && after != NULL && X509_set1_notBefore(cert, before) == 1 &&
              X509_set1_notAfter(cert, after) == 1;
    ASN1_TIME_free(before);
    ASN1_TIME_free(after);
    return ok;
}

static X509_EXTENSION *make_extension(const char *oid, bool critical, const struct buf *value)
{
    X509_EXTENSION *ext = NULL;
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    if (object != NULL && octets != NULL && !value->failed &&
        ASN1_OCTET_STRING_set(octets, value->data, (int)value->len) == 1)
        ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
    ASN1_OCTET_STRING_free(octets);
    ASN1_OBJECT_free(object);
    return ext;
}

static void write_authority_key_id(const uint8_t id[SIM_KEY_ID_LEN], struct buf *out)
{
    size_t begin = der_begin(out);
    der_put(out, DER_CONTEXT_0, slice_of(id, SIM_KEY_ID_LEN));
    der_end(out, begin, DER_SEQUENCE);
}

/* SEQUENCE { DistributionPoint { [0] { [0] fullName { [6] URI } } } } */
static void write_crl_distribution_point(const char *url, struct buf *out)
{
    size_t list = der_begin(out);
    size_t point = der_begin(out);
    size_t name = der_begin(out);
    size_t full_name = der_begin(out);
    der_put(out, DER_URI, slice_str(url));
    der_end(out, full_name, DER_CONTEXT_CONSTRUCTED_0);
    der_end(out, name, DER_CONTEXT_CONSTRUCTED_0);
    der_end(out, point, DER_SEQUENCE);
    der_end(out, list, DER_SEQUENCE);
}

/* Named bit list: trailing zero bits are not part of the string. */
static void write_key_usage(uint8_t usage, struct buf *out)
{
    uint8_t unused = 0;
    while (unused < 7 && ((usage >> unused) & 1) == 0)
        unused++;
    const uint8_t content[2] = {unused, usage};
    der_put(out, DER_BIT_STRING, slice_of(content, sizeof content));
}

static void write_basic_constraints(const struct sim_cert_spec *spec, struct buf *out)
{
    size_t begin = der_begin(out);
    if (spec->is_ca) {
        der_put_bool(out, true);
        if (spec->path_len >= 0)
            der_put_uint(out, DER_INTEGER, (uint64_t)spec->path_len);
    }
    der_end(out, begin, DER_SEQUENCE);
}

static void write_sgx(const struct sim_cert_spec *spec, struct buf *out)
{
    if (spec->sgx_value.len > 0)
        buf_append(out, spec->sgx_value);
    else
        sim_sgx_extension_write(&spec->sgx, out);
}

/* The value of one extension; the order of the cases is Intel's order in a certificate. */
static void write_extension(const struct sim_cert_spec *spec, unsigned which, struct buf *out)
{
    switch (which) {
    case SIM_EXT_AKI:
        write_authority_key_id(spec->authority_key_id, out);
        break;
    case SIM_EXT_CRLDP:
        write_crl_distribution_point(spec->crl_url, out);
        break;
    case SIM_EXT_SKI:
        der_put(out, DER_OCTET_STRING, slice_of(spec->subject_key_id, SIM_KEY_ID_LEN));
        break;
    case SIM_EXT_KEY_USAGE:
        write_key_usage(spec->key_usage, out);
        break;
    case SIM_EXT_BASIC:
        write_basic_constraints(spec, out);
        break;
    default:
        write_sgx(spec, out);
        break;
    }
}

static const struct {
    unsigned which;
    const char *oid;
    bool critical;
} cert_extensions[] = {
    {SIM_EXT_AKI, "2.5.29.35", false},  {SIM_EXT_CRLDP, "2.5.29.31", false},
    {SIM_EXT_SKI, "2.5.29.14", false},  {SIM_EXT_KEY_USAGE, "2.5.29.15", true},
    {SIM_EXT_BASIC, "2.5.29.19", true}, {SIM_EXT_SGX, sgx_oid_text, false},
};

static bool add_extension(X509 *cert, const char *oid, bool critical, const struct buf *value)
{
    X509_EXTENSION *ext = make_extension(oid, critical, value);
    bool ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool add_unknown_extension(X509 *cert, bool critical)
{
    struct buf value BUF_AUTO = BUF_INIT(16);
    der_put_bool(&value, true);
    return add_extension(cert, unknown_oid_text, critical, &value);
}

static bool set_extensions(X509 *cert, const struct sim_cert_spec *spec)
{
    for (size_t i = 0; i < sizeof cert_extensions / sizeof cert_extensions[0]; i++) {
        unsigned which = cert_extensions[i].which;
        if ((spec->omit & which) != 0 || (which == SIM_EXT_SGX && !spec->has_sgx))
            continue;
        struct buf value BUF_AUTO = BUF_INIT(SIM_DER_MAX);
        write_extension(spec, which, &value);
        unsigned copies = (spec->duplicate & which) != 0 ? 2 : 1;
        while (copies-- > 0)
            if (!add_extension(cert, cert_extensions[i].oid, cert_extensions[i].critical, &value))
                return false;
    }
    return (!spec->unknown_extension || add_unknown_extension(cert, false)) &&
           (!spec->unknown_extension_critical || add_unknown_extension(cert, true));
}

/* Takes what i2d allocated; `break_it` turns the last bit over: still a well-formed signature. */
static bool take_der(int len, unsigned char **owned, bool break_it, struct buf *out)
{
    unsigned char *data = *owned;
    bool ok = len > 0;
    if (ok && break_it)
        data[len - 1] ^= 1;
    ok = ok && buf_append(out, slice_of(data, (size_t)len));
    OPENSSL_free(data);
    return ok;
}

static const char *fill_cert(X509 *cert, const struct sim_cert_spec *spec,
                             const struct sim_key *subject)
{
    if (X509_set_version(cert, spec->version - 1) != 1)
        return "the version";
    if (!set_serial(X509_get_serialNumber(cert), &spec->serial))
        return "the serial number";
    if (!set_names(cert, spec))
        return "the names";
    if (!set_validity(cert, spec))
        return "the validity";
    if (X509_set_pubkey(cert, sim_key_evp(subject)) != 1)
        return "the public key";
    return set_extensions(cert, spec) ? NULL : "the extensions";
}

bool sim_cert_make(const struct sim_cert_spec *spec, const struct sim_key *subject,
                   const struct sim_key *signer, struct buf *der, struct error *err)
{
    X509 *cert = X509_new();
    const char *failed = cert == NULL ? "up a certificate" : fill_cert(cert, spec, subject);
    if (failed == NULL) {
        const EVP_MD *md = spec->sha384 ? EVP_sha384() : EVP_sha256();
        unsigned char *data = NULL;
        bool ok = X509_sign(cert, sim_key_evp(signer), md) > 0;
        int len = ok ? i2d_X509(cert, &data) : 0;
        ok = take_der(len, &data, spec->broken_signature, der);
        failed = ok ? NULL : "the signature";
    }
    X509_free(cert);
    return failed == NULL || cert_failed(err, failed);
}

bool sim_pem_append(struct slice der, struct buf *pem, struct error *err)
{
    struct buf base64 BUF_AUTO = BUF_INIT(2 * SIM_DER_MAX);
    base64_append(&base64, der);
    buf_append_str(pem, "-----BEGIN CERTIFICATE-----\n");
    for (size_t at = 0; at < base64.len; at += 64) {
        buf_append(pem, slice_cut(buf_slice(&base64), at, 64));
        buf_append_byte(pem, '\n');
    }
    buf_append_str(pem, "-----END CERTIFICATE-----\n");
    return (!base64.failed && !pem->failed) ||
           error_set(err, "sim/limit", NULL, "certificate chain is too long");
}

static bool read_time(const ASN1_TIME *from, int64_t *out)
{
    struct tm tm;
    return ASN1_TIME_to_tm(from, &tm) == 1 &&
           time_from_civil(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                           tm.tm_sec, out);
}

bool sim_cert_read(struct slice pem, const struct sim_key *subject, struct sim_cert_spec *spec,
                   struct buf *der, struct error *err)
{
    int64_t before = 0;
    int64_t after = 0;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool ok = cert != NULL && EVP_PKEY_eq(X509_get0_pubkey(cert), sim_key_evp(subject)) == 1 &&
              read_time(X509_get0_notBefore(cert), &before) &&
              read_time(X509_get0_notAfter(cert), &after);
    unsigned char *data = NULL;
    int len = ok ? i2d_X509(cert, &data) : 0;
    ok = take_der(len, &data, false, der);
    X509_free(cert);
    BIO_free(bio);
    if (!ok)
        return error_set(err, "sim/state", NULL, "not a certificate of this directory's seed");
    spec->not_before_s = before;
    spec->not_after_s = after;
    return true;
}

static bool add_crl_extension(X509_CRL *crl, const char *oid, bool critical,
                              const struct buf *value)
{
    X509_EXTENSION *ext = make_extension(oid, critical, value);
    bool ok = ext != NULL && X509_CRL_add_ext(crl, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool set_crl_extensions(X509_CRL *crl, const struct sim_crl_spec *spec)
{
    struct buf number BUF_AUTO = BUF_INIT(16);
    struct buf authority BUF_AUTO = BUF_INIT(64);
    struct buf unknown BUF_AUTO = BUF_INIT(16);
    der_put_uint(&number, DER_INTEGER, 1); /* Intel's never counts up */
    write_authority_key_id(spec->authority_key_id, &authority);
    der_put_bool(&unknown, true);
    return ((spec->omit & SIM_EXT_CRL_NUMBER) != 0 ||
            add_crl_extension(crl, "2.5.29.20", false, &number)) &&
           ((spec->omit & SIM_EXT_AKI) != 0 ||
            add_crl_extension(crl, "2.5.29.35", false, &authority)) &&
           (!spec->unknown_extension_critical ||
            add_crl_extension(crl, unknown_oid_text, true, &unknown));
}

static bool set_crl_dates(X509_CRL *crl, const struct sim_crl_spec *spec)
{
    ASN1_TIME *this_update = make_time(spec->this_update_s);
    ASN1_TIME *next_update = make_time(spec->next_update_s);
    bool ok = this_update != NULL && next_update != NULL &&
              X509_CRL_set1_lastUpdate(crl, this_update) == 1 &&
              (spec->omit_next_update || X509_CRL_set1_nextUpdate(crl, next_update) == 1);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    return ok;
}

static bool add_revoked(X509_CRL *crl, const struct sim_serial *serial, int64_t when_s)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_TIME *when = make_time(when_s);
    ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
    bool ok = entry != NULL && number != NULL && when != NULL && reason != NULL &&
              set_serial(number, serial) && X509_REVOKED_set_serialNumber(entry, number) == 1 &&
              X509_REVOKED_set_revocationDate(entry, when) == 1 &&
              ASN1_ENUMERATED_set(reason, CRL_REASON_KEY_COMPROMISE) == 1 &&
              X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0) == 1 &&
              X509_CRL_add0_revoked(crl, entry) == 1;
    if (!ok)
        X509_REVOKED_free(entry);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(when);
    ASN1_ENUMERATED_free(reason);
    return ok;
}

static const char *fill_crl(X509_CRL *crl, const struct sim_crl_spec *spec)
{
    X509_NAME *issuer = make_name(&spec->issuer);
    bool ok = issuer != NULL && X509_CRL_set_version(crl, 1) == 1 &&
              X509_CRL_set_issuer_name(crl, issuer) == 1;
    X509_NAME_free(issuer);
    if (!ok)
        return "the CRL issuer";
    if (!set_crl_dates(crl, spec))
        return "the CRL dates";
    for (size_t i = 0; i < spec->revoked_count; i++)
        if (!add_revoked(crl, &spec->revoked[i], spec->this_update_s))
            return "a CRL entry";
    return set_crl_extensions(crl, spec) ? NULL : "the CRL extensions";
}

bool sim_crl_make(const struct sim_crl_spec *spec, const struct sim_key *signer, struct buf *der,
                  struct error *err)
{
    X509_CRL *crl = X509_CRL_new();
    const char *failed = crl == NULL ? "up a CRL" : fill_crl(crl, spec);
    if (failed == NULL) {
        unsigned char *data = NULL;
        bool ok = X509_CRL_sign(crl, sim_key_evp(signer), EVP_sha256()) > 0;
        int len = ok ? i2d_X509_CRL(crl, &data) : 0;
        ok = take_der(len, &data, spec->broken_signature, der);
        failed = ok ? NULL : "the CRL signature";
    }
    X509_CRL_free(crl);
    return failed == NULL || cert_failed(err, failed);
}

bool sim_crl_revoke(struct sim_crl_spec *spec, const struct sim_serial *serial, struct error *err)
{
    if (spec->revoked_count == SIM_REVOKED_MAX) {
        return error_set(err, "sim/limit", "revoked", "a CRL holds at most %d entries",
                         SIM_REVOKED_MAX);
    }
    spec->revoked[spec->revoked_count++] = *serial;
    return true;
}

/* The first element inside a SEQUENCE: its header and content. Definite lengths only. */
static bool first_element(struct slice sequence, struct slice *out)
{
    const unsigned char *at = sequence.data;
    long len = 0;
    int tag = 0;
    int class = 0;
    int flags = ASN1_get_object(&at, &len, &tag, &class, (long)sequence.len);
    if ((flags & 0x80) != 0)
        return false;
    size_t header = sequence.len - (size_t)len;
    struct slice content = slice_cut(sequence, header, (size_t)len);
    at = content.data;
    flags = ASN1_get_object(&at, &len, &tag, &class, (long)content.len);
    if ((flags & 0x80) != 0)
        return false;
    *out = slice_cut(content, 0, (size_t)(at - content.data) + (size_t)len);
    return true;
}

bool sim_der_resign(struct slice signed_der, struct slice tbs, const struct sim_key *signer,
                    struct buf *out, struct error *err)
{
    /* SEQUENCE { OID 1.2.840.10045.4.3.2 } */
    static const uint8_t ecdsa_with_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                                0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    struct buf signature BUF_AUTO = BUF_INIT(128);
    buf_append_byte(&signature, 0); /* no unused bits */
    if (tbs.len == 0 && !first_element(signed_der, &tbs))
        return error_set(err, "sim/certificate", NULL, "not a signed DER structure");
    if (!sim_key_sign_der(signer, tbs, &signature, err))
        return false;
    size_t begin = der_begin(out);
    buf_append(out, tbs);
    buf_append(out, slice_of(ecdsa_with_sha256, sizeof ecdsa_with_sha256));
    der_put(out, DER_BIT_STRING, buf_slice(&signature));
    der_end(out, begin, DER_SEQUENCE);
    return !out->failed || error_set(err, "sim/limit", NULL, "signed structure is too long");
}
