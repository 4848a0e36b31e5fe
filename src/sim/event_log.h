/* The event log of a dstack machine (platform facts 2): firmware events for RTMR0-2, runtime events
 * for RTMR3, the digests of both formats, and the replay that must equal the quote. Not locked: the
 * machine that owns it does that. */
#ifndef SIM_EVENT_LOG_H
#define SIM_EVENT_LOG_H

#include "base/bytes.h"
#include "base/hash.h"
#include "sim/limits.h"

enum { SIM_RUNTIME_EVENT = 0x08000001, SIM_RTMR_LEN = SHA384_LEN };

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

/* SHA-384 of the V1 preimage (type | ':' | name | ':' | payload) or of the V2 one (canonical JSON).
 */
bool sim_event_digest(unsigned version, const char *name, struct slice payload,
                      uint8_t out[SHA384_LEN], struct error *err) MUST_USE;
/* rtmr = SHA-384(rtmr | digest) */
void sim_rtmr_extend(uint8_t rtmr[SIM_RTMR_LEN], const uint8_t digest[SHA384_LEN]);

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
