/* Policy JSON: flat, nested `policy.allowed_*`, and published `policy.kms_allowed_*` /
 * `policy.node_allowed_*` (compatibility facts B.5, D.8, D.11, J.1, K.1). */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "policy/text.h"

enum { KEY_MAX = 64 };

struct merge {
    struct policy *policy;
    const json_t *flat;   /* the document */
    const json_t *nested; /* its member "policy", or NULL */
    enum policy_subject subject;
    enum policy_dialect dialect;
};

static json_t *present(const json_t *obj, const char *key)
{
    json_t *value = json_object_get(obj, key); /* NULL obj: NULL */
    return json_is_null(value) ? NULL : value;
}

static bool as_array(const char *key, const json_t *value, struct error *err)
{
    if (!json_is_array(value))
        return error_set(err, "json/type", key, "policy field '%s' must be an array", key);
    if (json_array_size(value) > POLICY_LIST_MAX)
        return error_set(err, "policy/limit", key, "policy field '%s' has more than %d entries",
                         key, POLICY_LIST_MAX);
    return true;
}

static bool as_text(const char *key, const json_t *value, struct slice *out, struct error *err)
{
    if (!json_is_string(value))
        return error_set(err, "json/type", key, "policy field '%s' entries must be strings", key);
    *out = slice_of(json_string_value(value), json_string_length(value));
    return true;
}

/* The array that counts for `what` ("allowed_mrtd"), NULL when the document says nothing. key
 * receives the name under which it was found. */
static const json_t *pick(const struct merge *m, const char *what, char key[KEY_MAX])
{
    snprintf(key, KEY_MAX, "%s", what);
    const json_t *value = present(m->flat, key);
    if (value)
        return value;
    snprintf(key, KEY_MAX, "policy.%s_%s", m->subject == POLICY_SUBJECT_KMS ? "kms" : "node", what);
    value = present(m->nested, &key[strlen("policy.")]);
    /* A node passes over an empty role list; a KMS takes it as it is (J.1, D.8). */
    bool passed_over = m->subject == POLICY_SUBJECT_KMS && json_is_array(value) &&
                       json_array_size(value) == 0 && present(m->nested, what);
    if (value && !passed_over)
        return value;
    snprintf(key, KEY_MAX, "policy.%s", what);
    return present(m->nested, what);
}

static bool merge_register(const struct merge *m, enum policy_register r, struct error *err)
{
    char what[KEY_MAX], key[KEY_MAX];
    snprintf(what, sizeof(what), "allowed_%s", policy_register_key(r));
    const json_t *array = pick(m, what, key);
    if (!array)
        return true;
    if (!as_array(key, array, err))
        return false;
    policy_clear_list(m->policy, r);
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct slice text;
        if (!as_text(key, json_array_get(array, i), &text, err) ||
            !policy_add_measurement(m->policy, r, text, m->dialect, key, err))
            return false;
    }
    return true;
}

static bool merge_statuses(const struct merge *m, struct error *err)
{
    char key[KEY_MAX];
    const json_t *array = pick(m, "allowed_tcb_statuses", key);
    if (!array)
        return true;
    if (!as_array(key, array, err))
        return false;
    policy_clear_statuses(m->policy);
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct slice text;
        if (!as_text(key, json_array_get(array, i), &text, err) ||
            !policy_add_status(m->policy, text, key, err))
            return false;
    }
    return true;
}

/* ---- lists and pins of ours ---- */

typedef bool add_text(struct policy *p, struct slice text, const char *field, struct error *err);

static bool add_mrseam(struct policy *p, struct slice text, const char *field, struct error *err)
{
    return policy_add_mrseam(p, text, POLICY_DIALECT_NODE, field, err);
}

