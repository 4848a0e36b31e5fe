/* What `mero-tee` says of a quote: one JSON object of schema "mero.verify/1", or a page for a
 * human. */
#ifndef OPERATOR_REPORT_H
#define OPERATOR_REPORT_H

#include <jansson.h>

#include "dcap/verdict.h"
#include "policy/policy.h"

enum { REPORT_TEXT_MAX = 65536 };

/* The outcome of one verification. */
struct report {
    bool verified;                        /* the quote verified and the policy accepted it */
    const struct verdict *verdict;        /* NULL when verification itself failed */
    const struct error *error;            /* why not; NULL when verified */
    const struct policy_refusal *refusal; /* details when the policy refused; may be NULL */
    int64_t at_s;                         /* the time it was judged at, Unix seconds */
};

/* New reference, NULL only for want of memory. Members, in this order: schema, verified,
 * checked_at; with a verdict tcb_status, platform_tcb_status, tdx_module_tcb_status?,
 * qe_tcb_status, current_tcb_status?, advisory_ids, tcb_evaluation_data_number, tcb_date,
 * collateral_expires, fmspc, pceid, ppid, platform_instance_id?, tee, quote_version, body,
 * measurements{...}, report_data, svn_gaps[]; on refusal error{code, field, message, nearest?}. */
json_t *report_json(const struct report *r);

/* Appends the page. */
bool report_text(const struct report *r, struct buf *out) MUST_USE;

#endif
