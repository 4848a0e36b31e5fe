/* What a trust root holds, for the checks of this room. */
#ifndef SIGSTORE_TRUST_INTERNAL_H
#define SIGSTORE_TRUST_INTERNAL_H

#include <openssl/x509.h>

#include "sigstore/key.h"
#include "sigstore/limits.h"
#include "sigstore/trust.h"
#include "sigstore/window.h"

enum { LOG_ID_LEN = 32, KEY_HINT_LEN = 4 };

/* A transparency or certificate log. */
struct sigstore_log {
    EVP_PKEY *key;
    uint8_t id[LOG_ID_LEN];
    uint8_t hint[KEY_HINT_LEN];   /* names its key in checkpoints */
    char host[SIGSTORE_HOST_MAX]; /* its name in checkpoints */
    struct sigstore_window window;
};

/* A certificate or timestamp authority. */
struct sigstore_authority {
    X509 *certs[SIGSTORE_CHAIN_MAX]; /* in the order of the document; the last is the anchor */
    size_t count;
    struct sigstore_window window;
};

struct sigstore_logs {
    struct sigstore_log list[SIGSTORE_AUTHORITIES_MAX];
    size_t count;
};

struct sigstore_authorities {
    struct sigstore_authority list[SIGSTORE_AUTHORITIES_MAX];
    size_t count;
};

struct sigstore_trust {
    uint8_t sha256[SHA256_LEN];
    int64_t newest_key_ms;
    size_t left_out;
    struct sigstore_logs logs, ct_logs;
    struct sigstore_authorities cas, tsas;
};

#endif
