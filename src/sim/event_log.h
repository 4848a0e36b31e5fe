/* The event log of a dstack machine (platform facts 2): firmware events for RTMR0-2, runtime events
 * for RTMR3, and the replay that must equal the quote. Not locked: the
 * machine that owns it does that. */
#ifndef SIM_EVENT_LOG_H
#define SIM_EVENT_LOG_H

#include "base/bytes.h"
#include "base/hash.h"
#include "quote/eventlog.h"
#include "sim/limits.h"

enum { SIM_RTMR_LEN = EVENT_DIGEST_LEN };

struct sim_event {
    unsigned imr;
    uint32_t type;
    uint8_t digest[SHA384_LEN];
    char name[SIM_EVENT_NAME_MAX];
    struct buf payload;
    unsigned version; /* 1, or 2 for runtime events of newer agents */
};

struct sim_event_log {
    struct sim_event *events; /* owned */
    size_t count;
};

/* A runtime event for RTMR3. Code sim/limit when the log, the name or the payload is too long. */
bool sim_log_runtime(struct sim_event_log *log, unsigned version, const char *name,
                     struct slice payload, struct error *err) MUST_USE;
/* A firmware event with a digest of its own. */
bool sim_log_firmware(struct sim_event_log *log, unsigned imr, uint32_t type,
                      const uint8_t digest[SHA384_LEN], struct slice payload,
                      struct error *err) MUST_USE;
void sim_log_free(struct sim_event_log *log);

void sim_log_replay(const struct sim_event_log *log, unsigned imr, uint8_t out[SIM_RTMR_LEN]);

/* The JSON array as GetQuote and Info give it, compact. stripped (agents from 0.5.6 on, GetQuote
 * only): runtime events lose the digest, the others the payload. */
bool sim_log_write(const struct sim_event_log *log, bool stripped, struct buf *out,
                   struct error *err) MUST_USE;

#endif
