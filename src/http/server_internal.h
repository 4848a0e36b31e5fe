/* Shared by the files of the server only.
 *
 *   server.c           start and stop
 *   server_listen.c    "127.0.0.1:0", "[::1]:80", "unix:/path" to sockets
 *   server_guard.c     the live connections and their deadlines
 *   server_dispatch.c  libmicrohttpd's callbacks: from bytes to a handler and back
 *   server_exchange.c  what a handler sees of a request, and how it answers
 *   server_tls.c       certificates and client verification
 *
 * Threads: libmicrohttpd's poll threads, one guard thread, and whatever threads callers answer
 * deferred exchanges from. `lock` covers the list of connections and who is parked; it is taken
 * before libmicrohttpd's own locks, never after. A request that is answered at once takes no lock.
 */
#ifndef HTTP_SERVER_INTERNAL_H
#define HTTP_SERVER_INTERNAL_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "http/limits.h"
#include "http/server.h"

enum { PEER_TEXT_MAX = INET6_ADDRSTRLEN, METHOD_TEXT_MAX = 24, ALLOW_TEXT_MAX = 64 };

/* ---- listening ---- */

struct listener {
    int fd;          /* -1 = closed */
    char *unix_path; /* NULL = TCP */
    unsigned port;
    struct MHD_Daemon *daemon;
};

bool listener_open(const char *address, struct listener *out, struct error *err) MUST_USE;
void listener_close(struct listener *l); /* also removes the file of a unix socket */

/* ---- TLS ---- */

struct tls_identity; /* certificate, key and client roots; counted references */
bool tls_identity_load(const char *cert_pem, const char *key_pem, const char *client_ca_pem,
                       struct tls_identity **out, struct error *err) MUST_USE;
struct tls_identity *tls_identity_ref(struct tls_identity *t);
void tls_identity_unref(struct tls_identity *t);

/* ---- connections ---- */

enum stage {
    STAGE_WAITING,   /* no request yet, or not the next one */
    STAGE_RECEIVING, /* from the request line to the end of the body */
    STAGE_STREAMING, /* a streamed body: as long as it takes */
    STAGE_ANSWERING
};

struct connection_entry {
    struct connection_entry *prev, *next; /* under server->lock */
    int fd;
    atomic_int stage;
    atomic_llong since_ms;         /* when the stage began; monotonic */
    atomic_llong deadline_ms;      /* of the stage; NO_DEADLINE = none */
    struct http_exchange *waiting; /* suspended for a deferred answer; under server->lock */
    struct tls_identity *tls;      /* NULL on plain connections */
    atomic_bool peer_verified;     /* the client's certificate was good */
    char peer[PEER_TEXT_MAX];
};
#define NO_DEADLINE LLONG_MAX

/* Begins to use `t` for a new session; client certificates are verified in the handshake. */
void tls_session_prepare(struct tls_identity *t, struct MHD_Connection *connection);
/* Asked before every request: the handshake has verified the client, where that is wanted. */
bool tls_admit(const struct connection_entry *e);

/* ---- the server ---- */

struct http_server {
    struct http_server_options options; /* routes point to the copy below, listen is not kept */
    struct http_route *routes;
    struct listener listeners[HTTP_LISTEN_MAX];
    size_t listener_count;
    struct tls_identity *tls; /* under lock */

    pthread_mutex_t lock;
    pthread_cond_t changed;           /* connections came or went, or stop */
    struct connection_entry *entries; /* under lock */
    size_t entry_count;               /* under lock */
    size_t suspended;                 /* under lock: connections parked inside libmicrohttpd */
    bool no_defer;                    /* under lock: stopping, nobody may be parked any more */
    bool guard_quit;                  /* under lock */
    bool guard_runs;
    pthread_t guard;

    atomic_bool stopping;
    atomic_size_t active; /* requests between their first line and their last byte */
    atomic_size_t refs;   /* the owner, and every exchange */
};

void server_unref(struct http_server *s);

