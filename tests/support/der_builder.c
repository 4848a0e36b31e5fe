#include "support/der_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"

enum { ARENA_LEN = 16 << 20 };
static uint8_t arena[ARENA_LEN];
static size_t arena_used;

void der_reset(void)
{
    arena_used = 0;
}

static uint8_t *arena_take(size_t len)
{
    assert_true(len <= ARENA_LEN - arena_used);
    uint8_t *at = &arena[arena_used];
    arena_used += len;
    return at;
}

struct slice der_hex(const char *hex)
{
    size_t digits = 0;
    char packed[4096];
    for (const char *at = hex; *at != 0; at++)
        if (*at != ' ') {
            assert_true(digits < sizeof packed);
            packed[digits++] = *at;
        }
    uint8_t *out = arena_take(digits / 2);
    if (!hex_decode(slice_of(packed, digits), out, digits / 2))
        fail_msg("not hex: %s", hex);
    return slice_of(out, digits / 2);
}

struct slice der_join(const struct slice *parts, size_t count)
{
    size_t len = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    uint8_t *out = arena_take(len);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0)
            memcpy(&out[at], parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    return slice_of(out, len);
}

struct slice der_tlv(unsigned tag, struct slice contents)
{
    uint8_t head[6] = {(uint8_t)tag, (uint8_t)contents.len};
    size_t head_len = 2;
    if (contents.len >= 0x80) {
        size_t octets = contents.len < 0x100 ? 1 : contents.len < 0x10000 ? 2 : 3;
        head[1] = (uint8_t)(0x80 | octets);
        for (size_t i = 0; i < octets; i++)
            head[2 + i] = (uint8_t)(contents.len >> (8 * (octets - 1 - i)));
        head_len += octets;
    }
    return DER_JOIN(slice_of(head, head_len), contents);
}

struct slice der_utf8_name(const char *common_name)
{
    struct slice text = der_tlv(DER_UTF8_STRING, slice_str(common_name));
    struct slice country = der_hex("310b 3009 0603550406 1302 5553");
    return DER_SEQ(der_tlv(DER_SET, DER_SEQ(der_hex("0603550403"), text)), country);
}

struct slice der_utc_time(const char *text)
{
    return der_tlv(DER_UTC_TIME, slice_str(text));
}

struct slice der_extension(const char *oid, bool critical, struct slice value)
{
    return DER_SEQ(der_tlv(DER_OID, der_hex(oid)), der_hex(critical ? "0101ff" : ""),
                   der_tlv(DER_OCTET_STRING, value));
}

/* The generator of P-256: as good a point as any. */
#define KEY_PREFIX "3059 3013 0607 2a8648ce3d0201 0608 2a8648ce3d030107 0342 00 04"
#define KEY_X      "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
#define KEY_Y      "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define ALGORITHM  "300a 0608 2a8648ce3d040302"
#define SIGNATURE  "030b 00 3008 0202 0102 0202 0304"

struct cert_parts cert_parts_default(void)
{
    struct slice ca = DER_SEQ(der_hex("0101ff 020101"));
    return (struct cert_parts){
        .version = der_hex("a003 020102"),
        .serial = der_hex("0203 00ff01"),
        .algorithm = der_hex(ALGORITHM),
        .issuer = der_utf8_name("Test Root"),
        .validity = DER_SEQ(der_utc_time("200102030405Z"), der_utc_time("491231235959Z")),
        .subject = der_utf8_name("Test Intermediate"),
        .key = der_hex(KEY_PREFIX KEY_X KEY_Y),
        .extensions = DER_JOIN(der_extension("551d23", false, der_hex("3004 8002 aabb")),
                               der_extension("551d1f", false, der_hex("3000")),
                               der_extension("551d0e", false, der_hex("0402 ccdd")),
                               der_extension("551d0f", true, der_hex("0302 0106")),
                               der_extension("551d13", true, ca)),
        .outer_algorithm = der_hex(ALGORITHM),
        .signature = der_hex(SIGNATURE),
    };
}

