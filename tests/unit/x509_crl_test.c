/* CRLs: read as OpenSSL reads them, every malformed part refused by name, look-ups by serial. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/corpus.h"
#include "support/der_builder.h"
#include "support/x509_oracle.h"

static const struct slice NONE = {NULL, 0};

static void a_good_crl(void **state)
{
    (void)state;
    der_reset();
    struct crl_parts parts = crl_parts_default();
    struct slice der = crl_build(&parts);
    struct x509_crl crl;
    struct error err;
    if (!x509_crl_parse(der, &crl, &err))
        fail_msg("%s %s: %s", err.code, err.field, err.message);
    assert_true(slice_equal(crl.der, der));
    assert_true(slice_equal_str(crl.issuer.cn, "Test Root"));
    assert_true(slice_equal(crl.issuer.der, parts.issuer));
    assert_int_equal(crl.this_update_s, 1735689600);
    assert_int_equal(crl.next_update_s, 1738368000);
    assert_true(slice_equal(crl.number, der_hex("01")));
    assert_true(slice_equal(crl.authority_key_id, der_hex("aabb")));
    assert_int_equal(crl.revoked_count, 2);
    const char *differs = oracle_crl_differs(&crl);
    if (differs != NULL)
        fail_msg("OpenSSL differs: %s", differs);
}

static void entries_and_look_ups(void **state)
{
    (void)state;
    der_reset();
    struct crl_parts parts = crl_parts_default();
    struct x509_crl crl;
    struct x509_crl_entry entry;
    assert_true(x509_crl_parse(crl_build(&parts), &crl, NULL));
    struct reader at = x509_crl_entries(&crl);
    assert_true(x509_crl_next(&at, &entry));
    assert_true(slice_equal(entry.serial, der_hex("05")));
    assert_int_equal(entry.revoked_at_s, 1735689600);
    assert_true(x509_crl_next(&at, &entry));
    assert_true(slice_equal(entry.serial, der_hex("ff01")));
    assert_false(x509_crl_next(&at, &entry));

    assert_true(x509_crl_revokes(&crl, der_hex("05")));
    assert_true(x509_crl_revokes(&crl, der_hex("ff01"))); /* DER says 00ff01 */
    static const char *const others[] = {"",       "00", "04",     "06", "0005",
                                         "00ff01", "ff", "ff0100", "01"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(x509_crl_revokes(&crl, der_hex(others[i])));
}

static void nothing_revoked(void **state)
{
    (void)state;
    der_reset();
    struct crl_parts parts = crl_parts_default();
    struct x509_crl crl;
    struct x509_crl_entry entry;
    for (int written = 0; written < 2; written++) {
        parts.revoked = written ? der_hex("3000") : NONE;
        assert_true(x509_crl_parse(crl_build(&parts), &crl, NULL));
        assert_int_equal(crl.revoked_count, 0);
        assert_false(x509_crl_revokes(&crl, der_hex("05")));
        struct reader at = x509_crl_entries(&crl);
        assert_false(x509_crl_next(&at, &entry));
        assert_null(oracle_crl_differs(&crl));
    }
}

