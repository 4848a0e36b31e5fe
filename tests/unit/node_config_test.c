/* Loading config.toml: every value of the sample, defaults, what is required, what is refused and
 * where the error points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "support/node_dir.h"
#include "toml/toml.h"

static const struct edit no_edits[] = {{NULL, NULL}};

static void assert_address(const struct node_address *a, const char *text, const char *host,
                           bool udp, unsigned port)
{
    assert_string_equal(a->text, text);
    assert_string_equal(a->host, host);
    assert_int_equal(a->port_count, 1);
    assert_int_equal(a->ports[0].udp, udp);
    assert_int_equal(a->ports[0].number, port);
}

static void the_sample_loads_with_every_value(void **state)
{
    write_test_file(*state, NODE_CONFIG_FILE, slice_str(node_sample_config), NULL);
    NODE_CONFIG_AUTO struct node_config *c = NULL;
    struct error err = {0};
    char path[PATH_TEXT_MAX];
    if (!node_config_load(*state, &c, &err))
        fail_msg("%s", err.message);

    assert_string_equal(c->dir, *state);
    assert_int_equal(c->mode, NODE_MODE_STANDARD);
    assert_string_equal(identity_peer_id(c->identity),
                        "12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf");
    assert_false(c->identity_is_temporary);
    struct slice keypair;
    assert_true(toml_string(toml_find(toml_root(c->document), "identity.keypair"), &keypair));
    assert_true(keypair.len == 93 && slice_is_zero(keypair)); /* it lives in locked memory now */

    assert_int_equal(c->swarm.listen.count, 4);
    assert_address(&c->swarm.listen.at[0], "/ip4/0.0.0.0/tcp/2428", "0.0.0.0", false, 2428);
    assert_address(&c->swarm.listen.at[3], "/ip6/::/udp/2428/quic-v1", "::", true, 2428);
    assert_int_equal(c->server.listen.count, 2);
    assert_address(&c->server.listen.at[1], "/ip6/::1/tcp/2528", "::1", false, 2528);
    assert_int_equal(c->server.auth_mode, NODE_AUTH_PROXY);
    assert_true(c->server.admin_enabled && c->server.jsonrpc_enabled && c->server.sse_enabled &&
                c->server.websocket_enabled);
    assert_int_equal(c->server.ping_interval_secs, 30);
    assert_int_equal(c->server.pong_timeout_secs, 10);
    assert_false(c->server.embedded_auth.present);

    assert_int_equal(c->swarm.bootstrap.count, 2);
    assert_true(c->swarm.bootstrap.at[1].ends_in_peer_id);
    assert_false(c->swarm.mdns);
    assert_false(c->swarm.advertise_address);
    assert_int_equal(c->swarm.external_address.count, 0);
    assert_string_equal(c->swarm.rendezvous_namespace, "/calimero/devnet/global");
    assert_true(c->swarm.discovery_rpm == 0.5);
    assert_int_equal(c->swarm.discovery_interval.secs, 15);
    assert_int_equal(c->swarm.rendezvous_registrations_limit, 3);
    assert_int_equal(c->swarm.relay_registrations_limit, 3);
    assert_int_equal(c->swarm.autonat_max_candidates, 5);
    assert_int_equal(c->swarm.autonat_probe_interval.secs, 10);

    assert_int_equal(c->sync.timeout_ms, 30000);
    assert_int_equal(c->sync.session_deadline_ms, 30000);
    assert_int_equal(c->sync.interval_ms, 5000);
    assert_int_equal(c->sync.frequency_ms, 10000);
    assert_true(path_join(*state, "data", path, &err));
    assert_string_equal(c->datastore_dir, path);
    assert_true(path_join(*state, "blobs", path, &err));
    assert_string_equal(c->blobstore_dir, path);
    assert_false(c->runtime.max_gas.given);
    assert_false(c->has_tee);
    assert_string_equal(c->tee.url, "");
}

