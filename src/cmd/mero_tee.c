/* mero-tee: the operator's tool. Arguments, output and exit status; the work is in room operator.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/common_args.h"
#include "cmd/common_exit.h"
#include "cmd/common_start.h"
#include "operator/collateral_command.h"
#include "operator/quote_command.h"
#include "operator/sigstore_command.h"

enum { OUTPUT_MAX = 16 * 1024 * 1024 };

static const struct args_option json_option[] = {{"json", 0, NULL, "print one JSON object", false}};

/* What every command that may fetch collateral understands. */
#ifdef MERO_DEV
#define ROOT_OPTION                                                                                \
    {"root", 0, "PEM", "trust this root instead of Intel's (development build)", false},
#else
#define ROOT_OPTION
#endif
#define SOURCE_OPTIONS                                                                             \
    {"collateral-url", 0, "URLS", "PCS or PCCS base URLs, tried in order (default Intel PCS)",     \
     false},                                                                                       \
        {"cache-dir", 0, "DIR", "memory of collateral (default ~/.cache/merotee/collateral)",      \
         false},                                                                                   \
        {"offline", 0, NULL, "no network at all: the cache or a file", false}, ROOT_OPTION

static const struct args_option verify_options[] = {
    {"collateral", 0, "FILE", "verify with these documents, without any network", false},
    {"at", 0, "TIME", "judge as of this time: RFC 3339 or Unix seconds (default now)", false},
    {"nonce", 0, "HEX", "the report data must start with these bytes", false},
    {"policy", 0, "FILE", "measurement policy, JSON (default: UpToDate, no debug TD)", false},
    {"role", 0, "ROLE", "whose lists of a release policy count: node (default) or kms", false},
    {"accept-status", 0, "LIST", "TCB statuses to accept, comma-separated, or any", false},
    {"allow-debug", 0, NULL, "accept a TD or enclave in debug mode", false},
    SOURCE_OPTIONS{"save-bundle", 0, "FILE", "keep all that the answer was made from", false},
    {"replay", 0, NULL, "<QUOTE> is such a bundle: repeat it at its time, with its policy", false},
    {"json", 0, NULL, "print one JSON object, schema mero.verify/1", false},
};

static const char verify_notes[] =
    "QUOTE is a file or '-': raw, hex, base64, or a JSON reply of /attest, tee/attest or "
    "GetQuote.\n"
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

static const struct args_option take_options[] = {
    SOURCE_OPTIONS{"at", 0, "TIME", "documents that count at this time (default now)", false},
    {"output", 'o', "FILE", "write there instead of standard output", false},
};
static const struct args_option import_options[] = {
    {"quote", 'q', "FILE", "a quote of the platform that they are for", false},
    {"cache-dir", 0, "DIR", "memory of collateral (default ~/.cache/merotee/collateral)", false},
    ROOT_OPTION{"at", 0, "TIME", "they must count at this time (default now)", false},
};
static const struct args_option show_options[] = {
    {"at", 0, "TIME", "do they count at this time (default now; the past and the future are fine)",
     false},
    ROOT_OPTION{"json", 0, NULL, "print one JSON object, schema mero.collateral/1", false},
};
static const struct args_option forget_options[] = {
    {"cache-dir", 0, "DIR", "memory of collateral (default ~/.cache/merotee/collateral)", false},
};
static const char fetch_notes[] =
    "QUOTE says which platform. The cache never goes back to an older document.\n\n"
    "Example:\n  mero-tee collateral fetch quote.bin -o collateral.json\n";
static const char export_notes[] =
    "Example, towards an air-gapped site:\n"
    "  mero-tee collateral export quote.bin -o collateral.json\n"
    "  mero-tee collateral import collateral.json --quote quote.bin   # over there\n";
static const char show_notes[] =
    "Exit status: 0 every document counts at that time, 11 one does not.\n\n"
    "Example, for cron: will they still count in a week?\n"
    "  mero-tee collateral show collateral.json --at $(date -d '+7 days' +%s)\n";

static const struct args_option events_options[] = {
    {"quote", 0, "FILE", "the quote, when <EVENTS> is the log alone", false},
    {"json", 0, NULL, "print one JSON object, schema mero.events/1", false},
};

static const char events_notes[] =
    "EVENTS is the JSON reply of /attest or GetQuote, or an event log with --quote.\n"
    "Exit status: 0 the log leads to the quote's RTMR0-3; 10 it does not.\n\n"
    "Example:\n  mero-tee quote events attest.json\n";

