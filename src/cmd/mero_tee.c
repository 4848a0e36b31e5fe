/* mero-tee: the operator's tool. Arguments, output and exit status; the work is in room operator.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/common_args.h"
#include "cmd/common_exit.h"
#include "cmd/common_start.h"
#include "operator/quote_command.h"

enum { OUTPUT_MAX = 16 * 1024 * 1024 };

static const struct args_option json_option[] = {{"json", 0, NULL, "print one JSON object", false}};

static const struct args_option verify_options[] = {
    {"collateral", 0, "FILE", "verify with these documents, without any network", false},
    {"collateral-url", 0, "URLS", "PCS or PCCS base URLs, tried in order (default Intel PCS)",
     false},
    {"at", 0, "TIME", "judge as of this time: RFC 3339 or Unix seconds (default now)", false},
    {"nonce", 0, "HEX", "the report data must start with these bytes", false},
    {"policy", 0, "FILE", "measurement policy, JSON (default: UpToDate, no debug TD)", false},
    {"role", 0, "ROLE", "whose lists of a release policy count: node (default) or kms", false},
    {"accept-status", 0, "LIST", "TCB statuses to accept, comma-separated, or any", false},
    {"allow-debug", 0, NULL, "accept a TD or enclave in debug mode", false},
#ifdef MERO_DEV
    {"root", 0, "PEM", "trust this root instead of Intel's (development build)", false},
#endif
    {"json", 0, NULL, "print one JSON object, schema mero.verify/1", false},
};

static const char verify_notes[] =
    "QUOTE is a file or '-' for standard input: raw, hex, base64, or the JSON reply of /attest,\n"
    "/admin-api/tee/attest or GetQuote.\n\n"
    "Exit status: 0 verified and accepted; 10 quote, 11 collateral, 12 TCB status, 13 "
    "measurement,\n"
    "14 nonce, 15 platform; see docs/exit-codes.md.\n\n"
    "Examples:\n"
    "  mero-tee quote verify quote.bin\n"
    "  curl -s http://node:2528/admin-api/tee/attest -H 'Content-Type: application/json' \\\n"
    "    -d '{\"nonce\":\"<64 hex>\"}' | mero-tee quote verify - --nonce <64 hex> --json\n";

static const char inspect_notes[] =
    "Nothing is verified: what is shown are the sender's claims.\n\n"
    "Example:\n  mero-tee quote inspect quote.bin\n";

static const struct args_option events_options[] = {
    {"quote", 0, "FILE", "the quote, when <EVENTS> is the log alone", false},
    {"json", 0, NULL, "print one JSON object, schema mero.events/1", false},
};

static const char events_notes[] =
    "EVENTS is the JSON reply of /attest or GetQuote, or an event log with --quote.\n"
    "Exit status: 0 the log leads to the quote's RTMR0-3; 10 it does not.\n\n"
    "Example:\n  mero-tee quote events attest.json\n";

static const struct args_command commands[] = {
    {"quote inspect", NULL, "show what a quote says, unverified", "<QUOTE>", 1, 1, json_option, 1,
     inspect_notes},
    {"quote verify", NULL, "verify a quote and decide on it", "<QUOTE>", 1, 1, verify_options,
     sizeof verify_options / sizeof verify_options[0], verify_notes},
    {"quote events", NULL, "replay an event log and compare it with a quote", "<EVENTS>", 1, 1,
     events_options, sizeof events_options / sizeof events_options[0], events_notes},
};

static const struct args_program program = {
    "mero-tee",
    "look into TEE quotes and verify them",
    NULL,
    0,
    commands,
    sizeof commands / sizeof commands[0],
    "Examples:\n  mero-tee quote inspect quote.bin\n  mero-tee quote verify quote.bin --json\n"};

/* The answer goes out even when it is a refusal; the reason follows on standard error. */
static int finish(bool ok, const struct buf *out, const struct error *err)
{
    struct error write_error;
    fflush(stdout);
    if (!fd_write_all(STDOUT_FILENO, buf_slice(out), &write_error))
        return exit_fail(program.name, &write_error);
    return ok ? EXIT_STATUS_OK : exit_fail(program.name, err);
}

static int run_inspect(const struct args *args)
{
    struct error err;
    BUF_AUTO struct buf out = BUF_INIT(OUTPUT_MAX);
    bool ok = quote_command_inspect(args->positionals[0], args_has(args, "json"), &out, &err);
    return finish(ok, &out, &err);
}

static int run_verify(const struct args *args)
{
    struct error err;
    BUF_AUTO struct buf out = BUF_INIT(OUTPUT_MAX);
    struct quote_verify_options options = {
        .path = args->positionals[0],
        .collateral_path = args_get(args, "collateral", NULL),
        .endpoints_csv = args_get(args, "collateral-url", NULL),
        .at = args_get(args, "at", NULL),
        .nonce_hex = args_get(args, "nonce", NULL),
        .policy_path = args_get(args, "policy", NULL),
        .role = args_get(args, "role", NULL),
        .accept_status = args_get(args, "accept-status", NULL),
        .allow_debug = args_has(args, "allow-debug"),
        .json = args_has(args, "json"),
    };
#ifdef MERO_DEV
    options.root_pem_path = args_get(args, "root", NULL);
#endif
    return finish(quote_command_verify(&options, &out, &err), &out, &err);
}

static int run_events(const struct args *args)
{
    struct error err;
    BUF_AUTO struct buf out = BUF_INIT(OUTPUT_MAX);
    struct quote_events_options options = {
        .path = args->positionals[0],
        .quote_path = args_get(args, "quote", NULL),
        .json = args_has(args, "json"),
    };
    return finish(quote_command_events(&options, &out, &err), &out, &err);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *command;
        int (*run)(const struct args *args);
    } runners[] = {
        {"quote inspect", run_inspect}, {"quote verify", run_verify}, {"quote events", run_events}};
    struct args args;
    int status;
    if (!program_start(&program, argc, argv, &args, &status))
        return status;
    for (size_t i = 0; i < sizeof runners / sizeof runners[0]; i++)
        if (strcmp(args.command->name, runners[i].command) == 0)
            return runners[i].run(&args);
    return EXIT_STATUS_FAILED;
}
