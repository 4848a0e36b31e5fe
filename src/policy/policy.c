/* Building a policy: lists, sets, pins. Spec: compatibility facts B.3, B.6, settings.md. */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "policy/text.h"

static const char *const register_names[POLICY_REGISTERS] = {"MRTD", "RTMR0", "RTMR1", "RTMR2",
                                                             "RTMR3"};
static const char *const register_keys[POLICY_REGISTERS] = {"mrtd", "rtmr0", "rtmr1", "rtmr2",
                                                            "rtmr3"};

const char *policy_register_name(enum policy_register r)
{
    return r < POLICY_REGISTERS ? register_names[r] : "?";
}

const char *policy_register_key(enum policy_register r)
{
    return r < POLICY_REGISTERS ? register_keys[r] : "?";
}

const uint8_t *policy_register_value(const struct verdict *v, enum policy_register r)
{
    return r == POLICY_MRTD ? v->mrtd : v->rtmr[r - POLICY_RTMR0];
}

void policy_init(struct policy *p)
{
    *p = (struct policy){0};
    p->statuses[TCB_UP_TO_DATE] = true;
}

void policy_free(struct policy *p)
{
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        free(p->lists[r].values);
    free(p->mrseam.values);
    free(p->sets);
    free(p->denied_advisories);
    free(p->ppids);
    free(p->compose_hashes);
    *p = (struct policy){0};
}

/* Every list is an owned array of fixed-size entries: grown by one, bounded. */
static bool array_push(void **array, size_t *count, size_t max, const void *entry, size_t entry_len,
                       const char *field, struct error *err)
{
    if (*count >= max)
        return error_set(err, "policy/limit", field, "%s has more than %zu entries", field, max);
    void *grown = realloc(*array, (*count + 1) * entry_len);
    if (!grown)
        return error_set(err, "policy/memory", field, "out of memory");
    *array = grown;
    memcpy(&((uint8_t *)grown)[*count * entry_len], entry, entry_len);
    (*count)++;
    return true;
}

static bool array_has(const void *array, size_t count, const void *entry, size_t entry_len)
{
    const uint8_t *bytes = array;
    for (size_t i = 0; i < count; i++)
        if (memcmp(&bytes[i * entry_len], entry, entry_len) == 0)
            return true;
    return false;
}

static bool list_push(struct measurement_list *list, const uint8_t value[MEASUREMENT_LEN],
                      const char *field, struct error *err)
{
    if (array_has(list->values, list->count, value, MEASUREMENT_LEN))
        return true;
    void *values = list->values;
    bool ok =
        array_push(&values, &list->count, POLICY_LIST_MAX, value, MEASUREMENT_LEN, field, err);
    list->values = values;
    return ok;
}

static bool array_clone(void **to, const void *from, size_t count, size_t entry_len,
                        struct error *err)
{
    *to = NULL;
    if (count == 0)
        return true;
    *to = malloc(count * entry_len);
    if (!*to)
        return error_set(err, "policy/memory", NULL, "out of memory");
    memcpy(*to, from, count * entry_len);
    return true;
}

static bool list_clone(struct measurement_list *to, const struct measurement_list *from,
                       struct error *err)
{
    void *values = NULL;
    if (!array_clone(&values, from->values, from->count, MEASUREMENT_LEN, err))
        return false;
    *to = (struct measurement_list){.count = from->count, .values = values};
    return true;
}

static bool clone_arrays(struct policy *to, const struct policy *from, struct error *err)
{
    void *sets = NULL, *advisories = NULL, *ppids = NULL, *compose = NULL;
    bool ok = array_clone(&sets, from->sets, from->set_count, sizeof(*from->sets), err) &&
              array_clone(&advisories, from->denied_advisories, from->denied_advisory_count,
                          ADVISORY_TEXT_MAX, err) &&
              array_clone(&ppids, from->ppids, from->ppid_count, POLICY_PPID_LEN, err) &&
              array_clone(&compose, from->compose_hashes, from->compose_hash_count,
                          POLICY_COMPOSE_HASH_LEN, err) &&
              list_clone(&to->mrseam, &from->mrseam, err);
    to->sets = sets;
    to->denied_advisories = advisories;
    to->ppids = ppids;
    to->compose_hashes = compose;
    for (unsigned r = 0; ok && r < POLICY_REGISTERS; r++)
        ok = list_clone(&to->lists[r], &from->lists[r], err);
    return ok;
}

bool policy_copy(struct policy *to, const struct policy *from, struct error *err)
{
    struct policy copy = *from;
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        copy.lists[r] = (struct measurement_list){0};
    copy.mrseam = (struct measurement_list){0};
    if (!clone_arrays(&copy, from, err)) {
        policy_free(&copy);
        return false;
    }
    *to = copy;
    return true;
}

bool policy_add_measurement(struct policy *p, enum policy_register r, struct slice text,
                            enum policy_dialect dialect, const char *field, struct error *err)
{
    uint8_t value[MEASUREMENT_LEN];
    bool empty = false;
    if (!policy_parse_measurement(text, dialect, field, value, &empty, err))
        return false;
    return empty || list_push(&p->lists[r], value, field, err);
}

bool policy_add_mrseam(struct policy *p, struct slice text, enum policy_dialect dialect,
                       const char *field, struct error *err)
{
    uint8_t value[MEASUREMENT_LEN];
    bool empty = false;
    if (!policy_parse_measurement(text, dialect, field, value, &empty, err))
        return false;
    return empty || list_push(&p->mrseam, value, field, err);
}

