/* Certificates: OpenSSL reads every accepted one alike, unless it refuses it for a part that is not
 * looked into here. The SGX extension only must not crash. */
#include <stdlib.h>
#include <string.h>

#include "support/x509_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct x509_cert cert;
    struct x509_sgx sgx;
    struct error err = {0};
    if (!x509_cert_parse(slice_of(data, size), &cert, &err)) {
        if (!error_is(&err, "cert/"))
            abort();
        return 0;
    }
    (void)!x509_sgx_parse(&cert, &sgx, &err);
    const char *differs = oracle_cert_differs(&cert);
    if (differs != NULL && strcmp(differs, "OpenSSL refuses it") != 0)
        abort();
    return 0;
}
