/* The text forms: chains, percent-encoding, CRLs in any encoding. A chain that reads holds what it
 * says it holds. */
#include <stdlib.h>

#include "x509/pem.h"
#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct x509_chain chain;
    struct slice text = slice_of(data, size);
    struct error err = {0};
    if (x509_chain_from_pem(text, &chain, &err)) {
        size_t sum = 0;
        for (size_t i = 0; i < chain.count; i++)
            sum += chain.der[i].len;
        check(chain.count > 0 && sum == chain.used && sum < size);
    } else {
        check(chain.count == 0 && error_is(&err, "chain/"));
    }
    BUF_AUTO struct buf decoded = BUF_INIT(X509_CHAIN_TEXT_MAX), crl = BUF_INIT(X509_CRL_LEN_MAX);
    check(x509_percent_decode(text, &decoded, &err) ? decoded.len <= size : decoded.len == 0);
    check(x509_crl_decode(text, &crl, &err) ? crl.len > 0 : crl.len == 0);
    return 0;
}