/* Only what the existing merod requires. */
static void absent_keys_have_their_defaults(void **state)
{
    (void)state;
    static const char text[] = "[swarm]\nlisten = []\n[server]\nlisten = []\n[sync]\n"
                               "timeout_ms = 1\ninterval_ms = 2\nfrequency_ms = 3\n[datastore]\n"
                               "path = '/abs/d'\n[blobstore]\npath = 'b'\n[context]\n";
    NODE_CONFIG_AUTO struct node_config *c = NULL, *again = NULL;
    struct error err = {0};
    assert_true(node_config_parse(slice_str(text), "rel", &c, &err));
    assert_int_equal(c->mode, NODE_MODE_STANDARD);
    assert_int_equal(c->server.auth_mode, NODE_AUTH_PROXY);
    assert_false(c->server.admin_enabled); /* without its table a service is off */
    assert_false(c->server.websocket_enabled);
    assert_true(c->swarm.mdns);
    assert_true(c->swarm.discovery_rpm == 0.5);
    assert_int_equal(c->sync.session_deadline_ms, 30000);
    assert_string_equal(c->datastore_dir, "/abs/d");
    assert_string_equal(c->blobstore_dir, "rel/b");
    assert_false(c->has_tee);

    /* No [identity]: a new one at every load, and said so. */
    assert_true(c->identity_is_temporary);
    assert_true(node_config_parse(slice_str(text), "rel", &again, &err));
    assert_string_not_equal(identity_peer_id(c->identity), identity_peer_id(again->identity));
}

static void the_tee_section_is_read(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"tee.kms.phala.url", "'https://kms:8443/x'"},
        {"tee.kms.phala.tls.ca_cert_path", "'/ca.pem'"},
        {"tee.kms.phala.tls.client_cert_path", "'/c.pem'"},
        {"tee.kms.phala.tls.client_key_path", "'/k.pem'"},
        {"tee.kms.phala.attestation.enabled", "true"},
        {"tee.kms.phala.attestation.accept_mock", "true"},
        {"tee.kms.phala.attestation.binding_b64", "'IyP+rOn9F1GomrK+u4q6FF80OjaI49FlXtQo6wdm45Y='"},
        {"tee.kms.phala.attestation.policy_json_path", "'/etc/calimero/p.json'"},
        {"tee.kms.phala.insecure_skip_kms_verification", "true"},
        {"tee.kms.phala.insecure_allow_clear_key_release", "true"},
        {"tee.collateral.urls", "['https://a', 'https://b']"},
        {"tee.collateral.cache_dir", "'/var/cache/c'"},
        {"tee.release.base_url", "'https://mirror'"},
        {"tee.release.dir", "'/assets'"},
        {"tee.release.insecure_allow_policy_downgrade", "true"},
        {"tee.quote_source", "'configfs-tsm'"},
        {"tee.dstack_socket", "'/run/dstack.sock'"},
        {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *c = config_with("/n", edits);
    char hex[65];
    assert_true(c->has_tee && c->tee.has_kms);
    assert_string_equal(c->tee.url, "https://kms:8443/x");
    assert_string_equal(c->tee.tls_ca_path, "/ca.pem");
    assert_string_equal(c->tee.tls_client_cert_path, "/c.pem");
    assert_string_equal(c->tee.tls_client_key_path, "/k.pem");
    assert_true(c->tee.attestation.enabled && c->tee.attestation.accept_mock);
    assert_true(c->tee.attestation.has_binding);
    hex_encode(slice_of(c->tee.attestation.binding, 32), hex);
    assert_string_equal(hex, "2323feace9fd1751a89ab2bebb8aba145f343a3688e3d1655ed428eb0766e396");
    assert_string_equal(c->tee.attestation.policy_json_path, "/etc/calimero/p.json");
    assert_true(c->tee.insecure_skip_kms_verification);
    assert_true(c->tee.insecure_allow_clear_key_release);
    assert_int_equal(c->tee.collateral_url_count, 2);
    assert_string_equal(c->tee.collateral_urls[1], "https://b");
    assert_string_equal(c->tee.collateral_dir, "/var/cache/c");
    assert_string_equal(c->tee.release_base_url, "https://mirror");
    assert_string_equal(c->tee.release_dir, "/assets");
    assert_true(c->tee.insecure_allow_policy_downgrade);
    assert_int_equal(c->tee.quote_source, QUOTE_SOURCE_CONFIGFS);
    assert_string_equal(c->tee.dstack_socket, "/run/dstack.sock");
}