static void many_revoked(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    der_reset();
    static uint8_t list[MANY * 32];
    size_t used = 0;
    for (unsigned i = 0; i < MANY; i++) {
        const uint8_t serial[] = {0x01, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        static const uint8_t time[] = {0x17, 0x0d, '2', '5', '0', '1', '0', '1',
                                       '0',  '0',  '0', '0', '0', '0', 'Z'};
        const uint8_t head[] = {0x30, 6 + sizeof time, 0x02, 4};
        memcpy(&list[used], head, sizeof head);
        memcpy(&list[used + 4], serial, sizeof serial);
        memcpy(&list[used + 8], time, sizeof time);
        used += 8 + sizeof time;
    }
    struct crl_parts parts = crl_parts_default();
    struct x509_crl crl;
    parts.revoked = der_tlv(DER_SEQUENCE, slice_of(list, used));
    assert_true(x509_crl_parse(crl_build(&parts), &crl, NULL));
    assert_int_equal(crl.revoked_count, MANY);
    assert_true(x509_crl_revokes(&crl, der_hex("01000000")));
    assert_true(x509_crl_revokes(&crl, der_hex("01004e1f")));
    assert_false(x509_crl_revokes(&crl, der_hex("01004e20")));
}

static void expect(const char *what, struct slice der, const char *code, const char *field)
{
    struct x509_crl crl = {.revoked_count = 99};
    struct error err = {0};
    if (x509_crl_parse(der, &crl, &err))
        fail_msg("%s: accepted", what);
    if (!error_is(&err, code) || strcmp(err.field, field) != 0)
        fail_msg("%s: %s at \"%s\" (%s)", what, err.code, err.field, err.message);
    assert_int_equal(crl.revoked_count, 99);
}

#define BAD_PART(part, bytes, code, field)                                                         \
    do {                                                                                           \
        struct crl_parts parts = crl_parts_default();                                              \
        parts.part = (bytes);                                                                      \
        expect(#part " = " #bytes, crl_build(&parts), code, field);                                \
    } while (0)

#define EXT(oid, critical, value) der_extension(oid, critical, der_hex(value))
#define AKI                       EXT("551d23", false, "3004 8002 aabb")
#define NUMBER                    EXT("551d14", false, "020101")

static void malformed_parts(void **state)
{
    (void)state;
    der_reset();
    BAD_PART(version, NONE, "crl/format", "version");
    BAD_PART(version, der_hex("020100"), "crl/format", "version");
    BAD_PART(version, der_hex("020102"), "crl/format", "version");
    BAD_PART(algorithm, der_hex("300a06082a8648ce3d040303"), "crl/algorithm", "signature");
    BAD_PART(outer_algorithm, NONE, "crl/algorithm", "signatureAlgorithm");
    BAD_PART(signature, der_hex("030100"), "crl/format", "signatureValue");
    BAD_PART(issuer, der_hex("3100"), "crl/name", "issuer");
    BAD_PART(this_update, der_utc_time("2501010000Z"), "crl/time", "thisUpdate");
    BAD_PART(next_update, NONE, "crl/time", "nextUpdate");
    BAD_PART(next_update, der_utc_time("250132000000Z"), "crl/time", "nextUpdate");
    BAD_PART(extensions, NONE, "crl/extension", "crlExtensions");
    BAD_PART(extensions, AKI, "crl/extension", "cRLNumber");
    BAD_PART(extensions, NUMBER, "crl/extension", "authorityKeyIdentifier");
    BAD_PART(extensions, DER_JOIN(AKI, NUMBER, NUMBER), "crl/extension", "cRLNumber");
    BAD_PART(extensions, DER_JOIN(AKI, EXT("551d14", false, "0201ff")), "crl/extension",
             "cRLNumber");
    BAD_PART(extensions, DER_JOIN(AKI, EXT("551d14", false, "0400")), "crl/extension", "cRLNumber");
    BAD_PART(extensions, DER_JOIN(NUMBER, EXT("551d23", false, "0400")), "crl/extension",
             "authorityKeyIdentifier");
    /* issuing distribution point, delta CRL indicator */
    BAD_PART(extensions, DER_JOIN(AKI, NUMBER, EXT("551d1c", true, "3000")), "crl/critical",
             "extensions");
    BAD_PART(extensions, DER_JOIN(AKI, NUMBER, EXT("551d1b", true, "020101")), "crl/critical",
             "extensions");
    BAD_PART(extensions, DER_JOIN(AKI, NUMBER, der_hex("0500")), "crl/extension", "extensions");
}

static void malformed_entries(void **state)
{
    (void)state;
    der_reset();
    struct slice good = crl_entry("05", NONE);
    BAD_PART(revoked, DER_SEQ(good, der_hex("3000")), "crl/format", "revokedCertificates");
    BAD_PART(revoked, DER_SEQ(good, der_hex("0500")), "crl/format", "revokedCertificates");
    BAD_PART(revoked, DER_SEQ(crl_entry("ff", NONE)), "crl/format", "revokedCertificates");
    BAD_PART(revoked, DER_SEQ(crl_entry("0005", NONE)), "crl/format", "revokedCertificates");
    BAD_PART(revoked, DER_SEQ(crl_entry("010203040506070809101112131415161718192021", NONE)),
             "crl/format", "revokedCertificates");
    BAD_PART(revoked, DER_SEQ(DER_SEQ(der_hex("020105"))), "crl/format", "revokedCertificates");
    BAD_PART(revoked,
             DER_SEQ(DER_SEQ(der_hex("020105"), der_utc_time("250101000000Z"), der_hex("0500"))),
             "crl/format", "revokedCertificates");
    BAD_PART(revoked, DER_SEQ(crl_entry("05", EXT("551d1d", true, "3000"))), "crl/critical",
             "extensions"); /* certificateIssuer: an indirect CRL */
    BAD_PART(revoked, DER_SEQ(crl_entry("05", der_hex("0500"))), "crl/extension", "extensions");
}

static void ceiling_on_size(void **state)
{
    (void)state;
    static uint8_t filler[X509_CRL_LEN_MAX];
    struct x509_crl crl;
    struct error err;
    size_t pad = X509_CRL_LEN_MAX - 300;
    for (size_t size = X509_CRL_LEN_MAX - 1; size <= X509_CRL_LEN_MAX + 1; size++) {
        struct slice der;
        do {
            der_reset();
            struct crl_parts parts = crl_parts_default();
            parts.extensions =
                DER_JOIN(parts.extensions, der_extension("2a0304", false, slice_of(filler, pad)));
            der = crl_build(&parts);
            pad += size - der.len;
        } while (der.len != size);
        assert_int_equal(x509_crl_parse(der, &crl, &err), size <= X509_CRL_LEN_MAX);
    }
    assert_true(error_is(&err, "crl/size"));
}

static bool survives(struct slice der)
{
    uint8_t *copy = malloc(der.len > 0 ? der.len : 1);
    assert_non_null(copy);
    if (der.len > 0)
        memcpy(copy, der.data, der.len);
    struct x509_crl crl;
    struct error err = {0};
    bool ok = x509_crl_parse(slice_of(copy, der.len), &crl, &err);
    if (ok) {
        const char *differs = oracle_crl_differs(&crl);
        if (differs != NULL && strcmp(differs, "OpenSSL refuses it") != 0)
            fail_msg("OpenSSL differs: %s", differs);
    } else {
        assert_true(error_is(&err, "crl/"));
    }
    free(copy);
    return ok;
}

static void truncated_and_flipped(void **state)
{
    (void)state;
    der_reset();
    struct crl_parts parts = crl_parts_default();
    struct slice der = crl_build(&parts);
    for (size_t len = 0; len < der.len; len++)
        assert_false(survives(slice_of(der.data, len)));
    struct slice copy = DER_JOIN(der);
    uint8_t *bytes = (uint8_t *)(uintptr_t)copy.data;
    size_t accepted = 0;
    for (size_t bit = 0; bit < 8 * der.len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        accepted += survives(copy);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(survives(copy));
    assert_true(accepted > 0 && accepted < 8 * der.len);
}

static void seed(struct slice der, void *accepted)
{
    *(size_t *)accepted += survives(der);
}

static void the_fuzz_corpus(void **state)
{
    (void)state;
    size_t accepted = 0;
    assert_true(corpus_each("crl", seed, &accepted) > 0);
    assert_true(accepted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_crl),      cmocka_unit_test(entries_and_look_ups),
        cmocka_unit_test(nothing_revoked), cmocka_unit_test(many_revoked),
        cmocka_unit_test(malformed_parts), cmocka_unit_test(malformed_entries),
        cmocka_unit_test(ceiling_on_size), cmocka_unit_test(truncated_and_flipped),
        cmocka_unit_test(the_fuzz_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
