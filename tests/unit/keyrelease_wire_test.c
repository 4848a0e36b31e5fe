/* The exchange's bytes: published vectors (compatibility facts B.2, B.6, D.6, J.1, J.4), strictness
 * and limits of every message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/hash.h"
#include "identity/identity.h"
#include "keyrelease/messages.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char peer[] = "12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf";

static void expect_hex(struct slice got, const char *want)
{
    char text[1024];
    assert_true(2 * got.len < sizeof(text));
    hex_encode(got, text);
    assert_string_equal(text, want);
}

static void unhex(const char *text, uint8_t *out, size_t len)
{
    assert_true(hex_decode(slice_str(text), out, len));
}

static struct identity *vector_identity(void)
{
    uint8_t seed[32];
    struct identity *id = NULL;
    struct error err = {0};
    for (unsigned i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)(i + 1);
    assert_true(identity_from_seed(slice_of(seed, sizeof(seed)), &id, &err));
    return id;
}

/* ---- vectors ---- */

static void test_bindings(void **state)
{
    (void)state;
    uint8_t out[32], binding[32], seal_to[32], kms[32];
    keyrelease_default_binding(out);
    expect_hex(slice_of(out, 32),
               "2323feace9fd1751a89ab2bebb8aba145f343a3688e3d1655ed428eb0766e396");
    unhex("0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20", kms, 32);
    unhex("7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14", seal_to, 32);
    memset(binding, 0x77, sizeof(binding));
    keyrelease_attest_half(binding, kms, out);
    expect_hex(slice_of(out, 32),
               "9554b7960a1e1e3493ba075885680dc2c8c17f3c0caf7c5fc97a80400703acf7");
    keyrelease_request_half(slice_str("12D3KooWPeer"), seal_to, out);
    expect_hex(slice_of(out, 32),
               "9ef1ee8c46f5fa7b8ed4bcec0255cd88ec847674a6c6aca13eb5076c85af9f17");
    keyrelease_request_half(slice_str(peer), NULL, out);
    expect_hex(slice_of(out, 32),
               "61b32fe8e574b88cd6a21b0e62a47e9a6b80cd4ef2163bd452a7f6c3b7e3d58c");
    uint8_t data[64];
    keyrelease_report_data(binding, out, data);
    assert_memory_equal(data, binding, 32);
    assert_memory_equal(&data[32], out, 32);
}

static void check_payload(const uint8_t *seal_to, size_t len, const char *digest, const char *sig)
{
    IDENTITY_AUTO struct identity *id = vector_identity();
    struct buf payload BUF_AUTO = BUF_INIT(1024);
    struct buf b64 BUF_AUTO = BUF_INIT(256);
    uint8_t nonce[32], hash[32], signature[IDENTITY_SIGNATURE_LEN];
    struct error err = {0};
    for (unsigned i = 0; i < sizeof(nonce); i++)
        nonce[i] = (uint8_t)i;
    assert_true(keyrelease_signed_payload(&payload, slice_str("0123456789abcdef0123456789abcdef"),
                                          nonce, slice_str("quote-bytes"), slice_str(peer),
                                          seal_to));
    assert_int_equal(payload.len, len);
    sha256(buf_slice(&payload), hash);
    expect_hex(slice_of(hash, 32), digest);
    assert_true(identity_sign(id, buf_slice(&payload), signature, &err));
    assert_true(base64_append(&b64, slice_of(signature, sizeof(signature))));
    assert_string_equal(buf_cstr(&b64), sig);
}

