/* Shelf first, then the endpoints in order, then once more where one asked for a moment. */
#include "dcap/gather.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

/* How often the endpoints are gone through for one document. */
enum { GATHER_ROUNDS = 3 };

/* One gathering in progress. */
struct errand {
    const struct gatherer *g;
    const struct gather_wish *wish;
    int64_t now_s;
    struct http_client *client; /* opened when first needed */
    int64_t deadline_ms;
    uint32_t down; /* bit i: endpoint i gave no answer, so it is not asked again for this errand */
};

/* An answer that says something about the documents is worth more than no answer. */
static void keep_error(struct error *kept, const struct error *fresh)
{
    if (kept->code == NULL || error_is(kept, "collateral/unreachable"))
        *kept = *fresh;
}

/* No endpoint may use up the time of those behind it. */
static unsigned request_timeout_ms(const struct errand *e, size_t endpoint)
{
    int64_t left_ms = e->deadline_ms - clock_monotonic_ms();
    int64_t share_ms = left_ms / (int64_t)(e->g->endpoint_count - endpoint);
    return share_ms < e->g->timeout_ms ? (unsigned)(share_ms > 0 ? share_ms : 1) : e->g->timeout_ms;
}

/* One endpoint, one document: fetched, verified, on the shelf. */
static bool try_endpoint(struct errand *e, size_t i, const struct document_key *key,
                         struct collateral *into, struct error *err)
{
    struct fetch_endpoint *endpoint = &e->g->endpoints[i];
    struct fetcher fetcher = {e->client, request_timeout_ms(e, i), e->deadline_ms};
    COLLATERAL_AUTO struct collateral fresh;
    collateral_init(&fresh);
    bool ok = fetch_document(&fetcher, endpoint, key, &fresh, err);
    if (ok && !shelf_put(e->g->shelf, key, e->wish->issuer, e->now_s, &fresh, err))
        ok = error_prefix(err, "%s", endpoint->base);
    if (ok)
        return shelf_get(e->g->shelf, key, e->wish->issuer, e->now_s, into, err);
    bool silent = error_is(err, "collateral/unreachable");
    if (silent && atomic_load(&endpoint->not_before_ms) <= clock_monotonic_ms())
        e->down |= (uint32_t)1 << i;
    dcap_notices_warn(e->g->notices, silent ? "collateral/unreachable" : "collateral/refused", "%s",
                      err->message);
    return false;
}

static bool is_canceled(const struct errand *e)
{
    const atomic_bool *cancel = e->g->http->cancel;
    return cancel != NULL && atomic_load(cancel);
}

/* Waits until the first endpoint may be asked again, when that is before the deadline. */
static bool wait_for_turn(const struct errand *e)
{
    static const struct timespec nap = {0, 50 * 1000 * 1000};
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < e->g->endpoint_count; i++) {
        int64_t turn = atomic_load(&e->g->endpoints[i].not_before_ms);
        if (turn > clock_monotonic_ms() && turn < first)
            first = turn;
    }
    if (first >= e->deadline_ms)
        return false;
    while (clock_monotonic_ms() < first && !is_canceled(e))
        nanosleep(&nap, NULL);
    return !is_canceled(e);
}

static bool fetch_from_any(struct errand *e, const struct document_key *key,
                           struct collateral *into, struct error *err)
{
    struct error kept = {.code = NULL};
    if (e->client == NULL && !http_client_open(e->g->http, &e->client, err))
        return false;
    for (int round = 0; round < GATHER_ROUNDS; round++) {
        for (size_t i = 0; i < e->g->endpoint_count; i++) {
            struct error fresh = {.code = NULL};
            if ((e->down >> i & 1) != 0)
                continue;
            if (try_endpoint(e, i, key, into, &fresh))
                return true;
            keep_error(&kept, &fresh);
        }
        if (!error_is(&kept, "collateral/unreachable") || !wait_for_turn(e))
            break;
    }
    if (kept.code == NULL)
        error_set(&kept, "collateral/unreachable", NULL, "no collateral service answered before");
    if (err != NULL)
        *err = kept;
    return false;
}

static bool gather_document(struct errand *e, const struct document_key *key,
                            struct collateral *into, struct error *err)
{
    bool there = shelf_get(e->g->shelf, key, e->wish->issuer, e->now_s, into, err);
    if (there && !e->wish->refresh)
        return true;
    if (e->g->endpoint_count == 0)
        return there;
    return fetch_from_any(e, key, into, err) || there;
}

bool gather_collateral(const struct gatherer *g, const struct gather_wish *wish, int64_t now_s,
                       struct collateral *into, struct error *err)
{
    struct errand e = {
        .g = g, .wish = wish, .now_s = now_s, .deadline_ms = clock_monotonic_ms() + g->budget_ms};
    bool ok = true;
    for (size_t kind = 0; kind < DOCUMENT_KINDS && ok; kind++) {
        struct document_key key = {.kind = (enum document_kind)kind,
                                   .tee = wish->tee,
                                   .early = wish->early,
                                   .ca = wish->issuer->ca};
        memcpy(key.fmspc, wish->fmspc, sizeof key.fmspc);
        ok = gather_document(&e, &key, into, err);
    }
    http_client_close(&e.client);
    return ok;
}
