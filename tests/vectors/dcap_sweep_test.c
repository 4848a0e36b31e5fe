/* One bit flipped at every byte of three real quotes: only the padding behind the quote may change
 * without being noticed, PEM text included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/dcap_case.h"
#include "support/vectors.h"

static struct dcap_root intel;

static void sweep(const char *name, int64_t now_s)
{
    char path[256];
    BUF_AUTO struct buf quote = BUF_INIT(1 << 20);
    BUF_AUTO struct buf json = BUF_INIT(1 << 20);
    COLLATERAL_AUTO struct collateral documents;
    struct quote q;
    struct verdict v;
    struct error err;
    size_t padding = 0;
    snprintf(path, sizeof path, "dcap/real/%s/quote.bin", name);
    vectors_read(path, &quote);
    snprintf(path, sizeof path, "dcap/real/%s/collateral.json", name);
    vectors_read(path, &json);
    if (!collateral_read(buf_slice(&json), &documents, &err) ||
        !quote_parse(buf_slice(&quote), &q, &err) ||
        !dcap_verify(buf_slice(&quote), &documents, &intel, NULL, now_s, &v, &err))
        fail_msg("%s: %s", name, err.message);
    size_t exact = q.exact.len;
    for (size_t at = 0; at < quote.len; at++) {
        uint8_t bit = (uint8_t)(1u << (at * 5 % 8));
        quote.data[at] ^= bit;
        bool accepted = dcap_verify(buf_slice(&quote), &documents, &intel, NULL, now_s, &v, NULL);
        quote.data[at] ^= bit;
        if (accepted != (at >= exact))
            fail_msg("%s: byte %zu of %zu flipped: %s", name, at, exact,
                     accepted ? "accepted" : "refused");
        padding += accepted;
    }
    print_message("%s: %zu bytes, %zu of padding\n", name, quote.len, padding);
}

static void v3_sgx(void **state)
{
    (void)state;
    sweep("SecretNetwork-attestation_dcap.quote", 1749669497);
}

static void v4_tdx(void **state)
{
    (void)state;
    sweep("dcap-qvl-tdx_quote", 1751624191);
}

static void v5_tdx(void **state)
{
    (void)state;
    sweep("openenclave-tdx_quote_v5", 1782599235);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(v3_sgx), cmocka_unit_test(v4_tdx),
                                       cmocka_unit_test(v5_tdx)};
    vectors_require("dcap/real");
    if (!dcap_root_open_intel(&intel, NULL))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dcap_root_close(&intel);
    return failed;
}
