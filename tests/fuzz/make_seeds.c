/* Writes the seed corpora of the quote, eventlog, cert, crl, pem and collateral targets:
 * make_seeds <folder of the corpora>. Everything is made up here; nothing comes from real
 * evidence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/file.h"
#include "sim/world.h"
#include "support/der_builder.h"
#include "support/quote_builder.h"

static const char *root;

static void write_seed(const char *what, const char *name, struct slice bytes)
{
    char folder[PATH_TEXT_MAX], path[PATH_TEXT_MAX];
    struct error err;
    if (!path_join(root, what, folder, &err) || !path_join(folder, name, path, &err) ||
        !file_make_dirs(folder, 0755, &err) || !file_write_atomic(path, bytes, 0644, &err))
        fail_msg("%s", err.message);
}

static void quote_seeds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t version;
        enum quote_body_type body;
    } kinds[] = {
        {"v3-sgx", 3, QUOTE_BODY_SGX},         {"v4-sgx", 4, QUOTE_BODY_SGX},
        {"v4-td10", 4, QUOTE_BODY_TD_10},      {"v5-sgx", 5, QUOTE_BODY_SGX},
        {"v5-td10", 5, QUOTE_BODY_TD_10},      {"v5-td15", 5, QUOTE_BODY_TD_15},
        {"v5-td15ex", 5, QUOTE_BODY_TD_15_EX},
    };
    BUF_AUTO struct buf bytes = {0};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct quote_recipe recipe = quote_recipe_of(kinds[i].version, kinds[i].body);
        recipe.trailing = i;
        quote_build(&recipe, &bytes);
        write_seed("quote", kinds[i].name, buf_slice(&bytes));
    }
}

static const char RUNTIME[] =
    "{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"%s\","
    "\"event_payload\":\"%s\"}";
static const char HASH[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static void eventlog_seeds(void **state)
{
    (void)state;
    BUF_AUTO struct buf log = BUF_INIT(65536);
    buf_printf(&log,
               "[{\"imr\":0,\"event_type\":2147483659,\"digest\":\"%s%.32s\",\"event\":\"\","
               "\"event_payload\":\"\"},",
               HASH, HASH);
    buf_printf(&log, RUNTIME, "system-preparing", "");
    buf_append_byte(&log, ',');
    buf_printf(&log, RUNTIME, "compose-hash", HASH);
    buf_append_byte(&log, ',');
    buf_printf(&log, RUNTIME, "system-ready", "");
    buf_append_str(&log, ",{\"imr\":3,\"eventType\":134217729,\"digest\":\"\",\"event\":\"a\","
                         "\"eventPayload\":\"01\",\"version\":2,\"preimage\":\"");
    hex_append(&log, slice_str("{\"name\":\"a\",\"payload\":\"01\",\"type\":134217729}"));
    buf_append_str(&log, "\"}]");
    assert_false(log.failed);
    write_seed("eventlog", "mixed", buf_slice(&log));
    write_seed("eventlog", "empty", slice_str("[]"));
    write_seed("eventlog", "wrapped",
               slice_str("\"[{\\\"imr\\\":3,\\\"event_type\\\":134217729,\\\"digest\\\":\\\"\\\","
                         "\\\"event\\\":\\\"\\u0061\\\",\\\"event_payload\\\":\\\"01\\\"}]\""));
}

static void cert_seeds(void **state)
{
    (void)state;
    der_reset();
    struct cert_parts parts = cert_parts_default();
    write_seed("cert", "ca", cert_build(&parts));
    struct sgx_parts sgx = sgx_parts_default();
    parts.extensions = DER_JOIN(der_extension("551d0f", true, der_hex("030206c0")),
                                der_extension("551d13", true, der_hex("3000")),
                                der_extension(SGX_EXTENSION_OID, false, sgx_build(&sgx)));
    write_seed("cert", "pck-platform", cert_build(&parts));
    sgx.instance = sgx.configuration = slice_of(NULL, 0);
    parts.extensions = der_extension(SGX_EXTENSION_OID, false, sgx_build(&sgx));
    parts.validity = DER_SEQ(der_tlv(DER_GENERALIZED_TIME, slice_str("20200101000000Z")),
                             der_tlv(DER_GENERALIZED_TIME, slice_str("20600101000000Z")));
    write_seed("cert", "pck-processor", cert_build(&parts));
}

static void crl_seeds(void **state)
{
    (void)state;
    der_reset();
    struct crl_parts parts = crl_parts_default();
    write_seed("crl", "two-revoked", crl_build(&parts));
    parts.revoked = slice_of(NULL, 0);
    write_seed("crl", "none-revoked", crl_build(&parts));
}

static void put_pem(struct buf *out, const char *label, struct slice der, const char *line_end)
{
    BUF_AUTO struct buf text = BUF_INIT(65536);
    assert_true(base64_append(&text, der));
    buf_printf(out, "-----BEGIN %s-----%s", label, line_end);
    for (size_t at = 0; at < text.len; at += 64) {
        buf_append(out, slice_cut(buf_slice(&text), at, 64));
        buf_append_str(out, line_end);
    }
    buf_printf(out, "-----END %s-----%s", label, line_end);
    assert_false(out->failed);
}

static void pem_seeds(void **state)
{
    (void)state;
    der_reset();
    BUF_AUTO struct buf pem = BUF_INIT(65536), hex = BUF_INIT(65536), percent = BUF_INIT(65536);
    struct cert_parts cert = cert_parts_default();
    struct crl_parts crl = crl_parts_default();
    put_pem(&pem, "CERTIFICATE", cert_build(&cert), "\n");
    put_pem(&pem, "CERTIFICATE", cert_build(&cert), "\r\n");
    buf_append_byte(&pem, 0);
    write_seed("pem", "chain", buf_slice(&pem));
    for (size_t i = 0; i < pem.len; i++)
        if (pem.data[i] == '\n' || pem.data[i] == '+')
            buf_printf(&percent, "%%%02X", pem.data[i]);
        else
            buf_append_byte(&percent, pem.data[i]);
    write_seed("pem", "percent", buf_slice(&percent));
    buf_reset(&pem);
    put_pem(&pem, "X509 CRL", crl_build(&crl), "\n");
    write_seed("pem", "crl-pem", buf_slice(&pem));
    assert_true(hex_append(&hex, crl_build(&crl)));
    write_seed("pem", "crl-hex", buf_slice(&hex));
}

/* Documents, the nine-member object, and replies behind the letter that says which. */
static void collateral_seeds(void **state)
{
    (void)state;
    for (int tdx = 0; tdx <= 1; tdx++) {
        SIM_WORLD_AUTO struct sim_world w = {0};
        SIM_COLLATERAL_AUTO struct sim_collateral c = {0};
        BUF_AUTO struct buf file = BUF_INIT(1 << 20);
        BUF_AUTO struct buf reply = BUF_INIT(1 << 20);
        BUF_AUTO struct buf crl = BUF_INIT(1 << 16);
        struct error err;
        const struct sim_world_options options = {.now_s = 1767225600,
                                                  .quote_version = tdx != 0 ? 4 : 3};
        if (!sim_world_create(&w, &options, &err) ||
            !sim_collateral_make(&w.pki, &w.collateral, &c, &err) ||
            !sim_collateral_write(&c, &file, &err))
            fail_msg("%s", err.message);
        const char *name = tdx != 0 ? "tdx" : "sgx";
        write_seed("tcbinfo", name, buf_slice(&c.tcb_info));
        write_seed("qeidentity", name, buf_slice(&c.qe_identity));
        write_seed("collateral", name, buf_slice(&file));
        buf_append_str(&reply, "q{\"enclaveIdentity\":");
        buf_append(&reply, buf_slice(&c.qe_identity));
        buf_printf(&reply, ",\"signature\":\"%s\"}", c.qe_identity_signature);
        write_seed("collateral", tdx != 0 ? "reply-tdx" : "reply-sgx", buf_slice(&reply));
        buf_append_str(&crl, "c");
        buf_append(&crl, buf_slice(&c.pck_crl));
        write_seed("collateral", "crl", buf_slice(&crl));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest seeds[] = {
        cmocka_unit_test(quote_seeds), cmocka_unit_test(eventlog_seeds),
        cmocka_unit_test(cert_seeds),  cmocka_unit_test(crl_seeds),
        cmocka_unit_test(pem_seeds),   cmocka_unit_test(collateral_seeds)};
    if (argc != 2) {
        fprintf(stderr, "usage: make_seeds FOLDER\n");
        return 2;
    }
    root = argv[1];
    return cmocka_run_group_tests(seeds, NULL, NULL);
}
