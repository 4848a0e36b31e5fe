/* Names and rights of the five kinds of certificates. */
#include "dcap/cert_role.h"

static const struct {
    const char *common_name;
    bool is_ca;
    uint16_t usage;
} roles[CERT_ROLES] = {
    [CERT_ROOT_CA] = {"Intel SGX Root CA", true, X509_USE_KEY_CERT_SIGN | X509_USE_CRL_SIGN},
    [CERT_PCK_PLATFORM_CA] = {"Intel SGX PCK Platform CA", true,
                              X509_USE_KEY_CERT_SIGN | X509_USE_CRL_SIGN},
    [CERT_PCK_PROCESSOR_CA] = {"Intel SGX PCK Processor CA", true,
                               X509_USE_KEY_CERT_SIGN | X509_USE_CRL_SIGN},
    [CERT_PCK] = {"Intel SGX PCK Certificate", false, X509_USE_DIGITAL_SIGNATURE},
    [CERT_TCB_SIGNING] = {"Intel SGX TCB Signing", false, X509_USE_DIGITAL_SIGNATURE},
};

bool cert_role_of(const struct x509_cert *cert, enum cert_role *out)
{
    for (enum cert_role r = CERT_ROOT_CA; r < CERT_ROLES; r++) {
        if (slice_equal_str(cert->subject.cn, roles[r].common_name)) {
            *out = r;
            return true;
        }
    }
    return false;
}

bool cert_role_check(const struct x509_cert *cert, enum cert_role role, const char *field,
                     struct error *err)
{
    if (!slice_equal_str(cert->subject.cn, roles[role].common_name))
        return error_set(err, "cert/subject", field, "%s is for \"%.*s\", not for \"%s\"", field,
                         (int)cert->subject.cn.len, (const char *)cert->subject.cn.data,
                         roles[role].common_name);
    if (!cert->has_basic_constraints || cert->is_ca != roles[role].is_ca)
        return error_set(err, "cert/constraints", field, "%s %s a certificate authority", field,
                         roles[role].is_ca ? "is not" : "must not be");
    if (!cert->has_key_usage || (cert->key_usage & roles[role].usage) != roles[role].usage)
        return error_set(err, "cert/extension", field, "%s has not the key usage of \"%s\"", field,
                         roles[role].common_name);
    if (!cert->has_authority_key_id || !cert->has_subject_key_id ||
        !cert->has_crl_distribution_points)
        return error_set(err, "cert/extension", field,
                         "%s lacks a key identifier or a CRL distribution point", field);
    return true;
}

bool cert_role_check_issuer(const struct x509_cert *cert, const struct x509_cert *issuer,
                            const struct p256_key *issuer_key, const char *field, struct error *err)
{
    if (!x509_issued_by(cert, issuer))
        return error_set(err, "cert/issuer", field, "%s names another issuer than \"%.*s\"", field,
                         (int)issuer->subject.cn.len, (const char *)issuer->subject.cn.data);
    if (!x509_cert_verify(cert, issuer_key, NULL))
        return error_set(err, "cert/signature", field, "%s is not signed by \"%.*s\"", field,
                         (int)issuer->subject.cn.len, (const char *)issuer->subject.cn.data);
    return true;
}
