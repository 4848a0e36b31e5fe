/* mero-sim: a software TDX platform for development. Arguments, exit statuses and wiring; the
 * platform itself is in room sim. Not part of release builds. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "cmd/common_args.h"
#include "cmd/common_exit.h"
#include "cmd/common_start.h"
#include "http/client.h"
#include "sim/service.h"

enum { CALL_TIMEOUT_MS = 10000 };

/* --- command line --- */

static const struct args_option run_options[] = {
    {"dir", 'd', "DIR", "state: certificates, sockets, mounts (made when missing)", false},
    {"machine", 'm', "KEY=VALUE,...", "a machine to play; may come again (keys below)", false},
    {"pcs", 0, "SCENARIO", "a fault of the collateral service; may come again", false},
    {"file", 'f', "FILE", "machines and faults as JSON, instead of --machine and --pcs", false},
    {"listen", 'l', "ADDRESS", "collateral service on loopback (default 127.0.0.1:0, any port)",
     false},
    {"seed", 0, "TEXT", "keys and measurements follow from it (default: random keys)", false},
    {"now", 0, "TIME", "clock: RFC 3339 or Unix seconds (default: MERO_DEV_NOW or the true time)",
     false},
};
static const struct args_option quote_options[] = {
    {"dir", 'd', "DIR", "state directory of `mero-sim run`", false},
    {"machine", 'm', "NAME", "whose quote (default: the first)", false},
    {"report-data", 'r', "HEX", "128 hex digits (default: zeros)", false},
    {"hex", 0, NULL, "print hex instead of bytes", false},
};
static const struct args_option machine_options[] = {
    {"dir", 'd', "DIR", "state directory of `mero-sim run`", false},
    {"machine", 'm', "NAME", "which machine (default: the first)", false},
};
static const struct args_option set_options[] = {
    {"dir", 'd', "DIR", "state directory of `mero-sim run`", false},
    {"machine", 'm', "NAME", "whose scenario", false},
    {"pcs", 0, NULL, "the collateral service's scenario", false},
};
static const struct args_option measurements_options[] = {
    {"machine", 'm', "KEY=VALUE,...", "machines as for `run`; may come again", false},
    {"seed", 0, "TEXT", "as for `run`", false},
};

static const char run_notes[] =
    "Machine keys: name, type=dstack|gcp, agent=PATH|auto|none, tsm=PATH|auto|try|none,\n"
    "  agent-version=0.5.0..0.6.0, quote=4|5, seed, compose=FILE, app-key=HEX, mrtd, "
    "rtmr0..rtmr3,\n"
    "  scenario=WORD (may come again; `mero-sim scenarios`)\n"
    "One JSON line on stdout when everything is up; SIGTERM ends it.\n"
    "Examples:\n"
    "  mero-sim run --dir /tmp/sim --machine name=kms --machine name=node\n"
    "  mero-sim run -d /tmp/sim -m name=kms,scenario=tcb:OutOfDate -m name=node,type=gcp,tsm=try\n";
static const char program_notes[] =
    "Examples:\n"
    "  mero-sim run --dir /tmp/sim --machine name=kms --machine name=node\n"
    "  eval \"$(mero-sim env --dir /tmp/sim --machine kms)\"\n"
    "  mero-sim quote --dir /tmp/sim --machine node > quote.bin\n"
    "  mero-sim set --dir /tmp/sim --machine node other:rtmr2\n"
    "Nothing that it makes is trusted by a release build. Exit status: 0 done, 1 failed, 2 "
    "usage.\n";

#define OPTIONS(list) (list), sizeof(list) / sizeof((list)[0])
static const struct args_command commands[] = {
    {"run", NULL, "play machines and the collateral service until SIGTERM", NULL, 0, 0,
     OPTIONS(run_options), run_notes},
    {"quote", NULL, "write a quote of a machine to stdout", NULL, 0, 0, OPTIONS(quote_options),
     NULL},
    {"collateral", NULL, "write the collateral of a machine to stdout, as one JSON object", NULL, 0,
     0, OPTIONS(machine_options), NULL},
    {"set", NULL, "change what a running simulator plays; `none` ends all faults", "SCENARIO...", 1,
     16, OPTIONS(set_options), NULL},
    {"env", NULL, "print the environment that makes our programs trust it", NULL, 0, 0,
     OPTIONS(machine_options), NULL},
    {"measurements", NULL, "print the registers that machines will have", NULL, 0, 0,
     OPTIONS(measurements_options), NULL},
    {"scenarios", NULL, "list the faults that can be played", NULL, 0, 0, NULL, 0, NULL},
};
static const struct args_program program = {
    .name = "mero-sim",
    .summary =
        "a software TDX platform for development: certificates, quotes, collateral service,\n"
        "dstack agent, configfs-tsm",
    .commands = commands,
    .command_count = sizeof commands / sizeof commands[0],
    .notes = program_notes,
};

