/* The quote parser: every version and body, every field at its place, every lie refused by name,
 * every truncation and every flipped bit survived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/quote_builder.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    uint16_t version;
    enum quote_body_type body;
} KINDS[] = {
    {3, QUOTE_BODY_SGX},   {4, QUOTE_BODY_SGX},   {4, QUOTE_BODY_TD_10},    {5, QUOTE_BODY_SGX},
    {5, QUOTE_BODY_TD_10}, {5, QUOTE_BODY_TD_15}, {5, QUOTE_BODY_TD_15_EX},
};

/* Parses a copy whose end is the end of an allocation, so that a sanitizer sees every step past
 * it. */
static bool parse_copy(struct slice bytes, struct quote *q, uint8_t **copy, struct error *err)
{
    *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    assert_non_null(*copy);
    if (bytes.len > 0)
        memcpy(*copy, bytes.data, bytes.len);
    return quote_parse(slice_of(*copy, bytes.len), q, err);
}

static size_t offset_in(const struct quote *q, const uint8_t *field)
{
    return (size_t)(field - q->body.data);
}

static void check_sgx_places(const struct quote *q)
{
    assert_int_equal(offset_in(q, q->sgx.cpusvn), 0);
    assert_int_equal(offset_in(q, q->sgx.miscselect_bytes), 16);
    assert_int_equal(q->sgx.miscselect, load_u32le(q->sgx.miscselect_bytes));
    assert_int_equal(offset_in(q, q->sgx.attributes), 48);
    assert_int_equal(offset_in(q, q->sgx.mrenclave), 64);
    assert_int_equal(offset_in(q, q->sgx.mrsigner), 128);
    assert_int_equal(q->sgx.isvprodid, load_u16le(&q->body.data[256]));
    assert_int_equal(q->sgx.isvsvn, load_u16le(&q->body.data[258]));
    assert_int_equal(offset_in(q, q->sgx.reportdata), 320);
    assert_ptr_equal(q->report_data, q->sgx.reportdata);
    assert_null(q->td.mrtd);
}

static void check_td_places(const struct quote *q)
{
    const struct {
        const uint8_t *field;
        size_t offset;
    } places[] = {
        {q->td.tee_tcb_svn, 0},
        {q->td.mrseam, 16},
        {q->td.mrsignerseam, 64},
        {q->td.seamattributes, 112},
        {q->td.tdattributes, 120},
        {q->td.xfam, 128},
        {q->td.mrtd, 136},
        {q->td.mrconfigid, 184},
        {q->td.mrowner, 232},
        {q->td.mrownerconfig, 280},
        {q->td.rtmr[0], 328},
        {q->td.rtmr[1], 376},
        {q->td.rtmr[2], 424},
        {q->td.rtmr[3], 472},
        {q->td.reportdata, 520},
        {q->td.tee_tcb_svn2, 584},
        {q->td.mrservicetd, 600},
        {q->td.vmid, 648},
        {q->td.td_id, 649},
        {q->td.devinfo_hash, 681},
        {q->td.init_servtd_hash, 729},
        {q->td.init_servtd_attr, 777},
        {q->td.init_cpusvn, 785},
        {q->td.init_tee_tcb_svn, 801},
        {q->td.init_tee_fmspc, 817},
        {q->td.cur_servtd_hash, 829},
        {q->td.cur_servtd_attr, 877},
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        if (places[i].offset < q->body.len)
            assert_int_equal(offset_in(q, places[i].field), places[i].offset);
        else
            assert_null(places[i].field);
    }
    assert_ptr_equal(q->report_data, q->td.reportdata);
    assert_null(q->sgx.mrenclave);
}

