/* The part of a decision that needs an event log: which application a TD runs. */
#ifndef POLICY_COMPOSE_H
#define POLICY_COMPOSE_H

#include "policy/policy.h"
#include "quote/eventlog.h"

/* The question after policy_decide(): true when the policy asks nothing of the log, or the log
 * leads to RTMR3 of the verdict and what it says was deployed is allowed. log may be NULL (there is
 * none). Codes: measurement/compose-hash, eventlog/mismatch. */
bool policy_decide_log(const struct policy *p, const struct verdict *v, const struct eventlog *log,
                       struct error *err) MUST_USE;

#endif
