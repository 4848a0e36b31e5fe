/* ECDSA P-256 verification through OpenSSL's EVP. Spec: DCAP facts 2; FIPS 186-4.
 *
 * Building an EVP_PKEY from its parameters costs a third of a verification in OpenSSL 3.0; copying
 * an empty P-256 key and setting its point costs a twelfth. A verification context is prepared
 * once per key and copied for each use, which spares the algorithm look-up and its lock. */
#include "x509/p256.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum {
    SCALAR_LEN = 32,
    DER_SCALAR_MAX = 2 + 1 + SCALAR_LEN,
    DER_SIGNATURE_MAX = 2 + 2 * DER_SCALAR_MAX
};

static const uint8_t ORDER[SCALAR_LEN] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

struct p256_key {
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *prepared; /* only ever copied from */
};

static pthread_once_t template_once = PTHREAD_ONCE_INIT;
static EVP_PKEY *template_key; /* P-256 without a point; lives as long as the process */

static void make_template(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    char group[] = "prime256v1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_end(),
    };
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &template_key, EVP_PKEY_KEY_PARAMETERS, params) != 1)
        template_key = NULL;
    EVP_PKEY_CTX_free(ctx);
}

static bool fail_crypto(struct error *err)
{
    ERR_clear_error();
    return error_set(err, "crypto/p256", NULL, "P-256 failed in libcrypto");
}

void p256_key_free(struct p256_key **key)
{
    if (*key == NULL)
        return;
    EVP_PKEY_CTX_free((*key)->prepared);
    EVP_PKEY_free((*key)->pkey);
    free(*key);
    *key = NULL;
}

bool p256_key_open(const uint8_t point[P256_POINT_LEN], struct p256_key **out, struct error *err)
{
    pthread_once(&template_once, make_template);
    P256_KEY_AUTO struct p256_key *key = calloc(1, sizeof *key);
    if (key == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    uint8_t encoded[1 + P256_POINT_LEN] = {0x04};
    memcpy(encoded + 1, point, P256_POINT_LEN);
    if (template_key == NULL || (key->pkey = EVP_PKEY_dup(template_key)) == NULL)
        return fail_crypto(err);
    if (EVP_PKEY_set1_encoded_public_key(key->pkey, encoded, sizeof encoded) != 1) {
        ERR_clear_error();
        return error_set(err, "signature/key", NULL, "the public key is not a point on P-256");
    }
    key->prepared = EVP_PKEY_CTX_new(key->pkey, NULL);
    if (key->prepared == NULL || EVP_PKEY_verify_init(key->prepared) != 1)
        return fail_crypto(err);
    *out = key;
    key = NULL;
    return true;
}

static bool in_range(const uint8_t scalar[SCALAR_LEN])
{
    return !slice_is_zero(slice_of(scalar, SCALAR_LEN)) && memcmp(scalar, ORDER, SCALAR_LEN) < 0;
}

/* Appends INTEGER scalar to the DER at out[len]; returns the new length. */
static size_t put_integer(uint8_t *out, size_t len, const uint8_t scalar[SCALAR_LEN])
{
    size_t zeros = 0;
    while (zeros < SCALAR_LEN - 1 && scalar[zeros] == 0)
        zeros++;
    size_t sign = scalar[zeros] >> 7;
    out[len++] = 0x02;
    out[len++] = (uint8_t)(sign + SCALAR_LEN - zeros);
    if (sign != 0)
        out[len++] = 0;
    memcpy(&out[len], &scalar[zeros], SCALAR_LEN - zeros);
    return len + SCALAR_LEN - zeros;
}

static size_t encode_signature(const uint8_t signature[P256_SIGNATURE_LEN],
                               uint8_t out[DER_SIGNATURE_MAX])
{
    size_t len = put_integer(out, 2, signature);
    len = put_integer(out, len, &signature[SCALAR_LEN]);
    out[0] = 0x30;
    out[1] = (uint8_t)(len - 2);
    return len;
}

bool p256_key_verify_digest(const struct p256_key *key, const uint8_t digest[P256_DIGEST_LEN],
                            const uint8_t signature[P256_SIGNATURE_LEN], struct error *err)
{
    if (!in_range(signature) || !in_range(&signature[SCALAR_LEN]))
        return error_set(err, "signature/range", NULL,
                         "a half of the signature is zero or not below the group order");
    uint8_t der[DER_SIGNATURE_MAX];
    size_t der_len = encode_signature(signature, der);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(key->prepared);
    if (ctx == NULL)
        return fail_crypto(err);
    int result = EVP_PKEY_verify(ctx, der, der_len, digest, P256_DIGEST_LEN);
    EVP_PKEY_CTX_free(ctx);
    if (result == 1)
        return true;
    ERR_clear_error();
    return error_set(err, "signature/wrong", NULL, "the ECDSA signature does not verify");
}

bool p256_key_verify(const struct p256_key *key, struct slice message,
                     const uint8_t signature[P256_SIGNATURE_LEN], struct error *err)
{
    uint8_t digest[SHA256_LEN];
    sha256(message, digest);
    return p256_key_verify_digest(key, digest, signature, err);
}

bool p256_verify(const uint8_t point[P256_POINT_LEN], struct slice message,
                 const uint8_t signature[P256_SIGNATURE_LEN], struct error *err)
{
    P256_KEY_AUTO struct p256_key *key = NULL;
    return p256_key_open(point, &key, err) && p256_key_verify(key, message, signature, err);
}