/* The parts of a parsed quote lie inside it, in order and without gaps. */
static void check_parts(const struct quote *q, struct slice bytes)
{
    size_t wrapping = q->version == 3 ? 0 : 6;
    size_t sum = q->signed_part.len + 4 + QUOTE_SIGNATURE_LEN + QUOTE_KEY_LEN + wrapping +
                 q->qe_report.len + QUOTE_SIGNATURE_LEN + 2 + q->qe_auth_data.len + 6 +
                 q->cert_data.len;
    assert_int_equal(sum, q->exact.len);
    assert_int_equal(q->exact.len + q->trailing_len, bytes.len);
    assert_ptr_equal(q->exact.data, bytes.data);
    assert_ptr_equal(q->signed_part.data, bytes.data);
    assert_ptr_equal(&q->body.data[q->body.len], &bytes.data[q->signed_part.len]);
    assert_ptr_equal(q->signature, &bytes.data[q->signed_part.len + 4]);
    assert_ptr_equal(q->attestation_key, &q->signature[64]);
    assert_ptr_equal(q->qe_report.data, &q->attestation_key[64 + wrapping]);
    assert_ptr_equal(q->qe.reportdata, &q->qe_report.data[320]);
    assert_ptr_equal(q->qe_report_signature, &q->qe_report.data[384]);
    if (q->qe_auth_data.len > 0)
        assert_ptr_equal(q->qe_auth_data.data, &q->qe_report_signature[64 + 2]);
    if (q->cert_data.len > 0)
        assert_ptr_equal(&q->cert_data.data[q->cert_data.len], &bytes.data[q->exact.len]);
}

static void every_kind_parses(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    for (size_t i = 0; i < COUNT(KINDS); i++) {
        struct quote_recipe recipe = quote_recipe_of(KINDS[i].version, KINDS[i].body);
        struct quote q;
        struct error err;
        recipe.trailing = 70;
        quote_build(&recipe, &bytes);
        if (!quote_parse(buf_slice(&bytes), &q, &err))
            fail_msg("v%u body %d: %s", KINDS[i].version, (int)KINDS[i].body, err.message);
        assert_int_equal(q.version, KINDS[i].version);
        assert_int_equal(q.body_type, KINDS[i].body);
        assert_int_equal(q.tee, KINDS[i].body == QUOTE_BODY_SGX ? QUOTE_TEE_SGX : QUOTE_TEE_TDX);
        assert_int_equal(q.attestation_key_type, QUOTE_KEY_ECDSA_P256);
        assert_int_equal(q.qe_svn, recipe.qe_svn);
        assert_int_equal(q.pce_svn, recipe.pce_svn);
        assert_ptr_equal(q.qe_vendor_id, &bytes.data[12]);
        assert_ptr_equal(q.user_data, &bytes.data[28]);
        assert_int_equal(q.body.len, quote_body_len(KINDS[i].body));
        assert_int_equal(q.trailing_len, 70);
        assert_int_equal(q.cert_type, QUOTE_CERT_PCK_CHAIN);
        assert_true(slice_equal(q.cert_data, recipe.cert_data));
        check_parts(&q, buf_slice(&bytes));
        if (KINDS[i].body == QUOTE_BODY_SGX)
            check_sgx_places(&q);
        else
            check_td_places(&q);
    }
}

static void reserved_words_are_tolerated(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    struct quote_recipe recipe = quote_recipe_of(4, QUOTE_BODY_TD_10);
    struct quote q;
    recipe.qe_svn = 0x0102;
    recipe.pce_svn = 0x0304;
    quote_build(&recipe, &bytes);
    assert_true(quote_parse(buf_slice(&bytes), &q, NULL));
    assert_int_equal(q.qe_svn, 0x0102);
    assert_int_equal(q.pce_svn, 0x0304);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    for (size_t i = 0; i < COUNT(KINDS); i++) {
        struct quote_recipe recipe = quote_recipe_of(KINDS[i].version, KINDS[i].body);
        quote_build(&recipe, &bytes);
        for (size_t len = 0; len < bytes.len; len++) {
            struct quote q = {.version = 99};
            struct error err = {0};
            uint8_t *copy;
            bool ok = parse_copy(slice_of(bytes.data, len), &q, &copy, &err);
            free(copy);
            if (ok || !error_is(&err, "quote/truncated") || err.field[0] == 0)
                fail_msg("v%u cut at %zu: %s", KINDS[i].version, len, ok ? "accepted" : err.code);
            assert_int_equal(q.version, 99);
        }
    }
}

