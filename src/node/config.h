/* merod's configuration: config.toml read into typed settings, judged, and resolved into the policy
 * that counts. Spec: compatibility facts B, settings.md. A file written by the existing merod
 * loads; unknown keys are ignored here and survive every edit.
 *
 * Codes of every failure: config/not-initialized, config/missing, config/type, config/value,
 * config/policy-file, config/validation, toml/..., file/..., identity/.... */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "base/file.h"
#include "dcap/verifier.h"
#include "identity/identity.h"
#include "node/limits.h"
#include "platform/quote_source.h"
#include "policy/policy.h"

#define NODE_CONFIG_FILE "config.toml"

enum node_mode { NODE_MODE_STANDARD, NODE_MODE_READ_ONLY };
enum node_auth_mode {
    NODE_AUTH_PROXY,    /* somebody in front of the node asks for credentials */
    NODE_AUTH_EMBEDDED, /* the existing merod's own; read, then refused by validation */
    NODE_AUTH_TOKEN,    /* ours: bearer tokens */
};

/* A multiaddr such as "/ip4/127.0.0.1/tcp/2528". */
struct node_address {
    const char *text;
    char host[NODE_HOST_MAX]; /* "127.0.0.1", "::1", "example.org"; empty when it names none */
    bool is_ip;
    struct {
        bool udp; /* else TCP */
        uint16_t number;
    } ports[NODE_ADDRESS_PORTS_MAX];
    size_t port_count;
    bool ends_in_peer_id; /* .../p2p/<peer id> */
};

struct node_addresses {
    struct node_address *at;
    size_t count;
};

/* A setting that may be absent. */
struct node_optional {
    bool given;
    uint64_t value;
};

struct node_duration {
    uint64_t secs, nanos; /* as written, nanos may exceed a second */
};

enum node_auth_storage { NODE_AUTH_STORAGE_ROCKSDB, NODE_AUTH_STORAGE_MEMORY };

/* [server.embedded_auth] of the existing merod: judged as there, never used. */
struct node_embedded_auth {
    bool present;
    char host[NODE_HOST_MAX]; /* of listen_addr */
    uint16_t port;
    const char *issuer;
    uint64_t access_token_expiry, refresh_token_expiry; /* seconds */
    enum node_auth_storage storage;
    const char *storage_path; /* rocksdb: relative to the node directory */
    uint64_t min_password_length, max_password_length;
};

struct node_server_config {
    struct node_addresses listen; /* /ip4|ip6/<address>/tcp/<port>, at most NODE_LISTEN_MAX */
    enum node_auth_mode auth_mode;
    bool has_admin, admin_enabled; /* without its table a service is off */
    bool has_jsonrpc, jsonrpc_enabled;
    bool has_sse, sse_enabled;
    bool has_websocket, websocket_enabled;
    uint64_t ping_interval_secs, pong_timeout_secs;
    struct node_embedded_auth embedded_auth;
};

/* Read and validated, and kept in the file; the swarm itself is not built yet. */
struct node_swarm_config {
    struct node_addresses listen;
    struct node_addresses bootstrap;
    bool mdns; /* the key absent means true */
    bool advertise_address;
    struct node_addresses external_address;
    const char *rendezvous_namespace;
    double discovery_rpm;
    struct node_duration discovery_interval;
    uint64_t rendezvous_registrations_limit;
    uint64_t relay_registrations_limit;
    uint64_t autonat_max_candidates;
    struct node_duration autonat_probe_interval;
};

struct node_sync_config {
    uint64_t timeout_ms, session_deadline_ms, interval_ms, frequency_ms;
};

struct node_runtime_limits {
    struct node_optional max_logs, max_log_size, max_precompiled_module_size, max_gas;
};

struct toml;

struct node_attestation_config {
    bool enabled, accept_mock;
    bool has_binding;
    uint8_t binding[POLICY_BINDING_LEN];
    const char *policy_json_path; /* NULL when unset or already resolved */
    /* As written: arrays of strings, NULL when absent. policy is what counts. */
    const struct toml *statuses, *lists[POLICY_REGISTERS], *compose_hashes, *sets;
    bool resolved;        /* by node_config_resolve_policy(): policy is filled */
    struct policy policy; /* owned; lists_required is left to the caller */
};

struct node_tee_config {
    bool has_kms; /* [tee.kms.phala] is there; validation refuses a [tee] without it */
    const char *url;
    const char *tls_ca_path, *tls_client_cert_path, *tls_client_key_path; /* NULL when unset */
    struct node_attestation_config attestation;
    bool insecure_skip_kms_verification, insecure_allow_clear_key_release;
    const char *collateral_urls[DCAP_ENDPOINTS_MAX];
    size_t collateral_url_count;                /* 0 = Intel PCS */
    char collateral_dir[PATH_TEXT_MAX];         /* empty = memory only */
    const char *release_base_url, *release_dir; /* NULL = the official release base; no directory */
    bool insecure_allow_policy_downgrade;
    enum quote_source_kind quote_source; /* auto, configfs-tsm or dstack */
    const char *dstack_socket;           /* NULL = search list */
};

/* Texts point into the document, which lives as long as the configuration. */
struct node_config {
    struct toml_document *document;
    char dir[PATH_TEXT_MAX]; /* the node directory */
    enum node_mode mode;
    struct identity *identity;
    bool identity_is_temporary; /* no [identity] in the file: made up at this load, never saved */
    struct node_server_config server;
    struct node_swarm_config swarm;
    struct node_sync_config sync;
    struct node_runtime_limits runtime;
    char datastore_dir[PATH_TEXT_MAX], blobstore_dir[PATH_TEXT_MAX]; /* below dir unless absolute */
    bool has_tee; /* the one switch of TEE mode */
    struct node_tee_config tee;
};

/* True when dir holds a config.toml: what "initialized" means. */
bool node_config_exists(const char *dir);
/* Reads <dir>/config.toml: syntax, types, required keys, identity. "Node is not initialized in
 * ..." when there is none. */
bool node_config_load(const char *dir, struct node_config **out, struct error *err) MUST_USE;
/* The same for a candidate that is not on disk yet; dir is the directory it is meant for. */
bool node_config_parse(struct slice text, const char *dir, struct node_config **out,
                       struct error *err) MUST_USE;
void node_config_free(struct node_config **config);
#define NODE_CONFIG_AUTO __attribute__((cleanup(node_config_free)))

/* --auth-mode: "proxy", "token" or "embedded"; code usage. */
bool node_config_set_auth_mode(struct node_config *config, const char *text,
                               struct error *err) MUST_USE;

/* Makes tee.attestation.policy: the lists and sets of the file, replaced by those of
 * policy_json_path where it has them, then checked as an enabled policy must be (facts B.5). Does
 * nothing without [tee.kms.phala] or while attestation is not enabled. Message prefixed with
 * "Failed to resolve tee.kms.phala.attestation policy (including external policy_json_path)". */
bool node_config_resolve_policy(struct node_config *config, struct error *err) MUST_USE;

/* All of facts B.4 in its order, plus what a start would refuse later for the same file (KMS URL,
 * binding, malformed measurements, embedded auth, a TEE node without [identity]). Creates and
 * removes a probe file in the data directories. Code config/validation. */
bool node_config_validate(const struct node_config *config, struct error *err) MUST_USE;

/* "127.0.0.1:2528", "[::1]:2528": what an HTTP server listens on. */
void node_address_endpoint(const struct node_address *address, char out[NODE_LISTEN_TEXT_MAX]);

#endif
