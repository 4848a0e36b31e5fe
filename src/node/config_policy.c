/* From the lists in config.toml and the JSON of policy_json_path to the policy that judges the KMS.
 * Spec: compatibility facts B.3-B.6, K.1; settings.md (allowed_set, allowed_compose_hashes). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "node/config_internal.h"
#include "node/config_read.h"

/* ---- what an enabled policy must have ---- */

static bool require_statuses(const struct policy *p, struct error *err)
{
    if (policy_accepts_any_status(p))
        return true;
    return error_set(err, "config/value", CONFIG_ATTESTATION ".allowed_tcb_statuses",
                     CONFIG_ATTESTATION ".enabled is true, but allowed_tcb_statuses is empty.");
}

static bool require_list(const struct policy *p, enum policy_register r, struct error *err)
{
    char field[ERROR_FIELD_MAX];
    const char *key = policy_register_key(r);
    if (p->lists[r].count > 0 || policy_sets_cover(p, r))
        return true;
    snprintf(field, sizeof field, CONFIG_ATTESTATION ".allowed_%s", key);
    if (r == POLICY_MRTD)
        return error_set(err, "config/value", field,
                         CONFIG_ATTESTATION
                         ".enabled is true, but allowed_mrtd is empty. Configure "
                         "at least one trusted KMS MRTD.");
    return error_set(err, "config/value", field,
                     CONFIG_ATTESTATION
                     ".enabled is true and accept_mock is false, but allowed_%s is empty.",
                     key);
}

/* ---- lists ---- */

typedef bool add_text(struct policy *p, struct slice text, const char *field, struct error *err);

/* Adds every text of an array; a refusal says where in the file. */
static bool add_texts(struct policy *p, const struct toml *array, const char *field, add_text *add,
                      struct error *err)
{
    struct error why = {0};
    for (size_t i = 0; i < toml_count(array); i++)
        if (!add(p, slice_str(setting_text_at(array, i)), field, &why))
            return setting_fail(err, "config/value", field, toml_at(array, i), "%s", why.message);
    return true;
}

static bool add_list(struct policy *p, const struct toml *array, enum policy_register r,
                     struct error *err)
{
    char field[ERROR_FIELD_MAX];
    struct error why = {0};
    snprintf(field, sizeof field, CONFIG_ATTESTATION ".allowed_%s", policy_register_key(r));
    for (size_t i = 0; i < toml_count(array); i++)
        if (!policy_add_measurement(p, r, slice_str(setting_text_at(array, i)), POLICY_DIALECT_NODE,
                                    field, &why))
            return setting_fail(err, "config/value", field, toml_at(array, i), "%s", why.message);
    return true;
}

/* ---- sets ---- */

static const char sets_path[] = CONFIG_ATTESTATION ".allowed_set";

/* A member that is a text; NULL text when absent. */
static bool set_text(const struct toml *table, const char *key, struct slice *out,
                     struct error *err)
{
    const struct toml *node = toml_get(table, key);
    *out = (struct slice){NULL, 0};
    if (node == NULL || toml_string(node, out))
        return true;
    return setting_fail(err, "config/type", sets_path, node, "%s: %s must be a string", sets_path,
                        key);
}

static bool set_measurement(const struct toml *table, const char *key, uint8_t out[MEASUREMENT_LEN],
                            bool *given, struct error *err)
{
    struct slice text;
    struct error why = {0};
    char field[ERROR_FIELD_MAX];
    bool empty = false;
    if (!set_text(table, key, &text, err))
        return false;
    *given = false;
    if (text.data == NULL)
        return true;
    if (slice_equal_str(text, "replay"))
        return setting_fail(err, "config/value", sets_path, toml_get(table, key),
                            "%s: only rtmr3 can be \"replay\": give the value of %s", sets_path,
                            key);
    snprintf(field, sizeof field, "%s: %s", sets_path, key);
    if (!policy_parse_measurement(text, POLICY_DIALECT_NODE, field, out, &empty, &why))
        return setting_fail(err, "config/value", sets_path, toml_get(table, key), "%s",
                            why.message);
    *given = !empty;
    return true;
}

static bool set_pin(const struct toml *table, const char *key, uint8_t out[8], bool *given,
                    struct error *err)
{
    struct slice text;
    if (!set_text(table, key, &text, err))
        return false;
    *given = text.data != NULL;
    if (text.data == NULL || hex_decode(text, out, 8))
        return true;
    return setting_fail(err, "config/value", sets_path, toml_get(table, key),
                        "%s: %s must be 16 hex digits", sets_path, key);
}

