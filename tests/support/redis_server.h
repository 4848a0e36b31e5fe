/* A real Redis for tests: on a unix socket and a private port, nothing on disk, ended with the
 * test.
 */
#ifndef SUPPORT_REDIS_SERVER_H
#define SUPPORT_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
    pid_t pid; /* 0 = not running */
    unsigned port;
    char socket_path[108];
    char url[128];      /* redis://127.0.0.1:PORT */
    char unix_url[128]; /* unix:///... */
    char password[64];
};

/* Is the program there at all? */
bool redis_server_exists(void);
/* password "" = none. Starts again on the same addresses when it was stopped. */
void redis_server_start(struct redis_server *r, const char *password);
void redis_server_stop(struct redis_server *r);
/* One command through redis-cli; true when it exits with 0. */
bool redis_server_do(struct redis_server *r, const char *command, const char *argument,
                     const char *second);

#endif
