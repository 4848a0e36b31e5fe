/* Development builds: a root other than Intel's. */
#include "dcap/cert_role.h"
#include "dcap/root.h"
#include "x509/pem.h"

#include <string.h>

bool dcap_root_open_pem(struct slice pem, struct dcap_root *out, struct error *err)
{
    struct x509_chain chain;
    struct x509_cert cert;
    struct dcap_root root = {.known_count = 0};
    if (!x509_chain_from_pem(pem, &chain, err))
        return error_prefix(err, "trusted root");
    if (chain.count != 1)
        return error_set(err, "cert/root", "root", "the trusted root is one certificate, not %zu",
                         chain.count);
    if (!x509_cert_parse(chain.der[0], &cert, err))
        return error_prefix(err, "trusted root");
    memcpy(root.point, cert.public_key, sizeof root.point);
    if (!p256_key_open(root.point, &root.key, err))
        return false;
    if (!dcap_root_check(&root, &cert, "root", err)) {
        dcap_root_close(&root);
        return false;
    }
    sha256(cert.der, root.known[0]);
    root.known_count = 1;
    *out = root;
    return true;
}
