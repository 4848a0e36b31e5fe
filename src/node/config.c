/* config.toml into struct node_config: the tables of settings, identity, paths.
 * Spec: compatibility facts B.1-B.3 (required keys, defaults), settings.md. */
#include "node/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/codec.h"
#include "node/config_address.h"
#include "node/config_read.h"

static const char *const modes[] = {"standard", "readonly", NULL};
static const char *const auth_modes[] = {"proxy", "embedded", "token", NULL};
static const char *const storages[] = {"rocksdb", "memory", NULL};
static const char *const quote_sources[] = {"auto", "configfs-tsm", "dstack", NULL};
static_assert(QUOTE_SOURCE_AUTO == 0 && QUOTE_SOURCE_CONFIGFS == 1 && QUOTE_SOURCE_DSTACK == 2,
              "quote_sources has the order of the enum");

enum { OPTIONAL = false, REQUIRED = true };

#define AT(member) offsetof(struct node_config, member)
#define ROW(path, kind, required, member)                                                          \
    {                                                                                              \
        path, SETTING_##kind, required, AT(member), NULL                                           \
    }
#define CHECK(path, required)                                                                      \
    {                                                                                              \
        path, SETTING_TABLE, required, SETTING_NOWHERE, NULL                                       \
    }
#define CHOICE(path, required, member, of)                                                         \
    {                                                                                              \
        path, SETTING_CHOICE, required, AT(member), of                                             \
    }

