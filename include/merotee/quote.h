/* libmerotee: quotes and event logs taken apart. Nothing here is proven: a parsed quote says what
 * whoever sent it claims. Only a verdict (merotee/dcap.h) may be decided on, and a policy takes
 * nothing else.
 *
 * Source: Intel SGX DCAP quoting library API reference, appendix A (quote version 3); Intel TDX
 * DCAP quoting library API, appendix A (versions 4 and 5); dstack's event log and the TCG event log
 * for the registers below it.
 */
#ifndef MEROTEE_QUOTE_H
#define MEROTEE_QUOTE_H

#include <merotee/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ceilings. What is larger is refused before it is looked at. */
enum {
    MEROTEE_QUOTE_LEN_MAX = 262144,       /* bytes of a quote; trailing bytes do not count */
    MEROTEE_EVENT_LOG_TEXT_MAX = 4194304, /* bytes of JSON */
    MEROTEE_EVENT_LOG_ENTRIES_MAX = 4096,
    MEROTEE_REGISTERS = 4 /* RTMR0 to RTMR3 */
};

enum merotee_tee { MEROTEE_TEE_NONE, MEROTEE_TEE_SGX, MEROTEE_TEE_TDX };

/* Body types, by the numbers of a version 5 body descriptor; versions 3 and 4 have the first two.
 */
enum merotee_body {
    MEROTEE_BODY_NONE,
    MEROTEE_BODY_SGX,
    MEROTEE_BODY_TD_10,
    MEROTEE_BODY_TD_15,
    MEROTEE_BODY_TD_15_EX
};

/* Byte strings of a quote or a verdict, in quote order. In brackets their length in bytes and who
 * has them: T = TD, 5 = TD 1.5 and later, S = SGX, * = all, V = verdicts only. Numbers in them are
 * little-endian. */
enum merotee_field {
    MEROTEE_FIELD_NONE,
    MEROTEE_FIELD_REPORT_DATA,          /* [64 *] */
    MEROTEE_FIELD_MRTD,                 /* [48 T] */
    MEROTEE_FIELD_RTMR0,                /* [48 T] */
    MEROTEE_FIELD_RTMR1,                /* [48 T] */
    MEROTEE_FIELD_RTMR2,                /* [48 T] */
    MEROTEE_FIELD_RTMR3,                /* [48 T] */
    MEROTEE_FIELD_MRSEAM,               /* [48 T] */
    MEROTEE_FIELD_MRSIGNERSEAM,         /* [48 T] */
    MEROTEE_FIELD_SEAMATTRIBUTES,       /* [8 T] */
    MEROTEE_FIELD_TDATTRIBUTES,         /* [8 T] */
    MEROTEE_FIELD_XFAM,                 /* [8 T] */
    MEROTEE_FIELD_MRCONFIGID,           /* [48 T] */
    MEROTEE_FIELD_MROWNER,              /* [48 T] */
    MEROTEE_FIELD_MROWNERCONFIG,        /* [48 T] */
    MEROTEE_FIELD_MRSERVICETD,          /* [48 5] */
    MEROTEE_FIELD_TEE_TCB_SVN,          /* [16 T] */
    MEROTEE_FIELD_TEE_TCB_SVN2,         /* [16 5] */
    MEROTEE_FIELD_MRENCLAVE,            /* [32 S] */
    MEROTEE_FIELD_MRSIGNER,             /* [32 S] */
    MEROTEE_FIELD_SGX_ATTRIBUTES,       /* [16 S] */
    MEROTEE_FIELD_FMSPC,                /* [6 V] platform model */
    MEROTEE_FIELD_PCEID,                /* [2 V] */
    MEROTEE_FIELD_PPID,                 /* [16 V] this very platform */
    MEROTEE_FIELD_PLATFORM_INSTANCE_ID, /* [16 V] where the PCK certificate has one */
    MEROTEE_FIELD_COUNT                 /* grows with the library; not a field */
};

/* ---- quotes ---- */

/* A parsed quote with its own copy of the bytes. Immutable. */
struct merotee_quote;

/*
 * Parses the quote that `bytes` (raw, not hex or base64) starts with; what follows the quote is
 * normal and ignored. One allocation. Codes: quote/truncated, quote/too-large, quote/version,
 * quote/key-type, quote/tee-type, quote/vendor, quote/body-type, quote/body-size, quote/auth-size,
 * quote/cert-type, quote/cert-size, quote/slack, memory.
 */
