/* The choice of the source. With configfs-tsm one quote at a time; it blocks in the kernel for up
 * to half a minute a try and is read by a thread of its own: a caller whose deadline passes, or who
 * is canceled, walks away, and the thread clears up behind itself when the kernel lets it go. */
#include "platform/quote_source.h"

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
#include "platform/dstack.h"
#include "platform/limits.h"
#ifdef MERO_DEV
#include "platform/mock_dev.h"
#endif

/* One quote in the making by configfs-tsm; belongs to its thread and its caller, the last one frees
 * it. Everything but `root` and `report_data` is under turn->lock. */
struct job {
    struct turn *turn;
    char root[PATH_TEXT_MAX];
    uint8_t report_data[REPORT_DATA_LEN];
    int64_t deadline_ms;
    unsigned backoff_ms;
    atomic_bool abandoned;
    bool done;
    bool ok;
    struct buf quote;
    struct error err;
    unsigned refs;
};

/* Whose turn it is. Outlives the source when a thread is still in the kernel. */
struct turn {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool taken;
    unsigned refs; /* under lock: the source, and every job */
};

struct quote_source {
    enum quote_source_kind kind;
    char tsm_root[PATH_TEXT_MAX];
    unsigned timeout_ms;
    unsigned backoff_ms;
    const atomic_bool *cancel;
    struct dstack *dstack;
    struct turn *turn;
};

/* ---- turns ---- */

static struct turn *turn_new(void)
{
    struct turn *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&t->lock, NULL);
    t->refs = 1;
    return t;
}

static void turn_unref(struct turn *t)
{
    pthread_mutex_lock(&t->lock);
    bool last = --t->refs == 0;
    pthread_mutex_unlock(&t->lock);
    if (!last)
        return;
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static bool is_canceled(const struct quote_source *s)
{
    return s->cancel != NULL && atomic_load(s->cancel);
}

/* Lock held. Waits for news, at most CONFIGFS_POLL_MS: nobody signals a cancel flag. False when the
 * caller must not wait any longer. */
static bool wait_a_little(const struct quote_source *s, int64_t deadline_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += CONFIGFS_POLL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&s->turn->changed, &s->turn->lock, &until);
    return clock_monotonic_ms() < deadline_ms && !is_canceled(s);
}

static bool fail_canceled(struct error *err)
{
    return error_set(err, "platform/canceled", NULL, "taking the quote was canceled");
}

static bool take_turn(struct quote_source *s, int64_t deadline_ms, struct error *err)
{
    struct turn *t = s->turn;
    bool patient = true;
    pthread_mutex_lock(&t->lock);
    while (t->taken && patient)
        patient = wait_a_little(s, deadline_ms);
    bool mine = !t->taken;
    t->taken = true;
    pthread_mutex_unlock(&t->lock);
    if (mine)
        return true;
    return is_canceled(s)
               ? fail_canceled(err)
               : error_set(err, "platform/busy", NULL,
                           "other quotes were still being taken after %u ms", s->timeout_ms);
}

