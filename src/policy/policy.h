/* The measurement policy and the one decision function. A decision takes a verdict, never a quote.
 * Sources: config.toml, policy JSON in its three shapes, environment lists (compatibility facts
 * B.3-B.6, D.5 step 9, D.7, D.8, D.11). */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/bytes.h"
#include "dcap/verdict.h"

enum {
    POLICY_LIST_MAX = 256, /* entries of any one list */
    POLICY_SETS_MAX = 64,
    POLICY_NAME_MAX = 64,
    POLICY_JSON_MAX = 1024 * 1024,
    POLICY_TEXT_MAX = 1024, /* a refusal's text */
    POLICY_PPID_LEN = 16,
    POLICY_COMPOSE_HASH_LEN = 32,
    POLICY_BINDING_LEN = 32,
    POLICY_SET_COMPOSE_MAX = 32, /* compose hashes of one set */
};

enum policy_register {
    POLICY_MRTD,
    POLICY_RTMR0,
    POLICY_RTMR1,
    POLICY_RTMR2,
    POLICY_RTMR3,
    POLICY_REGISTERS
};
const char *policy_register_name(enum policy_register r); /* "MRTD", "RTMR0", ... */
const char *policy_register_key(enum policy_register r);  /* "mrtd", "rtmr0", ... */
/* The register's 48 bytes in a verdict. */
const uint8_t *policy_register_value(const struct verdict *v, enum policy_register r);

struct measurement_list {
    size_t count;
    uint8_t (*values)[MEASUREMENT_LEN]; /* owned */
};

/* One named exact set: every register that is given must match. */
struct policy_set {
    char name[POLICY_NAME_MAX];
    bool given[POLICY_REGISTERS];
    uint8_t value[POLICY_REGISTERS][MEASUREMENT_LEN];
    bool has_mrseam, has_tdattributes, has_xfam;
    uint8_t mrseam[48], tdattributes[8], xfam[8];
    /* RTMR3 "replay": instead of a value, the event log must lead to the register and hold one of
     * these compose hashes. See policy_decide_compose(). */
    bool replay;
    uint8_t compose_hashes[POLICY_SET_COMPOSE_MAX][POLICY_COMPOSE_HASH_LEN];
    size_t compose_hash_count;
};

struct policy {
    bool statuses[TCB_STATUS_COUNT]; /* accepted TCB statuses; never TCB_REVOKED */
    struct measurement_list lists[POLICY_REGISTERS];
    struct policy_set *sets; /* owned */
    size_t set_count;
    bool lists_required; /* an empty list refuses (daemons) instead of saying nothing (command line)
                          */
    bool debug_only;     /* TD attributes: refuse debug (TUD) bits only, accept SGX; else the
                            daemons' full rule (facts C.2) */

    bool debug_allowed; /* the command line's --allow-debug: debug bits pass, with debug_only alone
                         */

    /* Floors and pins; empty says nothing. */
    uint32_t evaluation_number_min;
    struct measurement_list mrseam;
    bool has_tdattributes, has_xfam;
    uint8_t tdattributes[8], xfam[8];
    char (*denied_advisories)[ADVISORY_TEXT_MAX]; /* owned */
    size_t denied_advisory_count;
    uint8_t (*ppids)[POLICY_PPID_LEN]; /* owned */
    size_t ppid_count;
    /* Accepted dstack compose hashes, see policy_decide_compose(). */
    uint8_t (*compose_hashes)[POLICY_COMPOSE_HASH_LEN]; /* owned */
    size_t compose_hash_count;
};

void policy_init(struct policy *p); /* UpToDate only, no lists */
void policy_free(struct policy *p);
#define POLICY_AUTO __attribute__((cleanup(policy_free)))
/* A deep copy; *to is initialised by this call. */
bool policy_copy(struct policy *to, const struct policy *from, struct error *err) MUST_USE;

/* Which dialect of normalisation and error text a measurement text follows (facts B.6). */
enum policy_dialect { POLICY_DIALECT_NODE, POLICY_DIALECT_KMS, POLICY_DIALECT_RELEASE };

/* All of these fail with code "policy/value" (bad text), "policy/limit" (too many) or
 * "policy/memory"; field names the source and is repeated in the message. The policy is unchanged
 * by a failed call, except that the _csv forms keep what came before the bad entry. */

/* Adds one measurement text to a list; empty texts are skipped, duplicates kept once. */
bool policy_add_measurement(struct policy *p, enum policy_register r, struct slice text,
                            enum policy_dialect dialect, const char *field,
                            struct error *err) MUST_USE;
/* A comma-separated list; entries are trimmed, empty ones skipped. */
bool policy_add_measurement_csv(struct policy *p, enum policy_register r, struct slice csv,
                                enum policy_dialect dialect, const char *field,
                                struct error *err) MUST_USE;
/* Case-insensitive, trimmed; empty texts are skipped; an unknown name is policy/value. "Revoked" is
 * taken without effect: revoked never verifies. */
bool policy_add_status(struct policy *p, struct slice text, const char *field,
                       struct error *err) MUST_USE;
bool policy_add_status_csv(struct policy *p, struct slice csv, const char *field,
                           struct error *err) MUST_USE;
