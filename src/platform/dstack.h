/* Client of the dstack guest agent (platform facts 1): JSON over a unix socket. Thread-safe: each
 * call takes a connection of its own, connections are kept for reuse; each call has a deadline.
 *
 * Codes: platform/agent (not there, refused, malformed; the text says which), platform/timeout,
 * platform/agent-method (the agent does not know the method: it is older or newer than the method),
 * platform/canceled. */
#ifndef PLATFORM_DSTACK_H
#define PLATFORM_DSTACK_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/secret.h"

struct dstack;

struct dstack_options {
    const char *socket_path;   /* NULL = the first that exists of /var/run/dstack.sock,
                                  /run/dstack.sock, /var/run/dstack/dstack.sock,
                                  /run/dstack/dstack.sock. Development builds also take
                                  "http://host:port" (what DSTACK_SIMULATOR_ENDPOINT may hold) */
    const char *search_root;   /* put before the paths of the search list by tests; NULL = none */
    unsigned timeout_ms;       /* of one call; 0 = 30000 */
    const atomic_bool *cancel; /* may be NULL */
};

/* Finds the socket; nothing is asked yet. */
bool dstack_open(const struct dstack_options *options, struct dstack **out,
                 struct error *err) MUST_USE;
/* When no call runs any more. */
void dstack_close(struct dstack **d);
const char *dstack_socket_path(const struct dstack *d);

/* The 32 key bytes of `path`, which the agent takes byte for byte; purpose "" and algorithm
 * "secp256k1" are sent as the existing KMS does (neither changes the key). */
bool dstack_get_key(struct dstack *d, const char *path, struct secret *out,
                    struct error *err) MUST_USE;

struct dstack_quote {
    struct buf quote;     /* raw bytes */
    struct buf event_log; /* JSON text (array) */
    struct buf vm_config; /* text */
};
/* Owned by the caller. */
void dstack_quote_free(struct dstack_quote *q);
#define DSTACK_QUOTE_AUTO __attribute__((cleanup(dstack_quote_free)))

/* The report data inside the quote is compared with what was sent (platform/report-data; a reply
 * that is no quote is platform/quote). */
bool dstack_get_quote(struct dstack *d, const uint8_t report_data[64], struct dstack_quote *out,
                      struct error *err) MUST_USE;
/* Extends RTMR3; every call extends again. Calls are made one at a time, because agents before
 * mid-2026 let two of them put log and register out of step. Gone from agents 0.6:
 * platform/agent-method. */
bool dstack_emit_event(struct dstack *d, const char *event, struct slice payload,
                       struct error *err) MUST_USE;
/* The reply of Info as JSON text, appended. Self-reported and unsigned: for display. */
bool dstack_info(struct dstack *d, struct buf *json, struct error *err) MUST_USE;
/* Agents since 0.5.7; platform/agent-method before. */
enum { DSTACK_VERSION_MAX = 64 };
bool dstack_version(struct dstack *d, char out[DSTACK_VERSION_MAX], struct error *err) MUST_USE;

#endif
