/* Every ceiling of the node room in one place: sizes in bytes, times in the unit of their name. */
#ifndef NODE_LIMITS_H
#define NODE_LIMITS_H

enum {
    NODE_BLOB_MAX = 1024 * 1024 * 1024,      /* one upload (compatibility facts E.4) */
    NODE_BLOB_LIST_MAX = 64 * 1024 * 1024,   /* JSON text of the blob list */
    NODE_MIME_SNIFF_LEN = 512,               /* leading bytes that decide a content type */
    NODE_ATTEST_BODY_MAX = 4096,             /* request body of tee/attest */
    NODE_ATTEST_REPLY_MAX = 8 * 1024 * 1024, /* a quote of 1 MiB, base64 and JSON view */
    NODE_TEE_QUEUE_MAX = 16,                 /* waiting tee/attest and tee/info requests */
    NODE_QUOTE_ANSWER_S = 90,                /* waiting for one's turn and the quote itself */
    NODE_METRICS_MAX = 64 * 1024,            /* text of /metrics */
    NODE_PATH_PREFIX_MAX = 200,              /* NODE_PATH_PREFIX */
    NODE_LISTEN_MAX = 16,                    /* server.listen addresses */
    NODE_LISTEN_TEXT_MAX = 300,              /* "host:port" */
    NODE_ADDRESSES_MAX = 256,                /* entries of any other list of multiaddrs */
    NODE_ADDRESS_TEXT_MAX = 1024,            /* characters of a multiaddr */
    NODE_ADDRESS_PORTS_MAX = 4,              /* ports in one multiaddr */
    NODE_HOST_MAX = 256,                     /* host of a multiaddr, with its NUL */
    NODE_HTTP_THREADS = 4,                   /* poll threads; uploads block on disk in them */
    NODE_DRAIN_MS = 8000,                    /* running requests at shutdown */
    NODE_WATCH_INTERVAL_MS = 5000,           /* data directory check (A.4) */
    NODE_PROBE_BUDGET_MS = 10000,            /* retries of `kms probe`; a start has longer */
    NODE_RELEASE_VERSION_MAX = 64,           /* characters of a release version */
    NODE_STARTS_RECORD_MAX = 1024,           /* the start record in the datastore */
    NODE_NOTIFY_STATE_MAX = 512,             /* one sd_notify datagram */
};

#endif
