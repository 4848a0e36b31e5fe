/* The text forms: PEM chains, percent-encoding, CRLs in three encodings; what is tolerated and what
 * is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "x509/pem.h"
#include "x509/x509.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define BEGIN  "-----BEGIN CERTIFICATE-----\n"
#define END    "-----END CERTIFICATE-----\n"
#define END_NO "-----END CERTIFICATE-----"
#define LINE   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" /* 48 zeros */
#define ONE    BEGIN "MAA=\n" END                                                   /* 30 00 */

static bool reads(struct slice text, struct x509_chain *chain, struct error *err)
{
    uint8_t *copy = malloc(text.len > 0 ? text.len : 1);
    assert_non_null(copy);
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    bool ok = x509_chain_from_pem(slice_of(copy, text.len), chain, err);
    free(copy); /* the chain keeps its own bytes */
    return ok;
}

static void good_chains(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count, first_len;
    } good[] = {
        {ONE, 1, 2},
        {BEGIN "MAA=\n" END_NO, 1, 2},
        {ONE ONE ONE, 3, 2},
        {ONE ONE ONE ONE ONE ONE ONE ONE, 8, 2},
        {"-----BEGIN CERTIFICATE-----\r\nMAA=\r\n-----END CERTIFICATE-----\r\n", 1, 2},
        {BEGIN LINE LINE END, 1, 96},
        {BEGIN LINE "MAA=\n" END, 1, 50},
        {BEGIN "AAAA\n"
               "AAAA\n"
               "MA==\n" END,
         1, 7}, /* narrow, but all alike */
        {BEGIN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" END,
         1, 57},
    };
    struct x509_chain chain;
    struct error err;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!reads(slice_str(good[i].text), &chain, &err))
            fail_msg("%s: %s", good[i].text, err.message);
        assert_int_equal(chain.count, good[i].count);
        assert_int_equal(chain.der[0].len, good[i].first_len);
        assert_ptr_equal(chain.der[0].data, chain.bytes);
    }
    static const char nuls[] = ONE "\0\0"; /* and the literal's own */
    assert_true(reads(slice_of(nuls, sizeof nuls), &chain, NULL));
    assert_memory_equal(chain.der[0].data, "\x30\x00", 2);
}

static void bad_chains(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code;
    } bad[] = {
        {"", "chain/count"},
        {"\n", "chain/format"},
        {" " ONE, "chain/format"},
        {"\n" ONE, "chain/format"},
        {"x\n" ONE, "chain/format"},
        {ONE "\n", "chain/format"},
        {ONE " ", "chain/format"},
        {ONE "x", "chain/format"},
        {ONE "\n" ONE, "chain/format"},
        {ONE "text between\n" ONE, "chain/format"},
        {BEGIN "MAA=\n" END_NO BEGIN "MAA=\n" END, "chain/format"}, /* no line end between */
        {BEGIN END, "chain/format"},
        {BEGIN "\nMAA=\n" END, "chain/format"},
        {BEGIN "MAA=\n\n" END, "chain/format"},
        {BEGIN "MAA=", "chain/format"},
        {BEGIN "MAA=\n", "chain/format"},
        {BEGIN, "chain/format"},
        {BEGIN "MAA=\n-----END CERTIFICATE----\n", "chain/format"},
        {BEGIN "MAA=\n-----END CERTIFICATE----- \n", "chain/format"},
        {BEGIN "MAA=\n-----END X509 CRL-----\n", "chain/format"},
        {"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n", "chain/format"},
        {"-----BEGIN CERTIFICATE----- \nMAA=\n" END, "chain/format"},
        {"-----BEGIN CERTIFICATE-----\rMAA=\r" END_NO, "chain/format"},
        {BEGIN "MAA\n" END, "chain/format"},
        {BEGIN "MAB=\n" END, "chain/format"}, /* padding bits set */
        {BEGIN "MAA=MAA=\n" END, "chain/format"},
        {BEGIN "MAA=\nMAA=\n" END, "chain/format"}, /* padding in the middle */
        {BEGIN " MAA=\n" END, "chain/format"},
        {BEGIN "MA A=\n" END, "chain/format"},
        {BEGIN "MAA=\r\r\n" END, "chain/format"},
        {BEGIN "-_==\n" END, "chain/format"},           /* the other alphabet */
        {BEGIN "AAAA\n" LINE END, "chain/format"},      /* lines grow */
        {BEGIN LINE "AAAA\n" LINE END, "chain/format"}, /* a short line in the middle */
        {BEGIN LINE "AAAA\nAAAA\n" END, "chain/format"},
        {BEGIN
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" END,
         "chain/format"}, /* 80 characters */
        {ONE ONE ONE ONE ONE ONE ONE ONE ONE, "chain/count"},
    };
    struct x509_chain chain;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct error err = {0};
        if (reads(slice_str(bad[i].text), &chain, &err))
            fail_msg("accepted: %s", bad[i].text);
        if (!error_is(&err, bad[i].code))
            fail_msg("%s: %s", bad[i].text, err.code);
        assert_int_equal(chain.count, 0);
    }
    static const char inside[] = BEGIN "MAA=\n\0" END;
    assert_false(reads(slice_of(inside, sizeof inside - 1), &chain, NULL));
}

