/* A server with routes for tests: /hello /secret /echo /blobs/... /query /any /forget /twice /early
 * /later?ms=N (deferred) /stream (upload) /download. */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <stdatomic.h>

#include "http/server.h"

enum { BODY_MAX = 1000, STREAM_MAX = 8 * 1024 * 1024, DRAIN_MAX = 1024 * 1024 };

/* What the handlers saw. */
struct fixture_seen {
    atomic_int finished;
    atomic_int before_send;
    atomic_int fallback_status;
    atomic_size_t streamed;
    atomic_int source_freed;
};
extern struct fixture_seen seen;

extern const char *const any_port[]; /* one address: 127.0.0.1, any port */

/* Fills in routes and hooks; aborts the test program when the server does not start. */
struct http_server *start_with(struct http_server_options options);
void pause_ms(long ms);
/* The server counts an exchange as finished a little after its client has the answer. Waits until
 * those of earlier tests have been counted: every answer ends exactly one exchange. */
int finished_so_far(void);

/* End of a request line and the header that every request needs. */
#define H " HTTP/1.1\r\nHost: x\r\n"

#endif