static bool merge_list(const struct merge *m, const char *what, add_text *add, struct error *err)
{
    char key[KEY_MAX];
    const json_t *array = pick(m, what, key);
    if (!array)
        return true;
    if (!as_array(key, array, err))
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct slice text;
        if (!as_text(key, json_array_get(array, i), &text, err) || !add(m->policy, text, key, err))
            return false;
    }
    return true;
}

static bool merge_pin(const json_t *from, const char *key, uint8_t out[8], bool *has,
                      struct error *err)
{
    const json_t *value = present(from, key);
    struct slice text;
    if (!value)
        return true;
    if (!as_text(key, value, &text, err) || !policy_parse_fixed_hex(text, out, 8, key, err))
        return false;
    *has = true;
    return true;
}

static bool set_compose_hashes(const json_t *object, struct policy_set *set, struct error *err)
{
    const json_t *array = present(object, "compose_hashes");
    if (!array)
        return true;
    if (!as_array("compose_hashes", array, err))
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct slice text;
        if (set->compose_hash_count == POLICY_SET_COMPOSE_MAX)
            return error_set(err, "policy/limit", "compose_hashes", "more than %d compose_hashes",
                             POLICY_SET_COMPOSE_MAX);
        if (!as_text("compose_hashes", json_array_get(array, i), &text, err) ||
            !policy_parse_fixed_hex(text, set->compose_hashes[set->compose_hash_count],
                                    POLICY_COMPOSE_HASH_LEN, "compose_hashes", err))
            return false;
        set->compose_hash_count++;
    }
    return true;
}

static bool merge_set(const struct merge *m, const json_t *object, struct error *err)
{
    struct policy_set set = {0};
    struct slice text = {0};
    bool empty = false;
    if (!json_is_object(object))
        return error_set(err, "json/type", "allowed_set", "allowed_set entries must be objects");
    if (!json_get_str(object, "name", &text, err))
        return false;
    if (text.len >= sizeof(set.name))
        return error_set(err, "policy/limit", "allowed_set", "allowed_set name is longer than %d",
                         POLICY_NAME_MAX - 1);
    memcpy(set.name, text.data, text.len);
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        const char *key = policy_register_key((enum policy_register)r);
        const json_t *value = present(object, key);
        if (!value)
            continue;
        if (!as_text(key, value, &text, err))
            return false;
        if (r == POLICY_RTMR3 && slice_equal_str(text, "replay")) {
            set.replay = true;
            continue;
        }
        if (!policy_parse_measurement(text, m->dialect, key, set.value[r], &empty, err))
            return false;
        set.given[r] = !empty;
    }
    const json_t *mrseam = present(object, "mrseam");
    if (mrseam) {
        if (!as_text("mrseam", mrseam, &text, err) ||
            !policy_parse_measurement(text, m->dialect, "mrseam", set.mrseam, &empty, err))
            return false;
        set.has_mrseam = !empty;
    }
    return set_compose_hashes(object, &set, err) &&
           merge_pin(object, "td_attributes", set.tdattributes, &set.has_tdattributes, err) &&
           merge_pin(object, "xfam", set.xfam, &set.has_xfam, err) &&
           policy_add_set(m->policy, &set, err);
}

static bool merge_sets(const struct merge *m, struct error *err)
{
    char key[KEY_MAX];
    const json_t *array = pick(m, "allowed_set", key);
    if (!array)
        return true;
    if (!as_array(key, array, err))
        return false;
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!merge_set(m, json_array_get(array, i), err))
            return false;
    return true;
}

static bool merge_floor(const struct merge *m, const json_t *from, struct error *err)
{
    int64_t floor = m->policy->evaluation_number_min;
    if (!present(from, "min_tcb_evaluation_data_number"))
        return true;
    if (!json_get_int(from, "min_tcb_evaluation_data_number", 0, UINT32_MAX, &floor, err))
        return false;
    m->policy->evaluation_number_min = (uint32_t)floor;
    return true;
}

