/* The JSON view has the members of the reference in its order, and the bytes of the quote; the
 * human view shows every field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "quote/quote_json.h"
#include "quote/quote_text.h"
#include "support/quote_builder.h"

static json_t *view_of(uint16_t version, enum quote_body_type body, struct buf *bytes,
                       struct quote *q)
{
    struct quote_recipe recipe = quote_recipe_of(version, body);
    json_t *view = NULL;
    quote_build(&recipe, bytes);
    assert_true(quote_parse(buf_slice(bytes), q, NULL));
    assert_true(quote_to_json(q, &view, NULL));
    return view;
}

static void has_members(const json_t *object, const char *names)
{
    BUF_AUTO struct buf found = BUF_INIT(4096);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        buf_printf(&found, "%s%s", found.len > 0 ? " " : "", name);
    }
    assert_string_equal(buf_cstr(&found), names);
}

static void has_hex(const json_t *object, const char *name, const uint8_t *bytes, size_t len)
{
    BUF_AUTO struct buf hex = BUF_INIT(8192);
    assert_true(hex_append(&hex, slice_of(bytes, len)));
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    assert_string_equal(text, buf_cstr(&hex));
}

static void has_number(const json_t *object, const char *name, json_int_t number)
{
    assert_true(json_is_integer(json_object_get(object, name)));
    assert_int_equal(json_integer_value(json_object_get(object, name)), number);
}

#define TD_10_MEMBERS                                                                              \
    "tdxVersion teeTcbSvn mrseam mrsignerseam seamattributes tdattributes xfam mrtd mrconfigid "   \
    "mrowner mrownerconfig rtmr0 rtmr1 rtmr2 rtmr3 reportdata"

static void a_td_quote(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    struct quote q;
    JSON_AUTO json_t *view = view_of(4, QUOTE_BODY_TD_10, &bytes, &q);
    has_members(view, "header body signature attestationKey certificationData");
    const json_t *header = json_object_get(view, "header");
    has_members(header, "version attestationKeyType teeType qeVendorId userData");
    has_number(header, "version", 4);
    has_number(header, "attestationKeyType", 2);
    has_number(header, "teeType", 0x81);
    has_hex(header, "qeVendorId", &bytes.data[12], 16);
    has_hex(header, "userData", &bytes.data[28], 20);
    const json_t *body = json_object_get(view, "body");
    has_members(body, TD_10_MEMBERS);
    assert_string_equal(json_string_value(json_object_get(body, "tdxVersion")), "1.0");
    has_hex(body, "teeTcbSvn", &bytes.data[48], 16);
    has_hex(body, "mrtd", &bytes.data[48 + 136], 48);
    has_hex(body, "rtmr3", &bytes.data[48 + 472], 48);
    has_hex(body, "reportdata", &bytes.data[48 + 520], 64);
    has_hex(view, "signature", &bytes.data[636], 64);
    const char *key = json_string_value(json_object_get(view, "attestationKey"));
    assert_int_equal(strlen(key), 130);
    assert_memory_equal(key, "04", 2);
}

static void its_certification(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    struct quote q;
    JSON_AUTO json_t *view = view_of(4, QUOTE_BODY_TD_10, &bytes, &q);
    const json_t *certification = json_object_get(view, "certificationData");
    has_members(certification, "type data");
    assert_string_equal(json_string_value(json_object_get(certification, "type")),
                        "qeReportCertificationData");
    const json_t *data = json_object_get(certification, "data");
    has_members(data, "qeReport signature qeAuthenticationData certificationDataType "
                      "certificationData");
    has_hex(data, "qeReport", q.qe_report.data, 384);
    has_hex(data, "signature", q.qe_report_signature, 64);
    has_hex(data, "qeAuthenticationData", q.qe_auth_data.data, 32);
    assert_string_equal(json_string_value(json_object_get(data, "certificationDataType")),
                        "PckCertChain");
    has_hex(data, "certificationData", q.cert_data.data, q.cert_data.len);
}

static void newer_td_bodies(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    struct quote q;
    JSON_AUTO json_t *td15 = view_of(5, QUOTE_BODY_TD_15, &bytes, &q);
    has_members(json_object_get(td15, "body"), TD_10_MEMBERS " teeTcbSvn2 mrservicetd");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(td15, "body"), "tdxVersion")), "1.5");
    has_hex(json_object_get(td15, "body"), "mrservicetd", q.td.mrservicetd, 48);
    JSON_AUTO json_t *ex = view_of(5, QUOTE_BODY_TD_15_EX, &bytes, &q);
    has_members(json_object_get(ex, "body"),
                TD_10_MEMBERS " teeTcbSvn2 mrservicetd vmid tdId devinfoHash initServtdHash "
                              "initServtdAttr initCpusvn initTeeTcbSvn initTeeFmspc "
                              "curServtdHash curServtdAttr");
    has_hex(json_object_get(ex, "body"), "curServtdAttr", &q.body.data[877], 8);
}

static void an_sgx_quote(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0};
    struct quote q;
    JSON_AUTO json_t *view = view_of(3, QUOTE_BODY_SGX, &bytes, &q);
    const json_t *header = json_object_get(view, "header");
    has_members(header, "version attestationKeyType teeType qeVendorId userData qeSvn pceSvn");
    has_number(header, "qeSvn", 7);
    has_number(header, "pceSvn", 13);
    const json_t *body = json_object_get(view, "body");
    has_members(body, "cpusvn miscselect attributes mrenclave mrsigner reportdata isvprodid "
                      "isvsvn");
    has_hex(body, "mrsigner", &bytes.data[48 + 128], 32);
    has_number(body, "isvsvn", q.sgx.isvsvn);
}

static void every_certification_type_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"PckIdPpidPlainCpusvnPcesvn",
                                        "PckIdPpidRSA2048CpusvnPcesvn",
                                        "PckIdPpidRSA3072CpusvnPcesvn",
                                        "PckLeafCert",
                                        "PckCertChain",
                                        NULL,
                                        "PlatformManifest"};
    BUF_AUTO struct buf bytes = {0};
    for (uint16_t type = 1; type <= 7; type++) {
        struct quote_recipe recipe = quote_recipe_of(4, QUOTE_BODY_TD_10);
        struct quote q;
        JSON_AUTO json_t *view = NULL;
        if (type == 6)
            continue;
        recipe.cert_type = type;
        quote_build(&recipe, &bytes);
        assert_true(quote_parse(buf_slice(&bytes), &q, NULL));
        assert_true(quote_to_json(&q, &view, NULL));
        const json_t *data = json_object_get(json_object_get(view, "certificationData"), "data");
        assert_string_equal(json_string_value(json_object_get(data, "certificationDataType")),
                            names[type - 1]);
    }
}

static void shows(const char *text, const char *line)
{
    if (strstr(text, line) == NULL)
        fail_msg("no \"%s\" in:\n%s", line, text);
}

static void the_human_view(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0}, text = BUF_INIT(QUOTE_TEXT_MAX);
    struct quote_recipe recipe = quote_recipe_of(5, QUOTE_BODY_TD_15_EX);
    struct quote q;
    recipe.trailing = 70;
    quote_build(&recipe, &bytes);
    store_u64be(&bytes.data[54 + 120], 0x0000001001000080); /* little-endian in the quote */
    assert_true(quote_parse(buf_slice(&bytes), &q, NULL));
    assert_true(quote_append_text(&q, &text));
    const char *shown = buf_cstr(&text);
    shows(shown, "nothing below has been verified\n");
    shows(shown, "version 5, TDX, TD 1.5-ex body");
    shows(shown, ", 70 bytes behind it ignored\n");
    shows(shown, "attributes set  SEPT_VE_DISABLE, bit 32, PERFMON\n");
    shows(shown, "\nmrtd            ");
    shows(shown, "\ncurServtdAttr   ");
    shows(shown, "type 5 (PCK_CERT_CHAIN)");
    struct buf small = BUF_INIT(100);
    assert_false(quote_append_text(&q, &small));
    buf_free(&small);
}

