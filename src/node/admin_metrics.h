/* Counters of the admin API and the text of /metrics (OpenMetrics). Labels are bounded: methods and
 * statuses from fixed lists, never a path or a peer. */
#ifndef NODE_ADMIN_METRICS_H
#define NODE_ADMIN_METRICS_H

#include <stdatomic.h>

#include "base/bytes.h"

enum { ADMIN_METHODS = 6, ADMIN_STATUSES = 20 }; /* the last of each is "other" */

struct admin_metrics {
    atomic_ullong requests[ADMIN_METHODS][ADMIN_STATUSES];
    atomic_ullong quotes_made, quotes_failed, quotes_refused;
    atomic_ullong blob_bytes_in, blob_bytes_out;
};

/* What /metrics shows besides the counters. */
struct admin_gauges {
    bool ready;
    bool store_encrypted;
    int64_t started_s;
};

void admin_metrics_count(struct admin_metrics *m, const char *method, unsigned status);
/* The whole text, "# EOF" included. */
bool admin_metrics_write(struct admin_metrics *m, const struct admin_gauges *gauges,
                         struct buf *out) MUST_USE;

#endif