static const struct args_option sigstore_options[] = {
    {"bundle", 0, "FILE", "the Sigstore bundle: cosign's, or v0.1 to v0.3", false},
    {"artifact", 0, "FILE", "what was signed", false},
    {"digest", 0, "ALG:HEX", "its digest instead, sha256:<hex>", false},
    {"signature", 0, "FILE", "the .sig beside it, which must be the bundle's", false},
    {"certificate", 0, "FILE", "the .pem beside it, which must be the bundle's", false},
    {"trusted-root", 0, "FILE", "trusted_root.json (default: Sigstore's public one, built in)",
     false},
    {"identity", 0, "SAN", "who must have signed: the certificate's whole subject", false},
    {"identity-pattern", 0, "RE", "the same as an extended regular expression, always anchored",
     false},
    {"issuer", 0, "URL", "who must have issued the signer's login", false},
    {"workflow-trigger", 0, "EVENT", "GitHub event that started the workflow", false},
    {"workflow-name", 0, "NAME", "name of the workflow", false},
    {"workflow-repository", 0, "OWNER/NAME", "repository of the workflow", false},
    {"workflow-ref", 0, "REF", "branch or tag it ran for", false},
    {"workflow-sha", 0, "SHA", "commit it ran for", false},
    {"json", 0, NULL, "print one JSON object, schema mero.sigstore/1", false},
};

static const char sigstore_notes[] =
    "Everything offline. Exit status: 0 only when every check held; 17 refused; 2 usage.\n"
    "docs/sigstore.md explains the checks and the refusals.\n\n"
    "Example:\n"
    "  mero-tee sigstore verify --bundle policy.json.bundle.json --artifact policy.json \\\n"
    "    --issuer https://token.actions.githubusercontent.com \\\n"
    "    --identity https://github.com/o/r/.github/workflows/release.yaml@refs/heads/master\n";

static const struct args_command commands[] = {
    {"quote inspect", NULL, "show what a quote says, unverified", "<QUOTE>", 1, 1, json_option, 1,
     inspect_notes},
    {"quote verify", NULL, "verify a quote and decide on it", "<QUOTE>", 1, 1, verify_options,
     sizeof verify_options / sizeof verify_options[0], verify_notes},
    {"quote events", NULL, "replay an event log and compare it with a quote", "<EVENTS>", 1, 1,
     events_options, sizeof events_options / sizeof events_options[0], events_notes},
    {"collateral fetch", NULL, "ask Intel or a PCCS for newer documents", "<QUOTE>", 1, 1,
     take_options, sizeof take_options / sizeof take_options[0], fetch_notes},
    {"collateral show", NULL, "what documents a file holds and how long they count", "<FILE>", 1, 1,
     show_options, sizeof show_options / sizeof show_options[0], show_notes},
    {"collateral export", NULL, "write what the cache holds for a platform", "<QUOTE>", 1, 1,
     take_options, sizeof take_options / sizeof take_options[0], export_notes},
    {"collateral import", NULL, "put a file's documents into the cache", "<FILE>", 1, 1,
     import_options, sizeof import_options / sizeof import_options[0], export_notes},
    {"collateral forget", NULL, "empty the cache and its memory of the newest", NULL, 0, 0,
     forget_options, 1, NULL},
    {"sigstore verify", NULL, "verify who signed a file, and when", NULL, 0, 0, sigstore_options,
     sizeof sigstore_options / sizeof sigstore_options[0], sigstore_notes},
};

static const struct args_program program = {
    "mero-tee",
    "look into TEE quotes and signed releases, and verify them",
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

static void warn(void *context, const char *code, const char *message)
{
    (void)context;
    fprintf(stderr, "%s: warning: %s (%s)\n", program.name, message, code);
}

/* ~/.cache by the XDG rules; no home, no memory. */
static const char *default_cache_dir(char out[PATH_TEXT_MAX])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool xdg = cache != NULL && cache[0] == '/';
    int len = snprintf(out, PATH_TEXT_MAX, "%s%s/merotee/collateral",
                       xdg            ? cache
                       : home != NULL ? home
                                      : "",
                       xdg ? "" : "/.cache");
    return (xdg || home != NULL) && len > 0 && len < PATH_TEXT_MAX ? out : NULL;
}

static struct collateral_source source_of(const struct args *args, char cache_dir[PATH_TEXT_MAX])
{
    struct collateral_source source = {
        .endpoints_csv = args_get(args, "collateral-url", NULL),
        .cache_dir = args_get(args, "cache-dir", default_cache_dir(cache_dir)),
        .offline = args_has(args, "offline"),
        .warn = warn,
    };
#ifdef MERO_DEV
    source.root_pem_path = args_get(args, "root", NULL);
#endif
    return source;
}

