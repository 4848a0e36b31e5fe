/* merotee/policy.h. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/lib.h"
#include "policy/compose.h"

LIB_SAME(MEROTEE_POLICY_LIST_MAX, POLICY_LIST_MAX);
LIB_SAME(MEROTEE_POLICY_SETS_MAX, POLICY_SETS_MAX);
LIB_SAME(MEROTEE_POLICY_JSON_MAX, POLICY_JSON_MAX);
LIB_SAME(MEROTEE_FIELD_RTMR0 - MEROTEE_FIELD_MRTD, POLICY_RTMR0);
LIB_SAME(MEROTEE_FIELD_RTMR3 - MEROTEE_FIELD_MRTD, POLICY_RTMR3);

bool merotee_policy_new(enum merotee_policy_profile profile, struct merotee_policy **out,
                        struct merotee_error *err)
{
    if (profile != MEROTEE_POLICY_INSPECT && profile != MEROTEE_POLICY_RELEASE)
        return lib_refuse(err, "usage", "profile", "there is no such policy profile");
    struct merotee_policy *p = calloc(1, sizeof *p);
    if (p == NULL)
        return lib_no_memory(err);
    policy_init(&p->rules);
    p->rules.lists_required = profile == MEROTEE_POLICY_RELEASE;
    p->rules.debug_only = profile == MEROTEE_POLICY_INSPECT;
    *out = p;
    return true;
}

void merotee_policy_free(struct merotee_policy *policy)
{
    if (policy == NULL)
        return;
    policy_free(&policy->rules);
    free(policy);
}

static bool pass_error(bool ok, struct merotee_error *err, const struct error *why)
{
    return ok || lib_fail(err, why);
}

/* The policy room skips empty texts, which is right for lists in files and wrong for a call. */
static bool is_text(const char *text, const char *field, struct merotee_error *err)
{
    return (text != NULL && text[0] != '\0') || lib_refuse(err, "policy/value", field, "empty");
}

bool merotee_policy_allow(struct merotee_policy *policy, enum merotee_field reg, const char *hex,
                          struct merotee_error *err)
{
    struct error why;
    if (reg < MEROTEE_FIELD_MRTD || reg > MEROTEE_FIELD_RTMR3)
        return lib_refuse(err, "usage", "reg", "lists are for MRTD and RTMR0 to RTMR3");
    enum policy_register r = (enum policy_register)(reg - MEROTEE_FIELD_MRTD);
    const char *field = policy_register_key(r);
    return is_text(hex, field, err) &&
           pass_error(policy_add_measurement(&policy->rules, r, slice_str(hex),
                                             POLICY_DIALECT_RELEASE, field, &why),
                      err, &why);
}

bool merotee_policy_accept_status(struct merotee_policy *policy, const char *name,
                                  struct merotee_error *err)
{
    struct error why;
    return is_text(name, "status", err) &&
           pass_error(policy_add_status(&policy->rules, slice_str(name), "status", &why), err,
                      &why);
}

void merotee_policy_clear_statuses(struct merotee_policy *policy)
{
    policy_clear_statuses(&policy->rules);
}

bool merotee_policy_allow_debug(struct merotee_policy *policy, struct merotee_error *err)
{
    if (!policy->rules.debug_only)
        return lib_refuse(err, "usage", NULL, "a policy for releasing secrets never allows debug");
    policy->rules.debug_allowed = true;
    return true;
}

void merotee_policy_require_evaluation_number(struct merotee_policy *policy, uint32_t number)
{
    policy->rules.evaluation_number_min = number;
}

bool merotee_policy_deny_advisory(struct merotee_policy *policy, const char *id,
                                  struct merotee_error *err)
{
    struct error why;
    return is_text(id, "advisory", err) &&
           pass_error(policy_add_denied_advisory(&policy->rules, slice_str(id), "advisory", &why),
                      err, &why);
}

bool merotee_policy_allow_ppid(struct merotee_policy *policy, const char *hex,
                               struct merotee_error *err)
{
    struct error why;
    return is_text(hex, "ppid", err) &&
           pass_error(policy_add_ppid(&policy->rules, slice_str(hex), "ppid", &why), err, &why);
}

bool merotee_policy_merge_json(struct merotee_policy *policy, const void *json, size_t len,
                               enum merotee_policy_subject subject, struct merotee_error *err)
{
    struct error why;
    if (subject != MEROTEE_POLICY_OF_KMS && subject != MEROTEE_POLICY_OF_NODE)
        return lib_refuse(err, "usage", "subject", "there is no such policy subject");
    return pass_error(policy_merge_json(&policy->rules, slice_of(json, len),
                                        subject == MEROTEE_POLICY_OF_KMS ? POLICY_SUBJECT_KMS
                                                                         : POLICY_SUBJECT_NODE,
                                        POLICY_DIALECT_RELEASE, NULL, &why),
                      err, &why);
}

/* ---- deciding ---- */

/* Where the refusal of the first release ends. */
enum { FIRST_REFUSAL = offsetof(struct merotee_refusal, nearest) + 256 };

static void tell(const struct policy_refusal *from, const char *code, struct merotee_refusal *out)
{
    struct merotee_refusal told = {.size = out->size, .code = code};
    told.allowed_count = from->allowed_total;
    snprintf(told.got, sizeof told.got, "%s", from->got);
    snprintf(told.allowed, sizeof told.allowed, "%s", from->allowed);
    snprintf(told.nearest, sizeof told.nearest, "%s", from->nearest);
    lib_tell(&told, sizeof told, out, told.size);
}

bool merotee_policy_decide(const struct merotee_policy *policy,
                           const struct merotee_verdict *verdict,
                           const struct merotee_event_log *log, struct merotee_refusal *refusal,
                           struct merotee_error *err)
{
    struct error why;
    struct policy_refusal details = {0};
    if (refusal != NULL && !lib_size_ok(refusal->size, FIRST_REFUSAL, err))
        return false;
    if (!verdict->filled) {
        if (refusal != NULL)
            tell(&details, "verdict/empty", refusal);
        return lib_refuse(err, "verdict/empty", NULL, "the verdict is empty: nothing was verified");
    }
    bool ok = policy_decide(&policy->rules, &verdict->says, &details, &why) &&
              policy_decide_log(&policy->rules, &verdict->says, log != NULL ? &log->replayed : NULL,
                                &why);
    if (refusal != NULL)
        tell(&details, ok ? NULL : why.code, refusal);
    return ok || lib_fail(err, &why);
}
