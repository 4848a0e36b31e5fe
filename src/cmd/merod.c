/* merod: the node. Command line, exit statuses, wiring. Spec: compatibility facts A; operator
 * contract 2. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/common_args.h"
#include "cmd/common_exit.h"
#include "cmd/common_log.h"
#include "cmd/common_start.h"
#include "node/config.h"
#include "node/config_edit.h"
#include "node/init.h"
#include "node/kms_probe.h"
#include "node/machine.h"
#include "node/node.h"
#include "node/tee_probe.h"

/* --- command line --- */

static const struct args_option GLOBALS[] = {
    {"home", 0, "PATH", "where node directories are [env CALIMERO_HOME, ~/.calimero]", false},
    {"node", 'n', "NAME", "name of the node: its directory is <home>/<name>", false},
};

static const struct args_option INIT_OPTIONS[] = {
    {"server-host", 0, "HOSTS", "admin API listens here, csv [127.0.0.1,::1]", false},
    {"server-port", 0, "PORT", "admin API port [2528]", false},
    {"swarm-host", 0, "HOSTS", "swarm addresses to record, csv [0.0.0.0,::]", false},
    {"swarm-port", 0, "PORT", "swarm port to record [2428]", false},
    {"mode", 0, "MODE", "standard or read-only [standard]", false},
    {"auth-mode", 0, "MODE", "proxy (token comes later) [proxy]", false},
    {"boot-nodes", 0, "ADDR", "bootstrap multiaddr with /p2p/<id>; repeatable", false},
    {"boot-network", 0, "NAME", "calimero-dev or ipfs [calimero-dev]", false},
    {"mdns", 0, NULL, "discover peers on the local network", false},
    {"no-mdns", 0, NULL, "do not", true},
    {"advertise-address", 0, NULL, "advertise the external address", false},
    {"external-address", 0, "ADDR", "external multiaddr; repeatable", false},
    {"rendezvous-registrations-limit", 0, "N", "rendezvous points to register with [3]", false},
    {"relay-registrations-limit", 0, "N", "relays to register with [3]", false},
    {"autonat-probe-interval", 0, "SECS", "how often reachability is probed [10]", false},
    {"autonat-max-candidates", 0, "N", "addresses that one probe tries [5]", false},
    {"kms-url", 0, "URL", "fetch the storage key from this KMS first; make the store with it",
     false},
    {"kms-policy", 0, "PATH", "policy file that judges that KMS, below /etc/calimero", false},
    {"force", 0, NULL, "remove an existing node directory first", false},
    /* Of the existing node's embedded authentication, which is refused: taken, without effect. */
    {"auth-storage", 0, "KIND", "", true},
    {"auth-storage-path", 0, "PATH", "", true},
    {"admin-user", 0, "NAME", "", true},
    {"admin-password-file", 0, "PATH", "", true},
    {"admin-password-stdin", 0, NULL, "", true},
    {"no-admin", 0, NULL, "", true},
};

static const struct args_option RUN_OPTIONS[] = {
    {"auth-mode", 0, "MODE", "proxy; overrides server.auth_mode", false},
    {"exit-on-eof", 0, "FD", "stop when this descriptor reaches its end", false},
    {"mock-tee", 0, NULL, "mock quotes instead of real ones (development builds)", false},
};

static const struct args_option KMS_PROBE_OPTIONS[] = {
    {"kms-url", 0, "URL", "ask this KMS instead of tee.kms.phala.url", false},
    {"json", 0, NULL, "one JSON object on stdout", false},
};

static const struct args_option TEE_PROBE_OPTIONS[] = {
    {"json", 0, NULL, "one JSON object on stdout", false},
#ifdef MERO_DEV
    {"mock-tee", 0, NULL, "a mock quote instead of a real one", false},
#endif
};

enum { COUNT_GLOBALS = sizeof GLOBALS / sizeof GLOBALS[0] };
#define OPTIONS(table) .options = table, .option_count = sizeof table / sizeof table[0]

enum command { COMMAND_INIT, COMMAND_CONFIG, COMMAND_RUN, COMMAND_KMS_PROBE, COMMAND_TEE_PROBE };

