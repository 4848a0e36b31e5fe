/* Every ceiling of the exchange, in characters where the wire is text (compatibility facts C.2,
 * D.2, D.3, D.6, J.1). */
#ifndef KEYRELEASE_LIMITS_H
#define KEYRELEASE_LIMITS_H

enum {
    /* Requests, as the KMS bounds them. */
    KEYRELEASE_REQUEST_MAX = 65536, /* bytes of a body */
    KEYRELEASE_PEER_ID_MAX = 128,

    /* Replies, as the node bounds them. */
    KEYRELEASE_REPLY_MAX = 1024 * 1024, /* bytes of a body */
    KEYRELEASE_QUOTE_TEXT_MAX = 131072,
    KEYRELEASE_REPORT_DATA_TEXT_MAX = 1024,
    KEYRELEASE_CHALLENGE_ID_MAX = 512,
    KEYRELEASE_NONCE_TEXT_MAX = 2048,
    KEYRELEASE_KEY_TEXT_MAX = 4096, /* hex digits */
    KEYRELEASE_KEY_MIN = 32,        /* bytes */
    KEYRELEASE_SEALED_TEXT_MAX = 8192,
    KEYRELEASE_ERROR_TAG_MAX = 64,

    /* The node's time. */
    KEYRELEASE_REQUEST_MS = 30000, /* one HTTP exchange */
    KEYRELEASE_BUDGET_MS = 60000,  /* after that no retry starts */
    KEYRELEASE_BACKOFF_MS = 250,   /* doubles each time, up to: */
    KEYRELEASE_BACKOFF_MAX_MS = 5000,
    KEYRELEASE_CHALLENGE_AGAIN_MAX = 3, /* when one expired while the quote was made */
};

#endif
