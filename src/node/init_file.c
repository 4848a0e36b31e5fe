/* A fresh config.toml: every key of compatibility facts B.1 in its order. */
#include "node/init_file.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "node/config_address.h"
#include "toml/toml.h"

static const char *const calimero_dev_nodes[] = {
    "/ip4/63.181.86.34/udp/4001/quic-v1/p2p/12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh",
    "/ip4/63.181.86.34/tcp/4001/p2p/12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh",
    NULL,
};

/* The public bootstrap peers of IPFS. */
static const char *const ipfs_nodes[] = {
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
    "/ip4/104.131.131.82/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ",
    "/ip4/104.131.131.82/udp/4001/quic-v1/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ",
    NULL,
};

static bool fail_option(struct error *err, const char *option, const char *value, const char *why)
{
    return error_set(err, "usage", option, "invalid value '%s' for '%s': %s", value, option, why);
}

/* One array element per line, as the existing merod writes arrays. */
static void append_element(struct buf *out, const char *text)
{
    buf_append_str(out, "    ");
    toml_append_string(out, slice_str(text));
    buf_append_str(out, ",\n");
}

/* ---- listening ---- */

static bool append_host(struct buf *out, const char *host, const char *option, unsigned port,
                        bool swarm, struct error *err)
{
    uint8_t bytes[16];
    char multiaddr[NODE_HOST_MAX];
    bool v6 = inet_pton(AF_INET6, host, bytes) == 1;
    if (!v6 && inet_pton(AF_INET, host, bytes) != 1)
        return fail_option(err, option, host, "not an IP address");
    snprintf(multiaddr, sizeof multiaddr, "/%s/%.64s/tcp/%u", v6 ? "ip6" : "ip4", host, port);
    append_element(out, multiaddr);
    if (swarm) {
        snprintf(multiaddr, sizeof multiaddr, "/%s/%.64s/udp/%u/quic-v1", v6 ? "ip6" : "ip4", host,
                 port);
        append_element(out, multiaddr);
    }
    return true;
}

static bool append_listen(struct buf *out, const char *hosts, const char *option, unsigned port,
                          bool swarm, struct error *err)
{
    struct slice rest = slice_str(hosts);
    buf_append_str(out, "listen = [\n");
    for (;;) {
        size_t len = 0;
        char host[64];
        while (len < rest.len && rest.data[len] != ',')
            len++;
        snprintf(host, sizeof host, "%.*s", (int)(len < sizeof host ? len : sizeof host),
                 (const char *)rest.data);
        if (!append_host(out, host, option, port, swarm, err))
            return false;
        if (len == rest.len)
            break;
        rest = slice_cut(rest, len + 1, rest.len);
    }
    return buf_append_str(out, "]\n");
}

/* ---- peers ---- */

static bool append_address(struct buf *out, const char *text, const char *option, bool needs_peer,
                           struct error *err)
{
    struct node_address address;
    const char *why = address_parse(text, &address);
    if (why == NULL && needs_peer && !address.ends_in_peer_id)
        why = "peer ID not allowed: it must end in /p2p/<peer id>";
    if (why != NULL)
        return fail_option(err, option, text, why);
    append_element(out, text);
    return true;
}

static bool append_bootstrap(const struct node_init_options *o, struct buf *out, struct error *err)
{
    bool ipfs = strcmp(o->boot_network, "ipfs") == 0;
    if (!ipfs && strcmp(o->boot_network, "calimero-dev") != 0)
        return fail_option(err, "--boot-network", o->boot_network,
                           "possible values: calimero-dev, ipfs");
    buf_append_str(out, "\n[bootstrap]\nnodes = [\n");
    for (size_t i = 0; i < o->boot_node_count; i++)
        if (!append_address(out, o->boot_nodes[i], "--boot-nodes", true, err))
            return false;
    for (const char *const *node = ipfs ? ipfs_nodes : calimero_dev_nodes; *node != NULL; node++)
        append_element(out, *node);
    return buf_append_str(out, "]\n");
}

static bool append_discovery(const struct node_init_options *o, struct buf *out, struct error *err)
{
    buf_printf(out, "\n[discovery]\nmdns = %s\nadvertise_address = %s\n",
               o->mdns ? "true" : "false", o->advertise_address ? "true" : "false");
    buf_append_str(out, o->external_address_count > 0 ? "external_address = [\n"
                                                      : "external_address = [");
    for (size_t i = 0; i < o->external_address_count; i++)
        if (!append_address(out, o->external_addresses[i], "--external-address", false, err))
            return false;
    return buf_printf(out,
                      "]\n\n[discovery.rendezvous]\nnamespace = \"/calimero/devnet/global\"\n"
                      "discovery_rpm = 0.5\nregistrations_limit = %llu\n"
                      "\n[discovery.rendezvous.discovery_interval]\nsecs = 15\nnanos = 0\n"
                      "\n[discovery.relay]\nregistrations_limit = %llu\n"
                      "\n[discovery.autonat]\nmax_candidates = %llu\n"
                      "\n[discovery.autonat.probe_interval]\nsecs = %llu\nnanos = 0\n",
                      (unsigned long long)o->rendezvous_registrations_limit,
                      (unsigned long long)o->relay_registrations_limit,
                      (unsigned long long)o->autonat_max_candidates,
                      (unsigned long long)o->autonat_probe_interval_s);
}

