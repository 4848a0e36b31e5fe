/* Certificates: every part read as OpenSSL reads it, every malformed part refused by name, every
 * truncation and flipped bit survived; the SGX extension likewise. */
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void a_good_certificate(void **state)
{
    (void)state;
    der_reset();
    struct cert_parts parts = cert_parts_default();
    struct slice der = cert_build(&parts);
    struct x509_cert c;
    struct error err;
    if (!x509_cert_parse(der, &c, &err))
        fail_msg("%s %s: %s", err.code, err.field, err.message);
    assert_true(slice_equal(c.der, der));
    assert_true(slice_equal(c.serial, der_hex("ff01")));
    assert_true(slice_equal(c.issuer.der, parts.issuer));
    assert_true(slice_equal_str(c.issuer.cn, "Test Root"));
    assert_true(slice_equal_str(c.subject.cn, "Test Intermediate"));
    assert_int_equal(c.not_before_s, 1577934245);
    assert_int_equal(c.not_after_s, 2524607999);
    assert_true(c.has_basic_constraints && c.is_ca);
    assert_int_equal(c.path_len, 1);
    assert_true(c.has_key_usage);
    assert_int_equal(c.key_usage, X509_USE_KEY_CERT_SIGN | X509_USE_CRL_SIGN);
    assert_true(c.has_authority_key_id && c.has_subject_key_id && c.has_crl_distribution_points);
    assert_true(slice_equal(c.authority_key_id, der_hex("aabb")));
    assert_true(slice_equal(c.subject_key_id, der_hex("ccdd")));
    assert_int_equal(c.sgx_extension.len, 0);
    uint8_t signature[64] = {0};
    signature[30] = 1;
    signature[31] = 2;
    signature[62] = 3;
    signature[63] = 4;
    assert_memory_equal(c.signature, signature, 64);
    const char *differs = oracle_cert_differs(&c);
    if (differs != NULL)
        fail_msg("OpenSSL differs: %s", differs);
    assert_true(x509_issued_by(&c, &(struct x509_cert){.subject = {.der = parts.issuer}}));
    assert_false(x509_issued_by(&c, &c));
}

static void optional_parts(void **state)
{
    (void)state;
    der_reset();
    struct cert_parts parts = cert_parts_default();
    struct x509_cert c;
    parts.extensions = der_extension("551d13", false, der_hex("3000"));
    assert_true(x509_cert_parse(cert_build(&parts), &c, NULL));
    assert_true(c.has_basic_constraints);
    assert_false(c.is_ca);
    assert_int_equal(c.path_len, -1);
    assert_false(c.has_key_usage || c.has_authority_key_id || c.has_subject_key_id ||
                 c.has_crl_distribution_points);
    parts.extensions = der_extension("2a0304", false, der_hex("ffff")); /* unknown: skipped */
    parts.subject = der_hex("3000");                                    /* an empty name */
    parts.serial = der_hex("020100");
    assert_true(x509_cert_parse(cert_build(&parts), &c, NULL));
    assert_false(c.has_basic_constraints);
    assert_int_equal(c.subject.cn.len, 0);
    assert_int_equal(c.serial.len, 1);
    parts.validity = DER_SEQ(der_tlv(DER_GENERALIZED_TIME, slice_str("20200101000000Z")),
                             der_tlv(DER_GENERALIZED_TIME, slice_str("20600101000000Z")));
    assert_true(x509_cert_parse(cert_build(&parts), &c, NULL));
    assert_null(oracle_cert_differs(&c));
}

