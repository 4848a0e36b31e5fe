/* AES-256-GCM with a context that keeps its key schedule between calls. */
#include "base/aead.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

struct aead {
    EVP_CIPHER_CTX *seal;
    EVP_CIPHER_CTX *unseal;
};

static bool crypto_error(struct error *err)
{
    return error_set(err, "crypto/aead", NULL, "AES-256-GCM failed in libcrypto");
}

bool aead_open_key(struct aead **out, const uint8_t key[AEAD_KEY_LEN], struct error *err)
{
    struct aead *a = calloc(1, sizeof *a);
    if (a == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    a->seal = EVP_CIPHER_CTX_new();
    a->unseal = EVP_CIPHER_CTX_new();
    if (a->seal == NULL || a->unseal == NULL ||
        EVP_EncryptInit_ex(a->seal, EVP_aes_256_gcm(), NULL, key, NULL) != 1 ||
        EVP_DecryptInit_ex(a->unseal, EVP_aes_256_gcm(), NULL, key, NULL) != 1) {
        aead_free(&a);
        return crypto_error(err);
    }
    *out = a;
    return true;
}

void aead_free(struct aead **a)
{
    if (*a == NULL)
        return;
    EVP_CIPHER_CTX_free((*a)->seal);
    EVP_CIPHER_CTX_free((*a)->unseal);
    free(*a);
    *a = NULL;
}

bool aead_seal_detached(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                        struct slice plain, uint8_t *out, uint8_t tag[AEAD_TAG_LEN],
                        struct error *err)
{
    int len = 0;
    uint8_t nothing[1]; /* GCM writes no bytes at the end, but asks for a place */
    if (plain.len > INT_MAX || aad.len > INT_MAX ||
        EVP_EncryptInit_ex(a->seal, NULL, NULL, NULL, nonce) != 1 ||
        (aad.len > 0 && EVP_EncryptUpdate(a->seal, NULL, &len, aad.data, (int)aad.len) != 1) ||
        (plain.len > 0 && EVP_EncryptUpdate(a->seal, out, &len, plain.data, (int)plain.len) != 1) ||
        EVP_EncryptFinal_ex(a->seal, nothing, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(a->seal, EVP_CTRL_GCM_GET_TAG, AEAD_TAG_LEN, tag) != 1)
        return crypto_error(err);
    return true;
}

bool aead_unseal_begin(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                       struct error *err)
{
    int len = 0;
    if (aad.len > INT_MAX || EVP_DecryptInit_ex(a->unseal, NULL, NULL, NULL, nonce) != 1 ||
        (aad.len > 0 && EVP_DecryptUpdate(a->unseal, NULL, &len, aad.data, (int)aad.len) != 1))
        return crypto_error(err);
    return true;
}

bool aead_unseal_add(struct aead *a, struct slice piece, uint8_t *out, struct error *err)
{
    int len = 0;
    if (piece.len > INT_MAX ||
        (piece.len > 0 && EVP_DecryptUpdate(a->unseal, out, &len, piece.data, (int)piece.len) != 1))
        return crypto_error(err);
    return true;
}

bool aead_unseal_end(struct aead *a, const uint8_t tag[AEAD_TAG_LEN], struct error *err)
{
    int len = 0;
    uint8_t expected[AEAD_TAG_LEN], nothing[1]; /* GCM writes no bytes at the end */
    memcpy(expected, tag, sizeof expected);
    if (EVP_CIPHER_CTX_ctrl(a->unseal, EVP_CTRL_GCM_SET_TAG, AEAD_TAG_LEN, expected) != 1)
        return crypto_error(err);
    return EVP_DecryptFinal_ex(a->unseal, nothing, &len) == 1
               ? true
               : error_set(err, "aead/tag", NULL, "authentication tag does not verify");
}

bool aead_unseal_detached(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                          struct slice body, const uint8_t tag[AEAD_TAG_LEN], uint8_t *out,
                          struct error *err)
{
    if (aead_unseal_begin(a, nonce, aad, err) && aead_unseal_add(a, body, out, err) &&
        aead_unseal_end(a, tag, err))
        return true;
    secret_wipe(out, body.len);
    return false;
}

bool aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
               struct slice plain, uint8_t *out, struct error *err)
{
    return aead_seal_detached(a, nonce, aad, plain, out, &out[plain.len], err);
}

bool aead_unseal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                 struct slice sealed, uint8_t *out, struct error *err)
{
    if (sealed.len < AEAD_TAG_LEN)
        return error_set(err, "aead/tag", NULL, "sealed data of %zu bytes is shorter than its tag",
                         sealed.len);
    struct slice body = slice_cut(sealed, 0, sealed.len - AEAD_TAG_LEN);
    return aead_unseal_detached(a, nonce, aad, body, &sealed.data[body.len], out, err);
}
