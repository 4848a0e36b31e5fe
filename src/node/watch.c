/* signalfd, the parent's pipe and a timer in one poll loop. Spec: compatibility facts A.4. */
#include "node/watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "node/limits.h"

struct watch {
    pthread_t thread;
    bool thread_runs;
    int signal_fd;
    int wake_fd; /* written once by watch_stop() */
    int eof_fd;
    unsigned interval_ms;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum watch_reason reason;
    char directory[PATH_TEXT_MAX]; /* empty = not watched */
    dev_t device;
    ino_t inode;

    atomic_bool cancel;
};

const char *watch_reason_text(enum watch_reason reason)
{
    switch (reason) {
    case WATCH_RUNNING:
        return "nothing";
    case WATCH_SIGNAL:
        return "SIGTERM";
    case WATCH_INTERRUPT:
        return "SIGINT";
    case WATCH_PARENT_GONE:
        return "the parent process closed its end of --exit-on-eof";
    case WATCH_DATA_REPLACED:
        return "the data directory was replaced or removed";
    }
    return "unknown";
}

static void set_reason(struct watch *w, enum watch_reason reason)
{
    pthread_mutex_lock(&w->mutex);
    if (w->reason == WATCH_RUNNING) {
        w->reason = reason;
        atomic_store(&w->cancel, true);
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->mutex);
}

static void on_signal(struct watch *w)
{
    struct signalfd_siginfo info;
    if (read(w->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        set_reason(w, info.ssi_signo == SIGINT ? WATCH_INTERRUPT : WATCH_SIGNAL);
}

/* Data from the parent is thrown away; only its end counts. */
static void on_parent(struct watch *w)
{
    char scratch[256];
    ssize_t got = read(w->eof_fd, scratch, sizeof(scratch));
    if (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)))
        return;
    set_reason(w, WATCH_PARENT_GONE);
    w->eof_fd = -1;
}

/* A passing I/O error says nothing about the directory; that it is gone or another one does. */
static bool directory_replaced(const struct watch *w)
{
    struct stat now;
    if (stat(w->directory, &now) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return now.st_dev != w->device || now.st_ino != w->inode;
}

static void check_directory(struct watch *w)
{
    pthread_mutex_lock(&w->mutex);
    bool replaced = w->directory[0] && directory_replaced(w);
    pthread_mutex_unlock(&w->mutex);
    if (replaced)
        set_reason(w, WATCH_DATA_REPLACED);
}

static void *watch_loop(void *ctx)
{
    struct watch *w = ctx;
    int64_t next_check_ms = clock_monotonic_ms() + w->interval_ms;
    for (;;) {
        struct pollfd fds[3] = {{.fd = w->wake_fd, .events = POLLIN},
                                {.fd = w->signal_fd, .events = POLLIN},
                                {.fd = w->eof_fd, .events = POLLIN}};
        int64_t left_ms = next_check_ms - clock_monotonic_ms();
        (void)poll(fds, 3, left_ms > 0 ? (int)left_ms : 0);
        if (fds[0].revents)
            return NULL;
        if (fds[1].revents)
            on_signal(w);
        if (fds[2].revents)
            on_parent(w);
        if (clock_monotonic_ms() >= next_check_ms) {
            check_directory(w);
            next_check_ms = clock_monotonic_ms() + w->interval_ms;
        }
    }
}

/* Whether the parent asked us not to hear a signal (nohup, a shell's background job). */
static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static bool open_signals(struct watch *w, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (!is_ignored(SIGINT))
        sigaddset(&set, SIGINT);
    if (!is_ignored(SIGHUP))
        sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    w->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (w->signal_fd < 0 || w->wake_fd < 0)
        return error_set(err, "watch/system", NULL, "cannot watch signals: %s", strerror(errno));
    return true;
}

static bool watch_init(struct watch *w, struct error *err)
{
    struct stat info;
    if (w->eof_fd >= 0 && fstat(w->eof_fd, &info) != 0)
        return error_set(err, "watch/fd", "--exit-on-eof", "descriptor %d is not open", w->eof_fd);
    if (!open_signals(w, err))
        return false;
    if (pthread_create(&w->thread, NULL, watch_loop, w) != 0)
        return error_set(err, "watch/system", NULL, "cannot start a thread");
    w->thread_runs = true;
    return true;
}

bool watch_start(const struct watch_options *options, struct watch **out, struct error *err)
{
    pthread_condattr_t attributes;
    struct watch *w = calloc(1, sizeof(*w));
    if (!w)
        return error_set(err, "watch/system", NULL, "out of memory");
    w->signal_fd = w->wake_fd = -1;
    w->eof_fd = options->eof_fd;
    w->interval_ms = options->interval_ms ? options->interval_ms : NODE_WATCH_INTERVAL_MS;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (!watch_init(w, err)) {
        watch_stop(&w);
        return false;
    }
    *out = w;
    return true;
}

void watch_stop(struct watch **w)
{
    struct watch *gone = *w;
    *w = NULL;
    if (!gone)
        return;
    if (gone->thread_runs) {
        uint64_t one = 1;
        (void)!write(gone->wake_fd, &one, sizeof(one));
        pthread_join(gone->thread, NULL);
    }
    if (gone->signal_fd >= 0)
        close(gone->signal_fd);
    if (gone->wake_fd >= 0)
        close(gone->wake_fd);
    pthread_cond_destroy(&gone->changed);
    pthread_mutex_destroy(&gone->mutex);
    free(gone);
}

const atomic_bool *watch_cancel(const struct watch *w)
{
    return &w->cancel;
}

enum watch_reason watch_reason(struct watch *w)
{
    pthread_mutex_lock(&w->mutex);
    enum watch_reason reason = w->reason;
    pthread_mutex_unlock(&w->mutex);
    return reason;
}

bool watch_directory(struct watch *w, const char *path, struct error *err)
{
    struct stat now;
    if (strlen(path) >= sizeof(w->directory) || stat(path, &now) != 0)
        return error_set(err, "file/missing", path, "cannot look at the data directory '%s': %s",
                         path, strerror(errno));
    pthread_mutex_lock(&w->mutex);
    memcpy(w->directory, path, strlen(path) + 1);
    w->device = now.st_dev;
    w->inode = now.st_ino;
    pthread_mutex_unlock(&w->mutex);
    return true;
}

enum watch_reason watch_wait(struct watch *w, int timeout_ms)
{
    int64_t end_us = clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    struct timespec end = {.tv_sec = (time_t)(end_us / 1000000),
                           .tv_nsec = (long)(end_us % 1000000) * 1000};
    int waited = 0;
    pthread_mutex_lock(&w->mutex);
    while (w->reason == WATCH_RUNNING && waited == 0)
        waited = timeout_ms < 0 ? pthread_cond_wait(&w->changed, &w->mutex)
                                : pthread_cond_timedwait(&w->changed, &w->mutex, &end);
    enum watch_reason reason = w->reason;
    pthread_mutex_unlock(&w->mutex);
    return reason;
}
