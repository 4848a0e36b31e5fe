/* Quotes and collateral of the simulator, taken apart by hand from the layouts of DCAP facts 1 and
 * judged by OpenSSL: every binding of DCAP facts 2 holds, every crafted lie is where it should be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/codec.h"
#include "base/hash.h"
#include "base/json.h"
#include "sim/world.h"

enum { NOW = 1767225600 };

static struct error err;
static uint8_t report_data[64];

static void make_world(struct sim_world *w, const struct sim_world_options *options)
{
    if (!sim_world_create(w, options, &err))
        fail_msg("%s: %s", err.code, err.message);
}

/* r || s over message by OpenSSL alone. */
static bool raw_verifies(const struct sim_key *key, struct slice message, const uint8_t *rs)
{
    unsigned char *der = NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    ECDSA_SIG_set0(sig, BN_bin2bn(rs, 32, NULL), BN_bin2bn(rs + 32, 32, NULL));
    int len = i2d_ECDSA_SIG(sig, &der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, sim_key_evp(key)), 1);
    bool ok = EVP_DigestVerify(ctx, der, (size_t)len, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG_free(sig);
    OPENSSL_free(der);
    return ok;
}

struct parts {
    struct slice signed_part, body, signature, key, qe_report, qe_signature, qe_auth, chain;
};

/* An honest quote of any version; fails the test on a length that is not what it should be. */
static void take_apart(const struct buf *quote, struct parts *p)
{
    struct reader r = reader_of(buf_slice(quote));
    uint16_t version = reader_u16le(&r);
    reader_take(&r, 2);
    uint32_t tee = reader_u32le(&r);
    reader_take(&r, 40);
    size_t body_len = tee == 0 ? 384 : 584;
    if (version == 5) {
        static const size_t sizes[5] = {0, 384, 584, 648, 885};
        uint16_t type = reader_u16le(&r);
        body_len = reader_u32le(&r);
        assert_in_range(type, 1, 4);
        assert_int_equal(body_len, sizes[type]);
    }
    p->body = reader_take(&r, body_len);
    p->signed_part = slice_of(quote->data, quote->len - r.rest.len);
    uint32_t auth_len = reader_u32le(&r);
    struct reader auth = reader_of(reader_take(&r, auth_len));
    p->signature = reader_take(&auth, 64);
    p->key = reader_take(&auth, 64);
    struct reader inner = auth;
    if (version != 3) {
        assert_int_equal(reader_u16le(&auth), 6);
        uint32_t outer_len = reader_u32le(&auth);
        inner = reader_of(reader_take(&auth, outer_len));
        assert_true(reader_at_end(&auth));
    }
    p->qe_report = reader_take(&inner, 384);
    p->qe_signature = reader_take(&inner, 64);
    p->qe_auth = reader_take(&inner, reader_u16le(&inner));
    assert_int_equal(reader_u16le(&inner), 5);
    p->chain = reader_take(&inner, reader_u32le(&inner));
    assert_true(reader_at_end(&inner));
    assert_false(r.failed);
    assert_true(slice_is_zero(r.rest));
}

static const struct {
    uint16_t version;
    enum sim_body body;
    size_t body_len, report_data_at;
} kinds[] = {
    {3, SIM_BODY_SGX, 384, 320},      {4, SIM_BODY_SGX, 384, 320},   {4, SIM_BODY_TD_10, 584, 520},
    {5, SIM_BODY_SGX, 384, 320},      {5, SIM_BODY_TD_10, 584, 520}, {5, SIM_BODY_TD_15, 648, 520},
    {5, SIM_BODY_TD_15_EX, 885, 520},
};

static void every_kind_is_laid_out_and_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sim_world w SIM_WORLD_AUTO;
        struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
        struct parts p;
        make_world(&w, &(struct sim_world_options){
                           .now_s = NOW, .quote_version = kinds[i].version, .body = kinds[i].body});
        assert_true(sim_world_quote(&w, report_data, &quote, &err));
        take_apart(&quote, &p);
        assert_int_equal(load_u16le(quote.data), kinds[i].version);
        assert_int_equal(p.body.len, kinds[i].body_len);
        assert_int_equal(p.signed_part.len, sim_quote_signed_len(&w.quote));
        assert_memory_equal(p.body.data + kinds[i].report_data_at, report_data, 64);
        assert_true(raw_verifies(w.attestation_key, p.signed_part, p.signature.data));
        assert_true(raw_verifies(w.pck.key, p.qe_report, p.qe_signature.data));
        assert_memory_equal(p.key.data, sim_key_public(w.attestation_key), 64);
        uint8_t binding[32];
        const struct slice bound[2] = {p.key, p.qe_auth};
        sha256_parts(bound, 2, binding);
        assert_memory_equal(p.qe_report.data + 320, binding, 32);
        assert_true(slice_is_zero(slice_cut(p.qe_report, 352, 32)));
    }
}

