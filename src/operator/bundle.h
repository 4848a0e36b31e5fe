/* A bundle: one verification with everything that its answer was made from, so that anybody can
 * repeat it, a refusal included. JSON of schema "mero.bundle/1": at, quote_b64, collateral {nine
 * members}, and where they were given event_log, policy, role, accept_status, allow_debug, nonce.
 * Believed in nothing but what the verification checks again: it says which time and policy were
 * used, so it is replayed only when asked for (--replay). */
#ifndef OPERATOR_BUNDLE_H
#define OPERATOR_BUNDLE_H

#include "dcap/collateral.h"

enum { BUNDLE_MAX = 24 * 1024 * 1024, BUNDLE_TEXT_MAX = 1024 };

struct bundle {
    int64_t at_s;
    struct buf quote;             /* owned */
    struct collateral collateral; /* owned */
    struct buf event_log;         /* JSON text, empty = none; owned */
    struct buf policy;            /* JSON text, empty = none; owned */
    char role[16];                /* these are empty when not given */
    char accept_status[BUNDLE_TEXT_MAX];
    char nonce_hex[160];
    bool allow_debug;
};

void bundle_init(struct bundle *b);
void bundle_free(struct bundle *b);
#define BUNDLE_AUTO __attribute__((cleanup(bundle_free)))

bool bundle_write(const struct bundle *b, const char *path, struct error *err) MUST_USE;
bool bundle_read(const char *path, struct bundle *out, struct error *err) MUST_USE;

#endif