static void every_flip_and_cut_is_refused(void **state)
{
    (void)state;
    static const char text[] = BEGIN LINE "MAA=\n" END ONE;
    struct x509_chain chain;
    size_t len = sizeof text - 1;
    char copy[sizeof text];
    assert_true(reads(slice_of(text, len), &chain, NULL));
    for (size_t cut = 0; cut < len; cut++) {
        bool whole = cut == len - 1 || cut == len - strlen(ONE) || cut == len - strlen(ONE) - 1;
        assert_int_equal(reads(slice_of(text, cut), &chain, NULL), whole);
    }
    size_t base64_flips = 0;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        memcpy(copy, text, sizeof text);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        if (!reads(slice_of(copy, len), &chain, NULL))
            continue;
        /* Only a base64 character may become another; that changes the DER. */
        bool changed = chain.count != 2 || chain.der[0].len != 50 ||
                       !slice_is_zero(slice_cut(chain.der[0], 0, 48)) ||
                       chain.der[0].data[48] != 0x30 || chain.der[0].data[49] != 0 ||
                       chain.der[1].len != 2 || chain.der[1].data[0] != 0x30 ||
                       chain.der[1].data[1] != 0;
        if (!changed)
            fail_msg("bit %zu flipped, same chain", bit);
        base64_flips++;
    }
    assert_true(base64_flips > 0);
}

static void ceilings(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = BUF_INIT(1 << 20);
    struct x509_chain chain;
    struct error err;
    /* X509_CHAIN_DER_MAX bytes are 341 lines of 48 and 16 more. */
    for (size_t last = 15; last <= 17; last++) {
        const uint8_t zeros[17] = {0};
        buf_reset(&text);
        buf_append_str(&text, BEGIN);
        for (size_t i = 0; i < X509_CHAIN_DER_MAX / 48; i++)
            buf_append_str(&text, LINE);
        base64_append(&text, slice_of(zeros, last));
        buf_append_str(&text, "\n" END);
        assert_false(text.failed);
        assert_int_equal(reads(buf_slice(&text), &chain, &err), last <= 16);
    }
    assert_true(error_is(&err, "chain/size"));
    for (size_t len = X509_CHAIN_TEXT_MAX - 1; len <= X509_CHAIN_TEXT_MAX + 1; len++) {
        buf_reset(&text);
        buf_append_str(&text, ONE);
        while (text.len < len)
            buf_append_byte(&text, 0);
        assert_int_equal(reads(buf_slice(&text), &chain, &err), len <= X509_CHAIN_TEXT_MAX);
    }
    assert_true(error_is(&err, "chain/size"));
}

static void percent_encoding(void **state)
{
    (void)state;
    static const struct {
        const char *text, *decoded; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"plain+text", "plain+text"},
        {"a%20b%0Ac%0a%2B", "a b\nc\n+"},
        {"%25%41", "%A"},
        {"%2541", "%41"}, /* once, not twice */
        {"%", NULL},
        {"a%4", NULL},
        {"%4g", NULL},
        {"%%41", NULL},
        {"%-1", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUF_AUTO struct buf out = BUF_INIT(64);
        struct error err = {0};
        assert_true(buf_append_str(&out, "x"));
        bool ok = x509_percent_decode(slice_str(cases[i].text), &out, &err);
        assert_int_equal(ok, cases[i].decoded != NULL);
        if (ok)
            assert_string_equal(buf_cstr(&out) + 1, cases[i].decoded);
        else
            assert_true(error_is(&err, "chain/encoding"));
        assert_true(ok || out.len == 1);
    }
    for (size_t max = 2; max <= 4; max++) {
        BUF_AUTO struct buf out = BUF_INIT(max);
        assert_int_equal(x509_percent_decode(slice_str("a%41b"), &out, NULL), max >= 3);
    }
}

