/* `merod init`: what it writes, with which modes, and when it refuses (compatibility facts A.2,
 * B.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/dir_lock.h"
#include "node/init.h"
#include "support/node_dir.h"

/* <private directory>/<name> */
static const char *under(void **state, const char *name)
{
    static char path[PATH_TEXT_MAX];
    assert_true(path_join(*state, name, path, NULL));
    return path;
}

static unsigned mode_of(const char *dir, const char *name)
{
    char path[PATH_TEXT_MAX];
    struct stat st;
    assert_true(path_join(dir, name, path, NULL));
    assert_int_equal(lstat(path, &st), 0);
    return (unsigned)st.st_mode & 07777;
}

static struct node_init_options options_for(const char *dir)
{
    struct node_init_options o;
    node_init_defaults(&o);
    o.dir = dir;
    return o;
}

static void init_ok(const struct node_init_options *o, enum node_init_result expected,
                    char peer_id[PEER_ID_TEXT_MAX])
{
    char unused[PEER_ID_TEXT_MAX];
    enum node_init_result result;
    struct error err = {0};
    if (!node_init(o, &result, peer_id != NULL ? peer_id : unused, &err))
        fail_msg("%s", err.message);
    assert_int_equal(result, expected);
}

static struct error init_fails(const struct node_init_options *o)
{
    char peer_id[PEER_ID_TEXT_MAX];
    enum node_init_result result;
    struct error err = {0};
    assert_false(node_init(o, &result, peer_id, &err));
    return err;
}

static void read_config_text(const char *dir, struct buf *text)
{
    char path[PATH_TEXT_MAX];
    struct error err = {0};
    assert_true(path_join(dir, NODE_CONFIG_FILE, path, &err));
    assert_true(file_read(path, text, &err));
}

/* Everything but the identity, byte for byte. */
static const char expected_file[] =
    "mode = \"standard\"\n\n[identity]\npeer_id = \"%s\"\nkeypair = \"%.*s\"\n\n[swarm]\nlisten = "
    "[\n"
    "    \"/ip4/0.0.0.0/tcp/2428\",\n    \"/ip4/0.0.0.0/udp/2428/quic-v1\",\n"
    "    \"/ip6/::/tcp/2428\",\n    \"/ip6/::/udp/2428/quic-v1\",\n]\n\n[server]\nlisten = [\n"
    "    \"/ip4/127.0.0.1/tcp/2528\",\n    \"/ip6/::1/tcp/2528\",\n]\nauth_mode = \"proxy\"\n\n"
    "[server.admin]\nenabled = true\n\n[server.jsonrpc]\nenabled = true\n\n[server.websocket]\n"
    "enabled = true\nping_interval_secs = 30\npong_timeout_secs = 10\n\n[server.sse]\n"
    "enabled = true\n\n[bootstrap]\nnodes = [\n"
    "    \"/ip4/63.181.86.34/udp/4001/quic-v1/p2p/"
    "12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh\",\n"
    "    \"/ip4/63.181.86.34/tcp/4001/p2p/"
    "12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh\",\n]\n\n[discovery]\nmdns = false\n"
    "advertise_address = false\nexternal_address = []\n\n[discovery.rendezvous]\n"
    "namespace = \"/calimero/devnet/global\"\ndiscovery_rpm = 0.5\nregistrations_limit = 3\n\n"
    "[discovery.rendezvous.discovery_interval]\nsecs = 15\nnanos = 0\n\n[discovery.relay]\n"
    "registrations_limit = 3\n\n[discovery.autonat]\nmax_candidates = 5\n\n"
    "[discovery.autonat.probe_interval]\nsecs = 10\nnanos = 0\n\n[sync]\ntimeout_ms = 30000\n"
    "session_deadline_ms = 30000\ninterval_ms = 5000\nfrequency_ms = 10000\n\n[datastore]\n"
    "path = \"data\"\n\n[blobstore]\npath = \"blobs\"\n\n[context]\nmigration_v2 = true\n\n"
    "[runtime.limits]\n\n[dag_compaction]\nenabled = true\nmin_deltas_before_compact = 10000\n"
    "retain_recent_count = 1000\ncheck_interval = 3600\n";