/* Name non-empty, unlike the others', at least one register given. */
bool policy_add_set(struct policy *p, const struct policy_set *set, struct error *err) MUST_USE;
bool policy_add_denied_advisory(struct policy *p, struct slice text, const char *field,
                                struct error *err) MUST_USE;
bool policy_add_ppid(struct policy *p, struct slice hex, const char *field,
                     struct error *err) MUST_USE;
bool policy_add_compose_hash(struct policy *p, struct slice hex, const char *field,
                             struct error *err) MUST_USE;
/* Normalises one measurement text in its dialect; *empty tells that nothing was there. */
bool policy_parse_measurement(struct slice text, enum policy_dialect dialect, const char *field,
                              uint8_t out[MEASUREMENT_LEN], bool *empty,
                              struct error *err) MUST_USE;
void policy_clear_statuses(struct policy *p);
void policy_clear_list(struct policy *p, enum policy_register r);
bool policy_accepts_any_status(const struct policy *p); /* at least one */

/* ---- policy JSON ---- */

/* Whose measurements are wanted from a document: those of the KMS (a node reads it) or those of
 * nodes (a KMS reads it). Preference per field (facts D.8, J.1, K.1):
 *   KMS:  flat allowed_x, else policy.kms_allowed_x unless empty, else policy.allowed_x
 *   NODE: flat allowed_x, else policy.node_allowed_x when present, else policy.allowed_x
 * A list that is present replaces what the policy held (an empty array clears it); an absent one
 * keeps it. Unknown members are ignored. Ours, in the flat and the nested place, add to what the
 * policy held: allowed_mrseam, allowed_ppid, denied_advisories, td_attributes, xfam,
 * min_tcb_evaluation_data_number, allowed_compose_hashes, allowed_set. */
enum policy_subject { POLICY_SUBJECT_KMS, POLICY_SUBJECT_NODE };

/* What a document says besides measurements. Texts are empty when absent. */
struct policy_document {
    char tag[POLICY_NAME_MAX];
    char role[POLICY_NAME_MAX];
    char profile[POLICY_NAME_MAX];
    bool has_schema_version;
    int64_t schema_version;
    bool has_binding;
    uint8_t binding[POLICY_BINDING_LEN];
};

/* Merges the document into *p; on failure *p and *document are untouched. document may be NULL.
 * Codes: json/..., policy/... */
bool policy_merge_json(struct policy *p, struct slice text, enum policy_subject subject,
                       enum policy_dialect dialect, struct policy_document *document,
                       struct error *err) MUST_USE;

/* ---- decision ---- */

/* Why a verdict was refused. Codes: "tcb/status", "measurement/mrtd", "measurement/rtmr0"..,
 * "measurement/empty-list", "measurement/set", "measurement/mrseam", "platform/tee-type",
 * "platform/debug", "platform/td-attributes", "platform/service-td", "platform/xfam",
 * "platform/evaluation-number", "platform/advisory", "platform/ppid". */
struct policy_refusal {
    const char *code;
    bool has_register;
    enum policy_register reg;
    char got[129];        /* hex or status name */
    char allowed[512];    /* "a, b, c": statuses, or the first five entries of the list */
    size_t allowed_total; /* entries of the whole list */
    char nearest[256];    /* nearest set and the registers that differ; empty when there is none */
};

/* True when the verdict is acceptable. On refusal fills *refusal (may be NULL) and err, whose
 * message holds the nearest set too. Order: TEE type and TD attributes, TCB status, MRTD, RTMR0-3,
 * sets, pins and floors. */
bool policy_decide(const struct policy *p, const struct verdict *v, struct policy_refusal *refusal,
                   struct error *err) MUST_USE;

/* True when there are sets and every one of them says something about the register, so that an
 * empty list is no gap. */
bool policy_sets_cover(const struct policy *p, enum policy_register r);
/* Does the policy ask for what the event log alone can tell? */
bool policy_needs_event_log(const struct policy *p);
/* The second question of a policy that needs one, after policy_decide(): is what was deployed
 * allowed? compose_hash comes from a log that leads to the verdict's RTMR3; NULL = the log holds
 * none. Code measurement/compose-hash. */
bool policy_decide_compose(const struct policy *p, const struct verdict *v,
                           const uint8_t *compose_hash, struct error *err) MUST_USE;

/* The first part alone: TEE type and TD attributes (C.2). The existing programs count it to the
 * verification of the quote, so it holds even where measurements are not enforced. */
bool policy_decide_platform(const struct policy *p, const struct verdict *v,
                            struct policy_refusal *refusal, struct error *err) MUST_USE;

/* The refusal in the words of the existing programs: D.5 step 9 for the KMS, C.2 for the node with
 * its policy from the configuration or from a release. Refusals that those do not know keep
 * `message` (the error's). */
enum policy_voice { POLICY_VOICE_NODE_CONFIG, POLICY_VOICE_NODE_RELEASE, POLICY_VOICE_KMS };
void policy_refusal_text(const struct policy_refusal *refusal, enum policy_voice voice,
                         const char *message, char out[POLICY_TEXT_MAX]);

#endif
