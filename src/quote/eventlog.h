/* dstack event logs: what the guest says it measured, replayed to the registers it must lead to. A
 * log proves nothing until its registers equal those of a *verified* quote. Spec: platform facts 2,
 * reference facts H.4. */
#ifndef QUOTE_EVENTLOG_H
#define QUOTE_EVENTLOG_H

#include "quote/quote.h"

enum {
    EVENTLOG_TEXT_MAX = 4194304, /* JSON, bytes */
    EVENTLOG_ENTRIES_MAX = 4096,
    EVENT_NAME_MAX = 256,      /* bytes */
    EVENT_PAYLOAD_MAX = 65536, /* bytes, of runtime events */
    EVENT_DIGEST_LEN = 48,
    EVENT_TYPE_RUNTIME = 0x08000001,
    COMPOSE_HASH_LEN = 32,
    APP_ID_LEN = 20,
    OS_IMAGE_HASH_LEN = 32,
};

/* One entry, as a visitor sees it; what it points to lives until the visitor returns. */
struct event {
    size_t index; /* in the log, from 0 */
    unsigned imr; /* 0..3 */
    uint32_t type;
    unsigned version;      /* of the digest's formula: 1 or 2 */
    struct slice name;     /* of imr 0..2: for display only, nothing proves it */
    struct slice payload;  /* decoded; always empty for imr 0..2 */
    const uint8_t *digest; /* [48], what the register was extended with */
};

/* What a log says when it is replayed. The hashes are those of the boot events before
 * "system-ready"; a later or second event of such a name is refused. */
struct eventlog {
    uint8_t rtmr[4][EVENT_DIGEST_LEN];
    size_t count[4]; /* events per register */
    bool has_compose_hash, has_app_id, has_os_image_hash;
    uint8_t compose_hash[COMPOSE_HASH_LEN];
    uint8_t app_id[APP_ID_LEN];
    uint8_t os_image_hash[OS_IMAGE_HASH_LEN];
};

/*
 * Reads a log, a JSON array of entries or a JSON string that holds one, and replays it. `visit`
 * (may be NULL) sees every entry in order.
 *
 * An entry of imr 3 must be a runtime event with a name without ':', and its digest is always
 * computed from name and payload (version 2: from the canonical preimage, which must be there); a
 * digest that is given must be the same. An entry of imr 0..2 counts by its digest alone.
 *
 * Codes: eventlog/size, eventlog/format (not JSON, or a member missing, doubled or of a wrong
 * type), eventlog/entries, eventlog/register, eventlog/type, eventlog/name, eventlog/payload,
 * eventlog/digest, eventlog/version, eventlog/preimage, eventlog/repeated, memory. The field is the
 * path of the member.
 */
bool eventlog_read(struct slice json, struct eventlog *out,
                   void (*visit)(const struct event *event, void *context), void *context,
                   struct error *err) MUST_USE;

/* The log leads to register `imr` (0..3) of this report. Code eventlog/mismatch. */
bool eventlog_matches(const struct eventlog *log, const struct td_report *td, unsigned imr,
                      struct error *err) MUST_USE;

/* The formulas, for whoever makes logs. name: UTF-8 without ':'. */
void event_digest_v1(struct slice name, struct slice payload, uint8_t out[EVENT_DIGEST_LEN]);
/* The canonical preimage of version 2, appended to out; its SHA-384 is the digest. */
bool event_preimage_v2(struct slice name, struct slice payload, struct buf *out);
/* rtmr = SHA-384(rtmr || digest) */
void rtmr_extend(uint8_t rtmr[EVENT_DIGEST_LEN], const uint8_t digest[EVENT_DIGEST_LEN]);

#endif
