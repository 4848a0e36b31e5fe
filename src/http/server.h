/* HTTP server over libmicrohttpd with our limits. Routes and JSON belong to the callers.
 *
 * A route's handler runs on one of the server's poll threads once the body is complete (bounded by
 * body_max) and must not block: it answers at once, or calls http_exchange_defer() and answers
 * later from any thread. A route with `stream` gets the body piece by piece instead and may block
 * on disk. Limits: total deadline per request (a dripping client is cut off), inactivity,
 * connections (when most places are taken, those without a request are cut after seconds), header
 * size. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <sys/types.h>

#include "base/bytes.h"

struct http_server;
struct http_exchange; /* one request and its answer */

typedef void http_handler(struct http_exchange *x, void *ctx);

/* Streamed request bodies and responses. */
struct http_stream_ops {
    /* Headers are in. Return false after answering to refuse the body. */
    bool (*begin)(struct http_exchange *x, void *ctx);
    /* A piece of the body. Return false after answering to stop. */
    bool (*data)(struct http_exchange *x, struct slice piece, void *ctx);
    /* The body is complete: answer. */
    void (*end)(struct http_exchange *x, void *ctx);
};

struct http_route {
    const char *method; /* "GET" also serves HEAD */
    const char *path;   /* exact, or a prefix when it ends in "*" (the rest: http_exchange_tail) */
    http_handler *handler;
    const struct http_stream_ops *stream; /* instead of handler */
    size_t body_max;                      /* 0 = no body accepted */
    bool any_method;                      /* the handler looks at the method itself */
    unsigned answer_deadline_s;           /* until a deferred answer of this route; 0 = the server's
                                             request_deadline_s */
};

struct http_server_options {
    const char *const *listen; /* "127.0.0.1:8080", "[::1]:8080", "unix:/path"; port 0 = any */
    size_t listen_count;
    unsigned threads;            /* 0 = 2; per listen address */
    unsigned connections_max;    /* 0 = 1024; per listen address */
    unsigned idle_timeout_s;     /* 0 = 30: no bytes in either direction */
    unsigned request_deadline_s; /* 0 = 30: from the request line to the end of the body, again
                                    until a deferred answer, again for sending it; not for stream
                                    routes and streamed answers, which have idle only */
    const struct http_route *routes;
    size_t route_count;
    /* Framework answers: 400 (bad percent-encoding, ambiguous body length), 404, 405 (Allow is set
     * by the server), 413, 500 (a handler that neither answered nor deferred), 503 (deferred past
     * its deadline; http_exchange_state() is NULL then). May answer with another status; NULL, or
     * not answering, gives an empty body. Runs on a poll thread. */
    void (*fallback)(struct http_exchange *x, unsigned status, void *ctx);
    /* Called before every answer is queued (CORS headers, access metrics); may be NULL. */
    void (*before_send)(struct http_exchange *x, unsigned status, void *ctx);
    /* Called once when an exchange has ended, however it ended; frees what http_exchange_set_state
     * holds. */
    void (*finished)(struct http_exchange *x, void *ctx);
    void *ctx;
    /* TLS (GnuTLS); NULL = plain. PEM bytes stay owned by the caller until stop. */
    const char *tls_cert_pem;
    const char *tls_key_pem;
    const char *
        tls_client_ca_pem; /* client certificates required and verified by us on every connection */
};

bool http_server_start(const struct http_server_options *options, struct http_server **out,
                       struct error *err) MUST_USE;
/* The port that listen[i] really has. */
unsigned http_server_port(const struct http_server *server, size_t i);
/* New connections get these from now on; running ones keep what they began with. The old ones stay
 * on failure. */
bool http_server_reload_tls(struct http_server *server, const char *cert_pem, const char *key_pem,
                            const char *client_ca_pem, struct error *err) MUST_USE;
/* Stops accepting, waits up to drain_ms for running exchanges, then closes. */
void http_server_stop(struct http_server **server, unsigned drain_ms);

const char *http_exchange_method(const struct http_exchange *x);
const char *http_exchange_path(const struct http_exchange *x);
const char *
http_exchange_tail(const struct http_exchange *x); /* what '*' matched, percent-decoded */
/* NULL when absent. Query values are percent-decoded. */
const char *http_exchange_query(const struct http_exchange *x, const char *name);
const char *http_exchange_header(const struct http_exchange *x, const char *name);
/* Of a header that came several times, the last: proxies append. */
const char *http_exchange_last_header(const struct http_exchange *x, const char *name);
struct slice http_exchange_body(const struct http_exchange *x);
/* Peer address as text without port; "unix" for unix sockets. */
const char *http_exchange_peer(const struct http_exchange *x);
void http_exchange_set_state(struct http_exchange *x, void *state);
void *http_exchange_state(const struct http_exchange *x);

/* Answering, exactly once. Header calls come before. Bodies are copied. */
void http_exchange_add_header(struct http_exchange *x, const char *name, const char *value);
void http_exchange_reply(struct http_exchange *x, unsigned status, const char *content_type,
                         struct slice body);
/* The body is a secret: the server wipes its copy when it has been sent. */
void http_exchange_reply_secret(struct http_exchange *x, unsigned status, const char *content_type,
                                struct slice body);
/* The body is produced by read(ctx, offset, out, max) -> bytes (at least one), or -1 to abort; it
 * runs on a poll thread and may block on disk. len is exact. free_ctx (may be NULL) is always
 * called. */
typedef ssize_t http_stream_read(void *ctx, uint64_t offset, uint8_t *out, size_t max);
void http_exchange_reply_stream(struct http_exchange *x, unsigned status, const char *content_type,
                                uint64_t len, http_stream_read *read, void (*free_ctx)(void *ctx),
                                void *ctx);
/* Park the exchange: from its handler only, before it is shown to another thread. A later
 * http_exchange_reply* from any thread resumes it. Whoever defers must reply exactly once, also
 * when it is too late: past the deadline, or when the server stops, the server has answered 503
 * (through `fallback`) and the reply is dropped. The exchange stays readable until that reply. */
void http_exchange_defer(struct http_exchange *x);

#endif
