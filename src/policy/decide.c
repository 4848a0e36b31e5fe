/* The decision on a verdict, and why it was refused. Spec: compatibility facts C.2, D.5 step 9,
 * DCAP facts 9. */
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "policy/text.h"

/* TD attribute bits that the daemons let pass: SEPT_VE_DISABLE (required), PKS, KL, PERFMON. The
 * low byte is the TUD group (debug and profiling); everything else is reserved to them (C.2). */
#define TDATTR_TUD_MASK        UINT64_C(0xff)
#define TDATTR_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define TDATTR_ACCEPTED                                                                            \
    (TDATTR_SEPT_VE_DISABLE | (UINT64_C(1) << 30) | (UINT64_C(1) << 31) | (UINT64_C(1) << 63))
enum { SGX_ATTRIBUTE_DEBUG = 0x02, ALLOWED_SHOWN = 5 };

static const char *const register_codes[POLICY_REGISTERS] = {
    "measurement/mrtd", "measurement/rtmr0", "measurement/rtmr1", "measurement/rtmr2",
    "measurement/rtmr3"};
/* What a register covers, so that a refusal says where to look. */
static const char *const register_meaning[POLICY_REGISTERS] = {
    "TD firmware image", "firmware configuration", "boot loader and kernel",
    "kernel command line and initrd", "application or boot-time events"};

static void refusal_start(struct policy_refusal *refusal, const char *code)
{
    *refusal = (struct policy_refusal){.code = code};
}

static void put_hex(char *out, size_t out_len, const uint8_t *bytes, size_t len)
{
    if (2 * len < out_len)
        hex_encode(slice_of(bytes, len), out);
}

/* ---- TEE type and attributes ---- */

static bool refuse_hex(struct policy_refusal *refusal, const char *code, const uint8_t *bytes,
                       size_t len, const char *what, const char *why, struct error *err)
{
    refusal_start(refusal, code);
    put_hex(refusal->got, sizeof(refusal->got), bytes, len);
    return error_set(err, code, what, "%s %s: %s", what, refusal->got, why);
}

static bool check_sgx(const struct policy *p, const struct verdict *v,
                      struct policy_refusal *refusal, struct error *err)
{
    if (!p->debug_only) {
        refusal_start(refusal, "platform/tee-type");
        snprintf(refusal->got, sizeof(refusal->got), "SGX");
        return error_set(err, refusal->code, "teeType", "the quote is of an SGX enclave, not a TD");
    }
    if ((v->sgx_attributes[0] & SGX_ATTRIBUTE_DEBUG) && !p->debug_allowed)
        return refuse_hex(refusal, "platform/debug", v->sgx_attributes, sizeof(v->sgx_attributes),
                          "attributes", "the enclave is in debug mode", err);
    return true;
}

static bool check_td_attributes(const struct policy *p, const struct verdict *v,
                                struct policy_refusal *refusal, struct error *err)
{
    uint64_t bits = load_u64le(v->tdattributes);
    const uint8_t *raw = v->tdattributes;
    size_t len = sizeof(v->tdattributes);
    if ((bits & TDATTR_TUD_MASK) && !(p->debug_only && p->debug_allowed))
        return refuse_hex(refusal, "platform/debug", raw, len, "tdattributes",
                          bits & 1 ? "the TD is in debug mode"
                                   : "a debugging or profiling (TUD) bit is set",
                          err);
    if (p->debug_only)
        return true;
    if (bits & ~TDATTR_ACCEPTED)
        return refuse_hex(refusal, "platform/td-attributes", raw, len, "tdattributes",
                          "a reserved or unaccepted bit is set", err);
    if (!(bits & TDATTR_SEPT_VE_DISABLE))
        return refuse_hex(refusal, "platform/td-attributes", raw, len, "tdattributes",
                          "SEPT_VE_DISABLE is not set", err);
    if (!slice_is_zero(slice_of(v->mrservicetd, sizeof(v->mrservicetd))))
        return refuse_hex(refusal, "platform/service-td", v->mrservicetd, sizeof(v->mrservicetd),
                          "mrservicetd", "a service TD is bound", err);
    return true;
}

static bool check_platform(const struct policy *p, const struct verdict *v,
                           struct policy_refusal *refusal, struct error *err)
{
    if (v->is_mock) /* made in development builds only: has no attributes */
        return true;
    if (v->tee == TEE_SGX)
        return check_sgx(p, v, refusal, err);
    return check_td_attributes(p, v, refusal, err);
}

/* ---- TCB status ---- */

