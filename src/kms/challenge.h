/* Challenges that store nothing when they are issued: id and nonce are MACs over random bytes, the
 * end of life and the peer id. Spec: compatibility facts D.3, D.5, J.3; the id is
 *
 *     lower hex of  random 16 | expires_at u64 big-endian | tag 32      (112 digits)
 *
 * What was released is remembered in the used-set. Thread-safe. */
#ifndef KMS_CHALLENGE_H
#define KMS_CHALLENGE_H

#include "base/secret.h"
#include "keyrelease/binding.h"
#include "kms/used_set.h"

enum { CHALLENGE_ID_TEXT_LEN = 2 * USED_ID_LEN };

struct kms_mint;

/* shared_key: what replicas share (with Redis), or empty: then the key lives and dies with this
 * process, so that a restart cannot be replayed into. It may be mixed in both cases. */
bool kms_mint_open(struct slice shared_key, bool shared, uint32_t ttl_s, struct kms_mint **out,
                   struct error *err) MUST_USE;
void kms_mint_close(struct kms_mint **mint);

struct kms_challenge {
    char id[CHALLENGE_ID_TEXT_LEN + 1];
    uint8_t raw[USED_ID_LEN];
    uint8_t nonce[KEYRELEASE_NONCE_LEN];
    int64_t expires_at_s;
};

void kms_challenge_issue(struct kms_mint *mint, struct slice peer_id, struct kms_challenge *out);

enum kms_challenge_check {
    CHALLENGE_GOOD,
    CHALLENGE_MALFORMED, /* not the canonical spelling */
    CHALLENGE_UNKNOWN,   /* not ours, or not this peer's */
    CHALLENGE_EXPIRED
};
/* Is `id` one that this mint gave to this peer, and still alive? On CHALLENGE_GOOD *out is filled.
 */
enum kms_challenge_check kms_challenge_check(struct kms_mint *mint, struct slice id,
                                             struct slice peer_id, struct kms_challenge *out);

/* The clock by which challenges live: wall clock that never runs backwards in this process. */
int64_t kms_challenge_now_s(struct kms_mint *mint);

#endif