static const struct setting settings[] = {
    CHOICE("mode", OPTIONAL, mode, modes),

    CHECK("swarm", REQUIRED),
    ROW("swarm.listen", ADDRESSES, REQUIRED, swarm.listen),

    CHECK("server", REQUIRED),
    ROW("server.listen", ADDRESSES, REQUIRED, server.listen),
    CHOICE("server.auth_mode", OPTIONAL, server.auth_mode, auth_modes),
    ROW("server.admin", TABLE, OPTIONAL, server.has_admin),
    ROW("server.admin.enabled", BOOL, OPTIONAL, server.admin_enabled),
    ROW("server.jsonrpc", TABLE, OPTIONAL, server.has_jsonrpc),
    ROW("server.jsonrpc.enabled", BOOL, OPTIONAL, server.jsonrpc_enabled),
    ROW("server.sse", TABLE, OPTIONAL, server.has_sse),
    ROW("server.sse.enabled", BOOL, OPTIONAL, server.sse_enabled),
    ROW("server.websocket", TABLE, OPTIONAL, server.has_websocket),
    ROW("server.websocket.enabled", BOOL, OPTIONAL, server.websocket_enabled),
    ROW("server.websocket.ping_interval_secs", UNSIGNED, OPTIONAL, server.ping_interval_secs),
    ROW("server.websocket.pong_timeout_secs", UNSIGNED, OPTIONAL, server.pong_timeout_secs),

    ROW("server.embedded_auth", TABLE, OPTIONAL, server.embedded_auth.present),
    CHECK("server.embedded_auth.jwt", REQUIRED),
    ROW("server.embedded_auth.jwt.issuer", TEXT, REQUIRED, server.embedded_auth.issuer),
    ROW("server.embedded_auth.jwt.access_token_expiry", UNSIGNED, OPTIONAL,
        server.embedded_auth.access_token_expiry),
    ROW("server.embedded_auth.jwt.refresh_token_expiry", UNSIGNED, OPTIONAL,
        server.embedded_auth.refresh_token_expiry),
    CHECK("server.embedded_auth.storage", REQUIRED),
    CHOICE("server.embedded_auth.storage.type", REQUIRED, server.embedded_auth.storage, storages),
    ROW("server.embedded_auth.storage.path", TEXT, OPTIONAL, server.embedded_auth.storage_path),
    CHECK("server.embedded_auth.user_password", OPTIONAL),
    ROW("server.embedded_auth.user_password.min_password_length", UNSIGNED, OPTIONAL,
        server.embedded_auth.min_password_length),
    ROW("server.embedded_auth.user_password.max_password_length", UNSIGNED, OPTIONAL,
        server.embedded_auth.max_password_length),

    CHECK("bootstrap", OPTIONAL),
    ROW("bootstrap.nodes", ADDRESSES, OPTIONAL, swarm.bootstrap),

    CHECK("discovery", OPTIONAL),
    ROW("discovery.mdns", BOOL, OPTIONAL, swarm.mdns),
    ROW("discovery.advertise_address", BOOL, REQUIRED, swarm.advertise_address),
    ROW("discovery.external_address", ADDRESSES, OPTIONAL, swarm.external_address),
    CHECK("discovery.rendezvous", REQUIRED),
    ROW("discovery.rendezvous.namespace", TEXT, REQUIRED, swarm.rendezvous_namespace),
    ROW("discovery.rendezvous.discovery_rpm", FLOAT, REQUIRED, swarm.discovery_rpm),
    CHECK("discovery.rendezvous.discovery_interval", REQUIRED),
    ROW("discovery.rendezvous.discovery_interval.secs", UNSIGNED, REQUIRED,
        swarm.discovery_interval.secs),
    ROW("discovery.rendezvous.discovery_interval.nanos", UNSIGNED, REQUIRED,
        swarm.discovery_interval.nanos),
    ROW("discovery.rendezvous.registrations_limit", UNSIGNED, REQUIRED,
        swarm.rendezvous_registrations_limit),
    CHECK("discovery.relay", REQUIRED),
    ROW("discovery.relay.registrations_limit", UNSIGNED, REQUIRED, swarm.relay_registrations_limit),
    CHECK("discovery.autonat", REQUIRED),
    ROW("discovery.autonat.max_candidates", UNSIGNED, REQUIRED, swarm.autonat_max_candidates),
    CHECK("discovery.autonat.probe_interval", REQUIRED),
    ROW("discovery.autonat.probe_interval.secs", UNSIGNED, REQUIRED,
        swarm.autonat_probe_interval.secs),
    ROW("discovery.autonat.probe_interval.nanos", UNSIGNED, REQUIRED,
        swarm.autonat_probe_interval.nanos),

    CHECK("sync", REQUIRED),
    ROW("sync.timeout_ms", UNSIGNED, REQUIRED, sync.timeout_ms),
    ROW("sync.session_deadline_ms", UNSIGNED, OPTIONAL, sync.session_deadline_ms),
    ROW("sync.interval_ms", UNSIGNED, REQUIRED, sync.interval_ms),
    ROW("sync.frequency_ms", UNSIGNED, REQUIRED, sync.frequency_ms),

    CHECK("datastore", REQUIRED),
    CHECK("blobstore", REQUIRED),
    CHECK("context", REQUIRED),
    CHECK("runtime", OPTIONAL),
    CHECK("runtime.limits", OPTIONAL),
    ROW("runtime.limits.max_logs", OPTIONAL, OPTIONAL, runtime.max_logs),
    ROW("runtime.limits.max_log_size", OPTIONAL, OPTIONAL, runtime.max_log_size),
    ROW("runtime.limits.max_precompiled_module_size", OPTIONAL, OPTIONAL,
        runtime.max_precompiled_module_size),
    ROW("runtime.limits.max_gas", OPTIONAL, OPTIONAL, runtime.max_gas),

    ROW("tee", TABLE, OPTIONAL, has_tee),
    CHECK("tee.kms", REQUIRED),
    ROW("tee.kms.phala", TABLE, OPTIONAL, tee.has_kms),
    ROW("tee.kms.phala.url", TEXT, REQUIRED, tee.url),
    ROW("tee.kms.phala.insecure_skip_kms_verification", BOOL, OPTIONAL,
        tee.insecure_skip_kms_verification),
    ROW("tee.kms.phala.insecure_allow_clear_key_release", BOOL, OPTIONAL,
        tee.insecure_allow_clear_key_release),
    CHECK("tee.kms.phala.tls", OPTIONAL),
    ROW("tee.kms.phala.tls.ca_cert_path", TEXT, OPTIONAL, tee.tls_ca_path),
    ROW("tee.kms.phala.tls.client_cert_path", TEXT, OPTIONAL, tee.tls_client_cert_path),
    ROW("tee.kms.phala.tls.client_key_path", TEXT, OPTIONAL, tee.tls_client_key_path),
    CHECK("tee.kms.phala.attestation", OPTIONAL),
    ROW("tee.kms.phala.attestation.enabled", BOOL, OPTIONAL, tee.attestation.enabled),
    ROW("tee.kms.phala.attestation.accept_mock", BOOL, OPTIONAL, tee.attestation.accept_mock),
    ROW("tee.kms.phala.attestation.allowed_tcb_statuses", TEXTS, OPTIONAL,
        tee.attestation.statuses),
    ROW("tee.kms.phala.attestation.allowed_mrtd", TEXTS, OPTIONAL,
        tee.attestation.lists[POLICY_MRTD]),
    ROW("tee.kms.phala.attestation.allowed_rtmr0", TEXTS, OPTIONAL,
        tee.attestation.lists[POLICY_RTMR0]),
    ROW("tee.kms.phala.attestation.allowed_rtmr1", TEXTS, OPTIONAL,
        tee.attestation.lists[POLICY_RTMR1]),
    ROW("tee.kms.phala.attestation.allowed_rtmr2", TEXTS, OPTIONAL,
        tee.attestation.lists[POLICY_RTMR2]),
    ROW("tee.kms.phala.attestation.allowed_rtmr3", TEXTS, OPTIONAL,
        tee.attestation.lists[POLICY_RTMR3]),
    ROW("tee.kms.phala.attestation.allowed_compose_hashes", TEXTS, OPTIONAL,
        tee.attestation.compose_hashes),
    ROW("tee.kms.phala.attestation.allowed_set", TABLES, OPTIONAL, tee.attestation.sets),
    ROW("tee.kms.phala.attestation.policy_json_path", TEXT, OPTIONAL,
        tee.attestation.policy_json_path),

    CHECK("tee.collateral", OPTIONAL),
    CHECK("tee.release", OPTIONAL),
    ROW("tee.release.base_url", TEXT, OPTIONAL, tee.release_base_url),
    ROW("tee.release.dir", TEXT, OPTIONAL, tee.release_dir),
    ROW("tee.release.insecure_allow_policy_downgrade", BOOL, OPTIONAL,
        tee.insecure_allow_policy_downgrade),
    CHOICE("tee.quote_source", OPTIONAL, tee.quote_source, quote_sources),
    ROW("tee.dstack_socket", TEXT, OPTIONAL, tee.dstack_socket),
};

