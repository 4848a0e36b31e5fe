/* `mero-tee quote inspect|verify|events`. Each reads one piece of evidence (evidence.h), writes its
 * answer to `out` and fails with the reason; whether that answer is JSON is the caller's wish. */
#ifndef OPERATOR_QUOTE_COMMAND_H
#define OPERATOR_QUOTE_COMMAND_H

#include "operator/collateral_source.h"
#include "operator/report.h"

/* What the quote says, nothing verified. */
bool quote_command_inspect(const char *path, bool json, struct buf *out,
                           struct error *err) MUST_USE;

struct quote_events_options {
    const char *path;       /* evidence with the event log */
    const char *quote_path; /* the quote, where `path` holds the log alone; NULL = in `path` too */
    bool json;
};
/* Replays the event log and compares with the quote's RTMR0-3. */
bool quote_command_events(const struct quote_events_options *options, struct buf *out,
                          struct error *err) MUST_USE;

struct quote_verify_options {
    const char *path; /* evidence, or with `replay` a bundle */
    bool replay;      /* take quote, collateral, policy, nonce and time from the bundle */
    const char *collateral_path; /* the nine-member object; NULL = from `source` */
    struct collateral_source
        source;              /* not asked, nor its cache raised, with collateral_path or `at` */
    const char *at;          /* RFC 3339 UTC or Unix seconds; NULL = now */
    const char *nonce_hex;   /* expected start of the report data (1 to 64 bytes); NULL = any */
    const char *policy_path; /* policy JSON; NULL = UpToDate only and no debug TD */
    const char *role; /* whose lists of a published policy count: "node" or "kms"; NULL = node */
    const char *accept_status; /* csv of TCB statuses or "any"; NULL = as the policy says */
    bool allow_debug;
    const char *save_bundle_path; /* everything that the answer was made from; NULL = none */
    bool json;
};
/* A refusal is an answer too: the report is written to `out` and the reason to err. */
bool quote_command_verify(const struct quote_verify_options *options, struct buf *out,
                          struct error *err) MUST_USE;

#endif
