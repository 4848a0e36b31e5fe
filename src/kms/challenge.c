/* Stateless challenges. */
#include "kms/challenge.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"

enum { RANDOM_LEN = 16, EXPIRY_LEN = 8, HEAD_LEN = RANDOM_LEN + EXPIRY_LEN };

/* The terminating NUL belongs to each label: no label is a prefix of another. */
static const char id_label[] = "mero-kms/challenge-id/v1";
static const char nonce_label[] = "mero-kms/challenge-nonce/v1";
static const char mix_label[] = "mero-kms/challenge-key/v1";

/* HMAC states that have taken the key and a label already: what is left per challenge is short. */
struct mac_states {
    crypto_auth_hmacsha256_state id, nonce;
};

struct kms_mint {
    struct secret states; /* struct mac_states: as good as the key */
    uint32_t ttl_s;
    atomic_llong latest_s;
};

static void begin_mac(crypto_auth_hmacsha256_state *state, const uint8_t key[SHA256_LEN],
                      const char *label, size_t label_len)
{
    crypto_auth_hmacsha256_init(state, key, SHA256_LEN);
    crypto_auth_hmacsha256_update(state, (const unsigned char *)label, label_len);
}

static void begin_macs(struct kms_mint *mint, struct slice shared_key, bool shared)
{
    uint8_t own[32] = {0}, key[SHA256_LEN];
    struct mac_states states;
    if (!shared)
        random_bytes(own, sizeof(own));
    const struct slice parts[] = {slice_of(mix_label, sizeof(mix_label)), slice_of(own, 32)};
    hmac_sha256(shared_key, parts, 2, key);
    begin_mac(&states.id, key, id_label, sizeof(id_label));
    begin_mac(&states.nonce, key, nonce_label, sizeof(nonce_label));
    memcpy(mint->states.data, &states, sizeof(states));
    secret_wipe(&states, sizeof(states));
    secret_wipe(own, sizeof(own));
    secret_wipe(key, sizeof(key));
}

bool kms_mint_open(struct slice shared_key, bool shared, uint32_t ttl_s, struct kms_mint **out,
                   struct error *err)
{
    struct kms_mint *mint = calloc(1, sizeof(*mint));
    if (mint == NULL)
        return error_set(err, "challenge/memory", NULL, "out of memory");
    if (!secret_alloc(&mint->states, sizeof(struct mac_states), err)) {
        free(mint);
        return false;
    }
    begin_macs(mint, shared_key, shared);
    mint->ttl_s = ttl_s;
    atomic_init(&mint->latest_s, 0);
    *out = mint;
    return true;
}

void kms_mint_close(struct kms_mint **mint)
{
    if (*mint == NULL)
        return;
    secret_free(&(*mint)->states);
    free(*mint);
    *mint = NULL;
}

int64_t kms_challenge_now_s(struct kms_mint *mint)
{
    long long now = (long long)clock_unix_s();
    long long latest = atomic_load(&mint->latest_s);
    while (latest < now && !atomic_compare_exchange_weak(&mint->latest_s, &latest, now))
        ;
    return now > latest ? now : latest;
}

static void mac(const struct kms_mint *mint, bool of_nonce, const uint8_t head[HEAD_LEN],
                struct slice peer_id, uint8_t out[SHA256_LEN])
{
    struct mac_states states;
    memcpy(&states, mint->states.data, sizeof(states));
    crypto_auth_hmacsha256_state *state = of_nonce ? &states.nonce : &states.id;
    crypto_auth_hmacsha256_update(state, head, HEAD_LEN);
    crypto_auth_hmacsha256_update(state, peer_id.data, peer_id.len);
    crypto_auth_hmacsha256_final(state, out);
    secret_wipe(&states, sizeof(states));
}

void kms_challenge_issue(struct kms_mint *mint, struct slice peer_id, struct kms_challenge *out)
{
    out->expires_at_s = kms_challenge_now_s(mint) + mint->ttl_s;
    random_bytes(out->raw, RANDOM_LEN);
    store_u64be(&out->raw[RANDOM_LEN], (uint64_t)out->expires_at_s);
    mac(mint, false, out->raw, peer_id, &out->raw[HEAD_LEN]);
    mac(mint, true, out->raw, peer_id, out->nonce);
    hex_encode(slice_of(out->raw, sizeof(out->raw)), out->id);
}

/* Lower case only: one challenge, one spelling. */
static bool is_canonical(struct slice id)
{
    if (id.len != CHALLENGE_ID_TEXT_LEN)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (!((id.data[i] >= '0' && id.data[i] <= '9') || (id.data[i] >= 'a' && id.data[i] <= 'f')))
            return false;
    return true;
}

enum kms_challenge_check kms_challenge_check(struct kms_mint *mint, struct slice id,
                                             struct slice peer_id, struct kms_challenge *out)
{
    uint8_t tag[SHA256_LEN];
    struct kms_challenge c;
    if (!is_canonical(id) || !hex_decode(id, c.raw, sizeof(c.raw)))
        return CHALLENGE_MALFORMED;
    mac(mint, false, c.raw, peer_id, tag);
    if (!bytes_equal_ct(tag, &c.raw[HEAD_LEN], sizeof(tag)))
        return CHALLENGE_UNKNOWN;
    c.expires_at_s = (int64_t)load_u64be(&c.raw[RANDOM_LEN]);
    if (c.expires_at_s <= kms_challenge_now_s(mint))
        return CHALLENGE_EXPIRED;
    mac(mint, true, c.raw, peer_id, c.nonce);
    memcpy(c.id, id.data, CHALLENGE_ID_TEXT_LEN);
    c.id[CHALLENGE_ID_TEXT_LEN] = '\0';
    *out = c;
    return CHALLENGE_GOOD;
}
