/* What the files of the configuration share. */
#ifndef NODE_CONFIG_INTERNAL_H
#define NODE_CONFIG_INTERNAL_H

#include "node/config.h"

#define CONFIG_ATTESTATION "tee.kms.phala.attestation"

/* The policy that the lists and sets of the file make. complete: an empty list is refused as facts
 * B.4 word it, unless the sets name that register in every set. *out is initialised here. */
bool config_policy_of_file(const struct node_config *c, bool complete, struct policy *out,
                           struct error *err) MUST_USE;
/* node_config_resolve_policy() with other directories than /etc/calimero and /run/calimero. */
bool config_resolve_policy_under(struct node_config *c, const char *const *dirs, size_t dir_count,
                                 struct error *err) MUST_USE;
/* node_config_validate() for a node whose directory does not exist yet. */
bool config_validate_before_dirs(const struct node_config *config, struct error *err) MUST_USE;

#endif
