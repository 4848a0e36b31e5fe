/* The guard: knows every live connection and cuts those whose deadline has passed. libmicrohttpd's
 * own timeout is for inactivity and never catches a client that sends one byte now and then. A
 * connection is cut by shutdown(2): its poll thread then sees the end and cleans up. */
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "http/server_internal.h"

void guard_set_stage(struct connection_entry *e, enum stage stage, unsigned seconds)
{
    long long now = (long long)clock_monotonic_ms();
    atomic_store(&e->stage, (int)stage);
    atomic_store(&e->since_ms, now);
    atomic_store(&e->deadline_ms, seconds == 0 ? NO_DEADLINE : now + 1000LL * (long long)seconds);
}

void guard_set_waiting(const struct http_server *s, struct connection_entry *e)
{
    unsigned idle = s->options.idle_timeout_s;
    unsigned deadline = s->options.request_deadline_s;
    guard_set_stage(e, STAGE_WAITING, idle > deadline ? idle : deadline);
}

/* ---- connections come and go (poll threads) ---- */

static void name_peer(struct MHD_Connection *connection, char out[PEER_TEXT_MAX])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = info != NULL ? info->client_addr : NULL;
    socklen_t len = 0;
    if (sa != NULL && sa->sa_family == AF_INET)
        len = sizeof(struct sockaddr_in);
    else if (sa != NULL && sa->sa_family == AF_INET6)
        len = sizeof(struct sockaddr_in6);
    if (len == 0 || getnameinfo(sa, len, out, PEER_TEXT_MAX, NULL, 0, NI_NUMERICHOST) != 0)
        memcpy(out, "unix", sizeof "unix");
}

static void link_entry(struct http_server *s, struct connection_entry *e)
{
    pthread_mutex_lock(&s->lock);
    e->tls = tls_identity_ref(s->tls);
    e->next = s->entries;
    if (e->next != NULL)
        e->next->prev = e;
    else
        pthread_cond_broadcast(&s->changed); /* the guard sleeps while there is nobody */
    s->entries = e;
    s->entry_count++;
    pthread_mutex_unlock(&s->lock);
}

static void unlink_entry(struct http_server *s, struct connection_entry *e)
{
    pthread_mutex_lock(&s->lock);
    if (e->prev != NULL)
        e->prev->next = e->next;
    else
        s->entries = e->next;
    if (e->next != NULL)
        e->next->prev = e->prev;
    s->entry_count--;
    pthread_mutex_unlock(&s->lock);
}

static void connection_opened(struct http_server *s, struct MHD_Connection *connection,
                              void **entry)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection_entry *e = calloc(1, sizeof *e);
    if (e == NULL || info == NULL) {
        free(e);
        return;
    }
    e->fd = info->connect_fd;
    name_peer(connection, e->peer);
    guard_set_waiting(s, e);
    link_entry(s, e);
    *entry = e;
    if (e->tls != NULL)
        tls_session_prepare(e->tls, connection);
}

void guard_on_connection(void *server, struct MHD_Connection *connection, void **entry,
                         enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = server;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_opened(s, connection, entry);
        return;
    }
    struct connection_entry *e = *entry;
    if (e == NULL)
        return;
    unlink_entry(s, e);
    tls_identity_unref(e->tls);
    free(e);
    *entry = NULL;
}

/* ---- the guard thread ---- */

/* Lock held. The poll thread answers in the holder's place. */
static void expire(struct http_server *s, struct connection_entry *e)
{
    struct http_exchange *x = e->waiting;
    if (x == NULL || !exchange_step(x, PHASE_DEFERRED, PHASE_EXPIRED))
        return;
    e->waiting = NULL;
    s->suspended--;
    guard_set_stage(e, STAGE_ANSWERING, s->options.request_deadline_s);
    MHD_resume_connection(x->connection);
}

/* Lock held. Few places are left: who does not use theirs gives it up. */
static bool is_crowded(const struct http_server *s)
{
    size_t places = s->options.connections_max * s->listener_count;
    return s->entry_count * 100 >= places * HTTP_CROWDED_PERCENT;
}

static bool is_late(const struct connection_entry *e, long long now, bool crowded)
{
    long long age = now - atomic_load(&e->since_ms);
    int stage = atomic_load(&e->stage);
    if (crowded && stage == STAGE_WAITING && age > HTTP_CROWDED_WAITING_MS)
        return true;
    if (crowded && stage == STAGE_RECEIVING && age > HTTP_CROWDED_RECEIVING_MS)
        return true;
    return atomic_load(&e->deadline_ms) <= now;
}

/* Lock held. */
static void cut_late(struct http_server *s)
{
    long long now = (long long)clock_monotonic_ms();
    bool crowded = is_crowded(s);
    for (struct connection_entry *e = s->entries; e != NULL; e = e->next) {
        if (!is_late(e, now, crowded))
            continue;
        if (e->waiting != NULL) {
            expire(s, e);
            continue;
        }
        atomic_store(&e->deadline_ms, NO_DEADLINE);
        shutdown(e->fd, SHUT_RDWR);
    }
}

static struct timespec next_tick(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += HTTP_GUARD_TICK_MS * 1000000L;
    at.tv_sec += at.tv_nsec / 1000000000L;
    at.tv_nsec %= 1000000000L;
    return at;
}

static void *guard_main(void *server)
{
    struct http_server *s = server;
    pthread_mutex_lock(&s->lock);
    while (!s->guard_quit) {
        if (s->entries == NULL) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        struct timespec tick = next_tick();
        while (!s->guard_quit && pthread_cond_timedwait(&s->changed, &s->lock, &tick) != ETIMEDOUT)
            continue;
        cut_late(s);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

bool guard_start(struct http_server *s, struct error *err)
{
    int rc = pthread_create(&s->guard, NULL, guard_main, s);
    s->guard_runs = rc == 0;
    return rc == 0 ||
           error_set(err, "http/thread", NULL, "cannot start a thread: %s", strerror(rc));
}

void guard_stop(struct http_server *s)
{
    if (!s->guard_runs)
        return;
    pthread_mutex_lock(&s->lock);
    s->guard_quit = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->guard, NULL);
    s->guard_runs = false;
}

void guard_release_all(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->no_defer = true;
    for (struct connection_entry *e = s->entries; e != NULL; e = e->next)
        expire(s, e);
    /* Those whose answer is being built right now resume by themselves in a moment. */
    while (s->suspended > 0)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}
