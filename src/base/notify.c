/* sd_notify by hand: one datagram, no library. Spec: operator contract 3. */
#include "base/notify.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"

static bool address_of(const char *socket_path, struct sockaddr_un *out, socklen_t *len,
                       struct error *err)
{
    size_t path_len = strlen(socket_path);
    bool abstract = socket_path[0] == '@';
    if ((!abstract && socket_path[0] != '/') || path_len >= sizeof(out->sun_path))
        return error_set(err, "notify/path", "NOTIFY_SOCKET", "unusable socket path '%s'",
                         socket_path);
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, socket_path, path_len);
    if (abstract)
        out->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len + (abstract ? 0 : 1));
    return true;
}

bool notify_send(const char *socket_path, const char *state, struct error *err)
{
    if (!socket_path || !socket_path[0])
        return true;
    struct sockaddr_un address;
    socklen_t len = 0;
    if (!address_of(socket_path, &address, &len, err))
        return false;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(err, "notify/io", "NOTIFY_SOCKET", "cannot make a socket: %s",
                         strerror(errno));
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, len);
    int saved = errno;
    close(fd);
    if (sent < 0)
        return error_set(err, "notify/io", "NOTIFY_SOCKET", "cannot write to '%s': %s", socket_path,
                         strerror(saved));
    return true;
}

int notify_watchdog_ms(const char *usec)
{
    int64_t us = 0;
    for (size_t i = 0; usec != NULL && usec[i] >= '0' && usec[i] <= '9' && i < 15; i++)
        us = us * 10 + (usec[i] - '0');
    if (us <= 0)
        return -1;
    int64_t half_ms = us / 2000;
    return half_ms < 1 ? 1 : half_ms > 60000 ? 60000 : (int)half_ms;
}