static void every_flipped_bit_is_survived(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    for (size_t i = 0; i < COUNT(KINDS); i++) {
        struct quote_recipe recipe = quote_recipe_of(KINDS[i].version, KINDS[i].body);
        recipe.trailing = 9;
        quote_build(&recipe, &bytes);
        for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
            struct quote q;
            struct error err = {0};
            uint8_t *copy;
            bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (parse_copy(buf_slice(&bytes), &q, &copy, &err))
                check_parts(&q, slice_of(copy, bytes.len));
            else
                assert_true(error_is(&err, "quote/"));
            free(copy);
            bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

struct lie {
    const char *what;
    struct quote_recipe recipe;
    const char *code, *field;
};

#define OF(v, b) quote_recipe_of(v, b)
#define TD       QUOTE_BODY_TD_10

static struct quote_recipe with_body_type(uint16_t version, uint16_t body_type, uint32_t tee)
{
    struct quote_recipe r = quote_recipe_of(version, QUOTE_BODY_TD_10);
    r.body_type = body_type;
    r.tee = tee;
    return r;
}

static void check_lie(const struct lie *lie)
{
    BUF_AUTO struct buf bytes = {0};
    struct quote q;
    struct error err = {0};
    uint8_t *copy;
    quote_build(&lie->recipe, &bytes);
    bool ok = parse_copy(buf_slice(&bytes), &q, &copy, &err);
    free(copy);
    if (ok)
        fail_msg("%s: accepted", lie->what);
    if (!error_is(&err, lie->code) || strcmp(err.field, lie->field) != 0)
        fail_msg("%s: %s at %s (%s), not %s at %s", lie->what, err.code, err.field, err.message,
                 lie->code, lie->field);
}

static void header_lies(void **state)
{
    (void)state;
    struct lie lies[] = {
        {"version 2", OF(2, TD), "quote/version", "header.version"},
        {"version 6", OF(6, TD), "quote/version", "header.version"},
        {"P-384 key", OF(4, TD), "quote/key-type", "header.attestationKeyType"},
        {"TEE 1", with_body_type(4, TD, 1), "quote/tee-type", "header.teeType"},
        {"TEE 0x181", with_body_type(4, TD, 0x181), "quote/tee-type", "header.teeType"},
        {"TDX in v3", OF(3, TD), "quote/tee-type", "header.teeType"},
        {"foreign vendor", OF(4, TD), "quote/vendor", "header.qeVendorId"},
        {"body type 0", with_body_type(5, 0, 0x81), "quote/body-type", "body.type"},
        {"body type 5", with_body_type(5, 5, 0x81), "quote/body-type", "body.type"},
        {"SGX body in TDX", with_body_type(5, 1, 0x81), "quote/body-type", "body.type"},
        {"TD body in SGX", with_body_type(5, 2, 0), "quote/body-type", "body.type"},
        {"TD 1.5 body in SGX", with_body_type(5, 3, 0), "quote/body-type", "body.type"},
        {"body one short", OF(5, TD), "quote/body-size", "body.size"},
        {"body one long", OF(5, TD), "quote/body-size", "body.size"},
        {"huge body", OF(5, TD), "quote/body-size", "body.size"},
    };
    lies[2].recipe.key_type = 3;
    lies[6].recipe.foreign_vendor = true;
    lies[12].recipe.body_size_lie = -1;
    lies[13].recipe.body_size_lie = 1;
    lies[14].recipe.body_size_lie = (int64_t)UINT32_MAX - TD_REPORT_10_LEN;
    for (size_t i = 0; i < COUNT(lies); i++)
        check_lie(&lies[i]);
}

static void length_lies(void **state)
{
    (void)state;
    struct lie lies[] = {
        {"auth longer than the file", OF(4, TD), "quote/truncated", "authentication data"},
        {"auth 0xFFFFFFFF", OF(4, TD), "quote/too-large", "authData.length"},
        {"auth 0xFFFFFFFF in v5", OF(5, TD), "quote/too-large", "authData.length"},
        {"auth one short", OF(4, TD), "quote/cert-size", "qeReportCertificationData"},
        {"auth one short in v3", OF(3, QUOTE_BODY_SGX), "quote/cert-size", "certificationData"},
        {"auth empty", OF(4, TD), "quote/auth-size", "signature and attestation key"},
        {"auth of a signature only", OF(4, TD), "quote/auth-size", "signature and attestation key"},
        {"auth ends before the outer block", OF(4, TD), "quote/auth-size",
         "qeReportCertificationData"},
        {"auth ends in the QE report", OF(3, QUOTE_BODY_SGX), "quote/auth-size", "qeReport"},
        {"QE auth data 0xFFFF", OF(4, TD), "quote/auth-size", "qeAuthenticationData"},
        {"QE auth data leaves no certification", OF(4, TD), "quote/auth-size", "certificationData"},
        {"outer one short", OF(4, TD), "quote/slack", "qeReportCertificationData"},
        {"outer one long", OF(4, TD), "quote/cert-size", "qeReportCertificationData"},
        {"outer zero", OF(4, TD), "quote/slack", "qeReportCertificationData"},
        {"outer huge", OF(4, TD), "quote/cert-size", "qeReportCertificationData"},
        {"inner one short", OF(4, TD), "quote/slack", "certificationData"},
        {"inner one long", OF(4, TD), "quote/cert-size", "certificationData"},
        {"inner zero", OF(4, TD), "quote/slack", "certificationData"},
        {"inner huge", OF(5, TD), "quote/cert-size", "certificationData"},
        {"inner slack", OF(4, TD), "quote/slack", "certificationData"},
        {"inner slack in v3", OF(3, QUOTE_BODY_SGX), "quote/slack", "certificationData"},
        {"slack after the outer block", OF(5, TD), "quote/slack", "qeReportCertificationData"},
    };
    int64_t cert = (int64_t)lies[0].recipe.cert_data.len;
    int64_t inner = 384 + 64 + 2 + 32 + 6 + cert;
    lies[0].recipe.auth_len_lie = 1;
    lies[1].recipe.auth_len_lie = (int64_t)UINT32_MAX - (inner + 6 + 128);
    lies[2].recipe.auth_len_lie = (int64_t)UINT32_MAX - (inner + 6 + 128);
    lies[3].recipe.auth_len_lie = -1;
    lies[4].recipe.auth_len_lie = -1;
    lies[5].recipe.auth_len_lie = -(inner + 6 + 128);
    lies[6].recipe.auth_len_lie = -(inner + 6 + 64);
    lies[7].recipe.auth_len_lie = -(inner + 1);
    lies[8].recipe.auth_len_lie = -(inner - 100);
    lies[9].recipe.qe_auth_len_lie = 0xffff - 32;
    lies[10].recipe.qe_auth_len_lie = (int)(cert + 1);
    lies[11].recipe.outer_len_lie = -1;
    lies[12].recipe.outer_len_lie = 1;
    lies[13].recipe.outer_len_lie = -inner;
    lies[14].recipe.outer_len_lie = (int64_t)UINT32_MAX - inner;
    lies[15].recipe.cert_len_lie = -1;
    lies[16].recipe.cert_len_lie = 1;
    lies[17].recipe.cert_len_lie = -cert;
    lies[18].recipe.cert_len_lie = (int64_t)UINT32_MAX - cert;
    lies[19].recipe.inner_slack = 8;
    lies[20].recipe.inner_slack = 1;
    lies[21].recipe.auth_slack = 8;
    for (size_t i = 0; i < COUNT(lies); i++)
        check_lie(&lies[i]);
}

static void certification_types(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    for (uint16_t type = 0; type <= 9; type++) {
        struct quote_recipe recipe = quote_recipe_of(4, TD);
        struct quote q;
        struct slice pem;
        struct error err = {0};
        recipe.cert_type = type;
        quote_build(&recipe, &bytes);
        bool known = type >= 1 && type <= 7 && type != 6;
        assert_int_equal(quote_parse(buf_slice(&bytes), &q, &err), known);
        if (!known) {
            assert_true(error_is(&err, "quote/cert-type"));
            continue;
        }
        assert_int_equal(q.cert_type, type);
        assert_int_equal(quote_pck_chain(&q, &pem, &err), type == 5);
        if (type == 5)
            assert_true(slice_equal(pem, recipe.cert_data));
        else if (!error_is(&err, "quote/certification") ||
                 strstr(err.message, quote_cert_type_name(q.cert_type)) == NULL)
            fail_msg("type %u: %s %s", type, err.code, err.message);
    }
}

static void outer_types(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    for (uint16_t type = 0; type <= 8; type++) {
        struct quote_recipe recipe = quote_recipe_of(5, QUOTE_BODY_TD_15);
        struct quote q;
        struct error err = {0};
        recipe.outer_cert_type = type;
        quote_build(&recipe, &bytes);
        assert_int_equal(quote_parse(buf_slice(&bytes), &q, &err), type == 6);
        assert_true(type == 6 || error_is(&err, "quote/cert-type"));
    }
}

static void qe_auth_data_of_any_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 31, 32, 33, 1024, 65535};
    BUF_AUTO struct buf bytes = {0};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct quote_recipe recipe = quote_recipe_of(4, TD);
        struct quote q;
        recipe.qe_auth_len = lengths[i];
        quote_build(&recipe, &bytes);
        assert_true(quote_parse(buf_slice(&bytes), &q, NULL));
        assert_int_equal(q.qe_auth_data.len, lengths[i]);
        check_parts(&q, buf_slice(&bytes));
    }
}

