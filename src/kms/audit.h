/* The audit log: one JSON line per decision, chained with a keyed MAC, so that nobody without the
 * key can take a line out, change one or add one. Spec: issue text in docs/audit.md.
 *
 *   {"v":1,"seq":7,"time":"…Z","event":"…", … ,"mac":"<64 hex>"}
 *
 * mac = HMAC-SHA256(key, mac of the line before (32 zero bytes before the first) | the line up to
 * ',"mac"'). A release is on disk before the key leaves (group commit); refusals are buffered,
 * limited in rate, summarised when there are too many, and never use the last
 * AUDIT_RESERVE_BYTES of the disk. Thread-safe. */
#ifndef KMS_AUDIT_H
#define KMS_AUDIT_H

#include "dcap/verdict.h"

enum {
    AUDIT_MAC_LEN = 32,
    AUDIT_LINE_MAX = 4096,
    AUDIT_PENDING_MAX = 256 * 1024,
    AUDIT_REFUSALS_PER_S = 20,
    AUDIT_REFUSALS_BURST = 200,
    AUDIT_RESERVE_BYTES = 16 * 1024 * 1024,
};

struct audit;

/* What was decided. Texts may be NULL. */
struct audit_record {
    const char *event; /* "key_release", "refusal", "start", "stop" */
    const char *code;  /* error tag, or "ok" */
    const char *form;  /* "sealed", "clear" */
    struct slice peer_id;
    const char *source;
    const char *profile;
    const char *reason;
    const struct verdict *verdict; /* of the node's quote, when there is one */
};

/* Opens or makes the file (0600) and takes its lock; a line cut short by a crash is removed.
 * Nothing is written before audit_set_key(). Codes: audit/open, audit/busy, audit/format. */
bool audit_open(const char *path, struct audit **out, struct error *err) MUST_USE;
void audit_close(struct audit **audit);
void audit_set_key(struct audit *audit, const uint8_t key[32]);
/* The same path again, after something moved the old file away; the chain goes on. */
bool audit_reopen(struct audit *audit, struct error *err) MUST_USE;

/* Returns true when the record is durable. Codes: audit/key (none yet), audit/write. */
bool audit_write(struct audit *audit, const struct audit_record *record,
                 struct error *err) MUST_USE;
/* Never blocks on the disk's sync; may only be counted. */
void audit_note(struct audit *audit, const struct audit_record *record);
/* Writes what waits; call it about once a second. */
void audit_flush(struct audit *audit);

struct audit_state {
    uint64_t size, dropped;
    bool ready, failing; /* has a key; the last write failed */
};
struct audit_state audit_state(struct audit *audit);

#endif