static void test_signed_payload(void **state)
{
    (void)state;
    uint8_t seal_to[32];
    unhex("7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14", seal_to, 32);
    check_payload(NULL, 283, "7223c0962bea2ae4d62a8674b62595dc14a46efc4581ec5164eb499e55a86777",
                  "MvEYq/GMjd5cPBde7ar0dyb3BKEV68jDdfvJio/355zLWKQ0C0W48hcBhCYafNmw5/"
                  "xrMO1rpZmIsxZmpS+KBg==");
    check_payload(seal_to, 362, "ad130116bf1ad5fd730b57367c93f93421cbbf38d8ede33066428af9e369712d",
                  "IesApQm8GkUCqR9oEuVrKD21PGIYSsVuU7jLZA1kZMAOdNXJMkq0yxv9wyTUUdDQtjCzDZlwTufutulQ"
                  "Xr/bCw==");
    struct buf small BUF_AUTO = BUF_INIT(282);
    uint8_t nonce[32] = {0};
    assert_false(keyrelease_signed_payload(&small, slice_str("0123456789abcdef0123456789abcdef"),
                                           nonce, slice_str("q"), slice_str(peer), NULL));
}

/* Texts of the peer's own choice cannot break out of the signed JSON. */
static void test_payload_escapes(void **state)
{
    (void)state;
    struct buf payload BUF_AUTO = BUF_INIT(1024);
    uint8_t nonce[32] = {0};
    assert_true(keyrelease_signed_payload(&payload, slice_str("a\"b\\\n"), nonce, slice_str(""),
                                          slice_str("p"), NULL));
    const char want[] = "{\"challengeId\":\"a\\\"b\\\\\\n\",\"challengeNonceHex\":\"000";
    assert_memory_equal(payload.data, want, sizeof(want) - 1);
}

struct seal_ends {
    struct keyrelease_pair kms, node;
    uint8_t nonce[32], seal_nonce[12];
};

static void open_ends(struct seal_ends *ends)
{
    uint8_t secret[32];
    struct error err = {0};
    memset(secret, 0x22, sizeof(secret));
    assert_true(keyrelease_pair_from(slice_of(secret, 32), &ends->kms, &err));
    memset(secret, 0x33, sizeof(secret));
    assert_true(keyrelease_pair_from(slice_of(secret, 32), &ends->node, &err));
    memset(ends->nonce, 0x11, sizeof(ends->nonce));
    memset(ends->seal_nonce, 0x44, sizeof(ends->seal_nonce));
}

static void close_ends(struct seal_ends *ends)
{
    keyrelease_pair_free(&ends->kms);
    keyrelease_pair_free(&ends->node);
}

static const char key_hex[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static const char sealed_hex[] =
    "ebb35e8aa078b188ac8118d8a5c57f63ebe9431c41d887a1df61425b18d8f6b17287f6c7e3d81ea1af1ce06ce3cdc9"
    "ccce726b637498bf43c290a1dce1d9231a201a46995aa2dcc60f1224f553c29730";

static void test_seal(void **state)
{
    (void)state;
    struct seal_ends ends;
    struct error err = {0};
    uint8_t sealed[64 + KEYRELEASE_SEAL_OVERHEAD];
    SECRET_AUTO struct secret plain = {0};
    open_ends(&ends);
    expect_hex(slice_of(ends.kms.public_key, 32),
               "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20");
    expect_hex(slice_of(ends.node.public_key, 32),
               "7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14");
    struct keyrelease_seal kms = {&ends.kms, ends.node.public_key, true, ends.nonce,
                                  slice_str("12D3KooWPeer")};
    struct keyrelease_seal node = {&ends.node, ends.kms.public_key, false, ends.nonce,
                                   slice_str("12D3KooWPeer")};
    assert_true(keyrelease_seal(&kms, ends.seal_nonce, slice_str(key_hex), sealed, &err));
    expect_hex(slice_of(sealed, sizeof(sealed)), sealed_hex);
    assert_true(
        keyrelease_unseal(&node, ends.seal_nonce, slice_of(sealed, sizeof(sealed)), &plain, &err));
    assert_true(slice_equal_str(secret_slice(&plain), key_hex));
    close_ends(&ends);
}

/* Every input that the sealed key is bound to, changed once. */
static void test_unseal_refuses(void **state)
{
    (void)state;
    struct seal_ends ends;
    struct error err = {0};
    uint8_t sealed[64 + KEYRELEASE_SEAL_OVERHEAD], other[32] = {9}, other_nonce[12] = {0};
    SECRET_AUTO struct secret plain = {0};
    open_ends(&ends);
    unhex(sealed_hex, sealed, sizeof(sealed));
    const struct slice good = slice_of(sealed, sizeof(sealed));
    const struct keyrelease_seal node = {&ends.node, ends.kms.public_key, false, ends.nonce,
                                         slice_str("12D3KooWPeer")};
    struct keyrelease_seal wrong = node;
    wrong.peer_id = slice_str("12D3KooWPeeR");
    assert_false(keyrelease_unseal(&wrong, ends.seal_nonce, good, &plain, &err));
    wrong = node;
    wrong.nonce = other;
    assert_false(keyrelease_unseal(&wrong, ends.seal_nonce, good, &plain, &err));
    wrong = node;
    wrong.other = other;
    assert_false(keyrelease_unseal(&wrong, ends.seal_nonce, good, &plain, &err));
    assert_false(keyrelease_unseal(&node, other_nonce, good, &plain, &err));
    assert_true(error_is(&err, "keyrelease/unseal"));
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 1;
        assert_false(keyrelease_unseal(&node, ends.seal_nonce, good, &plain, &err));
        sealed[i] ^= 1;
    }
    assert_false(keyrelease_unseal(&node, ends.seal_nonce, slice_cut(good, 0, 16), &plain, &err));
    assert_null(plain.data);
    assert_true(keyrelease_unseal(&node, ends.seal_nonce, good, &plain, &err));
    close_ends(&ends);
}

