/* The start of a node, in process, against the simulated platform and the real KMS: what it builds,
 * what it refuses, and that a start which fails has not touched the store. */
#include "node/startup.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/log.h"
#include "kms/kms.h"
#include "sim/service.h"
#include "support/node_dir.h"
#include "toml/toml.h"

enum { WAIT_MS = 10000 };

/* One platform and one KMS for all tests. */
static struct {
    char dir[PATH_TEXT_MAX], root_pem[PATH_TEXT_MAX], pcs_url[256];
    struct sim_cast cast;
    struct sim_cast_view view;
    struct sim_service *sim;
    struct sim_machine *kms_machine, *node_machine;
    struct kms_config kms_config;
    struct kms *kms;
} stage;

/* --- the platform --- */

static void text_of(const json_t *page, const char *name, char *out, size_t size)
{
    struct slice text;
    assert_true(json_get_str(page, name, &text, NULL));
    snprintf(out, size, "%.*s", (int)text.len, (const char *)text.data);
}

static void start_platform(void)
{
    struct error err;
    node_dir_make(stage.dir);
    if (!sim_cast_new(&stage.cast, &err) || !sim_cast_add_machine(&stage.cast, "name=kms", &err) ||
        !sim_cast_add_machine(&stage.cast, "name=node", &err) ||
        !sim_cast_add_machine(&stage.cast, "name=stranger", &err) ||
        !sim_cast_read(&stage.cast, &stage.view, &err))
        fail_msg("%s", err.message);
    struct sim_service_options options = {.dir = stage.dir, .cast = &stage.view};
    if (!sim_service_start(&options, &stage.sim, &err))
        fail_msg("%s", err.message);
    json_t *page JSON_AUTO = NULL;
    assert_true(json_parse(sim_service_page(stage.sim), 65536, 0, &page, NULL));
    text_of(page, "root_pem", stage.root_pem, sizeof stage.root_pem);
    text_of(page, "pcs_url", stage.pcs_url, sizeof stage.pcs_url);
    stage.kms_machine = sim_stage_machine(sim_service_stage(stage.sim), "kms");
    stage.node_machine = sim_stage_machine(sim_service_stage(stage.sim), "node");
    setenv("MERO_DEV_ROOT", stage.root_pem, 1);
    setenv("MERO_COLLATERAL_URLS", stage.pcs_url, 1);
}

static void register_hex(struct sim_machine *machine, size_t i, char out[97])
{
    uint8_t registers[SIM_REGISTERS][SIM_REGISTER_LEN];
    sim_machine_registers(machine, registers);
    hex_encode(slice_of(registers[i], SIM_REGISTER_LEN), out);
}

static void start_kms(void)
{
    static const char *const names[] = {"ALLOWED_MRTD", "ALLOWED_RTMR0", "ALLOWED_RTMR1",
                                        "ALLOWED_RTMR2", "ALLOWED_RTMR3"};
    char value[PATH_TEXT_MAX + 16], booted[97], now[97];
    struct kms_findings findings = {.count = 0};
    struct error err;
    setenv("LISTEN_ADDR", "127.0.0.1:0", 1);
    setenv("USE_ENV_POLICY", "true", 1);
    snprintf(value, sizeof value, "%s/kms.sock", stage.dir);
    setenv("DSTACK_SOCKET_PATH", value, 1);
    snprintf(value, sizeof value, "%s/state", stage.dir);
    setenv("MERO_KMS_STATE_DIR", value, 1);
    for (size_t i = 0; i < SIM_REGISTERS; i++) {
        register_hex(stage.node_machine, i, booted);
        setenv(names[i], booted, 1);
    }
    struct kms_environment env = kms_environment_of_process();
    if (!kms_config_read(&env, &stage.kms_config, &findings))
        fail_msg("%s: %s", findings.items[0].setting, findings.items[0].text);
    unsetenv("USE_ENV_POLICY"); /* the node reads it too */
    register_hex(stage.kms_machine, 4, booted);
    if (!kms_start(&stage.kms_config, &stage.kms, &err))
        fail_msg("%s", err.message);
    int64_t end_ms = clock_monotonic_ms() + WAIT_MS;
    do { /* the KMS extends its RTMR3 once, soon after it listens */
        usleep(5000);
        register_hex(stage.kms_machine, 4, now);
    } while (strcmp(booted, now) == 0 && clock_monotonic_ms() < end_ms);
    assert_string_not_equal(booted, now);
}

static int start_stage(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    start_platform();
    start_kms();
    return 0;
}

static int stop_stage(void **state)
{
    (void)state;
    assert_true(kms_stop(&stage.kms));
    kms_config_free(&stage.kms_config);
    sim_service_stop(&stage.sim);
    sim_cast_free(&stage.cast);
    node_dir_remove(stage.dir);
    return 0;
}

/* --- a node --- */