static void list_statuses(const struct policy *p, struct policy_refusal *refusal)
{
    size_t at = 0;
    for (unsigned s = 0; s < TCB_STATUS_COUNT && at < sizeof(refusal->allowed); s++) {
        if (!p->statuses[s])
            continue;
        int n = snprintf(&refusal->allowed[at], sizeof(refusal->allowed) - at, "%s%s",
                         at > 0 ? ", " : "", tcb_status_name((enum tcb_status)s));
        at += n > 0 ? (size_t)n : 0;
        refusal->allowed_total++;
    }
}

static bool check_status(const struct policy *p, const struct verdict *v,
                         struct policy_refusal *refusal, struct error *err)
{
    if (v->status < TCB_STATUS_COUNT && v->status != TCB_REVOKED && p->statuses[v->status])
        return true;
    refusal_start(refusal, "tcb/status");
    snprintf(refusal->got, sizeof(refusal->got), "%s", tcb_status_name(v->status));
    list_statuses(p, refusal);
    return error_set(err, refusal->code, "tcbStatus",
                     "TCB status '%s' is not allowed. Allowed values: %s", refusal->got,
                     refusal->allowed[0] ? refusal->allowed : "none");
}

/* ---- measurements ---- */

static bool list_has(const struct measurement_list *list, const uint8_t *value)
{
    for (size_t i = 0; i < list->count; i++)
        if (memcmp(list->values[i], value, MEASUREMENT_LEN) == 0)
            return true;
    return false;
}

bool policy_sets_cover(const struct policy *p, enum policy_register r)
{
    for (size_t i = 0; i < p->set_count; i++)
        if (!p->sets[i].given[r] && !(r == POLICY_RTMR3 && p->sets[i].replay))
            return false;
    return p->set_count > 0;
}

static bool list_accepts(const struct policy *p, const struct verdict *v, enum policy_register r)
{
    const struct measurement_list *list = &p->lists[r];
    if (list->count == 0)
        return !p->lists_required || policy_sets_cover(p, r);
    return list_has(list, policy_register_value(v, r));
}

/* "RTMR2 only (kernel command line and initrd)", "MRTD, RTMR1". */
static void name_differences(const bool differs[POLICY_REGISTERS], char *out, size_t out_len)
{
    size_t count = 0, at = 0;
    unsigned last = 0;
    for (unsigned r = 0; r < POLICY_REGISTERS && at < out_len; r++) {
        if (!differs[r])
            continue;
        int n = snprintf(&out[at], out_len - at, "%s%s", count > 0 ? ", " : "",
                         policy_register_name((enum policy_register)r));
        at += n > 0 ? (size_t)n : 0;
        count++;
        last = r;
    }
    if (count == 1 && at < out_len)
        snprintf(&out[at], out_len - at, " only (%s)", register_meaning[last]);
}

/* How far a verdict is from a set: register by register, pins counted but not named. */
static size_t set_distance(const struct policy_set *set, const struct verdict *v,
                           bool differs[POLICY_REGISTERS])
{
    size_t distance = 0;
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        const uint8_t *got = policy_register_value(v, (enum policy_register)r);
        differs[r] = set->given[r] && memcmp(set->value[r], got, MEASUREMENT_LEN) != 0;
        distance += differs[r];
    }
    distance += set->has_mrseam && memcmp(set->mrseam, v->mrseam, sizeof(v->mrseam)) != 0;
    distance += set->has_tdattributes &&
                memcmp(set->tdattributes, v->tdattributes, sizeof(v->tdattributes)) != 0;
    distance += set->has_xfam && memcmp(set->xfam, v->xfam, sizeof(v->xfam)) != 0;
    return distance;
}

static const struct policy_set *nearest_set(const struct policy *p, const struct verdict *v,
                                            bool differs[POLICY_REGISTERS], size_t *distance)
{
    const struct policy_set *best = NULL;
    for (size_t i = 0; i < p->set_count; i++) {
        bool here[POLICY_REGISTERS];
        size_t d = set_distance(&p->sets[i], v, here);
        if (best && d >= *distance)
            continue;
        best = &p->sets[i];
        *distance = d;
        memcpy(differs, here, sizeof(here));
    }
    return best;
}

static void describe_set(const struct policy_set *set, const struct verdict *v,
                         const bool differs[POLICY_REGISTERS], char *out, size_t out_len)
{
    char registers[128] = "";
    name_differences(differs, registers, sizeof(registers));
    bool mrseam = set->has_mrseam && memcmp(set->mrseam, v->mrseam, sizeof(v->mrseam)) != 0;
    bool attributes = set->has_tdattributes &&
                      memcmp(set->tdattributes, v->tdattributes, sizeof(v->tdattributes)) != 0;
    bool xfam = set->has_xfam && memcmp(set->xfam, v->xfam, sizeof(v->xfam)) != 0;
    snprintf(out, out_len, "nearest set \"%s\": differs in %s%s%s%s", set->name, registers,
             mrseam ? " MRSEAM" : "", attributes ? " tdattributes" : "", xfam ? " xfam" : "");
}