/* Only three exit statuses here: whatever was asked for wrongly is a usage error. */
static int fail(const struct args *args, const struct error *err)
{
    struct error usage = *err;
    if (error_is(err, "usage") || error_is(err, "sim/machine") || error_is(err, "sim/scenario") ||
        error_is(err, "sim/listen")) {
        usage.code = "usage";
        return args_fail_usage(&program, args, &usage);
    }
    fprintf(stderr, "mero-sim: %s\n  code: %s (exit %d)\n", err->message, err->code,
            EXIT_STATUS_FAILED);
    return EXIT_STATUS_FAILED;
}

static bool need_dir(const struct args *args, const char **out, struct error *err)
{
    *out = args_get(args, "dir", NULL);
    return *out != NULL || error_set(err, "usage", "--dir", "--dir is required");
}

static bool print(struct slice text, struct error *err)
{
    bool ok = fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    return ok || error_set(err, "file/io", "stdout", "cannot write to stdout");
}

/* --- run --- */

static bool set_clock(const struct args *args, struct error *err)
{
    const char *text = args_get(args, "now", getenv("MERO_DEV_NOW"));
    int64_t now_s = 0;
    if (text == NULL || text[0] == '\0')
        return true;
    if (!time_parse(slice_str(text), &now_s))
        return error_set(err, "usage", "--now", "'%s' is no time (RFC 3339 in UTC, or seconds)",
                         text);
    clock_dev_set(now_s);
    return true;
}

static bool cast_from_args(const struct args *args, struct sim_cast *cast, struct error *err)
{
    const char *seed = args_get(args, "seed", NULL);
    const char *text;
    if (!sim_cast_new(cast, err) || (seed != NULL && !sim_cast_set_seed(cast, seed, err)))
        return false;
    for (size_t i = 0; (text = args_get_nth(args, "machine", i)) != NULL; i++)
        if (!sim_cast_add_machine(cast, text, err))
            return false;
    for (size_t i = 0; (text = args_get_nth(args, "pcs", i)) != NULL; i++)
        if (!sim_cast_add_pcs(cast, text, err))
            return false;
    return true;
}

static bool read_cast_file(const char *path, struct sim_cast *cast, struct error *err)
{
    struct buf text BUF_AUTO = BUF_INIT(SIM_STATE_FILE_MAX);
    return file_read(path, &text, err) &&
           (sim_cast_parse(cast, buf_slice(&text), err) || error_prefix(err, "%s", path));
}

static bool choose_cast(const struct args *args, struct sim_cast *cast, struct error *err)
{
    const char *file = args_get(args, "file", NULL);
    if (file == NULL)
        return cast_from_args(args, cast, err);
    if (args_has(args, "machine") || args_has(args, "pcs") || args_has(args, "seed"))
        return error_set(err, "usage", "--file",
                         "--file stands instead of --machine, --pcs, --seed");
    return read_cast_file(file, cast, err);
}

/* What the other commands find in the directory: who is played, and where. */
static bool save(const char *dir, const char *name, struct slice text, struct error *err)
{
    char path[PATH_TEXT_MAX];
    return path_join(dir, name, path, err) && file_write_atomic(path, text, 0600, err);
}

static bool save_cast(const char *dir, const struct sim_cast *cast, struct error *err)
{
    struct buf text BUF_AUTO = BUF_INIT(SIM_STATE_FILE_MAX);
    return json_write_pretty(cast->json, &text, err) &&
           save(dir, "cast.json", buf_slice(&text), err);
}

static void wait_for_end(const sigset_t *ends)
{
    int got = 0;
    while (sigwait(ends, &got) != 0)
        continue;
}

static bool announce(const char *dir, const struct sim_service *service,
                     const struct sim_cast *cast, struct error *err)
{
    struct slice page = sim_service_page(service);
    return save_cast(dir, cast, err) && save(dir, "sim.json", page, err) && print(page, err) &&
           print(slice_str("\n"), err);
}

static void forget(const char *dir)
{
    char path[PATH_TEXT_MAX];
    if (path_join(dir, "sim.json", path, NULL))
        unlink(path);
}

static int run(const struct args *args)
{
    static struct sim_cast_view view; /* large */
    struct error err = {0};
    struct sim_cast cast SIM_CAST_AUTO = {0};
    struct sim_service *service = NULL;
    struct sim_service_options options = {.listen = args_get(args, "listen", NULL), .cast = &view};
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    if (!need_dir(args, &options.dir, &err) || !set_clock(args, &err) ||
        !choose_cast(args, &cast, &err) || !sim_cast_read(&cast, &view, &err) ||
        !sim_service_start(&options, &service, &err))
        return fail(args, &err);
    bool ok = announce(options.dir, service, &cast, &err);
    if (ok)
        wait_for_end(&ends);
    sim_service_stop(&service);
    forget(options.dir);
    return ok ? EXIT_STATUS_OK : fail(args, &err);
}

