/* P-256 verification against signatures that OpenSSL makes: right, wrong in every way, by many
 * threads with one key; certificates and CRLs that OpenSSL signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "base/hash.h"
#include "support/x509_oracle.h"

static const uint8_t ORDER[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

static EVP_PKEY *pair;
static uint8_t point[P256_POINT_LEN];

static int make_pair(void **state)
{
    (void)state;
    uint8_t encoded[1 + P256_POINT_LEN];
    size_t len = 0;
    pair = EVP_EC_gen("P-256");
    if (pair == NULL || EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, encoded,
                                                        sizeof encoded, &len) != 1)
        return -1;
    memcpy(point, &encoded[1], sizeof point);
    return len == sizeof encoded ? 0 : -1;
}

static int free_pair(void **state)
{
    (void)state;
    EVP_PKEY_free(pair);
    return 0;
}

static void sign(struct slice message, uint8_t out[P256_SIGNATURE_LEN])
{
    uint8_t der[80];
    size_t len = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pair), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &len, message.data, message.len), 1);
    EVP_MD_CTX_free(ctx);
    const unsigned char *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(signature), &out[32], 32), 32);
    ECDSA_SIG_free(signature);
}

static void right_signatures(void **state)
{
    (void)state;
    P256_KEY_AUTO struct p256_key *key = NULL;
    assert_true(p256_key_open(point, &key, NULL));
    uint8_t signature[P256_SIGNATURE_LEN], digest[SHA256_LEN];
    /* Enough of them that short r, short s and every sign byte come up. */
    for (unsigned i = 0; i < 600; i++) {
        struct slice message = slice_of(&i, sizeof i);
        sign(message, signature);
        sha256(message, digest);
        assert_true(p256_key_verify(key, message, signature, NULL));
        if (i % 100 == 0) {
            assert_true(p256_key_verify_digest(key, digest, signature, NULL));
            assert_true(p256_verify(point, message, signature, NULL));
        }
    }
}

/* 32-byte big-endian a - b. */
static void subtract(const uint8_t a[32], const uint8_t b[32], uint8_t out[32])
{
    int borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        int digit = a[i] - b[i] - borrow;
        borrow = digit < 0;
        out[i] = (uint8_t)(digit + 256 * borrow);
    }
}

static void the_other_s_verifies_too(void **state)
{
    (void)state;
    uint8_t signature[P256_SIGNATURE_LEN], other[P256_SIGNATURE_LEN];
    struct slice message = slice_str("message");
    sign(message, signature);
    memcpy(other, signature, 32);
    subtract(ORDER, &signature[32], &other[32]);
    assert_true(p256_verify(point, message, signature, NULL));
    assert_true(p256_verify(point, message, other, NULL));
}

