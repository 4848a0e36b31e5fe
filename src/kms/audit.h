/* The audit log: one JSON line per decision, chained with a keyed MAC, so that nobody without the
 * key can take a line out, change one or add one. Page: docs/kms-operations.md.
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

struct kms_audit;

/* What was decided. Texts may be NULL. */
struct kms_audit_record {
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
 * Nothing is written before kms_audit_set_key(). Codes: audit/open, audit/busy, audit/format. */
bool kms_audit_open(const char *path, struct kms_audit **out, struct error *err) MUST_USE;
void kms_audit_close(struct kms_audit **audit);
void kms_audit_set_key(struct kms_audit *audit, const uint8_t key[32]);
/* The same path again, after something moved the old file away; the chain goes on. */
bool kms_audit_reopen(struct kms_audit *audit, struct error *err) MUST_USE;

/* Returns true when the record is durable. Codes: audit/key (none yet), audit/write. */
bool kms_audit_write(struct kms_audit *audit, const struct kms_audit_record *record,
                     struct error *err) MUST_USE;
/* Never blocks on the disk's sync; may only be counted. */
void kms_audit_note(struct kms_audit *audit, const struct kms_audit_record *record);
/* Writes what waits; call it about once a second. */
void kms_audit_flush(struct kms_audit *audit);

struct kms_audit_state {
    uint64_t size, dropped;
    bool ready, failing; /* has a key; the last write failed */
};
struct kms_audit_state kms_audit_state(struct kms_audit *audit);

#endif
