/* Ceilings of the HTTP room in one place. Those that a caller chooses per request or per server are
 * in client.h and server.h; these hold for everybody. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

enum {
    /* client */
    HTTP_URL_TEXT_MAX = 4096,
    HTTP_CLIENT_TIMEOUT_MS = 30000, /* where a request names none */
    HTTP_CA_FILE_MAX = 1024 * 1024,
    HTTP_CLIENT_POLL_MS = 50, /* how long a cancel flag may go unseen */
    HTTP_RETRY_AFTER_MAX_S = 3600,

    /* server */
    HTTP_LISTEN_MAX = 16,
    HTTP_ROUTES_MAX = 256,
    HTTP_LISTEN_BACKLOG = 1024,
    HTTP_CONNECTION_MEMORY = 32 * 1024, /* of one connection: bounds request line and headers */
    HTTP_DRAIN_MAX = 1024 * 1024, /* bytes of a refused body that are read so that the client gets
                                     to see the refusal */
    HTTP_REPLY_HEADERS_MAX = 24,
    HTTP_QUERY_MAX = 32,           /* parameters of one request that are looked at */
    HTTP_STREAM_BLOCK = 64 * 1024, /* read size of a streamed response */
    HTTP_CROWDED_PERCENT = 75,     /* of the connections a server may have: then patience shrinks */
    HTTP_CROWDED_WAITING_MS = 2000,   /* to this, for connections without a request */
    HTTP_CROWDED_RECEIVING_MS = 5000, /* and this, for requests that are not complete */
    HTTP_GUARD_TICK_MS = 250,         /* how late a deadline may be noticed */
};

#endif