/* Texts that become something else. */
struct raw_settings {
    const char *peer_id, *keypair;
    const char *datastore, *blobstore, *collateral_dir;
    const char *binding, *embedded_listen;
    const struct toml *collateral_urls;
};

#define RAW(path, kind, required, member)                                                          \
    {                                                                                              \
        path, SETTING_##kind, required, offsetof(struct raw_settings, member), NULL                \
    }

static const struct setting raw_rows[] = {
    CHECK("identity", OPTIONAL),
    RAW("identity.peer_id", TEXT, REQUIRED, peer_id),
    RAW("identity.keypair", TEXT, REQUIRED, keypair),
    RAW("datastore.path", TEXT, REQUIRED, datastore),
    RAW("blobstore.path", TEXT, REQUIRED, blobstore),
    RAW("server.embedded_auth.listen_addr", TEXT, OPTIONAL, embedded_listen),
    RAW("tee.kms.phala.attestation.binding_b64", TEXT, OPTIONAL, binding),
    RAW("tee.collateral.urls", TEXTS, OPTIONAL, collateral_urls),
    RAW("tee.collateral.cache_dir", TEXT, OPTIONAL, collateral_dir),
};

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* What a setting has when its key is absent. */
static void set_defaults(struct node_config *c)
{
    c->server.admin_enabled = c->server.jsonrpc_enabled = true;
    c->server.sse_enabled = c->server.websocket_enabled = true;
    c->server.ping_interval_secs = 30;
    c->server.pong_timeout_secs = 10;
    c->server.embedded_auth.access_token_expiry = 3600;
    c->server.embedded_auth.refresh_token_expiry = 2592000;
    c->server.embedded_auth.min_password_length = 8;
    c->server.embedded_auth.max_password_length = 128;
    c->swarm.mdns = true;
    c->swarm.rendezvous_namespace = "/calimero/devnet/global";
    c->swarm.discovery_rpm = 0.5;
    c->swarm.discovery_interval.secs = 15;
    c->swarm.rendezvous_registrations_limit = 3;
    c->swarm.relay_registrations_limit = 3;
    c->swarm.autonat_max_candidates = 5;
    c->swarm.autonat_probe_interval.secs = 10;
    c->sync.session_deadline_ms = 30000;
    c->tee.url = "";
}

static bool take_identity(struct node_config *c, const struct raw_settings *raw, struct error *err)
{
    const struct toml *root = toml_root(c->document);
    if (raw->keypair == NULL) {
        c->identity_is_temporary = true;
        return identity_generate(&c->identity, err);
    }
    struct error why = {0};
    /* an empty peer id would not be compared */
    struct slice peer_id = slice_str(raw->peer_id[0] != 0 ? raw->peer_id : "-");
    if (identity_from_text(slice_str(raw->keypair), peer_id, &c->identity, &why)) {
        toml_forget(c->document, "identity.keypair"); /* the document lives on, the key moved */
        return true;
    }
    bool lies = error_is(&why, "identity/mismatch");
    const char *path = lies ? "identity.peer_id" : "identity.keypair";
    return setting_fail(err, why.code, path, toml_find(root, path), "%s: %s", path, why.message);
}