static int run_verify(const struct args *args)
{
    struct error err;
    char cache_dir[PATH_TEXT_MAX];
    BUF_AUTO struct buf out = BUF_INIT(OUTPUT_MAX);
    struct quote_verify_options options = {
        .path = args->positionals[0],
        .replay = args_has(args, "replay"),
        .collateral_path = args_get(args, "collateral", NULL),
        .source = source_of(args, cache_dir),
        .at = args_get(args, "at", NULL),
        .nonce_hex = args_get(args, "nonce", NULL),
        .policy_path = args_get(args, "policy", NULL),
        .role = args_get(args, "role", NULL),
        .accept_status = args_get(args, "accept-status", NULL),
        .allow_debug = args_has(args, "allow-debug"),
        .save_bundle_path = args_get(args, "save-bundle", NULL),
        .json = args_has(args, "json"),
    };
    return finish(quote_command_verify(&options, &out, &err), &out, &err);
}

typedef bool collateral_command(const struct collateral_options *options, struct buf *out,
                                struct error *err);

static int run_collateral(const struct args *args, collateral_command *command, bool takes_quote)
{
    struct error err;
    char cache_dir[PATH_TEXT_MAX];
    BUF_AUTO struct buf out = BUF_INIT(OUTPUT_MAX);
    struct collateral_options options = {
        .source = source_of(args, cache_dir),
        .quote_path = takes_quote ? args->positionals[0] : args_get(args, "quote", NULL),
        .file_path = takes_quote ? NULL : args->positionals[0],
        .at = args_get(args, "at", NULL),
        .json = args_has(args, "json"),
    };
    bool ok = command(&options, &out, &err);
    const char *output = args_get(args, "output", NULL);
    if (!ok || output == NULL)
        return finish(ok, &out, &err);
    return file_write_atomic(output, buf_slice(&out), 0644, &err) ? EXIT_STATUS_OK
                                                                  : exit_fail(program.name, &err);
}

static int run_fetch(const struct args *args)
{
    return run_collateral(args, collateral_command_fetch, true);
}

static int run_export(const struct args *args)
{
    return run_collateral(args, collateral_command_export, true);
}

static int run_show(const struct args *args)
{
    return run_collateral(args, collateral_command_show, false);
}

static int run_import(const struct args *args)
{
    struct error err;
    if (args_has(args, "quote"))
        return run_collateral(args, collateral_command_import, false);
    error_set(&err, "usage", "--quote",
              "--quote is needed: it says which platform the documents are for");
    return args_fail_usage(&program, args, &err);
}

static int run_forget(const struct args *args)
{
    return run_collateral(args, collateral_command_forget, false);
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

static int run_sigstore(const struct args *args)
{
    struct error err;
    BUF_AUTO struct buf out = BUF_INIT(OUTPUT_MAX);
    struct sigstore_verify_options options = {
        .bundle_path = args_get(args, "bundle", NULL),
        .artifact_path = args_get(args, "artifact", NULL),
        .digest = args_get(args, "digest", NULL),
        .signature_path = args_get(args, "signature", NULL),
        .certificate_path = args_get(args, "certificate", NULL),
        .trusted_root_path = args_get(args, "trusted-root", NULL),
        .identity = {.subject = args_get(args, "identity", NULL),
                     .subject_pattern = args_get(args, "identity-pattern", NULL),
                     .issuer = args_get(args, "issuer", NULL),
                     .claims = {[SIGSTORE_WORKFLOW_TRIGGER] =
                                    args_get(args, "workflow-trigger", NULL),
                                [SIGSTORE_WORKFLOW_NAME] = args_get(args, "workflow-name", NULL),
                                [SIGSTORE_WORKFLOW_REPOSITORY] =
                                    args_get(args, "workflow-repository", NULL),
                                [SIGSTORE_WORKFLOW_REF] = args_get(args, "workflow-ref", NULL),
                                [SIGSTORE_WORKFLOW_SHA] = args_get(args, "workflow-sha", NULL)}},
        .json = args_has(args, "json"),
    };
    return finish(sigstore_command_verify(&options, &out, &err), &out, &err);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *command;
        int (*run)(const struct args *args);
    } runners[] = {{"quote inspect", run_inspect},    {"quote verify", run_verify},
                   {"quote events", run_events},      {"collateral fetch", run_fetch},
                   {"collateral show", run_show},     {"collateral export", run_export},
                   {"collateral import", run_import}, {"collateral forget", run_forget},
                   {"sigstore verify", run_sigstore}};
    struct args args;
    int status;
    if (!program_start(&program, argc, argv, &args, &status))
        return status;
    for (size_t i = 0; i < sizeof runners / sizeof runners[0]; i++)
        if (strcmp(args.command->name, runners[i].command) == 0)
            return runners[i].run(&args);
    return EXIT_STATUS_FAILED;
}
