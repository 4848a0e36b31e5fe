/* `merod run` from the command line to a serving node, in the order of the compatibility facts C.
 * Every step fails closed: a start that does not end in a serving node has not touched the store.
 */
#ifndef NODE_STARTUP_H
#define NODE_STARTUP_H

#include "node/admin.h"
#include "node/dir_lock.h"
#include "node/settings.h"
#include "node/watch.h"

struct node_options {
    const char *dir; /* <home>/<node> */
    struct settings_overrides overrides;
    int eof_fd; /* --exit-on-eof; -1 = none */
};

/* What a start has built so far, in this order. */
struct node {
    const struct node_options *options;
    struct settings settings;
    struct watch *watch; /* the caller's */
    int dir_lock;
    struct dcap_verifier *verifier;
    struct quote_source *quotes; /* NULL without [tee] where the machine has none */
    struct admin *admin;
    struct secret key; /* gone once the store is open */
    struct store *store;
    int64_t started_us, step_us; /* monotonic */
};

/* Runs the steps; logs a line for each. On failure everything built is still in *node for
 * node_stop(). Code "interrupted" when the watch asked to stop. */
bool node_start(struct node *node, struct error *err) MUST_USE;
/* Undoes whatever was built, newest first. store_gone: the data directory is not ours any more, so
 * nothing may be written to it. */
void node_stop(struct node *node, bool store_gone);

#endif
