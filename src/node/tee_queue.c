/* A ring of waiting exchanges and the one thread that serves it. */
#include "node/tee_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct tee_waiting {
    tee_job *job;
    struct http_exchange *exchange;
    uint8_t nonce[32];
};

struct tee_queue {
    struct admin *admin;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct tee_waiting ring[NODE_TEE_QUEUE_MAX];
    size_t first, count;
    struct quote_source *source;
    bool stopping;
};

/* False when the queue stops; the oldest waiting one otherwise. */
static bool take_next(struct tee_queue *q, struct tee_waiting *out, struct quote_source **source)
{
    pthread_mutex_lock(&q->mutex);
    while (q->count == 0 && !q->stopping)
        pthread_cond_wait(&q->changed, &q->mutex);
    bool taken = !q->stopping;
    if (taken) {
        *out = q->ring[q->first];
        *source = q->source;
        q->first = (q->first + 1) % NODE_TEE_QUEUE_MAX;
        q->count--;
    }
    pthread_mutex_unlock(&q->mutex);
    return taken;
}

static void *tee_loop(void *ctx)
{
    struct tee_queue *q = ctx;
    struct tee_waiting next;
    struct quote_source *source = NULL;
    while (take_next(q, &next, &source))
        next.job(q->admin, source, next.exchange, next.nonce);
    for (size_t i = 0; i < q->count; i++) /* stopping: nobody adds any more */
        admin_reply_error(q->ring[(q->first + i) % NODE_TEE_QUEUE_MAX].exchange, 503,
                          "The node is shutting down");
    return NULL;
}

bool tee_queue_start(struct admin *a, struct tee_queue **out, struct error *err)
{
    struct tee_queue *q = calloc(1, sizeof *q);
    if (q == NULL)
        return error_set(err, "node/memory", NULL, "out of memory");
    q->admin = a;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->changed, NULL);
    if (pthread_create(&q->thread, NULL, tee_loop, q) != 0) {
        free(q);
        return error_set(err, "node/thread", NULL, "cannot start a thread");
    }
    *out = q;
    return true;
}

void tee_queue_set_source(struct tee_queue *q, struct quote_source *source)
{
    pthread_mutex_lock(&q->mutex);
    q->source = source;
    pthread_mutex_unlock(&q->mutex);
}

bool tee_queue_add(struct tee_queue *q, tee_job *job, struct http_exchange *x, const uint8_t *nonce)
{
    pthread_mutex_lock(&q->mutex);
    bool room = !q->stopping && q->count < NODE_TEE_QUEUE_MAX;
    if (room) {
        struct tee_waiting *w = &q->ring[(q->first + q->count) % NODE_TEE_QUEUE_MAX];
        *w = (struct tee_waiting){.job = job, .exchange = x};
        if (nonce != NULL)
            memcpy(w->nonce, nonce, sizeof w->nonce);
        http_exchange_defer(x); /* before the other thread can answer it */
        q->count++;
        pthread_cond_signal(&q->changed);
    }
    pthread_mutex_unlock(&q->mutex);
    return room;
}

void tee_queue_stop(struct tee_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    bool first = !q->stopping;
    q->stopping = true;
    pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->mutex);
    if (first)
        pthread_join(q->thread, NULL);
}

void tee_queue_free(struct tee_queue **q)
{
    struct tee_queue *gone = *q;
    *q = NULL;
    if (gone == NULL)
        return;
    tee_queue_stop(gone);
    pthread_cond_destroy(&gone->changed);
    pthread_mutex_destroy(&gone->mutex);
    free(gone);
}
