/* Start and stop: one libmicrohttpd daemon per listen address, all with the same routes and one
 * guard. */
#include "http/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/server_internal.h"

enum { DRAIN_POLL_MS = 5, LAST_WORDS_MS = 200 };

static const char TLS_PRIORITIES[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

static void server_free(struct http_server *s)
{
    tls_identity_unref(s->tls);
    free(s->routes);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void server_unref(struct http_server *s)
{
    if (atomic_fetch_sub(&s->refs, 1) == 1)
        server_free(s);
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
    return value != 0 ? value : otherwise;
}

static bool keep_options(struct http_server *s, const struct http_server_options *o,
                         struct error *err)
{
    if (o->listen_count == 0 || o->listen_count > HTTP_LISTEN_MAX ||
        o->route_count > HTTP_ROUTES_MAX)
        return error_set(err, "http/listen", NULL,
                         "a server has 1 to %d listen addresses and at most %d routes",
                         HTTP_LISTEN_MAX, HTTP_ROUTES_MAX);
    s->options = *o;
    s->options.threads = or_default(o->threads, 2);
    s->options.connections_max = or_default(o->connections_max, 1024);
    s->options.idle_timeout_s = or_default(o->idle_timeout_s, 30);
    s->options.request_deadline_s = or_default(o->request_deadline_s, 30);
    s->routes = calloc(o->route_count + 1, sizeof *s->routes);
    if (s->routes == NULL)
        return error_set(err, "http/memory", NULL, "out of memory");
    if (o->route_count > 0)
        memcpy(s->routes, o->routes, o->route_count * sizeof *s->routes);
    return true;
}

static void init_locks(struct http_server *s)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&s->lock, NULL);
}

/* ---- start ---- */

static bool start_daemon(struct http_server *s, struct listener *l, const char *address,
                         struct error *err)
{
    const struct http_server_options *o = &s->options;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_SUSPEND_RESUME;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->tls_cert_pem},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->tls_key_pem},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL}};
    bool plain = s->tls == NULL;
    unsigned per_daemon = o->connections_max > o->threads ? o->connections_max : o->threads;
    l->daemon = MHD_start_daemon(
        plain ? flags : flags | MHD_USE_TLS, 0, NULL, NULL, dispatch_on_request, s,
        MHD_OPTION_LISTEN_SOCKET, l->fd, MHD_OPTION_THREAD_POOL_SIZE, o->threads,
        MHD_OPTION_CONNECTION_LIMIT, per_daemon, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, o->idle_timeout_s,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, dispatch_keep_escapes, s,
        MHD_OPTION_URI_LOG_CALLBACK, dispatch_on_target, s, MHD_OPTION_NOTIFY_COMPLETED,
        dispatch_on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, guard_on_connection, s,
        MHD_OPTION_ARRAY, plain ? &tls[3] : tls, MHD_OPTION_END);
    return l->daemon != NULL || error_set(err, "http/listen", address, "cannot serve on %s: %s",
                                          address, strerror(errno));
}

/* Signals belong to the program's own thread, not to the server's. */
static bool start_threads(struct http_server *s, const char *const *addresses, struct error *err)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = guard_start(s, err);
    for (size_t i = 0; ok && i < s->listener_count; i++)
        ok = start_daemon(s, &s->listeners[i], addresses[i], err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static bool start(struct http_server *s, const struct http_server_options *o, struct error *err)
{
    if (!keep_options(s, o, err))
        return false;
    if (o->tls_cert_pem != NULL &&
        !tls_identity_load(o->tls_cert_pem, o->tls_key_pem, o->tls_client_ca_pem, &s->tls, err))
        return false;
    for (size_t i = 0; i < o->listen_count; i++) {
        if (!listener_open(o->listen[i], &s->listeners[i], err))
            return false;
        s->listener_count++;
    }
    return start_threads(s, o->listen, err);
}

bool http_server_start(const struct http_server_options *options, struct http_server **out,
                       struct error *err)
{
    struct http_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(err, "http/memory", NULL, "out of memory");
    atomic_init(&s->refs, 1);
    init_locks(s);
    if (!start(s, options, err)) {
        http_server_stop(&s, 0);
        return false;
    }
    *out = s;
    return true;
}

unsigned http_server_port(const struct http_server *server, size_t i)
{
    return i < server->listener_count ? server->listeners[i].port : 0;
}

bool http_server_reload_tls(struct http_server *server, const char *cert_pem, const char *key_pem,
                            const char *client_ca_pem, struct error *err)
{
    if (server->options.tls_cert_pem == NULL)
        return error_set(err, "http/tls", NULL, "the server was started without TLS");
    struct tls_identity *fresh;
    if (!tls_identity_load(cert_pem, key_pem, client_ca_pem, &fresh, err))
        return false;
    pthread_mutex_lock(&server->lock);
    struct tls_identity *old = server->tls;
    server->tls = fresh;
    pthread_mutex_unlock(&server->lock);
    tls_identity_unref(old);
    return true;
}

/* ---- stop ---- */

/* shutdown, not close: a poll thread may be about to accept on the descriptor. */
static void stop_listening(struct http_server *s)
{
    atomic_store(&s->stopping, true);
    for (size_t i = 0; i < s->listener_count; i++) {
        if (s->listeners[i].daemon != NULL)
            MHD_quiesce_daemon(s->listeners[i].daemon);
        shutdown(s->listeners[i].fd, SHUT_RDWR);
    }
}

static void wait_idle(struct http_server *s, unsigned most_ms)
{
    const struct timespec nap = {.tv_nsec = DRAIN_POLL_MS * 1000000L};
    int64_t until = clock_monotonic_ms() + (int64_t)most_ms;
    while (atomic_load(&s->active) > 0 && clock_monotonic_ms() < until)
        nanosleep(&nap, NULL);
}

void http_server_stop(struct http_server **server, unsigned drain_ms)
{
    struct http_server *s = *server;
    if (s == NULL)
        return;
    *server = NULL;
    stop_listening(s);
    wait_idle(s, drain_ms);
    guard_release_all(s);
    wait_idle(s, LAST_WORDS_MS);
    guard_stop(s);
    for (size_t i = 0; i < s->listener_count; i++) {
        if (s->listeners[i].daemon != NULL)
            MHD_stop_daemon(s->listeners[i].daemon);
        listener_close(&s->listeners[i]);
    }
    server_unref(s);
}
