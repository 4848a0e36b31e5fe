/* This platform, as the service sees itself: keys from the agent, its own quote verified up to the
 * trust root (so that a simulator behind the socket is found out), the runtime event. One thread
 * tries until it succeeds, then looks again now and then; requests never wait for it.
 * Spec: compatibility facts D.9, J.1; platform facts 1.4, 2.8. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "kms/service.h"
#include "quote/eventlog.h"

static const char transport_path[] = "mero-kms/transport/x25519/v1";
static const char challenge_path[] = "mero-kms/challenge/v1";
static const char audit_path[] = "mero-kms/audit/v1";
static const char event_name[] = "calimero.kms.profile";

/* ---- keys ---- */

static bool take_transport_key(struct kms *kms, struct error *err)
{
    SECRET_AUTO struct secret key = {0};
    return dstack_get_key(kms->self_agent, transport_path, &key, err) &&
           keyrelease_pair_from(secret_slice(&key), &kms->self.transport, err);
}

/* Replicas agree on challenges through the agent; a single instance needs nobody for them. */
static bool take_challenge_key(struct kms *kms, struct error *err)
{
    SECRET_AUTO struct secret key = {0};
    struct kms_mint *mint = NULL;
    if (kms->config->redis_url.text[0] == '\0' || atomic_load(&kms->mint) != NULL)
        return true;
    if (!dstack_get_key(kms->self_agent, challenge_path, &key, err) ||
        !kms_mint_open(secret_slice(&key), true, kms->config->challenge_ttl_s, &mint, err))
        return false;
    atomic_store(&kms->mint, mint);
    return true;
}

static bool take_audit_key(struct kms *kms, struct error *err)
{
    SECRET_AUTO struct secret key = {0};
    if (kms->audit == NULL || kms_audit_state(kms->audit).ready)
        return true;
    if (!dstack_get_key(kms->self_agent, audit_path, &key, err))
        return false;
    if (key.len < AUDIT_MAC_LEN)
        return error_set(err, "platform/agent", "key", "the agent's key has %zu bytes only",
                         key.len);
    kms_audit_set_key(kms->audit, key.data);
    const struct kms_audit_record record = {.event = "start",
                                            .code = "ok",
                                            .profile = kms->config->profile.text,
                                            .reason = "mero-kms-phala " MERO_VERSION};
    kms_audit_note(kms->audit, &record);
    return true;
}

static bool take_keys(struct kms *kms, struct error *err)
{
    if (atomic_load(&kms->self.keys_ready))
        return true;
    if (!take_challenge_key(kms, err) || !take_audit_key(kms, err) || !take_transport_key(kms, err))
        return false;
    atomic_store(&kms->self.keys_ready, true);
    return true;
}

/* ---- own quote ---- */

static void log_own_platform(const struct verdict *v)
{
    char hex[POLICY_REGISTERS][2 * MEASUREMENT_LEN + 1];
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        hex_encode(slice_of(policy_register_value(v, (enum policy_register)r), MEASUREMENT_LEN),
                   hex[r]);
    log_info("own platform verified tcb=%s mrtd=%s", tcb_status_name(v->status), hex[POLICY_MRTD]);
    log_info("own registers rtmr0=%s rtmr1=%s rtmr2=%s rtmr3=%s", hex[POLICY_RTMR0],
             hex[POLICY_RTMR1], hex[POLICY_RTMR2], hex[POLICY_RTMR3]);
}

/* No platform of Intel's, or one that Intel has revoked; not one that could not be looked up just
 * now. */
static bool is_counterfeit(const struct error *err)
{
    return error_is(err, "quote/") || error_is(err, "signature/") || error_is(err, "cert/");
}

/* Development builds alone can be told so: simulators of others sign with nothing that could be
 * verified. */
static bool is_simulated(const struct kms_config *config)
{
    return config->simulator_endpoint.text[0] != '\0' || config->accept_mock;
}

static void stop_service(struct kms *kms, const struct error *why)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&kms->self.lock);
    kms->self.fatal = *why;
    pthread_mutex_unlock(&kms->self.lock);
    ssize_t put = write(kms->fatal_fd, &one, sizeof(one));
    (void)put;
}

