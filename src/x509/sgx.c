/* The SGX extension of PCK certificates. Spec: DCAP facts 3.3. */
#include "x509/parts.h"

#include <string.h>

/* Contents of OID 1.2.840.113741.1.13.1; a member appends one byte, a member's member two. */
static const uint8_t SGX_OID[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

enum sgx_member {
    MEMBER_PPID = 1,
    MEMBER_TCB,
    MEMBER_PCEID,
    MEMBER_FMSPC,
    MEMBER_TYPE,
    MEMBER_PLATFORM_INSTANCE_ID,
    MEMBER_CONFIGURATION,
    MEMBER_LAST = MEMBER_CONFIGURATION
};
enum { TCB_PCESVN = 17, TCB_CPUSVN, TCB_LAST = TCB_CPUSVN };
enum { CONFIG_DYNAMIC_PLATFORM = 1, CONFIG_CACHED_KEYS, CONFIG_SMT_ENABLED, CONFIG_LAST = 3 };

#define BIT(n)     (1u << (n))
#define ALL_TCB    (BIT(TCB_LAST + 1) - BIT(1))
#define ALL_NEEDED (BIT(MEMBER_TYPE + 1) - BIT(1))

/* SEQUENCE OF SEQUENCE { OID = SGX_OID path... n, value }, each n of 1..last at most once, in any
 * order. `read` takes the value. Returns the set of n that were there; 0 when anything is wrong. */
static unsigned read_pairs(struct reader *r, unsigned member, unsigned last,
                           void (*read)(struct reader *value, unsigned n, struct x509_sgx *out),
                           struct x509_sgx *out)
{
    struct reader list = der_enter(r, DER_SEQUENCE);
    unsigned seen = 0;
    while (!list.failed && list.rest.len > 0) {
        struct reader pair = der_enter(&list, DER_SEQUENCE);
        struct reader oid = reader_of(der_value(&pair, DER_OID));
        struct slice base = reader_take(&oid, sizeof SGX_OID);
        if (!slice_equal(base, slice_of(SGX_OID, sizeof SGX_OID)) ||
            (member != 0 && reader_u8(&oid) != member))
            return 0;
        unsigned n = reader_u8(&oid);
        if (!reader_at_end(&oid) || n < 1 || n > last || (seen & BIT(n)) != 0)
            return 0;
        seen |= BIT(n);
        read(&pair, n, out);
        if (!reader_at_end(&pair))
            return 0;
    }
    return list.failed ? 0 : seen;
}

/* An OCTET STRING of exactly len bytes. */
static const uint8_t *read_octets(struct reader *r, size_t len)
{
    struct slice value = der_value(r, DER_OCTET_STRING);
    if (value.len != len)
        r->failed = true;
    return value.data;
}

static void read_tcb_member(struct reader *value, unsigned n, struct x509_sgx *out)
{
    if (n == TCB_CPUSVN)
        out->cpusvn = read_octets(value, 16);
    else if (n == TCB_PCESVN)
        out->pcesvn = (uint16_t)der_small(value, DER_INTEGER, UINT16_MAX);
    else
        out->component[n - 1] = (uint8_t)der_small(value, DER_INTEGER, UINT8_MAX);
}

static void read_configuration_member(struct reader *value, unsigned n, struct x509_sgx *out)
{
    bool on = der_boolean(value);
    if (n == CONFIG_DYNAMIC_PLATFORM) {
        out->has_dynamic_platform = true;
        out->dynamic_platform = on;
    } else if (n == CONFIG_CACHED_KEYS) {
        out->has_cached_keys = true;
        out->cached_keys = on;
    } else {
        out->has_smt_enabled = true;
        out->smt_enabled = on;
    }
}

static void read_member(struct reader *value, unsigned n, struct x509_sgx *out)
{
    switch ((enum sgx_member)n) {
    case MEMBER_PPID:
        out->ppid = read_octets(value, 16);
        break;
    case MEMBER_TCB:
        if (read_pairs(value, MEMBER_TCB, TCB_LAST, read_tcb_member, out) != ALL_TCB)
            value->failed = true;
        break;
    case MEMBER_PCEID:
        out->pceid = read_octets(value, 2);
        break;
    case MEMBER_FMSPC:
        out->fmspc = read_octets(value, 6);
        break;
    case MEMBER_TYPE:
        out->type =
            (enum x509_sgx_type)der_small(value, DER_ENUMERATED, X509_SGX_SCALABLE_INTEGRITY);
        break;
    case MEMBER_PLATFORM_INSTANCE_ID:
        out->platform_instance_id = read_octets(value, 16);
        break;
    case MEMBER_CONFIGURATION:
        out->has_configuration = true;
        if (read_pairs(value, MEMBER_CONFIGURATION, CONFIG_LAST, read_configuration_member, out) ==
            0)
            value->failed = true;
        break;
    }
}

bool x509_sgx_parse(const struct x509_cert *cert, struct x509_sgx *out, struct error *err)
{
    if (cert->sgx_extension.len == 0)
        return error_set(err, "cert/sgx-missing", "sgxExtensions",
                         "the certificate has no SGX extension, so it is no PCK certificate");
    struct x509_sgx found = {0};
    struct reader r = reader_of(cert->sgx_extension);
    unsigned seen = read_pairs(&r, 0, MEMBER_LAST, read_member, &found);
    if ((seen & ALL_NEEDED) != ALL_NEEDED || !reader_at_end(&r))
        return error_set(err, "cert/sgx", "sgxExtensions",
                         "a member of the SGX extension is missing, doubled, unknown or malformed");
    *out = found;
    return true;
}
