/* Which challenges have released a key: the only state that challenges need. Entries are keyed by
 * the decoded id and live until the challenge's end plus KMS_CHALLENGE_SKEW_S. In memory here; in
 * Redis (used_redis.c) when replicas share it. Thread-safe. */
#ifndef KMS_USED_SET_H
#define KMS_USED_SET_H

#include <stdint.h>

#include "base/bytes.h"

enum { USED_ID_LEN = 56 };

enum kms_used_result {
    USED_FIRST,       /* marked now: go on */
    USED_AGAIN,       /* was marked before */
    USED_FULL,        /* no room, nothing was marked and nothing forgotten */
    USED_UNAVAILABLE, /* Redis does not answer; err says what */
};

struct kms_used_set;

/* Room for `max` ids; memory grows with use. */
bool kms_used_set_open_memory(size_t max, struct kms_used_set **out, struct error *err) MUST_USE;
/* url: redis://[USER:PASSWORD@]HOST[:PORT][/DB] or unix:///PATH. Connects when first needed, and
 * again after a failure. Code used/redis. */
bool kms_used_set_open_redis(const char *url, size_t max, struct kms_used_set **out,
                             struct error *err) MUST_USE;
void kms_used_set_close(struct kms_used_set **set);

/* Marks atomically, at most once among all that share the set. */
enum kms_used_result kms_used_set_mark(struct kms_used_set *set, const uint8_t id[USED_ID_LEN],
                                       int64_t expires_at_s, int64_t now_s, struct error *err);
/* Is it marked, as far as can be told without asking anybody? Of Redis always false. */
bool kms_used_set_seen(struct kms_used_set *set, const uint8_t id[USED_ID_LEN],
                       int64_t expires_at_s);
/* How many are remembered; of Redis what it said last. */
size_t kms_used_set_count(struct kms_used_set *set);
/* Can it be asked? For readiness; of Redis one PING. */
bool kms_used_set_check(struct kms_used_set *set, struct error *err) MUST_USE;

#endif
