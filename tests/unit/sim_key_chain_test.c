/* Keccak-256 by published digests; the signature chain of GetKey by recovering its signers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <string.h>

#include "base/codec.h"
#include "identity/identity.h"
#include "sim/keccak.h"
#include "sim/key_chain.h"

static struct error err;

static void keccak_of(const char *in, size_t len, const char *expect)
{
    uint8_t digest[KECCAK256_LEN];
    char hex[65];
    sim_keccak256(slice_of(in, len), digest);
    hex_encode(slice_of(digest, sizeof digest), hex);
    assert_string_equal(hex, expect);
}

static void keccak_is_the_original(void **state)
{
    (void)state;
    keccak_of("", 0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    keccak_of("abc", 3, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    /* The well-known selector a9059cbb of an ERC-20 transfer. */
    keccak_of("transfer(address,uint256)", 25,
              "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b");
    char two_blocks[200];
    memset(two_blocks, 0xa3, sizeof two_blocks);
    keccak_of(two_blocks, sizeof two_blocks,
              "3a57666b048777f2c953dc4456f45a2588e1cb6f2da760122d530ac2ce607d4a");
}

/* At the rate and around it the padding takes its three shapes: all must differ and be stable. */
static void keccak_pads_at_the_block_edge(void **state)
{
    (void)state;
    uint8_t zeros[300] = {0};
    uint8_t seen[6][KECCAK256_LEN];
    static const size_t lens[6] = {134, 135, 136, 137, 271, 272};
    for (size_t i = 0; i < 6; i++) {
        sim_keccak256(slice_of(zeros, lens[i]), seen[i]);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(seen[i], seen[k], KECCAK256_LEN);
    }
}

/* Q = (s R - z G) / r, as a verifier of the chain recovers the signer. */
static void recover(const uint8_t sig[RECOVERABLE_LEN], struct slice message,
                    uint8_t out[SECP256K1_POINT_LEN])
{
    uint8_t digest[KECCAK256_LEN];
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp256k1);
    EC_POINT *point = EC_POINT_new(group);
    const BIGNUM *n = EC_GROUP_get0_order(group);
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *r = BN_bin2bn(sig, 32, NULL);
    BIGNUM *s = BN_bin2bn(sig + 32, 32, NULL);
    sim_keccak256(message, digest);
    BIGNUM *z = BN_bin2bn(digest, 32, NULL);
    assert_in_range(sig[64], 0, 1);
    assert_int_equal(EC_POINT_set_compressed_coordinates(group, point, r, sig[64], ctx), 1);
    BIGNUM *inverse = BN_mod_inverse(NULL, r, n, ctx);
    BN_mod_mul(s, s, inverse, n, ctx);
    BN_mod_mul(z, z, inverse, n, ctx);
    BN_sub(z, n, z);
    assert_int_equal(EC_POINT_mul(group, point, z, point, s, ctx), 1);
    assert_int_equal(EC_POINT_point2oct(group, point, POINT_CONVERSION_COMPRESSED, out,
                                        SECP256K1_POINT_LEN, ctx),
                     SECP256K1_POINT_LEN);
    BN_free(r);
    BN_free(s);
    BN_free(z);
    BN_free(inverse);
    BN_CTX_free(ctx);
    EC_POINT_free(point);
    EC_GROUP_free(group);
}

static void public_keys_are_known_points(void **state)
{
    (void)state;
    uint8_t one[32] = {[31] = 1};
    uint8_t zero[32] = {0};
    uint8_t point[SECP256K1_POINT_LEN];
    char hex[67];
    assert_true(sim_secp256k1_public(one, point, &err));
    hex_encode(slice_of(point, sizeof point), hex);
    assert_string_equal(hex, "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    assert_false(sim_secp256k1_public(zero, point, &err));
}

static void the_chain_leads_from_key_to_kms(void **state)
{
    (void)state;
    static const uint8_t seed[SIM_SEED_LEN] = {3};
    static const uint8_t app_id[20] = {9, 9};
    for (uint8_t i = 1; i <= 16; i++) {
        struct sim_key_chain chain;
        uint8_t app_key[32] = {i, 1};
        uint8_t key[32] = {i, 2};
        bool ed25519 = i % 2 == 0;
        struct buf message BUF_AUTO = BUF_INIT(512);
        uint8_t app_point[SECP256K1_POINT_LEN];
        uint8_t point[SECP256K1_POINT_LEN];
        uint8_t kms_point[SECP256K1_POINT_LEN];
        uint8_t kms_key[32];
        assert_true(sim_key_chain_make(seed, app_key, app_id, key, ed25519, slice_str("why"),
                                       &chain, &err));
        assert_true(sim_secp256k1_public(app_key, app_point, &err));

        buf_append_str(&message, "why:");
        if (ed25519) {
            struct identity *id IDENTITY_AUTO = NULL;
            assert_true(identity_from_seed(slice_of(key, 32), &id, &err));
            hex_append(&message, slice_of(identity_public(id), IDENTITY_PUBLIC_LEN));
        } else {
            assert_true(sim_secp256k1_public(key, point, &err));
            hex_append(&message, slice_of(point, sizeof point));
        }
        recover(chain.by_app, buf_slice(&message), point);
        assert_memory_equal(point, app_point, sizeof point);

        buf_reset(&message);
        buf_append_str(&message, "dstack-kms-issued:");
        buf_append(&message, slice_of(app_id, sizeof app_id));
        buf_append(&message, slice_of(app_point, sizeof app_point));
        assert_true(sim_derive_bytes(seed, "kms-root-k256", kms_key, sizeof kms_key, &err));
        assert_true(sim_secp256k1_public(kms_key, kms_point, &err));
        recover(chain.by_kms, buf_slice(&message), point);
        assert_memory_equal(point, kms_point, sizeof point);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keccak_is_the_original),
        cmocka_unit_test(keccak_pads_at_the_block_edge),
        cmocka_unit_test(public_keys_are_known_points),
        cmocka_unit_test(the_chain_leads_from_key_to_kms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
