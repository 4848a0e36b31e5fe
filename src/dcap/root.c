/* The trust anchor, and Intel's as a constant. */
#include "dcap/root.h"

#include <string.h>

#include "dcap/cert_role.h"

/* x || y of the key in data/intel-sgx-root.pem. */
static const uint8_t intel_point[P256_POINT_LEN] = {
    0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61, 0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0, 0x2c, 0xda, 0x10,
    0xa8, 0xbb, 0xd4, 0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61, 0xa3, 0x6e, 0x70, 0x55, 0x25, 0xf5,
    0x67, 0x91, 0x8e, 0x2e, 0xdc, 0x88, 0xe4, 0x0d, 0x86, 0x0b, 0xd0, 0xcc, 0x4e, 0xe2, 0x6a, 0xac,
    0xc9, 0x88, 0xe5, 0x05, 0xa9, 0x53, 0x55, 0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94};

/* SHA-256 of that certificate. */
static const uint8_t intel_certificate[SHA256_LEN] = {
    0x44, 0xa0, 0x19, 0x6b, 0x2b, 0x99, 0xf8, 0x89, 0xb8, 0xe1, 0x49, 0xe9, 0x5b, 0x80, 0x7a, 0x35,
    0x0e, 0x74, 0x24, 0x96, 0x43, 0x99, 0xe8, 0x85, 0xa7, 0xcb, 0xb8, 0xcc, 0xfa, 0xb6, 0x74, 0xd3};

bool dcap_root_open_intel(struct dcap_root *out, struct error *err)
{
    struct dcap_root root = {.known_count = 1};
    memcpy(root.point, intel_point, sizeof root.point);
    memcpy(root.known[0], intel_certificate, SHA256_LEN);
    if (!p256_key_open(root.point, &root.key, err))
        return false;
    *out = root;
    return true;
}

void dcap_root_close(struct dcap_root *root)
{
    p256_key_free(&root->key);
}

static bool is_known(const struct dcap_root *root, struct slice der)
{
    uint8_t digest[SHA256_LEN];
    sha256(der, digest);
    for (size_t i = 0; i < root->known_count; i++)
        if (memcmp(root->known[i], digest, SHA256_LEN) == 0)
            return true;
    return false;
}

bool dcap_root_check(const struct dcap_root *root, const struct x509_cert *cert, const char *field,
                     struct error *err)
{
    if (memcmp(cert->public_key, root->point, sizeof root->point) != 0)
        return error_set(err, "cert/root", field, "%s is not for the trusted root key", field);
    if (is_known(root, cert->der))
        return true;
    return cert_role_check(cert, CERT_ROOT_CA, field, err) &&
           cert_role_check_issuer(cert, cert, root->key, field, err);
}
