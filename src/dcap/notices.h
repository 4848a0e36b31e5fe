/* How this room tells its caller what is worth a log line but is no failure: rooms do not log. */
#ifndef DCAP_NOTICES_H
#define DCAP_NOTICES_H

#include "base/error.h"

struct dcap_notices {
    /* May be called from any thread that uses the verifier; NULL = nobody listens. code is stable:
     * cache/unreadable, cache/unwritable, collateral/unreachable, collateral/refused. */
    void (*warn)(void *context, const char *code, const char *message);
    void *context;
};

void dcap_notices_warn(const struct dcap_notices *notices, const char *code, const char *format,
                       ...) PRINTF_LIKE(3, 4);

#endif