/* rtmr3 = "replay" with compose_hashes: what was deployed instead of the register's value. */
static bool set_replay(const struct toml *table, struct policy_set *set, struct error *err)
{
    static const char key[] = "compose_hashes";
    const struct toml *array = toml_get(table, key);
    struct slice rtmr3;
    if (!set_text(table, "rtmr3", &rtmr3, err))
        return false;
    set->replay = slice_equal_str(rtmr3, "replay");
    if (array != NULL && (!set->replay || toml_kind(array) != TOML_ARRAY))
        return setting_fail(err, "config/value", sets_path, array,
                            "%s: compose_hashes is a list that goes with rtmr3 = \"replay\"",
                            sets_path);
    for (size_t i = 0; i < toml_count(array); i++) {
        struct slice hex;
        if (i == POLICY_SET_COMPOSE_MAX || !toml_string(toml_at(array, i), &hex) ||
            !hex_decode(hex, set->compose_hashes[i], POLICY_COMPOSE_HASH_LEN))
            return setting_fail(err, "config/value", sets_path, toml_at(array, i),
                                "%s: compose_hashes holds at most %d texts of 64 hex digits",
                                sets_path, POLICY_SET_COMPOSE_MAX);
        set->compose_hash_count++;
    }
    return true;
}

static bool set_registers(const struct toml *table, struct policy_set *set, struct error *err)
{
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        if (r == POLICY_RTMR3 && set->replay)
            continue;
        if (!set_measurement(table, policy_register_key((enum policy_register)r), set->value[r],
                             &set->given[r], err))
            return false;
    }
    return true;
}

static bool add_set(struct policy *p, const struct toml *table, struct error *err)
{
    struct policy_set set = {0};
    struct slice name;
    struct error why = {0};
    if (!set_text(table, "name", &name, err))
        return false;
    if (name.len >= sizeof set.name)
        return setting_fail(err, "config/value", sets_path, toml_get(table, "name"),
                            "%s: a name has at most %d characters", sets_path, POLICY_NAME_MAX - 1);
    if (name.len > 0)
        memcpy(set.name, name.data, name.len);
    if (!set_replay(table, &set, err) || !set_registers(table, &set, err) ||
        !set_measurement(table, "mrseam", set.mrseam, &set.has_mrseam, err) ||
        !set_pin(table, "td_attributes", set.tdattributes, &set.has_tdattributes, err) ||
        !set_pin(table, "xfam", set.xfam, &set.has_xfam, err))
        return false;
    if (!policy_add_set(p, &set, &why))
        return setting_fail(err, "config/value", sets_path, table, "%s", why.message);
    return true;
}

/* Where every set names a register, the sets are its list: an operator who gives exact sets need
 * not repeat them. */
static bool fill_list_from_sets(struct policy *p, enum policy_register r, struct error *err)
{
    char hex[2 * MEASUREMENT_LEN + 1];
    if (p->lists[r].count > 0)
        return true;
    for (size_t i = 0; i < p->set_count; i++)
        if (!p->sets[i].given[r])
            return true;
    for (size_t i = 0; i < p->set_count; i++) {
        hex_encode(slice_of(p->sets[i].value[r], MEASUREMENT_LEN), hex);
        if (!policy_add_measurement(p, r, slice_str(hex), POLICY_DIALECT_NODE, sets_path, err))
            return false;
    }
    return true;
}

/* ---- the file ---- */

static bool read_file_policy(const struct node_config *c, bool complete, struct policy *p,
                             struct error *err)
{
    const struct node_attestation_config *a = &c->tee.attestation;
    if (a->statuses != NULL)
        policy_clear_statuses(p);
    for (size_t i = 0; i < toml_count(a->sets); i++)
        if (!add_set(p, toml_at(a->sets, i), err))
            return false;
    if (!add_texts(p, a->statuses, CONFIG_ATTESTATION ".allowed_tcb_statuses", policy_add_status,
                   err) ||
        (complete && !require_statuses(p, err)))
        return false;
    for (unsigned i = 0; i < POLICY_REGISTERS; i++) {
        enum policy_register r = (enum policy_register)i;
        if (!add_list(p, a->lists[r], r, err) || !fill_list_from_sets(p, r, err) ||
            (complete && !require_list(p, r, err)))
            return false;
    }
    return add_texts(p, a->compose_hashes, CONFIG_ATTESTATION ".allowed_compose_hashes",
                     policy_add_compose_hash, err);
}

