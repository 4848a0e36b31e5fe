/* The worker pool: a ring of jobs, a mutex, a condition. */
#include "kms/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "kms/limits.h"

struct kms_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct kms_pool_job *ring; /* in_flight_max places */
    size_t head, waiting, in_flight, in_flight_max;
    bool closing;
    unsigned worker_count;
    pthread_t *workers;
};

static bool next_job(struct kms_pool *p, struct kms_pool_job *job)
{
    pthread_mutex_lock(&p->lock);
    while (p->waiting == 0 && !p->closing)
        pthread_cond_wait(&p->wake, &p->lock);
    bool found = p->waiting > 0;
    if (found) {
        *job = p->ring[p->head];
        p->head = (p->head + 1) % p->in_flight_max;
        p->waiting--;
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

static void *work(void *ctx)
{
    struct kms_pool *p = ctx;
    struct kms_pool_job job;
    while (next_job(p, &job)) {
        job.run(job.ctx);
        pthread_mutex_lock(&p->lock);
        p->in_flight--;
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

static bool start_workers(struct kms_pool *p, unsigned workers)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, KMS_WORKER_STACK);
    while (p->worker_count < workers &&
           pthread_create(&p->workers[p->worker_count], &attributes, work, p) == 0)
        p->worker_count++;
    pthread_attr_destroy(&attributes);
    return p->worker_count == workers;
}

bool kms_pool_open(unsigned workers, size_t in_flight_max, struct kms_pool **out, struct error *err)
{
    struct kms_pool *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return error_set(err, "pool/memory", NULL, "out of memory");
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->in_flight_max = in_flight_max;
    p->ring = calloc(in_flight_max, sizeof(*p->ring));
    p->workers = calloc(workers, sizeof(*p->workers));
    if (p->ring == NULL || p->workers == NULL || !start_workers(p, workers)) {
        kms_pool_close(&p);
        return error_set(err, "pool/threads", NULL, "cannot start %u worker threads", workers);
    }
    *out = p;
    return true;
}

bool kms_pool_submit(struct kms_pool *pool, struct kms_pool_job job)
{
    pthread_mutex_lock(&pool->lock);
    bool room = !pool->closing && pool->in_flight < pool->in_flight_max;
    if (room) {
        pool->ring[(pool->head + pool->waiting) % pool->in_flight_max] = job;
        pool->waiting++;
        pool->in_flight++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return room;
}

size_t kms_pool_in_flight(struct kms_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t count = pool->in_flight;
    pthread_mutex_unlock(&pool->lock);
    return count;
}

bool kms_pool_wait_idle(struct kms_pool *pool, unsigned timeout_ms)
{
    int64_t until = clock_monotonic_ms() + timeout_ms;
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    while (kms_pool_in_flight(pool) > 0) {
        if (clock_monotonic_ms() >= until)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

void kms_pool_close(struct kms_pool **pool)
{
    struct kms_pool *p = *pool;
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->worker_count; i++)
        pthread_join(p->workers[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p->ring);
    free(p->workers);
    free(p);
    *pool = NULL;
}
