/* CRLs: OpenSSL reads every accepted one alike, entry by entry, unless it refuses it for a part
 * that is not looked into here. */
#include <stdlib.h>
#include <string.h>

#include "support/x509_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct x509_crl crl;
    struct error err = {0};
    if (!x509_crl_parse(slice_of(data, size), &crl, &err)) {
        if (!error_is(&err, "crl/"))
            abort();
        return 0;
    }
    const char *differs = oracle_crl_differs(&crl);
    if (differs != NULL && strcmp(differs, "OpenSSL refuses it") != 0)
        abort();
    return 0;
}