/* --- talking to a running simulator --- */

struct place {
    const char *dir;
    json_t *page; /* owned; NULL when nothing runs there */
    const char *pcs_url;
    const char *machine; /* the chosen name */
};

static void place_close(struct place *p)
{
    json_release(&p->page);
}
#define PLACE_AUTO __attribute__((cleanup(place_close)))

static bool read_page(struct place *p, struct error *err)
{
    char path[PATH_TEXT_MAX];
    struct buf text BUF_AUTO = BUF_INIT(SIM_STATE_FILE_MAX);
    if (!path_join(p->dir, "sim.json", path, err))
        return false;
    if (!file_exists(path))
        return error_set(err, "sim/not-running", p->dir, "no simulator is running in %s", p->dir);
    if (!file_read(path, &text, err) ||
        !json_parse(buf_slice(&text), SIM_STATE_FILE_MAX, 0, &p->page, err))
        return false;
    p->pcs_url = json_string_value(json_object_get(p->page, "pcs_url"));
    return p->pcs_url != NULL || error_set(err, "sim/state", path, "%s names no service", path);
}

static const json_t *page_machine(const struct place *p)
{
    size_t i;
    json_t *machine;
    json_array_foreach(json_object_get(p->page, "machines"), i, machine)
    {
        const char *name = json_string_value(json_object_get(machine, "name"));
        if (name != NULL && (p->machine == NULL || strcmp(name, p->machine) == 0))
            return machine;
    }
    return NULL;
}

/* --dir, and the machine that --machine names (or the first). */
static bool place_open(const struct args *args, struct place *p, struct error *err)
{
    p->machine = args_get(args, "machine", NULL);
    if (!need_dir(args, &p->dir, err) || !read_page(p, err))
        return false;
    const json_t *machine = page_machine(p);
    if (machine == NULL)
        return error_set(err, "usage", "--machine", "no machine '%s' is played in %s",
                         p->machine == NULL ? "" : p->machine, p->dir);
    p->machine = json_string_value(json_object_get(machine, "name"));
    return true;
}

/* The error text of an answer that is not 2xx. */
static bool refused(const struct http_response *response, struct error *err)
{
    struct slice text = slice_str("no reason given");
    json_t *object JSON_AUTO = NULL;
    if (json_parse(buf_slice(&response->body), SIM_CONTROL_BODY_MAX, 0, &object, NULL) &&
        !json_get_str(object, "error", &text, NULL))
        text = slice_str("no reason given");
    return error_set(err, response->status == 400 ? "usage" : "sim/refused", NULL, "%.*s",
                     (int)text.len, (const char *)text.data);
}

static bool call(const struct place *p, const char *method, const char *path, struct slice body,
                 struct http_response *response, struct error *err)
{
    const struct http_client_options options = {.ignore_proxy = true};
    struct http_client *client HTTP_CLIENT_AUTO = NULL;
    struct buf url BUF_AUTO = BUF_INIT(4096);
    buf_printf(&url, "%s%s", p->pcs_url, path);
    if (buf_cstr(&url) == NULL)
        return error_set(err, "sim/limit", NULL, "the address is too long");
    const struct http_request request = {.method = method,
                                         .url = buf_cstr(&url),
                                         .body = body,
                                         .timeout_ms = CALL_TIMEOUT_MS,
                                         .body_max = SIM_COLLATERAL_MAX};
    if (!http_client_open(&options, &client, err))
        return false;
    if (!http_client_call(client, &request, response, err))
        return error_prefix(err, "the simulator of %s does not answer", p->dir);
    return response->status / 100 == 2 || refused(response, err);
}

/* --- the other commands --- */

static int quote(const struct args *args)
{
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000"
                                "0000000000000000000000000000000000000000000000000000000000000000";
    struct error err = {0};
    struct place p PLACE_AUTO = {0};
    struct http_response response HTTP_RESPONSE_AUTO = {0};
    struct buf path BUF_AUTO = BUF_INIT(1024);
    struct buf hex BUF_AUTO = BUF_INIT(2 * SIM_QUOTE_MAX);
    const char *report_data = args_get(args, "report-data", zeros);
    uint8_t bytes[64];
    if (!hex_decode(slice_str(report_data), bytes, sizeof bytes)) {
        error_set(&err, "usage", "--report-data", "--report-data must be 128 hex digits");
        return fail(args, &err);
    }
    if (!place_open(args, &p, &err))
        return fail(args, &err);
    buf_printf(&path, "/sim/machines/%s/quote?report_data=%s", p.machine, report_data);
    if (!call(&p, "GET", buf_cstr(&path), slice_of(NULL, 0), &response, &err))
        return fail(args, &err);
    if (args_has(args, "hex")) {
        hex_append(&hex, buf_slice(&response.body));
        buf_append_str(&hex, "\n");
    }
    return print(args_has(args, "hex") ? buf_slice(&hex) : buf_slice(&response.body), &err)
               ? EXIT_STATUS_OK
               : fail(args, &err);
}

