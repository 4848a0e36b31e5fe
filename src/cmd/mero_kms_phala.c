/* mero-kms-phala: environment, signals, service manager. Everything else is in room kms. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "cmd/common_args.h"
#include "cmd/common_exit.h"
#include "cmd/common_log.h"
#include "cmd/common_start.h"
#include "kms/kms.h"
#include "kms/sandbox.h"

static const struct args_option options[] = {
    {"check-config", 0, NULL, "report every problem of the environment, then exit (0 or 2)", false},
    {"dump-config", 0, NULL, "print each setting, its value and where it comes from", false},
};
static const char notes[] =
    "Everything is set by environment variables; the most used:\n"
    "  LISTEN_ADDR                 public address (0.0.0.0:8080)\n"
    "  DSTACK_SOCKET_PATH          socket of the dstack agent\n"
    "  USE_ENV_POLICY=true         take the policy from ALLOWED_TCB_STATUSES, ALLOWED_MRTD,\n"
    "                              ALLOWED_RTMR0 .. ALLOWED_RTMR3\n"
    "  MERO_KMS_VERSION            take it from this signed release\n"
    "  MERO_KMS_PROFILE            locked-read-only, debug-read-only, debug\n"
    "  MERO_KMS_STATE_DIR          collateral, audit log, admin socket (/var/lib/mero-kms)\n"
    "  MERO_KMS_TLS_CERT, _KEY     serve TLS; MERO_KMS_TLS_CLIENT_CA asks for certificates\n"
    "  REDIS_URL                   share used challenges among replicas\n"
    "  RUST_LOG                    error, warn, info, debug\n"
    "All of them: docs/kms-settings.md, or --dump-config.\n\n"
    "Signals: SIGTERM ends within 10 s, SIGHUP reloads certificates and reopens the audit log.\n\n"
    "Examples:\n"
    "  mero-kms-phala --check-config\n"
    "  curl --unix-socket /var/lib/mero-kms/admin.sock 'http://kms/readyz?verbose'\n";
static const struct args_command commands[] = {
    {"", NULL, "run the key management service", NULL, 0, 0, options, 2, notes},
};
static const struct args_program program = {
    .name = "mero-kms-phala",
    .summary = "releases storage keys to nodes that prove what they run (TDX attestation)",
    .commands = commands,
    .command_count = 1,
};

/* ---- configuration ---- */

static const char *severity_name(enum kms_severity severity)
{
    static const char *const names[] = {"error", "warning", "note"};
    return names[severity];
}

static void print_findings(const struct kms_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        fprintf(stderr, "%s: %s: %s\n", severity_name(findings->items[i].severity),
                findings->items[i].setting, findings->items[i].text);
    if (findings->fatal > 0)
        fprintf(stderr, "mero-kms-phala: the configuration has %zu error%s\n", findings->fatal,
                findings->fatal == 1 ? "" : "s");
}

static void log_findings(const struct kms_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct kms_finding *f = &findings->items[i];
        if (f->severity == KMS_WARNING)
            log_warn("%s: %s", f->setting, f->text);
        else
            log_info("%s: %s", f->setting, f->text);
    }
}

static int check_config(const struct kms_findings *findings)
{
    print_findings(findings);
    if (findings->fatal > 0)
        return EXIT_STATUS_USAGE;
    puts("configuration is usable");
    return EXIT_STATUS_OK;
}

static int dump_config(const struct kms_config *config, const struct kms_findings *findings)
{
    struct buf out BUF_AUTO = BUF_INIT(1024 * 1024);
    print_findings(findings);
    if (!kms_config_dump(config, &out))
        return EXIT_STATUS_FAILED;
    fwrite(out.data, 1, out.len, stdout);
    return findings->fatal > 0 ? EXIT_STATUS_USAGE : EXIT_STATUS_OK;
}

static void log_start(const struct kms_config *c)
{
    log_info("mero-kms-phala %s profile=%s policy=%s enforced=%s sealed_only=%s challenges=%s",
             MERO_VERSION, c->profile.text, c->policy_ready ? "ready" : "missing",
             c->enforce_policy ? "yes" : "no", c->require_sealed ? "yes" : "no",
             c->redis_url.text[0] != '\0' ? "redis" : "memory");
    if (c->policy_ready)
        log_info("policy entries mrtd=%zu rtmr0=%zu rtmr1=%zu rtmr2=%zu rtmr3=%zu",
                 c->policy.lists[POLICY_MRTD].count, c->policy.lists[POLICY_RTMR0].count,
                 c->policy.lists[POLICY_RTMR1].count, c->policy.lists[POLICY_RTMR2].count,
                 c->policy.lists[POLICY_RTMR3].count);
}