static void the_tee_section_has_defaults(void **state)
{
    (void)state;
    static const struct edit edits[] = {{"tee.kms.phala.url", "'https://kms'"}, {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *c = config_with("/n", edits);
    assert_false(c->tee.attestation.enabled);
    assert_false(c->tee.attestation.accept_mock);
    assert_false(c->tee.attestation.has_binding);
    assert_null(c->tee.attestation.policy_json_path);
    assert_false(c->tee.insecure_skip_kms_verification);
    assert_false(c->tee.insecure_allow_clear_key_release);
    assert_false(c->tee.insecure_allow_policy_downgrade);
    assert_null(c->tee.tls_ca_path);
    assert_int_equal(c->tee.collateral_url_count, 0);
    assert_string_equal(c->tee.collateral_dir, "/n/collateral");
    assert_null(c->tee.release_base_url);
    assert_int_equal(c->tee.quote_source, QUOTE_SOURCE_AUTO);
    assert_null(c->tee.dstack_socket);
}

/* [tee] alone is the switch, whatever stands in it. */
static void the_presence_of_tee_is_the_switch(void **state)
{
    (void)state;
    static const struct edit inline_form[] = {{"tee", "{ kms = {} }"}, {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *c = config_with("/n", inline_form);
    assert_true(c->has_tee);
    assert_false(c->tee.has_kms);
    struct error err = parse_error_with((struct edit[]){{"tee.quote_source", "'auto'"}, {0}});
    assert_string_equal(err.message, "line 69, column 1: missing field `kms` in [tee]");
    assert_string_equal(err.code, "config/missing");
}

/* Without one of these lines the file is refused. */
static void required_keys_are_missed(void **state)
{
    (void)state;
    static const struct {
        const char *line, *field;
    } cases[] = {
        {"peer_id = ", "missing field `peer_id` in [identity]"},
        {"keypair = ", "missing field `keypair` in [identity]"},
        {"timeout_ms = ", "missing field `timeout_ms` in [sync]"},
        {"interval_ms = ", "missing field `interval_ms` in [sync]"},
        {"frequency_ms = ", "missing field `frequency_ms` in [sync]"},
        {"path = \"data\"", "missing field `path` in [datastore]"},
        {"path = \"blobs\"", "missing field `path` in [blobstore]"},
        {"advertise_address = ", "missing field `advertise_address` in [discovery]"},
        {"namespace = ", "missing field `namespace` in [discovery.rendezvous]"},
        {"discovery_rpm = ", "missing field `discovery_rpm` in [discovery.rendezvous]"},
        {"max_candidates = ", "missing field `max_candidates` in [discovery.autonat]"},
        {"\nsecs = 10", "missing field `secs` in [discovery.autonat.probe_interval]"},
        {"nanos = 0", "missing field `nanos` in [discovery.rendezvous.discovery_interval]"},
        {"[context]\nmigration_v2 = true\n[context.config.signer.self]", "missing field `context`"},
        {"[swarm]\nlisten = [\"/ip4/0.0.0.0/tcp/2428\", \"/ip4/0.0.0.0/udp/2428/quic-v1\",\n"
         "          \"/ip6/::/tcp/2428\", \"/ip6/::/udp/2428/quic-v1\"]",
         "missing field `swarm`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *at = strstr(node_sample_config, cases[i].line);
        assert_non_null(at);
        const char *end = strchr(at + strlen(cases[i].line) - 1, '\n');
        BUF_AUTO struct buf text = BUF_INIT(TOML_LEN_MAX);
        buf_append(&text, slice_of(node_sample_config, (size_t)(at - node_sample_config)));
        buf_append_str(&text, end);
        struct node_config *c = NULL;
        struct error err = {0};
        if (node_config_parse(buf_slice(&text), "/n", &c, &err))
            fail_msg("loads without %s", cases[i].line);
        if (strstr(err.message, cases[i].field) == NULL)
            fail_msg("%s: %s", cases[i].line, err.message);
        assert_string_equal(err.code, "config/missing");
    }
}

static void wrong_values_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        struct edit edits[3];
        const char *code, *message;
    } cases[] = {
        {{{"mode", "'read-only'"}},
         "config/value",
         "line 1, column 8: mode: unknown variant `read-only`, expected one of `standard`, "
         "`readonly`"},
        {{{"mode", "1"}}, "config/type", "line 1, column 8: mode must be a string, not an integer"},
        {{{"server.auth_mode", "'none'"}},
         "config/value",
         "line 13, column 13: server.auth_mode: unknown variant `none`, expected one of `proxy`, "
         "`embedded`, `token`"},
        {{{"identity.peer_id", "'12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYg'"}},
         "identity/mismatch",
         "line 4, column 11: identity.peer_id: Peer ID does not match public key"},
        {{{"identity.peer_id", "''"}},
         "identity/mismatch",
         "line 4, column 11: identity.peer_id: Peer ID does not match public key"},
        {{{"identity.keypair", "'0'"}},
         "identity/base58",
         "line 5, column 11: identity.keypair: invalid base58"},
        {{{"identity.keypair", "'11'"}},
         "identity/protobuf",
         "line 5, column 11: identity.keypair: invalid protobuf"},
        {{{"identity", "1"}}, "config/type", "identity must be a table, not an integer"},
        {{{"sync.timeout_ms", "'1'"}},
         "config/type",
         "line 50, column 14: sync.timeout_ms must be an integer, not a string"},
        {{{"sync.timeout_ms", "-1"}},
         "config/value",
         "line 50, column 14: sync.timeout_ms must not be negative: -1"},
        {{{"sync.timeout_ms", "1.5"}},
         "config/type",
         "line 50, column 14: sync.timeout_ms must be an integer, not a float"},
        {{{"server.admin.enabled", "1"}},
         "config/type",
         "line 15, column 11: server.admin.enabled must be a boolean, not an integer"},
        {{{"server.admin", "true"}}, "config/type", "server.admin must be a table, not a boolean"},
        {{{"discovery.rendezvous.discovery_rpm", "'x'"}},
         "config/type",
         "line 36, column 17: discovery.rendezvous.discovery_rpm must be a number, not a string"},
        {{{"datastore.path", "''"}}, "config/value", "line 56, column 8: datastore.path is empty"},
        {{{"datastore.path", "\"a\\u0000b\""}},
         "config/value",
         "line 56, column 8: datastore.path holds a NUL character"},
        {{{"swarm.listen", "'/ip4/0.0.0.0/tcp/1'"}},
         "config/type",
         "line 8, column 10: swarm.listen must be an array of multiaddrs, not a string"},
        {{{"swarm.listen", "[1]"}},
         "config/type",
         "line 8, column 11: swarm.listen must be an array of multiaddrs, not an integer"},
        {{{"swarm.listen", "['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3/tcp/1']"}},
         "config/value",
         "line 8, column 33: swarm.listen[1]: invalid IPv4 address: /ip4/1.2.3/tcp/1"},
        {{{"server.listen", "['/dns4/localhost/tcp/1']"}},
         "config/value",
         "line 12, column 11: server.listen[0]: expected /ip4/<address>/tcp/<port> or "
         "/ip6/<address>/tcp/<port>: /dns4/localhost/tcp/1"},
        {{{"server.listen", "['/ip4/127.0.0.1/udp/1']"}},
         "config/value",
         "line 12, column 11: server.listen[0]: expected /ip4/<address>/tcp/<port> or "
         "/ip6/<address>/tcp/<port>: /ip4/127.0.0.1/udp/1"},
        {{{"bootstrap.nodes", "['/ip4/1.2.3.4/tcp/1']"}},
         "config/value",
         "line 26, column 10: bootstrap.nodes[0]: peer ID not allowed: /ip4/1.2.3.4/tcp/1 does not "
         "end in /p2p/<peer id>"},
        {{{"tee.kms.phala.attestation.enabled", "true"}},
         "config/missing",
         "missing field `url` in [tee.kms.phala]"},
        {{{"tee.kms.phala.url", "'https://k'"},
          {"tee.kms.phala.attestation.binding_b64", "'AA=='"}},
         "config/value",
         "tee.kms.phala.attestation.binding_b64 must be base64 (with padding) of exactly 32 bytes"},
        {{{"tee.kms.phala.url", "'https://k'"}, {"tee.kms.phala.attestation.allowed_mrtd", "'aa'"}},
         "config/type",
         "tee.kms.phala.attestation.allowed_mrtd must be an array of strings, not a string"},
        {{{"tee.kms.phala.url", "'https://k'"}, {"tee.kms.phala.attestation.allowed_set", "[1]"}},
         "config/type",
         "tee.kms.phala.attestation.allowed_set must be an array of tables, not an integer"},
        {{{"tee.kms", "{}"}, {"tee.quote_source", "'mock'"}},
         "config/value",
         "tee.quote_source: unknown variant `mock`, expected one of `auto`, `configfs-tsm`, "
         "`dstack`"},
        {{{"tee.kms", "{}"}, {"tee.collateral.urls", "['1','2','3','4','5','6','7','8','9']"}},
         "config/value",
         "tee.collateral.urls has more than 8 entries"},
        {{{"server.embedded_auth", "{ jwt = { issuer = 'x' }, storage = { type = 'rocksdb' } }"}},
         "config/missing",
         "missing field `path` in [server.embedded_auth.storage]"},
        {{{"server.embedded_auth", "{ storage = { type = 'memory' } }"}},
         "config/missing",
         "missing field `jwt` in [server.embedded_auth]"},
        {{{"server.embedded_auth",
           "{ listen_addr = '127.0.0.1', jwt = { issuer = 'x' }, storage = { type = 'memory' } }"}},
         "config/value",
         "server.embedded_auth.listen_addr: invalid socket address: 127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = parse_error_with(cases[i].edits);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].edits[0].path, err.message);
        if (strncmp(err.message, "line ", 5) != 0)
            fail_msg("no position: %s", err.message);
        assert_string_equal(err.code, cases[i].code);
    }
}

static void multiaddrs_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why; /* NULL: good */
    } cases[] = {
        {"/ip4/1.2.3.4/tcp/0", NULL},
        {"/ip6/2001:DB8::1/udp/65535/quic-v1", NULL},
        {"/dns/example.org/tcp/443/wss", NULL},
        {"/ip6zone/eth0/ip6/fe80::1/tcp/1", NULL},
        {"/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN", NULL},
        {"/p2p/12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh/p2p-circuit", NULL},
        {"/unix/run/x.sock", NULL},
        {"", "a multiaddr starts with '/'"},
        {"ip4/1.2.3.4", "a multiaddr starts with '/'"},
        {"/", "a multiaddr does not end with '/'"},
        {"/ip4/1.2.3.4/tcp/1/", "a multiaddr does not end with '/'"},
        {"/ip4/1.2.3.256", "invalid IPv4 address"},
        {"/ip4/::1", "invalid IPv4 address"},
        {"/ip6/1.2.3.4", "invalid IPv6 address"},
        {"/ip4", "invalid IPv4 address"},
        {"/ip4/1.2.3.4/tcp", "invalid port"},
        {"/ip4/1.2.3.4/tcp/65536", "invalid port"},
        {"/ip4/1.2.3.4/tcp/99999999999999999999", "invalid port"},
        {"/ip4/1.2.3.4/tcp/-1", "invalid port"},
        {"/ip4/1.2.3.4/tcp/+1", "invalid port"},
        {"/ip4/1.2.3.4/xyz/1", "unknown multiaddr protocol"},
        {"/ip4/1.2.3.4//tcp/1", "unknown multiaddr protocol"},
        {"/dns4//tcp/1", "empty value"},
        {"/p2p/12D3KooW", "invalid peer ID"},
        {"/p2p/0", "invalid peer ID"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BUF_AUTO struct buf value = BUF_INIT(512);
        buf_append_str(&value, "[");
        toml_append_string(&value, slice_str(cases[i].text));
        buf_append_str(&value, "]");
        const struct edit edits[] = {{"discovery.external_address", buf_cstr(&value)}, {0}};
        if (cases[i].why == NULL) {
            NODE_CONFIG_AUTO struct node_config *c = config_with("/n", edits);
            assert_int_equal(c->swarm.external_address.count, 1);
            continue;
        }
        struct error err = parse_error_with(edits);
        if (strstr(err.message, cases[i].why) == NULL)
            fail_msg("%s: %s", cases[i].text, err.message);
    }
}

static void hosts_and_endpoints_are_canonical(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"server.listen", "['/ip6/0:0:0:0:0:0:0:1/tcp/80', '/ip4/10.0.0.1/tcp/0']"}, {NULL, NULL}};
    NODE_CONFIG_AUTO struct node_config *c = config_with("/n", edits);
    char endpoint[NODE_LISTEN_TEXT_MAX];
    assert_string_equal(c->server.listen.at[0].host, "::1");
    node_address_endpoint(&c->server.listen.at[0], endpoint);
    assert_string_equal(endpoint, "[::1]:80");
    node_address_endpoint(&c->server.listen.at[1], endpoint);
    assert_string_equal(endpoint, "10.0.0.1:0");
}

static void list_limits_hold(void **state)
{
    (void)state;
    static const struct {
        const char *path, *element;
        size_t most;
    } lists[] = {{"server.listen", "'/ip4/127.0.0.1/tcp/1'", NODE_LISTEN_MAX},
                 {"discovery.external_address", "'/ip4/127.0.0.1/tcp/1'", NODE_ADDRESSES_MAX},
                 {"tee.collateral.urls", "'u'", DCAP_ENDPOINTS_MAX}};
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++)
        for (size_t n = lists[l].most - 1; n <= lists[l].most + 1; n++) {
            BUF_AUTO struct buf value = BUF_INIT(65536);
            buf_append_str(&value, "[");
            for (size_t i = 0; i < n; i++)
                buf_printf(&value, "%s,", lists[l].element);
            buf_append_str(&value, "]");
            const struct edit edits[] = {
                {"tee.kms", "{}"}, {lists[l].path, buf_cstr(&value)}, {NULL, NULL}};
            if (n <= lists[l].most) {
                NODE_CONFIG_AUTO struct node_config *c = config_with("/n", edits);
                assert_non_null(c);
            } else {
                struct error err = parse_error_with(edits);
                assert_non_null(strstr(err.message, "has more than"));
            }
        }
}

