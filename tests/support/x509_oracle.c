#include "support/x509_oracle.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

static X509 *decode_cert(struct slice der)
{
    const unsigned char *at = der.data;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    if (cert != NULL && at != &der.data[der.len]) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static X509_CRL *decode_crl(struct slice der)
{
    const unsigned char *at = der.data;
    return d2i_X509_CRL(NULL, &at, (long)der.len);
}

static bool same_encoding(struct slice ours, unsigned char *theirs, int len)
{
    bool same = len >= 0 && slice_equal(ours, slice_of(theirs, (size_t)len));
    OPENSSL_free(theirs);
    return same;
}

static bool same_string(struct slice ours, const ASN1_STRING *theirs)
{
    return slice_equal(ours,
                       slice_of(ASN1_STRING_get0_data(theirs), (size_t)ASN1_STRING_length(theirs)));
}

/* ours: magnitude, one zero byte for zero. */
static bool same_integer(struct slice ours, const ASN1_INTEGER *theirs)
{
    if (ASN1_STRING_type(theirs) == V_ASN1_NEG_INTEGER)
        return false;
    BIGNUM *number = ASN1_INTEGER_to_BN(theirs, NULL);
    uint8_t bytes[64] = {0};
    size_t len = BN_num_bytes(number) == 0 ? 1 : (size_t)BN_num_bytes(number);
    bool same = len <= sizeof bytes && BN_bn2binpad(number, bytes, (int)len) == (int)len &&
                slice_equal(ours, slice_of(bytes, len));
    BN_free(number);
    return same;
}

static bool same_time(int64_t ours, const ASN1_TIME *theirs)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days, seconds;
    bool same = ASN1_TIME_diff(&days, &seconds, epoch, theirs) == 1 &&
                (int64_t)days * 86400 + seconds == ours;
    ASN1_TIME_free(epoch);
    return same;
}

static bool same_name(const struct x509_name *ours, X509_NAME *theirs)
{
    unsigned char *der = NULL;
    int len = i2d_X509_NAME(theirs, &der);
    if (!same_encoding(ours->der, der, len))
        return false;
    int at = X509_NAME_get_index_by_NID(theirs, NID_commonName, -1);
    if (at < 0)
        return ours->cn.len == 0;
    return X509_NAME_get_index_by_NID(theirs, NID_commonName, at) < 0 &&
           same_string(ours->cn, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(theirs, at)));
}

static bool same_signature(const uint8_t ours[P256_SIGNATURE_LEN], const ASN1_BIT_STRING *theirs,
                           const X509_ALGOR *algorithm)
{
    const unsigned char *at = ASN1_STRING_get0_data(theirs);
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, ASN1_STRING_length(theirs));
    uint8_t bytes[P256_SIGNATURE_LEN];
    bool same = pair != NULL && OBJ_obj2nid(algorithm->algorithm) == NID_ecdsa_with_SHA256 &&
                BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, 32) == 32 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), &bytes[32], 32) == 32 &&
                memcmp(bytes, ours, sizeof bytes) == 0;
    ECDSA_SIG_free(pair);
    return same;
}

static bool same_public_key(const struct x509_cert *ours, X509 *theirs)
{
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(theirs);
    const unsigned char *bytes = ASN1_STRING_get0_data(key);
    return ASN1_STRING_length(key) == 1 + P256_POINT_LEN && bytes[0] == 0x04 &&
           memcmp(&bytes[1], ours->public_key, P256_POINT_LEN) == 0;
}

static bool same_octets(struct slice ours, const ASN1_OCTET_STRING *theirs)
{
    return theirs == NULL ? ours.len == 0 : same_string(ours, theirs);
}

/* Each extension is decoded by itself: OpenSSL's cached flags go blank when any other extension
 * displeases it. */