static void a_fresh_node_has_the_file_of_the_facts(void **state)
{
    const char *dir = under(state, "home/node");
    struct node_init_options o = options_for(dir);
    char peer_id[PEER_ID_TEXT_MAX];
    init_ok(&o, NODE_INIT_CREATED, peer_id);

    BUF_AUTO struct buf text = BUF_INIT(65536), expected = BUF_INIT(65536);
    read_config_text(dir, &text);
    const char *keypair = strstr(buf_cstr(&text), "keypair = \"23jh");
    assert_non_null(keypair);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    buf_printf(&expected, expected_file, peer_id, 93, keypair + strlen("keypair = \""));
#pragma GCC diagnostic pop
    assert_string_equal(buf_cstr(&text), buf_cstr(&expected));

    NODE_CONFIG_AUTO struct node_config *c = NULL;
    struct error err = {0};
    assert_true(node_config_load(dir, &c, &err));
    assert_true(node_config_validate(c, &err));
    assert_string_equal(identity_peer_id(c->identity), peer_id);
}

static void everything_is_private(void **state)
{
    const char *dir = under(state, "home/node");
    struct node_init_options o = options_for(dir);
    mode_t before = umask(0); /* the modes are ours, not the caller's umask */
    init_ok(&o, NODE_INIT_CREATED, NULL);
    umask(before);
    assert_int_equal(mode_of(*state, "home"), 0700);
    assert_int_equal(mode_of(dir, "."), 0700);
    assert_int_equal(mode_of(dir, "data"), 0700);
    assert_int_equal(mode_of(dir, "blobs"), 0700);
    assert_int_equal(mode_of(dir, NODE_CONFIG_FILE), 0600);
}

/* A directory that was there is closed to others; what is in it stays. */
static void an_existing_directory_is_taken_over(void **state)
{
    const char *dir = under(state, "node");
    struct node_init_options o = options_for(dir);
    struct error err = {0};
    assert_true(file_make_dirs(dir, 0755, &err));
    assert_int_equal(chmod(dir, 0755), 0);
    write_test_file(dir, "other", slice_str("kept"), NULL);
    init_ok(&o, NODE_INIT_CREATED, NULL);
    assert_int_equal(mode_of(dir, "."), 0700);
    assert_int_equal(mode_of(dir, "other"), 0600);
}

static void a_second_init_changes_nothing(void **state)
{
    const char *dir = under(state, "node");
    struct node_init_options o = options_for(dir);
    BUF_AUTO struct buf before = BUF_INIT(65536), after = BUF_INIT(65536);
    char peer_id[PEER_ID_TEXT_MAX] = "x";
    init_ok(&o, NODE_INIT_CREATED, NULL);
    read_config_text(dir, &before);
    o.mode = "no such mode"; /* not even looked at */
    init_ok(&o, NODE_INIT_ALREADY, peer_id);
    assert_string_equal(peer_id, "");
    read_config_text(dir, &after);
    assert_true(slice_equal(buf_slice(&before), buf_slice(&after)));
}

static void a_damaged_node_is_not_overwritten(void **state)
{
    const char *dir = under(state, "node");
    struct node_init_options o = options_for(dir);
    char path[PATH_TEXT_MAX], expected[PATH_TEXT_MAX + 128];
    init_ok(&o, NODE_INIT_CREATED, NULL);
    write_test_file(dir, NODE_CONFIG_FILE, slice_str("mode = \n"), path);
    struct error err = init_fails(&o);
    snprintf(expected, sizeof expected,
             "Failed to load existing configuration: %s: line 1, column 8: expected a value, found "
             "the end of the line",
             path);
    assert_string_equal(err.message, expected);
    o.force = true;
    init_ok(&o, NODE_INIT_CREATED, NULL);
}

static void force_starts_over(void **state)
{
    const char *dir = under(state, "node");
    struct node_init_options o = options_for(dir);
    char first[PEER_ID_TEXT_MAX], second[PEER_ID_TEXT_MAX], file[PATH_TEXT_MAX];
    init_ok(&o, NODE_INIT_CREATED, first);
    write_test_file(dir, "data/old", slice_str("x"), file);
    o.force = true;
    init_ok(&o, NODE_INIT_CREATED, second);
    assert_string_not_equal(first, second);
    assert_false(file_exists(file));
}

