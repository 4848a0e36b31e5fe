/* The steps of a start. Spec: compatibility facts C. */
#include "node/startup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/notify.h"
#include "http/client.h"
#include "node/limits.h"
#include "node/machine.h"
#include "node/start_record.h"

enum { STEP_DETAIL_MAX = 1400 };

static double ms_since(int64_t begin_us)
{
    return (double)(clock_monotonic_us() - begin_us) / 1000.0;
}

/* "<what> took_ms=1.2 <details>", and the next step's time begins. */
static void tell(struct node *n, const char *what, const char *format, ...) PRINTF_LIKE(3, 4);
static void tell(struct node *n, const char *what, const char *format, ...)
{
    char details[STEP_DETAIL_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(details, sizeof details, format, args);
    va_end(args);
    log_info("%s took_ms=%.1f%s%s", what, ms_since(n->step_us), details[0] != 0 ? " " : "",
             details);
    n->step_us = clock_monotonic_us();
}

/* --- configuration --- */

static bool step_config(struct node *n, struct error *err)
{
    const struct settings_overrides *overrides = &n->options->overrides;
    if (!settings_load(n->options->dir, overrides, &n->settings, err))
        return false;
    const struct node_config *c = n->settings.config;
    tell(n, "configuration loaded", "dir=%s peer_id=%s mode=%s tee=%s", c->dir,
         identity_peer_id(c->identity), c->mode == NODE_MODE_READ_ONLY ? "readonly" : "standard",
         c->has_tee ? "yes" : "no");
    return true;
}

static bool step_policy(struct node *n, struct error *err)
{
    struct settings *s = &n->settings;
    if (!settings_judge(s, &n->options->overrides, err) ||
        (s->has_plan && !key_plan_announce(&s->plan, err)))
        return false;
    if (s->has_plan)
        tell(n, "configuration valid", "kms=%s kms_policy=%s", s->plan.options.url,
             s->plan.options.kms_policy != NULL ? "config" : "none");
    else
        tell(n, "configuration valid", "kms=none");
    if (s->config->identity_is_temporary)
        log_warn("config.toml has no [identity]: this start uses a random one");
    log_info("the swarm is not part of this build: [swarm], [bootstrap] and [discovery] are kept, "
             "no swarm port is opened");
    return true;
}

static bool step_lock(struct node *n, struct error *err)
{
    return dir_lock_take(n->options->dir, &n->dir_lock, err);
}

/* --- this machine --- */

/* Without [tee] a node needs no quotes; where the machine can make some, tee/attest offers them. */
static bool step_machine(struct node *n, struct error *err)
{
    struct error cause;
    bool opened =
        machine_open_quotes(n->settings.config, &n->settings.env, n->options->overrides.mock_tee,
                            watch_cancel(n->watch), &n->quotes, &cause);
    if (!n->settings.config->has_tee) {
        tell(n, "no TEE mode", "quote_source=%s", opened ? quote_source_name(n->quotes) : "none");
        return true;
    }
    if (!opened) {
        *err = cause;
        return false;
    }
    if (!machine_open_verifier(n->settings.config, &n->settings.env, &n->verifier, err))
        return false;
    tell(n, "TEE ready", "quote_source=%s", quote_source_name(n->quotes));
    return true;
}

/* The existing node warns of the same. */
static void warn_exposed(const struct node_server_config *server)
{
    for (size_t i = 0; i < server->listen.count; i++) {
        const struct node_address *address = &server->listen.at[i];
        if (!http_host_is_loopback(address->host))
            log_warn("INSECURE: %s is reachable from other machines and server.auth_mode is "
                     "\"proxy\": the admin API itself asks nobody for credentials; listen on "
                     "loopback, or let only an authenticating proxy reach it setting=server.listen",
                     address->text);
    }
}

static bool step_listen(struct node *n, struct error *err)
{
    const struct node_server_config *server = &n->settings.config->server;
    char endpoints[NODE_LISTEN_MAX][NODE_LISTEN_TEXT_MAX];
    const char *listen[NODE_LISTEN_MAX];
    for (size_t i = 0; i < server->listen.count; i++) {
        node_address_endpoint(&server->listen.at[i], endpoints[i]);
        listen[i] = endpoints[i];
    }
    struct admin_options options = {.listen = listen,
                                    .listen_count = server->listen.count,
                                    .path_prefix = n->settings.env.path_prefix,
                                    .admin_disabled = !server->admin_enabled};
    if (!admin_start(&options, &n->admin, err))
        return false;
    warn_exposed(server);
    for (size_t i = 0; i < server->listen.count; i++)
        tell(n, "listening", "address=%s admin_api=%s", endpoints[i],
             server->admin_enabled ? "on" : "off");
    return true;
}

/* --- the key --- */

static void tell_attested(struct node *n, const struct verdict *v)
{
    char mrtd[2 * MEASUREMENT_LEN + 1], rtmr[4][2 * MEASUREMENT_LEN + 1];
    hex_encode(slice_of(v->mrtd, sizeof v->mrtd), mrtd);
    for (size_t i = 0; i < 4; i++)
        hex_encode(slice_of(v->rtmr[i], sizeof v->rtmr[i]), rtmr[i]);
    tell(n, "KMS attested", "tcb=%s mrtd=%s rtmr0=%s rtmr1=%s rtmr2=%s rtmr3=%s",
         tcb_status_name(v->status), mrtd, rtmr[0], rtmr[1], rtmr[2], rtmr[3]);
}

static void on_key_event(const struct keyrelease_event *event, void *ctx)
{
    struct node *n = ctx;
    n->step_us = clock_monotonic_us() - event->took_us;
    switch (event->step) {
    case KEYRELEASE_STEP_KMS_ATTESTED:
        tell_attested(n, event->kms_verdict);
        return;
    case KEYRELEASE_STEP_KMS_UNVERIFIED:
        tell(n, "KMS not verified", "%s", "");
        return;
    case KEYRELEASE_STEP_CHALLENGE:
        tell(n, "challenge received", "%s", "");
        return;
    case KEYRELEASE_STEP_QUOTE:
        tell(n, "quote made", "source=%s", quote_source_name(n->quotes));
        return;
    case KEYRELEASE_STEP_SIGNED:
        tell(n, "signature made", "peer_id=%s", identity_peer_id(n->settings.config->identity));
        return;
    case KEYRELEASE_STEP_KEY:
        tell(n, "key received", "release=%s", event->sealed ? "sealed" : "clear");
        return;
    }
}

static bool step_key(struct node *n, struct error *err)
{
    struct keyrelease_failure failure;
    bool sealed = false;
    if (!n->settings.has_plan)
        return true;
    struct keyrelease_options *o = &n->settings.plan.options;
    o->verifier = n->verifier;
    o->quotes = n->quotes;
    o->cancel = watch_cancel(n->watch);
    o->on_event = on_key_event;
    o->ctx = n;
    if (keyrelease_fetch(o, &n->key, &sealed, &failure, err))
        return true;
    log_error("no key stage=%s code=%s kms_error=%s http_status=%ld",
              keyrelease_stage_name(failure.stage), failure.probe_code,
              failure.has_kms_error ? failure.kms_error : "-", failure.http_status);
    return error_prefix(err, "TEE storage encryption is configured but failed to fetch key from "
                             "KMS. The node cannot start without the encryption key to prevent "
                             "unencrypted data storage");
}

/* --- the store --- */

static bool open_store(struct node *n, struct error *err)
{
    struct store_options options = {.data_dir = n->settings.config->datastore_dir,
                                    .blob_dir = n->settings.config->blobstore_dir,
                                    .key = secret_slice(&n->key),
                                    .create = true};
    if (store_open(&options, &n->store, err))
        return true;
    if (error_is(err, "store/plaintext"))
        return error_prefix(err, "config.toml has a [tee] section, so the store must be encrypted");
    if (error_is(err, "store/encrypted"))
        return error_prefix(err, "config.toml has no [tee] section, so there is no key");
    return false;
}

static bool step_store(struct node *n, struct error *err)
{
    bool opened = open_store(n, err);
    secret_free(&n->key);
    if (!opened || !watch_directory(n->watch, n->settings.config->datastore_dir, err))
        return false;
    if (!store_is_encrypted(n->store))
        log_warn("the store is NOT encrypted: config.toml has no [tee] section, values and blobs "
                 "stand in clear on the disk");
    tell(n, "store opened", "encrypted=%s data=%s blobs=%s",
         store_is_encrypted(n->store) ? "yes" : "no", n->settings.config->datastore_dir,
         n->settings.config->blobstore_dir);
    return true;
}

static bool step_record(struct node *n, struct error *err)
{
    struct start_record record;
    char first[TIME_TEXT_MAX], before[TIME_TEXT_MAX] = "never";
    if (!start_record_count(n->store, clock_unix_s(), &record, err))
        return false;
    time_format_utc(record.first_s, first);
    if (record.count > 1)
        time_format_utc(record.before_s, before);
    char what[64];
    snprintf(what, sizeof what, "start number %llu", (unsigned long long)record.count);
    tell(n, what, "first_start=%s last_start=%s", first, before);
    return true;
}

/* --- the sequence --- */

static const struct step {
    const char *name;
    bool (*run)(struct node *n, struct error *err);
} STEPS[] = {
    {"configuration", step_config}, {"policy", step_policy}, {"lock", step_lock},
    {"machine", step_machine},      {"listen", step_listen}, {"key", step_key},
    {"store", step_store},          {"record", step_record},
};

/* A request to stop explains every failure that follows from it. */
static bool check_cancel(struct node *n, const char *step, struct error *err)
{
    enum watch_reason reason = watch_reason(n->watch);
    if (reason == WATCH_RUNNING)
        return true;
    return error_set(err, "interrupted", NULL, "stopped during start-up, at step %s: %s", step,
                     watch_reason_text(reason));
}

/* What `systemctl status` shows while a start takes long. Best effort. */
static void tell_manager(const struct node *n, const char *step)
{
    char state[64];
    snprintf(state, sizeof state, "STATUS=starting: %s", step);
    if (!notify_send(n->settings.env.notify_socket, state, NULL))
        log_debug("the service manager was not told step=%s", step);
}

bool node_start(struct node *n, struct error *err)
{
    n->dir_lock = -1;
    n->started_us = n->step_us = clock_monotonic_us();
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        n->step_us = clock_monotonic_us();
        tell_manager(n, STEPS[i].name);
        bool ok = STEPS[i].run(n, err);
        if (!check_cancel(n, STEPS[i].name, err))
            return false;
        if (!ok) {
            log_error("start failed step=%s after_ms=%.1f", STEPS[i].name, ms_since(n->started_us));
            return false;
        }
    }
    admin_set_ready(n->admin, n->store, n->quotes);
    log_info("node ready start_ms=%.1f", ms_since(n->started_us));
    return true;
}

void node_stop(struct node *n, bool store_gone)
{
    admin_stop(&n->admin, store_gone ? 0 : NODE_DRAIN_MS);
    if (!store_gone)
        store_close(&n->store);
    secret_free(&n->key);
    quote_source_close(&n->quotes);
    dcap_verifier_close(&n->verifier);
    settings_free(&n->settings);
    dir_lock_release(&n->dir_lock);
}