static void key_usages(void **state)
{
    (void)state;
    static const struct {
        const char *der;
        unsigned usage; /* 0: refused */
    } cases[] = {
        {"030206c0", X509_USE_DIGITAL_SIGNATURE | X509_USE_NON_REPUDIATION},
        {"03020780", X509_USE_DIGITAL_SIGNATURE},
        {"03020106", X509_USE_KEY_CERT_SIGN | X509_USE_CRL_SIGN},
        {"03020001", 1 << 7},
        {"0303070080", 1 << 8},
        {"03020000", 0},     /* nothing set */
        {"030100", 0},       /* no bits */
        {"030206c1", 0},     /* unused bit set */
        {"030200c0", 0},     /* trailing zero bits kept */
        {"030208c0", 0},     /* eight unused bits */
        {"03040000c080", 0}, /* more than sixteen bits */
        {"0303060080", 0},
        {"0300", 0},
        {"020101", 0},
        {"030206c000", 0}, /* something behind it */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        der_reset();
        struct cert_parts parts = cert_parts_default();
        struct x509_cert c;
        struct error err = {0};
        parts.extensions = der_extension("551d0f", true, der_hex(cases[i].der));
        bool ok = x509_cert_parse(cert_build(&parts), &c, &err);
        if (ok != (cases[i].usage != 0) || (ok && c.key_usage != cases[i].usage) ||
            (!ok && (!error_is(&err, "cert/extension") || strcmp(err.field, "keyUsage") != 0)))
            fail_msg("%s: wrong", cases[i].der);
    }
}

