/* What a policy asks of an event log. Spec: platform facts 2.6; settings.md
 * (allowed_compose_hashes, allowed_set). */
#include "policy/compose.h"

_Static_assert((int)POLICY_COMPOSE_HASH_LEN == (int)COMPOSE_HASH_LEN, "one hash");

bool policy_decide_log(const struct policy *p, const struct verdict *v, const struct eventlog *log,
                       struct error *err)
{
    const struct td_report td = {.rtmr = {v->rtmr[0], v->rtmr[1], v->rtmr[2], v->rtmr[3]}};
    if (!policy_needs_event_log(p))
        return true;
    if (v->tee != TEE_TDX || log == NULL)
        return error_set(err, "measurement/compose-hash", "eventLog",
                         "the policy names compose hashes, and there is no event log of a TD");
    return eventlog_matches(log, &td, 3, err) &&
           policy_decide_compose(p, v, log->has_compose_hash ? log->compose_hash : NULL, err);
}
