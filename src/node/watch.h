/* The one thread that may ask the node to stop: SIGTERM, SIGINT, SIGHUP, the end of the parent's
 * pipe (--exit-on-eof) and a data directory that was replaced under us (compatibility facts A.4).
 * It runs from before the first step of the start-up, so that every step can be cancelled. */
#ifndef NODE_WATCH_H
#define NODE_WATCH_H

#include <stdatomic.h>

#include "base/error.h"

struct watch;

enum watch_reason {
    WATCH_RUNNING,
    WATCH_SIGNAL,        /* SIGTERM or SIGHUP */
    WATCH_INTERRUPT,     /* SIGINT */
    WATCH_PARENT_GONE,   /* the descriptor of --exit-on-eof reached its end */
    WATCH_DATA_REPLACED, /* the data directory is another one than at start, or gone */
};
const char *watch_reason_text(enum watch_reason reason); /* "SIGTERM", "the parent closed ..." */

struct watch_options {
    int eof_fd;           /* -1 = none; stays the caller's */
    unsigned interval_ms; /* directory check; 0 = NODE_WATCH_INTERVAL_MS */
};

/* Blocks the stop signals in the calling thread (and so in all threads made later) and ignores
 * SIGPIPE: call it before any other thread exists. A signal that the parent set to "ignored" stays
 * ignored, SIGTERM excepted. Codes: watch/fd, watch/system. */
bool watch_start(const struct watch_options *options, struct watch **out,
                 struct error *err) MUST_USE;
void watch_stop(struct watch **w); /* ends the thread; NULL is fine */
#define WATCH_AUTO __attribute__((cleanup(watch_stop)))

/* Becomes true once, when the node shall stop; lives as long as the watch. */
const atomic_bool *watch_cancel(const struct watch *w);
enum watch_reason watch_reason(struct watch *w);
/* From now on `path` must stay the directory that it is at this moment. */
bool watch_directory(struct watch *w, const char *path, struct error *err) MUST_USE;
/* Blocks until there is a reason, or for timeout_ms (-1 = for ever), then WATCH_RUNNING. */
enum watch_reason watch_wait(struct watch *w, int timeout_ms);

#endif
