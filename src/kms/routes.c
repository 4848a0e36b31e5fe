/* The public routes: what happens before and around the real work. Spec: compatibility facts
 * D.1-D.3. Nothing here blocks: it runs on the server's poll threads. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "kms/service.h"

/* ---- calls ---- */

static void log_refusal(const struct kms_call *call)
{
    const struct kms_refusal *r = &call->refusal;
    size_t len =
        call->peer_id.len < KEYRELEASE_PEER_ID_MAX ? call->peer_id.len : KEYRELEASE_PEER_ID_MAX;
    log_info("%s refused peer=%.*s source=%s code=%s reason=\"%s\"",
             kms_endpoint_name(call->endpoint), (int)len,
             len > 0 ? (const char *)call->peer_id.data : "", call->source.text,
             kms_tag_name(r->tag), r->reason[0] != '\0' ? r->reason : r->details);
}

static void audit_refusal(const struct kms_call *call)
{
    const struct kms_refusal *r = &call->refusal;
    const struct kms_audit_record record = {
        .event = "refusal",
        .code = kms_tag_name(r->tag),
        .peer_id = call->peer_id,
        .source = call->source.text,
        .profile = call->kms->config->profile.text,
        .reason = r->reason[0] != '\0' ? r->reason : r->details,
    };
    if (call->kms->audit != NULL && call->endpoint == KMS_AT_GET_KEY)
        kms_audit_note(call->kms->audit, &record);
}

void kms_call_end(struct kms_call *call)
{
    buf_free(&call->scratch);
    free(call);
}

void kms_call_refuse(struct kms_call *call)
{
    atomic_fetch_add(&call->kms->metrics.answers[call->endpoint][call->refusal.tag], 1);
    log_refusal(call);
    audit_refusal(call);
    kms_answer_refusal(call->x, &call->refusal);
    kms_call_end(call);
}

void kms_call_submit(struct kms_call *call, struct kms_pool *pool, void (*run)(void *call))
{
    http_exchange_defer(call->x);
    if (kms_pool_submit(pool, (struct kms_pool_job){run, call}))
        return;
    kms_refuse(&call->refusal, KMS_RATE_LIMITED, "Too many requests under way. Retry shortly.");
    call->refusal.retry_after_s = 1;
    kms_call_refuse(call);
}

static void tell_of_forwarding(struct kms *kms, const struct kms_source *source)
{
    if (source->untrusted_xff && !atomic_flag_test_and_set(&kms->told_of_forwarding))
        log_warn("X-Forwarded-For from %s is not believed: all behind it count as one source until "
                 "its range is in MERO_KMS_TRUSTED_PROXIES",
                 source->text);
}

/* NULL when the request was answered already: too many, or not declared as JSON. */
static struct kms_call *call_begin(struct kms *kms, struct http_exchange *x,
                                   enum kms_endpoint endpoint)
{
    struct kms_call *call = malloc(sizeof(*call));
    if (call == NULL) {
        http_exchange_reply(x, 500, NULL, slice_str(""));
        return NULL;
    }
    /* The texts of the refusal are large and rarely needed: only their starts are made empty. */
    memset(call, 0, offsetof(struct kms_call, refusal));
    call->refusal.retry_after_s = 0;
    call->refusal.details[0] = call->refusal.reason[0] = '\0';
    call->kms = kms;
    call->x = x;
    call->endpoint = endpoint;
    call->started_us = clock_monotonic_us();
    call->scratch = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    call->source = kms_source_of(&kms->config->trusted_proxies, http_exchange_peer(x),
                                 http_exchange_last_header(x, "X-Forwarded-For"));
    tell_of_forwarding(kms, &call->source);
    unsigned retry_after_s = 0;
    if (!kms_source_limiter_take(kms->limiter, &call->source, clock_monotonic_ms(),
                                 &retry_after_s)) {
        kms_refuse(&call->refusal, KMS_RATE_LIMITED, NULL);
        call->refusal.retry_after_s = retry_after_s;
        kms_call_refuse(call);
        return NULL;
    }
    if (kms_check_content_type(x))
        return call;
    kms_call_end(call);
    return NULL;
}

