/* How a machine is described: one key at a time. */
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "sim/machine.h"

static bool bad_value(struct error *err, const char *key, const char *wants)
{
    return error_set(err, "sim/machine", key, "machine option %s must be %s", key, wants);
}

bool sim_machine_name_is_good(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < SIM_MACHINE_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

bool sim_machine_defaults(struct sim_machine_options *options, const char *name, struct error *err)
{
    if (!sim_machine_name_is_good(name))
        return bad_value(err, "name", "1 to 47 of a-z, 0-9 and '-'");
    memset(options, 0, sizeof *options);
    snprintf(options->name, sizeof options->name, "%s", name);
    options->agent_version = 508;
    options->quote_version = 4;
    return true;
}

static bool set_type(struct sim_machine_options *options, struct slice value)
{
    if (slice_equal_str(value, "gcp"))
        options->type = SIM_MACHINE_GCP;
    else if (slice_equal_str(value, "dstack"))
        options->type = SIM_MACHINE_DSTACK;
    else
        return false;
    return true;
}

/* Copies a value with its NUL; false when it is empty, too long or has a NUL inside. */
static bool copy_text(struct slice value, char *out, size_t size)
{
    if (value.len == 0 || value.len >= size || memchr(value.data, 0, value.len) != NULL)
        return false;
    memcpy(out, value.data, value.len);
    out[value.len] = '\0';
    return true;
}

/* The agents worth playing: one of each behaviour (platform facts 1.1). */
static bool set_agent_version(struct sim_machine_options *options, struct slice value)
{
    static const struct {
        const char *text;
        unsigned number;
    } versions[] = {{"0.5.0", 500}, {"0.5.1", 501}, {"0.5.5", 505},  {"0.5.6", 506},
                    {"0.5.7", 507}, {"0.5.8", 508}, {"0.5.11", 511}, {"0.6.0", 600}};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (slice_equal_str(value, versions[i].text)) {
            options->agent_version = versions[i].number;
            return true;
        }
    }
    return false;
}

static bool set_quote_version(struct sim_machine_options *options, struct slice value)
{
    if (value.len != 1 || (value.data[0] != '4' && value.data[0] != '5'))
        return false;
    options->quote_version = value.data[0] - '0';
    return true;
}

static bool set_register(struct sim_machine_options *options, size_t i, struct slice value)
{
    options->given[i] = hex_decode(value, options->value[i], SIM_REGISTER_LEN);
    return options->given[i];
}

static bool set_app_key(struct sim_machine_options *options, struct slice value)
{
    options->has_app_key = hex_decode(value, options->app_key, SIM_APP_KEY_LEN);
    return options->has_app_key;
}

static const char *const register_keys[SIM_REGISTERS] = {"mrtd", "rtmr0", "rtmr1", "rtmr2",
                                                         "rtmr3"};

static bool set_measurement(struct sim_machine_options *options, const char *key,
                            struct slice value, struct error *err)
{
    for (size_t i = 0; i < SIM_REGISTERS; i++)
        if (strcmp(key, register_keys[i]) == 0)
            return set_register(options, i, value) || bad_value(err, key, "96 hex digits");
    return error_set(err, "sim/machine", key,
                     "unknown machine option '%s' (name, type, agent, tsm, agent-version, quote, "
                     "seed, compose, app-key, mrtd, rtmr0-3, scenario)",
                     key);
}

bool sim_machine_set(struct sim_machine_options *options, const char *key, struct slice value,
                     struct error *err)
{
    if (strcmp(key, "scenario") == 0)
        return sim_scenario_apply(&options->scenario, SIM_SCOPE_MACHINE, value, err);
    if (strcmp(key, "type") == 0)
        return set_type(options, value) || bad_value(err, key, "dstack or gcp");
    if (strcmp(key, "agent-version") == 0)
        return set_agent_version(options, value) ||
               bad_value(err, key, "0.5.0, 0.5.1, 0.5.5, 0.5.6, 0.5.7, 0.5.8, 0.5.11 or 0.6.0");
    if (strcmp(key, "quote") == 0)
        return set_quote_version(options, value) || bad_value(err, key, "4 or 5");
    if (strcmp(key, "app-key") == 0)
        return set_app_key(options, value) || bad_value(err, key, "64 hex digits");
    struct {
        const char *key;
        char *out;
        size_t size;
    } texts[] = {{"name", options->name, sizeof options->name},
                 {"agent", options->agent_path, sizeof options->agent_path},
                 {"tsm", options->tsm_path, sizeof options->tsm_path},
                 {"compose", options->compose_path, sizeof options->compose_path},
                 {"seed", options->seed, sizeof options->seed}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(key, texts[i].key) == 0)
            return copy_text(value, texts[i].out, texts[i].size) ||
                   bad_value(err, key, "a text of moderate length");
    return set_measurement(options, key, value, err);
}
