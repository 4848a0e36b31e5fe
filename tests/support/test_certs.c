/* Certificates through OpenSSL's API. */
#include "support/test_certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void path_of(const char *dir, const char *name, const char *suffix, char out[512])
{
    int len = snprintf(out, 512, "%s/%s.%s", dir, name, suffix);
    NEED(len > 0 && len < 512);
}

static void load_issuer(const char *dir, const char *name, X509 **cert, EVP_PKEY **key)
{
    char path[512];
    path_of(dir, name, "pem", path);
    FILE *f = fopen(path, "r");
    NEED(f != NULL && (*cert = PEM_read_X509(f, NULL, NULL, NULL)) != NULL);
    fclose(f);
    path_of(dir, name, "key", path);
    f = fopen(path, "r");
    NEED(f != NULL && (*key = PEM_read_PrivateKey(f, NULL, NULL, NULL)) != NULL);
    fclose(f);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    NEED(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
    X509_EXTENSION_free(ext);
}

static void add_extensions(X509 *cert, X509 *issuer, enum test_cert_use use)
{
    bool ca = use == TEST_CERT_CA;
    add_extension(cert, issuer, NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE");
    add_extension(cert, issuer, NID_key_usage,
                  ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    add_extension(cert, issuer, NID_subject_key_identifier, "hash");
    if (ca)
        return;
    add_extension(cert, issuer, NID_ext_key_usage,
                  use == TEST_CERT_SERVER ? "serverAuth" : "clientAuth");
    add_extension(cert, issuer, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
}

static X509 *make(const struct test_cert *c, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial = 1;
    bool hour = c->from_s == 0 && c->until_s == 0;
    X509 *cert = X509_new();
    X509_NAME *name = X509_NAME_new();
    NEED(cert != NULL && name != NULL);
    NEED(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)c->name, -1,
                                    -1, 0));
    NEED(X509_set_version(cert, X509_VERSION_3));
    NEED(ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++));
    NEED(X509_gmtime_adj(X509_getm_notBefore(cert), hour ? -3600 : c->from_s));
    NEED(X509_gmtime_adj(X509_getm_notAfter(cert), hour ? 3600 : c->until_s));
    NEED(X509_set_subject_name(cert, name) && X509_set_pubkey(cert, key));
    NEED(X509_set_issuer_name(cert, issuer != NULL ? X509_get_subject_name(issuer) : name));
    add_extensions(cert, issuer != NULL ? issuer : cert, c->use);
    NEED(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    X509_NAME_free(name);
    return cert;
}

static void save(const char *dir, const char *name, X509 *cert, EVP_PKEY *key)
{
    char path[512];
    path_of(dir, name, "pem", path);
    FILE *f = fopen(path, "w");
    NEED(f != NULL && PEM_write_X509(f, cert) == 1 && fclose(f) == 0);
    path_of(dir, name, "key", path);
    f = fopen(path, "w");
    NEED(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 &&
         fclose(f) == 0);
}

void test_cert_make(const char *dir, const struct test_cert *cert)
{
    X509 *issuer = NULL;
    EVP_PKEY *issuer_key = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    NEED(key != NULL);
    if (cert->issuer != NULL)
        load_issuer(dir, cert->issuer, &issuer, &issuer_key);
    X509 *made = make(cert, key, issuer, issuer_key != NULL ? issuer_key : key);
    save(dir, cert->name, made, key);
    X509_free(made);
    X509_free(issuer);
    EVP_PKEY_free(issuer_key);
    EVP_PKEY_free(key);
}