struct slice cert_build(const struct cert_parts *p)
{
    struct slice extensions = der_tlv(DER_CONTEXT_CONS(3), der_tlv(DER_SEQUENCE, p->extensions));
    struct slice tbs =
        DER_SEQ(p->version, p->serial, p->algorithm, p->issuer, p->validity, p->subject, p->key,
                p->before_extensions, extensions, p->after_extensions);
    return DER_SEQ(tbs, p->outer_algorithm, p->signature, p->after_signature);
}

struct slice crl_entry(const char *serial_hex, struct slice extensions)
{
    struct slice wrapped =
        extensions.len > 0 ? der_tlv(DER_SEQUENCE, extensions) : slice_of(NULL, 0);
    return DER_SEQ(der_tlv(DER_INTEGER, der_hex(serial_hex)), der_utc_time("250101000000Z"),
                   wrapped);
}

struct crl_parts crl_parts_default(void)
{
    struct slice reason = der_extension("551d15", false, der_hex("0a0101"));
    return (struct crl_parts){
        .version = der_hex("020101"),
        .algorithm = der_hex(ALGORITHM),
        .issuer = der_utf8_name("Test Root"),
        .this_update = der_utc_time("250101000000Z"),
        .next_update = der_utc_time("250201000000Z"),
        .revoked = DER_SEQ(crl_entry("05", slice_of(NULL, 0)), crl_entry("00ff01", reason)),
        .extensions = DER_JOIN(der_extension("551d23", false, der_hex("3004 8002 aabb")),
                               der_extension("551d14", false, der_hex("020101"))),
        .outer_algorithm = der_hex(ALGORITHM),
        .signature = der_hex(SIGNATURE),
    };
}

struct slice crl_build(const struct crl_parts *p)
{
    struct slice extensions =
        p->extensions.len > 0 ? der_tlv(DER_CONTEXT_CONS(0), der_tlv(DER_SEQUENCE, p->extensions))
                              : slice_of(NULL, 0);
    struct slice tbs = DER_SEQ(p->version, p->algorithm, p->issuer, p->this_update, p->next_update,
                               p->revoked, extensions);
    return DER_SEQ(tbs, p->outer_algorithm, p->signature);
}

struct slice sgx_pair(const char *oid_tail, struct slice value)
{
    return DER_SEQ(der_tlv(DER_OID, DER_JOIN(der_hex(SGX_EXTENSION_OID), der_hex(oid_tail))),
                   value);
}

struct slice sgx_components(unsigned from, unsigned to)
{
    struct slice all = slice_of(NULL, 0);
    for (unsigned i = from; i <= to; i++) {
        char tail[] = "0200";
        tail[2] = "0123456789abcdef"[i / 16];
        tail[3] = "0123456789abcdef"[i % 16];
        uint8_t octets[] = {0, (uint8_t)(i * 13)};
        struct slice value = octets[1] < 0x80 ? slice_of(&octets[1], 1) : slice_of(octets, 2);
        all = DER_JOIN(all, sgx_pair(tail, der_tlv(DER_INTEGER, value)));
    }
    return all;
}

#define OCTETS16 "0410 000102030405060708090a0b0c0d0e0f"

struct sgx_parts sgx_parts_default(void)
{
    struct slice tcb = DER_SEQ(sgx_components(1, 16), sgx_pair("0211", der_hex("0202 0100")),
                               sgx_pair("0212", der_hex(OCTETS16)));
    struct slice configuration =
        DER_SEQ(sgx_pair("0701", der_hex("0101ff")), sgx_pair("0702", der_hex("010100")),
                sgx_pair("0703", der_hex("0101ff")));
    return (struct sgx_parts){
        .ppid = sgx_pair("01", der_hex(OCTETS16)),
        .tcb = sgx_pair("02", tcb),
        .pceid = sgx_pair("03", der_hex("0402 0001")),
        .fmspc = sgx_pair("04", der_hex("0406 00906ed50000")),
        .type = sgx_pair("05", der_hex("0a0101")),
        .instance = sgx_pair("06", der_hex(OCTETS16)),
        .configuration = sgx_pair("07", configuration),
    };
}

struct slice sgx_build(const struct sgx_parts *p)
{
    return DER_SEQ(p->ppid, p->tcb, p->pceid, p->fmspc, p->type, p->instance, p->configuration,
                   p->extra);
}
