/* Collateral for one platform, document by document: from the shelf while it counts, else from the
 * first endpoint whose answer is good. Spec: platform facts 4.5. */
#ifndef DCAP_GATHER_H
#define DCAP_GATHER_H

#include "dcap/fetch.h"
#include "dcap/shelf.h"

/* The parts that all gathering of one verifier shares. */
struct gatherer {
    struct shelf *shelf;
    struct fetch_endpoint *endpoints;
    size_t endpoint_count; /* 0 = offline */
    unsigned timeout_ms, budget_ms;
    const struct http_client_options *http;
    const struct dcap_notices *notices;
};

/* Which documents a quote needs. */
struct gather_wish {
    enum tee_type tee;
    uint8_t fmspc[6];
    const struct pck_issuer *issuer;
    bool refresh; /* ask the endpoints even for what still counts; what they lack stays */
    bool early;   /* TCB info of the early TCB evaluation data set */
};

/*
 * Every document in *into has a verified signature and counts at now_s. Codes: collateral/missing,
 * collateral/expired, collateral/not-yet-valid (offline, or that is all the endpoints have),
 * collateral/unreachable (no endpoint answered), collateral/older, and what is wrong with the
 * answers.
 */
bool gather_collateral(const struct gatherer *g, const struct gather_wish *wish, int64_t now_s,
                       struct collateral *into, struct error *err) MUST_USE;

#endif
