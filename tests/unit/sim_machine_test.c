/* Machines: measurements that follow from names, event logs in step with RTMR3 (judged by the
 * reader that verifiers use and by published digests), application keys, reboots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "quote/eventlog.h"
#include "sim/machine.h"

enum { NOW = 1767225600 };

static struct error err;
static struct sim_pki pki;
static const uint8_t report_data[64] = {1, 2, 3};

static void set(struct sim_machine_options *options, const char *key, const char *value)
{
    if (!sim_machine_set(options, key, slice_str(value), &err))
        fail_msg("%s=%s: %s", key, value, err.message);
}

static void start(struct sim_machine *m, const struct sim_machine_options *options)
{
    if (!sim_machine_start(m, options, &pki, &err))
        fail_msg("%s: %s", err.code, err.message);
}

static void start_named(struct sim_machine *m, const char *name, const char *type)
{
    struct sim_machine_options options;
    assert_true(sim_machine_defaults(&options, name, &err));
    set(&options, "type", type);
    start(m, &options);
}

#define MACHINE_AUTO __attribute__((cleanup(sim_machine_stop)))

static void assert_hex(const uint8_t *got, size_t len, const char *hex)
{
    char text[2 * 64 + 1];
    hex_encode(slice_of(got, len), text);
    assert_string_equal(text, hex);
}

/* --- event log --- */

static void digests_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        unsigned version;
        const char *name, *payload, *digest;
    } cases[] = {
        {1, "calimero.kms.profile", "calimero.kms.profile=debug",
         "ed2884f0860d4aee44b6e088b5d9cc4569ae8e10bd3ba443556fad0b19cfd30e4bf9f4ee6f4c7a7374aaecab"
         "652fa60e"},
        {2, "calimero.kms.profile", "calimero.kms.profile=debug",
         "9bae65fa4489bca345ab68ac3988efa5a405a68dea70de2779cb5e73146e03d4d1b398d7b6afb40bcfff2672"
         "4a545838"},
        {1, "calimero.kms.profile", "calimero.kms.profile=locked-read-only",
         "c1bab0788a0e0554c109c96519f55bbd88dd9b185db37f355559f1ef7d26f1a31222131415180727a1f3f45d"
         "57f3b0a1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sim_event_log log = {0};
        assert_true(sim_log_runtime(&log, cases[i].version, cases[i].name,
                                    slice_str(cases[i].payload), &err));
        assert_hex(log.events[0].digest, SHA384_LEN, cases[i].digest);
        sim_log_free(&log);
    }
}

static void the_log_has_ceilings(void **state)
{
    (void)state;
    static uint8_t payload[SIM_EVENT_PAYLOAD_MAX + 1];
    char name[SIM_EVENT_NAME_MAX + 1];
    struct sim_event_log log = {0};
    memset(name, 'n', sizeof name);
    name[SIM_EVENT_NAME_MAX] = '\0';
    assert_false(sim_log_runtime(&log, 1, name, slice_str(""), &err));
    assert_true(error_is(&err, "sim/limit"));
    name[SIM_EVENT_NAME_MAX - 1] = '\0';
    assert_true(sim_log_runtime(&log, 1, name, slice_str(""), &err));
    for (unsigned version = 1; version <= 2; version++) {
        assert_true(
            sim_log_runtime(&log, version, "e", slice_of(payload, SIM_EVENT_PAYLOAD_MAX), &err));
        assert_false(sim_log_runtime(&log, version, "e",
                                     slice_of(payload, SIM_EVENT_PAYLOAD_MAX + 1), &err));
    }
    while (log.count < SIM_EVENTS_MAX)
        assert_true(sim_log_runtime(&log, 1, "e", slice_str(""), &err));
    assert_false(sim_log_runtime(&log, 1, "e", slice_str(""), &err));
    assert_int_equal(log.count, SIM_EVENTS_MAX);
    sim_log_free(&log);
}

/* The log as text, replayed by the production reader, leads to the registers of the quote. */
static void assert_in_step(struct sim_machine *m, bool stripped, size_t runtime_events)
{
    struct buf json BUF_AUTO = BUF_INIT(SIM_AGENT_REPLY_MAX);
    struct buf quote_bytes BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    struct eventlog log;
    struct quote quote;
    assert_true(sim_machine_quote_and_log(m, report_data, stripped, &quote_bytes, &json, &err));
    if (!eventlog_read(buf_slice(&json), &log, NULL, NULL, &err))
        fail_msg("%s: %s", err.code, err.message);
    assert_true(quote_parse(buf_slice(&quote_bytes), &quote, &err));
    for (unsigned imr = 0; imr < 4; imr++)
        if (!eventlog_matches(&log, &quote.td, imr, &err))
            fail_msg("RTMR%u: %s", imr, err.message);
    assert_int_equal(log.count[3], runtime_events);
    assert_true(log.has_compose_hash);
    assert_memory_equal(log.compose_hash, m->compose_hash, 32);
    assert_memory_equal(log.app_id, m->app_id, 20);
}