bool config_policy_of_file(const struct node_config *c, bool complete, struct policy *out,
                           struct error *err)
{
    struct policy p POLICY_AUTO;
    policy_init(&p);
    if (!read_file_policy(c, complete, &p, err))
        return false;
    *out = p;
    p = (struct policy){0};
    return true;
}

/* ---- policy_json_path ---- */

/* True when path is dir itself or below it, by whole names. */
static bool is_under(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == 0);
}

static bool fail_outside(const char *const *dirs, size_t dir_count, struct error *err)
{
    char all[512] = "";
    for (size_t i = 0; i < dir_count; i++) {
        size_t used = strlen(all);
        snprintf(&all[used], sizeof all - used, "%s%s", i > 0 ? ", " : "", dirs[i]);
    }
    return error_set(err, "config/policy-file", CONFIG_ATTESTATION ".policy_json_path",
                     CONFIG_ATTESTATION ".policy_json_path must be under one of: %s", all);
}

static void free_text(char **text)
{
    free(*text);
}

/* Symbolic links are resolved first: what counts is where the file really is. */
static bool read_external(const char *path, const char *const *dirs, size_t dir_count,
                          struct buf *text, struct error *err)
{
    static const char field[] = CONFIG_ATTESTATION ".policy_json_path";
    if (path[0] != '/')
        return error_set(err, "config/policy-file", field, "%s must be an absolute path: %s", field,
                         path);
    __attribute__((cleanup(free_text))) char *real = realpath(path, NULL);
    if (real == NULL)
        return error_set(err, "config/policy-file", field,
                         "Failed to canonicalize external KMS attestation policy path at %s", path);
    bool allowed = false;
    for (size_t i = 0; i < dir_count; i++)
        allowed = allowed || is_under(real, dirs[i]);
    if (!allowed)
        return fail_outside(dirs, dir_count, err);
    struct error why = {0};
    if (file_read(real, text, &why))
        return true;
    return error_set(err, "config/policy-file", field,
                     "Failed to read external KMS attestation policy file at %s: %s", real,
                     why.message);
}

static bool merge_external(const char *path, struct policy *p, struct policy_document *document,
                           const char *const *dirs, size_t dir_count, struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(POLICY_JSON_MAX);
    struct error why = {0};
    if (!read_external(path, dirs, dir_count, &text, err))
        return false;
    if (!policy_merge_json(p, buf_slice(&text), POLICY_SUBJECT_KMS, POLICY_DIALECT_NODE, document,
                           &why))
        return error_set(err, "config/policy-file", CONFIG_ATTESTATION ".policy_json_path",
                         "Failed to parse external KMS attestation policy JSON at %s: %s", path,
                         why.message);
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        if (!fill_list_from_sets(p, (enum policy_register)r, err))
            return false;
    return true;
}

static bool require_all(const struct policy *p, struct error *err)
{
    if (!require_statuses(p, err))
        return false;
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        if (!require_list(p, (enum policy_register)r, err))
            return false;
    return true;
}

static bool resolve(struct node_attestation_config *a, const struct node_config *c,
                    const char *const *dirs, size_t dir_count, struct error *err)
{
    const char *external = a->policy_json_path;
    bool complete = !a->accept_mock;
    struct policy p POLICY_AUTO = {0};
    struct policy_document document = {0};
    if (!config_policy_of_file(c, complete && external == NULL, &p, err))
        return false;
    if (external != NULL && !merge_external(external, &p, &document, dirs, dir_count, err))
        return false;
    if (complete && !require_all(&p, err))
        return false;
    if (document.has_binding) {
        a->has_binding = true;
        memcpy(a->binding, document.binding, sizeof a->binding);
    }
    policy_free(&a->policy);
    a->policy = p;
    a->resolved = true;
    a->policy_json_path = NULL;
    p = (struct policy){0};
    return true;
}

bool config_resolve_policy_under(struct node_config *c, const char *const *dirs, size_t dir_count,
                                 struct error *err)
{
    if (!c->tee.has_kms || !c->tee.attestation.enabled || c->tee.attestation.resolved)
        return true;
    if (!resolve(&c->tee.attestation, c, dirs, dir_count, err))
        return error_prefix(err, "Failed to resolve tee.kms.phala.attestation policy (including "
                                 "external policy_json_path)");
    return true;
}

bool node_config_resolve_policy(struct node_config *config, struct error *err)
{
    static const char *const dirs[] = {"/etc/calimero", "/run/calimero"};
    return config_resolve_policy_under(config, dirs, sizeof dirs / sizeof dirs[0], err);
}
