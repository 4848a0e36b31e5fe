/* Starting and ending Redis. Debian's redis-tools carries the server under another name, without
 * the service that the package redis-server would start. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/raw_http.h"
#include "support/redis_server.h"

static const char *const binaries[] = {"/usr/bin/redis-server", "/usr/bin/redis-check-rdb"};

static const char *binary(void)
{
    for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++)
        if (access(binaries[i], X_OK) == 0)
            return binaries[i];
    return NULL;
}

bool redis_server_exists(void)
{
    return binary() != NULL && access("/usr/bin/redis-cli", X_OK) == 0;
}

static void run_server(const struct redis_server *r)
{
    char port[16];
    const char *path = binary();
    snprintf(port, sizeof(port), "%u", r->port);
    if (path == NULL || freopen("/dev/null", "w", stdout) == NULL)
        _exit(127);
    if (r->password[0] != '\0')
        execl(path, "redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket",
              r->socket_path, "--save", "", "--requirepass", r->password, (char *)NULL);
    else
        execl(path, "redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket",
              r->socket_path, "--save", "", (char *)NULL);
    _exit(127);
}

/* A port that nobody has just now. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

void redis_server_start(struct redis_server *r, const char *password)
{
    if (r->port == 0)
        r->port = free_port();
    snprintf(r->password, sizeof(r->password), "%s", password);
    snprintf(r->socket_path, sizeof(r->socket_path), "/tmp/mero-redis-%d.sock", (int)getpid());
    snprintf(r->url, sizeof(r->url), "redis://127.0.0.1:%u", r->port);
    snprintf(r->unix_url, sizeof(r->unix_url), "unix://%s", r->socket_path);
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0)
        run_server(r);
    for (unsigned i = 0; i < 3000; i++) {
        int fd = raw_connect(r->port);
        if (fd >= 0) {
            close(fd);
            return;
        }
        usleep(10 * 1000);
    }
    fail_msg("Redis does not start");
}

void redis_server_stop(struct redis_server *r)
{
    if (r->pid <= 0)
        return;
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    r->pid = 0;
    unlink(r->socket_path);
}

bool redis_server_do(struct redis_server *r, const char *command, const char *argument,
                     const char *second)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL)
            _exit(127);
        if (r->password[0] != '\0')
            setenv("REDISCLI_AUTH", r->password, 1);
        execl("/usr/bin/redis-cli", "redis-cli", "-s", r->socket_path, command, argument, second,
              (char *)NULL);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