static const struct args_command COMMANDS[] = {
    [COMMAND_INIT] = {.name = "init",
                      .summary = "make a node: its directory, identity and config.toml",
                      OPTIONS(INIT_OPTIONS),
                      .notes = "Examples:\n"
                               "  merod --node n1 init\n"
                               "  merod --home /srv/mero --node n1 init --server-port 2600\n"
                               "  merod -n n1 init --kms-url https://kms.example:8443/ \\\n"
                               "      --kms-policy /etc/calimero/kms-policy.json\n\n"
                               "With --kms-url nothing is written unless the KMS proved itself and "
                               "released a key;\nit refuses where `merod run` would.\n"},
    [COMMAND_CONFIG] =
        {.name = "config",
         .summary = "change settings in config.toml; the result is validated before it is written",
         .positionals = "[KEY=VALUE]...",
         .positionals_max = ARGS_POSITIONALS_MAX,
         .notes = "VALUE is a TOML value: strings need quotes. Without arguments the file is only\n"
                  "validated. Comments and layout stay as they are.\n\n"
                  "Examples:\n"
                  "  merod -n n1 config 'tee.kms.phala.url=\"https://kms.example:8443/\"'\n"
                  "  merod -n n1 config 'sync.timeout_ms=20000' 'mode=\"readonly\"'\n"},
    [COMMAND_RUN] = {.name = "run",
                     .alias = "up",
                     .summary = "start the node; with a [tee] section its key comes from the KMS",
                     OPTIONS(RUN_OPTIONS),
                     .notes =
                         "Logs go to stderr; RUST_LOG=debug shows more. SIGTERM stops cleanly.\n\n"
                         "Examples:\n"
                         "  merod -n n1 run\n"
                         "  USE_ENV_POLICY=true merod --home /srv/mero -n n1 run\n\n"
                         "Exit status: 0 stopped as asked, 2 configuration, 10-15 the KMS or "
                         "this machine did\nnot prove itself, 20 KMS unreachable, 21 KMS refused, "
                         "30-33 store; docs/exit-codes.md\n"},
    [COMMAND_KMS_PROBE] = {.name = "kms probe",
                           .summary = "go through the whole key release, then drop the key",
                           OPTIONS(KMS_PROBE_OPTIONS),
                           .notes = "Examples:\n"
                                    "  merod -n n1 kms probe\n"
                                    "  merod -n n1 kms probe --json | jq -r .code\n\n"
                                    "Exit status: 0 a key was released, 1 it was not\n"},
    [COMMAND_TEE_PROBE] = {.name = "tee probe",
                           .summary = "make a quote here and verify it, also damaged",
                           OPTIONS(TEE_PROBE_OPTIONS),
                           .notes = "Examples:\n"
                                    "  merod -n n1 tee probe\n"
                                    "  merod -n n1 tee probe --json | jq .outcome\n\n"
                                    "Exit status: 0 all checks passed, 1 not\n"},
};

static const struct args_program MEROD = {
    .name = "merod",
    .summary = "a node whose storage key comes from an attested KMS",
    .globals = GLOBALS,
    .global_count = COUNT_GLOBALS,
    .commands = COMMANDS,
    .command_count = sizeof COMMANDS / sizeof COMMANDS[0],
    .notes = "Examples:\n"
             "  merod --node n1 init\n"
             "  merod --node n1 run\n\n"
             "Environment: CALIMERO_HOME, RUST_LOG, USE_ENV_POLICY, MERO_KMS_RELEASE_TAG, "
             "MERO_KMS_VERSION,\nMERO_TEE_VERSION, MERO_COLLATERAL_URLS, NODE_PATH_PREFIX\n",
};

/* --- what every command needs --- */

/* <home>/<node>; without a usable home directory <home> is the working directory (A.1). */
static bool node_dir(const struct args *args, char out[PATH_TEXT_MAX], struct error *err)
{
    char home[PATH_TEXT_MAX] = "";
    const char *given = args_get(args, "home", getenv("CALIMERO_HOME"));
    const char *user_home = getenv("HOME");
    const char *name = args_get(args, "node", NULL);
    if (name == NULL)
        return error_set(err, "usage", "--node", "option '--node <NAME>' is needed");
    if (name[0] == 0 || strchr(name, '/') != NULL || strcmp(name, "..") == 0 ||
        strcmp(name, ".") == 0)
        return error_set(err, "usage", "--node", "'%s' is not a node name", name);
    if (given != NULL)
        return path_join(given, name, out, err);
    if (user_home == NULL || user_home[0] == 0)
        return path_join(".", name, out, err);
    return path_join(user_home, ".calimero", home, err) && path_join(home, name, out, err);
}