/* Without sets the lists as a whole are what is nearest. */
static void describe_nearest(const struct policy *p, const struct verdict *v, char *out,
                             size_t out_len)
{
    bool differs[POLICY_REGISTERS] = {false};
    size_t distance = 0;
    const struct policy_set *set = nearest_set(p, v, differs, &distance);
    if (set && distance > 0) {
        describe_set(set, v, differs, out, out_len);
        return;
    }
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        differs[r] = !list_accepts(p, v, (enum policy_register)r);
    char registers[128] = "";
    name_differences(differs, registers, sizeof(registers));
    snprintf(out, out_len, "the allowed lists: differs in %s", registers);
}

static void list_allowed(const struct measurement_list *list, struct policy_refusal *refusal)
{
    size_t at = 0;
    for (size_t i = 0; i < list->count && i < ALLOWED_SHOWN; i++) {
        char hex[2 * MEASUREMENT_LEN + 1];
        hex_encode(slice_of(list->values[i], MEASUREMENT_LEN), hex);
        int n = snprintf(&refusal->allowed[at], sizeof(refusal->allowed) - at, "%s%s",
                         at > 0 ? ", " : "", hex);
        at += n > 0 ? (size_t)n : 0;
    }
    refusal->allowed_total = list->count;
}

static bool refuse_register(const struct policy *p, const struct verdict *v, enum policy_register r,
                            struct policy_refusal *refusal, struct error *err)
{
    const struct measurement_list *list = &p->lists[r];
    const char *name = policy_register_name(r);
    refusal_start(refusal, list->count == 0 ? "measurement/empty-list" : register_codes[r]);
    refusal->has_register = true;
    refusal->reg = r;
    put_hex(refusal->got, sizeof(refusal->got), policy_register_value(v, r), MEASUREMENT_LEN);
    if (list->count == 0)
        return error_set(err, refusal->code, policy_register_key(r), "%s allowlist is empty", name);
    list_allowed(list, refusal);
    describe_nearest(p, v, refusal->nearest, sizeof(refusal->nearest));
    return error_set(err, refusal->code, policy_register_key(r), "%s '%s' is not in allowlist (%s)",
                     name, refusal->got, refusal->nearest);
}

static bool check_sets(const struct policy *p, const struct verdict *v,
                       struct policy_refusal *refusal, struct error *err)
{
    if (p->set_count == 0)
        return true;
    bool differs[POLICY_REGISTERS] = {false};
    size_t distance = 0;
    const struct policy_set *set = nearest_set(p, v, differs, &distance);
    if (distance == 0)
        return true;
    refusal_start(refusal, "measurement/set");
    for (unsigned r = POLICY_REGISTERS; r > 0; r--)
        if (differs[r - 1]) {
            refusal->has_register = true;
            refusal->reg = (enum policy_register)(r - 1);
        }
    if (refusal->has_register)
        put_hex(refusal->got, sizeof(refusal->got), policy_register_value(v, refusal->reg),
                MEASUREMENT_LEN);
    describe_set(set, v, differs, refusal->nearest, sizeof(refusal->nearest));
    return error_set(err, refusal->code, "allowed_set",
                     "the measurements match none of %zu allowed sets (%s)", p->set_count,
                     refusal->nearest);
}

static bool check_measurements(const struct policy *p, const struct verdict *v,
                               struct policy_refusal *refusal, struct error *err)
{
    /* With sets only, lists say nothing even to daemons. */
    bool any_list = false;
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        any_list = any_list || p->lists[r].count > 0;
    if (any_list || p->set_count == 0)
        for (unsigned r = 0; r < POLICY_REGISTERS; r++)
            if (!list_accepts(p, v, (enum policy_register)r))
                return refuse_register(p, v, (enum policy_register)r, refusal, err);
    return check_sets(p, v, refusal, err);
}

/* ---- pins and floors ---- */

static bool check_advisories(const struct policy *p, const struct verdict *v,
                             struct policy_refusal *refusal, struct error *err)
{
    for (size_t d = 0; d < p->denied_advisory_count; d++)
        for (size_t i = 0; i < v->advisory_count; i++)
            if (strcmp(p->denied_advisories[d], v->advisories[i]) == 0) {
                refusal_start(refusal, "platform/advisory");
                snprintf(refusal->got, sizeof(refusal->got), "%s", v->advisories[i]);
                return error_set(err, refusal->code, "advisoryIDs", "advisory %s is denied",
                                 refusal->got);
            }
    return true;
}

