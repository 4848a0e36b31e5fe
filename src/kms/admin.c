/* The admin address: alive, ready, metrics, version. Kept apart from the public one, whose /health
 * stays as it always was. Spec: operator contract 3. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "kms/service.h"

enum { ADMIN_REPLY_MAX = 256 * 1024, ADMIN_CHECKS_MAX = 8, ADMIN_CONNECTIONS_MAX = 64 };

struct check {
    const char *name;
    bool ok;
    char detail[512];
};

static void check_policy(struct kms *kms, struct check *c)
{
    c->name = "policy";
    c->ok = kms->config->policy_ready;
    snprintf(c->detail, sizeof(c->detail), "%s",
             c->ok ? "from the environment" : kms->config->policy_reason);
}

static void check_platform(struct kms *kms, struct check *c)
{
    c->name = "platform";
    c->ok = kms_self_ready(kms, c->detail);
}

static void check_collateral(struct kms *kms, struct check *c)
{
    char expiry[TIME_TEXT_MAX];
    c->name = "collateral";
    pthread_mutex_lock(&kms->self.lock);
    bool known = kms->self.has_verdict;
    int64_t expires_s = kms->self.verdict.earliest_expiry_s;
    pthread_mutex_unlock(&kms->self.lock);
    c->ok = !known || expires_s > clock_unix_s();
    time_format_utc(expires_s, expiry);
    snprintf(c->detail, sizeof(c->detail), known ? "of this platform: good until %s" : "unknown%s",
             known ? expiry : "");
}

static void check_challenges(struct kms *kms, struct check *c)
{
    struct error err = {0};
    c->name = "challenges";
    c->ok = atomic_load(&kms->mint) != NULL && kms_used_set_check(kms->used, &err);
    snprintf(c->detail, sizeof(c->detail), "%.500s",
             c->ok                    ? ""
             : err.message[0] != '\0' ? err.message
                                      : "no challenge key yet");
}

static void check_audit(struct kms *kms, struct check *c)
{
    c->name = "audit";
    c->ok = true;
    if (kms->audit == NULL) {
        snprintf(c->detail, sizeof(c->detail), "off");
        return;
    }
    struct kms_audit_state state = kms_audit_state(kms->audit);
    c->ok = state.ready && !state.failing;
    snprintf(c->detail, sizeof(c->detail), "%s",
             state.failing ? "cannot be written"
             : state.ready ? ""
                           : "no key yet");
}

static size_t run_checks(struct kms *kms, struct check checks[ADMIN_CHECKS_MAX])
{
    check_policy(kms, &checks[0]);
    check_platform(kms, &checks[1]);
    check_collateral(kms, &checks[2]);
    check_challenges(kms, &checks[3]);
    check_audit(kms, &checks[4]);
    return 5;
}

static void handle_livez(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    kms_answer_text(x, 200, "ok");
}

static void write_checks(const struct check *checks, size_t count, bool ready, struct buf *out)
{
    buf_printf(out, "{\"ready\":%s,\"checks\":[", ready ? "true" : "false");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s{\"name\":\"%s\",\"ok\":%s", i > 0 ? "," : "", checks[i].name,
                   checks[i].ok ? "true" : "false");
        if (checks[i].detail[0] != '\0') {
            buf_append_str(out, ",\"detail\":");
            json_append_string(out, slice_str(checks[i].detail));
        }
        buf_append_byte(out, '}');
    }
    buf_append_str(out, "]}\n");
}

/* Redis is asked while a poll thread of this server waits: the public address has its own. */
static void handle_readyz(struct http_exchange *x, void *ctx)
{
    struct check checks[ADMIN_CHECKS_MAX] = {0};
    struct buf body BUF_AUTO = BUF_INIT(ADMIN_REPLY_MAX);
    size_t count = run_checks(ctx, checks);
    bool ready = true;
    for (size_t i = 0; i < count; i++)
        ready = ready && checks[i].ok;
    if (http_exchange_query(x, "verbose") == NULL) {
        kms_answer_text(x, ready ? 200 : 503, ready ? "ok" : "not ready");
        return;
    }
    write_checks(checks, count, ready, &body);
    http_exchange_reply(x, ready ? 200 : 503, "application/json", buf_slice(&body));
}

