/* What the KMS counts, in Prometheus' text format. Labels are bounded: never a peer, never an
 * address. Thread-safe, without locks on the request path. Spec: operator contract 3. */
#ifndef KMS_METRICS_H
#define KMS_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "kms/answer.h"

enum kms_endpoint { KMS_AT_CHALLENGE, KMS_AT_ATTEST, KMS_AT_GET_KEY, KMS_ENDPOINT_COUNT };
const char *kms_endpoint_name(enum kms_endpoint endpoint); /* "challenge", "attest", "get_key" */

enum { KMS_HISTOGRAM_BUCKETS = 12, KMS_OUTSTANDING_SLOTS = 64 };
struct kms_histogram {
    atomic_ullong buckets[KMS_HISTOGRAM_BUCKETS + 1];
    atomic_ullong sum_us;
};
void kms_histogram_add(struct kms_histogram *h, int64_t took_us);

struct kms_metrics {
    int64_t started_s;
    atomic_ullong answers[KMS_ENDPOINT_COUNT][KMS_TAG_COUNT];
    atomic_ullong released_sealed, released_clear;
    atomic_ullong audit_dropped;
    struct kms_histogram verify, agent;
    /* Challenges issued lately: slots of time, for how many may still be open. */
    atomic_llong slot_time[KMS_OUTSTANDING_SLOTS];
    atomic_ullong slot_count[KMS_OUTSTANDING_SLOTS];
};
void kms_metrics_issued(struct kms_metrics *m, int64_t now_s, uint32_t ttl_s);
unsigned long long kms_metrics_outstanding(struct kms_metrics *m, int64_t now_s, uint32_t ttl_s);

/* Gauges at the moment of asking; negative numbers are left out. */
struct kms_gauges {
    uint32_t ttl_s;
    bool policy_ready, self_verified;
    int64_t self_expiry_s, audit_size;
    int64_t used_challenges, penalties, in_flight_get_key, in_flight_attest;
    bool insecure_clear, insecure_unenforced, insecure_mock;
};
bool kms_metrics_write(struct kms_metrics *m, const struct kms_gauges *g, struct buf *out) MUST_USE;

#endif