static void log_and_registers_are_in_step(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        bool strips;
        size_t boot_events;
    } agents[] = {{"0.5.0", false, 7}, {"0.5.1", false, 7}, {"0.5.5", false, 9},
                  {"0.5.6", true, 9},  {"0.5.7", true, 9},  {"0.5.8", true, 9},
                  {"0.5.11", true, 9}, {"0.6.0", true, 9}};
    for (size_t i = 0; i < sizeof agents / sizeof agents[0]; i++) {
        struct sim_machine m MACHINE_AUTO;
        struct sim_machine_options options;
        assert_true(sim_machine_defaults(&options, "kms", &err));
        set(&options, "agent-version", agents[i].version);
        start(&m, &options);
        assert_int_equal(sim_machine_strips_log(&m), agents[i].strips);
        assert_in_step(&m, false, agents[i].boot_events);
        assert_in_step(&m, true, agents[i].boot_events);
        assert_true(sim_machine_emit(&m, "first", slice_str("payload"), &err));
        assert_true(sim_machine_emit(&m, "second", slice_str(""), &err));
        assert_in_step(&m, true, agents[i].boot_events + 2);
    }
}

static void stripping_takes_digests_or_payloads(void **state)
{
    (void)state;
    struct sim_machine m MACHINE_AUTO;
    struct buf text BUF_AUTO = BUF_INIT(SIM_AGENT_REPLY_MAX);
    start_named(&m, "kms", "dstack");
    assert_true(sim_machine_event_log(&m, true, &text, &err));
    json_t *log JSON_AUTO = NULL;
    assert_true(json_parse(buf_slice(&text), SIM_AGENT_REPLY_MAX, 0, &log, &err));
    assert_int_equal(json_array_size(log), 20 + 9);
    for (size_t i = 0; i < json_array_size(log); i++) {
        const json_t *e = json_array_get(log, i);
        bool runtime = json_integer_value(json_object_get(e, "imr")) == 3;
        const char *digest = json_string_value(json_object_get(e, "digest"));
        const char *payload = json_string_value(json_object_get(e, "event_payload"));
        assert_int_equal(strlen(digest), runtime ? 0 : 96);
        if (!runtime)
            assert_string_equal(payload, "");
    }
}

static void *emit_many(void *arg)
{
    for (int i = 0; i < 50; i++)
        if (!sim_machine_emit(arg, "parallel", slice_str("x"), NULL))
            return arg;
    return NULL;
}

static void parallel_events_stay_in_step(void **state)
{
    (void)state;
    struct sim_machine m MACHINE_AUTO;
    pthread_t threads[4];
    start_named(&m, "kms", "dstack");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, emit_many, &m), 0);
    for (int i = 0; i < 20; i++) { /* while they emit: a quote and its log belong together */
        struct buf json BUF_AUTO = BUF_INIT(SIM_AGENT_REPLY_MAX);
        struct buf bytes BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
        struct eventlog log;
        struct quote quote;
        assert_true(sim_machine_quote_and_log(&m, report_data, true, &bytes, &json, &err));
        assert_true(eventlog_read(buf_slice(&json), &log, NULL, NULL, &err));
        assert_true(quote_parse(buf_slice(&bytes), &quote, &err));
        assert_true(eventlog_matches(&log, &quote.td, 3, &err));
    }
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_in_step(&m, true, 9 + 200);
}

/* --- measurements --- */

static void registers_of(const char *name, const char *type, const char *key, const char *value,
                         uint8_t out[SIM_REGISTERS][SIM_REGISTER_LEN])
{
    struct sim_machine m MACHINE_AUTO;
    struct sim_machine_options options;
    assert_true(sim_machine_defaults(&options, name, &err));
    set(&options, "type", type);
    if (key != NULL)
        set(&options, key, value);
    start(&m, &options);
    sim_machine_registers(&m, out);
}

static unsigned differing(uint8_t a[SIM_REGISTERS][SIM_REGISTER_LEN],
                          uint8_t b[SIM_REGISTERS][SIM_REGISTER_LEN])
{
    unsigned bits = 0;
    for (size_t i = 0; i < SIM_REGISTERS; i++)
        bits |= memcmp(a[i], b[i], SIM_REGISTER_LEN) != 0 ? 1u << i : 0;
    return bits;
}