static void wrong_signatures(void **state)
{
    (void)state;
    P256_KEY_AUTO struct p256_key *key = NULL;
    struct error err = {0};
    uint8_t signature[P256_SIGNATURE_LEN], reversed[P256_SIGNATURE_LEN];
    struct slice message = slice_str("message");
    assert_true(p256_key_open(point, &key, NULL));
    sign(message, signature);
    for (size_t bit = 0; bit < 8 * P256_SIGNATURE_LEN; bit += 7) {
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(p256_key_verify(key, message, signature, &err));
        assert_true(error_is(&err, "signature/"));
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_false(p256_key_verify(key, slice_str("messagf"), signature, &err));
    assert_true(error_is(&err, "signature/wrong"));
    assert_false(p256_key_verify(key, slice_of(NULL, 0), signature, &err));
    memcpy(reversed, &signature[32], 32);
    memcpy(&reversed[32], signature, 32);
    assert_false(p256_key_verify(key, message, reversed, &err));
    for (size_t i = 0; i < 32; i++) { /* little-endian halves */
        reversed[i] = signature[31 - i];
        reversed[32 + i] = signature[63 - i];
    }
    assert_false(p256_key_verify(key, message, reversed, &err));
    assert_true(p256_key_verify(key, message, signature, &err));
}

static void out_of_range(void **state)
{
    (void)state;
    P256_KEY_AUTO struct p256_key *key = NULL;
    uint8_t good[P256_SIGNATURE_LEN], bad[P256_SIGNATURE_LEN], edge[32];
    struct slice message = slice_str("message");
    assert_true(p256_key_open(point, &key, NULL));
    sign(message, good);
    for (size_t half = 0; half < 64; half += 32) {
        struct error err = {0};
        memcpy(bad, good, sizeof bad);
        memset(&bad[half], 0, 32);
        assert_false(p256_key_verify(key, message, bad, &err));
        assert_true(error_is(&err, "signature/range"));
        memcpy(&bad[half], ORDER, 32);
        assert_false(p256_key_verify(key, message, bad, &err));
        assert_true(error_is(&err, "signature/range"));
        memset(&bad[half], 0xff, 32);
        assert_false(p256_key_verify(key, message, bad, &err));
        assert_true(error_is(&err, "signature/range"));
        /* n - 1 and 1 are in range, only wrong */
        memcpy(edge, ORDER, 32);
        edge[31]--;
        memcpy(&bad[half], edge, 32);
        assert_false(p256_key_verify(key, message, bad, &err));
        assert_true(error_is(&err, "signature/wrong"));
        memset(&bad[half], 0, 32);
        bad[half + 31] = 1;
        assert_false(p256_key_verify(key, message, bad, &err));
        assert_true(error_is(&err, "signature/wrong"));
    }
}

static void bad_points(void **state)
{
    (void)state;
    uint8_t bad[P256_POINT_LEN] = {0};
    struct p256_key *key = NULL;
    struct error err = {0};
    assert_false(p256_key_open(bad, &key, &err)); /* zero */
    assert_true(error_is(&err, "signature/key"));
    assert_null(key);
    memset(bad, 0xff, sizeof bad); /* coordinates beyond the prime */
    assert_false(p256_key_open(bad, &key, &err));
    for (size_t bit = 0; bit < 8 * P256_POINT_LEN; bit += 31) { /* off the curve */
        memcpy(bad, point, sizeof bad);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(p256_key_open(bad, &key, &err));
        assert_true(error_is(&err, "signature/key"));
    }
    uint8_t signature[P256_SIGNATURE_LEN] = {0};
    assert_false(p256_verify(bad, slice_str("m"), signature, &err));
    assert_true(error_is(&err, "signature/key"));
    p256_key_free(&key); /* nothing to free */
}

struct job {
    const struct p256_key *key;
    uint8_t signature[P256_SIGNATURE_LEN];
    uint32_t number;
    bool ok;
};

static void *verify_often(void *context)
{
    struct job *job = context;
    job->ok = true;
    for (unsigned i = 0; i < 200; i++) {
        uint32_t wrong = job->number + 1;
        P256_KEY_AUTO struct p256_key *own = NULL;
        job->ok = job->ok &&
                  p256_key_verify(job->key, slice_of(&job->number, 4), job->signature, NULL) &&
                  !p256_key_verify(job->key, slice_of(&wrong, 4), job->signature, NULL) &&
                  p256_key_open(point, &own, NULL);
    }
    return NULL;
}

static void one_key_many_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    P256_KEY_AUTO struct p256_key *key = NULL;
    pthread_t threads[THREADS];
    struct job jobs[THREADS];
    assert_true(p256_key_open(point, &key, NULL));
    for (uint32_t i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.key = key, .number = i};
        sign(slice_of(&jobs[i].number, 4), jobs[i].signature);
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, &jobs[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(jobs[i].ok);
    }
}

/* --- certificates and CRLs of OpenSSL's making --- */

static void add_extension(X509 *cert, X509_CRL *crl, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, crl, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    if (cert != NULL)
        assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    else
        assert_int_equal(X509_CRL_add_ext(crl, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *make_cert(const char *const extensions[][2])
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    assert_int_equal(X509_set_version(cert, 2), 1);
    BIGNUM *serial = BN_new();
    assert_int_equal(BN_rand(serial, 160, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY), 1);
    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert));
    BN_free(serial);
    X509_NAME_add_entry_by_txt(name, "C", MBSTRING_ASC, (const unsigned char *)"US", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"R\xc3\xb6t CA",
                               -1, -1, 0);
    X509_set_issuer_name(cert, name);
    ASN1_TIME_set(X509_getm_notBefore(cert), 1600000000);
    ASN1_TIME_set(X509_getm_notAfter(cert), 2600000000);
    X509_set_pubkey(cert, pair);
    for (size_t i = 0; extensions[i][0] != NULL; i++)
        add_extension(cert, NULL, cert, OBJ_sn2nid(extensions[i][0]), extensions[i][1]);
    assert_true(X509_sign(cert, pair, EVP_sha256()) > 0);
    return cert;
}