/* Points of small order make the shared secret zero: both sides refuse (J.1). */
static void test_small_order(void **state)
{
    (void)state;
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    };
    struct seal_ends ends;
    open_ends(&ends);
    for (size_t i = 0; i < COUNT(points); i++) {
        uint8_t point[32], sealed[64 + KEYRELEASE_SEAL_OVERHEAD];
        struct error err = {0};
        unhex(points[i], point, 32);
        struct keyrelease_seal seal = {&ends.kms, point, true, ends.nonce, slice_str("p")};
        assert_false(keyrelease_seal(&seal, ends.seal_nonce, slice_str(key_hex), sealed, &err));
        assert_string_equal(err.code, "keyrelease/seal-key");
    }
    struct keyrelease_pair pair;
    struct error err = {0};
    assert_false(keyrelease_pair_from(slice_of(ends.nonce, 31), &pair, &err));
    close_ends(&ends);
}

/* ---- requests ---- */

struct request_case {
    const char *body;
    const char *code; /* NULL = read */
    const char *message;
};

static void test_challenge_request(void **state)
{
    (void)state;
    static const struct request_case cases[] = {
        {"{\"peerId\":\"12D3\"}", NULL, NULL},
        {" { \"other\" : [1,{\"x\":null}] , \"peerId\" : \"12\\u00443\" } ", NULL, NULL},
        {"{}", "json/missing", "missing field `peerId` at line 1 column 2"},
        {"{\"peerId\":5}", "json/value", "peerId: invalid type, expected a string"},
        {"{\"peerId\":null}", "json/value", "peerId: invalid type, expected a string"},
        {"{\"peerId\":\"a\",\"peerId\":\"b\"}", "json/duplicate", "peerId: repeated member name"},
        {"{\"peerId\":\"a\",\"peer\\u0049d\":\"b\"}", "json/duplicate", NULL},
        {"[]", "json/type", NULL},
        {"\"peerId\"", "json/type", NULL},
        {"", "json/syntax", NULL},
        {"  ", "json/syntax", NULL},
        {"<html>", "json/syntax", NULL},
        {"[1,", "json/syntax", NULL},
        {"7", "json/type", NULL},
        {"{\"peerId\":\"a\"", "json/syntax", NULL},
        {"{\"peerId\":\"a\"} x", "json/syntax", NULL},
        {"{\"peerId\":\"a\",}", "json/syntax", NULL},
        {"{\"peerId\":\"a\xff\"}", "json/syntax", NULL},
        {"{'peerId':'a'}", "json/syntax", NULL},
        {"{\"peerId\":\"a\\u0000\"}", "json/value", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf scratch BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
        struct challenge_request request;
        struct error err = {0};
        bool ok = challenge_request_read(slice_str(cases[i].body), &scratch, &request, &err);
        if (ok != (cases[i].code == NULL))
            fail_msg("%s: %s", cases[i].body, ok ? "read" : err.message);
        if (ok) {
            assert_true(slice_equal_str(request.peer_id, "12D3"));
            continue;
        }
        if (strcmp(err.code, cases[i].code) != 0)
            fail_msg("%s: %s instead of %s", cases[i].body, err.code, cases[i].code);
        if (cases[i].message != NULL && strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: '%s' lacks '%s'", cases[i].body, err.message, cases[i].message);
    }
}

static void test_nesting(void **state)
{
    (void)state;
    for (unsigned depth = 30; depth <= 34; depth++) {
        struct buf body BUF_AUTO = BUF_INIT(200), scratch BUF_AUTO = BUF_INIT(200);
        struct challenge_request request;
        struct error err = {0};
        buf_append_str(&body, "{\"peerId\":\"a\",\"x\":");
        for (unsigned i = 1; i < depth; i++)
            buf_append_byte(&body, '[');
        for (unsigned i = 1; i < depth; i++)
            buf_append_byte(&body, ']');
        buf_append_byte(&body, '}');
        bool ok = challenge_request_read(buf_slice(&body), &scratch, &request, &err);
        assert_int_equal(ok, depth <= 32);
        if (!ok)
            assert_string_equal(err.code, "json/depth");
    }
}

static void test_attest_request(void **state)
{
    (void)state;
    struct buf out BUF_AUTO = BUF_INIT(500), scratch BUF_AUTO = BUF_INIT(500);
    struct attest_request request;
    struct error err = {0};
    uint8_t nonce[32] = {0}, binding[32] = {0xff, 0xff, 0xff};
    assert_true(attest_request_write(&out, nonce, NULL, true));
    assert_string_equal(
        buf_cstr(&out),
        "{\"nonceB64\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"transportKey\":true}");
    assert_true(attest_request_read(buf_slice(&out), &scratch, &request, &err));
    assert_true(request.transport_key && !request.has_binding);
    buf_reset(&out);
    assert_true(attest_request_write(&out, nonce, binding, false));
    assert_true(attest_request_read(buf_slice(&out), &scratch, &request, &err));
    assert_true(!request.transport_key && request.has_binding);
    assert_true(
        slice_equal_str(request.binding_b64, "////AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    static const char *const same[] = {
        "{\"nonceB64\":\"A\\/A\",\"bindingB64\":null,\"transportKey\":null}",
        "{\"transportKey\":false,\"bindingB64\":\"\\u002b\\/\",\"nonceB64\":\"A/A\"}",
    };
    for (size_t i = 0; i < COUNT(same); i++) {
        struct buf own BUF_AUTO = BUF_INIT(500);
        assert_true(attest_request_read(slice_str(same[i]), &own, &request, &err));
        assert_true(slice_equal_str(request.nonce_b64, "A/A"));
        assert_false(request.transport_key);
        assert_int_equal(request.has_binding, i == 1);
        if (i == 1)
            assert_true(slice_equal_str(request.binding_b64, "+/"));
    }
    assert_false(attest_request_read(slice_str("{\"nonceB64\":\"\",\"transportKey\":\"true\"}"),
                                     &scratch, &request, &err));
    assert_non_null(strstr(err.message, "transportKey: invalid type, expected a boolean"));
    assert_false(attest_request_read(slice_str("{\"nonceB64\":\"\",\"bindingB64\":7}"), &scratch,
                                     &request, &err));
}

static void test_get_key_request(void **state)
{
    (void)state;
    struct buf out BUF_AUTO = BUF_INIT(1000), scratch BUF_AUTO = BUF_INIT(1000);
    struct get_key_request request;
    struct error err = {0};
    uint8_t seal_to[32] = {1};
    assert_true(get_key_request_write(&out, slice_str("id"), slice_str("quote"), slice_str("peer"),
                                      slice_str("pub"), slice_str("sig"), seal_to));
    assert_string_equal(buf_cstr(&out),
                        "{\"challengeId\":\"id\",\"quoteB64\":\"cXVvdGU=\",\"peerId\":\"peer\","
                        "\"peerPublicKeyB64\":\"cHVi\",\"signatureB64\":\"c2ln\",\"sealToB64\":"
                        "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}");
    assert_true(get_key_request_read(buf_slice(&out), &scratch, &request, &err));
    assert_true(request.has_seal_to);
    assert_true(slice_equal_str(request.signature_b64, "c2ln"));
    buf_reset(&out);
    assert_true(get_key_request_write(&out, slice_str("id"), slice_str("quote"), slice_str("peer"),
                                      slice_str("pub"), slice_str("sig"), NULL));
    assert_true(get_key_request_read(buf_slice(&out), &scratch, &request, &err));
    assert_false(request.has_seal_to);
    /* Each of the five required members left out. */
    static const char *const members[] = {"challengeId", "quoteB64", "peerId", "peerPublicKeyB64",
                                          "signatureB64"};
    for (size_t skip = 0; skip < COUNT(members); skip++) {
        buf_reset(&out);
        buf_append_str(&out, "{\"sealToB64\":null");
        for (size_t i = 0; i < COUNT(members); i++)
            if (i != skip)
                buf_printf(&out, ",\"%s\":\"\"", members[i]);
        buf_append_byte(&out, '}');
        assert_false(get_key_request_read(buf_slice(&out), &scratch, &request, &err));
        assert_string_equal(err.field, members[skip]);
    }
}

/* ---- replies ---- */

static void test_challenge_reply(void **state)
{
    (void)state;
    struct buf out BUF_AUTO = BUF_INIT(4000);
    struct challenge_reply reply;
    enum reply_fault fault;
    struct error err = {0};
    uint8_t nonce[32] = {7};
    assert_true(challenge_reply_write(&out, slice_str("00ff"), nonce, UINT64_C(1790431024)));
    assert_string_equal(
        buf_cstr(&out),
        "{\"challengeId\":\"00ff\",\"nonceB64\":"
        "\"BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"expiresAt\":1790431024}");
    assert_true(challenge_reply_read(buf_slice(&out), &reply, &fault, &err));
    assert_string_equal(reply.id, "00ff");
    assert_memory_equal(reply.nonce, nonce, 32);
    for (size_t len = 511; len <= 513; len++) {
        char id[600];
        memset(id, 'x', len);
        buf_reset(&out);
        assert_true(challenge_reply_write(&out, slice_of(id, len), nonce, 1));
        bool ok = challenge_reply_read(buf_slice(&out), &reply, &fault, &err);
        assert_int_equal(ok, len <= 512);
    }
    assert_int_equal(fault, REPLY_ID_OVERSIZED);
    assert_string_equal(err.message, "KMS challengeId exceeds maximum allowed length (512 chars)");
}

static void test_challenge_reply_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum reply_fault fault;
        const char *message;
    } cases[] = {
        {"", REPLY_MALFORMED, "reply"},
        {"<html>", REPLY_MALFORMED, "reply"},
        {"{\"challengeId\":\"a\",\"nonceB64\":\"AA==\"}", REPLY_MALFORMED, "expiresAt"},
        {"{\"challengeId\":null,\"nonceB64\":\"AA==\",\"expiresAt\":1}", REPLY_MALFORMED,
         "is null"},
        {"{\"challengeId\":\"\",\"nonceB64\":\"AA==\",\"expiresAt\":1}", REPLY_MALFORMED,
         "is empty"},
        {"{\"challengeId\":\"a\",\"nonceB64\":\"AA==\",\"expiresAt\":-1}", REPLY_MALFORMED,
         "expiresAt"},
        {"{\"challengeId\":\"a\",\"nonceB64\":\"AA==\",\"expiresAt\":1}", REPLY_NONCE_INVALID,
         "Challenge nonce must be exactly 32 bytes"},
        {"{\"challengeId\":\"a\",\"nonceB64\":\"AA\",\"expiresAt\":1}", REPLY_NONCE_INVALID,
         "base64"},
    };
    struct challenge_reply reply;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum reply_fault fault;
        struct error err = {0};
        assert_false(challenge_reply_read(slice_str(cases[i].body), &reply, &fault, &err));
        assert_int_equal(fault, cases[i].fault);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: '%s'", cases[i].body, err.message);
    }
    struct buf big BUF_AUTO = BUF_INIT(4000);
    buf_append_str(&big, "{\"challengeId\":\"a\",\"expiresAt\":1,\"nonceB64\":\"");
    for (unsigned i = 0; i < 2049; i++)
        buf_append_byte(&big, 'A');
    buf_append_str(&big, "\"}");
    enum reply_fault fault;
    struct error err = {0};
    assert_false(challenge_reply_read(buf_slice(&big), &reply, &fault, &err));
    assert_int_equal(fault, REPLY_NONCE_OVERSIZED);
    assert_string_equal(err.message,
                        "KMS challenge nonce exceeds maximum allowed size (2048 chars base64)");
}

