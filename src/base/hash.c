/* Digests through OpenSSL with algorithms fetched once. */
#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>

static EVP_MD *md_sha256, *md_sha384;
static EVP_MAC *mac_hmac;
static EVP_KDF *kdf_hkdf;
static pthread_once_t md_once = PTHREAD_ONCE_INIT;

static void md_fetch(void)
{
    md_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    md_sha384 = EVP_MD_fetch(NULL, "SHA384", NULL);
    mac_hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    kdf_hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
}

/* A digest cannot fail for any input, only for want of memory or of a working libcrypto: no safe
 * way on. */
static void digest_parts(EVP_MD *const *md, const struct slice *parts, size_t count, uint8_t *out)
{
    pthread_once(&md_once, md_fetch);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && *md != NULL && EVP_DigestInit_ex2(ctx, *md, NULL) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].len == 0 || EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        abort();
}

void sha256_parts(const struct slice *parts, size_t count, uint8_t out[SHA256_LEN])
{
    digest_parts(&md_sha256, parts, count, out);
}

void sha256(struct slice in, uint8_t out[SHA256_LEN])
{
    sha256_parts(&in, 1, out);
}

struct sha256_stream {
    EVP_MD_CTX *ctx;
};

bool sha256_begin(struct sha256_stream **out, struct error *err)
{
    pthread_once(&md_once, md_fetch);
    struct sha256_stream *h = calloc(1, sizeof *h);
    if (h == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    h->ctx = EVP_MD_CTX_new();
    if (h->ctx == NULL || md_sha256 == NULL || EVP_DigestInit_ex2(h->ctx, md_sha256, NULL) != 1) {
        sha256_free(&h);
        return error_set(err, "memory", NULL, "libcrypto cannot start SHA-256");
    }
    *out = h;
    return true;
}

void sha256_add(struct sha256_stream *h, struct slice piece)
{
    if (piece.len > 0 && EVP_DigestUpdate(h->ctx, piece.data, piece.len) != 1)
        abort();
}

void sha256_finish(struct sha256_stream *h, uint8_t out[SHA256_LEN])
{
    if (EVP_DigestFinal_ex(h->ctx, out, NULL) != 1 || EVP_DigestInit_ex2(h->ctx, NULL, NULL) != 1)
        abort();
}

void sha256_free(struct sha256_stream **h)
{
    if (*h == NULL)
        return;
    EVP_MD_CTX_free((*h)->ctx);
    free(*h);
    *h = NULL;
}

void sha384_parts(const struct slice *parts, size_t count, uint8_t out[SHA384_LEN])
{
    digest_parts(&md_sha384, parts, count, out);
}

void sha384(struct slice in, uint8_t out[SHA384_LEN])
{
    sha384_parts(&in, 1, out);
}

void hmac_sha256(struct slice key, const struct slice *parts, size_t count, uint8_t out[SHA256_LEN])
{
    pthread_once(&md_once, md_fetch);
    EVP_MAC_CTX *ctx = mac_hmac != NULL ? EVP_MAC_CTX_new(mac_hmac) : NULL;
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    static const uint8_t empty_key[1];
    bool ok =
        ctx != NULL && EVP_MAC_init(ctx, key.len > 0 ? key.data : empty_key, key.len, params) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].len == 0 || EVP_MAC_update(ctx, parts[i].data, parts[i].len) == 1;
    ok = ok && EVP_MAC_final(ctx, out, NULL, SHA256_LEN) == 1;
    EVP_MAC_CTX_free(ctx);
    if (!ok)
        abort();
}

static OSSL_PARAM octets(const char *name, struct slice s)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)s.data, s.len);
}

bool hkdf_sha256(struct slice salt, struct slice ikm, struct slice info, uint8_t *out,
                 size_t out_len, struct error *err)
{
    pthread_once(&md_once, md_fetch);
    char digest[] = "SHA256";
    OSSL_PARAM params[5] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                            octets(OSSL_KDF_PARAM_KEY, ikm)};
    size_t used = 2;
    if (salt.len > 0)
        params[used++] = octets(OSSL_KDF_PARAM_SALT, salt);
    if (info.len > 0)
        params[used++] = octets(OSSL_KDF_PARAM_INFO, info);
    params[used] = OSSL_PARAM_construct_end();
    EVP_KDF_CTX *ctx = kdf_hkdf != NULL ? EVP_KDF_CTX_new(kdf_hkdf) : NULL;
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, out, out_len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    return ok ? true : error_set(err, "crypto/hkdf", NULL, "HKDF-SHA256 failed in libcrypto");
}
