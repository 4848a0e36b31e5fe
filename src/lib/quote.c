/* merotee/quote.h: quotes. */
#include <stdlib.h>
#include <string.h>

#include "lib/lib.h"
#include "quote/quote_json.h"
#include "quote/quote_text.h"

enum { QUOTE_JSON_MAX = 8 * QUOTE_LEN_MAX };

LIB_SAME(MEROTEE_QUOTE_LEN_MAX, QUOTE_LEN_MAX);
LIB_SAME(MEROTEE_BODY_SGX, QUOTE_BODY_SGX);
LIB_SAME(MEROTEE_BODY_TD_10, QUOTE_BODY_TD_10);
LIB_SAME(MEROTEE_BODY_TD_15, QUOTE_BODY_TD_15);
LIB_SAME(MEROTEE_BODY_TD_15_EX, QUOTE_BODY_TD_15_EX);

bool merotee_quote_parse(const void *bytes, size_t len, struct merotee_quote **out,
                         struct merotee_error *err)
{
    struct error why;
    struct quote where;
    if (!quote_parse(slice_of(bytes, len), &where, &why))
        return lib_fail(err, &why);
    struct merotee_quote *q = malloc(sizeof *q + where.exact.len);
    if (q == NULL)
        return lib_no_memory(err);
    memcpy(q->bytes, where.exact.data, where.exact.len);
    if (!quote_parse(slice_of(q->bytes, where.exact.len), &q->parsed, &why)) {
        free(q);
        return lib_fail(err, &why);
    }
    *out = q;
    return true;
}

void merotee_quote_free(struct merotee_quote *quote)
{
    free(quote);
}

size_t merotee_quote_len(const struct merotee_quote *quote)
{
    return quote->parsed.exact.len;
}

unsigned merotee_quote_version(const struct merotee_quote *quote)
{
    return quote->parsed.version;
}

enum merotee_tee merotee_quote_tee(const struct merotee_quote *quote)
{
    return quote->parsed.tee == QUOTE_TEE_TDX ? MEROTEE_TEE_TDX : MEROTEE_TEE_SGX;
}

enum merotee_body merotee_quote_body(const struct merotee_quote *quote)
{
    return (enum merotee_body)quote->parsed.body_type;
}

const uint8_t *merotee_quote_field(const struct merotee_quote *quote, enum merotee_field field,
                                   size_t *len)
{
    const struct quote *q = &quote->parsed;
    const struct slice fields[MEROTEE_FIELD_COUNT] = {
        [MEROTEE_FIELD_REPORT_DATA] = {q->report_data, QUOTE_REPORT_DATA_LEN},
        [MEROTEE_FIELD_MRTD] = {q->td.mrtd, 48},
        [MEROTEE_FIELD_RTMR0] = {q->td.rtmr[0], 48},
        [MEROTEE_FIELD_RTMR1] = {q->td.rtmr[1], 48},
        [MEROTEE_FIELD_RTMR2] = {q->td.rtmr[2], 48},
        [MEROTEE_FIELD_RTMR3] = {q->td.rtmr[3], 48},
        [MEROTEE_FIELD_MRSEAM] = {q->td.mrseam, 48},
        [MEROTEE_FIELD_MRSIGNERSEAM] = {q->td.mrsignerseam, 48},
        [MEROTEE_FIELD_SEAMATTRIBUTES] = {q->td.seamattributes, 8},
        [MEROTEE_FIELD_TDATTRIBUTES] = {q->td.tdattributes, 8},
        [MEROTEE_FIELD_XFAM] = {q->td.xfam, 8},
        [MEROTEE_FIELD_MRCONFIGID] = {q->td.mrconfigid, 48},
        [MEROTEE_FIELD_MROWNER] = {q->td.mrowner, 48},
        [MEROTEE_FIELD_MROWNERCONFIG] = {q->td.mrownerconfig, 48},
        [MEROTEE_FIELD_MRSERVICETD] = {q->td.mrservicetd, 48},
        [MEROTEE_FIELD_TEE_TCB_SVN] = {q->td.tee_tcb_svn, 16},
        [MEROTEE_FIELD_TEE_TCB_SVN2] = {q->td.tee_tcb_svn2, 16},
        [MEROTEE_FIELD_MRENCLAVE] = {q->sgx.mrenclave, 32},
        [MEROTEE_FIELD_MRSIGNER] = {q->sgx.mrsigner, 32},
        [MEROTEE_FIELD_SGX_ATTRIBUTES] = {q->sgx.attributes, 16},
    };
    struct slice found = {NULL, 0};
    if ((unsigned)field < MEROTEE_FIELD_COUNT)
        found = fields[field];
    if (len != NULL)
        *len = found.data != NULL ? found.len : 0;
    return found.data;
}

bool merotee_quote_json(const struct merotee_quote *quote, char **out, struct merotee_error *err)
{
    struct error why;
    JSON_AUTO json_t *view = NULL;
    BUF_AUTO struct buf text = BUF_INIT(QUOTE_JSON_MAX);
    if (!quote_to_json(&quote->parsed, &view, &why) || !json_write_pretty(view, &text, &why))
        return lib_fail(err, &why);
    return lib_text_out(&text, out, err);
}

bool merotee_quote_text(const struct merotee_quote *quote, char **out, struct merotee_error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(QUOTE_TEXT_MAX);
    return quote_append_text(&quote->parsed, &text) ? lib_text_out(&text, out, err)
                                                    : lib_no_memory(err);
}
