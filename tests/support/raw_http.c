/* The raw client over plain sockets. */
#include "support/raw_http.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static int connect_to(int family, const struct sockaddr *sa, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, sa, len) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int raw_connect(unsigned port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect_to(AF_INET, (const struct sockaddr *)&sa, sizeof sa);
}

int raw_connect_unix(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof sa.sun_path)
        return -1;
    memcpy(sa.sun_path, path, strlen(path));
    return connect_to(AF_UNIX, (const struct sockaddr *)&sa, sizeof sa);
}

bool raw_send_bytes(int fd, const void *bytes, size_t len)
{
    const unsigned char *from = bytes;
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = send(fd, &from[sent], len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

bool raw_send(int fd, const char *text)
{
    return raw_send_bytes(fd, text, strlen(text));
}

static _Thread_local char received[RAW_REPLY_MAX];

const char *raw_read(int fd, const char *until, int wait_ms, bool *closed)
{
    size_t len = 0;
    bool ended = false;
    int64_t deadline = clock_monotonic_ms() + wait_ms;
    while (!ended && len < RAW_REPLY_MAX - 1) {
        int64_t left = deadline - clock_monotonic_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            break;
        ssize_t n = recv(fd, &received[len], RAW_REPLY_MAX - 1 - len, 0);
        ended = n <= 0;
        len += n > 0 ? (size_t)n : 0;
        received[len] = '\0';
        if (until != NULL && strstr(received, until) != NULL)
            break;
    }
    received[len] = '\0';
    if (closed != NULL)
        *closed = ended;
    return received;
}

/* Bytes of the reply that the headers announce; SIZE_MAX while the headers are not complete. */
static size_t announced(const char *reply, bool head)
{
    const char *end = strstr(reply, "\r\n\r\n");
    const char *field = strstr(reply, "Content-Length: ");
    if (end == NULL)
        return SIZE_MAX;
    size_t body = 0;
    if (!head && field != NULL && field < end)
        for (size_t i = 16; field[i] >= '0' && field[i] <= '9'; i++)
            body = body * 10 + (size_t)(field[i] - '0');
    return strlen(reply) - strlen(end) + 4 + body;
}

const char *raw_reply(int fd, bool head, int wait_ms)
{
    int64_t deadline = clock_monotonic_ms() + wait_ms;
    size_t len = 0;
    size_t want = SIZE_MAX;
    while (len < want && len < RAW_REPLY_MAX - 1) {
        int64_t left = deadline - clock_monotonic_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            break;
        ssize_t n = recv(fd, &received[len], RAW_REPLY_MAX - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
        received[len] = '\0';
        want = announced(received, head);
    }
    received[len] = '\0';
    return received;
}

const char *raw_exchange(unsigned port, const char *request)
{
    int fd = raw_connect(port);
    if (fd < 0)
        return "";
    raw_send(fd, request);
    const char *reply = raw_reply(fd, strncmp(request, "HEAD ", 5) == 0, 5000);
    close(fd);
    return reply;
}

int raw_status(const char *reply)
{
    if (strncmp(reply, "HTTP/1.", 7) != 0 || strlen(reply) < 12)
        return 0;
    return (reply[9] - '0') * 100 + (reply[10] - '0') * 10 + (reply[11] - '0');
}
