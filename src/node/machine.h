/* The parts through which a node attests and verifies: where its quotes come from, and the verifier
 * with its collateral. Opened from configuration and environment alike for `run` and the probes. */
#ifndef NODE_MACHINE_H
#define NODE_MACHINE_H

#include <stdatomic.h>

#include "dcap/verifier.h"
#include "node/config.h"
#include "node/env.h"
#include "platform/quote_source.h"

/* MERO_COLLATERAL_URLS (csv) counts before tee.collateral.urls; the cache is
 * tee.collateral.cache_dir, by default "collateral" in the node directory; empty (a configuration
 * that is not written yet) = memory only. */
bool machine_open_verifier(const struct node_config *config, const struct node_env *env,
                           struct dcap_verifier **out, struct error *err) MUST_USE;
/* tee.quote_source and tee.dstack_socket; mock: --mock-tee (development builds). cancel may be
 * NULL. */
bool machine_open_quotes(const struct node_config *config, const struct node_env *env, bool mock,
                         const atomic_bool *cancel, struct quote_source **out,
                         struct error *err) MUST_USE;

#endif