static int print_text(struct buf *text)
{
    fwrite(text->data, 1, text->len, stdout);
    return fflush(stdout) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_FAILED;
}

/* --- commands --- */

/* The values of a repeatable option. */
static size_t repeated(const struct args *args, const char *name,
                       const char *out[NODE_INIT_LIST_MAX])
{
    size_t count = 0;
    for (const char *text; (text = args_get_nth(args, name, count)) != NULL;)
        out[count++] = text; /* ARGS_VALUES_MAX values at most */
    return count;
}

/* --mdns and --no-mdns: the last one wins. */
static bool mdns_wanted(const struct args *args)
{
    bool wanted = false;
    for (size_t i = 0; i < args->value_count; i++) {
        if (strcmp(args->values[i].option->name, "mdns") == 0)
            wanted = true;
        if (strcmp(args->values[i].option->name, "no-mdns") == 0)
            wanted = false;
    }
    return wanted;
}

static bool init_numbers(const struct args *args, struct node_init_options *o, struct error *err)
{
    unsigned long swarm_port = o->swarm_port, server_port = o->server_port;
    unsigned long rendezvous = o->rendezvous_registrations_limit,
                  relay = o->relay_registrations_limit, interval = o->autonat_probe_interval_s,
                  candidates = o->autonat_max_candidates;
    bool ok =
        args_get_number(args, "swarm-port", 0, UINT16_MAX, &swarm_port, err) &&
        args_get_number(args, "server-port", 0, UINT16_MAX, &server_port, err) &&
        args_get_number(args, "rendezvous-registrations-limit", 0, UINT32_MAX, &rendezvous, err) &&
        args_get_number(args, "relay-registrations-limit", 0, UINT32_MAX, &relay, err) &&
        args_get_number(args, "autonat-probe-interval", 0, UINT32_MAX, &interval, err) &&
        args_get_number(args, "autonat-max-candidates", 0, UINT32_MAX, &candidates, err);
    o->swarm_port = (unsigned)swarm_port;
    o->server_port = (unsigned)server_port;
    o->rendezvous_registrations_limit = rendezvous;
    o->relay_registrations_limit = relay;
    o->autonat_probe_interval_s = interval;
    o->autonat_max_candidates = candidates;
    return ok;
}

static bool init_options(const struct args *args, const char *dir, struct node_init_options *o,
                         struct error *err)
{
    node_init_defaults(o);
    o->dir = dir;
    o->boot_node_count = repeated(args, "boot-nodes", o->boot_nodes);
    o->external_address_count = repeated(args, "external-address", o->external_addresses);
    o->boot_network = args_get(args, "boot-network", o->boot_network);
    o->swarm_host = args_get(args, "swarm-host", o->swarm_host);
    o->server_host = args_get(args, "server-host", o->server_host);
    o->auth_mode = args_get(args, "auth-mode", o->auth_mode);
    o->mode = args_get(args, "mode", o->mode);
    o->mdns = mdns_wanted(args);
    o->advertise_address = args_has(args, "advertise-address");
    o->force = args_has(args, "force");
    o->kms_url = args_get(args, "kms-url", NULL);
    o->kms_policy_path = args_get(args, "kms-policy", NULL);
    return init_numbers(args, o, err);
}

/* A wrong option value is told like a wrong option. */
static int fail(const struct args *args, const struct error *err)
{
    return error_is(err, "usage") ? args_fail_usage(&MEROD, args, err) : exit_fail(MEROD.name, err);
}

static int cmd_init(const struct args *args, const char *dir)
{
    struct node_init_options options;
    enum node_init_result result;
    char peer_id[PEER_ID_TEXT_MAX];
    struct error err;
    if (!init_options(args, dir, &options, &err) || !node_init(&options, &result, peer_id, &err))
        return fail(args, &err);
    if (result == NODE_INIT_ALREADY)
        log_warn("Node is already initialized in \"%s\"", dir);
    else
        log_info("node initialized dir=%s peer_id=%s", dir, peer_id);
    return EXIT_STATUS_OK;
}