static void signed_certificates(void **state)
{
    (void)state;
    static const char *const sets[][8][2] = {
        {{"basicConstraints", "critical,CA:TRUE,pathlen:1"},
         {"keyUsage", "critical,keyCertSign,cRLSign"},
         {"subjectKeyIdentifier", "hash"},
         {"authorityKeyIdentifier", "keyid,issuer:always"},
         {"crlDistributionPoints", "URI:https://example.org/root.crl"},
         {NULL, NULL}},
        {{"basicConstraints", "critical,CA:FALSE"},
         {"keyUsage", "critical,digitalSignature,nonRepudiation,decipherOnly"},
         {"extendedKeyUsage", "codeSigning"},
         {"subjectAltName", "DNS:example.org"},
         {NULL, NULL}},
    };
    P256_KEY_AUTO struct p256_key *key = NULL;
    assert_true(p256_key_open(point, &key, NULL));
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        X509 *made = make_cert(sets[i]);
        unsigned char *der = NULL;
        int len = i2d_X509(made, &der);
        struct x509_cert cert;
        struct error err = {0};
        if (!x509_cert_parse(slice_of(der, (size_t)len), &cert, &err))
            fail_msg("%s at %s: %s", err.code, err.field, err.message);
        const char *differs = oracle_cert_differs(&cert);
        if (differs != NULL)
            fail_msg("OpenSSL differs: %s", differs);
        assert_memory_equal(cert.public_key, point, sizeof point);
        assert_true(x509_cert_verify(&cert, key, &err));
        assert_true(x509_issued_by(&cert, &cert));
        cert.signature[63] ^= 1;
        assert_false(x509_cert_verify(&cert, key, &err));
        assert_true(error_is(&err, "signature/wrong"));
        OPENSSL_free(der);
        X509_free(made);
    }
}

static void revoke(X509_CRL *crl, const char *serial_hex)
{
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_TIME *when = ASN1_TIME_set(NULL, 1700000000);
    BIGNUM *number = NULL;
    BN_hex2bn(&number, serial_hex);
    ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(number, NULL);
    ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
    ASN1_ENUMERATED_set(reason, CRL_REASON_KEY_COMPROMISE);
    X509_REVOKED_set_serialNumber(revoked, serial);
    X509_REVOKED_set_revocationDate(revoked, when);
    assert_int_equal(X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, reason, 0, 0), 1);
    assert_int_equal(X509_CRL_add0_revoked(crl, revoked), 1);
    ASN1_ENUMERATED_free(reason);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(when);
    BN_free(number);
}

static X509_CRL *make_crl(X509 *issuer)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_set(NULL, 1700000000);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer));
    X509_CRL_set1_lastUpdate(crl, time);
    ASN1_TIME_set(time, 2700000000);
    X509_CRL_set1_nextUpdate(crl, time);
    revoke(crl, "8000000000000000000000000000000000000001");
    revoke(crl, "7F");
    ASN1_INTEGER_set(number, 1);
    assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0), 1);
    add_extension(NULL, crl, issuer, NID_authority_key_identifier, "keyid");
    assert_true(X509_CRL_sign(crl, pair, EVP_sha256()) > 0);
    ASN1_TIME_free(time);
    ASN1_INTEGER_free(number);
    return crl;
}

static void a_signed_crl(void **state)
{
    (void)state;
    static const char *const extensions[][2] = {{"subjectKeyIdentifier", "hash"}, {NULL, NULL}};
    P256_KEY_AUTO struct p256_key *key = NULL;
    X509 *issuer = make_cert(extensions);
    X509_CRL *made = make_crl(issuer);
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(made, &der);
    struct x509_crl crl;
    struct error err = {0};
    if (!x509_crl_parse(slice_of(der, (size_t)len), &crl, &err))
        fail_msg("%s at %s: %s", err.code, err.field, err.message);
    const char *differs = oracle_crl_differs(&crl);
    if (differs != NULL)
        fail_msg("OpenSSL differs: %s", differs);
    const uint8_t high[20] = {[0] = 0x80, [19] = 0x01}, low = 0x7f;
    assert_true(x509_crl_revokes(&crl, slice_of(high, sizeof high)));
    assert_true(x509_crl_revokes(&crl, slice_of(&low, 1)));
    assert_false(x509_crl_revokes(&crl, slice_of(high, 19)));
    assert_true(p256_key_open(point, &key, NULL));
    assert_true(x509_crl_verify(&crl, key, NULL));
    crl.tbs.len--;
    assert_false(x509_crl_verify(&crl, key, &err));
    assert_true(error_is(&err, "signature/wrong"));
    OPENSSL_free(der);
    X509_CRL_free(made);
    X509_free(issuer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_signatures),    cmocka_unit_test(the_other_s_verifies_too),
        cmocka_unit_test(wrong_signatures),    cmocka_unit_test(out_of_range),
        cmocka_unit_test(bad_points),          cmocka_unit_test(one_key_many_threads),
        cmocka_unit_test(signed_certificates), cmocka_unit_test(a_signed_crl),
    };
    return cmocka_run_group_tests(tests, make_pair, free_pair);
}