static void measurements_follow_from_name_and_seed(void **state)
{
    (void)state;
    static const char *const types[] = {"dstack", "gcp"};
    for (size_t t = 0; t < 2; t++) {
        uint8_t a[SIM_REGISTERS][SIM_REGISTER_LEN];
        uint8_t b[SIM_REGISTERS][SIM_REGISTER_LEN];
        registers_of("kms", types[t], NULL, NULL, a);
        registers_of("kms", types[t], NULL, NULL, b);
        assert_int_equal(differing(a, b), 0);
        registers_of("node", types[t], NULL, NULL, b);
        assert_int_equal(differing(a, b), SIM_OTHER_ALL);
        registers_of("kms", types[t], "seed", "another", b);
        assert_int_equal(differing(a, b), SIM_OTHER_ALL);
        for (size_t i = 0; i < SIM_REGISTERS; i++)
            assert_false(slice_is_zero(slice_of(a[i], SIM_REGISTER_LEN)));
    }
}

static void other_registers_change_alone(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        unsigned bits;
    } cases[] = {{"other:mrtd", 1},  {"other:rtmr0", 2},  {"other:rtmr1", 4},
                 {"other:rtmr2", 8}, {"other:rtmr3", 16}, {"other:all", 31}};
    static const char *const types[] = {"dstack", "gcp"};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        const char *type = types[i % 2];
        uint8_t a[SIM_REGISTERS][SIM_REGISTER_LEN];
        uint8_t b[SIM_REGISTERS][SIM_REGISTER_LEN];
        registers_of("kms", type, NULL, NULL, a);
        registers_of("kms", type, "scenario", cases[i / 2].word, b);
        assert_int_equal(differing(a, b), cases[i / 2].bits);
    }
}

static void registers_can_be_given(void **state)
{
    (void)state;
    char hex[97];
    uint8_t got[SIM_REGISTERS][SIM_REGISTER_LEN];
    memset(hex, 'a', 96);
    hex[96] = '\0';
    registers_of("kms", "dstack", "rtmr1", hex, got);
    assert_hex(got[2], SIM_REGISTER_LEN, hex);
    registers_of("kms", "gcp", "rtmr3", hex, got);
    assert_hex(got[4], SIM_REGISTER_LEN, hex);
    struct sim_machine m;
    struct sim_machine_options options;
    assert_true(sim_machine_defaults(&options, "kms", &err));
    set(&options, "rtmr3", hex);
    assert_false(sim_machine_start(&m, &options, &pki, &err));
    assert_true(error_is(&err, "sim/machine"));
}

static void other_measurements_are_a_reboot(void **state)
{
    (void)state;
    struct sim_machine m MACHINE_AUTO;
    struct sim_scenario scenario = {0};
    start_named(&m, "kms", "dstack");
    assert_true(sim_machine_emit(&m, "mine", slice_str(""), &err));
    scenario.debug_td = true; /* not a reboot */
    assert_true(sim_machine_set_scenario(&m, &scenario, &err));
    assert_in_step(&m, true, 10);
    scenario.other_registers = SIM_OTHER_ALL;
    assert_true(sim_machine_set_scenario(&m, &scenario, &err));
    assert_in_step(&m, true, 9);
}

static void relaunch_needs_a_v5_quote(void **state)
{
    (void)state;
    struct sim_machine m MACHINE_AUTO;
    start_named(&m, "kms", "dstack");
    assert_false(
        sim_machine_set_scenario(&m, &(struct sim_scenario){.relaunch_advised = true}, &err));
    assert_true(error_is(&err, "sim/machine"));
}

static void dstack_machines_bind_their_compose(void **state)
{
    (void)state;
    struct sim_machine m MACHINE_AUTO;
    uint8_t hash[SHA256_LEN];
    start_named(&m, "kms", "dstack");
    sha256(buf_slice(&m.compose), hash);
    assert_memory_equal(m.compose_hash, hash, 32);
    assert_memory_equal(m.app_id, hash, 20);
    assert_int_equal(m.td.mrconfigid[0], 1);
    assert_memory_equal(m.td.mrconfigid + 1, hash, 32);
    assert_true(slice_is_zero(slice_of(m.td.mrconfigid + 33, 15)));
}

static void quotes_are_padded_like_their_platforms(void **state)
{
    (void)state;
    struct sim_machine dstack MACHINE_AUTO;
    struct sim_machine gcp MACHINE_AUTO;
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    start_named(&dstack, "kms", "dstack");
    start_named(&gcp, "node", "gcp");
    assert_true(sim_machine_quote(&dstack, report_data, &quote, &err));
    assert_int_equal(quote.len, 5006);
    buf_reset(&quote);
    assert_true(sim_machine_quote(&gcp, report_data, &quote, &err));
    assert_int_equal(quote.len, 8000);
}

