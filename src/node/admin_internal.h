/* What the files of the admin API share: the server's state, replies in the envelope of the
 * compatibility facts E, and one function per route. Not for use outside src/node/admin_*.c. */
#ifndef NODE_ADMIN_INTERNAL_H
#define NODE_ADMIN_INTERNAL_H

#include <jansson.h>

#include "http/server.h"
#include "node/admin.h"
#include "node/admin_metrics.h"
#include "node/limits.h"
#include "platform/tee_info.h"

enum { ADMIN_ROUTES = 11 };

enum admin_phase { ADMIN_STARTING, ADMIN_READY, ADMIN_STOPPING };

struct tee_queue;

/* What tee/info tells, once it was found out. */
struct tee_facts {
    char mrtd[2 * MRTD_LEN + 1];
    struct tee_cloud cloud;
};

struct admin {
    struct http_server *server;
    struct tee_queue *tee;
    struct admin_metrics metrics;
    struct tee_places places;
    struct tee_facts facts; /* written by the queue's thread before has_facts */
    atomic_bool has_facts;
    int64_t started_s; /* Unix time */
    _Atomic enum admin_phase phase;
    atomic_bool stopping;          /* what takes long and can be cancelled looks here */
    _Atomic(struct store *) store; /* NULL until ready */
    char prefix[NODE_PATH_PREFIX_MAX + 1];
    char paths[ADMIN_ROUTES][NODE_PATH_PREFIX_MAX + 40]; /* the server keeps pointers to them */
};

/* Per-exchange state of streamed routes; the first member of the real one. */
struct admin_state {
    void (*release)(struct admin_state *state);
};

/* The store when the node serves; otherwise answers 503 and returns NULL. */
struct store *admin_serving_store(struct admin *a, struct http_exchange *x);
/* The same question for routes that need no store. */
bool admin_serving(struct admin *a, struct http_exchange *x);

/* {"error":"<text>"} */
void admin_reply_error(struct http_exchange *x, unsigned status, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* `root` as compact JSON; takes the reference. len_max bounds the text (500 when passed). */
void admin_reply_json(struct http_exchange *x, unsigned status, json_t *root, size_t len_max);
/* {"data":<data>}; takes the reference. */
void admin_reply_data(struct http_exchange *x, unsigned status, json_t *data);

/* Routes; ctx is the struct admin. */
void admin_health(struct http_exchange *x, void *ctx);
void admin_ready(struct http_exchange *x, void *ctx);
void admin_is_authed(struct http_exchange *x, void *ctx);
void admin_certificate(struct http_exchange *x, void *ctx);
void admin_metrics_get(struct http_exchange *x, void *ctx);
void admin_tee_info(struct http_exchange *x, void *ctx);
void admin_tee_attest(struct http_exchange *x, void *ctx);
void admin_blob_list(struct http_exchange *x, void *ctx);
void admin_blob_get(struct http_exchange *x, void *ctx);
void admin_blob_delete(struct http_exchange *x, void *ctx);
extern const struct http_stream_ops admin_blob_upload;

#endif