static bool check_ppid(const struct policy *p, const struct verdict *v,
                       struct policy_refusal *refusal, struct error *err)
{
    if (p->ppid_count == 0)
        return true;
    for (size_t i = 0; i < p->ppid_count; i++)
        if (memcmp(p->ppids[i], v->ppid, POLICY_PPID_LEN) == 0)
            return true;
    return refuse_hex(refusal, "platform/ppid", v->ppid, sizeof(v->ppid), "ppid",
                      "the platform is not in the allowed list", err);
}

static bool check_pins(const struct policy *p, const struct verdict *v,
                       struct policy_refusal *refusal, struct error *err)
{
    if (p->mrseam.count > 0 && !list_has(&p->mrseam, v->mrseam))
        return refuse_hex(refusal, "measurement/mrseam", v->mrseam, sizeof(v->mrseam), "mrseam",
                          "not in the allowed list", err);
    if (p->has_tdattributes && memcmp(p->tdattributes, v->tdattributes, 8) != 0)
        return refuse_hex(refusal, "platform/td-attributes", v->tdattributes, 8, "tdattributes",
                          "differs from the pinned value", err);
    if (p->has_xfam && memcmp(p->xfam, v->xfam, 8) != 0)
        return refuse_hex(refusal, "platform/xfam", v->xfam, 8, "xfam",
                          "differs from the pinned value", err);
    if (v->tcb_evaluation_data_number < p->evaluation_number_min) {
        refusal_start(refusal, "platform/evaluation-number");
        snprintf(refusal->got, sizeof(refusal->got), "%u", v->tcb_evaluation_data_number);
        return error_set(err, refusal->code, "tcbEvaluationDataNumber",
                         "TCB evaluation data number %u is below the floor %u",
                         v->tcb_evaluation_data_number, p->evaluation_number_min);
    }
    return check_advisories(p, v, refusal, err) && check_ppid(p, v, refusal, err);
}

/* ---- what was deployed ---- */

bool policy_needs_event_log(const struct policy *p)
{
    for (size_t i = 0; i < p->set_count; i++)
        if (p->sets[i].replay)
            return true;
    return p->compose_hash_count > 0;
}

static bool hash_in(const uint8_t (*hashes)[POLICY_COMPOSE_HASH_LEN], size_t count,
                    const uint8_t *hash)
{
    for (size_t i = 0; hash != NULL && i < count; i++)
        if (memcmp(hashes[i], hash, POLICY_COMPOSE_HASH_LEN) == 0)
            return true;
    return false;
}

/* A set that matches in its registers, and in what was deployed where it asks for that. */
static bool some_set_accepts(const struct policy *p, const struct verdict *v, const uint8_t *hash)
{
    bool differs[POLICY_REGISTERS];
    for (size_t i = 0; i < p->set_count; i++) {
        const struct policy_set *set = &p->sets[i];
        if (set_distance(set, v, differs) == 0 &&
            (!set->replay || hash_in((const uint8_t(*)[POLICY_COMPOSE_HASH_LEN])set->compose_hashes,
                                     set->compose_hash_count, hash)))
            return true;
    }
    return p->set_count == 0;
}

bool policy_decide_compose(const struct policy *p, const struct verdict *v,
                           const uint8_t *compose_hash, struct error *err)
{
    char hex[2 * POLICY_COMPOSE_HASH_LEN + 1] = "none was measured";
    const uint8_t(*allowed)[POLICY_COMPOSE_HASH_LEN] =
        (const uint8_t(*)[POLICY_COMPOSE_HASH_LEN])p->compose_hashes;
    if (compose_hash != NULL)
        hex_encode(slice_of(compose_hash, POLICY_COMPOSE_HASH_LEN), hex);
    if (p->compose_hash_count > 0 && !hash_in(allowed, p->compose_hash_count, compose_hash))
        return error_set(err, "measurement/compose-hash", "eventLog",
                         "compose hash '%s' is not in allowlist", hex);
    return some_set_accepts(p, v, compose_hash) ||
           error_set(err, "measurement/compose-hash", "eventLog",
                     "compose hash '%s' is not allowed by the set that the registers match", hex);
}

bool policy_decide_platform(const struct policy *p, const struct verdict *v,
                            struct policy_refusal *refusal, struct error *err)
{
    struct policy_refusal local;
    return check_platform(p, v, refusal ? refusal : &local, err);
}

bool policy_decide(const struct policy *p, const struct verdict *v, struct policy_refusal *refusal,
                   struct error *err)
{
    struct policy_refusal local;
    struct policy_refusal *out = refusal ? refusal : &local;
    return check_platform(p, v, out, err) && check_status(p, v, out, err) &&
           check_measurements(p, v, out, err) && check_pins(p, v, out, err);
}
