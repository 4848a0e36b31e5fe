/* The list of machines and faults, from the command line or a file. */
#include "sim/cast.h"

#include <stdio.h>
#include <string.h>

static bool no_memory(struct error *err)
{
    return error_set(err, "sim/memory", NULL, "out of memory");
}

bool sim_cast_new(struct sim_cast *cast, struct error *err)
{
    cast->json = json_pack("{s:[], s:[]}", "machines", "pcs");
    return cast->json != NULL || no_memory(err);
}

bool sim_cast_parse(struct sim_cast *cast, struct slice text, struct error *err)
{
    json_t *json = NULL;
    if (!json_parse(text, SIM_STATE_FILE_MAX, 0, &json, err))
        return false;
    cast->json = json;
    return true;
}

void sim_cast_free(struct sim_cast *cast)
{
    json_release(&cast->json);
}

/* --- from the command line --- */

/* A key that comes again becomes a list. */
static bool add_value(json_t *machine, const char *key, json_t *value)
{
    json_t *before = json_object_get(machine, key);
    if (before == NULL)
        return json_object_set_new(machine, key, value) == 0;
    if (json_is_array(before))
        return json_array_append_new(before, value) == 0;
    json_t *list = json_pack("[O, o]", before, value);
    return list != NULL && json_object_set_new(machine, key, list) == 0;
}

static bool add_pair(json_t *machine, struct slice pair, struct error *err)
{
    char key[32];
    const uint8_t *equals = pair.len == 0 ? NULL : memchr(pair.data, '=', pair.len);
    size_t len = equals == NULL ? 0 : (size_t)(equals - pair.data);
    if (len == 0 || len >= sizeof key)
        return error_set(err, "sim/machine", "--machine", "'%.*s' is not of the form key=value",
                         (int)(pair.len > 64 ? 64 : pair.len),
                         pair.len == 0 ? "" : (const char *)pair.data);
    memcpy(key, pair.data, len);
    key[len] = '\0';
    struct slice value = slice_cut(pair, len + 1, pair.len);
    json_t *text = json_stringn(value.len == 0 ? "" : (const char *)value.data, value.len);
    if (text == NULL)
        return error_set(err, "sim/machine", key, "machine option %s is not UTF-8", key);
    return add_value(machine, key, text) || no_memory(err);
}

bool sim_cast_add_machine(struct sim_cast *cast, const char *text, struct error *err)
{
    struct slice rest = slice_str(text);
    json_t *machine JSON_AUTO = json_object();
    for (;;) {
        const uint8_t *comma = rest.len == 0 ? NULL : memchr(rest.data, ',', rest.len);
        size_t len = comma == NULL ? rest.len : (size_t)(comma - rest.data);
        if (!add_pair(machine, slice_cut(rest, 0, len), err))
            return false;
        if (comma == NULL)
            break;
        rest = slice_cut(rest, len + 1, rest.len);
    }
    json_t *machines = json_object_get(cast->json, "machines");
    return json_array_append(machines, machine) == 0 || no_memory(err);
}

bool sim_cast_add_pcs(struct sim_cast *cast, const char *word, struct error *err)
{
    json_t *words = json_object_get(cast->json, "pcs");
    return json_array_append_new(words, json_string(word)) == 0 || no_memory(err);
}

bool sim_cast_set_seed(struct sim_cast *cast, const char *seed, struct error *err)
{
    return json_object_set_new(cast->json, "seed", json_string(seed)) == 0 || no_memory(err);
}

/* --- reading --- */

static bool set_value(struct sim_machine_options *options, const char *key, const json_t *value,
                      struct error *err)
{
    char digits[24];
    if (json_is_integer(value)) { /* quote: 5 */
        snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(value));
        return sim_machine_set(options, key, slice_str(digits), err);
    }
    if (!json_is_string(value))
        return error_set(err, "sim/machine", key, "machine option %s must be a text", key);
    return sim_machine_set(options, key,
                           slice_of(json_string_value(value), json_string_length(value)), err);
}

static bool read_member(struct sim_machine_options *options, const char *key, json_t *value,
                        struct error *err)
{
    if (!json_is_array(value))
        return set_value(options, key, value, err);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!set_value(options, key, json_array_get(value, i), err))
            return false;
    return true;
}

static bool read_machine(const char *seed, json_t *machine, struct sim_machine_options *options,
                         struct error *err)
{
    const char *key;
    json_t *value;
    const char *name = json_string_value(json_object_get(machine, "name"));
    if (!sim_machine_defaults(options, name == NULL ? "" : name, err))
        return false;
    if (seed[0] != '\0' && !sim_machine_set(options, "seed", slice_str(seed), err))
        return false;
    json_object_foreach(machine, key, value)
    {
        if (strcmp(key, "name") != 0 && !read_member(options, key, value, err))
            return error_prefix(err, "machine %s", name);
    }
    return true;
}

static bool read_pcs(const json_t *root, struct sim_scenario *out, struct error *err)
{
    const json_t *words = json_object_get(root, "pcs");
    for (size_t i = 0; i < json_array_size(words); i++) {
        const json_t *word = json_array_get(words, i);
        struct slice text = slice_of(json_string_value(word), json_string_length(word));
        if (!sim_scenario_apply(out, SIM_SCOPE_PCS, text, err))
            return false;
    }
    return true;
}

bool sim_cast_read(const struct sim_cast *cast, struct sim_cast_view *out, struct error *err)
{
    json_t *machines = NULL;
    struct slice seed = slice_str("");
    memset(out, 0, sizeof *out);
    if (!json_opt_str(cast->json, "seed", &seed, err) ||
        !json_get_array(cast->json, "machines", &machines, err) ||
        !read_pcs(cast->json, &out->pcs, err))
        return false;
    if (seed.len >= sizeof out->seed)
        return error_set(err, "sim/machine", "seed", "the seed is longer than %zu bytes",
                         sizeof out->seed - 1);
    if (seed.len > 0)
        memcpy(out->seed, seed.data, seed.len);
    if (json_array_size(machines) > SIM_MACHINES_MAX)
        return error_set(err, "sim/limit", "machines", "at most %d machines", SIM_MACHINES_MAX);
    for (size_t i = 0; i < json_array_size(machines); i++) {
        if (!read_machine(out->seed, json_array_get(machines, i), &out->machines[i], err))
            return false;
        out->count++;
    }
    return true;
}