bool guard_start(struct http_server *s, struct error *err) MUST_USE;
void guard_stop(struct http_server *s);
/* libmicrohttpd's MHD_NotifyConnectionCallback. */
void guard_on_connection(void *server, struct MHD_Connection *connection, void **entry,
                         enum MHD_ConnectionNotificationCode code);
/* A stage begins; it may last so long, 0 = for ever (then only inactivity ends it). */
void guard_set_stage(struct connection_entry *e, enum stage stage, unsigned seconds);
void guard_set_waiting(const struct http_server *s, struct connection_entry *e);
/* Gives every parked exchange the answer 503 and lets none be parked again. */
void guard_release_all(struct http_server *s);

/* ---- exchanges ---- */

struct pair {
    const char *name;
    const char *value;
};

struct pairs {
    struct pair *items; /* one allocation together with the texts */
    size_t count;
};

/* Open to answering or deferred; deferred to answering or expired; answering to answered. Whoever
 * makes the step (compare and exchange) has what comes with it. */
enum phase {
    PHASE_OPEN,      /* nobody has answered */
    PHASE_DEFERRED,  /* parked: the connection is suspended */
    PHASE_ANSWERING, /* an answer is being built */
    PHASE_ANSWERED,  /* `response` is set (NULL: memory ran out, the connection is closed) */
    PHASE_EXPIRED /* the deadline passed while parked: the server answers in the holder's place */
};

struct http_exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct connection_entry *entry;
    atomic_size_t refs; /* libmicrohttpd's, and the holder's while deferred */

    /* the request */
    const struct http_route *route; /* NULL when refused */
    char method[METHOD_TEXT_MAX];
    char peer[PEER_TEXT_MAX];
    char *path;  /* as received, without query */
    char *query; /* decoded in place; backing of query_pairs */
    char *tail;  /* decoded; NULL when the route has no '*' */
    struct pairs headers;
    struct pair query_pairs[HTTP_QUERY_MAX];
    size_t query_count;
    struct buf body;
    uint64_t received;
    uint64_t drained;
    bool begun;
    unsigned refusal;           /* status to answer instead of calling the handler; 0 = none */
    char allow[ALLOW_TEXT_MAX]; /* of a 405 */
    void *state;

    /* the answer */
    _Atomic(enum phase) phase;
    atomic_bool held; /* a holder still has to reply */
    unsigned status;
    struct MHD_Response *response;
    struct pair reply_headers[HTTP_REPLY_HEADERS_MAX];
    size_t reply_header_count;
    bool broken;  /* a header could not be kept */
    bool streams; /* the body comes piece by piece: only inactivity ends it */
};

struct http_exchange *exchange_new(struct http_server *s, struct MHD_Connection *connection,
                                   const char *target);
bool exchange_keep_headers(struct http_exchange *x) MUST_USE;
void exchange_unref(struct http_exchange *x);
enum phase exchange_phase(const struct http_exchange *x);
/* The step from one phase to another; false when the exchange is not in `from`. */
bool exchange_step(struct http_exchange *x, enum phase from, enum phase to);
/* Answers with `status` the way the owner of the server words it. */
void exchange_fall_back(struct http_exchange *x, unsigned status);
/* Hands the answer to libmicrohttpd; poll thread only. */
enum MHD_Result exchange_queue(struct http_exchange *x);
/* The answer in place of a holder that is too late; poll thread only. */
enum MHD_Result exchange_queue_expired(struct http_exchange *x);
/* In place; false on a bad escape or an encoded NUL. '+' is a space when plus_is_space. */
bool percent_decode(char *text, bool plus_is_space) MUST_USE;

/* ---- dispatch: libmicrohttpd's callbacks; cls is the server ---- */

void *dispatch_on_target(void *server, const char *target, struct MHD_Connection *connection);
enum MHD_Result dispatch_on_request(void *server, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *upload, size_t *upload_len, void **exchange);
void dispatch_on_completed(void *server, struct MHD_Connection *connection, void **exchange,
                           enum MHD_RequestTerminationCode code);
size_t dispatch_keep_escapes(void *server, struct MHD_Connection *connection, char *text);

#endif
