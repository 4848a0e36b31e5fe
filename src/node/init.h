/* `merod init`: a node directory with an identity and a configuration. Spec: compatibility facts
 * A.2, B.1, J.1. The stores are not created, only their directories: a store is born with the key
 * of the first run, never in clear before it. With kms_url the key is fetched here, before anything
 * is written, and the store is born at once. */
#ifndef NODE_INIT_H
#define NODE_INIT_H

#include "identity/identity.h"

enum { NODE_INIT_LIST_MAX = 64 }; /* --boot-nodes, --external-address */

/* The flags as given; node_init_defaults() fills in what clap would. Texts are borrowed. */
struct node_init_options {
    const char *dir; /* <home>/<node> */
    const char *boot_nodes[NODE_INIT_LIST_MAX];
    size_t boot_node_count;
    const char *boot_network; /* "calimero-dev", "ipfs": appended behind boot_nodes */
    const char *swarm_host;   /* csv of IP addresses */
    unsigned swarm_port;
    const char *server_host; /* csv of IP addresses */
    unsigned server_port;
    const char *auth_mode; /* "proxy", "token"; "embedded" is refused */
    bool mdns, advertise_address;
    const char *external_addresses[NODE_INIT_LIST_MAX];
    size_t external_address_count;
    uint64_t rendezvous_registrations_limit, relay_registrations_limit;
    uint64_t autonat_probe_interval_s, autonat_max_candidates;
    const char *mode; /* "standard", "read-only" */
    bool force;       /* delete an existing node directory first */
    /* The new node's [tee.kms.phala]: the key comes from this KMS. NULL = no [tee]. */
    const char *kms_url;
    /* Policy that judges the KMS (attestation.policy_json_path, facts B.5); only with kms_url. NULL
     * = whatever else `run` would go by, which refuses when there is nothing. */
    const char *kms_policy_path;
};
void node_init_defaults(struct node_init_options *options);

enum node_init_result {
    NODE_INIT_CREATED,
    NODE_INIT_ALREADY, /* "Node is already initialized in ...": nothing was touched */
};

/* peer_id: of the new node; empty for NODE_INIT_ALREADY. A failure before the old directory is
 * removed leaves it as it was. Codes: usage (an option's value), config/... ("Failed to load
 * existing configuration: ..."), store/locked (a merod runs there), file/...; with kms_url also all
 * that a start may fail with up to its open store. */
bool node_init(const struct node_init_options *options, enum node_init_result *result,
               char peer_id[PEER_ID_TEXT_MAX], struct error *err) MUST_USE;

#endif
