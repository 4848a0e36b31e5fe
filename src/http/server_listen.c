/* Listening sockets. TCP addresses are literal (no resolver at start-up); a unix socket's file is
 * replaced when nobody listens on it any more and removed at the end. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/server_internal.h"

enum { ADDRESS_TEXT_MAX = 128 };

static bool fail(const char *address, const char *doing, struct error *err)
{
    int why = errno;
    if (why == EADDRINUSE)
        return error_set(err, "http/listen", address, "%s is in use by another process", address);
    return error_set(err, "http/listen", address, "cannot %s %s: %s", doing, address,
                     strerror(why));
}

static bool finish(int fd, const struct sockaddr *sa, socklen_t len, const char *address,
                   struct error *err)
{
    if (bind(fd, sa, len) != 0)
        return fail(address, "bind to", err);
    return listen(fd, HTTP_LISTEN_BACKLOG) == 0 || fail(address, "listen on", err);
}

/* ---- unix ---- */

/* A file without a listener is what a killed process leaves behind. */
static bool remove_stale(const struct sockaddr_un *sa, const char *address, struct error *err)
{
    struct stat st;
    if (lstat(sa->sun_path, &st) != 0)
        return true;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, "http/listen", address, "%s exists and is not a socket",
                         sa->sun_path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return fail(address, "open a socket for", err);
    bool alive = connect(probe, (const struct sockaddr *)sa, sizeof *sa) == 0;
    close(probe);
    if (alive)
        return error_set(err, "http/listen", address, "%s is in use by another process", address);
    return unlink(sa->sun_path) == 0 || fail(address, "replace", err);
}

static bool open_unix(const char *address, const char *path, struct listener *out,
                      struct error *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (path[0] == '\0' || strlen(path) >= sizeof sa.sun_path)
        return error_set(err, "http/listen", address,
                         "the path of a unix socket has 1 to %zu characters",
                         sizeof sa.sun_path - 1);
    memcpy(sa.sun_path, path, strlen(path));
    if (!remove_stale(&sa, address, err))
        return false;
    out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0)
        return fail(address, "open a socket for", err);
    if (!finish(out->fd, (const struct sockaddr *)&sa, sizeof sa, address, err))
        return false;
    out->unix_path = strdup(path);
    return out->unix_path != NULL || error_set(err, "http/memory", NULL, "out of memory");
}

/* ---- TCP ---- */

/* "[::1]:80" and "127.0.0.1:80" into host and port. */
static bool split(const char *address, char host[ADDRESS_TEXT_MAX], char port[8])
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || strlen(address) >= ADDRESS_TEXT_MAX)
        return false;
    struct slice h = slice_of(address, strlen(address) - strlen(colon));
    struct slice p = slice_cut(slice_str(colon), 1, ADDRESS_TEXT_MAX);
    if (h.len >= 2 && h.data[0] == '[' && h.data[h.len - 1] == ']')
        h = slice_cut(h, 1, h.len - 2);
    if (h.len == 0 || p.len == 0 || p.len > 5)
        return false;
    snprintf(host, ADDRESS_TEXT_MAX, "%.*s", (int)h.len, (const char *)h.data);
    snprintf(port, 8, "%.*s", (int)p.len, (const char *)p.data);
    return true;
}

static void free_addresses(struct addrinfo **list)
{
    if (*list != NULL)
        freeaddrinfo(*list);
}

static unsigned bound_port(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return 0;
    if (sa.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&sa)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&sa)->sin_port);
}

static bool open_tcp(const char *address, struct listener *out, struct error *err)
{
    char host[ADDRESS_TEXT_MAX];
    char port[8];
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found __attribute__((cleanup(free_addresses))) = NULL;
    if (!split(address, host, port) || getaddrinfo(host, port, &hints, &found) != 0)
        return error_set(err, "http/listen", address,
                         "'%s' is not an address to listen on (want \"127.0.0.1:8080\", "
                         "\"[::1]:8080\" or \"unix:/path\")",
                         address);
    const int on = 1;
    out->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0)
        return fail(address, "open a socket for", err);
    setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (found->ai_family == AF_INET6)
        setsockopt(out->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (!finish(out->fd, found->ai_addr, found->ai_addrlen, address, err))
        return false;
    out->port = bound_port(out->fd);
    return true;
}

bool listener_open(const char *address, struct listener *out, struct error *err)
{
    struct listener l = {.fd = -1};
    bool ok = strncmp(address, "unix:", 5) == 0 ? open_unix(address, &address[5], &l, err)
                                                : open_tcp(address, &l, err);
    if (!ok) {
        listener_close(&l);
        return false;
    }
    *out = l;
    return true;
}

void listener_close(struct listener *l)
{
    if (l->unix_path != NULL)
        unlink(l->unix_path);
    free(l->unix_path);
    if (l->fd >= 0)
        close(l->fd);
    *l = (struct listener){.fd = -1};
}