static void basic_constraints(void **state)
{
    (void)state;
    static const struct {
        const char *der;
        bool ok, ca;
        int path_len;
    } cases[] = {
        {"3000", true, false, -1},
        {"30030101ff", true, true, -1},
        {"30060101ff020100", true, true, 0},
        {"30070101ff0202007f", false, false, 0}, /* not the shortest integer */
        {"30080101ff02027fff", true, true, 32767},
        {"30090101ff0203008000", false, false, 0},
        {"3003010100", false, false, 0}, /* DEFAULT FALSE spelled out */
        {"3003010101", false, false, 0},
        {"3003020100", false, false, 0}, /* a path length without CA */
        {"30060101ff0201ff", false, false, 0},
        {"30060101ff010100", false, false, 0},
        {"30050101ff0500", false, false, 0},
        {"300000", false, false, 0},
        {"0400", false, false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        der_reset();
        struct cert_parts parts = cert_parts_default();
        struct x509_cert c;
        struct error err = {0};
        struct slice value = der_hex(cases[i].der);
        if (i == 4) /* the length byte follows what is there */
            value = DER_SEQ(der_hex("0101ff 02027fff"));
        if (i == 5)
            value = DER_SEQ(der_hex("0101ff 0203008000"));
        parts.extensions = der_extension("551d13", true, value);
        bool ok = x509_cert_parse(cert_build(&parts), &c, &err);
        if (ok != cases[i].ok ||
            (ok && (c.is_ca != cases[i].ca || c.path_len != cases[i].path_len)))
            fail_msg("%s: wrong", cases[i].der);
        if (!ok &&
            (!error_is(&err, "cert/extension") || strcmp(err.field, "basicConstraints") != 0))
            fail_msg("%s: %s at %s", cases[i].der, err.code, err.field);
        assert_true(!ok || oracle_cert_differs(&c) == NULL);
    }
}

#define EXT(oid, critical, value) der_extension(oid, critical, der_hex(value))

static void expect(const char *what, struct slice der, const char *code, const char *field)
{
    struct x509_cert c = {.path_len = 99};
    struct error err = {0};
    if (x509_cert_parse(der, &c, &err))
        fail_msg("%s: accepted", what);
    if (!error_is(&err, code) || strcmp(err.field, field) != 0)
        fail_msg("%s: %s at \"%s\" (%s)", what, err.code, err.field, err.message);
    assert_int_equal(c.path_len, 99);
}

/* One part in the place of the right one. */
#define BAD_PART(part, bytes, code, field)                                                         \
    do {                                                                                           \
        struct cert_parts parts = cert_parts_default();                                            \
        parts.part = (bytes);                                                                      \
        expect(#part " = " #bytes, cert_build(&parts), code, field);                               \
    } while (0)

static void malformed_parts(void **state)
{
    (void)state;
    der_reset();
    BAD_PART(version, der_hex(""), "cert/format", "version");
    BAD_PART(version, der_hex("a003020100"), "cert/format", "version");
    BAD_PART(version, der_hex("a003020101"), "cert/format", "version");
    BAD_PART(version, der_hex("a003020103"), "cert/format", "version");
    BAD_PART(version, der_hex("a0050201020500"), "cert/format", "version");
    BAD_PART(version, der_hex("020102"), "cert/format", "version");
    BAD_PART(serial, der_hex("0201ff"), "cert/format", "serialNumber");
    BAD_PART(serial, der_hex("02020001"), "cert/format", "serialNumber");
    BAD_PART(serial, der_hex("0200"), "cert/format", "serialNumber");
    BAD_PART(serial, der_hex("0400"), "cert/format", "serialNumber");
    BAD_PART(algorithm, der_hex("300a06082a8648ce3d040303"), "cert/algorithm", "signature");
    BAD_PART(algorithm, der_hex("300c06082a8648ce3d0403020500"), "cert/algorithm", "signature");
    BAD_PART(outer_algorithm, der_hex("300c06082a8648ce3d0403020500"), "cert/algorithm",
             "signatureAlgorithm");
    BAD_PART(outer_algorithm, der_hex(""), "cert/algorithm", "signatureAlgorithm");
    BAD_PART(issuer, der_hex("3100"), "cert/name", "issuer");
    BAD_PART(subject, der_hex("30023100"), "cert/name", "subject");
    BAD_PART(subject, der_hex("300f 310d 300b 0603550403 0c0141 0500"), "cert/name", "subject");
    BAD_PART(subject, der_hex("300c 310a 3008 0603550403 0c0100"), "cert/name", "subject");
    BAD_PART(subject, der_hex("300b 3109 3007 0603550403 0c00"), "cert/name", "subject");
    BAD_PART(subject, der_hex("300c 310a 3008 0603550403 0c01ff"), "cert/name", "subject");
    BAD_PART(subject, der_hex("300c 310a 3008 0603550403 13012a"), "cert/name", "subject");
    BAD_PART(subject, der_hex("300c 310a 3008 0603550403 160141"), "cert/name", "subject");
    BAD_PART(subject, der_hex("300c 310a 3008 0603550406 13012a"), "cert/name", "subject");
    BAD_PART(validity, der_hex("3000"), "cert/time", "notBefore");
    BAD_PART(validity, DER_SEQ(der_utc_time("200101000000Z")), "cert/time", "notAfter");
    BAD_PART(validity,
             DER_SEQ(der_utc_time("200101000000Z"), der_utc_time("200101000000Z"), der_hex("0500")),
             "cert/format", "validity");
    BAD_PART(key, der_hex("3000"), "cert/key", "subjectPublicKeyInfo");
    BAD_PART(key, der_hex(""), "cert/key", "subjectPublicKeyInfo");
    BAD_PART(before_extensions, der_hex("8102 0000"), "cert/format", "extensions");
    BAD_PART(after_extensions, der_hex("0500"), "cert/format", "extensions");
    BAD_PART(after_signature, der_hex("0500"), "cert/format", "signatureValue");
}

static void malformed_signatures(void **state)
{
    (void)state;
    der_reset();
    static const char *const bad[] = {
        "",
        "0300",
        "030100",
        "030700 30 04 0201010201",          /* short */
        "030a00 3006 020101 020101 00",     /* behind the pair */
        "030800 3006 020101 0201",          /* cut short */
        "030901 3006 020101 020101 ff",     /* unused bits */
        "030900 3006 020101 0201ff",        /* negative */
        "030a00 3007 02020001 020101",      /* not the shortest */
        "0304 003000",                      /* no integers */
        "0306 003003 020101",               /* one */
        "030c00 3009 020101 020101 020101", /* three */
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct cert_parts parts = cert_parts_default();
        parts.signature = der_hex(bad[i]);
        expect(bad[i], cert_build(&parts), "cert/format", "signatureValue");
    }
    /* 33 bytes of magnitude are too many, 32 and a sign byte are not. */
    static uint8_t ones[34];
    memset(ones, 0xff, sizeof ones);
    ones[0] = 0;
    struct cert_parts parts = cert_parts_default();
    struct x509_cert c;
    for (size_t len = 33; len <= 34; len++) {
        struct slice pair = DER_SEQ(der_tlv(DER_INTEGER, slice_of(ones, len)), der_hex("020101"));
        parts.signature = der_tlv(DER_BIT_STRING, DER_JOIN(der_hex("00"), pair));
        assert_int_equal(x509_cert_parse(cert_build(&parts), &c, NULL), len == 33);
    }
    assert_memory_equal(c.signature, &ones[1], 32);
}

static void malformed_extensions(void **state)
{
    (void)state;
    der_reset();
    BAD_PART(extensions, EXT("2a0304", true, "0500"), "cert/critical", "extensions");
    BAD_PART(extensions, DER_JOIN(EXT("2a0304", false, "0500"), EXT("2a0304", false, "0500")),
             "cert/extension", "extensions");
    BAD_PART(extensions, DER_JOIN(EXT("551d13", true, "3000"), EXT("551d13", true, "3000")),
             "cert/extension", "basicConstraints");
    BAD_PART(extensions, der_hex("3000"), "cert/extension", "extensions");
    BAD_PART(extensions, der_hex("0500"), "cert/extension", "extensions");
    /* critical FALSE spelled out, no value, something behind the value, an empty OID */
    BAD_PART(extensions, der_hex("300b 0603551d0e 010100 040100"), "cert/extension", "extensions");
    BAD_PART(extensions, der_hex("3005 0603551d0e"), "cert/extension", "extensions");
    BAD_PART(extensions, der_hex("300b 0603551d0e 0402 0400 0500"), "cert/extension", "extensions");
    BAD_PART(extensions, der_hex("3004 0600 0400"), "cert/extension", "extensions");
    BAD_PART(extensions, EXT("551d23", false, "0400"), "cert/extension", "authorityKeyIdentifier");
    BAD_PART(extensions, EXT("551d23", false, "3003 8002aa"), "cert/extension",
             "authorityKeyIdentifier");
    BAD_PART(extensions, EXT("551d23", false, "300000"), "cert/extension",
             "authorityKeyIdentifier");
    BAD_PART(extensions, EXT("551d0e", false, "0402aa"), "cert/extension", "subjectKeyIdentifier");
    BAD_PART(extensions, EXT("551d0e", false, "3000"), "cert/extension", "subjectKeyIdentifier");
    BAD_PART(extensions, EXT("551d1f", false, "0400"), "cert/extension", "cRLDistributionPoints");
    BAD_PART(extensions, EXT("2a864886f84d010d01", false, "0400"), "cert/extension",
             "sgxExtensions");
}

static void ceilings(void **state)
{
    (void)state;
    der_reset();
    struct cert_parts parts = cert_parts_default();
    struct slice many = slice_of(NULL, 0), names = slice_of(NULL, 0);
    struct x509_cert c;
    struct error err;
    for (unsigned count = 1; count <= X509_EXTENSIONS_MAX + 1; count++) {
        char oid[] = "2a0300";
        oid[4] = "0123456789abcdef"[count / 16];
        oid[5] = "0123456789abcdef"[count % 16];
        many = DER_JOIN(many, EXT(oid, false, "0500"));
        parts.extensions = many;
        bool ok = x509_cert_parse(cert_build(&parts), &c, &err);
        assert_int_equal(ok, count <= X509_EXTENSIONS_MAX);
    }
    assert_true(error_is(&err, "cert/extension"));

    parts = cert_parts_default();
    for (unsigned count = 1; count <= X509_NAME_PARTS_MAX + 1; count++) {
        names = DER_JOIN(names, der_hex("310a 3008 060355040b 0c0141"));
        parts.subject = der_tlv(DER_SEQUENCE, names);
        bool ok = x509_cert_parse(cert_build(&parts), &c, &err);
        assert_int_equal(ok, count <= X509_NAME_PARTS_MAX);
    }
    assert_true(error_is(&err, "cert/name"));

    static uint8_t serial[X509_SERIAL_LEN_MAX + 1] = {1};
    parts = cert_parts_default();
    for (size_t len = X509_SERIAL_LEN_MAX - 1; len <= X509_SERIAL_LEN_MAX + 1; len++) {
        parts.serial = der_tlv(DER_INTEGER, slice_of(serial, len));
        assert_int_equal(x509_cert_parse(cert_build(&parts), &c, &err), len <= X509_SERIAL_LEN_MAX);
    }
}

static void ceiling_on_size(void **state)
{
    (void)state;
    static uint8_t filler[X509_CERT_LEN_MAX];
    der_reset();
    struct cert_parts parts = cert_parts_default();
    struct x509_cert c;
    struct error err;
    /* Padding in an unknown extension, until the whole has exactly the size. */
    size_t pad = X509_CERT_LEN_MAX - 300;
    for (size_t size = X509_CERT_LEN_MAX - 1; size <= X509_CERT_LEN_MAX + 1; size++) {
        struct slice der;
        do {
            parts.extensions = der_extension("2a0304", false, slice_of(filler, pad));
            der = cert_build(&parts);
            pad += size - der.len;
        } while (der.len != size);
        assert_int_equal(x509_cert_parse(der, &c, &err), size <= X509_CERT_LEN_MAX);
    }
    assert_true(error_is(&err, "cert/size"));
}

static void two_common_names(void **state)
{
    (void)state;
    der_reset();
    struct slice one = der_hex("310a 3008 0603550403 0c0141");
    BAD_PART(subject, DER_SEQ(one, one), "cert/name", "subject");
    /* several attributes in one part */
    BAD_PART(subject,
             DER_SEQ(der_tlv(DER_SET, DER_JOIN(der_hex("3008 0603550403 0c0141"),
                                               der_hex("3008 060355040b 0c0141")))),
             "cert/name", "subject");
}

/* Parses a copy that ends where its allocation ends; an accepted one must be read alike by
 * OpenSSL where that reads it. Returns whether it was accepted. */
static bool survives(struct slice der)
{
    uint8_t *copy = malloc(der.len > 0 ? der.len : 1);
    assert_non_null(copy);
    if (der.len > 0)
        memcpy(copy, der.data, der.len);
    struct x509_cert c;
    struct error err = {0};
    bool ok = x509_cert_parse(slice_of(copy, der.len), &c, &err);
    if (ok) {
        const char *differs = oracle_cert_differs(&c);
        if (differs != NULL && strcmp(differs, "OpenSSL refuses it") != 0)
            fail_msg("OpenSSL differs: %s", differs);
    } else {
        assert_true(error_is(&err, "cert/"));
    }
    free(copy);
    return ok;
}

static void truncated_and_flipped(void **state)
{
    (void)state;
    der_reset();
    struct cert_parts parts = cert_parts_default();
    struct slice der = cert_build(&parts);
    for (size_t len = 0; len < der.len; len++)
        assert_false(survives(slice_of(der.data, len)));
    assert_false(survives(DER_JOIN(der, der_hex("00"))));
    struct slice copy = DER_JOIN(der);
    uint8_t *bytes = (uint8_t *)(uintptr_t)copy.data;
    size_t accepted = 0;
    for (size_t bit = 0; bit < 8 * der.len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        accepted += survives(copy);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(survives(copy));
    assert_true(accepted > 0 && accepted < 8 * der.len); /* content bits may change, form may not */
}

static void seed(struct slice der, void *accepted)
{
    *(size_t *)accepted += survives(der);
}

static void the_fuzz_corpus(void **state)
{
    (void)state;
    size_t accepted = 0;
    assert_true(corpus_each("cert", seed, &accepted) > 0);
    assert_true(accepted > 0);
}

/* --- the SGX extension --- */

#define OCTETS16 "0410 000102030405060708090a0b0c0d0e0f"

static bool parse_sgx(const struct sgx_parts *p, struct x509_sgx *sgx, struct error *err)
{
    struct slice list = sgx_build(p);
    struct cert_parts parts = cert_parts_default();
    struct x509_cert c;
    parts.extensions = DER_JOIN(parts.extensions, der_extension(SGX_EXTENSION_OID, false, list));
    if (!x509_cert_parse(cert_build(&parts), &c, err))
        return false;
    assert_true(slice_equal(c.sgx_extension, list));
    return x509_sgx_parse(&c, sgx, err);
}

static void a_platform_extension(void **state)
{
    (void)state;
    der_reset();
    struct sgx_parts parts = sgx_parts_default();
    struct x509_sgx sgx;
    struct error err;
    if (!parse_sgx(&parts, &sgx, &err))
        fail_msg("%s %s", err.code, err.message);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(sgx.component[i], (i + 1) * 13);
    assert_int_equal(sgx.pcesvn, 256);
    uint8_t counting[16];
    for (uint8_t i = 0; i < 16; i++)
        counting[i] = i;
    assert_memory_equal(sgx.ppid, counting, 16);
    assert_memory_equal(sgx.cpusvn, counting, 16);
    assert_memory_equal(sgx.platform_instance_id, counting, 16);
    assert_memory_equal(sgx.pceid, der_hex("0001").data, 2);
    assert_memory_equal(sgx.fmspc, der_hex("00906ed50000").data, 6);
    assert_int_equal(sgx.type, X509_SGX_SCALABLE);
    assert_true(sgx.has_configuration);
    assert_true(sgx.has_dynamic_platform && sgx.dynamic_platform);
    assert_true(sgx.has_cached_keys && !sgx.cached_keys);
    assert_true(sgx.has_smt_enabled && sgx.smt_enabled);
}

static void a_processor_extension(void **state)
{
    (void)state;
    der_reset();
    struct sgx_parts parts = sgx_parts_default();
    struct x509_sgx sgx;
    parts.instance = parts.configuration = slice_of(NULL, 0);
    assert_true(parse_sgx(&parts, &sgx, NULL));
    assert_null(sgx.platform_instance_id);
    assert_false(sgx.has_configuration || sgx.has_dynamic_platform);
    parts.configuration = sgx_pair("07", DER_SEQ(sgx_pair("0702", der_hex("0101ff"))));
    assert_true(parse_sgx(&parts, &sgx, NULL));
    assert_true(sgx.has_configuration && sgx.has_cached_keys && sgx.cached_keys);
    assert_false(sgx.has_dynamic_platform || sgx.has_smt_enabled);
    /* any order */
    struct slice first = parts.ppid;
    parts.ppid = parts.type;
    parts.type = first;
    assert_true(parse_sgx(&parts, &sgx, NULL));
}

#define BAD_SGX(part, bytes)                                                                       \
    do {                                                                                           \
        struct sgx_parts parts = sgx_parts_default();                                              \
        struct x509_sgx sgx = {.pcesvn = 99};                                                      \
        struct error err = {0};                                                                    \
        parts.part = (bytes);                                                                      \
        if (parse_sgx(&parts, &sgx, &err))                                                         \
            fail_msg(#part " = " #bytes ": accepted");                                             \
        assert_true(error_is(&err, "cert/sgx"));                                                   \
        assert_int_equal(sgx.pcesvn, 99);                                                          \
    } while (0)

static void malformed_sgx_extensions(void **state)
{
    (void)state;
    der_reset();
    struct slice none = slice_of(NULL, 0);
    struct slice pcesvn = sgx_pair("0211", der_hex("020101"));
    struct slice cpusvn = sgx_pair("0212", der_hex(OCTETS16));
    BAD_SGX(ppid, none);
    BAD_SGX(tcb, none);
    BAD_SGX(pceid, none);
    BAD_SGX(fmspc, none);
    BAD_SGX(type, none);
    BAD_SGX(extra, sgx_pair("01", der_hex(OCTETS16))); /* PPID twice */
    BAD_SGX(extra, sgx_pair("08", der_hex("0500")));   /* unknown member */
    BAD_SGX(extra, sgx_pair("00", der_hex("0500")));
    BAD_SGX(extra, sgx_pair("", der_hex("0500")));
    BAD_SGX(extra, sgx_pair("0101", der_hex("0500"))); /* too long an OID */
    BAD_SGX(extra, der_hex("3000"));
    BAD_SGX(extra, der_hex("0500"));
    BAD_SGX(extra, DER_SEQ(der_hex("060a 2a864886f84d010d0208"), der_hex("0500")));
    BAD_SGX(ppid, sgx_pair("01", der_hex("040f 000102030405060708090a0b0c0d0e")));
    BAD_SGX(ppid, sgx_pair("01", der_hex("0411 000102030405060708090a0b0c0d0e0f10")));
    BAD_SGX(ppid, sgx_pair("01", DER_JOIN(der_hex(OCTETS16), der_hex("0500"))));
    BAD_SGX(ppid, sgx_pair("01", none));
    BAD_SGX(pceid, sgx_pair("03", der_hex("0401 00")));
    BAD_SGX(fmspc, sgx_pair("04", der_hex("0407 00906ed5000000")));
    BAD_SGX(fmspc, sgx_pair("04", der_hex("0206 00906ed50000")));
    BAD_SGX(type, sgx_pair("05", der_hex("0a0103"))); /* unknown type */
    BAD_SGX(type, sgx_pair("05", der_hex("020101"))); /* INTEGER */
    BAD_SGX(type, sgx_pair("05", der_hex("0a01ff")));
    BAD_SGX(instance, sgx_pair("06", der_hex("0400")));
    BAD_SGX(configuration, sgx_pair("07", der_hex("3000")));
    BAD_SGX(configuration, sgx_pair("07", DER_SEQ(sgx_pair("0704", der_hex("0101ff")))));
    BAD_SGX(configuration, sgx_pair("07", DER_SEQ(sgx_pair("0701", der_hex("010101")))));
    BAD_SGX(configuration, sgx_pair("07", DER_SEQ(sgx_pair("0701", der_hex("0101ff")),
                                                  sgx_pair("0701", der_hex("0101ff")))));
    BAD_SGX(tcb, sgx_pair("02", DER_SEQ(sgx_components(1, 15), pcesvn, cpusvn)));
    BAD_SGX(tcb, sgx_pair("02", DER_SEQ(sgx_components(1, 16), pcesvn)));
    BAD_SGX(tcb, sgx_pair("02", DER_SEQ(sgx_components(1, 16), cpusvn)));
    BAD_SGX(tcb,
            sgx_pair("02", DER_SEQ(sgx_components(1, 16), sgx_components(16, 16), pcesvn, cpusvn)));
    BAD_SGX(tcb, sgx_pair("02", DER_SEQ(sgx_components(1, 16), pcesvn, cpusvn,
                                        sgx_pair("0213", der_hex("020101")))));
    BAD_SGX(tcb, sgx_pair("02", DER_SEQ(sgx_components(2, 16),
                                        sgx_pair("0201", der_hex("02020100")), pcesvn, cpusvn)));
    BAD_SGX(tcb, sgx_pair("02", DER_SEQ(sgx_components(2, 16), sgx_pair("0201", der_hex("0201ff")),
                                        pcesvn, cpusvn)));
    BAD_SGX(tcb, sgx_pair("02", DER_SEQ(sgx_components(1, 16),
                                        sgx_pair("0211", der_hex("0203010000")), cpusvn)));
    BAD_SGX(tcb, sgx_pair("02", DER_SEQ(sgx_components(1, 16), pcesvn,
                                        sgx_pair("0212", der_hex("0400")))));
    BAD_SGX(tcb, sgx_pair("02", DER_SEQ(sgx_components(1, 16), pcesvn,
                                        sgx_pair("0312", der_hex(OCTETS16)))));
}

static void no_sgx_extension(void **state)
{
    (void)state;
    der_reset();
    struct cert_parts parts = cert_parts_default();
    struct x509_cert c;
    struct x509_sgx sgx;
    struct error err;
    assert_true(x509_cert_parse(cert_build(&parts), &c, NULL));
    assert_false(x509_sgx_parse(&c, &sgx, &err));
    assert_true(error_is(&err, "cert/sgx-missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_certificate),
        cmocka_unit_test(optional_parts),
        cmocka_unit_test(key_usages),
        cmocka_unit_test(basic_constraints),
        cmocka_unit_test(malformed_parts),
        cmocka_unit_test(malformed_signatures),
        cmocka_unit_test(malformed_extensions),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(ceiling_on_size),
        cmocka_unit_test(two_common_names),
        cmocka_unit_test(truncated_and_flipped),
        cmocka_unit_test(the_fuzz_corpus),
        cmocka_unit_test(a_platform_extension),
        cmocka_unit_test(a_processor_extension),
        cmocka_unit_test(malformed_sgx_extensions),
        cmocka_unit_test(no_sgx_extension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