/* A node directory whose configuration trusts the KMS, with edits on top. */
static void make_node(const char *dir, const struct edit *more)
{
    static const char *const lists[] = {
        "tee.kms.phala.attestation.allowed_mrtd", "tee.kms.phala.attestation.allowed_rtmr0",
        "tee.kms.phala.attestation.allowed_rtmr1", "tee.kms.phala.attestation.allowed_rtmr2",
        "tee.kms.phala.attestation.allowed_rtmr3"};
    char values[SIM_REGISTERS][128], url[64], socket_path[PATH_TEXT_MAX + 16], hex[97];
    struct edit edits[EDITS_MAX] = {{"server.listen", "[\"/ip4/127.0.0.1/tcp/0\"]"}};
    size_t count = 1;
    snprintf(url, sizeof url, "\"http://127.0.0.1:%u/\"", kms_port(stage.kms));
    snprintf(socket_path, sizeof socket_path, "\"%s/node.sock\"", stage.dir);
    edits[count++] = (struct edit){"tee.kms.phala.url", url};
    edits[count++] = (struct edit){"tee.quote_source", "\"dstack\""};
    edits[count++] = (struct edit){"tee.dstack_socket", socket_path};
    for (size_t i = 0; i < SIM_REGISTERS; i++) {
        register_hex(stage.kms_machine, i, hex);
        snprintf(values[i], sizeof values[i], "[\"%s\"]", hex);
        edits[count++] = (struct edit){lists[i], values[i]};
    }
    edits[count++] = (struct edit){"tee.kms.phala.attestation.enabled", "true"};
    for (; more != NULL && more->path != NULL; more++)
        edits[count++] = *more;
    struct buf text BUF_AUTO = BUF_INIT(TOML_LEN_MAX);
    sample_with(edits, &text);
    write_test_file(dir, NODE_CONFIG_FILE, buf_slice(&text), NULL);
}

struct run {
    struct node_options options;
    struct node node;
    struct watch *watch;
    struct error err;
};

static bool begin(struct run *run, const char *dir)
{
    struct watch_options watched = {.eof_fd = -1};
    memset(run, 0, sizeof *run);
    run->options = (struct node_options){.dir = dir, .eof_fd = -1};
    assert_true(watch_start(&watched, &run->watch, &run->err));
    run->node = (struct node){.options = &run->options, .watch = run->watch};
    return node_start(&run->node, &run->err);
}

static void end(struct run *run)
{
    node_stop(&run->node, false);
    watch_stop(&run->watch);
}

static bool store_exists(const char *dir)
{
    char path[PATH_TEXT_MAX];
    assert_true(path_join(dir, "data", path, NULL));
    if (file_exists(path) && rmdir(path) != 0) /* an empty directory is no store */
        return true;
    assert_true(path_join(dir, "blobs", path, NULL));
    return file_exists(path) && rmdir(path) != 0;
}

static void expect_refused(const char *dir, const char *code, const char *text)
{
    struct run run;
    if (begin(&run, dir))
        fail_msg("the node started, wanted %s", code);
    end(&run);
    if (strcmp(run.err.code, code) != 0 || strstr(run.err.message, text) == NULL)
        fail_msg("%s: %s, wanted %s: %s", run.err.code, run.err.message, code, text);
    assert_false(store_exists(dir));
}

/* --- tests --- */

static void a_node_starts_twice_with_the_same_key(void **state)
{
    const char *dir = *state;
    struct run run;
    make_node(dir, NULL);
    for (int i = 0; i < 2; i++) {
        if (!begin(&run, dir))
            fail_msg("%s: %s", run.err.code, run.err.message);
        assert_true(store_is_encrypted(run.node.store));
        assert_null(run.node.key.data);
        struct buf value BUF_AUTO = BUF_INIT(1024);
        bool found = false;
        assert_true(store_get(run.node.store, "Config", slice_str("merod/starts"), &value, &found,
                              &run.err));
        assert_true(found);
        assert_non_null(strstr(buf_cstr(&value), i == 0 ? "\"starts\":1" : "\"starts\":2"));
        end(&run);
    }
}