bool policy_add_measurement_csv(struct policy *p, enum policy_register r, struct slice csv,
                                enum policy_dialect dialect, const char *field, struct error *err)
{
    struct slice entry;
    while (policy_text_next_csv(&csv, &entry))
        if (!policy_add_measurement(p, r, entry, dialect, field, err))
            return false;
    return true;
}

bool policy_add_status(struct policy *p, struct slice text, const char *field, struct error *err)
{
    text = policy_text_trim(text);
    if (text.len == 0)
        return true;
    enum tcb_status status;
    if (!tcb_status_parse(text, &status))
        return error_set(err, "policy/value", field, "%s contains an unknown TCB status '%.*s'",
                         field, policy_text_shown(text), (const char *)text.data);
    if (status != TCB_REVOKED)
        p->statuses[status] = true;
    return true;
}

bool policy_add_status_csv(struct policy *p, struct slice csv, const char *field, struct error *err)
{
    struct slice entry;
    while (policy_text_next_csv(&csv, &entry))
        if (!policy_add_status(p, entry, field, err))
            return false;
    return true;
}

static bool set_says_something(const struct policy_set *set)
{
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        if (set->given[r])
            return true;
    return set->has_mrseam || set->has_tdattributes || set->has_xfam || set->replay;
}

bool policy_add_set(struct policy *p, const struct policy_set *set, struct error *err)
{
    if (set->name[0] == '\0')
        return error_set(err, "policy/value", "allowed_set", "allowed_set without a name");
    if (set->replay && (set->given[POLICY_RTMR3] || set->compose_hash_count == 0))
        return error_set(err, "policy/value", "allowed_set",
                         "allowed_set '%s': \"replay\" stands for the value of rtmr3 and needs "
                         "compose_hashes",
                         set->name);
    if (!set_says_something(set))
        return error_set(err, "policy/value", "allowed_set", "allowed_set '%s' names no register",
                         set->name);
    for (size_t i = 0; i < p->set_count; i++)
        if (strcmp(p->sets[i].name, set->name) == 0)
            return error_set(err, "policy/value", "allowed_set", "allowed_set '%s' is given twice",
                             set->name);
    void *sets = p->sets;
    bool ok =
        array_push(&sets, &p->set_count, POLICY_SETS_MAX, set, sizeof(*set), "allowed_set", err);
    p->sets = sets;
    return ok;
}

bool policy_add_denied_advisory(struct policy *p, struct slice text, const char *field,
                                struct error *err)
{
    text = policy_text_trim(text);
    char entry[ADVISORY_TEXT_MAX] = {0};
    if (text.len == 0)
        return true;
    if (text.len >= sizeof(entry))
        return error_set(err, "policy/value", field, "%s contains an overlong advisory id '%.*s'",
                         field, policy_text_shown(text), (const char *)text.data);
    memcpy(entry, text.data, text.len);
    void *array = p->denied_advisories;
    bool ok = array_push(&array, &p->denied_advisory_count, POLICY_LIST_MAX, entry, sizeof(entry),
                         field, err);
    p->denied_advisories = array;
    return ok;
}

/* "0x" or "0X" once, then exactly len bytes of hex. */
static bool parse_fixed_hex(struct slice text, uint8_t *out, size_t len, const char *field,
                            struct error *err)
{
    struct slice digits = policy_text_strip_0x(policy_text_trim(text), true);
    if (!hex_decode(digits, out, len))
        return error_set(err, "policy/value", field, "%s must be %zu hex characters, got '%.*s'",
                         field, 2 * len, policy_text_shown(text), (const char *)text.data);
    return true;
}

bool policy_parse_fixed_hex(struct slice text, uint8_t *out, size_t len, const char *field,
                            struct error *err)
{
    return parse_fixed_hex(text, out, len, field, err);
}

bool policy_add_ppid(struct policy *p, struct slice hex, const char *field, struct error *err)
{
    uint8_t value[POLICY_PPID_LEN];
    if (policy_text_trim(hex).len == 0)
        return true;
    if (!parse_fixed_hex(hex, value, sizeof(value), field, err))
        return false;
    if (array_has(p->ppids, p->ppid_count, value, sizeof(value)))
        return true;
    void *array = p->ppids;
    bool ok = array_push(&array, &p->ppid_count, POLICY_LIST_MAX, value, sizeof(value), field, err);
    p->ppids = array;
    return ok;
}

bool policy_add_compose_hash(struct policy *p, struct slice hex, const char *field,
                             struct error *err)
{
    uint8_t value[POLICY_COMPOSE_HASH_LEN];
    if (policy_text_trim(hex).len == 0)
        return true;
    if (!parse_fixed_hex(hex, value, sizeof(value), field, err))
        return false;
    if (array_has(p->compose_hashes, p->compose_hash_count, value, sizeof(value)))
        return true;
    void *array = p->compose_hashes;
    bool ok = array_push(&array, &p->compose_hash_count, POLICY_LIST_MAX, value, sizeof(value),
                         field, err);
    p->compose_hashes = array;
    return ok;
}

void policy_clear_statuses(struct policy *p)
{
    memset(p->statuses, 0, sizeof(p->statuses));
}

void policy_clear_list(struct policy *p, enum policy_register r)
{
    free(p->lists[r].values);
    p->lists[r] = (struct measurement_list){0};
}

bool policy_accepts_any_status(const struct policy *p)
{
    for (unsigned s = 0; s < TCB_STATUS_COUNT; s++)
        if (p->statuses[s])
            return true;
    return false;
}
