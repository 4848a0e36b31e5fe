/* Element of a record: x = SipHash(place) xor tag; AES-256(x) followed by AES-256(complement of x),
 * as four 64-bit lanes. */
#include "store/setroot.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct set_hasher {
    EVP_CIPHER_CTX *aes;
    uint8_t places[crypto_shorthash_siphashx24_KEYBYTES];
};

bool set_hasher_open(struct set_hasher **out, const struct name_keys *keys, struct error *err)
{
    struct set_hasher *h = calloc(1, sizeof *h);
    if (h == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    memcpy(h->places, keys->places, sizeof h->places);
    h->aes = EVP_CIPHER_CTX_new();
    if (h->aes == NULL ||
        EVP_EncryptInit_ex(h->aes, EVP_aes_256_ecb(), NULL, keys->root, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(h->aes, 0) != 1) {
        set_hasher_free(&h);
        return error_set(err, "crypto/aes", NULL, "AES-256 failed in libcrypto");
    }
    *out = h;
    return true;
}

void set_hasher_free(struct set_hasher **h)
{
    if (*h == NULL)
        return;
    EVP_CIPHER_CTX_free((*h)->aes);
    secret_wipe(*h, sizeof **h);
    free(*h);
    *h = NULL;
}

/* With a key set, two whole blocks in and out cannot fail for any input. */
static struct set_root element(struct set_hasher *h, struct slice place, struct slice sealed)
{
    uint8_t in[STATE_ROOT_LEN], out[STATE_ROOT_LEN];
    int len = 0;
    _Static_assert(crypto_shorthash_siphashx24_BYTES == AEAD_TAG_LEN, "place and tag are as long");
    if (sealed.len < AEAD_TAG_LEN)
        abort();
    crypto_shorthash_siphashx24(in, place.data, place.len, h->places);
    for (size_t i = 0; i < AEAD_TAG_LEN; i++) {
        in[i] ^= sealed.data[sealed.len - AEAD_TAG_LEN + i];
        in[AEAD_TAG_LEN + i] = (uint8_t)~in[i];
    }
    if (EVP_EncryptUpdate(h->aes, out, &len, in, (int)sizeof in) != 1 || len != (int)sizeof out)
        abort();
    struct set_root e;
    set_root_decode(out, &e);
    return e;
}

void set_root_add(struct set_hasher *h, struct set_root *root, struct slice place,
                  struct slice sealed)
{
    struct set_root e = element(h, place, sealed);
    for (unsigned i = 0; i < 4; i++)
        root->lanes[i] += e.lanes[i];
}

void set_root_remove(struct set_hasher *h, struct set_root *root, struct slice place,
                     struct slice sealed)
{
    struct set_root e = element(h, place, sealed);
    for (unsigned i = 0; i < 4; i++)
        root->lanes[i] -= e.lanes[i];
}

void set_root_encode(const struct set_root *root, uint8_t out[STATE_ROOT_LEN])
{
    for (size_t i = 0; i < 4; i++)
        store_u64be(&out[8 * i], root->lanes[i]);
}

void set_root_decode(const uint8_t in[STATE_ROOT_LEN], struct set_root *out)
{
    for (size_t i = 0; i < 4; i++)
        out->lanes[i] = load_u64be(&in[8 * i]);
}

bool set_root_equal(const struct set_root *a, const struct set_root *b)
{
    return bytes_equal_ct(a->lanes, b->lanes, sizeof a->lanes);
}