static void loading_says_what_is_wrong_with_the_file(void **state)
{
    struct node_config *c = NULL;
    struct error err = {0};
    char path[PATH_TEXT_MAX], expected[PATH_TEXT_MAX + 128];
    assert_false(node_config_exists(*state));
    assert_false(node_config_load(*state, &c, &err));
    snprintf(expected, sizeof expected, "Node is not initialized in \"%s\"", (char *)*state);
    assert_string_equal(err.message, expected);
    assert_string_equal(err.code, "config/not-initialized");

    /* a directory of that name is no configuration */
    assert_true(path_join(*state, NODE_CONFIG_FILE, path, &err));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(node_config_load(*state, &c, &err));
    assert_string_equal(err.code, "config/not-initialized");
    assert_int_equal(rmdir(path), 0);

    write_test_file(*state, NODE_CONFIG_FILE, slice_str("mode = \"standard\"\n[swarm\n"), path);
    assert_true(node_config_exists(*state));
    assert_false(node_config_load(*state, &c, &err));
    snprintf(
        expected, sizeof expected,
        "%s: line 2, column 7: expected ']' behind the header's name, found the end of the line",
        path);
    assert_string_equal(err.message, expected);

    /* cut short anywhere, it is never half a configuration with the same meaning */
    size_t refused = 0;
    for (size_t len = 0; len < strlen(node_sample_config); len += 13) {
        NODE_CONFIG_AUTO struct node_config *half = NULL;
        refused += !node_config_parse(slice_of(node_sample_config, len), *state, &half, &err);
    }
    assert_true(refused >= 100);

    BUF_AUTO struct buf big = BUF_INIT(TOML_LEN_MAX + 1);
    while (big.len <= TOML_LEN_MAX)
        assert_true(buf_append_byte(&big, '\n'));
    write_test_file(*state, NODE_CONFIG_FILE, buf_slice(&big), NULL);
    assert_false(node_config_load(*state, &c, &err));
    assert_string_equal(err.code, "file/too-large");
    assert_null(c);
}