static void the_ceiling_on_a_quote(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    static uint8_t cert[QUOTE_LEN_MAX];
    struct quote_recipe recipe = quote_recipe_of(4, TD);
    recipe.cert_data.len = 0;
    quote_build(&recipe, &bytes);
    size_t rest = QUOTE_LEN_MAX - bytes.len;
    for (size_t over = 0; over <= 2; over++) {
        struct quote q;
        struct error err = {0};
        recipe.cert_data = slice_of(cert, rest - 1 + over);
        quote_build(&recipe, &bytes);
        assert_int_equal(bytes.len, QUOTE_LEN_MAX - 1 + over);
        assert_int_equal(quote_parse(buf_slice(&bytes), &q, &err), over < 2);
        assert_true(over < 2 || error_is(&err, "quote/too-large"));
    }
}

static void an_empty_input(void **state)
{
    (void)state;
    struct quote q;
    struct error err = {0};
    assert_false(quote_parse(slice_of(NULL, 0), &q, &err));
    assert_true(error_is(&err, "quote/truncated"));
    assert_false(quote_parse(slice_of(NULL, 0), &q, NULL));
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(quote_body_type_name(QUOTE_BODY_SGX), "SGX");
    assert_string_equal(quote_body_type_name(QUOTE_BODY_TD_15_EX), "TD 1.5-ex");
    assert_string_equal(quote_body_type_name((enum quote_body_type)9), "unknown");
    assert_string_equal(quote_cert_type_name(QUOTE_CERT_PCK_CHAIN), "PCK_CERT_CHAIN");
    assert_string_equal(quote_cert_type_name(QUOTE_CERT_QE_REPORT), "QE_REPORT_CERT");
    assert_string_equal(quote_cert_type_name((enum quote_cert_type)9), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_parses),
        cmocka_unit_test(reserved_words_are_tolerated),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_survived),
        cmocka_unit_test(header_lies),
        cmocka_unit_test(length_lies),
        cmocka_unit_test(certification_types),
        cmocka_unit_test(outer_types),
        cmocka_unit_test(qe_auth_data_of_any_length),
        cmocka_unit_test(the_ceiling_on_a_quote),
        cmocka_unit_test(an_empty_input),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