static void end_turn(struct turn *t)
{
    pthread_mutex_lock(&t->lock);
    t->taken = false;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* ---- opening ---- */

static bool open_configfs(struct quote_source *s)
{
    configfs_sweep(s->tsm_root);
    s->kind = QUOTE_SOURCE_CONFIGFS;
    return true;
}

static bool open_dstack(struct quote_source *s, const struct quote_source_options *o,
                        struct error *err)
{
    const struct dstack_options d = {
        .socket_path = o->dstack_socket, .timeout_ms = s->timeout_ms, .cancel = o->cancel};
    s->kind = QUOTE_SOURCE_DSTACK;
    return dstack_open(&d, &s->dstack, err);
}

static bool open_mock(struct quote_source *s, struct error *err)
{
#ifdef MERO_DEV
    (void)err;
    s->kind = QUOTE_SOURCE_MOCK;
    return true;
#else
    (void)s;
    return error_set(err, "platform/no-tee", NULL, "mock quotes exist in development builds only");
#endif
}

static bool open_automatic(struct quote_source *s, const struct quote_source_options *o,
                           struct error *err)
{
    if (file_is_dir(s->tsm_root))
        return open_configfs(s);
    struct error why = {0};
    if (open_dstack(s, o, &why))
        return true;
    return error_set(err, "platform/no-tee", NULL,
                     "this machine offers no quotes: there is no %s, and %s", s->tsm_root,
                     why.message);
}

static bool open_kind(struct quote_source *s, const struct quote_source_options *o,
                      struct error *err)
{
    switch (o->kind) {
    case QUOTE_SOURCE_AUTO:
        return open_automatic(s, o, err);
    case QUOTE_SOURCE_CONFIGFS:
        return file_is_dir(s->tsm_root)
                   ? open_configfs(s)
                   : error_set(err, "platform/no-tee", NULL,
                               "%s does not exist: not a TDX guest, or configfs is not mounted, or "
                               "the kernel is older than 6.7",
                               s->tsm_root);
    case QUOTE_SOURCE_DSTACK:
        return open_dstack(s, o, err);
    case QUOTE_SOURCE_MOCK:
        return open_mock(s, err);
    }
    return error_set(err, "platform/no-tee", NULL, "unknown kind of quote source");
}

bool quote_source_open(const struct quote_source_options *options, struct quote_source **out,
                       struct error *err)
{
    struct quote_source *s = calloc(1, sizeof *s);
    if (s == NULL || (s->turn = turn_new()) == NULL) {
        free(s);
        return error_set(err, "memory", NULL, "out of memory");
    }
    s->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : QUOTE_TIMEOUT_MS;
    s->backoff_ms = options->backoff_ms;
    s->cancel = options->cancel;
    const char *root = options->tsm_root != NULL ? options->tsm_root : CONFIGFS_ROOT;
    int len = snprintf(s->tsm_root, sizeof s->tsm_root, "%s", root);
    bool fits = len > 0 && (size_t)len < sizeof s->tsm_root;
    if (!fits)
        error_set(err, "platform/no-tee", NULL, "the path of configfs-tsm is too long");
    if (!fits || !open_kind(s, options, err)) {
        quote_source_close(&s);
        return false;
    }
    *out = s;
    return true;
}

void quote_source_close(struct quote_source **source)
{
    struct quote_source *s = *source;
    if (s == NULL)
        return;
    dstack_close(&s->dstack);
    turn_unref(s->turn);
    free(s);
    *source = NULL;
}

enum quote_source_kind quote_source_kind(const struct quote_source *s)
{
    return s->kind;
}

const char *quote_source_name(const struct quote_source *s)
{
    switch (s->kind) {
    case QUOTE_SOURCE_CONFIGFS:
        return "configfs-tsm";
    case QUOTE_SOURCE_DSTACK:
        return "dstack";
    default:
        return "mock";
    }
}

/* ---- configfs-tsm in a thread of its own ---- */

/* Lock held. */
static bool job_drop(struct job *j)
{
    return --j->refs == 0;
}

static void job_free(struct job *j)
{
    struct turn *t = j->turn;
    buf_free(&j->quote);
    free(j);
    turn_unref(t);
}

static void *job_main(void *arg)
{
    struct job *j = arg;
    const struct configfs_request request = {.root = j->root,
                                             .report_data = j->report_data,
                                             .deadline_ms = j->deadline_ms,
                                             .backoff_ms = j->backoff_ms,
                                             .stop = {&j->abandoned}};
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    struct error err = {0};
    bool ok = configfs_take(&request, &quote, &err);
    struct turn *t = j->turn;
    pthread_mutex_lock(&t->lock);
    j->done = true;
    j->ok = ok;
    j->err = err;
    j->quote = quote;
    quote = (struct buf){0};
    t->taken = false;
    pthread_cond_broadcast(&t->changed);
    bool last = job_drop(j);
    pthread_mutex_unlock(&t->lock);
    if (last)
        job_free(j);
    return NULL;
}

static struct job *job_new(struct quote_source *s, const uint8_t report_data[REPORT_DATA_LEN],
                           int64_t deadline_ms)
{
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    j->turn = s->turn;
    memcpy(j->root, s->tsm_root, sizeof j->root);
    memcpy(j->report_data, report_data, REPORT_DATA_LEN);
    j->deadline_ms = deadline_ms;
    j->backoff_ms = s->backoff_ms;
    j->refs = 2;
    pthread_mutex_lock(&s->turn->lock);
    s->turn->refs++;
    pthread_mutex_unlock(&s->turn->lock);
    return j;
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

static bool collect(struct quote_source *s, struct job *j, struct buf *quote, struct error *err)
{
    struct turn *t = s->turn;
    bool patient = true;
    pthread_mutex_lock(&t->lock);
    while (!j->done && patient)
        patient = wait_a_little(s, j->deadline_ms);
    bool done = j->done;
    bool ok = done && j->ok && buf_append(quote, buf_slice(&j->quote));
    if (done && !j->ok && err != NULL)
        *err = j->err;
    atomic_store(&j->abandoned, !done);
    bool last = job_drop(j);
    pthread_mutex_unlock(&t->lock);
    if (last)
        job_free(j);
    if (done)
        return ok;
    return is_canceled(s) ? fail_canceled(err)
                          : error_set(err, "platform/timeout", NULL,
                                      "the kernel and the host quote service (QGS) gave no quote "
                                      "within %u ms",
                                      s->timeout_ms);
}

/* The turn is ours; the thread ends it. */
static bool take_configfs(struct quote_source *s, const uint8_t report_data[REPORT_DATA_LEN],
                          int64_t deadline_ms, struct buf *quote, struct error *err)
{
    struct job *j = job_new(s, report_data, deadline_ms);
    if (j == NULL || !start_thread(j)) {
        if (j != NULL)
            job_free(j);
        end_turn(s->turn);
        return error_set(err, "platform/quote", NULL, "cannot start a thread to take the quote");
    }
    return collect(s, j, quote, err);
}

/* ---- taking ---- */

static bool take_dstack(struct quote_source *s, const uint8_t report_data[REPORT_DATA_LEN],
                        struct buf *quote, struct buf *event_log, struct error *err)
{
    struct dstack_quote q DSTACK_QUOTE_AUTO = {0};
    if (!dstack_get_quote(s->dstack, report_data, &q, err))
        return false;
    if (!buf_append(quote, buf_slice(&q.quote)) ||
        (event_log != NULL && !buf_append(event_log, buf_slice(&q.event_log))))
        return error_set(err, "platform/quote", NULL, "quote or event log is too large");
    return true;
}

static bool take_mock(const uint8_t report_data[REPORT_DATA_LEN], struct buf *quote,
                      struct error *err)
{
#ifdef MERO_DEV
    return mock_quote(report_data, quote) ||
           error_set(err, "platform/quote", NULL, "no room for the mock quote");
#else
    (void)report_data;
    (void)quote;
    return error_set(err, "platform/no-tee", NULL, "no mock quotes in this build");
#endif
}

bool quote_source_take(struct quote_source *s, const uint8_t report_data[REPORT_DATA_LEN],
                       struct buf *quote, struct buf *event_log, struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + (int64_t)s->timeout_ms;
    if (is_canceled(s))
        return fail_canceled(err);
    switch (s->kind) {
    case QUOTE_SOURCE_CONFIGFS:
        return take_turn(s, deadline_ms, err) &&
               take_configfs(s, report_data, deadline_ms, quote, err);
    case QUOTE_SOURCE_DSTACK:
        return take_dstack(s, report_data, quote, event_log, err);
    default:
        return take_mock(report_data, quote, err);
    }
}
