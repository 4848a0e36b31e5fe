/* Event logs: whatever reads says every event once, and the counts agree. */
#include <stdlib.h>

#include "quote/eventlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void visit(const struct event *event, void *context)
{
    size_t *seen = context;
    check(event->index == *seen && event->imr < 4);
    check(event->imr == 3 || event->payload.len == 0);
    (*seen)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eventlog log;
    struct error err = {0};
    size_t seen = 0;
    if (!eventlog_read(slice_of(data, size), &log, visit, &seen, &err))
        check(error_is(&err, "eventlog/"));
    else
        check(log.count[0] + log.count[1] + log.count[2] + log.count[3] == seen);
    return 0;
}
