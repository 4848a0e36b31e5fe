/* Every ceiling of the KMS that is not a setting. */
#ifndef KMS_LIMITS_H
#define KMS_LIMITS_H

enum {
    /* settings */
    KMS_TEXT_MAX = 512,
    KMS_ORIGINS_MAX = 32,
    KMS_BINDINGS_MAX = 32,
    KMS_PROXIES_MAX = 64,
    KMS_URLS_MAX = 8, /* what a verifier takes */
    KMS_FINDINGS_MAX = 64,
    KMS_PIN_FILE_MAX = 4096,
    KMS_PEM_FILE_MAX = 256 * 1024,
    KMS_TTL_MAX_S = 86400,

    /* requests */
    KMS_CONNECTIONS_MAX = 4096,
    KMS_IDLE_S = 30,
    KMS_REQUEST_DEADLINE_S = 30,
    KMS_DRAIN_MS = 10000,
    KMS_FORWARDED_HOPS_MAX = 32, /* of X-Forwarded-For */

    /* What a request may wait for, together less than its deadline, so that it ends with its own
     * tag and not with the server's. */
    KMS_AGENT_MS = 12000,
    KMS_COLLATERAL_MS = 12000,
    KMS_COLLATERAL_REQUEST_MS = 6000,

    /* Work that blocks: /get-key verifies and asks the agent, /attest takes quotes. Quotes are
     * taken one at a time by the hardware. */
    KMS_GET_KEY_WORKERS = 8,
    KMS_GET_KEY_IN_FLIGHT = 128,
    KMS_ATTEST_WORKERS = 2,
    KMS_ATTEST_IN_FLIGHT = 32,
    KMS_WORKER_STACK = 512 * 1024,

    /* challenges */
    KMS_CHALLENGE_SKEW_S = 30, /* how long behind its end a used one is remembered */

    /* sources of requests */
    KMS_SOURCE_SETS = 2048, /* times eight sources: what is remembered of callers */

    /* own platform */
    KMS_SELF_RETRY_MIN_MS = 500,
    KMS_SELF_RETRY_MAX_MS = 30000,
    KMS_SELF_REFRESH_S = 3600,
};

#endif