/* "127.0.0.1:3001" or "[::1]:3001", read as the multiaddr that says the same. */
static bool parse_socket_address(const char *text, struct node_address *out)
{
    char multiaddr[NODE_HOST_MAX];
    struct slice host = slice_str(text), port = host;
    while (host.len > 0 && host.data[host.len - 1] != ':')
        host.len--;
    if (host.len == 0)
        return false;
    port = slice_cut(port, host.len, port.len);
    host.len--; /* the colon */
    bool v6 = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (v6)
        host = slice_cut(host, 1, host.len - 2);
    int len =
        snprintf(multiaddr, sizeof multiaddr, "/%s/%.*s/tcp/%.*s", v6 ? "ip6" : "ip4",
                 (int)host.len, (const char *)host.data, (int)port.len, (const char *)port.data);
    return len >= 0 && (size_t)len < sizeof multiaddr && address_parse(multiaddr, out) == NULL &&
           out->port_count == 1;
}

static bool check_embedded_storage(const struct node_config *c, struct error *err)
{
    static const char path[] = "server.embedded_auth.storage";
    const struct node_embedded_auth *auth = &c->server.embedded_auth;
    if (!auth->present || auth->storage != NODE_AUTH_STORAGE_ROCKSDB || auth->storage_path != NULL)
        return true;
    return setting_fail(err, "config/missing", path, toml_find(toml_root(c->document), path),
                        "missing field `path` in [%s]", path);
}

static bool take_embedded_listen(struct node_config *c, const char *text, struct error *err)
{
    static const char path[] = "server.embedded_auth.listen_addr";
    struct node_embedded_auth *auth = &c->server.embedded_auth;
    const char *addr = text != NULL ? text : "127.0.0.1:3001";
    struct node_address parsed;
    if (!parse_socket_address(addr, &parsed))
        return setting_fail(err, "config/value", path, toml_find(toml_root(c->document), path),
                            "%s: invalid socket address: %s", path, addr);
    snprintf(auth->host, sizeof auth->host, "%s", parsed.host);
    auth->port = parsed.ports[0].number;
    return true;
}

static bool take_collateral(struct node_config *c, const struct raw_settings *raw,
                            struct error *err)
{
    size_t count = toml_count(raw->collateral_urls);
    if (count > DCAP_ENDPOINTS_MAX)
        return setting_fail(err, "config/value", "tee.collateral.urls", raw->collateral_urls,
                            "tee.collateral.urls has more than %d entries", DCAP_ENDPOINTS_MAX);
    for (size_t i = 0; i < count; i++)
        c->tee.collateral_urls[i] = setting_text_at(raw->collateral_urls, i);
    c->tee.collateral_url_count = count;
    return path_join(c->dir, raw->collateral_dir != NULL ? raw->collateral_dir : "collateral",
                     c->tee.collateral_dir, err);
}

static bool take_binding(struct node_config *c, const char *text, struct error *err)
{
    static const char path[] = "tee.kms.phala.attestation.binding_b64";
    struct node_attestation_config *a = &c->tee.attestation;
    a->has_binding = text != NULL;
    if (text == NULL || base64_decode(slice_str(text), a->binding, sizeof a->binding))
        return true;
    return setting_fail(err, "config/value", path, toml_find(toml_root(c->document), path),
                        "%s must be base64 (with padding) of exactly %d bytes", path,
                        POLICY_BINDING_LEN);
}

/* A relative path belongs to the node directory; an empty one would be the directory itself. */
static bool take_store_dir(const struct node_config *c, const char *path, const char *text,
                           char out[PATH_TEXT_MAX], struct error *err)
{
    if (text[0] == 0)
        return setting_fail(err, "config/value", path, toml_find(toml_root(c->document), path),
                            "%s is empty", path);
    return path_join(c->dir, text, out, err);
}

/* Peers are dialled by their id, so an address without one is of no use. */
static bool check_bootstrap(const struct node_config *c, struct error *err)
{
    const struct node_addresses *nodes = &c->swarm.bootstrap;
    const struct toml *array = toml_find(toml_root(c->document), "bootstrap.nodes");
    for (size_t i = 0; i < nodes->count; i++)
        if (!nodes->at[i].ends_in_peer_id)
            return setting_fail(err, "config/value", "bootstrap.nodes", toml_at(array, i),
                                "bootstrap.nodes[%zu]: peer ID not allowed: %s does not end in "
                                "/p2p/<peer id>",
                                i, nodes->at[i].text);
    return true;
}