static bool same_basic_constraints(const struct x509_cert *ours, X509 *theirs)
{
    BASIC_CONSTRAINTS *bc = X509_get_ext_d2i(theirs, NID_basic_constraints, NULL, NULL);
    bool same = (bc != NULL) == ours->has_basic_constraints;
    if (same && bc != NULL)
        same = (bc->ca != 0) == ours->is_ca &&
               ASN1_INTEGER_get(bc->pathlen) == (bc->pathlen != NULL ? ours->path_len : 0) &&
               (bc->pathlen != NULL) == (ours->path_len >= 0);
    BASIC_CONSTRAINTS_free(bc);
    return same;
}

static bool same_key_usage(const struct x509_cert *ours, X509 *theirs)
{
    ASN1_BIT_STRING *bits = X509_get_ext_d2i(theirs, NID_key_usage, NULL, NULL);
    bool same = (bits != NULL) == ours->has_key_usage;
    for (int i = 0; same && bits != NULL && i < 16; i++)
        same = ASN1_BIT_STRING_get_bit(bits, i) == (ours->key_usage >> i & 1);
    ASN1_BIT_STRING_free(bits);
    return same;
}

static bool same_key_ids(const struct x509_cert *ours, X509 *theirs)
{
    AUTHORITY_KEYID *authority = X509_get_ext_d2i(theirs, NID_authority_key_identifier, NULL, NULL);
    ASN1_OCTET_STRING *subject = X509_get_ext_d2i(theirs, NID_subject_key_identifier, NULL, NULL);
    /* GeneralNames inside the authority's are not looked into here, so they may be malformed. */
    bool same =
        (authority == NULL ||
         (ours->has_authority_key_id && same_octets(ours->authority_key_id, authority->keyid))) &&
        (subject != NULL) == ours->has_subject_key_id && same_octets(ours->subject_key_id, subject);
    AUTHORITY_KEYID_free(authority);
    ASN1_OCTET_STRING_free(subject);
    return same;
}

static bool present(X509 *cert, int nid)
{
    return X509_get_ext_by_NID(cert, nid, -1) >= 0;
}

static const char *extensions_differ(const struct x509_cert *ours, X509 *theirs)
{
    if (!same_basic_constraints(ours, theirs))
        return "basicConstraints";
    if (!same_key_usage(ours, theirs))
        return "keyUsage";
    if (present(theirs, NID_authority_key_identifier) != ours->has_authority_key_id ||
        !same_key_ids(ours, theirs))
        return "key identifiers";
    if (present(theirs, NID_crl_distribution_points) != ours->has_crl_distribution_points)
        return "cRLDistributionPoints";
    return NULL;
}

static bool same_sgx_extension(const struct x509_cert *ours, X509 *theirs)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    int at = X509_get_ext_by_OBJ(theirs, oid, -1);
    ASN1_OBJECT_free(oid);
    if (at < 0)
        return ours->sgx_extension.len == 0;
    return same_string(ours->sgx_extension, X509_EXTENSION_get_data(X509_get_ext(theirs, at)));
}

static const char *cert_fields_differ(const struct x509_cert *ours, X509 *theirs)
{
    const ASN1_BIT_STRING *signature;
    const X509_ALGOR *algorithm;
    unsigned char *tbs = NULL;
    int tbs_len = i2d_re_X509_tbs(theirs, &tbs);
    X509_get0_signature(&signature, &algorithm, theirs);
    if (!same_encoding(ours->tbs, tbs, tbs_len))
        return "tbs";
    if (X509_get_version(theirs) != 2)
        return "version";
    if (!same_integer(ours->serial, X509_get0_serialNumber(theirs)))
        return "serial";
    if (!same_name(&ours->issuer, X509_get_issuer_name(theirs)))
        return "issuer";
    if (!same_name(&ours->subject, X509_get_subject_name(theirs)))
        return "subject";
    if (!same_time(ours->not_before_s, X509_get0_notBefore(theirs)) ||
        !same_time(ours->not_after_s, X509_get0_notAfter(theirs)))
        return "validity";
    if (!same_public_key(ours, theirs))
        return "public key";
    if (!same_signature(ours->signature, signature, algorithm))
        return "signature";
    if (!same_sgx_extension(ours, theirs))
        return "sgx extension";
    return extensions_differ(ours, theirs);
}