static struct kms_gauges gauges_of(struct kms *kms)
{
    char problem[512];
    struct kms_gauges g = {
        .ttl_s = kms->config->challenge_ttl_s,
        .policy_ready = kms->config->policy_ready,
        .self_verified = kms_self_ready(kms, problem),
        .self_expiry_s = -1,
        .audit_size = -1,
        .used_challenges = (int64_t)kms_used_set_count(kms->used),
        .penalties = (int64_t)kms_source_limiter_penalised(kms->limiter, clock_monotonic_ms()),
        .in_flight_get_key = (int64_t)kms_pool_in_flight(kms->get_key_pool),
        .in_flight_attest = (int64_t)kms_pool_in_flight(kms->attest_pool),
        .insecure_clear = !kms->config->require_sealed,
        .insecure_unenforced = !kms->config->enforce_policy,
        .insecure_mock = kms->config->accept_mock,
    };
    pthread_mutex_lock(&kms->self.lock);
    if (kms->self.has_verdict)
        g.self_expiry_s = kms->self.verdict.earliest_expiry_s;
    pthread_mutex_unlock(&kms->self.lock);
    if (kms->audit != NULL) {
        struct kms_audit_state state = kms_audit_state(kms->audit);
        g.audit_size = (int64_t)state.size;
        atomic_store(&kms->metrics.audit_dropped, state.dropped);
    }
    return g;
}

static void handle_metrics(struct http_exchange *x, void *ctx)
{
    struct kms *kms = ctx;
    struct buf body BUF_AUTO = BUF_INIT(ADMIN_REPLY_MAX);
    struct kms_gauges g = gauges_of(kms);
    if (kms_metrics_write(&kms->metrics, &g, &body))
        http_exchange_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&body));
    else
        http_exchange_reply(x, 500, NULL, slice_str(""));
}

static void handle_version(struct http_exchange *x, void *ctx)
{
    struct kms *kms = ctx;
    struct buf body BUF_AUTO = BUF_INIT(1024);
#ifdef MERO_DEV
    const char *build = "development";
#else
    const char *build = "release";
#endif
    buf_printf(&body, "{\"name\":\"mero-kms-phala\",\"version\":\"%s\",\"build\":\"%s\",",
               MERO_VERSION, build);
    buf_printf(&body, "\"profile\":\"%s\"}\n", kms->config->profile.text);
    kms_answer_json(x, buf_slice(&body));
}

static const struct http_route admin_routes[] = {
    {.method = "GET", .path = "/livez", .handler = handle_livez},
    {.method = "GET", .path = "/readyz", .handler = handle_readyz},
    {.method = "GET", .path = "/metrics", .handler = handle_metrics},
    {.method = "GET", .path = "/version", .handler = handle_version},
};

/* As with the audit log: a place that nobody asked for may be missing. */
bool kms_admin_start(struct kms *kms, struct error *err)
{
    const struct kms_config *c = kms->config;
    const char *listen[] = {c->admin_addr.text};
    struct error why = {0};
    const struct http_server_options options = {
        .listen = listen,
        .listen_count = 1,
        .connections_max = ADMIN_CONNECTIONS_MAX,
        .routes = admin_routes,
        .route_count = sizeof(admin_routes) / sizeof(admin_routes[0]),
        .ctx = kms,
    };
    if (http_server_start(&options, &kms->admin, &why)) {
        log_info("admin address %s", c->admin_addr.text);
        return true;
    }
    if (kms_config_is_set(c, "MERO_KMS_ADMIN_ADDR") || kms_config_is_set(c, "MERO_KMS_STATE_DIR")) {
        if (err != NULL)
            *err = why;
        return error_prefix(err, "MERO_KMS_ADMIN_ADDR %s", c->admin_addr.text);
    }
    log_warn("no admin address: %s", why.message);
    return true;
}
