/* A client without manners for tests: bytes out, bytes in, over real sockets. */
#ifndef TESTS_RAW_HTTP_H
#define TESTS_RAW_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum { RAW_REPLY_MAX = 262144 };

int raw_connect(unsigned port); /* 127.0.0.1; -1 on failure */
int raw_connect_unix(const char *path);
bool raw_send(int fd, const char *text);
bool raw_send_bytes(int fd, const void *bytes, size_t len);
/* Reads until the peer closes, `until` has been seen (NULL = never) or wait_ms have passed without
 * it. Returns the thread's own NUL-terminated buffer; *closed (may be NULL) says whether the peer
 * closed. */
const char *raw_read(int fd, const char *until, int wait_ms, bool *closed);
/* One whole reply, as long as its headers say; `head`: without the body. Same static buffer. */
const char *raw_reply(int fd, bool head, int wait_ms);
/* Connects, sends, reads one reply, closes. */
const char *raw_exchange(unsigned port, const char *request);
/* The number in "HTTP/1.1 nnn", 0 when there is none. */
int raw_status(const char *reply);

#endif