static int collateral(const struct args *args)
{
    struct error err = {0};
    struct place p PLACE_AUTO = {0};
    struct http_response response HTTP_RESPONSE_AUTO = {0};
    struct buf path BUF_AUTO = BUF_INIT(1024);
    if (!place_open(args, &p, &err))
        return fail(args, &err);
    buf_printf(&path, "/sim/machines/%s/collateral", p.machine);
    if (!call(&p, "GET", buf_cstr(&path), slice_of(NULL, 0), &response, &err) ||
        !print(buf_slice(&response.body), &err))
        return fail(args, &err);
    return EXIT_STATUS_OK;
}

static void put_words(const struct args *args, struct buf *out)
{
    buf_append_str(out, "{\"scenarios\":[");
    for (size_t i = 0; i < args->positional_count; i++) {
        buf_append_str(out, i == 0 ? "" : ",");
        json_append_string(out, slice_str(args->positionals[i]));
    }
    buf_append_str(out, "]}");
}

static int set(const struct args *args)
{
    struct error err = {0};
    struct place p PLACE_AUTO = {0};
    struct http_response response HTTP_RESPONSE_AUTO = {0};
    struct buf path BUF_AUTO = BUF_INIT(1024);
    struct buf body BUF_AUTO = BUF_INIT(SIM_CONTROL_BODY_MAX);
    bool pcs = args_has(args, "pcs");
    if (pcs == args_has(args, "machine")) {
        error_set(&err, "usage", NULL, "set needs either --machine NAME or --pcs");
        return fail(args, &err);
    }
    if (!place_open(args, &p, &err))
        return fail(args, &err);
    if (pcs)
        buf_append_str(&path, "/sim/pcs");
    else
        buf_printf(&path, "/sim/machines/%s", p.machine);
    put_words(args, &body);
    if (!call(&p, "PUT", buf_cstr(&path), buf_slice(&body), &response, &err))
        return fail(args, &err);
    return EXIT_STATUS_OK;
}

static int env(const struct args *args)
{
    struct error err = {0};
    struct place p PLACE_AUTO = {0};
    if (!place_open(args, &p, &err))
        return fail(args, &err);
    const json_t *machine = page_machine(&p);
    const char *socket = json_string_value(json_object_get(machine, "agent_socket"));
    printf("export MERO_DEV_ROOT='%s'\n", json_string_value(json_object_get(p.page, "root_pem")));
    printf("export MERO_COLLATERAL_URLS='%s'\n", p.pcs_url);
    if (socket != NULL)
        printf("export DSTACK_SIMULATOR_ENDPOINT='%s'\n", socket);
    return EXIT_STATUS_OK;
}

static int measurements(const struct args *args)
{
    static struct sim_cast_view view;
    struct error err = {0};
    struct sim_cast cast SIM_CAST_AUTO = {0};
    struct buf text BUF_AUTO = BUF_INIT(SIM_STATE_FILE_MAX);
    if (!cast_from_args(args, &cast, &err) || !sim_cast_read(&cast, &view, &err) ||
        !sim_measurements_write(&view, &text, &err) || !print(buf_slice(&text), &err))
        return fail(args, &err);
    return EXIT_STATUS_OK;
}

static int scenarios(const struct args *args)
{
    (void)args;
    const struct sim_scenario_help *row;
    for (size_t i = 0; (row = sim_scenario_help(i)) != NULL; i++)
        printf("%-24s %-9s %s\n", row->word,
               row->scopes == SIM_SCOPE_PCS       ? "--pcs"
               : row->scopes == SIM_SCOPE_MACHINE ? "--machine"
                                                  : "both",
               row->meaning);
    return EXIT_STATUS_OK;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct args *args);
    } table[] = {{"run", run},
                 {"quote", quote},
                 {"collateral", collateral},
                 {"set", set},
                 {"env", env},
                 {"measurements", measurements},
                 {"scenarios", scenarios}};
    struct args args;
    int status;
    if (!program_start(&program, argc, argv, &args, &status))
        return status;
    for (size_t i = 0; args.command != NULL && i < sizeof table / sizeof table[0]; i++)
        if (strcmp(args.command->name, table[i].name) == 0)
            return table[i].run(&args);
    args_print_help(&program, NULL, stderr);
    return EXIT_STATUS_USAGE;
}