const char *oracle_cert_differs(const struct x509_cert *cert)
{
    X509 *theirs = decode_cert(cert->der);
    const char *field = theirs == NULL ? "OpenSSL refuses it" : cert_fields_differ(cert, theirs);
    X509_free(theirs);
    return field;
}

static const char *entries_differ(const struct x509_crl *ours, X509_CRL *theirs)
{
    STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(theirs);
    int count = list != NULL ? sk_X509_REVOKED_num(list) : 0;
    struct reader at = x509_crl_entries(ours);
    struct x509_crl_entry entry;
    if ((size_t)count != ours->revoked_count)
        return "number of entries";
    for (int i = 0; i < count; i++) {
        const X509_REVOKED *revoked = sk_X509_REVOKED_value(list, i);
        if (!x509_crl_next(&at, &entry) ||
            !same_integer(entry.serial, X509_REVOKED_get0_serialNumber(revoked)) ||
            !same_time(entry.revoked_at_s, X509_REVOKED_get0_revocationDate(revoked)) ||
            !x509_crl_revokes(ours, entry.serial))
            return "entry";
    }
    return x509_crl_next(&at, &entry) ? "entries behind the last" : NULL;
}

static const char *crl_fields_differ(const struct x509_crl *ours, X509_CRL *theirs)
{
    const ASN1_BIT_STRING *signature;
    const X509_ALGOR *algorithm;
    unsigned char *tbs = NULL;
    int tbs_len = i2d_re_X509_CRL_tbs(theirs, &tbs);
    X509_CRL_get0_signature(theirs, &signature, &algorithm);
    if (!same_encoding(ours->tbs, tbs, tbs_len))
        return "tbs";
    if (X509_CRL_get_version(theirs) != 1)
        return "version";
    if (!same_name(&ours->issuer, X509_CRL_get_issuer(theirs)))
        return "issuer";
    if (!same_time(ours->this_update_s, X509_CRL_get0_lastUpdate(theirs)) ||
        !same_time(ours->next_update_s, X509_CRL_get0_nextUpdate(theirs)))
        return "dates";
    ASN1_INTEGER *number = X509_CRL_get_ext_d2i(theirs, NID_crl_number, NULL, NULL);
    bool same = number != NULL && same_integer(ours->number, number);
    ASN1_INTEGER_free(number);
    if (!same)
        return "number";
    AUTHORITY_KEYID *key_id =
        X509_CRL_get_ext_d2i(theirs, NID_authority_key_identifier, NULL, NULL);
    /* GeneralNames inside it are not looked into here, so they may be malformed. */
    same = X509_CRL_get_ext_by_NID(theirs, NID_authority_key_identifier, -1) >= 0 &&
           (key_id == NULL || same_octets(ours->authority_key_id, key_id->keyid));
    AUTHORITY_KEYID_free(key_id);
    if (!same)
        return "authorityKeyIdentifier";
    if (!same_signature(ours->signature, signature, algorithm))
        return "signature";
    return entries_differ(ours, theirs);
}

const char *oracle_crl_differs(const struct x509_crl *crl)
{
    X509_CRL *theirs = decode_crl(crl->der);
    const char *field = theirs == NULL ? "OpenSSL refuses it" : crl_fields_differ(crl, theirs);
    X509_CRL_free(theirs);
    return field;
}

bool oracle_cert_signed_by(struct slice cert, struct slice issuer)
{
    X509 *child = decode_cert(cert), *parent = decode_cert(issuer);
    bool ok = child != NULL && parent != NULL && X509_verify(child, X509_get0_pubkey(parent)) == 1;
    X509_free(child);
    X509_free(parent);
    return ok;
}

bool oracle_crl_signed_by(struct slice crl, struct slice issuer)
{
    X509_CRL *child = decode_crl(crl);
    X509 *parent = decode_cert(issuer);
    bool ok =
        child != NULL && parent != NULL && X509_CRL_verify(child, X509_get0_pubkey(parent)) == 1;
    X509_CRL_free(child);
    X509_free(parent);
    return ok;
}