MEROTEE_API bool merotee_quote_parse(const void *bytes, size_t len, struct merotee_quote **out,
                                     struct merotee_error *err) MEROTEE_MUST_USE;
MEROTEE_API void merotee_quote_free(struct merotee_quote *quote);

MEROTEE_API size_t merotee_quote_len(const struct merotee_quote *quote); /* without what followed */
MEROTEE_API unsigned merotee_quote_version(const struct merotee_quote *quote); /* 3, 4 or 5 */
MEROTEE_API enum merotee_tee merotee_quote_tee(const struct merotee_quote *quote);
MEROTEE_API enum merotee_body merotee_quote_body(const struct merotee_quote *quote);

/* The bytes of a field and (len may be NULL) their number; NULL and 0 when this quote has none. */
MEROTEE_API const uint8_t *merotee_quote_field(const struct merotee_quote *quote,
                                               enum merotee_field field, size_t *len);

/* The whole quote as one JSON object, indented, with Intel's field names and bytes in lower-case
 * hex: header, body, signature, attestationKey, certificationData. Give *out to merotee_free().
 * Code memory. */
MEROTEE_API bool merotee_quote_json(const struct merotee_quote *quote, char **out,
                                    struct merotee_error *err) MEROTEE_MUST_USE;
/* The same for a human, one line a field; the first says that nothing was verified. */
MEROTEE_API bool merotee_quote_text(const struct merotee_quote *quote, char **out,
                                    struct merotee_error *err) MEROTEE_MUST_USE;

/* ---- event logs ---- */

/* One entry, while it is visited. Grows at its end: never copy or allocate it. */
struct merotee_event {
    size_t index;            /* in the log, from 0 */
    unsigned register_index; /* 0..3 */
    uint32_t type;
    unsigned digest_version; /* of the digest's formula: 1 or 2 */
    const char *name; /* not NUL-terminated; registers 0..2: for display, nothing proves it */
    size_t name_len;
    const uint8_t *payload; /* empty for registers 0..2 */
    size_t payload_len;
    const uint8_t *digest; /* [48], what the register was extended with */
};

/* What a log says when it is replayed. Immutable. */
struct merotee_event_log;

/*
 * Reads a log (a JSON array of entries, or a JSON string that holds one) and replays it. `visit`
 * (may be NULL) sees every entry in order and must not keep its pointers; it has run for the
 * entries before the bad one when the call fails. Digests of runtime events are computed from name
 * and payload, never taken on trust. Codes: eventlog/size, eventlog/format, eventlog/entries,
 * eventlog/register, eventlog/type, eventlog/name, eventlog/payload, eventlog/digest,
 * eventlog/version, eventlog/preimage, eventlog/repeated, memory.
 */
MEROTEE_API bool merotee_event_log_read(
    const void *json, size_t len, void (*visit)(const struct merotee_event *event, void *context),
    void *context, struct merotee_event_log **out, struct merotee_error *err) MEROTEE_MUST_USE;
MEROTEE_API void merotee_event_log_free(struct merotee_event_log *log);

/* [48], where register 0..3 ends; NULL for another index. */
MEROTEE_API const uint8_t *merotee_event_log_register(const struct merotee_event_log *log,
                                                      unsigned register_index);
/* [32], [20] and [32]; NULL when the log does not name one. Worth nothing before
 * merotee_event_log_check() of register 3. */
MEROTEE_API const uint8_t *merotee_event_log_compose_hash(const struct merotee_event_log *log);
MEROTEE_API const uint8_t *merotee_event_log_app_id(const struct merotee_event_log *log);
MEROTEE_API const uint8_t *merotee_event_log_os_image_hash(const struct merotee_event_log *log);

struct merotee_verdict; /* merotee/dcap.h */

/* The log leads to register 0..3 of a verified TD: from here on its entries of that register are
 * proven. Codes: eventlog/mismatch, eventlog/register (no such register, or no TD), verdict/empty.
 */
MEROTEE_API bool merotee_event_log_check(const struct merotee_event_log *log,
                                         const struct merotee_verdict *verdict,
                                         unsigned register_index,
                                         struct merotee_error *err) MEROTEE_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
