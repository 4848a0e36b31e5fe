/* Keys and signatures through OpenSSL. Its results are 1, 0 or negative: only 1 is a yes. */
#include "sigstore/key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "sigstore/limits.h"
#include "sigstore/openssl_auto.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096, CURVE_NAME_MAX = 32, SPKI_MAX = 4096 };

static const EVP_MD *md_of(enum sigstore_hash hash)
{
    return hash == SIGSTORE_SHA256 ? EVP_sha256()
                                   : (hash == SIGSTORE_SHA384 ? EVP_sha384() : EVP_sha512());
}

static bool named_curve(EVP_PKEY *key, enum sigstore_key_kind *out)
{
    static const struct {
        const char *name;
        enum sigstore_key_kind kind;
    } curves[] = {
        {"prime256v1", SIGSTORE_KEY_P256},
        {"secp384r1", SIGSTORE_KEY_P384},
        {"secp521r1", SIGSTORE_KEY_P521},
    };
    char name[CURVE_NAME_MAX], encoding[CURVE_NAME_MAX];
    if (EVP_PKEY_get_group_name(key, name, sizeof name, NULL) != 1 ||
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding,
                                       NULL) != 1 ||
        strcmp(encoding, OSSL_PKEY_EC_ENCODING_GROUP) != 0)
        return false;
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (strcmp(name, curves[i].name) == 0) {
            *out = curves[i].kind;
            return true;
        }
    return false;
}

bool sigstore_key_kind_of(EVP_PKEY *key, enum sigstore_key_kind *out)
{
    if (EVP_PKEY_is_a(key, "EC"))
        return named_curve(key, out);
    if (EVP_PKEY_is_a(key, "ED25519"))
        return *out = SIGSTORE_KEY_ED25519, true;
    int bits = EVP_PKEY_get_bits(key);
    if (!EVP_PKEY_is_a(key, "RSA") || bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return false;
    *out = SIGSTORE_KEY_RSA;
    return true;
}

enum sigstore_hash sigstore_key_hash(enum sigstore_key_kind kind)
{
    switch (kind) {
    case SIGSTORE_KEY_P384:
        return SIGSTORE_SHA384;
    case SIGSTORE_KEY_P521:
        return SIGSTORE_SHA512;
    case SIGSTORE_KEY_P256:
    case SIGSTORE_KEY_RSA:
    case SIGSTORE_KEY_ED25519:
        break;
    }
    return SIGSTORE_SHA256;
}

const char *sigstore_key_proto_name(EVP_PKEY *key)
{
    enum sigstore_key_kind kind;
    if (!sigstore_key_kind_of(key, &kind))
        return NULL;
    switch (kind) {
    case SIGSTORE_KEY_P256:
        return "PKIX_ECDSA_P256_SHA_256";
    case SIGSTORE_KEY_P384:
        return "PKIX_ECDSA_P384_SHA_384";
    case SIGSTORE_KEY_P521:
        return "PKIX_ECDSA_P521_SHA_512";
    case SIGSTORE_KEY_ED25519:
        return "PKIX_ED25519";
    case SIGSTORE_KEY_RSA:
        break;
    }
    switch (EVP_PKEY_get_bits(key)) {
    case 2048:
        return "PKIX_RSA_PKCS1V15_2048_SHA256";
    case 3072:
        return "PKIX_RSA_PKCS1V15_3072_SHA256";
    case 4096:
        return "PKIX_RSA_PKCS1V15_4096_SHA256";
    default:
        return NULL;
    }
}

EVP_PKEY *sigstore_key_from_spki(struct slice der)
{
    const unsigned char *at = der.data;
    if (der.len == 0 || der.len > SPKI_MAX)
        return NULL;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)der.len);
    if (key != NULL && at != &der.data[der.len]) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_clear_error();
    return key;
}

EVP_PKEY *sigstore_key_from_pkcs1(struct slice der)
{
    const unsigned char *at = der.data;
    if (der.len == 0 || der.len > SPKI_MAX)
        return NULL;
    EVP_PKEY *key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)der.len);
    if (key != NULL && at != &der.data[der.len]) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_clear_error();
    return key;
}

bool sigstore_key_verify_digest(EVP_PKEY *key, const struct sigstore_digest *digest,
                                struct slice signature)
{
    enum sigstore_key_kind kind;
    if (!sigstore_key_kind_of(key, &kind) || kind == SIGSTORE_KEY_ED25519 ||
        sigstore_key_hash(kind) != digest->hash || signature.len == 0 ||
        signature.len > SIGSTORE_SIGNATURE_MAX)
        return false;
    AUTO(pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok =
        ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
        (kind != SIGSTORE_KEY_RSA || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1) &&
        EVP_PKEY_CTX_set_signature_md(ctx, md_of(digest->hash)) == 1 &&
        EVP_PKEY_verify(ctx, signature.data, signature.len, digest->bytes,
                        sigstore_hash_len(digest->hash)) == 1;
    ERR_clear_error();
    return ok;
}

static bool verify_ed25519(EVP_PKEY *key, struct slice message, struct slice signature)
{
    AUTO(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len) == 1;
    ERR_clear_error();
    return ok;
}

bool sigstore_key_verify(EVP_PKEY *key, struct slice message, struct slice signature)
{
    enum sigstore_key_kind kind;
    struct sigstore_digest digest;
    if (!sigstore_key_kind_of(key, &kind) || signature.len == 0)
        return false;
    if (kind == SIGSTORE_KEY_ED25519)
        return verify_ed25519(key, message, signature);
    return sigstore_digest_of(sigstore_key_hash(kind), message, &digest) &&
           sigstore_key_verify_digest(key, &digest, signature);
}
