/* Quotes through the kernel: /sys/kernel/config/tsm/report (configfs-tsm). Spec: platform facts 3.2
 * to 3.4. */
#ifndef PLATFORM_CONFIGFS_H
#define PLATFORM_CONFIGFS_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "platform/quote_source.h"

#define CONFIGFS_ROOT   "/sys/kernel/config/tsm/report"
#define CONFIGFS_PREFIX "merotee-" /* of our entries: merotee-<pid>-<random> */

struct configfs_request {
    const char *root;
    const uint8_t *report_data; /* [REPORT_DATA_LEN] */
    int64_t deadline_ms;        /* clock_monotonic_ms(); no try is begun after it */
    unsigned backoff_ms;        /* 0 = 1000; tests are less patient */
    const atomic_bool *stop;    /* gives up between tries when it is true; may be NULL */
};

/* Appends the quote. Blocks for as long as the kernel does (it waits up to 30 s for the host).
 * Every try has an entry of its own, which is removed again whatever happens. Codes:
 * platform/no-tee, platform/quote, platform/timeout, platform/busy, platform/report-data,
 * platform/canceled. */
bool configfs_take(const struct configfs_request *request, struct buf *quote,
                   struct error *err) MUST_USE;

/* Removes entries of ours whose process is gone; entries outlive their process. Best effort. */
void configfs_sweep(const char *root);

#endif
