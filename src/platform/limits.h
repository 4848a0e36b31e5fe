/* Ceilings of the platform room in one place. */
#ifndef PLATFORM_LIMITS_H
#define PLATFORM_LIMITS_H

enum {
    /* dstack agent */
    DSTACK_TIMEOUT_MS = 30000,
    DSTACK_REPLY_MAX = 4 * 1024 * 1024, /* quote, event log, configuration */
    DSTACK_KEY_REPLY_MAX = 16 * 1024,
    DSTACK_ERROR_REPLY_MAX = 64 * 1024,
    DSTACK_ERROR_TEXT_MAX = 200, /* bytes of the agent's own words in a message */
    DSTACK_CLIENTS_MAX = 16,     /* connections kept for reuse */
    DSTACK_KEY_LEN = 32,
    DSTACK_KEY_TEXT_MAX = 256, /* hex, with prefixes */

    /* configfs-tsm */
    QUOTE_TIMEOUT_MS = 60000,
    CONFIGFS_NAME_TRIES = 8,
    CONFIGFS_ATTRIBUTE_MAX = 64, /* provider, generation */
    CONFIGFS_BACKOFF_MS = 1000,  /* doubled from try to try */
    CONFIGFS_BACKOFF_DOUBLINGS = 4,
    CONFIGFS_POLL_MS = 50, /* how long a cancel flag or a deadline may go unseen */

    /* metadata and measurements */
    METADATA_TIMEOUT_MS = 2000,
    METADATA_REPLY_MAX = 1024,
};

#endif