static bool merge_ours(const struct merge *m, struct error *err)
{
    const json_t *places[2] = {m->nested, m->flat};
    for (size_t i = 0; i < 2; i++)
        if (!merge_pin(places[i], "td_attributes", m->policy->tdattributes,
                       &m->policy->has_tdattributes, err) ||
            !merge_pin(places[i], "xfam", m->policy->xfam, &m->policy->has_xfam, err) ||
            !merge_floor(m, places[i], err))
            return false;
    return merge_list(m, "allowed_mrseam", add_mrseam, err) &&
           merge_list(m, "allowed_ppid", policy_add_ppid, err) &&
           merge_list(m, "denied_advisories", policy_add_denied_advisory, err) &&
           merge_list(m, "allowed_compose_hashes", policy_add_compose_hash, err) &&
           merge_list(m, "allowed_event_payload", policy_add_compose_hash, err) &&
           merge_sets(m, err);
}

/* ---- what the document says of itself ---- */

static bool read_text(const json_t *obj, const char *name, char out[POLICY_NAME_MAX],
                      struct error *err)
{
    struct slice text = {0};
    if (!json_opt_str(obj, name, &text, err))
        return false;
    if (text.len >= POLICY_NAME_MAX)
        return error_set(err, "json/value", name, "policy field '%s' is longer than %d", name,
                         POLICY_NAME_MAX - 1);
    if (text.len > 0)
        memcpy(out, text.data, text.len);
    return true;
}

static bool read_binding(const json_t *root, struct policy_document *doc, struct error *err)
{
    struct slice text = {0};
    const char *field = "binding_b64";
    if (!json_opt_str(root, field, &text, err))
        return false;
    const json_t *kms = present(root, "kms");
    if (!text.data && kms) {
        field = "kms.default_binding_b64";
        if (!json_is_object(kms))
            return error_set(err, "json/type", "kms", "policy field 'kms' must be an object");
        if (!json_opt_str(kms, "default_binding_b64", &text, err))
            return false;
    }
    if (!text.data)
        return true;
    if (!base64_decode(policy_text_trim(text), doc->binding, sizeof(doc->binding)))
        return error_set(err, "json/value", field, "%s must be base64 of exactly %d bytes", field,
                         POLICY_BINDING_LEN);
    doc->has_binding = true;
    return true;
}

static bool read_document(const json_t *root, struct policy_document *doc, struct error *err)
{
    *doc = (struct policy_document){0};
    if (present(root, "schema_version")) {
        if (!json_get_int(root, "schema_version", 0, INT32_MAX, &doc->schema_version, err))
            return false;
        doc->has_schema_version = true;
    }
    return read_text(root, "tag", doc->tag, err) && read_text(root, "role", doc->role, err) &&
           read_text(root, "profile", doc->profile, err) && read_binding(root, doc, err);
}

static bool merge_all(const struct merge *m, struct error *err)
{
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        if (!merge_register(m, (enum policy_register)r, err))
            return false;
    return merge_statuses(m, err) && merge_ours(m, err);
}

bool policy_merge_json(struct policy *p, struct slice text, enum policy_subject subject,
                       enum policy_dialect dialect, struct policy_document *document,
                       struct error *err)
{
    json_t *root JSON_AUTO = NULL;
    struct policy merged POLICY_AUTO = {0};
    struct policy_document doc;
    if (!json_parse(text, POLICY_JSON_MAX, 0, &root, err))
        return false;
    if (!json_is_object(root))
        return error_set(err, "json/type", NULL, "the policy is not a JSON object");
    const json_t *nested = present(root, "policy");
    if (nested && !json_is_object(nested))
        return error_set(err, "json/type", "policy", "policy field 'policy' must be an object");
    if (!policy_copy(&merged, p, err) || !read_document(root, &doc, err))
        return false;
    struct merge m = {&merged, root, nested, subject, dialect};
    if (!merge_all(&m, err))
        return false;
    struct policy old = *p;
    *p = merged;
    merged = old;
    if (document)
        *document = doc;
    return true;
}
