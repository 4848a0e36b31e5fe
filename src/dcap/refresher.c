/* Sleep, refresh, again. */
#include "dcap/refresher.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"

/* After a failure: not sooner than the services can bear, not later than is of use. */
enum { RETRY_S = 300 };

struct refresher {
    struct holdings *holdings;
    const struct dcap_notices *notices;
    unsigned every_s;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool quit;
};

/* wait_ms, a tenth more or less. */
static int64_t jitter(int64_t wait_ms)
{
    uint32_t dice;
    random_bytes(&dice, sizeof dice);
    return wait_ms - wait_ms / 10 + (int64_t)(dice % (uint32_t)(wait_ms / 5 + 1));
}

/* False when it is time to go. */
static bool sleep_until(struct refresher *r, int64_t at_ms)
{
    struct timespec at = {(time_t)(at_ms / 1000), (long)(at_ms % 1000) * 1000000L};
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    while (!r->quit && rc == 0)
        rc = pthread_cond_timedwait(&r->woken, &r->lock, &at);
    bool go_on = !r->quit;
    pthread_mutex_unlock(&r->lock);
    return go_on;
}

static void *run(void *context)
{
    struct refresher *r = context;
    int64_t every_ms = (int64_t)r->every_s * 1000, wait_ms = every_ms;
    while (sleep_until(r, clock_monotonic_ms() + jitter(wait_ms))) {
        struct error err = {.code = NULL};
        bool ok = holdings_refresh(r->holdings, clock_unix_s(), &err);
        if (!ok)
            dcap_notices_warn(r->notices, "collateral/stale", "collateral was not refreshed: %s",
                              err.message);
        wait_ms = ok || every_ms < RETRY_S * 1000 ? every_ms : RETRY_S * 1000;
    }
    return NULL;
}

/* Signals are for the program's own threads. */
static bool start_thread(struct refresher *r)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&r->thread, NULL, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

bool refresher_start(struct holdings *holdings, unsigned every_s,
                     const struct dcap_notices *notices, struct refresher **out, struct error *err)
{
    pthread_condattr_t monotonic;
    struct refresher *r = calloc(1, sizeof *r);
    if (r == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    r->holdings = holdings;
    r->notices = notices;
    r->every_s = every_s;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (!start_thread(r)) {
        pthread_cond_destroy(&r->woken);
        pthread_mutex_destroy(&r->lock);
        free(r);
        return error_set(err, "thread", NULL, "no thread to refresh collateral");
    }
    *out = r;
    return true;
}

void refresher_stop(struct refresher **r)
{
    struct refresher *mine = *r;
    *r = NULL;
    if (mine == NULL)
        return;
    pthread_mutex_lock(&mine->lock);
    mine->quit = true;
    pthread_cond_signal(&mine->woken);
    pthread_mutex_unlock(&mine->lock);
    pthread_join(mine->thread, NULL);
    pthread_cond_destroy(&mine->woken);
    pthread_mutex_destroy(&mine->lock);
    free(mine);
}