static void refused_before_anybody_is_asked(void **state)
{
    static const struct {
        struct edit more[3];
        const char *variable, *value;
        const char *code, *text;
    } cases[] = {
        {.more = {{"tee.kms.phala.attestation.enabled", "false"}},
         .code = "config/kms-unverified",
         .text = "nobody would verify the KMS"},
        {.variable = "MERO_KMS_VERSION",
         .value = "2.3.71",
         .code = "release/unavailable",
         .text = "MERO_KMS_VERSION names release 2.3.71"},
        {.variable = "MERO_KMS_RELEASE_TAG",
         .value = "v2",
         .code = "config/release-version",
         .text = "MERO_KMS_RELEASE_TAG is invalid"},
        {.more = {{"tee.kms.phala.attestation.allowed_rtmr2", "[]"}},
         .code = "config/value",
         .text = "allowed_rtmr2 is empty"},
        {.more = {{"sync.timeout_ms", "1"}},
         .code = "config/validation",
         .text = "Configuration validation failed - please fix the configuration and try again"},
        {.more = {{"server.auth_mode", "\"token\""}},
         .code = "config/validation",
         .text = "not available in this build yet"},
        {.more = {{"tee.dstack_socket", "\"/nonexistent.sock\""}},
         .code = "platform/",
         .text = "/nonexistent.sock"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run run;
        make_node(*state, cases[i].more);
        if (cases[i].variable != NULL)
            setenv(cases[i].variable, cases[i].value, 1);
        bool started = begin(&run, *state);
        if (cases[i].variable != NULL)
            unsetenv(cases[i].variable);
        end(&run);
        if (started)
            fail_msg("case %zu started", i);
        size_t len = strlen(cases[i].code);
        bool area = cases[i].code[len - 1] == '/';
        if ((area ? strncmp(run.err.code, cases[i].code, len)
                  : strcmp(run.err.code, cases[i].code)) != 0 ||
            strstr(run.err.message, cases[i].text) == NULL)
            fail_msg("case %zu: %s: %s", i, run.err.code, run.err.message);
        assert_false(store_exists(*state));
    }
}

static void a_stranger_gets_no_key(void **state)
{
    char socket_path[PATH_TEXT_MAX + 16];
    snprintf(socket_path, sizeof socket_path, "\"%s/stranger.sock\"", stage.dir);
    const struct edit more[] = {{"tee.dstack_socket", socket_path}, {NULL, NULL}};
    make_node(*state, more);
    expect_refused(*state, "keyrelease/refused", "measurement_policy_rejected");
}

static void a_strange_kms_gets_no_request(void **state)
{
    char other[97], value[128];
    register_hex(stage.node_machine, 0, other);
    snprintf(value, sizeof value, "[\"%s\"]", other);
    const struct edit more[] = {{"tee.kms.phala.attestation.allowed_mrtd", value}, {NULL, NULL}};
    make_node(*state, more);
    expect_refused(*state, "measurement/mrtd", "is not in allowlist");
}

static void two_starts_at_once(void **state)
{
    struct run first, second;
    make_node(*state, NULL);
    assert_true(begin(&first, *state));
    assert_false(begin(&second, *state));
    assert_string_equal(second.err.code, "store/locked");
    end(&second);
    end(&first);
}

static void a_pending_signal_stops_at_the_first_step(void **state)
{
    struct run run;
    struct watch_options watched = {.eof_fd = -1};
    make_node(*state, NULL);
    memset(&run, 0, sizeof run);
    run.options = (struct node_options){.dir = *state, .eof_fd = -1};
    assert_true(watch_start(&watched, &run.watch, &run.err));
    run.node = (struct node){.options = &run.options, .watch = run.watch};
    kill(getpid(), SIGTERM);
    assert_int_equal(watch_wait(run.watch, -1), WATCH_SIGNAL);
    assert_false(node_start(&run.node, &run.err));
    assert_string_equal(run.err.code, "interrupted");
    assert_non_null(strstr(run.err.message, "SIGTERM"));
    end(&run);
    assert_false(store_exists(*state));
}

static void plaintext_and_encrypted_do_not_mix(void **state)
{
    struct run run;
    make_node(*state, NULL);
    assert_true(begin(&run, *state));
    end(&run);
    struct buf text BUF_AUTO = BUF_INIT(TOML_LEN_MAX);
    const struct edit plain[] = {{"server.listen", "[\"/ip4/127.0.0.1/tcp/0\"]"}, {NULL, NULL}};
    sample_with(plain, &text);
    write_test_file(*state, NODE_CONFIG_FILE, buf_slice(&text), NULL);
    assert_false(begin(&run, *state));
    assert_string_equal(run.err.code, "store/encrypted");
    assert_non_null(strstr(run.err.message, "no [tee] section"));
    end(&run);
}

static void a_plaintext_store_stays_one(void **state)
{
    struct run run;
    struct buf text BUF_AUTO = BUF_INIT(TOML_LEN_MAX);
    const struct edit plain[] = {{"server.listen", "[\"/ip4/127.0.0.1/tcp/0\"]"}, {NULL, NULL}};
    sample_with(plain, &text);
    write_test_file(*state, NODE_CONFIG_FILE, buf_slice(&text), NULL);
    if (!begin(&run, *state))
        fail_msg("%s", run.err.message);
    assert_false(store_is_encrypted(run.node.store));
    end(&run);
    make_node(*state, NULL);
    assert_false(begin(&run, *state));
    assert_string_equal(run.err.code, "store/plaintext");
    assert_non_null(strstr(run.err.message, "must be encrypted"));
    end(&run);
}

int main(void)
{
    /* Threads of the platform and the KMS must not take the signals that the watch waits for. */
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
#define TEST(name) cmocka_unit_test_setup_teardown(name, node_dir_setup, node_dir_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_node_starts_twice_with_the_same_key),
        TEST(refused_before_anybody_is_asked),
        TEST(a_stranger_gets_no_key),
        TEST(a_strange_kms_gets_no_request),
        TEST(two_starts_at_once),
        TEST(a_pending_signal_stops_at_the_first_step),
        TEST(plaintext_and_encrypted_do_not_mix),
        TEST(a_plaintext_store_stays_one),
    };
    return cmocka_run_group_tests(tests, start_stage, stop_stage);
}
