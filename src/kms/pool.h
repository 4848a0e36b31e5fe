/* A few threads for work that blocks, with a bound on how much may be under way at all. */
#ifndef KMS_POOL_H
#define KMS_POOL_H

#include "base/error.h"

#include <stddef.h>

struct kms_pool;
struct kms_pool_job {
    void (*run)(void *job_ctx);
    void *ctx;
};

/* in_flight_max counts running and waiting jobs. */
bool kms_pool_open(unsigned workers, size_t in_flight_max, struct kms_pool **out,
                   struct error *err) MUST_USE;
/* False when in_flight_max is reached or the pool is closing: the job was not taken. */
bool kms_pool_submit(struct kms_pool *pool, struct kms_pool_job job) MUST_USE;
size_t kms_pool_in_flight(struct kms_pool *pool);
/* False when something was still under way at the end of the time. */
bool kms_pool_wait_idle(struct kms_pool *pool, unsigned timeout_ms) MUST_USE;
/* Runs what was taken, then ends the threads. */
void kms_pool_close(struct kms_pool **pool);

#endif