static bool check_server_listen(const struct node_config *c, struct error *err)
{
    const struct node_addresses *listen = &c->server.listen;
    const struct toml *array = toml_find(toml_root(c->document), "server.listen");
    if (listen->count > NODE_LISTEN_MAX)
        return setting_fail(err, "config/value", "server.listen", array,
                            "server.listen has more than %d entries", NODE_LISTEN_MAX);
    for (size_t i = 0; i < listen->count; i++) {
        const struct node_address *a = &listen->at[i];
        if (!a->is_ip || a->port_count != 1 || a->ports[0].udp)
            return setting_fail(err, "config/value", "server.listen", toml_at(array, i),
                                "server.listen[%zu]: expected /ip4/<address>/tcp/<port> or "
                                "/ip6/<address>/tcp/<port>: %s",
                                i, a->text);
    }
    return true;
}

/* A service whose table is missing is off. */
static void settle_services(struct node_server_config *s)
{
    s->admin_enabled = s->has_admin && s->admin_enabled;
    s->jsonrpc_enabled = s->has_jsonrpc && s->jsonrpc_enabled;
    s->sse_enabled = s->has_sse && s->sse_enabled;
    s->websocket_enabled = s->has_websocket && s->websocket_enabled;
}

static bool read_all(struct node_config *c, struct error *err)
{
    const struct toml *root = toml_root(c->document);
    struct raw_settings raw = {0};
    set_defaults(c);
    if (!settings_read(root, settings, COUNT(settings), c, err) ||
        !settings_read(root, raw_rows, COUNT(raw_rows), &raw, err))
        return false;
    settle_services(&c->server);
    return check_bootstrap(c, err) && check_server_listen(c, err) &&
           check_embedded_storage(c, err) && take_identity(c, &raw, err) &&
           take_embedded_listen(c, raw.embedded_listen, err) &&
           take_store_dir(c, "datastore.path", raw.datastore, c->datastore_dir, err) &&
           take_store_dir(c, "blobstore.path", raw.blobstore, c->blobstore_dir, err) &&
           take_binding(c, raw.binding, err) && take_collateral(c, &raw, err);
}

bool node_config_parse(struct slice text, const char *dir, struct node_config **out,
                       struct error *err)
{
    NODE_CONFIG_AUTO struct node_config *c = calloc(1, sizeof *c);
    if (c == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!path_join("", dir, c->dir, err) || !toml_parse(text, &c->document, err) ||
        !read_all(c, err))
        return false;
    *out = c;
    c = NULL;
    return true;
}

void node_config_free(struct node_config **config)
{
    struct node_config *c = *config;
    if (c == NULL)
        return;
    identity_free(&c->identity);
    free(c->server.listen.at);
    free(c->swarm.listen.at);
    free(c->swarm.bootstrap.at);
    free(c->swarm.external_address.at);
    policy_free(&c->tee.attestation.policy);
    toml_free(&c->document);
    free(c);
    *config = NULL;
}

bool node_config_exists(const char *dir)
{
    char path[PATH_TEXT_MAX];
    struct stat st;
    return path_join(dir, NODE_CONFIG_FILE, path, NULL) && stat(path, &st) == 0 &&
           S_ISREG(st.st_mode);
}

bool node_config_load(const char *dir, struct node_config **out, struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT_SECRET(TOML_LEN_MAX);
    char path[PATH_TEXT_MAX];
    if (!node_config_exists(dir))
        return error_set(err, "config/not-initialized", NULL, "Node is not initialized in \"%s\"",
                         dir);
    if (!path_join(dir, NODE_CONFIG_FILE, path, err))
        return false;
    if (!file_read(path, &text, err))
        return error_prefix(err, "failed to read configuration from \"%s\"", path);
    if (!node_config_parse(buf_slice(&text), dir, out, err))
        return error_prefix(err, "%s", path);
    return true;
}

bool node_config_set_auth_mode(struct node_config *config, const char *text, struct error *err)
{
    for (unsigned i = 0; auth_modes[i] != NULL; i++)
        if (strcmp(auth_modes[i], text) == 0) {
            config->server.auth_mode = (enum node_auth_mode)i;
            return true;
        }
    return error_set(err, "usage", "--auth-mode",
                     "invalid value '%s' for '--auth-mode <AUTH_MODE>' [possible values: proxy, "
                     "token, embedded]",
                     text);
}
