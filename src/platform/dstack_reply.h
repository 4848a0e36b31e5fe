/* Internal to this room: the bodies of the agent's replies, read in place and strictly. Each fails
 * with platform/agent; the field is the path to what is wrong. */
#ifndef PLATFORM_DSTACK_REPLY_H
#define PLATFORM_DSTACK_REPLY_H

#include "platform/dstack.h"

/* {"key":"<64 hex>", ...}: the 32 bytes. */
bool dstack_read_key(struct slice body, struct secret *out, struct error *err) MUST_USE;
/* {"quote":"<hex>","event_log":"...","vm_config":"...", ...} into buffers that the caller has given
 * ceilings; the last two may be absent. */
bool dstack_read_quote(struct slice body, struct dstack_quote *out, struct error *err) MUST_USE;
/* {"version":"0.5.8", ...} */
bool dstack_read_version(struct slice body, char out[DSTACK_VERSION_MAX],
                         struct error *err) MUST_USE;
/* Any object; any JSON at all (methods without result answer "null"). */
bool dstack_read_object(const char *method, struct slice body, struct error *err) MUST_USE;
bool dstack_read_any(const char *method, struct slice body, struct error *err) MUST_USE;

#endif
