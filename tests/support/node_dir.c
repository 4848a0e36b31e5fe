#include "support/node_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "toml/toml.h"

const char node_sample_config[] =
    "mode = \"standard\"                       # \"standard\" | \"readonly\"\n"
    "\n"
    "[identity]\n"
    "peer_id = \"12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf\"\n"
    "keypair = \"23jhTaZr634ThMawuz8v8EmFYCtYqC7TNzgta8dDbPMAzpW8bMFbj51MLD2JwZvS1nnLoD9PkLcBoL8K"
    "eksX1mHFSm4yR\"\n"
    "\n"
    "[swarm]\n"
    "listen = [\"/ip4/0.0.0.0/tcp/2428\", \"/ip4/0.0.0.0/udp/2428/quic-v1\",\n"
    "          \"/ip6/::/tcp/2428\", \"/ip6/::/udp/2428/quic-v1\"]\n"
    "\n"
    "[server]\n"
    "listen = [\"/ip4/127.0.0.1/tcp/2528\", \"/ip6/::1/tcp/2528\"]\n"
    "auth_mode = \"proxy\"                     # \"proxy\" | \"embedded\"\n"
    "[server.admin]\n"
    "enabled = true\n"
    "[server.jsonrpc]\n"
    "enabled = true\n"
    "[server.websocket]\n"
    "enabled = true\n"
    "ping_interval_secs = 30\n"
    "pong_timeout_secs = 10\n"
    "[server.sse]\n"
    "enabled = true\n"
    "\n"
    "[bootstrap]\n"
    "nodes = [\n"
    "  \"/ip4/63.181.86.34/udp/4001/quic-v1/p2p/"
    "12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh\",\n"
    "  \"/ip4/63.181.86.34/tcp/4001/p2p/12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh\"]\n"
    "\n"
    "[discovery]\n"
    "mdns = false                            # key ABSENT means true\n"
    "advertise_address = false\n"
    "external_address = []\n"
    "[discovery.rendezvous]\n"
    "namespace = \"/calimero/devnet/global\"\n"
    "discovery_rpm = 0.5\n"
    "registrations_limit = 3\n"
    "[discovery.rendezvous.discovery_interval]\n"
    "secs = 15\n"
    "nanos = 0\n"
    "[discovery.relay]\n"
    "registrations_limit = 3\n"
    "[discovery.autonat]\n"
    "max_candidates = 5\n"
    "[discovery.autonat.probe_interval]\n"
    "secs = 10\n"
    "nanos = 0\n"
    "\n"
    "[sync]\n"
    "timeout_ms = 30000\n"
    "session_deadline_ms = 30000             # absent: 30000\n"
    "interval_ms = 5000\n"
    "frequency_ms = 10000\n"
    "\n"
    "[datastore]\n"
    "path = \"data\"                           # relative to the node dir\n"
    "[blobstore]\n"
    "path = \"blobs\"\n"
    "[context]\n"
    "migration_v2 = true\n"
    "[context.config.signer.self]             # of older releases: unknown, ignored\n"
    "[runtime.limits]\n"
    "[dag_compaction]\n"
    "enabled = true\n"
    "min_deltas_before_compact = 10000\n"
    "retain_recent_count = 1000\n"
    "check_interval = 3600\n";

void node_dir_make(char out[PATH_TEXT_MAX])
{
    const char *base = getenv("TMPDIR");
    snprintf(out, PATH_TEXT_MAX, "%s/merotee-node-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(out));
}

void node_dir_remove(const char *dir)
{
    struct error err = {0};
    assert_true(file_remove_tree(dir, &err));
}

int node_dir_setup(void **state)
{
    char *dir = malloc(PATH_TEXT_MAX);
    assert_non_null(dir);
    node_dir_make(dir);
    *state = dir;
    return 0;
}

int node_dir_teardown(void **state)
{
    node_dir_remove(*state);
    free(*state);
    return 0;
}

void sample_with(const struct edit *edits, struct buf *out)
{
    assert_true(buf_append_str(out, node_sample_config));
    for (size_t i = 0; i < EDITS_MAX && edits[i].path != NULL; i++) {
        struct buf next BUF_AUTO = BUF_INIT(TOML_LEN_MAX);
        struct error err = {0};
        if (!toml_set(buf_slice(out), edits[i].path, slice_str(edits[i].value), &next, &err))
            fail_msg("%s", err.message);
        buf_reset(out);
        assert_true(buf_append(out, buf_slice(&next)));
    }
}

struct node_config *config_with(const char *dir, const struct edit *edits)
{
    BUF_AUTO struct buf text = BUF_INIT(TOML_LEN_MAX);
    struct node_config *config = NULL;
    struct error err = {0};
    sample_with(edits, &text);
    if (!node_config_parse(buf_slice(&text), dir, &config, &err))
        fail_msg("%s", err.message);
    return config;
}

struct error parse_error_with(const struct edit *edits)
{
    BUF_AUTO struct buf text = BUF_INIT(TOML_LEN_MAX);
    struct node_config *config = NULL;
    struct error err = {0};
    sample_with(edits, &text);
    if (node_config_parse(buf_slice(&text), "/nowhere", &config, &err))
        fail_msg("parsed: %s = %s", edits[0].path, edits[0].value);
    assert_null(config);
    return err;
}

void write_test_file(const char *dir, const char *name, struct slice content,
                     char out[PATH_TEXT_MAX])
{
    char path[PATH_TEXT_MAX];
    struct error err = {0};
    assert_true(path_join(dir, name, path, &err));
    assert_true(file_write_atomic(path, content, 0600, &err));
    if (out != NULL)
        snprintf(out, PATH_TEXT_MAX, "%s", path);
}
