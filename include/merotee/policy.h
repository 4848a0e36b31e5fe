/* libmerotee: what is acceptable. A policy decides on a verdict, never on a quote: there is no
 * function here that takes unverified bytes.
 *
 * Source: docs/compatibility.md for the lists and their JSON; Intel TDX Module ABI specification,
 * TD attributes.
 */
#ifndef MEROTEE_POLICY_H
#define MEROTEE_POLICY_H

#include <merotee/dcap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ceilings. */
enum {
    MEROTEE_POLICY_LIST_MAX = 256, /* entries of any one list */
    MEROTEE_POLICY_SETS_MAX = 64,
    MEROTEE_POLICY_JSON_MAX = 1048576 /* bytes */
};

/* How strict a policy is where it says nothing. Both accept status UpToDate alone until told more,
 * and refuse debug. */
enum merotee_policy_profile {
    /* TDX or SGX; lists that are empty say nothing. For looking at quotes: it accepts any software
     * until measurements are added. */
    MEROTEE_POLICY_INSPECT,
    /* For handing out secrets. TDX only. MRTD and RTMR0 to RTMR3 each need a list, or there must be
     * sets; SEPT_VE_DISABLE must be set, and no TD attribute but PKS, KL and PERFMON beside it; no
     * service TD. */
    MEROTEE_POLICY_RELEASE
};

/* Belongs to one thread while it is made; then any number may decide with it. */
struct merotee_policy;

/* Code memory/..., usage (no such profile). */
MEROTEE_API bool merotee_policy_new(enum merotee_policy_profile profile,
                                    struct merotee_policy **out,
                                    struct merotee_error *err) MEROTEE_MUST_USE;
MEROTEE_API void merotee_policy_free(struct merotee_policy *policy);

/* The functions below leave the policy as it was when they fail, with code policy/value (bad text),
 * policy/limit (too many entries), policy/memory or usage. */

/* MRTD or RTMR0..3 may have this value: 96 hex digits of either case. Values of one register are
 * alternatives. */
MEROTEE_API bool merotee_policy_allow(struct merotee_policy *policy, enum merotee_field reg,
                                      const char *hex, struct merotee_error *err) MEROTEE_MUST_USE;
/* This TCB status is acceptable besides those before: Intel's spelling in any case. "Revoked" is
 * taken without effect. */
MEROTEE_API bool merotee_policy_accept_status(struct merotee_policy *policy, const char *name,
                                              struct merotee_error *err) MEROTEE_MUST_USE;
/* No TCB status is acceptable: to name them all anew. */
MEROTEE_API void merotee_policy_clear_statuses(struct merotee_policy *policy);
/* TDs and enclaves in debug mode, whose memory their host can read, pass. MEROTEE_POLICY_INSPECT
 * only, else code usage. */
MEROTEE_API bool merotee_policy_allow_debug(struct merotee_policy *policy,
                                            struct merotee_error *err) MEROTEE_MUST_USE;
/* The verdict's tcbEvaluationDataNumber must be at least this. */
MEROTEE_API void merotee_policy_require_evaluation_number(struct merotee_policy *policy,
                                                          uint32_t number);
/* No verdict with this advisory ("INTEL-SA-00837") is acceptable. */
MEROTEE_API bool merotee_policy_deny_advisory(struct merotee_policy *policy, const char *id,
                                              struct merotee_error *err) MEROTEE_MUST_USE;
/* This platform may come: 32 hex digits of its PPID. With one entry or more, no other may. */
MEROTEE_API bool merotee_policy_allow_ppid(struct merotee_policy *policy, const char *hex,
                                           struct merotee_error *err) MEROTEE_MUST_USE;

/* Whose measurements are wanted from a policy document. */
enum merotee_policy_subject { MEROTEE_POLICY_OF_KMS, MEROTEE_POLICY_OF_NODE };

/*
 * Merges a policy document, a JSON object. Members, all optional: allowed_tcb_statuses,
 * allowed_mrtd, allowed_rtmr0 .. allowed_rtmr3 (each replaces what the policy held),
 * allowed_set [{"name", "mrtd", "rtmr0" .. "rtmr3", "mrseam", "td_attributes", "xfam"}] (exact
 * sets, all values of one of which must match), allowed_mrseam, allowed_ppid, denied_advisories,
 * td_attributes, xfam, min_tcb_evaluation_data_number, allowed_compose_hashes (each adds). They may
 * stand in a member "policy", where the lists have kms_ and node_ forms for the subject. Codes
 * besides: json/....
 */
MEROTEE_API bool merotee_policy_merge_json(struct merotee_policy *policy, const void *json,
                                           size_t len, enum merotee_policy_subject subject,
                                           struct merotee_error *err) MEROTEE_MUST_USE;

/* Details of a refusal, for reports; the error alone is enough for a log. Set `size` to sizeof it
 * before the call; the library fills what both sides know. */
struct merotee_refusal {
    size_t size;
    const char *code;     /* the error's; NULL when the policy did not refuse */
    size_t allowed_count; /* entries of the whole list */
    char got[136];        /* what the verdict has: hex or a status name; may be empty */
    char allowed[512];    /* "a, b, c": statuses, or the first five entries of the list */
    char nearest[256];    /* the nearest set and the registers that differ; may be empty */
};

/*
 * True when the verdict is acceptable. `log` is the TD's event log, or NULL: only a policy with
 * compose hashes asks for it, and then it must lead to RTMR3 and name an accepted one. `refusal`
 * may be NULL. Order: TEE type and attributes, TCB status, MRTD, RTMR0 to RTMR3, sets, pins and
 * floors, compose hash. Codes: tcb/status, measurement/mrtd, measurement/rtmr0 .. rtmr3,
 * measurement/empty-list, measurement/set, measurement/mrseam, measurement/compose-hash,
 * platform/tee-type, platform/debug, platform/td-attributes, platform/service-td, platform/xfam,
 * platform/evaluation-number, platform/advisory, platform/ppid, eventlog/mismatch, verdict/empty.
 */
MEROTEE_API bool merotee_policy_decide(const struct merotee_policy *policy,
                                       const struct merotee_verdict *verdict,
                                       const struct merotee_event_log *log,
                                       struct merotee_refusal *refusal,
                                       struct merotee_error *err) MEROTEE_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
