/* AES-256-GCM through base/aead; the suite "none" copies and appends a keyed BLAKE2b checksum. */
#include "store/suite.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

struct sealer {
    struct aead *aead; /* NULL: suite none */
    uint8_t checksum_key[AEAD_KEY_LEN];
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
    secret_wipe(*s, sizeof **s);
    free(*s);
    *s = NULL;
}

static void checksum(const struct sealer *s, const uint8_t *nonce, struct slice aad,
                     struct slice plain, uint8_t tag[AEAD_TAG_LEN])
{
    crypto_generichash_state state;
    uint8_t aad_len[8];
    store_u64be(aad_len, aad.len);
    crypto_generichash_init(&state, s->checksum_key, sizeof s->checksum_key, AEAD_TAG_LEN);
    crypto_generichash_update(&state, nonce, AEAD_NONCE_LEN);
    crypto_generichash_update(&state, aad_len, sizeof aad_len);
    crypto_generichash_update(&state, aad.data, aad.len);
    crypto_generichash_update(&state, plain.data, plain.len);
    crypto_generichash_final(&state, tag, AEAD_TAG_LEN);
}

bool sealer_seal(struct sealer *s, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                 struct slice plain, uint8_t *out, uint8_t tag[AEAD_TAG_LEN], struct error *err)
{
    if (s->aead != NULL)
        return aead_seal_detached(s->aead, nonce, aad, plain, out, tag, err);
    checksum(s, nonce, aad, plain, tag);
    if (plain.len > 0 && out != plain.data)
        memcpy(out, plain.data, plain.len);
    return true;
}

bool sealer_unseal(struct sealer *s, const uint8_t nonce[AEAD_NONCE_LEN], struct slice aad,
                   struct slice body, const uint8_t tag[AEAD_TAG_LEN], uint8_t *out,
                   struct error *err)
{
    if (s->aead != NULL)
        return aead_unseal_detached(s->aead, nonce, aad, body, tag, out, err);
    uint8_t expected[AEAD_TAG_LEN];
    checksum(s, nonce, aad, body, expected);
    if (!bytes_equal_ct(expected, tag, sizeof expected)) {
        secret_wipe(out, body.len);
        return error_set(err, "aead/tag", NULL, "checksum does not match");
    }
    if (body.len > 0 && out != body.data)
        memcpy(out, body.data, body.len);
    return true;
}