/* ---- the file ---- */

static const char services[] = "\n[server.admin]\n"
                               "enabled = true\n"
                               "\n[server.jsonrpc]\n"
                               "enabled = true\n"
                               "\n[server.websocket]\n"
                               "enabled = true\n"
                               "ping_interval_secs = 30\n"
                               "pong_timeout_secs = 10\n"
                               "\n[server.sse]\n"
                               "enabled = true\n";

static const char rest_of_file[] = "\n[sync]\n"
                                   "timeout_ms = 30000\n"
                                   "session_deadline_ms = 30000\n"
                                   "interval_ms = 5000\n"
                                   "frequency_ms = 10000\n"
                                   "\n[datastore]\n"
                                   "path = \"data\"\n"
                                   "\n[blobstore]\n"
                                   "path = \"blobs\"\n"
                                   "\n[context]\n"
                                   "migration_v2 = true\n"
                                   "\n[runtime.limits]\n"
                                   "\n[dag_compaction]\n"
                                   "enabled = true\n"
                                   "min_deltas_before_compact = 10000\n"
                                   "retain_recent_count = 1000\n"
                                   "check_interval = 3600\n";

static bool append_mode(const struct node_init_options *o, struct buf *out, struct error *err)
{
    bool read_only = strcmp(o->mode, "read-only") == 0;
    if (!read_only && strcmp(o->mode, "standard") != 0)
        return fail_option(err, "--mode", o->mode, "possible values: standard, read-only");
    return buf_printf(out, "mode = \"%s\"\n", read_only ? "readonly" : "standard");
}

static bool append_identity(const struct identity *identity, struct buf *out)
{
    return buf_printf(out, "\n[identity]\npeer_id = \"%s\"\nkeypair = \"",
                      identity_peer_id(identity)) &&
           identity_keypair_text(identity, out) && buf_append_str(out, "\"\n");
}

static bool append_auth_mode(const struct node_init_options *o, struct buf *out, struct error *err)
{
    if (strcmp(o->auth_mode, "embedded") == 0)
        return fail_option(err, "--auth-mode", o->auth_mode,
                           "not part of this merod, whose own is 'token' (bearer tokens)");
    if (strcmp(o->auth_mode, "proxy") != 0 && strcmp(o->auth_mode, "token") != 0)
        return fail_option(err, "--auth-mode", o->auth_mode, "possible values: proxy, token");
    return buf_printf(out, "auth_mode = \"%s\"\n", o->auth_mode);
}

/* The lists of a policy that release verification vouches for would be none of the file's business,
 * so attestation is enabled here only for a policy of the operator's. */
static void append_tee(const struct node_init_options *o, struct buf *out)
{
    if (o->kms_url == NULL)
        return;
    buf_append_str(out, "\n[tee.kms.phala]\nurl = ");
    toml_append_string(out, slice_str(o->kms_url));
    buf_append_str(out, "\n");
    if (o->kms_policy_path == NULL)
        return;
    buf_append_str(out, "\n[tee.kms.phala.attestation]\nenabled = true\npolicy_json_path = ");
    toml_append_string(out, slice_str(o->kms_policy_path));
    buf_append_str(out, "\n");
}

bool init_write_config(const struct node_init_options *o, const struct identity *identity,
                       struct buf *out, struct error *err)
{
    if (!append_mode(o, out, err) || !append_identity(identity, out) ||
        !buf_append_str(out, "\n[swarm]\n") ||
        !append_listen(out, o->swarm_host, "--swarm-host", o->swarm_port, true, err) ||
        !buf_append_str(out, "\n[server]\n") ||
        !append_listen(out, o->server_host, "--server-host", o->server_port, false, err) ||
        !append_auth_mode(o, out, err) || !buf_append_str(out, services) ||
        !append_bootstrap(o, out, err) || !append_discovery(o, out, err))
        return false;
    buf_append_str(out, rest_of_file);
    append_tee(o, out);
    return out->failed ? error_set(err, "toml/size", NULL, "the configuration becomes too large")
                       : true;
}
