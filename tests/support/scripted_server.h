/* A server that says exactly what a test tells it to, right or wrong: one scripted reply for each
 * request, over TCP on 127.0.0.1 or a unix socket. */
#ifndef TESTS_SCRIPTED_SERVER_H
#define TESTS_SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct script {
    const char *reply; /* NULL = say nothing */
    size_t len;        /* 0 = strlen(reply) */
    unsigned drip_ms;  /* pause between single bytes; 0 = all at once */
    bool keep_open;    /* wait for the next request (or for the client to go) instead of closing */
};

struct scripted_server;

/* Request i is answered by scripts[i], the last one from then on. unix_path NULL = TCP. Aborts the
 * test program when it cannot start. scripts must stay alive. */
struct scripted_server *scripted_start(const struct script *scripts, size_t count,
                                       const char *unix_path);
unsigned scripted_port(const struct scripted_server *s);
unsigned scripted_connections(struct scripted_server *s); /* accepted so far */
unsigned scripted_requests(struct scripted_server *s);    /* complete ones seen so far */
/* Head and body of the last request, NUL-terminated; valid until stop. Call when it has ended. */
const char *scripted_last_request(struct scripted_server *s);
void scripted_stop(struct scripted_server **s);

#endif
