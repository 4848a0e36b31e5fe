/* The admin API of the node (compatibility facts E): health, readiness, TEE information and
 * attestation, blobs, metrics. It listens before the node has its key, so that an operator sees
 * "starting" instead of a closed port and so that a taken port stops the start before the store is
 * touched; until admin_set_ready() every route that needs the store or a quote answers 503. */
#ifndef NODE_ADMIN_H
#define NODE_ADMIN_H

#include "platform/quote_source.h"
#include "platform/tee_info.h"
#include "store/store.h"

struct admin;

struct admin_options {
    const char *const *listen; /* "127.0.0.1:2528", "[::1]:2528" */
    size_t listen_count;
    const char *path_prefix;  /* NODE_PATH_PREFIX; NULL or empty = none */
    bool admin_disabled;      /* [server.admin] enabled = false: only /metrics is left */
    struct tee_places places; /* where tee/info looks; zero = the real places */
    unsigned idle_timeout_s;  /* 0 = 30: a transfer without progress is cut off */
};

/* Codes: http/listen and what the server says of an address. */
bool admin_start(const struct admin_options *options, struct admin **out,
                 struct error *err) MUST_USE;
unsigned admin_port(const struct admin *a, size_t listen_index); /* the port that was bound */
/* store and quotes stay the caller's and must outlive admin_stop(). quotes: NULL when this machine
 * can make none. */
void admin_set_ready(struct admin *a, struct store *store, struct quote_source *quotes);
/* From now on /ready says "shutting_down"; running requests go on. */
void admin_set_stopping(struct admin *a);
/* Answers what waits, drains running requests for at most drain_ms, closes. NULL is fine. */
void admin_stop(struct admin **a, unsigned drain_ms);

#endif
