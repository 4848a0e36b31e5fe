/* AES-256-GCM through base/aead; the suite "none" copies and appends a keyed BLAKE2b checksum. */
#include "store/suite.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

struct sealer {
    struct aead *aead; /* NULL: suite none */
    uint8_t checksum_key[AEAD_KEY_LEN];
    crypto_generichash_state *checksum; /* apart, for it wants to lie on a cache line */
};

bool sealer_open(struct sealer **out, enum store_suite suite, const uint8_t key[AEAD_KEY_LEN],
                 struct error *err)
{
    SEALER_AUTO struct sealer *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (suite == SUITE_AES256_GCM) {
        if (!aead_open_key(&s->aead, key, err))
            return false;
    } else {
        memcpy(s->checksum_key, key, sizeof s->checksum_key);
        s->checksum = aligned_alloc(64, (sizeof *s->checksum + 63) / 64 * 64);
        if (s->checksum == NULL)
            return error_set(err, "memory", NULL, "out of memory");
    }
    *out = s;
    s = NULL;
    return true;
}

void sealer_free(struct sealer **s)
{
    if (*s == NULL)
        return;
    aead_free(&(*s)->aead);
    free((*s)->checksum);
    secret_wipe(*s, sizeof **s);
    free(*s);
    *s = NULL;
}

/* BLAKE2b-128 of nonce, length of the additional data, additional data, plaintext. */
static void checksum_begin(struct sealer *s, const uint8_t *nonce, struct slice aad)
{
    uint8_t aad_len[8];
    store_u64be(aad_len, aad.len);
    crypto_generichash_init(s->checksum, s->checksum_key, sizeof s->checksum_key, AEAD_TAG_LEN);
    crypto_generichash_update(s->checksum, nonce, AEAD_NONCE_LEN);
    crypto_generichash_update(s->checksum, aad_len, sizeof aad_len);
    crypto_generichash_update(s->checksum, aad.data, aad.len);
}

static void copy(uint8_t *out, struct slice plain)
{
    if (plain.len > 0 && out != plain.data)
        memcpy(out, plain.data, plain.len);
}

bool sealer_seal(struct sealer *s, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                 struct slice plain, uint8_t *out, uint8_t tag[AEAD_TAG_LEN], struct error *err)
{
    if (s->aead != NULL)
        return aead_seal_detached(s->aead, nonce, aad, plain, out, tag, err);
    checksum_begin(s, nonce, aad);
    crypto_generichash_update(s->checksum, plain.data, plain.len);
    crypto_generichash_final(s->checksum, tag, AEAD_TAG_LEN);
    copy(out, plain);
    return true;
}

bool sealer_unseal_begin(struct sealer *s, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                         struct error *err)
{
    if (s->aead != NULL)
        return aead_unseal_begin(s->aead, nonce, aad, err);
    checksum_begin(s, nonce, aad);
    return true;
}

bool sealer_unseal_add(struct sealer *s, struct slice piece, uint8_t *out, struct error *err)
{
    if (s->aead != NULL)
        return aead_unseal_add(s->aead, piece, out, err);
    crypto_generichash_update(s->checksum, piece.data, piece.len);
    copy(out, piece);
    return true;
}

bool sealer_unseal_end(struct sealer *s, const uint8_t tag[AEAD_TAG_LEN], struct error *err)
{
    uint8_t expected[AEAD_TAG_LEN];
    if (s->aead != NULL)
        return aead_unseal_end(s->aead, tag, err);
    crypto_generichash_final(s->checksum, expected, sizeof expected);
    return bytes_equal_ct(expected, tag, sizeof expected)
               ? true
               : error_set(err, "aead/tag", NULL, "checksum does not match");
}

bool sealer_unseal(struct sealer *s, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                   struct slice body, const uint8_t tag[AEAD_TAG_LEN], uint8_t *out,
                   struct error *err)
{
    if (sealer_unseal_begin(s, nonce, aad, err) && sealer_unseal_add(s, body, out, err) &&
        sealer_unseal_end(s, tag, err))
        return true;
    secret_wipe(out, body.len);
    return false;
}
