/* Node identity: the vector of the compatibility facts B.2, RFC 8032 vectors, and what must be
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/codec.h"
#include "base/hash.h"
#include "identity/identity.h"

static const char keypair_b2[] = "23jhTaZr634ThMawuz8v8EmFYCtYqC7TNzgta8dDbPMAzpW8bMFbj51MLD2JwZvS"
                                 "1nnLoD9PkLcBoL8KeksX1mHFSm4yR";
static const char peer_id_b2[] = "12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf";

static struct identity *identity_b2(void)
{
    uint8_t seed[32];
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(i + 1);
    struct identity *id = NULL;
    struct error err = {0};
    assert_true(identity_from_seed(slice_of(seed, sizeof seed), &id, &err));
    return id;
}

static void assert_hex(struct slice got, const char *hex)
{
    char text[129];
    assert_true(got.len <= 64);
    hex_encode(got, text);
    assert_string_equal(text, hex);
}

static void seed_gives_the_published_texts(void **state)
{
    (void)state;
    IDENTITY_AUTO struct identity *id = identity_b2();
    assert_string_equal(identity_peer_id(id), peer_id_b2);
    assert_int_equal(strlen(peer_id_b2), 52);
    assert_hex(slice_of(identity_public(id), 32),
               "79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664");

    BUF_AUTO struct buf text = BUF_INIT_SECRET(128);
    assert_true(identity_keypair_text(id, &text));
    assert_string_equal(buf_cstr(&text), keypair_b2);

    uint8_t protobuf[IDENTITY_PUBLIC_PROTOBUF_LEN];
    identity_public_protobuf(identity_public(id), protobuf);
    BUF_AUTO struct buf base64 = BUF_INIT(64);
    assert_true(base64_append(&base64, slice_of(protobuf, sizeof protobuf)));
    assert_string_equal(buf_cstr(&base64), "CAESIHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk");

    uint8_t digest[SHA256_LEN];
    sha256(slice_str(identity_peer_id(id)), digest);
    assert_hex(slice_of(digest, sizeof digest),
               "61b32fe8e574b88cd6a21b0e62a47e9a6b80cd4ef2163bd452a7f6c3b7e3d58c");
}

static void text_reads_back(void **state)
{
    (void)state;
    struct error err = {0};
    IDENTITY_AUTO struct identity *checked = NULL, *unchecked = NULL;
    assert_true(identity_from_text(slice_str(keypair_b2), slice_str(peer_id_b2), &checked, &err));
    assert_true(identity_from_text(slice_str(keypair_b2), slice_str(""), &unchecked, &err));
    assert_string_equal(identity_peer_id(checked), peer_id_b2);
    assert_string_equal(identity_peer_id(unchecked), peer_id_b2);
}

/* base58 text of a keypair protobuf with one byte changed. */
static void damaged_text(size_t at, uint8_t flip, struct buf *out)
{
    BUF_AUTO struct buf raw = BUF_INIT_SECRET(128);
    assert_true(base58_decode_append(slice_str(keypair_b2), &raw));
    raw.data[at] ^= flip;
    assert_true(base58_append(out, buf_slice(&raw)));
}

static void wrong_texts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *keypair, *peer_id, *code, *message;
    } cases[] = {
        {"0OIl", "", "identity/base58", "invalid base58"},
        {"23jhTaZr 34", "", "identity/base58", "invalid base58"},
        {"", "", "identity/protobuf", "invalid protobuf"},
        {"11", "", "identity/protobuf", "invalid protobuf"},
        {peer_id_b2, "", "identity/protobuf", "invalid protobuf"},
        {keypair_b2, "12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYg", "identity/mismatch",
         "Peer ID does not match public key"},
        {keypair_b2, "x", "identity/mismatch", "Peer ID does not match public key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct identity *id = NULL;
        struct error err = {0};
        assert_false(identity_from_text(slice_str(cases[i].keypair), slice_str(cases[i].peer_id),
                                        &id, &err));
        assert_null(id);
        assert_string_equal(err.code, cases[i].code);
        assert_string_equal(err.message, cases[i].message);
    }
}

/* Type, lengths, seed and public half: whichever byte is wrong, the pair is refused. */
static void every_damaged_byte_is_refused(void **state)
{
    (void)state;
    for (size_t at = 0; at < IDENTITY_KEYPAIR_PROTOBUF_LEN; at++) {
        BUF_AUTO struct buf text = BUF_INIT_SECRET(192);
        damaged_text(at, 0x01, &text);
        struct identity *id = NULL;
        struct error err = {0};
        assert_false(identity_from_text(buf_slice(&text), slice_str(""), &id, &err));
        assert_null(id);
        assert_string_equal(err.code, "identity/protobuf");
    }
}

