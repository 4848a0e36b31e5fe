/* The text of a fresh config.toml (compatibility facts B.1). */
#ifndef NODE_INIT_FILE_H
#define NODE_INIT_FILE_H

#include "node/init.h"

/* Checks every option and appends the file. out holds a private key: BUF_INIT_SECRET. */
bool init_write_config(const struct node_init_options *options, const struct identity *identity,
                       struct buf *out, struct error *err) MUST_USE;

#endif
