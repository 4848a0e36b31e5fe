/* Seeded P-256 keys over OpenSSL 3.0 (EVP_PKEY_fromdata; the public point by EC_POINT_mul). */
#include "sim/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* The last signature, apart from the key itself, which does not change. */
struct memory {
    pthread_mutex_t lock;
    bool filled;
    uint8_t digest[SHA256_LEN];
    uint8_t signature[SIM_SIGNATURE_LEN];
};

struct sim_key {
    EVP_PKEY *evp;
    uint8_t point[1 + SIM_PUBLIC_LEN]; /* 04 || X || Y */
    struct memory *last;
};

static bool key_failed(struct error *err, const char *step)
{
    return error_set(err, "sim/crypto", NULL, "OpenSSL refused to %s", step);
}

bool sim_derive_bytes(const uint8_t seed[SIM_SEED_LEN], const char *label, uint8_t *out,
                      size_t out_len, struct error *err)
{
    return hkdf_sha256(slice_str("mero-sim"), slice_of(seed, SIM_SEED_LEN), slice_str(label), out,
                       out_len, err);
}

/* Draws until the number is a valid private key: the first draw fails with probability 2^-32. */
static bool draw_scalar(const uint8_t seed[SIM_SEED_LEN], const char *label, const BIGNUM *order,
                        BIGNUM *out, struct error *err)
{
    for (unsigned attempt = 0; attempt < 8; attempt++) {
        struct buf text BUF_AUTO = BUF_INIT(512);
        uint8_t bytes[32];
        if (!buf_printf(&text, "key/%s/%u", label, attempt))
            return error_set(err, "sim/label", NULL, "key label is too long");
        if (!sim_derive_bytes(seed, buf_cstr(&text), bytes, sizeof bytes, err))
            return false;
        if (BN_bin2bn(bytes, sizeof bytes, out) == NULL)
            return key_failed(err, "read a scalar");
        if (!BN_is_zero(out) && BN_cmp(out, order) < 0)
            return true;
    }
    return error_set(err, "sim/crypto", NULL, "no valid scalar in 8 draws");
}

static bool public_point(const EC_GROUP *group, const BIGNUM *scalar,
                         uint8_t out[1 + SIM_PUBLIC_LEN])
{
    EC_POINT *point = EC_POINT_new(group);
    bool ok = point != NULL && EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) == 1 &&
              EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out,
                                 1 + SIM_PUBLIC_LEN, NULL) == 1 + SIM_PUBLIC_LEN;
    EC_POINT_free(point);
    return ok;
}

static EVP_PKEY *evp_from_scalar(const BIGNUM *scalar, const uint8_t point[1 + SIM_PUBLIC_LEN])
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (build != NULL && ctx != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + SIM_PUBLIC_LEN) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static bool open_memory(struct sim_key *key)
{
    key->last = calloc(1, sizeof *key->last);
    return key->last != NULL && pthread_mutex_init(&key->last->lock, NULL) == 0;
}

bool sim_key_derive(const uint8_t seed[SIM_SEED_LEN], const char *label, struct sim_key **out,
                    struct error *err)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *scalar = BN_new();
    struct sim_key *key = calloc(1, sizeof *key);
    bool ok = group != NULL && scalar != NULL && key != NULL && open_memory(key);
    if (!ok)
        error_set(err, "sim/memory", NULL, "no memory for a key");
    ok = ok && draw_scalar(seed, label, EC_GROUP_get0_order(group), scalar, err);
    if (ok) {
        ok = public_point(group, scalar, key->point);
        key->evp = ok ? evp_from_scalar(scalar, key->point) : NULL;
        ok = key->evp != NULL || key_failed(err, "make a P-256 key");
    }
    BN_clear_free(scalar);
    EC_GROUP_free(group);
    if (!ok) {
        sim_key_free(&key);
        return false;
    }
    *out = key;
    return true;
}

void sim_key_free(struct sim_key **key)
{
    if (*key != NULL) {
        EVP_PKEY_free((*key)->evp);
        free((*key)->last);
        free(*key);
        *key = NULL;
    }
}

const uint8_t *sim_key_public(const struct sim_key *key)
{
    return key->point + 1;
}

EVP_PKEY *sim_key_evp(const struct sim_key *key)
{
    return key->evp;
}

bool sim_key_sign_der(const struct sim_key *key, struct slice message, struct buf *out,
                      struct error *err)
{
    uint8_t signature[80];
    size_t len = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->evp) == 1 &&
              EVP_DigestSign(ctx, signature, &len, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok || !buf_append(out, slice_of(signature, len)))
        return key_failed(err, "sign");
    return true;
}

static bool sign_raw(const struct sim_key *key, struct slice message,
                     uint8_t out[SIM_SIGNATURE_LEN], struct error *err)
{
    struct buf der BUF_AUTO = BUF_INIT(80);
    if (!sim_key_sign_der(key, message, &der, err))
        return false;
    const unsigned char *at = der.data;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
    bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    return ok || key_failed(err, "unpack a signature");
}

/* A platform has its quoting enclave's report signed once and sends that signature with every
 * quote, so asked for the same message again a key gives the same answer. */
bool sim_key_sign(const struct sim_key *key, struct slice message, uint8_t out[SIM_SIGNATURE_LEN],
                  struct error *err)
{
    struct memory *last = key->last;
    uint8_t digest[SHA256_LEN];
    bool ok = true;
    sha256(message, digest);
    pthread_mutex_lock(&last->lock);
    if (!last->filled || memcmp(last->digest, digest, sizeof digest) != 0) {
        ok = sign_raw(key, message, last->signature, err);
        memcpy(last->digest, digest, sizeof digest);
        last->filled = ok;
    }
    memcpy(out, last->signature, SIM_SIGNATURE_LEN);
    pthread_mutex_unlock(&last->lock);
    return ok;
}