static void unreadable(struct kms_call *call, const struct error *err)
{
    kms_answer_unreadable(call->x, err);
    kms_call_end(call);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Judged trimmed, used as it came. */
bool kms_check_peer_id(struct slice peer_id, struct kms_refusal *refusal)
{
    while (peer_id.len > 0 && is_space(peer_id.data[0]))
        peer_id = slice_cut(peer_id, 1, peer_id.len - 1);
    while (peer_id.len > 0 && is_space(peer_id.data[peer_id.len - 1]))
        peer_id.len--;
    if (peer_id.len == 0)
        return kms_refuse(refusal, KMS_INVALID_PEER_ID, "peer ID must not be empty");
    if (peer_id.len > KEYRELEASE_PEER_ID_MAX)
        return kms_refuse(refusal, KMS_INVALID_PEER_ID, "peer ID exceeds max length %d",
                          KEYRELEASE_PEER_ID_MAX);
    if (!base58_is_alphabet(peer_id))
        return kms_refuse(refusal, KMS_INVALID_PEER_ID,
                          "peer ID contains non-base58btc characters");
    return true;
}

/* ---- the routes ---- */

static void handle_health(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    kms_answer_json(x, slice_str("{\"status\":\"alive\",\"service\":\"mero-kms-phala\"}"));
}

static void issue_challenge(struct kms_call *call)
{
    struct kms *kms = call->kms;
    struct kms_challenge challenge;
    struct buf body BUF_AUTO = BUF_INIT(1024);
    struct kms_mint *mint = atomic_load(&kms->mint);
    if (mint == NULL) {
        kms_refuse(&call->refusal, KMS_INVALID_CHALLENGE,
                   "Challenge storage failed: the agent has not given the challenge key yet");
        kms_call_refuse(call);
        return;
    }
    kms_challenge_issue(mint, call->peer_id, &challenge);
    if (!challenge_reply_write(&body, slice_str(challenge.id), challenge.nonce,
                               (uint64_t)challenge.expires_at_s)) {
        kms_refuse(&call->refusal, KMS_RATE_LIMITED, "out of memory");
        kms_call_refuse(call);
        return;
    }
    kms_metrics_issued(&kms->metrics, challenge.expires_at_s, kms->config->challenge_ttl_s);
    atomic_fetch_add(&kms->metrics.answers[KMS_AT_CHALLENGE][KMS_OK], 1);
    log_debug("challenge issued peer=%.*s source=%s", (int)call->peer_id.len,
              (const char *)call->peer_id.data, call->source.text);
    kms_answer_json(call->x, buf_slice(&body));
    kms_call_end(call);
}

static void handle_challenge(struct http_exchange *x, void *ctx)
{
    struct kms_call *call = call_begin(ctx, x, KMS_AT_CHALLENGE);
    struct error err = {0};
    if (call == NULL)
        return;
    struct challenge_request *request = &call->request.challenge;
    if (!challenge_request_read(http_exchange_body(x), &call->scratch, request, &err)) {
        unreadable(call, &err);
        return;
    }
    call->peer_id = request->peer_id;
    if (kms_check_peer_id(call->peer_id, &call->refusal))
        issue_challenge(call);
    else
        kms_call_refuse(call);
}

static void handle_attest(struct http_exchange *x, void *ctx)
{
    struct kms_call *call = call_begin(ctx, x, KMS_AT_ATTEST);
    struct error err = {0};
    if (call == NULL)
        return;
    if (attest_request_read(http_exchange_body(x), &call->scratch, &call->request.attest, &err))
        kms_attest(call);
    else
        unreadable(call, &err);
}

static void handle_get_key(struct http_exchange *x, void *ctx)
{
    struct kms_call *call = call_begin(ctx, x, KMS_AT_GET_KEY);
    struct error err = {0};
    if (call == NULL)
        return;
    if (get_key_request_read(http_exchange_body(x), &call->scratch, &call->request.get_key, &err)) {
        call->peer_id = call->request.get_key.peer_id;
        kms_get_key(call);
    } else {
        unreadable(call, &err);
    }
}

/* ---- CORS ---- */

bool kms_cors_is_on(const struct kms_config *config)
{
    return config->cors_origins.count > 0;
}

static const char *allowed_origin(const struct kms_config *config, const char *origin)
{
    for (size_t i = 0; i < config->cors_origins.count; i++) {
        const char *allowed = config->cors_origins.items[i].text;
        if (strcmp(allowed, "*") == 0)
            return allowed;
        if (origin != NULL && strcmp(allowed, origin) == 0)
            return origin;
    }
    return NULL;
}

void kms_before_send(struct http_exchange *x, unsigned status, void *ctx)
{
    const struct kms *kms = ctx;
    (void)status;
    if (!kms_cors_is_on(kms->config))
        return;
    const char *origin = allowed_origin(kms->config, http_exchange_header(x, "Origin"));
    http_exchange_add_header(
        x, "Vary", "origin, access-control-request-method, access-control-request-headers");
    if (origin != NULL)
        http_exchange_add_header(x, "Access-Control-Allow-Origin", origin);
}

static void handle_preflight(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_exchange_add_header(x, "Access-Control-Allow-Methods", "GET,POST");
    http_exchange_add_header(x, "Access-Control-Allow-Headers", "*");
    http_exchange_reply(x, 200, NULL, slice_str(""));
}

void kms_fallback(struct http_exchange *x, unsigned status, void *ctx)
{
    (void)ctx;
    kms_answer_fallback(x, status);
}

/* The preflight routes come last, to be left off without CORS. */
const struct http_route kms_public_routes[] = {
    {.method = "GET", .path = "/health", .handler = handle_health},
    {.method = "POST",
     .path = "/challenge",
     .handler = handle_challenge,
     .body_max = KEYRELEASE_REQUEST_MAX},
    {.method = "POST",
     .path = "/attest",
     .handler = handle_attest,
     .body_max = KEYRELEASE_REQUEST_MAX},
    {.method = "POST",
     .path = "/get-key",
     .handler = handle_get_key,
     .body_max = KEYRELEASE_REQUEST_MAX},
    {.method = "OPTIONS", .path = "/health", .handler = handle_preflight},
    {.method = "OPTIONS", .path = "/challenge", .handler = handle_preflight},
    {.method = "OPTIONS", .path = "/attest", .handler = handle_preflight},
    {.method = "OPTIONS", .path = "/get-key", .handler = handle_preflight},
};
const size_t kms_public_route_count = sizeof(kms_public_routes) / sizeof(kms_public_routes[0]);