static void td_fields_are_where_they_belong(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    make_world(&w, &(struct sim_world_options){.now_s = NOW, .quote_version = 5});
    memset(w.quote.td.mrtd, 0xa1, 48);
    memset(w.quote.td.mrconfigid, 0xa2, 48);
    for (size_t i = 0; i < 4; i++)
        memset(w.quote.td.rtmr[i], 0xb0 + (int)i, 48);
    memset(w.quote.td.mrservicetd, 0xc1, 48);
    memset(w.quote.td.tee_tcb_svn2, 0xc2, 16);
    assert_true(sim_world_quote(&w, report_data, &quote, &err));
    struct parts p;
    take_apart(&quote, &p);
    static const struct {
        size_t at, len;
        uint8_t value;
    } fields[] = {{136, 48, 0xa1}, {184, 48, 0xa2}, {328, 48, 0xb0}, {376, 48, 0xb1},
                  {424, 48, 0xb2}, {472, 48, 0xb3}, {584, 16, 0xc2}, {600, 48, 0xc1}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        for (size_t k = 0; k < fields[i].len; k++)
            assert_int_equal(p.body.data[fields[i].at + k], fields[i].value);
    assert_int_equal(p.body.data[123], 0x10); /* SEPT_VE_DISABLE, nothing else */
    assert_int_equal(p.body.data[120], 0);
}

static void the_chain_is_pem_leaf_first(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    struct buf chain BUF_AUTO = BUF_INIT(SIM_CHAIN_MAX);
    struct parts p;
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    assert_true(sim_world_quote(&w, report_data, &quote, &err));
    take_apart(&quote, &p);
    assert_true(sim_pem_append(buf_slice(&w.pck.der), &chain, &err));
    assert_true(sim_pem_append(buf_slice(&w.pki.cert[SIM_PLATFORM_CA].der), &chain, &err));
    assert_true(sim_pem_append(buf_slice(&w.pki.cert[SIM_ROOT_CA].der), &chain, &err));
    assert_true(buf_append_byte(&chain, 0));
    assert_true(slice_equal(p.chain, buf_slice(&chain)));
}

static void padding_follows_the_quote(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    struct parts p;
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    w.quote.padded_len = 8000;
    assert_true(sim_world_quote(&w, report_data, &quote, &err));
    assert_int_equal(quote.len, 8000);
    take_apart(&quote, &p);
}

static void lies_are_told(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    struct buf honest BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    struct buf lying BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    make_world(&w, &(struct sim_world_options){.now_s = NOW, .quote_version = 5});
    assert_true(sim_world_quote(&w, report_data, &honest, &err));
    struct {
        int64_t *lie;
        size_t at;
        unsigned width;
    } cases[] = {{&w.quote.body_size_lie, 50, 4},
                 {&w.quote.auth_len_lie, 702, 4},
                 {&w.quote.outer_len_lie, 702 + 4 + 128 + 2, 4},
                 {&w.quote.qe_auth_len_lie, 702 + 4 + 128 + 6 + 448, 2},
                 {&w.quote.inner_len_lie, 702 + 4 + 128 + 6 + 448 + 2 + 32 + 2, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        *cases[i].lie = -1;
        buf_reset(&lying);
        assert_true(sim_world_quote(&w, report_data, &lying, &err));
        *cases[i].lie = 0;
        assert_int_equal(lying.len, honest.len);
        const uint8_t *a = honest.data + cases[i].at;
        const uint8_t *b = lying.data + cases[i].at;
        uint32_t truth = cases[i].width == 2 ? load_u16le(a) : load_u32le(a);
        uint32_t told = cases[i].width == 2 ? load_u16le(b) : load_u32le(b);
        assert_int_equal(told, truth - 1);
    }
}

static void crafted_signatures_do_not_verify(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    struct parts p;
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    for (int fault = 0; fault < 4; fault++) {
        struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
        w.quote.broken_signature = fault == 0;
        w.quote.broken_qe_signature = fault == 1;
        w.quote.attestation_key = fault == 2 ? w.stranger : NULL;
        w.quote.claimed_key = fault == 2 ? sim_key_public(w.attestation_key) : NULL;
        w.quote.pck_key = fault == 3 ? w.stranger : NULL;
        assert_true(sim_world_quote(&w, report_data, &quote, &err));
        take_apart(&quote, &p);
        bool body_wrong = fault == 0 || fault == 2;
        assert_int_equal(raw_verifies(w.attestation_key, p.signed_part, p.signature.data),
                         !body_wrong);
        assert_int_equal(raw_verifies(w.pck.key, p.qe_report, p.qe_signature.data), body_wrong);
        assert_memory_equal(p.key.data, sim_key_public(w.attestation_key), 64);
    }
}

static bool document_verifies(const struct sim_world *w, const struct buf *document,
                              const char *hex)
{
    uint8_t signature[64];
    assert_true(hex_decode(slice_str(hex), signature, sizeof signature));
    return raw_verifies(w->pki.cert[SIM_TCB_SIGNING].key, buf_slice(document), signature);
}

static void documents_are_signed_json_in_intels_order(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    make_world(&w, &(struct sim_world_options){.now_s = NOW + 5000});
    assert_true(sim_collateral_make(&w.pki, &w.collateral, &c, &err));
    assert_true(document_verifies(&w, &c.tcb_info, c.tcb_info_signature));
    assert_true(document_verifies(&w, &c.qe_identity, c.qe_identity_signature));

    json_t *info JSON_AUTO = NULL;
    assert_true(json_parse(buf_slice(&c.tcb_info), SIM_DOCUMENT_MAX, 0, &info, &err));
    static const char *const members[] = {"id",        "version",
                                          "issueDate", "nextUpdate",
                                          "fmspc",     "pceId",
                                          "tcbType",   "tcbEvaluationDataNumber",
                                          "tdxModule", "tdxModuleIdentities",
                                          "tcbLevels"};
    size_t at = 0;
    const char *name;
    json_t *value;
    json_object_foreach(info, name, value)
    {
        assert_true(at < sizeof members / sizeof members[0]);
        assert_string_equal(name, members[at++]);
    }
    assert_int_equal(at, sizeof members / sizeof members[0]);
    assert_string_equal(json_string_value(json_object_get(info, "issueDate")),
                        "2026-01-01T00:00:00Z");
    assert_string_equal(json_string_value(json_object_get(info, "nextUpdate")),
                        "2026-01-31T00:00:00Z");
    assert_true(json_array_size(json_object_get(info, "tcbLevels")) >= 4);
    assert_int_equal(json_array_size(json_object_get(info, "tdxModuleIdentities")), 2);
}

static void edited_documents_can_be_signed_again(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    assert_true(sim_collateral_make(&w.pki, &w.collateral, &c, &err));
    assert_true(sim_text_replace(&c.tcb_info, "\"version\":3", "\"version\":4", &err));
    assert_true(sim_text_replace(&c.qe_identity, "\"id\":\"TD_QE\",", "", &err));
    assert_false(document_verifies(&w, &c.tcb_info, c.tcb_info_signature));
    assert_false(document_verifies(&w, &c.qe_identity, c.qe_identity_signature));
    assert_true(sim_collateral_sign_tcb_info(&w.pki, &c, &err));
    assert_true(sim_collateral_sign_qe_identity(&w.pki, &c, &err));
    assert_true(document_verifies(&w, &c.tcb_info, c.tcb_info_signature));
    assert_true(document_verifies(&w, &c.qe_identity, c.qe_identity_signature));
    assert_false(sim_text_replace(&c.tcb_info, "no such text", "", &err));
    assert_true(error_is(&err, "sim/text"));
}

static void the_exchange_object_has_nine_members(void **state)
{
    (void)state;
    static const char *const members[9] = {
        "pck_crl_issuer_chain",     "root_ca_crl", "pck_crl",
        "tcb_info_issuer_chain",    "tcb_info",    "tcb_info_signature",
        "qe_identity_issuer_chain", "qe_identity", "qe_identity_signature"};
    struct sim_world w SIM_WORLD_AUTO;
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    struct buf text BUF_AUTO = BUF_INIT(SIM_COLLATERAL_MAX);
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    assert_true(sim_collateral_make(&w.pki, &w.collateral, &c, &err));
    assert_true(sim_collateral_write(&c, &text, &err));
    json_t *object JSON_AUTO = NULL;
    assert_true(json_parse(buf_slice(&text), SIM_COLLATERAL_MAX, 0, &object, &err));
    assert_int_equal(json_object_size(object), 9);
    for (size_t i = 0; i < 9; i++)
        assert_true(json_is_string(json_object_get(object, members[i])));
    struct slice info;
    assert_true(json_get_str(object, "tcb_info", &info, &err));
    assert_true(slice_equal(info, buf_slice(&c.tcb_info)));
    struct slice crl_hex;
    struct buf crl BUF_AUTO = BUF_INIT(SIM_DER_MAX);
    assert_true(json_get_str(object, "pck_crl", &crl_hex, &err));
    assert_true(hex_decode_append(crl_hex, &crl));
    assert_true(slice_equal(buf_slice(&crl), buf_slice(&c.pck_crl)));
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof report_data; i++)
        report_data[i] = (uint8_t)(i + 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_laid_out_and_signed),
        cmocka_unit_test(td_fields_are_where_they_belong),
        cmocka_unit_test(the_chain_is_pem_leaf_first),
        cmocka_unit_test(padding_follows_the_quote),
        cmocka_unit_test(lies_are_told),
        cmocka_unit_test(crafted_signatures_do_not_verify),
        cmocka_unit_test(documents_are_signed_json_in_intels_order),
        cmocka_unit_test(edited_documents_can_be_signed_again),
        cmocka_unit_test(the_exchange_object_has_nine_members),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