static void test_attest_reply(void **state)
{
    (void)state;
    struct buf out BUF_AUTO = BUF_INIT(4000);
    struct attest_reply reply = {0};
    enum reply_fault fault;
    struct error err = {0};
    uint8_t data[64] = {0xab}, key[32] = {1};
    assert_true(attest_reply_write(&out, slice_str("quote"), data, slice_str("[{\"imr\":0}]"),
                                   slice_str("{\"v\":1}"), key));
    const char lead[] = "{\"quoteB64\":\"cXVvdGU=\",\"reportDataHex\":\"ab00";
    assert_memory_equal(out.data, lead, sizeof(lead) - 1);
    assert_non_null(strstr(buf_cstr(&out),
                           "\",\"eventLog\":[{\"imr\":0}],\"vmConfig\":\"{\\\"v\\\":1}\","
                           "\"transportPublicKeyB64\":\"AQAA"));
    assert_true(attest_reply_read(buf_slice(&out), &reply, &fault, &err));
    assert_true(slice_equal_str(buf_slice(&reply.quote), "quote"));
    assert_true(slice_equal_str(reply.event_log, "[{\"imr\":0}]"));
    assert_true(reply.has_transport_key && reply.transport_key[0] == 1);
    attest_reply_free(&reply);
    buf_reset(&out);
    assert_true(
        attest_reply_write(&out, slice_str("quote"), data, slice_str(""), slice_str(""), NULL));
    assert_non_null(strstr(buf_cstr(&out), "\"eventLog\":[],\"vmConfig\":\"\"}"));
    assert_true(attest_reply_read(buf_slice(&out), &reply, &fault, &err));
    assert_false(reply.has_transport_key);
    attest_reply_free(&reply);
}