static void force_deletes_real_directories_only(void **state)
{
    char dir[PATH_TEXT_MAX], link[PATH_TEXT_MAX], expected[PATH_TEXT_MAX + 128];
    snprintf(dir, sizeof dir, "%s", under(state, "node"));
    snprintf(link, sizeof link, "%s", under(state, "link"));
    struct node_init_options o = options_for(dir);
    init_ok(&o, NODE_INIT_CREATED, NULL);
    assert_int_equal(symlink(dir, link), 0);
    o.dir = link;
    o.force = true;
    struct error err = init_fails(&o);
    snprintf(expected, sizeof expected,
             "refusing to remove \"%s\": expected a directory, found a symlink", link);
    assert_string_equal(err.message, expected);
    assert_true(node_config_exists(dir));
}

/* A symlink inside the node directory is removed, not followed. */
static void force_does_not_follow_links_inside(void **state)
{
    char dir[PATH_TEXT_MAX], precious[PATH_TEXT_MAX], link[PATH_TEXT_MAX];
    struct error err = {0};
    snprintf(dir, sizeof dir, "%s", under(state, "node"));
    struct node_init_options o = options_for(dir);
    init_ok(&o, NODE_INIT_CREATED, NULL);
    write_test_file(*state, "precious", slice_str("x"), precious);
    assert_true(path_join(dir, "data/link", link, &err));
    assert_int_equal(symlink(*state, link), 0);
    o.force = true;
    init_ok(&o, NODE_INIT_CREATED, NULL);
    assert_true(file_exists(precious));
}

static void force_spares_a_running_node(void **state)
{
    const char *dir = under(state, "node");
    struct node_init_options o = options_for(dir);
    DIR_LOCK_AUTO int lock = -1;
    struct error err = {0};
    init_ok(&o, NODE_INIT_CREATED, NULL);
    assert_true(dir_lock_take(dir, &lock, &err));
    o.force = true;
    err = init_fails(&o);
    assert_string_equal(err.code, "store/locked");
    assert_true(node_config_exists(dir));
    dir_lock_release(&lock);
    init_ok(&o, NODE_INIT_CREATED, NULL);
}

static void flags_reach_the_file(void **state)
{
    const char *dir = under(state, "node");
    struct node_init_options o = options_for(dir);
    o.boot_nodes[0] = "/ip4/9.9.9.9/tcp/1/p2p/12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh";
    o.boot_node_count = 1;
    o.boot_network = "ipfs";
    o.swarm_host = "10.0.0.1";
    o.swarm_port = 1;
    o.server_host = "::1,127.0.0.2,127.0.0.3";
    o.server_port = 65535;
    o.mdns = o.advertise_address = true;
    o.external_addresses[0] = "/ip4/203.0.113.7/tcp/2428";
    o.external_address_count = 1;
    o.rendezvous_registrations_limit = 7;
    o.relay_registrations_limit = 8;
    o.autonat_probe_interval_s = 11;
    o.autonat_max_candidates = 12;
    o.mode = "read-only";
    init_ok(&o, NODE_INIT_CREATED, NULL);

    NODE_CONFIG_AUTO struct node_config *c = NULL;
    struct error err = {0};
    assert_true(node_config_load(dir, &c, &err));
    assert_int_equal(c->mode, NODE_MODE_READ_ONLY);
    assert_int_equal(c->server.auth_mode, NODE_AUTH_PROXY);
    assert_int_equal(c->swarm.bootstrap.count, 7); /* ours first, then the six of IPFS */
    assert_string_equal(c->swarm.bootstrap.at[0].text, o.boot_nodes[0]);
    assert_string_equal(
        c->swarm.bootstrap.at[1].text,
        "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN");
    assert_int_equal(c->swarm.listen.count, 2);
    assert_string_equal(c->swarm.listen.at[1].text, "/ip4/10.0.0.1/udp/1/quic-v1");
    assert_int_equal(c->server.listen.count, 3);
    assert_string_equal(c->server.listen.at[2].text, "/ip4/127.0.0.3/tcp/65535");
    assert_true(c->swarm.mdns && c->swarm.advertise_address);
    assert_string_equal(c->swarm.external_address.at[0].text, "/ip4/203.0.113.7/tcp/2428");
    assert_int_equal(c->swarm.rendezvous_registrations_limit, 7);
    assert_int_equal(c->swarm.relay_registrations_limit, 8);
    assert_int_equal(c->swarm.autonat_probe_interval.secs, 11);
    assert_int_equal(c->swarm.autonat_max_candidates, 12);
}

