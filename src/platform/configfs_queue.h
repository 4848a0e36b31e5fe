/* configfs-tsm for callers that cannot wait for ever: one quote at a time, each taken by a thread
 * of its own, because the kernel blocks for up to half a minute a try. A caller whose time is up
 * walks away; the thread clears up behind itself when the kernel lets it go. */
#ifndef PLATFORM_CONFIGFS_QUEUE_H
#define PLATFORM_CONFIGFS_QUEUE_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "platform/quote_source.h"

struct configfs_queue;

struct configfs_queue_options {
    const char *root;
    unsigned timeout_ms;
    unsigned backoff_ms;
    const atomic_bool *cancel; /* may be NULL */
};

/* Sweeps leftovers of dead processes. */
bool configfs_queue_open(const struct configfs_queue_options *options, struct configfs_queue **out,
                         struct error *err) MUST_USE;
/* When no take runs any more; does not wait for abandoned threads. */
void configfs_queue_close(struct configfs_queue **q);
/* As quote_source_take(). */
bool configfs_queue_take(struct configfs_queue *q, const uint8_t report_data[REPORT_DATA_LEN],
                         struct buf *quote, struct error *err) MUST_USE;

#endif
