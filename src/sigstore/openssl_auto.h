/* OpenSSL objects that free themselves at scope end. */
#ifndef SIGSTORE_OPENSSL_AUTO_H
#define SIGSTORE_OPENSSL_AUTO_H

#include <openssl/ts.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define SIGSTORE_AUTO(type, name, free_function)                                                   \
    static inline void sigstore_auto_##name(type **object)                                         \
    {                                                                                              \
        free_function(*object);                                                                    \
    }

SIGSTORE_AUTO(X509, x509, X509_free)
SIGSTORE_AUTO(X509_STORE, store, X509_STORE_free)
SIGSTORE_AUTO(X509_STORE_CTX, store_ctx, X509_STORE_CTX_free)
SIGSTORE_AUTO(STACK_OF(X509), borrowed_stack, sk_X509_free)
SIGSTORE_AUTO(EVP_PKEY_CTX, pkey_ctx, EVP_PKEY_CTX_free)
SIGSTORE_AUTO(EVP_MD_CTX, md_ctx, EVP_MD_CTX_free)
SIGSTORE_AUTO(GENERAL_NAMES, names, GENERAL_NAMES_free)
SIGSTORE_AUTO(TS_RESP, ts_resp, TS_RESP_free)
SIGSTORE_AUTO(ASN1_OCTET_STRING, octets, ASN1_OCTET_STRING_free)
SIGSTORE_AUTO(ASN1_UTF8STRING, utf8, ASN1_UTF8STRING_free)

static inline void sigstore_auto_bytes(unsigned char **bytes)
{
    OPENSSL_free(*bytes);
}

#define AUTO(name) __attribute__((cleanup(sigstore_auto_##name)))

#endif