/* ---- running ---- */

static void tell_manager(const char *state)
{
    struct error err = {0};
    if (!notify_send(getenv("NOTIFY_SOCKET"), state, &err))
        log_warn("the service manager was not told: %s", err.message);
}

static void reload(struct kms *kms)
{
    char state[96];
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_monotonic_us());
    tell_manager(state);
    kms_reload(kms);
    tell_manager("READY=1");
}

/* Returns the signal that ends the service, or 0 when it cannot go on. */
static int serve(struct kms *kms, int signals)
{
    int patience_ms = notify_watchdog_ms(getenv("WATCHDOG_USEC"));
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = kms_fatal_fd(kms), .events = POLLIN}};
    for (;;) {
        struct signalfd_siginfo info;
        int ready = poll(fds, 2, patience_ms);
        if (patience_ms > 0)
            tell_manager("WATCHDOG=1");
        if (ready > 0 && fds[1].revents != 0)
            return 0;
        if (ready <= 0 || read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
            continue;
        if (info.ssi_signo != SIGHUP)
            return (int)info.ssi_signo;
        log_info("SIGHUP: reloading");
        reload(kms);
    }
}

static int end(struct kms *kms, int signal_number)
{
    struct error err = {0};
    int status = EXIT_STATUS_OK;
    if (signal_number != 0) {
        log_info("stopping on signal %d", signal_number);
    } else {
        kms_fatal_error(kms, &err);
        log_error("stopping: %s", err.message);
        status = exit_status_of(&err);
    }
    tell_manager("STOPPING=1\nSTATUS=finishing what is under way");
    if (!kms_stop(&kms)) {
        log_warn("something would not end in time and was left");
        _exit(status);
    }
    log_info("stopped");
    return status;
}

static int run(const struct kms_config *config, const struct kms_findings *findings)
{
    struct error err = {0};
    struct kms *kms = NULL;
    sigset_t set;
    log_findings(findings);
    log_start(config);
    /* Before the first thread, so that no thread takes them. */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0) {
        error_set(&err, "kms/signals", NULL, "cannot watch signals: %s", strerror(errno));
        return exit_fail(program.name, &err);
    }
    if (!kms_start(config, &kms, &err))
        return exit_fail(program.name, &err);
    if (!kms_sandbox_enter(&err))
        log_warn("no sandbox: %s", err.message);
    log_info("listening on %s port=%u", config->listen_addr.text, kms_port(kms));
    tell_manager("READY=1\nSTATUS=serving");
    int status = end(kms, serve(kms, signals));
    close(signals);
    return status;
}

static bool apply_dev_clock(const struct kms_config *config, struct error *err)
{
#ifdef MERO_DEV
    int64_t now_s = 0;
    if (config->dev_now.text[0] == '\0')
        return true;
    if (!time_parse(slice_str(config->dev_now.text), &now_s))
        return error_set(err, "config/value", "MERO_DEV_NOW", "MERO_DEV_NOW '%s' is no time",
                         config->dev_now.text);
    clock_dev_set(now_s);
#else
    (void)config;
    (void)err;
#endif
    return true;
}

int main(int argc, char **argv)
{
    static struct kms_config config;
    static struct kms_findings findings;
    struct args args;
    struct error err = {0};
    int status = EXIT_STATUS_OK;
    if (!program_start(&program, argc, argv, &args, &status))
        return status;
    log_set_level(log_level_of_env(getenv("RUST_LOG"), "mero_kms_phala"));
    const struct kms_environment env = kms_environment_of_process();
    bool usable = kms_config_read(&env, &config, &findings);
    if (args_has(&args, "check-config")) {
        status = check_config(&findings);
    } else if (args_has(&args, "dump-config")) {
        status = dump_config(&config, &findings);
    } else if (!usable) {
        print_findings(&findings);
        status = EXIT_STATUS_USAGE;
    } else if (!apply_dev_clock(&config, &err)) {
        status = exit_fail(program.name, &err);
    } else {
        status = run(&config, &findings);
    }
    kms_config_free(&config);
    return status;
}
