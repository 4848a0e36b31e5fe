/* Tells a service manager how far a daemon is: the sd_notify protocol, one datagram to
 * $NOTIFY_SOCKET. Spec: operator contract 3. */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include "base/error.h"

/* socket_path: the value of $NOTIFY_SOCKET ('/...' or '@abstract'); NULL or empty means nobody
 * listens and succeeds. state: newline-separated assignments such as "READY=1\nSTATUS=serving".
 * Never blocks. Codes: notify/path, notify/io. */
bool notify_send(const char *socket_path, const char *state, struct error *err) MUST_USE;

/* How often to send "WATCHDOG=1", in milliseconds: half of what the manager waits, at most a
 * minute. usec: the value of $WATCHDOG_USEC. -1 when there is no watchdog (NULL, zero or no
 * number). */
int notify_watchdog_ms(const char *usec);

#endif
