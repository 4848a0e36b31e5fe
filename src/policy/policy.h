/* The measurement policy and the one decision function. A decision takes a verdict, never a quote.
 * Sources: config.toml, policy JSON in its three shapes, environment lists (compatibility facts
 * B.3-B.6, D.7, D.11). */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/bytes.h"
#include "dcap/verdict.h"

enum { POLICY_LIST_MAX = 256, POLICY_SETS_MAX = 64, POLICY_NAME_MAX = 64 };

enum policy_register {
    POLICY_MRTD,
    POLICY_RTMR0,
    POLICY_RTMR1,
    POLICY_RTMR2,
    POLICY_RTMR3,
    POLICY_REGISTERS
};
const char *policy_register_name(enum policy_register r); /* "MRTD", "RTMR0", ... */

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
};

struct policy {
    bool statuses[TCB_STATUS_COUNT]; /* accepted TCB statuses */
    struct measurement_list lists[POLICY_REGISTERS];
    struct policy_set *sets; /* owned */
    size_t set_count;
    bool lists_required; /* an empty list refuses (daemons) instead of saying nothing (command line)
                          */
    bool debug_only;     /* TD attributes: refuse debug (TUD) bits only; else the daemons' full rule
                            (facts C.2) */
    uint32_t evaluation_number_min;
};

void policy_init(struct policy *p); /* UpToDate only, no lists */
void policy_free(struct policy *p);
#define POLICY_AUTO __attribute__((cleanup(policy_free)))

/* Which dialect of normalisation and error text a measurement text follows (facts B.6). */
enum policy_dialect { POLICY_DIALECT_NODE, POLICY_DIALECT_KMS, POLICY_DIALECT_RELEASE };
/* Adds one measurement text to a list; empty texts are skipped, duplicates kept once. field names
 * the source. */
bool policy_add_measurement(struct policy *p, enum policy_register r, struct slice text,
                            enum policy_dialect dialect, const char *field,
                            struct error *err) MUST_USE;
bool policy_add_status(struct policy *p, struct slice text, const char *field,
                       struct error *err) MUST_USE;
void policy_clear_statuses(struct policy *p);
void policy_clear_list(struct policy *p, enum policy_register r);

/* Why a verdict was refused. Codes: "tcb/status", "measurement/mrtd", "measurement/rtmr0"..,
 * "measurement/empty-list", "measurement/set", "platform/td-attributes",
 * "platform/evaluation-number", "platform/service-td". */
struct policy_refusal {
    const char *code;
    bool has_register;
    enum policy_register reg;
    char got[129];     /* hex or status name */
    char allowed[512]; /* "a, b, c": statuses, or the first entries of the list */
    char nearest[256]; /* nearest set and the registers that differ; empty when there is none */
};

/* True when the verdict is acceptable. On refusal fills *refusal (may be NULL) and err. Order: TD
 * attributes, TCB status, MRTD, RTMR0-3, sets, floors. */
bool policy_decide(const struct policy *p, const struct verdict *v, struct policy_refusal *refusal,
                   struct error *err) MUST_USE;

#endif
