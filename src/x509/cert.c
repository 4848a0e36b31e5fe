/* Certificates. Spec: RFC 5280, 4.1 and 4.2; DCAP facts 3.1 and 3.2. */
#include "x509/parts.h"

#include <string.h>

static const struct x509_codes CODES = {
    .size = "cert/size",
    .format = "cert/format",
    .algorithm = "cert/algorithm",
    .name = "cert/name",
    .time = "cert/time",
    .extension = "cert/extension",
    .critical = "cert/critical",
};

/* SubjectPublicKeyInfo up to x: id-ecPublicKey, prime256v1, uncompressed point. */
static const uint8_t P256_KEY_PREFIX[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                          0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                          0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

static void read_authority_key_id(struct reader *value, void *out)
{
    struct x509_cert *c = out;
    c->has_authority_key_id = true;
    c->authority_key_id = x509_read_authority_key_id(value);
}

static void read_subject_key_id(struct reader *value, void *out)
{
    struct x509_cert *c = out;
    c->has_subject_key_id = true;
    c->subject_key_id = der_value(value, DER_OCTET_STRING);
}

/* A named bit list: the unused bits are zero and the last used one is set, so nobody can write the
 * same usage twice. */
static void read_key_usage(struct reader *value, void *out)
{
    struct x509_cert *c = out;
    struct reader bits = reader_of(der_value(value, DER_BIT_STRING));
    unsigned unused = reader_u8(&bits);
    unsigned usage = 0, last = 0;
    for (unsigned at = 0; at < 2 && bits.rest.len > 0; at++) {
        last = reader_u8(&bits);
        for (unsigned bit = 0; bit < 8; bit++)
            if ((last & (0x80u >> bit)) != 0)
                usage |= 1u << (8 * at + bit);
    }
    unsigned lowest_used = unused <= 7 ? 1u << unused : 0;
    if (!reader_at_end(&bits) || (last & lowest_used) == 0 || (last & (lowest_used - 1)) != 0)
        value->failed = true;
    c->has_key_usage = true;
    c->key_usage = (uint16_t)usage;
}

static void read_basic_constraints(struct reader *value, void *out)
{
    struct x509_cert *c = out;
    struct reader r = der_enter(value, DER_SEQUENCE);
    c->has_basic_constraints = true;
    if (der_next_is(&r, DER_BOOLEAN)) {
        c->is_ca = der_boolean(&r);
        r.failed = r.failed || !c->is_ca; /* DER leaves a DEFAULT out */
    }
    if (c->is_ca && der_next_is(&r, DER_INTEGER))
        c->path_len = (int)der_small(&r, DER_INTEGER, INT16_MAX);
    if (!reader_at_end(&r))
        value->failed = true;
}

/* Only its presence matters: its GeneralNames are attacker's input that nobody needs. */
static void read_crl_distribution_points(struct reader *value, void *out)
{
    struct x509_cert *c = out;
    c->has_crl_distribution_points = true;
    (void)der_value(value, DER_SEQUENCE);
}

static void read_sgx_extension(struct reader *value, void *out)
{
    struct x509_cert *c = out;
    c->sgx_extension = der_whole(value, DER_SEQUENCE);
}

#define OID(...)                                                                                   \
    {                                                                                              \
        (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})                     \
    }

static const struct x509_extension_rule RULES[] = {
    {OID(0x55, 0x1d, 0x23), "authorityKeyIdentifier", read_authority_key_id},
    {OID(0x55, 0x1d, 0x1f), "cRLDistributionPoints", read_crl_distribution_points},
    {OID(0x55, 0x1d, 0x0e), "subjectKeyIdentifier", read_subject_key_id},
    {OID(0x55, 0x1d, 0x0f), "keyUsage", read_key_usage},
    {OID(0x55, 0x1d, 0x13), "basicConstraints", read_basic_constraints},
    {OID(0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01), "sgxExtensions",
     read_sgx_extension},
};

static bool read_version_and_serial(struct reader *tbs, struct x509_cert *c, struct error *err)
{
    struct reader version = der_enter(tbs, DER_CONTEXT_CONS(0));
    if (der_small(&version, DER_INTEGER, 2) != 2 || !reader_at_end(&version))
        return error_set(err, CODES.format, "version", "not a version 3 certificate");
    c->serial = der_unsigned(tbs, X509_SERIAL_LEN_MAX);
    return !tbs->failed ||
           error_set(err, CODES.format, "serialNumber",
                     "not a non-negative integer of at most %d bytes", X509_SERIAL_LEN_MAX);
}

static bool read_validity(struct reader *tbs, struct x509_cert *c, struct error *err)
{
    struct reader r = der_enter(tbs, DER_SEQUENCE);
    if (!x509_read_time(&r, &CODES, "notBefore", &c->not_before_s, err) ||
        !x509_read_time(&r, &CODES, "notAfter", &c->not_after_s, err))
        return false;
    return reader_at_end(&r) ||
           error_set(err, CODES.format, "validity", "something follows notAfter");
}

static bool read_public_key(struct reader *tbs, struct x509_cert *c, struct error *err)
{
    struct reader key = reader_of(der_whole(tbs, DER_SEQUENCE));
    struct slice prefix = reader_take(&key, sizeof P256_KEY_PREFIX);
    c->public_key = reader_bytes(&key, P256_POINT_LEN);
    return (reader_at_end(&key) &&
            slice_equal(prefix, slice_of(P256_KEY_PREFIX, sizeof P256_KEY_PREFIX))) ||
           error_set(err, "cert/key", "subjectPublicKeyInfo",
                     "the public key is not an uncompressed point on P-256");
}

static bool read_extensions(struct reader *tbs, struct x509_cert *c, struct error *err)
{
    struct reader wrapped = der_enter(tbs, DER_CONTEXT_CONS(3));
    struct reader list = der_enter(&wrapped, DER_SEQUENCE);
    if (!reader_at_end(&wrapped) || list.failed || !reader_at_end(tbs))
        return error_set(err, CODES.format, "extensions",
                         "the certificate does not end with its extensions");
    return x509_read_extensions(&list, &CODES, RULES, sizeof RULES / sizeof RULES[0], c, err);
}

static bool read_tbs(struct x509_cert *c, struct error *err)
{
    struct reader whole = reader_of(c->tbs);
    struct reader tbs = der_enter(&whole, DER_SEQUENCE);
    return read_version_and_serial(&tbs, c, err) &&
           x509_read_algorithm(&tbs, &CODES, "signature", err) &&
           x509_read_name(&tbs, &CODES, "issuer", &c->issuer, err) && read_validity(&tbs, c, err) &&
           x509_read_name(&tbs, &CODES, "subject", &c->subject, err) &&
           read_public_key(&tbs, c, err) && read_extensions(&tbs, c, err);
}

bool x509_cert_parse(struct slice der, struct x509_cert *out, struct error *err)
{
    struct x509_cert c = {.der = der, .path_len = -1};
    if (!x509_read_signed(der, X509_CERT_LEN_MAX, &CODES, &c.tbs, c.signature, err) ||
        !read_tbs(&c, err))
        return false;
    *out = c;
    return true;
}

bool x509_issued_by(const struct x509_cert *child, const struct x509_cert *issuer)
{
    return slice_equal(child->issuer.der, issuer->subject.der);
}

bool x509_cert_verify(const struct x509_cert *cert, const struct p256_key *issuer_key,
                      struct error *err)
{
    return p256_key_verify(issuer_key, cert->tbs, cert->signature, err);
}
