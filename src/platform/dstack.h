/* Client of the dstack guest agent (platform facts 1): JSON over a unix socket. Thread-safe; each
 * call has a deadline. Codes: platform/agent (unreachable, refused, malformed; the text says
 * which), platform/timeout, platform/agent-method (the agent does not know the method). */
#ifndef PLATFORM_DSTACK_H
#define PLATFORM_DSTACK_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/secret.h"

struct dstack;

struct dstack_options {
    const char
        *socket_path;          /* NULL = search list (in development builds
                                  DSTACK_SIMULATOR_ENDPOINT's value is passed   here by the command) */
    unsigned timeout_ms;       /* 0 = 30000 */
    const atomic_bool *cancel; /* may be NULL */
};

bool dstack_open(const struct dstack_options *options, struct dstack **out,
                 struct error *err) MUST_USE;
void dstack_close(struct dstack **d);
const char *dstack_socket_path(const struct dstack *d);

/* The 32 key bytes of `path`; purpose "" and algorithm "secp256k1" are sent as the existing KMS
 * does. */
bool dstack_get_key(struct dstack *d, const char *path, struct secret *out,
                    struct error *err) MUST_USE;

struct dstack_quote {
    struct buf quote;     /* raw bytes */
    struct buf event_log; /* JSON text (array) */
    struct buf vm_config; /* text */
};
void dstack_quote_free(struct dstack_quote *q);
/* report_data inside the quote is compared with what was sent (platform/report-data). */
bool dstack_get_quote(struct dstack *d, const uint8_t report_data[64], struct dstack_quote *out,
                      struct error *err) MUST_USE;
bool dstack_emit_event(struct dstack *d, const char *event, struct slice payload,
                       struct error *err) MUST_USE;
/* The reply of Info as JSON text. */
bool dstack_info(struct dstack *d, struct buf *json, struct error *err) MUST_USE;

#endif