static int cmd_config(const struct args *args, const char *dir)
{
    struct error err;
    if (!node_config_edit(dir, args->positionals, args->positional_count, &err))
        return fail(args, &err);
    log_info("configuration valid and written dir=%s changes=%zu", dir, args->positional_count);
    return EXIT_STATUS_OK;
}

static int cmd_run(const struct args *args, const char *dir)
{
    unsigned long eof_fd = 0;
    struct error err;
    if (!args_get_number(args, "exit-on-eof", 0, INT_MAX, &eof_fd, &err))
        return args_fail_usage(&MEROD, args, &err);
    struct node_options options = {
        .dir = dir,
        .overrides = {.auth_mode = args_get(args, "auth-mode", NULL),
                      .mock_tee = args_has(args, "mock-tee")},
        .eof_fd = args_has(args, "exit-on-eof") ? (int)eof_fd : -1,
    };
    return node_run(&options, &err) ? EXIT_STATUS_OK : fail(args, &err);
}

/* The probes know 0 and 1 alone, so the status of the code's row is not told. */
static int probe_fail(const struct error *err)
{
    fprintf(stderr, "%s: %s\n  code: %s\n", MEROD.name, err->message, err->code);
    return EXIT_STATUS_FAILED;
}

static int cmd_kms_probe(const struct args *args, const char *dir)
{
    struct settings_overrides overrides = {.kms_url = args_get(args, "kms-url", NULL)};
    struct buf text BUF_AUTO = BUF_INIT(KMS_PROBE_TEXT_MAX);
    struct kms_probe probe;
    struct error err;
    bool json = args_has(args, "json");
    if (!kms_probe_run(dir, &overrides, &probe, &err) ||
        (json && !kms_probe_json(&probe, &text, &err)))
        return probe_fail(&err);
    if (!json && probe.ok && !(kms_probe_line(&probe, &text) && buf_append_str(&text, "\n")))
        return EXIT_STATUS_FAILED;
    int status = print_text(&text);
    if (probe.ok)
        return status;
    buf_reset(&text);
    if (json ? kms_probe_summary(&probe, &text) : kms_probe_line(&probe, &text))
        fprintf(stderr, "%s\n", buf_cstr(&text));
    return EXIT_STATUS_FAILED;
}

static int cmd_tee_probe(const struct args *args, const char *dir)
{
    struct settings_overrides overrides = {.mock_tee = args_has(args, "mock-tee")};
    struct buf text BUF_AUTO = BUF_INIT(TEE_PROBE_JSON_MAX);
    struct tee_probe probe;
    struct error err;
    if (!tee_probe_node(dir, &overrides, &probe, &err))
        return probe_fail(&err);
    if (!(args_has(args, "json") ? tee_probe_json(&probe, &text, &err)
                                 : tee_probe_text(&probe, &text)))
        return probe_fail(&err);
    int status = print_text(&text);
    if (tee_probe_passed(&probe))
        return status;
    fprintf(stderr, "TEE probe failed: one or more attestation self-checks did not meet "
                    "expectation\n");
    return EXIT_STATUS_FAILED;
}

static int run_command(const struct args *args)
{
    char dir[PATH_TEXT_MAX];
    struct error err;
    if (!node_dir(args, dir, &err))
        return args_fail_usage(&MEROD, args, &err);
    switch ((enum command)(args->command - COMMANDS)) {
    case COMMAND_INIT:
        return cmd_init(args, dir);
    case COMMAND_CONFIG:
        return cmd_config(args, dir);
    case COMMAND_RUN:
        return cmd_run(args, dir);
    case COMMAND_KMS_PROBE:
        return cmd_kms_probe(args, dir);
    case COMMAND_TEE_PROBE:
        return cmd_tee_probe(args, dir);
    }
    return EXIT_STATUS_USAGE;
}

int main(int argc, char **argv)
{
    struct args args;
    int status;
    log_set_level(log_level_of_env(getenv("RUST_LOG"), MEROD.name));
    return program_start(&MEROD, argc, argv, &args, &status) ? run_command(&args) : status;
}