static void keep_verdict(struct kms *kms, const struct verdict *v)
{
    struct kms_self *self = &kms->self;
    pthread_mutex_lock(&self->lock);
    bool changed = !self->has_verdict || self->verdict.status != v->status;
    self->verdict = *v;
    self->has_verdict = self->verified = true;
    pthread_mutex_unlock(&self->lock);
    if (changed)
        log_own_platform(v);
}

static bool verify_own_quote(struct kms *kms, struct slice quote, struct error *err)
{
    struct verdict verdict;
    if (dcap_verifier_check(kms->verifier, quote, clock_unix_s(), &verdict, err)) {
        keep_verdict(kms, &verdict);
        return true;
    }
    error_prefix(err, "own platform does not verify");
    if (!is_simulated(kms->config)) {
        if (is_counterfeit(err))
            stop_service(kms, err);
        return false;
    }
    log_warn("%s; going on, because this is a simulator", err->message);
    pthread_mutex_lock(&kms->self.lock);
    kms->self.verified = true;
    pthread_mutex_unlock(&kms->self.lock);
    return true;
}

/* ---- the runtime event ---- */

struct event_search {
    struct slice payload;
    bool found, differs;
};

static void look_at_event(const struct event *event, void *context)
{
    struct event_search *search = context;
    if (event->imr != 3 || !slice_equal_str(event->name, event_name))
        return;
    search->found = true;
    search->differs = !slice_equal(event->payload, search->payload);
}

/* Emitting extends RTMR3 each time, so what is in the log already is not emitted again. Best
 * effort: newer agents no longer know the call. True when RTMR3 has changed. */
static bool emit_event(struct kms *kms, const struct buf *event_log)
{
    char payload[KMS_TEXT_MAX + 64];
    struct error err = {0};
    struct eventlog log;
    snprintf(payload, sizeof(payload), "%s=%s", event_name, kms->config->profile.text);
    struct event_search search = {.payload = slice_str(payload)};
    if (kms->self.event_done)
        return false;
    kms->self.event_done = true;
    if (event_log->len > 0 &&
        !eventlog_read(buf_slice(event_log), &log, look_at_event, &search, &err))
        log_warn("the agent's event log is not readable: %s", err.message);
    if (search.differs)
        log_warn("RTMR3 holds %s with another payload than %s", event_name, payload);
    else if (search.found)
        log_info("runtime event %s is in RTMR3 already", payload);
    else if (dstack_emit_event(kms->self_agent, event_name, slice_str(payload), &err)) {
        log_info("runtime event emitted %s", payload);
        return true;
    } else
        log_warn("runtime event %s could not be emitted: %s", payload, err.message);
    return false;
}

static bool take_own_quote(struct kms *kms, struct dstack_quote *q, struct error *err)
{
    uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN];
    dstack_quote_free(q);
    *q = (struct dstack_quote){0};
    /* Random, so that this quote can stand for nothing else. */
    random_bytes(report_data, sizeof(report_data));
    return dstack_get_quote(kms->self_agent, report_data, q, err);
}

/* What is verified and shown is what nodes will see: after the event. */
static bool check_platform(struct kms *kms, struct error *err)
{
    struct dstack_quote q = {0};
    bool ok = take_own_quote(kms, &q, err);
    if (ok && emit_event(kms, &q.event_log))
        ok = take_own_quote(kms, &q, err);
    ok = ok && verify_own_quote(kms, buf_slice(&q.quote), err);
    dstack_quote_free(&q);
    return ok;
}

/* ---- the thread ---- */

static void set_problem(struct kms_self *self, const char *text)
{
    pthread_mutex_lock(&self->lock);
    bool news = strcmp(self->problem, text) != 0;
    snprintf(self->problem, sizeof(self->problem), "%.511s", text);
    self->first_done = true;
    pthread_cond_broadcast(&self->wake);
    pthread_mutex_unlock(&self->lock);
    if (news && text[0] != '\0')
        log_warn("this platform is not in order: %s", text);
}

