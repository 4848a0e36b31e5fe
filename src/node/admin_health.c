/* GET health, ready, is-authed, certificate, metrics. Spec: compatibility facts E.1. */
#include "base/clock.h"
#include "node/admin_internal.h"

static void reply_status(struct http_exchange *x, unsigned status, const char *text)
{
    admin_reply_data(x, status, json_pack("{s:s}", "status", text));
}

static bool store_answers(struct admin *a)
{
    struct store *store = atomic_load(&a->store);
    return store != NULL && store_ping(store, NULL);
}

void admin_health(struct http_exchange *x, void *ctx)
{
    if (store_answers(ctx))
        reply_status(x, 200, "alive");
    else
        reply_status(x, 503, "store_unavailable");
}

void admin_ready(struct http_exchange *x, void *ctx)
{
    struct admin *a = ctx;
    switch (atomic_load(&a->phase)) {
    case ADMIN_STARTING:
        reply_status(x, 503, "starting");
        return;
    case ADMIN_STOPPING:
        reply_status(x, 503, "shutting_down");
        return;
    case ADMIN_READY:
        break;
    }
    if (store_answers(a))
        reply_status(x, 200, "ready");
    else
        reply_status(x, 503, "store_unavailable");
}

void admin_is_authed(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    reply_status(x, 200, "alive");
}

/* Nothing makes a certificate here: the listener is plain HTTP behind the operator's proxy. */
void admin_certificate(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    admin_reply_error(x, 404, "Certificate not found");
}

void admin_metrics_get(struct http_exchange *x, void *ctx)
{
    struct admin *a = ctx;
    struct store *store = atomic_load(&a->store);
    struct admin_gauges gauges = {.ready = atomic_load(&a->phase) == ADMIN_READY,
                                  .store_encrypted = store != NULL && store_is_encrypted(store),
                                  .started_s = a->started_s};
    struct buf text BUF_AUTO = BUF_INIT(NODE_METRICS_MAX);
    if (!admin_metrics_write(&a->metrics, &gauges, &text)) {
        admin_reply_error(x, 500, "Internal server error");
        return;
    }
    http_exchange_reply(x, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8",
                        buf_slice(&text));
}
