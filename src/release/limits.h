/* Every ceiling of this room. */
#ifndef RELEASE_LIMITS_H
#define RELEASE_LIMITS_H

enum {
    RELEASE_VERSION_MAX = 64,          /* "2.3.71-rc.1", with NUL */
    RELEASE_POLICY_MAX = 1024 * 1024,  /* the policy, bytes */
    RELEASE_BUNDLE_MAX = 1024 * 1024,  /* its Sigstore bundle */
    RELEASE_SIGNATURE_MAX = 64 * 1024, /* its .sig */
    RELEASE_URL_MAX = 2048,            /* with NUL */
    RELEASE_NAME_MAX = 160,            /* of an asset, with NUL */
    RELEASE_TIMEOUT_MS = 30000,        /* one request */
    RELEASE_ATTEMPTS = 3,              /* for the three assets together */
    RELEASE_BACKOFF_MS = 250,          /* after the first failure; doubles */
    RELEASE_BACKOFF_MAX_MS = 60000,
    RELEASE_REDIRECTS_MAX = 5, /* GitHub answers with one */
    RELEASE_MEMORY_MAX = 4096, /* the file that remembers the newest version */
};

#endif