static void the_command_line_may_change_the_auth_mode(void **state)
{
    (void)state;
    NODE_CONFIG_AUTO struct node_config *c = config_with("/n", no_edits);
    struct error err = {0};
    assert_true(node_config_set_auth_mode(c, "token", &err));
    assert_int_equal(c->server.auth_mode, NODE_AUTH_TOKEN);
    assert_true(node_config_set_auth_mode(c, "embedded", &err));
    assert_int_equal(c->server.auth_mode, NODE_AUTH_EMBEDDED);
    assert_true(node_config_set_auth_mode(c, "proxy", &err));
    assert_int_equal(c->server.auth_mode, NODE_AUTH_PROXY);
    assert_false(node_config_set_auth_mode(c, "Proxy", &err));
    assert_string_equal(err.code, "usage");
    assert_int_equal(c->server.auth_mode, NODE_AUTH_PROXY);
}

/* Every setting that the tables of config.c read has its place in the manual page. */
static void every_setting_is_documented(void **state)
{
    (void)state;
    const char *root = getenv("MERO_SOURCE_DIR");
    char path[PATH_TEXT_MAX];
    BUF_AUTO struct buf code = BUF_INIT(1 << 20), page = BUF_INIT(1 << 20);
    struct error err = {0};
    if (root == NULL)
        skip();
    snprintf(path, sizeof path, "%s/src/node/config.c", root);
    assert_true(file_read(path, &code, &err));
    snprintf(path, sizeof path, "%s/docs/configuration.md", root);
    assert_true(file_read(path, &page, &err));
    static const char *const macros[] = {"    ROW(\"", "    RAW(\"", "    CHOICE(\""};
    size_t found = 0;
    for (size_t m = 0; m < 3; m++)
        for (const char *at = buf_cstr(&code); (at = strstr(at, macros[m])) != NULL; found++) {
            char key[128];
            at += strlen(macros[m]);
            const char *end = strchr(at, '"');
            snprintf(key, sizeof key, "`%.*s`", (int)(end - at), at);
            bool is_table = memcmp(end, "\", TABLE", 8) == 0;
            if (!is_table && strstr(buf_cstr(&page), key) == NULL)
                fail_msg("docs/configuration.md does not mention %s", key);
        }
    assert_true(found > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_sample_loads_with_every_value, node_dir_setup,
                                        node_dir_teardown),
        cmocka_unit_test(absent_keys_have_their_defaults),
        cmocka_unit_test(the_tee_section_is_read),
        cmocka_unit_test(the_tee_section_has_defaults),
        cmocka_unit_test(the_presence_of_tee_is_the_switch),
        cmocka_unit_test(required_keys_are_missed),
        cmocka_unit_test(wrong_values_are_refused_with_their_place),
        cmocka_unit_test(multiaddrs_are_judged),
        cmocka_unit_test(hosts_and_endpoints_are_canonical),
        cmocka_unit_test(list_limits_hold),
        cmocka_unit_test_setup_teardown(loading_says_what_is_wrong_with_the_file, node_dir_setup,
                                        node_dir_teardown),
        cmocka_unit_test(every_setting_is_documented),
        cmocka_unit_test(the_command_line_may_change_the_auth_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