static bool decodes(struct slice in, const char *hex, size_t max, struct error *err)
{
    BUF_AUTO struct buf out = BUF_INIT(max);
    uint8_t wanted[64];
    if (!x509_crl_decode(in, &out, err)) {
        assert_int_equal(out.len, 0);
        return false;
    }
    assert_true(hex_decode(slice_str(hex), wanted, strlen(hex) / 2));
    return slice_equal(buf_slice(&out), slice_of(wanted, strlen(hex) / 2));
}

#define CRL_PEM "-----BEGIN X509 CRL-----\nMAMCAQE=\n-----END X509 CRL-----\n"

static void crl_encodings(void **state)
{
    (void)state;
    static const char *const good[] = {
        "3003020101",        "3003020101\n",
        "3003020101\r\n \t", CRL_PEM,
        CRL_PEM "\n \n",     "-----BEGIN X509 CRL-----\r\nMAMCAQE=\r\n-----END X509 CRL-----",
    };
    struct error err = {0};
    for (size_t i = 0; i < COUNT(good); i++)
        if (!decodes(slice_str(good[i]), "3003020101", 64, &err))
            fail_msg("%s: %s", good[i], err.message);
    assert_true(decodes(slice_of("\x30\x03\x02\x01\x01", 5), "3003020101", 64, NULL));
    assert_true(decodes(slice_of("3003020101\0", 11), "3003020101", 64, NULL));
    /* DER is taken as it is: what follows it is the parser's business */
    assert_true(decodes(slice_of("\x30\x03\x02\x01\x01\n", 6), "30030201010a", 64, NULL));
    assert_true(decodes(slice_str("30030201FF"), "30030201ff", 64, NULL));
    static const char *const bad[] = {
        "",
        "\n",
        "300",
        "30030201zz",
        " 3003020101",
        "3 0",
        "\x31\x00",
        CRL_PEM CRL_PEM,
        "x" CRL_PEM,
        CRL_PEM "x",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "-----BEGIN X509 CRL-----\n",
        "-",
        "30 03",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        BUF_AUTO struct buf out = BUF_INIT(64);
        err = (struct error){0};
        if (x509_crl_decode(slice_str(bad[i]), &out, &err))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(out.len, 0);
        if (!error_is(&err, "crl/format"))
            fail_msg("%s: %s", bad[i], err.code);
    }
}

static void crl_ceilings(void **state)
{
    (void)state;
    struct error err = {0};
    static const char *const texts[] = {"3003020101", CRL_PEM};
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_false(decodes(slice_str(texts[i]), "3003020101", 4, &err));
        assert_true(error_is(&err, "crl/size"));
        assert_true(decodes(slice_str(texts[i]), "3003020101", 5, &err));
    }
    assert_false(decodes(slice_of("\x30\x03\x02\x01\x01", 5), "", 4, &err));
    assert_true(error_is(&err, "crl/size"));
    static uint8_t text[2 * X509_CRL_LEN_MAX + 1];
    memset(text, '3', sizeof text);
    BUF_AUTO struct buf out = BUF_INIT(X509_CRL_LEN_MAX);
    assert_true(x509_crl_decode(slice_of(text, sizeof text - 1), &out, &err));
    assert_int_equal(out.len, X509_CRL_LEN_MAX);
    buf_reset(&out);
    assert_false(x509_crl_decode(slice_of(text, sizeof text), &out, &err));
    assert_true(error_is(&err, "crl/size"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_chains),
        cmocka_unit_test(bad_chains),
        cmocka_unit_test(every_flip_and_cut_is_refused),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(percent_encoding),
        cmocka_unit_test(crl_encodings),
        cmocka_unit_test(crl_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