/* --- keys --- */

static void keys_are_the_published_ones(void **state)
{
    (void)state;
    static const char app_key_hex[] =
        "d6e88992cdeeee35fe70b5db61ab66cdb191fb9b6ec9313757ef162dd7214d5d";
    static const struct {
        const char *path, *key;
    } cases[] = {
        {"", "aa221ae548b5a8f52fcb8687cfd873712f6a1232b2717e5ee3d58ab74f21905b"},
        {"/", "f6c1ed94488394d78e0a4e5ab75d62e9f085d73b0b555d0614fb90ca13d9464d"},
        {"test", "133e8ca6e532ead3e38f00347408771da296e9c70e8e3e362f485154e64ef4e8"},
        {"vms", "1091a4d6721f6a719ca57320e4975f7e237649131111ee1c5032f661dc1cfef2"},
        {"merod/storage/locked-read-only/12D3KooWExample",
         "af4e8c2fe75b508c3cc073368c9aa61fa63fae6cd10be440391581551b6366e9"},
    };
    uint8_t app_key[SIM_APP_KEY_LEN];
    uint8_t key[SIM_APP_KEY_LEN];
    assert_true(hex_decode(slice_str(app_key_hex), app_key, sizeof app_key));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(sim_app_key_derive(app_key, slice_str(cases[i].path), key, &err));
        assert_hex(key, sizeof key, cases[i].key);
    }
}

static void keys_belong_to_application_and_seed(void **state)
{
    (void)state;
    struct sim_machine a MACHINE_AUTO;
    struct sim_machine again MACHINE_AUTO;
    struct sim_machine b MACHINE_AUTO;
    start_named(&a, "kms", "dstack");
    start_named(&again, "kms", "dstack");
    start_named(&b, "node", "dstack");
    assert_memory_equal(a.app_key, again.app_key, SIM_APP_KEY_LEN);
    assert_memory_not_equal(a.app_key, b.app_key, SIM_APP_KEY_LEN);
}

/* --- options --- */

static void wrong_options_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
    } cases[] = {{"type", "azure"},     {"quote", "3"},         {"quote", "44"},
                 {"app-key", "00"},     {"mrtd", "zz"},         {"rtmr4", "00"},
                 {"agent-version", ""}, {"agent-version", "1"}, {"agent", ""},
                 {"scenario", "no"},    {"colour", "red"}};
    struct sim_machine_options options;
    assert_true(sim_machine_defaults(&options, "kms", &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (sim_machine_set(&options, cases[i].key, slice_str(cases[i].value), &err))
            fail_msg("%s=%s was taken", cases[i].key, cases[i].value);
        assert_true(error_is(&err, "sim/machine") || error_is(&err, "sim/scenario"));
    }
}

static void names_have_a_form(void **state)
{
    (void)state;
    char name[SIM_MACHINE_NAME_MAX + 1];
    struct sim_machine_options options;
    memset(name, 'a', sizeof name);
    name[SIM_MACHINE_NAME_MAX] = '\0';
    assert_false(sim_machine_defaults(&options, name, &err));
    name[SIM_MACHINE_NAME_MAX - 1] = '\0';
    assert_true(sim_machine_defaults(&options, name, &err));
    static const char *const bad[] = {"", "Kms", "a/b", "a.b", "a b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sim_machine_defaults(&options, bad[i], &err));
}

static int set_up(void **state)
{
    (void)state;
    static const uint8_t seed[SIM_SEED_LEN] = {7};
    return sim_pki_create(&pki, seed, NOW, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sim_pki_free(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_the_published_ones),
        cmocka_unit_test(the_log_has_ceilings),
        cmocka_unit_test(log_and_registers_are_in_step),
        cmocka_unit_test(stripping_takes_digests_or_payloads),
        cmocka_unit_test(parallel_events_stay_in_step),
        cmocka_unit_test(measurements_follow_from_name_and_seed),
        cmocka_unit_test(other_registers_change_alone),
        cmocka_unit_test(registers_can_be_given),
        cmocka_unit_test(other_measurements_are_a_reboot),
        cmocka_unit_test(relaunch_needs_a_v5_quote),
        cmocka_unit_test(dstack_machines_bind_their_compose),
        cmocka_unit_test(quotes_are_padded_like_their_platforms),
        cmocka_unit_test(keys_are_the_published_ones),
        cmocka_unit_test(keys_belong_to_application_and_seed),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(names_have_a_form),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