static void wrong_lengths_are_refused(void **state)
{
    (void)state;
    BUF_AUTO struct buf raw = BUF_INIT_SECRET(128);
    assert_true(base58_decode_append(slice_str(keypair_b2), &raw));
    assert_true(buf_append_byte(&raw, 0));
    const size_t lengths[] = {67, 69};
    for (size_t i = 0; i < 2; i++) {
        BUF_AUTO struct buf text = BUF_INIT_SECRET(192);
        assert_true(base58_append(&text, slice_cut(buf_slice(&raw), 0, lengths[i])));
        struct identity *id = NULL;
        struct error err = {0};
        assert_false(identity_from_text(buf_slice(&text), slice_str(""), &id, &err));
        assert_string_equal(err.code, "identity/protobuf");
    }
    uint8_t seed[33] = {0};
    for (size_t len = 31; len <= 33; len += 2) {
        struct identity *id = NULL;
        struct error err = {0};
        assert_false(identity_from_seed(slice_of(seed, len), &id, &err));
        assert_string_equal(err.code, "identity/seed");
    }
}

static void public_protobuf_is_strict(void **state)
{
    (void)state;
    IDENTITY_AUTO struct identity *id = identity_b2();
    uint8_t protobuf[37] = {0}, out[32];
    identity_public_protobuf(identity_public(id), protobuf);
    struct error err = {0};
    assert_true(identity_public_from_protobuf(slice_of(protobuf, 36), out, &err));
    assert_memory_equal(out, identity_public(id), 32);
    assert_false(identity_public_from_protobuf(slice_of(protobuf, 35), out, &err));
    assert_false(identity_public_from_protobuf(slice_of(protobuf, 37), out, &err));
    for (size_t i = 0; i < 4; i++) {
        protobuf[i] ^= 0x80;
        memset(out, 0x5a, sizeof out);
        assert_false(identity_public_from_protobuf(slice_of(protobuf, 36), out, &err));
        assert_string_equal(err.code, "identity/protobuf");
        assert_int_equal(out[0], 0x5a); /* untouched */
        protobuf[i] ^= 0x80;
    }
}

static void signatures_verify_and_only_those(void **state)
{
    (void)state;
    IDENTITY_AUTO struct identity *id = identity_b2();
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    struct error err = {0};
    struct slice message = slice_str("challenge payload");
    assert_true(identity_sign(id, message, signature, &err));
    struct slice whole = slice_of(signature, sizeof signature);
    assert_true(identity_verify(identity_public(id), message, whole));
    assert_false(identity_verify(identity_public(id), slice_str("challenge payloae"), whole));
    assert_false(identity_verify(identity_public(id), message, slice_cut(whole, 0, 63)));
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 1;
        assert_false(identity_verify(identity_public(id), message, whole));
        signature[i] ^= 1;
    }
    assert_true(identity_verify(identity_public(id), message, whole));
}

/* RFC 8032, 7.1, TEST 1 and TEST 2. */
static void rfc8032_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *seed, *public_key, *message, *signature;
    } vectors[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "cf"
         "9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "r",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0f"
         "11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t seed[32], signature[64];
        struct error err = {0};
        IDENTITY_AUTO struct identity *id = NULL;
        assert_true(hex_decode(slice_str(vectors[i].seed), seed, sizeof seed));
        assert_true(identity_from_seed(slice_of(seed, sizeof seed), &id, &err));
        assert_hex(slice_of(identity_public(id), 32), vectors[i].public_key);
        assert_true(identity_sign(id, slice_str(vectors[i].message), signature, &err));
        assert_hex(slice_of(signature, sizeof signature), vectors[i].signature);
    }
}

/* S + L is the same signature to a lax verifier; a low-order key signs everything for one. */
static void malleable_forms_are_refused(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    IDENTITY_AUTO struct identity *id = identity_b2();
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    struct error err = {0};
    struct slice message = slice_str("m");
    assert_true(identity_sign(id, message, signature, &err));
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)signature[32 + i] + order[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_false(
        identity_verify(identity_public(id), message, slice_of(signature, sizeof signature)));

    const uint8_t low_order_key[32] = {1};
    uint8_t forged[64] = {1};
    assert_false(identity_verify(low_order_key, message, slice_of(forged, sizeof forged)));
}

static void generated_identities_differ_and_round_trip(void **state)
{
    (void)state;
    struct error err = {0};
    IDENTITY_AUTO struct identity *a = NULL, *b = NULL, *again = NULL;
    assert_true(identity_generate(&a, &err));
    assert_true(identity_generate(&b, &err));
    assert_string_not_equal(identity_peer_id(a), identity_peer_id(b));
    assert_memory_equal(identity_peer_id(a), "12D3KooW", 8);
    BUF_AUTO struct buf text = BUF_INIT_SECRET(128);
    assert_true(identity_keypair_text(a, &text));
    assert_int_equal(text.len, 93);
    assert_memory_equal(text.data, "23jh", 4);
    assert_true(identity_from_text(buf_slice(&text), slice_str(identity_peer_id(a)), &again, &err));
    assert_string_equal(identity_peer_id(again), identity_peer_id(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_gives_the_published_texts),
        cmocka_unit_test(text_reads_back),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(every_damaged_byte_is_refused),
        cmocka_unit_test(wrong_lengths_are_refused),
        cmocka_unit_test(public_protobuf_is_strict),
        cmocka_unit_test(signatures_verify_and_only_those),
        cmocka_unit_test(rfc8032_vectors),
        cmocka_unit_test(malleable_forms_are_refused),
        cmocka_unit_test(generated_identities_differ_and_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
