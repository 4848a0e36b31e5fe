/* One thread with a list of due times. Few entries at a time, so a plain list will do. */
#include "sim/later.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

struct entry {
    struct entry *next;
    int64_t due_ms; /* monotonic; INT64_MAX = at the end */
    sim_later_call *call;
    void *ctx;
};

struct sim_later {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct entry *entries; /* under lock */
    bool ending;           /* under lock */
};

/* Takes the entries that are due (all of them at the end) out of the list; *next_ms = when the
 * first of the others is. */
static struct entry *take_due(struct sim_later *later, int64_t now_ms, int64_t *next_ms)
{
    struct entry *due = NULL;
    *next_ms = INT64_MAX;
    for (struct entry **at = &later->entries; *at != NULL;) {
        struct entry *e = *at;
        if (later->ending || e->due_ms <= now_ms) {
            *at = e->next;
            e->next = due;
            due = e;
            continue;
        }
        *next_ms = e->due_ms < *next_ms ? e->due_ms : *next_ms;
        at = &e->next;
    }
    return due;
}

static void call_all(struct entry *due)
{
    while (due != NULL) {
        struct entry *e = due;
        due = e->next;
        e->call(e->ctx);
        free(e);
    }
}

static void wait_until(struct sim_later *later, int64_t until_ms)
{
    if (until_ms == INT64_MAX) {
        pthread_cond_wait(&later->changed, &later->lock);
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000L};
    pthread_cond_timedwait(&later->changed, &later->lock, &until);
}

static void *run(void *arg)
{
    struct sim_later *later = arg;
    pthread_mutex_lock(&later->lock);
    for (;;) {
        int64_t next_ms;
        struct entry *due = take_due(later, clock_monotonic_ms(), &next_ms);
        if (due != NULL) {
            pthread_mutex_unlock(&later->lock);
            call_all(due);
            pthread_mutex_lock(&later->lock);
        } else if (later->ending) {
            break;
        } else {
            wait_until(later, next_ms);
        }
    }
    pthread_mutex_unlock(&later->lock);
    return NULL;
}

static void init_locks(struct sim_later *later)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&later->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&later->lock, NULL);
}

bool sim_later_start(struct sim_later **out, struct error *err)
{
    sigset_t all;
    sigset_t before;
    struct sim_later *later = calloc(1, sizeof *later);
    if (later == NULL)
        return error_set(err, "sim/memory", NULL, "out of memory");
    init_locks(later);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&later->thread, NULL, run, later);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        free(later);
        return error_set(err, "sim/memory", NULL, "cannot start a thread");
    }
    *out = later;
    return true;
}

void sim_later_add(struct sim_later *later, int64_t delay_ms, sim_later_call *call, void *ctx)
{
    struct entry *e = calloc(1, sizeof *e);
    pthread_mutex_lock(&later->lock);
    bool keep = e != NULL && !later->ending;
    if (keep) {
        e->due_ms = delay_ms < 0 ? INT64_MAX : clock_monotonic_ms() + delay_ms;
        e->call = call;
        e->ctx = ctx;
        e->next = later->entries;
        later->entries = e;
        pthread_cond_signal(&later->changed);
    }
    pthread_mutex_unlock(&later->lock);
    if (!keep) {
        free(e);
        call(ctx);
    }
}

void sim_later_end(struct sim_later *later)
{
    pthread_mutex_lock(&later->lock);
    bool first = !later->ending;
    later->ending = true;
    pthread_cond_signal(&later->changed);
    pthread_mutex_unlock(&later->lock);
    if (first)
        pthread_join(later->thread, NULL);
}

void sim_later_free(struct sim_later **later)
{
    if (*later == NULL)
        return;
    sim_later_end(*later);
    pthread_cond_destroy(&(*later)->changed);
    pthread_mutex_destroy(&(*later)->lock);
    free(*later);
    *later = NULL;
}
