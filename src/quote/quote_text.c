/* The human view of a quote. */
#include "quote/quote_text.h"

#include "base/codec.h"
#include "quote/fields.h"

struct bit_name {
    unsigned bit;
    const char *name;
};

static const struct bit_name TD_BITS[] = {
    {0, "DEBUG"},       {4, "HGS_PLUS_PROF"}, {5, "PERF_PROF"}, {6, "PMT_PROF"},
    {16, "ICSSD"},      {17, "SERVTD_EXT"},   {27, "LASS"},     {28, "SEPT_VE_DISABLE"},
    {29, "MIGRATABLE"}, {30, "PKS"},          {31, "KL"},       {62, "TPA"},
    {63, "PERFMON"},
};
static const struct bit_name SGX_BITS[] = {
    {0, "INIT"},           {1, "DEBUG"}, {2, "MODE64BIT"}, {4, "PROVISION_KEY"},
    {5, "EINITTOKEN_KEY"}, {6, "CET"},   {7, "KSS"},       {10, "AEX_NOTIFY"},
};

static const char *name_of(unsigned bit, const struct bit_name *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].bit == bit)
            return names[i].name;
    return NULL;
}

static bool append_bits(uint64_t word, const struct bit_name *names, size_t count, struct buf *out)
{
    if (word == 0)
        return buf_append_str(out, "none");
    const char *separator = "";
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((word >> bit & 1) == 0)
            continue;
        const char *name = name_of(bit, names, count);
        if (name != NULL)
            buf_printf(out, "%s%s", separator, name);
        else
            buf_printf(out, "%sbit %u", separator, bit);
        separator = ", ";
    }
    return !out->failed;
}

bool td_attributes_append(const uint8_t attributes[8], struct buf *out)
{
    return append_bits(load_u64le(attributes), TD_BITS, sizeof TD_BITS / sizeof TD_BITS[0], out);
}

bool sgx_attributes_append(const uint8_t attributes[16], struct buf *out)
{
    return append_bits(load_u64le(attributes), SGX_BITS, sizeof SGX_BITS / sizeof SGX_BITS[0], out);
}

static void append_hex_line(struct buf *out, const char *label, struct slice bytes)
{
    buf_printf(out, "%-16s", label);
    hex_append(out, bytes);
    buf_append_byte(out, '\n');
}

static void append_head(const struct quote *q, struct buf *out)
{
    buf_append_str(out, "parsed only: nothing below has been verified\n");
    buf_printf(out, "%-16sversion %u, %s, %s body, %zu bytes", "quote", q->version,
               q->tee == QUOTE_TEE_SGX ? "SGX" : "TDX", quote_body_type_name(q->body_type),
               q->exact.len);
    if (q->trailing_len > 0)
        buf_printf(out, ", %zu bytes behind it ignored", q->trailing_len);
    buf_append_byte(out, '\n');
    if (q->version == 3)
        buf_printf(out, "%-16s%u\n%-16s%u\n", "qeSvn", q->qe_svn, "pceSvn", q->pce_svn);
    append_hex_line(out, "userData", slice_of(q->user_data, QUOTE_USER_DATA_LEN));
}

static void append_body(const struct quote *q, struct buf *out)
{
    struct quote_field fields[QUOTE_FIELDS_MAX];
    size_t count = quote_body_fields(q, fields);
    for (size_t i = 0; i < count; i++)
        append_hex_line(out, fields[i].name, slice_of(fields[i].bytes, fields[i].len));
    buf_printf(out, "%-16s", "attributes set");
    if (q->tee == QUOTE_TEE_TDX) {
        (void)td_attributes_append(q->td.tdattributes, out);
    } else {
        (void)sgx_attributes_append(q->sgx.attributes, out);
        buf_printf(out, "\n%-16s%u\n%-16s%u", "isvprodid", q->sgx.isvprodid, "isvsvn",
                   q->sgx.isvsvn);
    }
    buf_append_byte(out, '\n');
}

static void append_quoting_enclave(const struct quote *q, struct buf *out)
{
    append_hex_line(out, "QE mrenclave", slice_of(q->qe.mrenclave, 32));
    append_hex_line(out, "QE mrsigner", slice_of(q->qe.mrsigner, 32));
    buf_printf(out, "%-16s", "QE attributes");
    (void)sgx_attributes_append(q->qe.attributes, out);
    buf_printf(out, "\n%-16sisvprodid %u, isvsvn %u\n", "QE", q->qe.isvprodid, q->qe.isvsvn);
    append_hex_line(out, "attestation key", slice_of(q->attestation_key, QUOTE_KEY_LEN));
    buf_printf(out, "%-16stype %u (%s), %zu bytes\n", "certification", (unsigned)q->cert_type,
               quote_cert_type_name(q->cert_type), q->cert_data.len);
}

bool quote_append_text(const struct quote *q, struct buf *out)
{
    append_head(q, out);
    append_body(q, out);
    append_quoting_enclave(q, out);
    return !out->failed;
}