static void the_human_view_of_sgx(void **state)
{
    (void)state;
    BUF_AUTO struct buf bytes = {0}, text = BUF_INIT(QUOTE_TEXT_MAX);
    struct quote_recipe recipe = quote_recipe_of(3, QUOTE_BODY_SGX);
    struct quote q;
    quote_build(&recipe, &bytes);
    memset(&bytes.data[48 + 48], 0, 16);
    bytes.data[48 + 48] = 0x07;
    assert_true(quote_parse(buf_slice(&bytes), &q, NULL));
    assert_true(quote_append_text(&q, &text));
    const char *shown = buf_cstr(&text);
    shows(shown, "version 3, SGX, SGX body");
    shows(shown, "attributes set  INIT, DEBUG, MODE64BIT\n");
    shows(shown, "qeSvn           7\npceSvn          13\n");
    shows(shown, "\nisvsvn          ");
    assert_null(strstr(shown, "ignored"));
}

static void attribute_names(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = BUF_INIT(1024);
    const uint8_t none[8] = {0}, tud[8] = {0x71};
    assert_true(td_attributes_append(none, &text));
    assert_string_equal(buf_cstr(&text), "none");
    buf_reset(&text);
    assert_true(td_attributes_append(tud, &text));
    assert_string_equal(buf_cstr(&text), "DEBUG, HGS_PLUS_PROF, PERF_PROF, PMT_PROF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_td_quote),
        cmocka_unit_test(its_certification),
        cmocka_unit_test(newer_td_bodies),
        cmocka_unit_test(an_sgx_quote),
        cmocka_unit_test(every_certification_type_has_its_name),
        cmocka_unit_test(the_human_view),
        cmocka_unit_test(the_human_view_of_sgx),
        cmocka_unit_test(attribute_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
