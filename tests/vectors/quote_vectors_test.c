/* Every real quote parses, and says what the description beside it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/json.h"
#include "quote/quote.h"
#include "support/vectors.h"

static void same_number(const char *where, const json_t *object, const char *name, size_t value)
{
    const json_t *wanted = json_object_get(object, name);
    if (json_is_integer(wanted) && json_integer_value(wanted) != (json_int_t)value)
        fail_msg("%s: %s is %zu, not %lld", where, name, value,
                 (long long)json_integer_value(wanted));
}

static void same_hex(const char *where, const json_t *object, const char *name, struct slice value)
{
    const json_t *wanted = json_object_get(object, name);
    BUF_AUTO struct buf hex = BUF_INIT(1 << 20);
    assert_true(hex_append(&hex, value));
    if (json_is_string(wanted) && !slice_equal_str(buf_slice(&hex), json_string_value(wanted)))
        fail_msg("%s: %s is %s, not %s", where, name, buf_cstr(&hex), json_string_value(wanted));
}

static void says_what_it_should(const char *folder, const json_t *meta, const struct quote *q)
{
    same_number(folder, meta, "quote_version", q->version);
    same_number(folder, meta, "exact_len", q->exact.len);
    same_number(folder, meta, "file_len", q->exact.len + q->trailing_len);
    same_number(folder, meta, "body_type", q->body_type);
    same_number(folder, meta, "pck_cert_data_type", q->cert_type);
    same_number(folder, meta, "pck_cert_data_len", q->cert_data.len);
    same_number(folder, meta, "qe_auth_data_len", q->qe_auth_data.len);
    same_hex(folder, meta, "qe_auth_data_hex", q->qe_auth_data);
    same_number(folder, meta, "qe_report_isvsvn", q->qe.isvsvn);
    const json_t *header = json_object_get(meta, "header");
    same_number(folder, header, "qe_svn", q->qe_svn);
    same_number(folder, header, "pce_svn", q->pce_svn);
    same_hex(folder, header, "vendor", slice_of(q->qe_vendor_id, QUOTE_VENDOR_ID_LEN));
    same_hex(folder, header, "user_data", slice_of(q->user_data, QUOTE_USER_DATA_LEN));
    assert_string_equal(json_string_value(json_object_get(meta, "tee")),
                        q->tee == QUOTE_TEE_SGX ? "SGX" : "TDX");
    if (q->tee == QUOTE_TEE_SGX)
        return;
    same_hex(folder, meta, "tee_tcb_svn", slice_of(q->td.tee_tcb_svn, 16));
    same_hex(folder, meta, "mrsignerseam", slice_of(q->td.mrsignerseam, 48));
    same_hex(folder, meta, "seamattr", slice_of(q->td.seamattributes, 8));
    same_hex(folder, meta, "tdattr", slice_of(q->td.tdattributes, 8));
    same_hex(folder, meta, "xfam", slice_of(q->td.xfam, 8));
}

struct tally {
    size_t parsed;
    size_t refused;
};

static void real_quote(const char *folder, void *context)
{
    struct tally *tally = context;
    BUF_AUTO struct buf bytes = {0};
    JSON_AUTO json_t *meta = vectors_read_json(vectors_path(folder, "meta.json"));
    struct quote q;
    struct error err;
    vectors_read(vectors_path(folder, "quote.bin"), &bytes);
    bool ok = quote_parse(buf_slice(&bytes), &q, &err);
    /* Some sources hold quotes that were cut off; their description says so. */
    if (json_object_get(meta, "parse") != NULL) {
        if (ok)
            fail_msg("%s: parses, but should not", folder);
        tally->refused++;
        return;
    }
    if (!ok)
        fail_msg("%s: %s: %s", folder, err.code, err.message);
    says_what_it_should(folder, meta, &q);
    tally->parsed++;
}

static void real_quotes(void **state)
{
    (void)state;
    struct tally tally = {0};
    size_t count = vectors_each_folder("dcap/real", real_quote, &tally);
    print_message("%zu real quotes parse, %zu are refused\n", tally.parsed, tally.refused);
    assert_int_equal(tally.parsed + tally.refused, count);
    assert_true(tally.parsed > 0);
}

int main(void)
{
    vectors_require("dcap/real");
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_quotes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