/* Each refused before anything is touched. */
static void wrong_options_leave_an_old_node_alone(void **state)
{
    const char *dir = under(state, "node");
    struct node_init_options o = options_for(dir);
    init_ok(&o, NODE_INIT_CREATED, NULL);
    o.force = true;
    enum { WRONG = 10, USAGE = 8 };
    struct node_init_options wrong[WRONG];
    for (size_t i = 0; i < WRONG; i++)
        wrong[i] = o;
    wrong[0].mode = "readonly";
    wrong[1].auth_mode = "embedded";
    wrong[2].auth_mode = "none";
    wrong[3].boot_network = "mainnet";
    wrong[4].swarm_host = "0.0.0.0,localhost";
    wrong[5].server_host = "";
    wrong[6].boot_nodes[0] = "/ip4/1.2.3.4/tcp/1";
    wrong[6].boot_node_count = 1;
    wrong[7].external_addresses[0] = "1.2.3.4:1";
    wrong[7].external_address_count = 1;
    wrong[8].server_port = 2428;
    wrong[8].server_host = "0.0.0.0";
    wrong[9].auth_mode = "token";
    static const char *const texts[] = {
        "invalid value 'readonly' for '--mode': possible values: standard, read-only",
        "invalid value 'embedded' for '--auth-mode': not part of this merod, whose own is 'token' "
        "(bearer tokens)",
        "invalid value 'none' for '--auth-mode': possible values: proxy, token",
        "invalid value 'mainnet' for '--boot-network': possible values: calimero-dev, ipfs",
        "invalid value 'localhost' for '--swarm-host': not an IP address",
        "invalid value '' for '--server-host': not an IP address",
        "invalid value '/ip4/1.2.3.4/tcp/1' for '--boot-nodes': peer ID not allowed: it must end "
        "in /p2p/<peer id>",
        "invalid value '1.2.3.4:1' for '--external-address': a multiaddr starts with '/'",
        "Port conflict validation failed: Port conflicts detected:\n  - Server TCP port 2428 "
        "conflicts with swarm on 0.0.0.0",
        "Credentials validation failed: server.auth_mode = \"token\" is not available in this "
        "build yet; use \"proxy\" and let only an authenticating proxy reach the node",
    };
    BUF_AUTO struct buf before = BUF_INIT(65536), after = BUF_INIT(65536);
    read_config_text(dir, &before);
    for (size_t i = 0; i < WRONG; i++) {
        struct error err = init_fails(&wrong[i]);
        assert_string_equal(err.message, texts[i]);
        assert_string_equal(err.code, i < USAGE ? "usage" : "config/validation");
    }
    read_config_text(dir, &after);
    assert_true(slice_equal(buf_slice(&before), buf_slice(&after)));
}

static void places_that_cannot_be_a_node_are_named(void **state)
{
    char file[PATH_TEXT_MAX], below[PATH_TEXT_MAX];
    write_test_file(*state, "file", slice_str("x"), file);
    assert_true(path_join(file, "node", below, NULL));
    struct node_init_options o = options_for(below);
    struct error err = init_fails(&o);
    assert_true(error_is(&err, "file/"));
    assert_non_null(strstr(err.message, file));
    o.dir = file;
    err = init_fails(&o);
    assert_true(error_is(&err, "file/"));
    o.dir = "/proc/node";
    err = init_fails(&o);
    assert_true(error_is(&err, "file/"));
}

int main(void)
{
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, node_dir_setup, node_dir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_fresh_node_has_the_file_of_the_facts),
        WITH_DIR(everything_is_private),
        WITH_DIR(an_existing_directory_is_taken_over),
        WITH_DIR(a_second_init_changes_nothing),
        WITH_DIR(a_damaged_node_is_not_overwritten),
        WITH_DIR(force_starts_over),
        WITH_DIR(force_deletes_real_directories_only),
        WITH_DIR(force_does_not_follow_links_inside),
        WITH_DIR(force_spares_a_running_node),
        WITH_DIR(flags_reach_the_file),
        WITH_DIR(wrong_options_leave_an_old_node_alone),
        WITH_DIR(places_that_cannot_be_a_node_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
