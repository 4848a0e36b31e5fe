/* How every program of ours begins. */
#include "cmd/common_start.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/secret.h"
#include "cmd/common_exit.h"

#ifdef MERO_DEV
static const char build_kind[] = "development build: simulated platforms can be trusted";
#else
static const char build_kind[] = "release build";
#endif

enum { DESCRIPTORS_MAX = 65536 };

/* Shells and service managers give few descriptors and permit many: a thousand idle clients would
 * leave none for the agent. What cannot be raised stays. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    rlim_t wanted = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void program_print_version(const char *name, FILE *out)
{
    fprintf(out, "%s %s (%s)\n", name, MERO_VERSION, build_kind);
    fprintf(out, "%s\n", OpenSSL_version(OPENSSL_VERSION));
    fputs("quotes: sgx-v3 sgx-v4 tdx-v4 tdx-v5; store format 1\n", out);
}

bool program_start(const struct args_program *program, int argc, char *const *argv,
                   struct args *args, int *status)
{
    struct error err;
    if (!secret_process_init(&err)) {
        *status = exit_fail(program->name, &err);
        return false;
    }
    /* A peer that goes away is an error of write(2), not the end of the program. */
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    *args = (struct args){0};
    if (!args_parse(program, argc, argv, args, &err)) {
        *status = args_fail_usage(program, args, &err);
        return false;
    }
    *status = EXIT_STATUS_OK;
    if (args->version)
        program_print_version(program->name, stdout);
    else if (args->help)
        args_print_help(program, args->command, stdout);
    return !args->version && !args->help;
}