static char *attest_body(size_t quote_len, size_t data_len, const char *more)
{
    char *body = calloc(1, quote_len + data_len + 1000);
    assert_non_null(body);
    size_t at = (size_t)snprintf(body, 100, "{\"quoteB64\":\"");
    memset(&body[at], 'A', quote_len);
    at += quote_len;
    at += (size_t)snprintf(&body[at], 100, "\",\"reportDataHex\":\"");
    memset(&body[at], '0', data_len);
    at += data_len;
    snprintf(&body[at], 500, "\"%s}", more);
    return body;
}

static void test_attest_reply_refused(void **state)
{
    (void)state;
    static const struct {
        size_t quote, data;
        const char *more;
        bool ok;
        enum reply_fault fault;
    } cases[] = {
        {131072, 128, "", true, 0},
        {131076, 128, "", false, REPLY_OVERSIZED},
        {8, 126, "", false, REPLY_MALFORMED},
        {8, 130, "", false, REPLY_MALFORMED},
        {8, 1024, "", false, REPLY_MALFORMED},
        {8, 1025, "", false, REPLY_OVERSIZED},
        {0, 128, "", false, REPLY_MALFORMED},
        {8, 0, "", false, REPLY_MALFORMED},
        {7, 128, "", false, REPLY_MALFORMED},
        {8, 128, ",\"transportPublicKeyB64\":null", true, 0},
        {8, 128, ",\"transportPublicKeyB64\":\"\"", false, REPLY_MALFORMED},
        {8, 128, ",\"transportPublicKeyB64\":\"AQ==\"", false, REPLY_MALFORMED},
        {8, 128, ",\"transportPublicKeyB64\":1", false, REPLY_MALFORMED},
        {8, 128, ",\"quoteB64\":\"AAAA\"", false, REPLY_MALFORMED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct attest_reply reply = {0};
        enum reply_fault fault = REPLY_MALFORMED;
        struct error err = {0};
        char *body = attest_body(cases[i].quote, cases[i].data, cases[i].more);
        bool ok = attest_reply_read(slice_str(body), &reply, &fault, &err);
        if (ok != cases[i].ok || (!ok && fault != cases[i].fault))
            fail_msg("case %zu: ok %d fault %d: %s", i, ok, fault, err.message);
        attest_reply_free(&reply);
        free(body);
    }
}

struct key_case {
    const char *body;
    bool sealed, ok;
    enum reply_fault fault;
    const char *message;
};

static void test_get_key_reply(void **state)
{
    (void)state;
    static const struct key_case cases[] = {
        {"{\"key\":\" 00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\\n\"}",
         false, true, 0, NULL},
        {"{\"key\":\"\"}", false, false, REPLY_KEY_INVALID, "KMS returned an empty encryption key"},
        {"{\"key\":\"  \"}", false, false, REPLY_KEY_INVALID,
         "KMS returned an empty encryption key"},
        {"{\"key\":\"abc\"}", false, false, REPLY_KEY_INVALID,
         "KMS returned encryption key with invalid odd hex length"},
        {"{\"key\":\"zz\"}", false, false, REPLY_KEY_INVALID, "Failed to decode key from hex"},
        {"{\"key\":\"aabb\"}", false, false, REPLY_KEY_UNDERSIZED,
         "KMS returned an undersized encryption key: 2 bytes, expected at least 32"},
        {"{}", false, false, REPLY_MALFORMED, "key is missing"},
        {"{\"key\":7}", false, false, REPLY_MALFORMED, "reply.key"},
        {"{\"key\":\"aa\"", false, false, REPLY_MALFORMED, "reply"},
        {"{\"key\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}", true,
         false, REPLY_MALFORMED, "answered a sealed request with a key in clear"},
        {"{\"sealedKeyB64\":\"AAAA\",\"sealNonceB64\":\"AAAAAAAAAAAAAAAA\"}", true, true, 0, NULL},
        {"{\"sealedKeyB64\":\"AAAA\",\"sealNonceB64\":\"AAAA\"}", true, false, REPLY_MALFORMED,
         "12 bytes"},
        {"{\"sealedKeyB64\":\"AAA\",\"sealNonceB64\":\"AAAAAAAAAAAAAAAA\"}", true, false,
         REPLY_MALFORMED, "base64"},
        {"{\"sealedKeyB64\":\"AAAA\"}", true, false, REPLY_MALFORMED, "sealNonceB64 is missing"},
        {"{\"sealedKeyB64\":\"AAAA\",\"sealNonceB64\":\"AAAAAAAAAAAAAAAA\"}", false, false,
         REPLY_MALFORMED, "key is missing"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct get_key_reply reply = {0};
        enum reply_fault fault = REPLY_MALFORMED;
        struct error err = {0};
        bool ok =
            get_key_reply_read(slice_str(cases[i].body), cases[i].sealed, &reply, &fault, &err);
        if (ok != cases[i].ok || (!ok && fault != cases[i].fault))
            fail_msg("%s: ok %d fault %d: %s", cases[i].body, ok, fault, err.message);
        if (!ok && strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: '%s'", cases[i].body, err.message);
        if (ok && !cases[i].sealed)
            expect_hex(secret_slice(&reply.key), key_hex);
        get_key_reply_free(&reply);
    }
}

static void test_key_length_limits(void **state)
{
    (void)state;
    static char hex[4200];
    memset(hex, 'a', sizeof(hex));
    static const struct {
        size_t len;
        bool ok;
    } cases[] = {{62, false}, {63, false}, {64, true}, {66, true}, {4096, true}, {4098, false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        SECRET_AUTO struct secret key = {0};
        enum reply_fault fault;
        struct error err = {0};
        bool ok = released_key_decode(slice_of(hex, cases[i].len), &key, &fault, &err);
        assert_int_equal(ok, cases[i].ok);
        assert_int_equal(key.len, ok ? cases[i].len / 2 : 0);
    }
    enum reply_fault fault;
    struct error err = {0};
    struct secret key = {0};
    assert_false(released_key_decode(slice_of(hex, 4098), &key, &fault, &err));
    assert_string_equal(err.message,
                        "KMS returned oversized encryption key (4098 hex chars > 4096)");
}

static void test_written_get_key_replies(void **state)
{
    (void)state;
    struct buf out BUF_AUTO = BUF_INIT_SECRET(500);
    uint8_t seal_nonce[12] = {0};
    assert_true(get_key_reply_write_clear(&out, slice_str("00ff")));
    assert_string_equal(buf_cstr(&out), "{\"key\":\"00ff\"}");
    buf_reset(&out);
    assert_true(get_key_reply_write_sealed(&out, slice_str("abc"), seal_nonce));
    assert_string_equal(buf_cstr(&out),
                        "{\"sealedKeyB64\":\"YWJj\",\"sealNonceB64\":\"AAAAAAAAAAAAAAAA\"}");
}

static void test_error_envelope(void **state)
{
    (void)state;
    struct buf out BUF_AUTO = BUF_INIT(500), details BUF_AUTO = BUF_INIT(20);
    char tag[16];
    assert_true(error_reply_write(&out, "rate_limited", slice_str("Too \"many\"")));
    assert_string_equal(buf_cstr(&out),
                        "{\"error\":\"rate_limited\",\"details\":\"Too \\\"many\\\"\"}");
    assert_true(error_reply_read(buf_slice(&out), tag, sizeof(tag), &details));
    assert_string_equal(tag, "rate_limited");
    assert_true(slice_equal_str(buf_slice(&details), "Too \"many\""));
    buf_reset(&out);
    buf_reset(&details);
    assert_true(error_reply_write(&out, "a_tag_longer_than_its_room", slice_str("")));
    assert_string_equal(buf_cstr(&out), "{\"error\":\"a_tag_longer_than_its_room\"}");
    assert_true(error_reply_read(buf_slice(&out), tag, sizeof(tag), &details));
    assert_string_equal(tag, "a_tag_longer_th");
    assert_int_equal(details.len, 0);
    static const char *const none[] = {
        "", "bad gateway", "{}", "{\"error\":1}", "[\"error\"]", "{\"error\":null}"};
    for (size_t i = 0; i < COUNT(none); i++)
        assert_false(error_reply_read(slice_str(none[i]), tag, sizeof(tag), &details));
    assert_true(error_reply_read(slice_str("{\"error\":\"x\",\"details\":null}"), tag, sizeof(tag),
                                 &details));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bindings),
        cmocka_unit_test(test_signed_payload),
        cmocka_unit_test(test_payload_escapes),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_unseal_refuses),
        cmocka_unit_test(test_small_order),
        cmocka_unit_test(test_challenge_request),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_attest_request),
        cmocka_unit_test(test_get_key_request),
        cmocka_unit_test(test_challenge_reply),
        cmocka_unit_test(test_challenge_reply_refused),
        cmocka_unit_test(test_attest_reply),
        cmocka_unit_test(test_attest_reply_refused),
        cmocka_unit_test(test_get_key_reply),
        cmocka_unit_test(test_key_length_limits),
        cmocka_unit_test(test_written_get_key_replies),
        cmocka_unit_test(test_error_envelope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
