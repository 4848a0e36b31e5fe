/* Writer of the PCK certificate's SGX extension (DCAP facts 3.3). */
#include "sim/sgx_extension.h"

#include "sim/der.h"

/* 1.2.840.113741.1.13.1 as OID content octets. */
static const uint8_t sgx_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

static void put_oid(struct buf *out, const uint8_t *arcs, size_t count)
{
    size_t begin = der_begin(out);
    buf_append(out, slice_of(sgx_oid, sizeof sgx_oid));
    buf_append(out, slice_of(arcs, count));
    der_end(out, begin, DER_OID);
}

/* Opens SEQUENCE { OID sgx.member[.sub]; the caller adds the value and calls der_end(). */
static size_t begin_pair(struct buf *out, uint8_t member, uint8_t sub)
{
    const uint8_t arcs[2] = {member, sub};
    size_t begin = der_begin(out);
    put_oid(out, arcs, sub == 0 ? 1 : 2);
    return begin;
}

static void put_octets(struct buf *out, uint8_t member, uint8_t sub, const uint8_t *data,
                       size_t len)
{
    size_t pair = begin_pair(out, member, sub);
    der_put(out, DER_OCTET_STRING, slice_of(data, len));
    der_end(out, pair, DER_SEQUENCE);
}

static void put_number(struct buf *out, uint8_t member, uint8_t sub, uint8_t tag, uint64_t value)
{
    size_t pair = begin_pair(out, member, sub);
    der_put_uint(out, tag, value);
    der_end(out, pair, DER_SEQUENCE);
}

static void put_flag(struct buf *out, uint8_t member, uint8_t sub, bool value)
{
    size_t pair = begin_pair(out, member, sub);
    der_put_bool(out, value);
    der_end(out, pair, DER_SEQUENCE);
}

static void put_tcb(const struct sim_sgx_extension *ext, struct buf *out)
{
    size_t pair = begin_pair(out, SIM_SGX_TCB, 0);
    size_t list = der_begin(out);
    for (uint8_t sub = 1; sub <= 18; sub++) {
        if ((ext->tcb_omit & (1u << sub)) != 0)
            continue;
        if (sub <= 16)
            put_number(out, SIM_SGX_TCB, sub, DER_INTEGER, ext->components[sub - 1]);
        else if (sub == 17)
            put_number(out, SIM_SGX_TCB, sub, DER_INTEGER, ext->pcesvn);
        else
            put_octets(out, SIM_SGX_TCB, sub, ext->cpusvn, sizeof ext->cpusvn);
    }
    der_end(out, list, DER_SEQUENCE);
    der_end(out, pair, DER_SEQUENCE);
}

static void put_configuration(const struct sim_sgx_extension *ext, struct buf *out)
{
    size_t pair = begin_pair(out, SIM_SGX_CONFIGURATION, 0);
    size_t list = der_begin(out);
    put_flag(out, SIM_SGX_CONFIGURATION, 1, ext->dynamic_platform);
    put_flag(out, SIM_SGX_CONFIGURATION, 2, ext->cached_keys);
    put_flag(out, SIM_SGX_CONFIGURATION, 3, ext->smt_enabled);
    der_end(out, list, DER_SEQUENCE);
    der_end(out, pair, DER_SEQUENCE);
}

static void put_member(const struct sim_sgx_extension *ext, enum sim_sgx_member member,
                       struct buf *out)
{
    switch (member) {
    case SIM_SGX_PPID:
        put_octets(out, SIM_SGX_PPID, 0, ext->ppid, sizeof ext->ppid);
        break;
    case SIM_SGX_TCB:
        put_tcb(ext, out);
        break;
    case SIM_SGX_PCEID:
        put_octets(out, SIM_SGX_PCEID, 0, ext->pceid, sizeof ext->pceid);
        break;
    case SIM_SGX_FMSPC:
        put_octets(out, SIM_SGX_FMSPC, 0, ext->fmspc, sizeof ext->fmspc);
        break;
    case SIM_SGX_TYPE:
        put_number(out, SIM_SGX_TYPE, 0, DER_ENUMERATED, ext->type);
        break;
    case SIM_SGX_PLATFORM_INSTANCE_ID:
        put_octets(out, SIM_SGX_PLATFORM_INSTANCE_ID, 0, ext->platform_instance_id,
                   sizeof ext->platform_instance_id);
        break;
    case SIM_SGX_CONFIGURATION:
        put_configuration(ext, out);
        break;
    }
}

void sim_sgx_extension_write(const struct sim_sgx_extension *ext, struct buf *out)
{
    int last = ext->for_platform_ca ? SIM_SGX_CONFIGURATION : SIM_SGX_TYPE;
    size_t begin = der_begin(out);
    for (int member = SIM_SGX_PPID; member <= last; member++) {
        int copies = (ext->omit & (1u << member)) != 0        ? 0
                     : (ext->duplicate & (1u << member)) != 0 ? 2
                                                              : 1;
        while (copies-- > 0)
            put_member(ext, (enum sim_sgx_member)member, out);
    }
    der_end(out, begin, DER_SEQUENCE);
}
