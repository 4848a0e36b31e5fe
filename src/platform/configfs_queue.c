/* Turns, and one thread for each turn. Queue and jobs are counted: an abandoned thread outlives its
 * caller, and even the queue's owner. */
#include "platform/configfs_queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "platform/configfs.h"
#include "platform/limits.h"

struct configfs_queue {
    char root[PATH_TEXT_MAX];
    unsigned timeout_ms;
    unsigned backoff_ms;
    const atomic_bool *cancel; /* the caller's: never looked at by the threads */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool taken;    /* under lock: somebody's turn */
    unsigned refs; /* under lock: the owner, and every job */
};

/* One quote in the making; belongs to its thread and its caller. */
struct job {
    struct configfs_queue *queue;
    uint8_t report_data[REPORT_DATA_LEN];
    int64_t deadline_ms;
    atomic_bool abandoned;
    /* under queue->lock */
    bool done;
    bool ok;
    struct buf quote;
    struct error err;
    unsigned refs;
};

/* ---- the queue ---- */

static void queue_unref(struct configfs_queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool last = --q->refs == 0;
    pthread_mutex_unlock(&q->lock);
    if (!last)
        return;
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

bool configfs_queue_open(const struct configfs_queue_options *o, struct configfs_queue **out,
                         struct error *err)
{
    struct configfs_queue *q = calloc(1, sizeof *q);
    if (q == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&q->lock, NULL);
    q->refs = 1;
    q->timeout_ms = o->timeout_ms;
    q->backoff_ms = o->backoff_ms;
    q->cancel = o->cancel;
    int len = snprintf(q->root, sizeof q->root, "%s", o->root);
    if (len <= 0 || (size_t)len >= sizeof q->root) {
        queue_unref(q);
        return error_set(err, "platform/no-tee", NULL, "the path of configfs-tsm is too long");
    }
    configfs_sweep(q->root);
    *out = q;
    return true;
}

void configfs_queue_close(struct configfs_queue **q)
{
    if (*q != NULL)
        queue_unref(*q);
    *q = NULL;
}

/* ---- waiting ---- */

static bool is_canceled(const struct configfs_queue *q)
{
    return q->cancel != NULL && atomic_load(q->cancel);
}

static bool fail_canceled(struct error *err)
{
    return error_set(err, "platform/canceled", NULL, "taking the quote was canceled");
}

/* Lock held. Waits for news, at most CONFIGFS_POLL_MS, since nobody signals a cancel flag. False
 * when the caller must not wait any longer. */
static bool wait_a_little(struct configfs_queue *q, int64_t deadline_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += CONFIGFS_POLL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&q->changed, &q->lock, &until);
    return clock_monotonic_ms() < deadline_ms && !is_canceled(q);
}

static bool take_turn(struct configfs_queue *q, int64_t deadline_ms, struct error *err)
{
    bool patient = !is_canceled(q);
    pthread_mutex_lock(&q->lock);
    while (q->taken && patient)
        patient = wait_a_little(q, deadline_ms);
    bool mine = !q->taken && patient;
    q->taken = q->taken || mine;
    pthread_mutex_unlock(&q->lock);
    if (mine)
        return true;
    return is_canceled(q)
               ? fail_canceled(err)
               : error_set(err, "platform/busy", NULL,
                           "other quotes were still being taken after %u ms", q->timeout_ms);
}

static void end_turn(struct configfs_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->taken = false;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

/* ---- jobs ---- */

static struct job *job_new(struct configfs_queue *q, const uint8_t report_data[REPORT_DATA_LEN],
                           int64_t deadline_ms)
{
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    j->queue = q;
    memcpy(j->report_data, report_data, REPORT_DATA_LEN);
    j->deadline_ms = deadline_ms;
    j->refs = 2;
    pthread_mutex_lock(&q->lock);
    q->refs++;
    pthread_mutex_unlock(&q->lock);
    return j;
}

static void job_free(struct job *j)
{
    struct configfs_queue *q = j->queue;
    buf_free(&j->quote);
    free(j);
    queue_unref(q);
}

static void *job_main(void *arg)
{
    struct job *j = arg;
    struct configfs_queue *q = j->queue;
    const struct configfs_request request = {.root = q->root,
                                             .report_data = j->report_data,
                                             .deadline_ms = j->deadline_ms,
                                             .backoff_ms = q->backoff_ms,
                                             .stop = &j->abandoned};
    struct buf quote = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    struct error err = {0};
    bool ok = configfs_take(&request, &quote, &err);
    pthread_mutex_lock(&q->lock);
    j->done = true;
    j->ok = ok;
    j->err = err;
    j->quote = quote;
    q->taken = false;
    pthread_cond_broadcast(&q->changed);
    bool last = --j->refs == 0;
    pthread_mutex_unlock(&q->lock);
    if (last)
        job_free(j);
    return NULL;
}

/* Signals are for the program's own threads: one of them here would only interrupt the kernel. */
static bool start_thread(struct job *j)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, job_main, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    return rc == 0;
}

/* Lock held, the job is done. */
static bool hand_over(const struct job *j, struct buf *quote, struct error *err)
{
    if (!j->ok && err != NULL)
        *err = j->err;
    return j->ok && (buf_append(quote, buf_slice(&j->quote)) ||
                     error_set(err, "platform/quote", NULL,
                               "the quote has %zu bytes, more than the %zu there is room for",
                               j->quote.len, quote->max));
}

static bool collect(struct configfs_queue *q, struct job *j, struct buf *quote, struct error *err)
{
    bool patient = true;
    pthread_mutex_lock(&q->lock);
    while (!j->done && patient)
        patient = wait_a_little(q, j->deadline_ms);
    bool done = j->done;
    bool ok = done && hand_over(j, quote, err);
    atomic_store(&j->abandoned, !done);
    bool last = --j->refs == 0;
    pthread_mutex_unlock(&q->lock);
    if (last)
        job_free(j);
    if (done)
        return ok;
    return is_canceled(q) ? fail_canceled(err)
                          : error_set(err, "platform/timeout", NULL,
                                      "the kernel and the host quote service (QGS) gave no quote "
                                      "within %u ms",
                                      q->timeout_ms);
}

bool configfs_queue_take(struct configfs_queue *q, const uint8_t report_data[REPORT_DATA_LEN],
                         struct buf *quote, struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + (int64_t)q->timeout_ms;
    if (!take_turn(q, deadline_ms, err))
        return false;
    struct job *j = job_new(q, report_data, deadline_ms);
    if (j != NULL && start_thread(j))
        return collect(q, j, quote, err); /* the thread ends the turn */
    if (j != NULL)
        job_free(j);
    end_turn(q);
    return error_set(err, "platform/quote", NULL, "cannot start a thread to take the quote");
}
