#include "support/quote_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t INTEL[QUOTE_VENDOR_ID_LEN] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                                   0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

size_t quote_body_len(enum quote_body_type type)
{
    static const size_t lengths[] = {0, 384, 584, 648, 885};
    return lengths[type];
}

struct quote_recipe quote_recipe_of(uint16_t version, enum quote_body_type body_type)
{
    return (struct quote_recipe){
        .version = version,
        .key_type = QUOTE_KEY_ECDSA_P256,
        .tee = body_type == QUOTE_BODY_SGX ? QUOTE_TEE_SGX : QUOTE_TEE_TDX,
        .qe_svn = version == 3 ? 7 : 0,
        .pce_svn = version == 3 ? 13 : 0,
        .body_type = (uint16_t)body_type,
        .qe_auth_len = 32,
        .outer_cert_type = QUOTE_CERT_QE_REPORT,
        .cert_type = QUOTE_CERT_PCK_CHAIN,
        .cert_data = slice_str("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    };
}

/* No two neighbours alike, no two places with the same run. */
static void put_pattern(struct buf *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_append_byte(out, (uint8_t)(out->len * 31 + out->len / 251 + 11));
}

static void put_header(struct buf *out, const struct quote_recipe *r)
{
    buf_append_le(out, r->version, 2);
    buf_append_le(out, r->key_type, 2);
    buf_append_le(out, r->tee, 4);
    buf_append_le(out, r->qe_svn, 2);
    buf_append_le(out, r->pce_svn, 2);
    if (r->foreign_vendor)
        put_pattern(out, QUOTE_VENDOR_ID_LEN);
    else
        buf_append(out, slice_of(INTEL, sizeof INTEL));
    put_pattern(out, QUOTE_USER_DATA_LEN);
}

static void put_body(struct buf *out, const struct quote_recipe *r)
{
    size_t len = r->body_type >= QUOTE_BODY_SGX && r->body_type <= QUOTE_BODY_TD_15_EX
                     ? quote_body_len((enum quote_body_type)r->body_type)
                     : 584;
    if (r->version == 5) {
        buf_append_le(out, r->body_type, 2);
        buf_append_le(out, (uint32_t)((int64_t)len + r->body_size_lie), 4);
    }
    put_pattern(out, len);
}

static void put_qe_part(struct buf *out, const struct quote_recipe *r)
{
    put_pattern(out, SGX_REPORT_LEN + QUOTE_SIGNATURE_LEN);
    buf_append_le(out, (uint16_t)((int)r->qe_auth_len + r->qe_auth_len_lie), 2);
    put_pattern(out, r->qe_auth_len);
    buf_append_le(out, r->cert_type, 2);
    buf_append_le(out, (uint32_t)((int64_t)r->cert_data.len + r->cert_len_lie), 4);
    buf_append(out, r->cert_data);
    put_pattern(out, r->inner_slack);
}

static size_t qe_part_len(const struct quote_recipe *r)
{
    return SGX_REPORT_LEN + QUOTE_SIGNATURE_LEN + 2 + r->qe_auth_len + 6 + r->cert_data.len +
           r->inner_slack;
}

void quote_build(const struct quote_recipe *r, struct buf *out)
{
    size_t inner = qe_part_len(r);
    size_t wrapping = r->version == 3 ? 0 : 6;
    size_t auth = QUOTE_SIGNATURE_LEN + QUOTE_KEY_LEN + wrapping + inner + r->auth_slack;
    buf_free(out);
    *out = BUF_INIT(4 * (size_t)QUOTE_LEN_MAX);
    put_header(out, r);
    put_body(out, r);
    buf_append_le(out, (uint32_t)((int64_t)auth + r->auth_len_lie), 4);
    put_pattern(out, QUOTE_SIGNATURE_LEN + QUOTE_KEY_LEN);
    if (wrapping > 0) {
        buf_append_le(out, r->outer_cert_type, 2);
        buf_append_le(out, (uint32_t)((int64_t)inner + r->outer_len_lie), 4);
    }
    put_qe_part(out, r);
    put_pattern(out, r->auth_slack + r->trailing);
    assert_false(out->failed);
}
