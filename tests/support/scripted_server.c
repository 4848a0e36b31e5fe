/* One thread, one connection at a time. */
#include "support/scripted_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_MAX = 65536, TICK_MS = 10 };

struct scripted_server {
    const struct script *scripts;
    size_t count;
    int fd;
    unsigned port;
    char unix_path[108];
    pthread_t thread;
    atomic_bool quit;
    atomic_uint connections;
    atomic_uint requests;
    char request[REQUEST_MAX]; /* being read */
    char last[REQUEST_MAX];
};

static bool readable(struct scripted_server *s, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (!atomic_load(&s->quit))
        if (poll(&p, 1, TICK_MS) > 0)
            return true;
    return false;
}

static size_t body_len(const char *request)
{
    const char *field = strstr(request, "Content-Length: ");
    size_t len = 0;
    for (size_t i = 16; field != NULL && field[i] >= '0' && field[i] <= '9'; i++)
        len = len * 10 + (size_t)(field[i] - '0');
    return len;
}

static bool is_complete(const char *request, size_t len)
{
    const char *end = strstr(request, "\r\n\r\n");
    return end != NULL && len >= (size_t)(end - request) + 4 + body_len(request);
}

static bool read_request(struct scripted_server *s, int fd)
{
    size_t len = 0;
    s->request[0] = '\0';
    while (!is_complete(s->request, len) && len < REQUEST_MAX - 1) {
        if (!readable(s, fd))
            return false;
        ssize_t n = recv(fd, &s->request[len], REQUEST_MAX - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        s->request[len] = '\0';
    }
    memcpy(s->last, s->request, len + 1);
    atomic_fetch_add(&s->requests, 1);
    return true;
}

static void send_reply(struct scripted_server *s, int fd, const struct script *script)
{
    const struct timespec pause = {script->drip_ms / 1000, (script->drip_ms % 1000) * 1000000L};
    size_t len = script->reply == NULL ? 0 : script->len != 0 ? script->len : strlen(script->reply);
    size_t step = script->drip_ms != 0 ? 1 : len;
    for (size_t at = 0; at < len && !atomic_load(&s->quit); at += step) {
        if (send(fd, &script->reply[at], len - at < step ? len - at : step, MSG_NOSIGNAL) < 0)
            return;
        if (script->drip_ms != 0)
            nanosleep(&pause, NULL);
    }
}

static void serve(struct scripted_server *s, int fd)
{
    const struct script *script;
    do {
        if (!read_request(s, fd))
            return;
        size_t i = atomic_load(&s->requests) - 1;
        script = &s->scripts[i < s->count ? i : s->count - 1];
        send_reply(s, fd, script);
    } while (script->keep_open);
}

static void *serve_all(void *arg)
{
    struct scripted_server *s = arg;
    while (readable(s, s->fd)) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&s->connections, 1);
        serve(s, fd);
        close(fd);
    }
    return NULL;
}

static void listen_tcp(struct scripted_server *s)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->fd, (const struct sockaddr *)&sa, sizeof sa) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&sa, &len) != 0)
        abort();
    s->port = ntohs(sa.sin_port);
}

static void listen_unix(struct scripted_server *s, const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(s->unix_path, sizeof s->unix_path, "%s", path);
    memcpy(sa.sun_path, s->unix_path, sizeof sa.sun_path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->fd, (const struct sockaddr *)&sa, sizeof sa) != 0)
        abort();
}

struct scripted_server *scripted_start(const struct script *scripts, size_t count,
                                       const char *unix_path)
{
    struct scripted_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->scripts = scripts;
    s->count = count;
    if (unix_path != NULL)
        listen_unix(s, unix_path);
    else
        listen_tcp(s);
    if (listen(s->fd, 16) != 0 || pthread_create(&s->thread, NULL, serve_all, s) != 0)
        abort();
    return s;
}

unsigned scripted_port(const struct scripted_server *s)
{
    return s->port;
}

unsigned scripted_connections(struct scripted_server *s)
{
    return atomic_load(&s->connections);
}

unsigned scripted_requests(struct scripted_server *s)
{
    return atomic_load(&s->requests);
}

const char *scripted_last_request(struct scripted_server *s)
{
    (void)atomic_load(&s->requests); /* what was kept before it was counted can be seen now */
    return s->last;
}

void scripted_stop(struct scripted_server **server)
{
    struct scripted_server *s = *server;
    if (s == NULL)
        return;
    atomic_store(&s->quit, true);
    pthread_join(s->thread, NULL);
    close(s->fd);
    if (s->unix_path[0] != '\0')
        unlink(s->unix_path);
    free(s);
    *server = NULL;
}
