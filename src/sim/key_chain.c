/* Recoverable ECDSA over secp256k1 with OpenSSL's point arithmetic: (r, s) from a nonce of our own,
 * because v is a property of the nonce's point that OpenSSL's ECDSA does not give. */
#include "sim/key_chain.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <string.h>

#include "base/codec.h"
#include "base/hash.h"
#include "identity/identity.h"
#include "sim/keccak.h"

/* Everything one signature needs; allocated and freed together. */
struct curve {
    EC_GROUP *group;
    EC_POINT *point;
    BN_CTX *ctx;
    BIGNUM *key, *nonce, *x, *y, *s, *digest;
};

static void curve_close(struct curve *c)
{
    BIGNUM *numbers[] = {c->key, c->nonce, c->x, c->y, c->s, c->digest};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        BN_clear_free(numbers[i]);
    BN_CTX_free(c->ctx);
    EC_POINT_free(c->point);
    EC_GROUP_free(c->group);
}

static bool curve_open(struct curve *c)
{
    *c = (struct curve){.group = EC_GROUP_new_by_curve_name(NID_secp256k1), .ctx = BN_CTX_new()};
    c->point = c->group == NULL ? NULL : EC_POINT_new(c->group);
    BIGNUM **numbers[] = {&c->key, &c->nonce, &c->x, &c->y, &c->s, &c->digest};
    bool ok = c->point != NULL && c->ctx != NULL;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = BN_new();
        ok = ok && *numbers[i] != NULL;
    }
    return ok;
}

static bool public_point(struct curve *c, const uint8_t scalar[32],
                         uint8_t out[SECP256K1_POINT_LEN])
{
    return BN_bin2bn(scalar, 32, c->key) != NULL &&
           EC_POINT_mul(c->group, c->point, c->key, NULL, NULL, c->ctx) == 1 &&
           EC_POINT_point2oct(c->group, c->point, POINT_CONVERSION_COMPRESSED, out,
                              SECP256K1_POINT_LEN, c->ctx) == SECP256K1_POINT_LEN;
}

bool sim_secp256k1_public(const uint8_t scalar[32], uint8_t out[SECP256K1_POINT_LEN],
                          struct error *err)
{
    struct curve c;
    bool ok = curve_open(&c) && public_point(&c, scalar, out);
    curve_close(&c);
    return ok || error_set(err, "sim/crypto", NULL, "not a secp256k1 scalar");
}

/* s = (digest + x * key) / nonce mod n, brought to its low half (which turns v over). */
static bool solve(struct curve *c, int *v)
{
    const BIGNUM *n = EC_GROUP_get0_order(c->group);
    bool ok = BN_mod_mul(c->s, c->x, c->key, n, c->ctx) == 1 &&
              BN_mod_add(c->s, c->s, c->digest, n, c->ctx) == 1 &&
              BN_mod_inverse(c->nonce, c->nonce, n, c->ctx) != NULL &&
              BN_mod_mul(c->s, c->s, c->nonce, n, c->ctx) == 1 && !BN_is_zero(c->s);
    if (!ok || BN_lshift1(c->y, c->s) != 1)
        return false;
    if (BN_cmp(c->y, n) > 0) {
        *v ^= 1;
        return BN_sub(c->s, n, c->s) == 1;
    }
    return true;
}

static bool sign_with(struct curve *c, const uint8_t key[32], const uint8_t nonce[32],
                      const uint8_t digest[32], uint8_t out[RECOVERABLE_LEN])
{
    const BIGNUM *n = EC_GROUP_get0_order(c->group);
    int v = 0;
    bool ok = BN_bin2bn(key, 32, c->key) != NULL && BN_bin2bn(nonce, 32, c->nonce) != NULL &&
              BN_bin2bn(digest, 32, c->digest) != NULL &&
              EC_POINT_mul(c->group, c->point, c->nonce, NULL, NULL, c->ctx) == 1 &&
              EC_POINT_get_affine_coordinates(c->group, c->point, c->x, c->y, c->ctx) == 1;
    /* An x above the order (chance 2^-128) would need v of 2 or 3: refuse instead. */
    if (!ok || BN_cmp(c->x, n) >= 0)
        return false;
    v = BN_is_odd(c->y);
    if (!solve(c, &v) || BN_bn2binpad(c->x, out, 32) != 32 ||
        BN_bn2binpad(c->s, out + 32, 32) != 32)
        return false;
    out[64] = (uint8_t)v;
    return true;
}

static bool sign_recoverable(const uint8_t key[32], struct slice message,
                             uint8_t out[RECOVERABLE_LEN], struct error *err)
{
    struct curve c;
    uint8_t digest[KECCAK256_LEN];
    uint8_t nonce[32];
    sim_keccak256(message, digest);
    /* Deterministic: HMAC(key, digest), good enough for a key that protects nothing. */
    const struct slice part = slice_of(digest, sizeof digest);
    hmac_sha256(slice_of(key, 32), &part, 1, nonce);
    bool ok = curve_open(&c) && sign_with(&c, key, nonce, digest, out);
    curve_close(&c);
    return ok || error_set(err, "sim/crypto", NULL, "cannot make a recoverable signature");
}

static bool put_public(const uint8_t key[32], bool ed25519, struct buf *out, struct error *err)
{
    uint8_t point[SECP256K1_POINT_LEN];
    if (!ed25519)
        return sim_secp256k1_public(key, point, err) &&
               hex_append(out, slice_of(point, sizeof point));
    struct identity *id IDENTITY_AUTO = NULL;
    return identity_from_seed(slice_of(key, 32), &id, err) &&
           hex_append(out, slice_of(identity_public(id), IDENTITY_PUBLIC_LEN));
}

bool sim_key_chain_make(const uint8_t seed[SIM_SEED_LEN], const uint8_t app_key[32],
                        const uint8_t app_id[20], const uint8_t key[32], bool ed25519,
                        struct slice purpose, struct sim_key_chain *out, struct error *err)
{
    struct buf by_app BUF_AUTO = BUF_INIT(64 * 1024);
    struct buf by_kms BUF_AUTO = BUF_INIT(256);
    uint8_t kms_key[32];
    uint8_t app_point[SECP256K1_POINT_LEN];
    buf_append(&by_app, purpose);
    buf_append_str(&by_app, ":");
    if (!put_public(key, ed25519, &by_app, err) ||
        !sim_derive_bytes(seed, "kms-root-k256", kms_key, sizeof kms_key, err) ||
        !sim_secp256k1_public(app_key, app_point, err))
        return false;
    buf_append_str(&by_kms, "dstack-kms-issued:");
    buf_append(&by_kms, slice_of(app_id, 20));
    buf_append(&by_kms, slice_of(app_point, sizeof app_point));
    if (by_app.failed)
        return error_set(err, "sim/limit", "purpose", "the purpose is too long");
    return sign_recoverable(app_key, buf_slice(&by_app), out->by_app, err) &&
           sign_recoverable(kms_key, buf_slice(&by_kms), out->by_kms, err);
}
