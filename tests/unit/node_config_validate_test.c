/* Validation: every text of the compatibility facts B.4 in its order, and what we refuse besides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/node_dir.h"

#define HEX_A                                                                                      \
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaa'"
#define LIST "[" HEX_A "]"
#define URL                                                                                        \
    {                                                                                              \
        "tee.kms.phala.url", "'https://kms:8443/'"                                                 \
    }
#define ATT "tee.kms.phala.attestation."
#define ENABLED                                                                                    \
    URL, {ATT "enabled", "true"}, {ATT "allowed_mrtd", LIST}, {ATT "allowed_rtmr0", LIST},         \
        {ATT "allowed_rtmr1", LIST}, {ATT "allowed_rtmr2", LIST},                                  \
    {                                                                                              \
        ATT "allowed_rtmr3", LIST                                                                  \
    }
#define EMBEDDED(more)                                                                             \
    {                                                                                              \
        "server.embedded_auth",                                                                    \
            "{ jwt = { issuer = 'x' }, storage = { type = 'memory' }" more " }"                    \
    }

static bool validate(const char *dir, const struct edit *edits, struct error *err)
{
    NODE_CONFIG_AUTO struct node_config *c = config_with(dir, edits);
    return node_config_validate(c, err);
}

static void good_configurations_pass(void **state)
{
    static const struct edit cases[][EDITS_MAX] = {
        {{NULL, NULL}},
        {{"mode", "'readonly'"}},
        {URL},
        {ENABLED},
        {{"tee.kms.phala.url", "'http://127.0.0.1:8080'"}, {ATT "enabled", "false"}},
        {{"tee.kms.phala.url", "'http://kms:8080'"}}, /* not strict: a warning at start */
        {ENABLED,
         {ATT "allowed_mrtd", "[' 0XAA"
                              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ', '']"}},
        {URL,
         {ATT "enabled", "true"},
         {ATT "accept_mock", "true"},
         {ATT "allowed_tcb_statuses", "[]"}},
        {EMBEDDED("")},
        {{"server.websocket.ping_interval_secs", "0"}, {"server.websocket.pong_timeout_secs", "9"}},
        {{"server.websocket.ping_interval_secs", "5"}, {"server.websocket.pong_timeout_secs", "4"}},
        {{"server.websocket.enabled", "false"}, {"server.websocket.ping_interval_secs", "1"}},
        {{"sync.timeout_ms", "1000"},
         {"sync.session_deadline_ms", "600000"},
         {"sync.interval_ms", "100"},
         {"sync.frequency_ms", "3600000"}},
        {{"discovery.rendezvous.registrations_limit", "100"},
         {"discovery.relay.registrations_limit", "1"}},
        {{"runtime.limits.max_logs", "1000000"},
         {"runtime.limits.max_log_size", "10485760"},
         {"runtime.limits.max_precompiled_module_size", "1073741824"},
         {"runtime.limits.max_gas", "1"}},
        {{"swarm.listen", "['/ip4/1.2.3.4/tcp/2528', '/ip4/1.2.3.4/udp/2528/quic-v1']"}},
        {{"server.listen", "[]"}, {"swarm.listen", "[]"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        if (!validate(*state, cases[i], &err))
            fail_msg("case %zu: %s", i, err.message);
    }
}

struct refusal {
    struct edit edits[EDITS_MAX];
    const char *message;
};

static void check_refusals(const char *dir, const char *context, const struct refusal *cases,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char expected[ERROR_MESSAGE_MAX + 64];
        struct error err = {0};
        if (validate(dir, cases[i].edits, &err))
            fail_msg("valid: %s", cases[i].message);
        snprintf(expected, sizeof expected, "%s: %s", context, cases[i].message);
        assert_string_equal(err.message, expected);
        assert_true(error_is(&err, "config/"));
    }
}
#define CHECK_REFUSALS(dir, context, cases)                                                        \
    check_refusals(dir, context, cases, sizeof(cases) / sizeof(cases)[0])

static void port_conflicts_are_collected(void **state)
{
    static const struct refusal cases[] = {
        {{{"swarm.listen", "['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/1']"}},
         "Port conflicts detected:\n  - Duplicate swarm address: TCP 1.2.3.4:1"},
        {{{"swarm.listen", "['/ip4/0.0.0.0/udp/1/quic-v1', '/ip4/1.2.3.4/udp/1/quic-v1']"}},
         "Port conflicts detected:\n  - Duplicate swarm address: UDP 1.2.3.4:1"},
        {{{"server.listen", "['/ip4/127.0.0.1/tcp/2428', '/ip6/::1/tcp/2428']"}},
         "Port conflicts detected:\n  - Server TCP port 2428 conflicts with swarm on 127.0.0.1\n"
         "  - Server TCP port 2428 conflicts with swarm on ::1"},
        {{{"server.listen", "['/ip4/127.0.0.1/tcp/1', '/ip4/0.0.0.0/tcp/1']"}},
         "Port conflicts detected:\n  - Duplicate server address: TCP 0.0.0.0:1"},
        {{{"swarm.listen", "['/dns4/localhost/tcp/2528']"}},
         "Port conflicts detected:\n  - Server TCP port 2528 conflicts with swarm on 127.0.0.1\n"
         "  - Server TCP port 2528 conflicts with swarm on ::1"},
        {{{"swarm.listen", "['/tcp/2528']"}}, /* no host: every IPv4 address */
         "Port conflicts detected:\n  - Server TCP port 2528 conflicts with swarm on 127.0.0.1"},
        {{EMBEDDED(", listen_addr = '127.0.0.1:2528'")}, /* judged although auth_mode is proxy */
         "Port conflicts detected:\n  - Embedded auth TCP port 2528 conflicts with server on "
         "127.0.0.1"},
        {{EMBEDDED(", listen_addr = '[::1]:2428'")},
         "Port conflicts detected:\n  - Embedded auth TCP port 2428 conflicts with swarm on ::1"},
        {{{"server.listen", "['/ip4/127.0.0.1/tcp/2428']"},
          {"swarm.listen", "['/ip4/0.0.0.0/tcp/2428', "
                           "'/ip4/9.9.9.9/tcp/2428']"},
          EMBEDDED(", listen_addr = '127.0.0.1:2428'")},
         "Port conflicts detected:\n  - Duplicate swarm address: TCP 9.9.9.9:2428\n"
         "  - Server TCP port 2428 conflicts with swarm on 127.0.0.1\n"
         "  - Embedded auth TCP port 2428 conflicts with swarm on 127.0.0.1"},
    };
    CHECK_REFUSALS(*state, "Port conflict validation failed", cases);
}

static void many_conflicts_fit_into_one_message(void **state)
{
    BUF_AUTO struct buf value = BUF_INIT(65536);
    buf_append_str(&value, "[");
    for (size_t i = 0; i < NODE_ADDRESSES_MAX; i++)
        buf_append_str(&value, "'/ip4/1.2.3.4/tcp/1/tcp/1/udp/1/udp/1',");
    buf_append_str(&value, "]");
    struct error err = {0};
    assert_false(validate(*state, (struct edit[]){{"swarm.listen", buf_cstr(&value)}, {0}}, &err));
    assert_int_equal(strlen(err.message), ERROR_MESSAGE_MAX - 1);
}

static void different_addresses_do_not_conflict(void **state)
{
    static const struct edit cases[][2] = {
        {{"swarm.listen", "['/ip4/127.0.0.1/udp/2528/quic-v1']"}}, /* TCP is not UDP */
        {{"swarm.listen", "['/ip4/127.0.0.2/tcp/2528']"}},
        {{"swarm.listen", "['/ip6/::2/tcp/2528', '/ip4/10.0.0.1/tcp/2528']"}},
        {{"swarm.listen", "['/dns4/example.org/tcp/2528']"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        if (!validate(*state, cases[i], &err))
            fail_msg("%s", err.message);
    }
}

static void data_directories_must_be_usable(void **state)
{
    char file[PATH_TEXT_MAX], text[6][PATH_TEXT_MAX + 128];
    write_test_file(*state, "file", slice_str("x"), file);
    snprintf(text[0], sizeof text[0], "datastore path '%s' exists but is not a directory", file);
    snprintf(text[1], sizeof text[1], "blobstore path '%s' exists but is not a directory", file);
    snprintf(text[2], sizeof text[2], "datastore parent directory '%s/no' does not exist",
             (char *)*state);
    snprintf(text[3], sizeof text[3], "blobstore parent directory '%s/no/no' does not exist",
             (char *)*state);
    snprintf(text[4], sizeof text[4],
             "embedded auth storage path '%s' exists but is not a directory", file);
    const struct refusal cases[] = {
        {{{"datastore.path", "'file'"}, {"blobstore.path", "'file'"}}, text[0]},
        {{{"blobstore.path", "'file'"}}, text[1]},
        {{{"datastore.path", "'no/data'"}}, text[2]},
        {{{"blobstore.path", "'no/no/data'"}}, text[3]},
        /* /proc is a directory in which nobody creates files, root neither */
        {{{"datastore.path", "'/proc'"}},
         "datastore directory '/proc' is not writable: No such file or directory (os error 2)"},
        {{{"datastore.path", "'/proc/data'"}},
         "datastore directory '/proc' is not writable: No such file or directory (os error 2)"},
        {{EMBEDDED(""), {"server.embedded_auth.storage", "{ type = 'rocksdb', path = 'file' }"}},
         text[4]},
    };
    CHECK_REFUSALS(*state, "Path accessibility validation failed", cases);
}

static void the_write_probe_leaves_nothing(void **state)
{
    struct error err = {0};
    char data[PATH_TEXT_MAX], stale[64];
    assert_true(path_join(*state, "data", data, &err));
    assert_int_equal(mkdir(data, 0700), 0);
    /* left behind by a process that had our number */
    snprintf(stale, sizeof stale, ".calimero_write_test_%ld", (long)getpid());
    write_test_file(data, stale, slice_str("old"), NULL);
    assert_true(validate(*state, (struct edit[]){{NULL, NULL}}, &err));
    DIR *entries = opendir(data);
    assert_non_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;)
        assert_true(strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
    closedir(entries);
}

static void credentials_are_judged_in_order(void **state)
{
    char file[PATH_TEXT_MAX], pem[PATH_TEXT_MAX + 2], missing[PATH_TEXT_MAX + 128];
    write_test_file(*state, "ca.pem", slice_str("x"), file);
    snprintf(pem, sizeof pem, "'%s'", file);
    snprintf(missing, sizeof missing,
             "tee.kms.phala.tls.client_key_path does not exist or is not a file: %s",
             (char *)*state);
    char dir[PATH_TEXT_MAX + 2];
    snprintf(dir, sizeof dir, "'%s'", (char *)*state);
    const struct refusal cases[] = {
        {{{"server.auth_mode", "'embedded'"}},
         "Auth mode is set to 'embedded' but no embedded_auth configuration is provided. Either "
         "provide embedded_auth configuration or change auth_mode to 'proxy'."},
        {{{"server.auth_mode", "'embedded'"},
          EMBEDDED(", x = 1"),
          {"server.embedded_auth.jwt.issuer", "' \t'"}},
         "Embedded auth JWT issuer cannot be empty"},
        {{{"server.auth_mode", "'embedded'"}, EMBEDDED("")},
         "Auth mode 'embedded' is not part of this merod, whose own is 'token' (bearer tokens). "
         "Use "
         "auth_mode 'proxy' behind an authenticating proxy where there is no 'token' yet."},
        {{{"server.auth_mode", "'token'"}},
         "server.auth_mode = \"token\" is not available in this build yet; use \"proxy\" and let "
         "only an authenticating proxy reach the node"},
        {{{"tee.kms", "{}"}},
         "TEE is enabled but no KMS provider is configured. Please configure the 'phala' KMS "
         "provider under [tee.kms.phala]."},

        {{ENABLED, {ATT "allowed_tcb_statuses", "[]"}, {ATT "allowed_mrtd", "[]"}},
         ATT "enabled is true, but allowed_tcb_statuses is empty."},
        {{ENABLED, {ATT "allowed_tcb_statuses", "[' ', '\t']"}},
         ATT "enabled is true, but allowed_tcb_statuses is empty."},
        {{ENABLED, {ATT "allowed_mrtd", "[]"}, {ATT "allowed_rtmr0", "[]"}},
         ATT
         "enabled is true, but allowed_mrtd is empty. Configure at least one trusted KMS MRTD."},
        {{ENABLED, {ATT "allowed_mrtd", "['  ', '0x', ' 0X ']"}},
         ATT
         "enabled is true, but allowed_mrtd is empty. Configure at least one trusted KMS MRTD."},
        {{URL, {ATT "enabled", "true"}},
         ATT
         "enabled is true, but allowed_mrtd is empty. Configure at least one trusted KMS MRTD."},
        {{URL, {ATT "enabled", "true"}, {ATT "policy_json_path", "'/etc/calimero/p.json'"}},
         ATT
         "enabled is true, but allowed_mrtd is empty. Configure at least one trusted KMS MRTD."},
        {{ENABLED, {ATT "allowed_rtmr0", "[]"}, {ATT "allowed_rtmr3", "[]"}},
         ATT "enabled is true and accept_mock is false, but allowed_rtmr0 is empty."},
        {{ENABLED, {ATT "allowed_rtmr1", "[]"}},
         ATT "enabled is true and accept_mock is false, but allowed_rtmr1 is empty."},
        {{ENABLED, {ATT "allowed_rtmr2", "[]"}},
         ATT "enabled is true and accept_mock is false, but allowed_rtmr2 is empty."},
        {{ENABLED, {ATT "allowed_rtmr3", "['']"}},
         ATT "enabled is true and accept_mock is false, but allowed_rtmr3 is empty."},

        {{{"tee.kms.phala.url", "'http://127.0.0.1/'"}, {"tee.kms.phala.tls.ca_cert_path", pem}},
         "tee.kms.phala.tls.ca_cert_path requires tee.kms.phala.url to use https:// (current: "
         "http://127.0.0.1/)"},
        {{URL, {"tee.kms.phala.tls.client_cert_path", pem}},
         "tee.kms.phala.tls.client_cert_path and tee.kms.phala.tls.client_key_path must be set "
         "together"},
        {{URL, {"tee.kms.phala.tls.client_key_path", pem}},
         "tee.kms.phala.tls.client_cert_path and tee.kms.phala.tls.client_key_path must be set "
         "together"},
        {{{"tee.kms.phala.url", "'http://127.0.0.1/'"},
          {"tee.kms.phala.tls.client_cert_path", pem},
          {"tee.kms.phala.tls.client_key_path", pem}},
         "tee.kms.phala.tls.client_cert_path/client_key_path require tee.kms.phala.url to use "
         "https:// (current: http://127.0.0.1/)"},
        {{URL, {"tee.kms.phala.tls.ca_cert_path", "'ca.pem'"}},
         "tee.kms.phala.tls.ca_cert_path must be an absolute path: ca.pem"},
        {{URL,
          {"tee.kms.phala.tls.client_cert_path", "'/no/such.pem'"},
          {"tee.kms.phala.tls.client_key_path", pem}},
         "tee.kms.phala.tls.client_cert_path does not exist or is not a file: /no/such.pem"},
        {{URL,
          {"tee.kms.phala.tls.client_cert_path", pem},
          {"tee.kms.phala.tls.client_key_path", dir}},
         missing},

        /* ours */
        {{ENABLED, {"tee.kms.phala.url", "'http://kms:8080/'"}},
         "In production attestation mode, tee.kms.phala.url must use HTTPS or loopback HTTP to "
         "prevent KMS spoofing: http://kms:8080/"},
        {{ENABLED, {"tee.kms.phala.url", "'http://localhost:8080/'"}},
         "In production attestation mode, tee.kms.phala.url must use HTTPS or loopback HTTP to "
         "prevent KMS spoofing: http://localhost:8080/"},
        {{{"tee.kms.phala.url", "'ftp://kms'"}},
         "Unsupported KMS URL scheme 'ftp'; expected https:// (or http:// for loopback development "
         "only)"},
        {{{"tee.kms.phala.url", "'kms'"}}, "tee.kms.phala.url is not an absolute URL: kms"},
    };
    CHECK_REFUSALS(*state, "Credentials validation failed", cases);
}

static void malformed_measurements_are_found_before_the_start(void **state)
{
    static const struct refusal cases[] = {
        {{ENABLED, {ATT "allowed_mrtd", "[" HEX_A ", 'abcd']"}},
         "allowed_mrtd contains invalid TDX measurement length (expected 48 bytes, got 2 bytes)"},
        {{ENABLED, {ATT "allowed_rtmr2", "['zz']"}}, "allowed_rtmr2"},
        {{ENABLED, {ATT "allowed_tcb_statuses", "['UpToDate', 'Fine']"}}, "'Fine'"},
        {{ENABLED, {ATT "allowed_compose_hashes", "['abcd']"}}, "allowed_compose_hashes"},
        {{ENABLED, {ATT "allowed_set", "[{ mrtd = " HEX_A " }]"}}, "allowed_set without a name"},
        {{ENABLED, {ATT "allowed_set", "[{ name = 'n' }]"}}, "names no register"},
        {{ENABLED, {ATT "allowed_set", "[{ name = 'n', mrtd = 1 }]"}}, "mrtd must be a string"},
        {{ENABLED, {ATT "allowed_set", "[{ name = 'n', rtmr3 = 'replay' }]"}},
         "needs compose_hashes"},
        {{ENABLED, {ATT "allowed_set", "[{ name = 'n', rtmr2 = 'replay' }]"}}, "only rtmr3 can be"},
        {{ENABLED, {ATT "allowed_set", "[{ name = 'n', compose_hashes = ['aa'] }]"}},
         "goes with rtmr3 = \"replay\""},
        {{ENABLED,
          {ATT "allowed_set", "[{ name = 'n', rtmr3 = 'replay', compose_hashes = ['aa'] }]"}},
         "64 hex digits"},
        {{ENABLED, {ATT "allowed_set", "[{ name = 'n', mrtd = " HEX_A ", xfam = '00' }]"}},
         "xfam must be 16 hex digits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        assert_false(validate(*state, cases[i].edits, &err));
        if (strstr(err.message, cases[i].message) == NULL || strstr(err.message, "line ") == NULL)
            fail_msg("%s", err.message);
        assert_true(error_is(&err, "config/"));
    }
}

static void a_tee_node_needs_an_identity(void **state)
{
    const char *at = strstr(node_sample_config, "[identity]");
    const char *end = strstr(node_sample_config, "[swarm]");
    BUF_AUTO struct buf text = BUF_INIT(65536);
    NODE_CONFIG_AUTO struct node_config *c = NULL, *with_tee = NULL;
    struct error err = {0};
    buf_append(&text, slice_of(node_sample_config, (size_t)(at - node_sample_config)));
    buf_append_str(&text, end);
    assert_true(node_config_parse(buf_slice(&text), *state, &c, &err));
    assert_true(node_config_validate(c, &err));
    buf_append_str(&text, "[tee.kms.phala]\nurl = 'https://kms'\n");
    assert_true(node_config_parse(buf_slice(&text), *state, &with_tee, &err));
    assert_false(node_config_validate(with_tee, &err));
    assert_string_equal(err.message,
                        "Credentials validation failed: [identity] is missing: a TEE node would "
                        "ask the KMS for another key at every start");
}

static void limits_have_their_bounds(void **state)
{
    static const struct refusal cases[] = {
        {{{"sync.timeout_ms", "999"}}, "sync.timeout (999ms) is below minimum allowed value (1s)"},
        {{{"sync.timeout_ms", "0"}}, "sync.timeout (0ns) is below minimum allowed value (1s)"},
        {{{"sync.timeout_ms", "300001"}},
         "sync.timeout (300.001s) exceeds maximum allowed value (300s)"},
        {{{"sync.interval_ms", "99"}},
         "sync.interval (99ms) is below minimum allowed value (100ms)"},
        {{{"sync.interval_ms", "3600500"}},
         "sync.interval (3600.5s) exceeds maximum allowed value (3600s)"},
        {{{"sync.frequency_ms", "1"}},
         "sync.frequency (1ms) is below minimum allowed value (100ms)"},
        {{{"sync.frequency_ms", "9223372036854775807"}},
         "sync.frequency (9223372036854775.807s) exceeds maximum allowed value (3600s)"},
        {{{"sync.session_deadline_ms", "999"}},
         "sync.session_deadline (999ms) is below minimum allowed value (1s)"},
        {{{"sync.session_deadline_ms", "600010"}},
         "sync.session_deadline (600.01s) exceeds maximum allowed value (600s)"},
        {{{"discovery.rendezvous.registrations_limit", "0"}},
         "discovery.rendezvous.registrations_limit must be greater than 0"},
        {{{"discovery.rendezvous.registrations_limit", "101"}},
         "discovery.rendezvous.registrations_limit (101) exceeds maximum allowed value (100)"},
        {{{"discovery.rendezvous.discovery_rpm", "0"}},
         "discovery.rendezvous.discovery_rpm (0) must be a positive finite number"},
        {{{"discovery.rendezvous.discovery_rpm", "-0.5"}},
         "discovery.rendezvous.discovery_rpm (-0.5) must be a positive finite number"},
        {{{"discovery.rendezvous.discovery_rpm", "inf"}},
         "discovery.rendezvous.discovery_rpm (inf) must be a positive finite number"},
        {{{"discovery.rendezvous.discovery_rpm", "1e300"}},
         "discovery.rendezvous.discovery_rpm (inf) must be a positive finite number"},
        {{{"discovery.rendezvous.discovery_interval", "{ secs = 0, nanos = 0 }"}},
         "discovery.rendezvous.discovery_interval must be greater than 0 (tokio::time::interval "
         "panics on zero duration)"},
        {{{"discovery.relay.registrations_limit", "0"}},
         "discovery.relay.registrations_limit must be greater than 0"},
        {{{"discovery.relay.registrations_limit", "101"}},
         "discovery.relay.registrations_limit (101) exceeds maximum allowed value (100)"},
        {{{"discovery.autonat.max_candidates", "0"}},
         "discovery.autonat.max_candidates must be greater than 0"},
        {{{"server.websocket.ping_interval_secs", "4"}},
         "websocket.ping_interval_secs (4) is too low. Minimum is 5 seconds or 0 to disable."},
        {{{"server.websocket.pong_timeout_secs", "30"}},
         "websocket.pong_timeout_secs (30) must be less than ping_interval_secs (30)"},
        {{EMBEDDED(""), {"server.embedded_auth.jwt.access_token_expiry", "0"}},
         "embedded_auth.jwt.access_token_expiry must be greater than 0"},
        {{EMBEDDED(""), {"server.embedded_auth.jwt.refresh_token_expiry", "0"}},
         "embedded_auth.jwt.refresh_token_expiry must be greater than 0"},
        {{EMBEDDED(""), {"server.embedded_auth.jwt.refresh_token_expiry", "3600"}},
         "embedded_auth.jwt.access_token_expiry (3600) should be less than refresh_token_expiry "
         "(3600)"},
        {{EMBEDDED(", user_password = { min_password_length = 0 }")},
         "embedded_auth.user_password.min_password_length must be greater than 0"},
        {{EMBEDDED(", user_password = { max_password_length = 8 }")},
         "embedded_auth.user_password.max_password_length (8) must be greater than "
         "min_password_length (8)"},
    };
    CHECK_REFUSALS(*state, "Limit values validation failed", cases);
}

static void runtime_limits_have_ceilings(void **state)
{
    static const struct refusal cases[] = {
        {{{"runtime.limits.max_logs", "1000001"}},
         "runtime.limits.max_logs = 1000001 exceeds the maximum of 1000000"},
        {{{"runtime.limits.max_log_size", "10485761"}},
         "runtime.limits.max_log_size = 10485761 exceeds the maximum of 10485760 bytes"},
        {{{"runtime.limits.max_precompiled_module_size", "1073741825"}},
         "runtime.limits.max_precompiled_module_size = 1073741825 exceeds the maximum of "
         "1073741824 bytes"},
        {{{"runtime.limits.max_gas", "0"}},
         "runtime.limits.max_gas must be non-zero; a zero gas budget would trap every execution "
         "before it runs"},
    };
    CHECK_REFUSALS(*state, "Runtime VM limits validation failed", cases);
}

/* The first failing group speaks, in the order of the facts. */
static void groups_come_in_order(void **state)
{
    struct edit edits[] = {{"runtime.limits.max_gas", "0"},
                           {"sync.timeout_ms", "1"},
                           {"tee.kms", "{}"},
                           {"datastore.path", "'no/data'"},
                           {"server.listen", "['/ip4/127.0.0.1/tcp/2428']"},
                           {NULL, NULL}};
    static const char *const prefixes[] = {"Port conflict", "Path accessibility", "Credentials",
                                           "Limit values", "Runtime VM limits"};
    for (size_t i = 0; i < 5; i++) {
        struct error err = {0};
        edits[5 - i].path = NULL;
        assert_false(validate(*state, edits, &err));
        assert_memory_equal(err.message, prefixes[i], strlen(prefixes[i]));
    }
}

int main(void)
{
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, node_dir_setup, node_dir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(good_configurations_pass),
        WITH_DIR(port_conflicts_are_collected),
        WITH_DIR(many_conflicts_fit_into_one_message),
        WITH_DIR(different_addresses_do_not_conflict),
        WITH_DIR(data_directories_must_be_usable),
        WITH_DIR(the_write_probe_leaves_nothing),
        WITH_DIR(credentials_are_judged_in_order),
        WITH_DIR(malformed_measurements_are_found_before_the_start),
        WITH_DIR(a_tee_node_needs_an_identity),
        WITH_DIR(limits_have_their_bounds),
        WITH_DIR(runtime_limits_have_ceilings),
        WITH_DIR(groups_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
