/* What the files of this room share: the parts of a running service.
 *
 *   kms.c        start, stop, reload
 *   self.c       this platform: keys from the agent, its own quote, the runtime event
 *   routes.c     the public routes, framework answers, CORS, limits per source
 *   attest.c     POST /attest
 *   get_key.c    POST /get-key
 *   admin.c      /livez /readyz /metrics /version
 */
#ifndef KMS_SERVICE_H
#define KMS_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "dcap/verifier.h"
#include "http/server.h"
#include "keyrelease/messages.h"
#include "kms/answer.h"
#include "kms/audit.h"
#include "kms/challenge.h"
#include "kms/config.h"
#include "kms/kms.h"
#include "kms/metrics.h"
#include "kms/pool.h"
#include "kms/source.h"
#include "platform/dstack.h"

/* What the agent's keys and this platform's quote have come to. Written by the self thread under
 * the lock; keys are set once and then read without it, behind `keys_ready`. */
struct kms_self {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool runs, quit, refresh;
    bool first_done;        /* the first attempt has ended */
    bool verified;          /* own quote verified, or a development build that goes on without */
    bool event_done;        /* the runtime event was emitted, or will not be */
    char problem[512];      /* why not ready; empty when ready */
    struct verdict verdict; /* of the last own quote that verified */
    bool has_verdict;
    struct error fatal; /* why the service must stop */
    atomic_bool ended;  /* the thread is at its end */

    atomic_bool keys_ready;
    struct keyrelease_pair transport;
};

/* PEM texts that the server was given. */
struct kms_tls {
    struct buf cert, key, client_ca;
};

struct kms {
    const struct kms_config *config;
    struct dcap_verifier *verifier;
    struct dstack *agent;      /* of requests */
    struct dstack *self_agent; /* of the self thread: its own connection and patience */
    atomic_bool stopping;      /* cancels agent calls */
    /* NULL until the agent has given the key, where replicas share it. */
    _Atomic(struct kms_mint *) mint;
    struct kms_used_set *used;
    struct kms_source_limiter *limiter;
    struct kms_pool *get_key_pool, *attest_pool;
    struct kms_audit *audit; /* NULL: no place for one */
    struct http_server *server, *admin;
    struct kms_tls tls;
    struct kms_metrics metrics;
    struct kms_self self;
    int fatal_fd; /* eventfd */
    atomic_flag told_of_forwarding;
};

/* ---- self ---- */

bool kms_self_start(struct kms *kms, struct error *err) MUST_USE;
/* Waits until the first attempt has ended, at most timeout_ms. */
void kms_self_wait(struct kms *kms, unsigned timeout_ms);
/* False when the thread did not end in time. */
bool kms_self_stop(struct kms *kms, unsigned timeout_ms) MUST_USE;
/* May keys be released as far as this platform goes? problem receives why not. */
bool kms_self_ready(struct kms *kms, char problem[512]);

/* ---- requests ---- */

/* One request under way: freed by kms_call_end(). */
struct kms_call {
    struct kms *kms;
    struct http_exchange *x;
    enum kms_endpoint endpoint;
    struct kms_source source;
    int64_t started_us;
    struct buf scratch;
    struct slice peer_id;                   /* for log and audit; a view of the request */
    uint8_t seal_to[KEYRELEASE_X25519_LEN]; /* of a key request that names one */
    union {
        struct challenge_request challenge;
        struct attest_request attest;
        struct get_key_request get_key;
    } request;
    struct kms_refusal refusal; /* last: see call_begin() */
};

/* Passes the request to a pool, answering 429 when it is full. Takes the call over. */
void kms_call_submit(struct kms_call *call, struct kms_pool *pool, void (*run)(void *call));
/* Counts, logs, notes in the audit log and answers the call's refusal; ends the call. */
void kms_call_refuse(struct kms_call *call);
void kms_call_end(struct kms_call *call);

/* Shape of a peer id (D.3). */
bool kms_check_peer_id(struct slice peer_id, struct kms_refusal *refusal) MUST_USE;

void kms_attest(struct kms_call *call);
void kms_get_key(struct kms_call *call);

extern const struct http_route kms_public_routes[];
extern const size_t kms_public_route_count;
void kms_before_send(struct http_exchange *x, unsigned status, void *ctx);
void kms_fallback(struct http_exchange *x, unsigned status, void *ctx);
bool kms_cors_is_on(const struct kms_config *config);

/* ---- admin ---- */

bool kms_admin_start(struct kms *kms, struct error *err) MUST_USE;

#endif