static bool try_once(struct kms *kms)
{
    struct error err = {0};
    bool ok = take_keys(kms, &err) && check_platform(kms, &err);
    if (ok)
        set_problem(&kms->self, "");
    else
        set_problem(&kms->self, err.message);
    return ok;
}

/* Waits, waking once a second for what must be done regularly; false when the thread is to end. */
static bool rest(struct kms *kms, int64_t wait_ms)
{
    struct kms_self *self = &kms->self;
    int64_t until = clock_monotonic_ms() + wait_ms;
    bool quit = false, refresh = false;
    while (!quit && !refresh && clock_monotonic_ms() < until) {
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        int64_t left = until - clock_monotonic_ms();
        int64_t slice_ms = left < 1000 ? left : 1000;
        int64_t ns = at.tv_nsec + slice_ms % 1000 * 1000000;
        at.tv_sec += (time_t)(slice_ms / 1000 + ns / 1000000000);
        at.tv_nsec = (long)(ns % 1000000000);
        pthread_mutex_lock(&self->lock);
        if (!self->quit && !self->refresh)
            pthread_cond_timedwait(&self->wake, &self->lock, &at);
        quit = self->quit;
        refresh = self->refresh;
        self->refresh = false;
        pthread_mutex_unlock(&self->lock);
        if (kms->audit != NULL)
            kms_audit_flush(kms->audit);
    }
    return !quit;
}

static void *self_thread(void *ctx)
{
    struct kms *kms = ctx;
    int64_t retry_ms = KMS_SELF_RETRY_MIN_MS;
    for (;;) {
        bool ok = try_once(kms);
        if (!rest(kms, ok ? (int64_t)KMS_SELF_REFRESH_S * 1000 : retry_ms)) {
            atomic_store(&kms->self.ended, true);
            return NULL;
        }
        retry_ms = ok ? KMS_SELF_RETRY_MIN_MS : 2 * retry_ms;
        retry_ms = retry_ms < KMS_SELF_RETRY_MAX_MS ? retry_ms : KMS_SELF_RETRY_MAX_MS;
    }
}

bool kms_self_start(struct kms *kms, struct error *err)
{
    struct kms_self *self = &kms->self;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&self->lock, NULL);
    snprintf(self->problem, sizeof(self->problem), "this platform has not been verified yet");
    self->runs = pthread_create(&self->thread, NULL, self_thread, kms) == 0;
    return self->runs || error_set(err, "kms/thread", NULL, "cannot start a thread");
}

void kms_self_wait(struct kms *kms, unsigned timeout_ms)
{
    struct kms_self *self = &kms->self;
    int64_t until = clock_monotonic_ms() + timeout_ms;
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    bool done = false;
    while (!done && clock_monotonic_ms() < until) {
        pthread_mutex_lock(&self->lock);
        done = self->first_done;
        pthread_mutex_unlock(&self->lock);
        if (!done)
            nanosleep(&pause, NULL);
    }
}

bool kms_self_stop(struct kms *kms, unsigned timeout_ms)
{
    struct kms_self *self = &kms->self;
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    if (!self->runs)
        return true;
    pthread_mutex_lock(&self->lock);
    self->quit = true;
    pthread_cond_broadcast(&self->wake);
    pthread_mutex_unlock(&self->lock);
    int64_t until = clock_monotonic_ms() + timeout_ms;
    while (!atomic_load(&self->ended) && clock_monotonic_ms() < until)
        nanosleep(&pause, NULL);
    if (!atomic_load(&self->ended))
        return false;
    pthread_join(self->thread, NULL);
    self->runs = false;
    keyrelease_pair_free(&self->transport);
    pthread_mutex_destroy(&self->lock);
    pthread_cond_destroy(&self->wake);
    return true;
}

bool kms_self_ready(struct kms *kms, char problem[512])
{
    struct kms_self *self = &kms->self;
    pthread_mutex_lock(&self->lock);
    bool ready = self->verified && atomic_load(&self->keys_ready);
    snprintf(problem, 512, "%s", ready ? "" : self->problem);
    pthread_mutex_unlock(&self->lock);
    return ready;
}
