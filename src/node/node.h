/* The life of a node process: start, serve until something asks to stop, stop. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "node/startup.h"

/*
 * Blocks for as long as the node runs. True after a clean stop: SIGTERM at any time, SIGINT or the
 * end of the parent's pipe while serving. Codes: interrupted (SIGINT during the start-up),
 * node/data-replaced, and those of the steps.
 */
bool node_run(const struct node_options *options, struct error *err) MUST_USE;

#endif
