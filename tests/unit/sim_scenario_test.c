/* The words of the scenarios, the cast that is made of them, and the one thread for late things. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "sim/cast.h"
#include "sim/later.h"
#include "sim/scenario.h"

static struct error err;

static bool apply(struct sim_scenario *s, enum sim_scope scope, const char *word)
{
    return sim_scenario_apply(s, scope, slice_str(word), &err);
}

static void good_words_are_taken(void **state)
{
    (void)state;
    struct sim_scenario s = {0};
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "tcb:OutOfDate"));
    assert_string_equal(s.tcb_status, "OutOfDate");
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "early-tcb:Revoked"));
    assert_string_equal(s.early_status, "Revoked");
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "tcb:TDRelaunchAdvised"));
    assert_true(s.relaunch_advised);
    assert_null(s.tcb_status);
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "agent:slow:2000"));
    assert_int_equal(s.agent.kind, SIM_FAULT_SLOW);
    assert_int_equal(s.agent.number, 2000);
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "agent:status:503"));
    assert_int_equal(s.agent.number, 503);
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "other:mrtd"));
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "other:rtmr2"));
    assert_int_equal(s.other_registers, SIM_OTHER_MRTD | SIM_OTHER_RTMR2);
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "tsm:EBUSY:3"));
    assert_int_equal(s.tsm_errno, EBUSY);
    assert_int_equal(s.tsm_times, 3);
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "tsm:empty"));
    assert_int_equal(s.tsm_errno, 0);
    assert_true(s.tsm_empty);
    assert_true(apply(&s, SIM_SCOPE_PCS, "root-crl:not-yet-valid"));
    assert_int_equal(s.root_crl, SIM_DOCUMENT_NOT_YET_VALID);
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "none"));
    assert_int_equal(s.other_registers, 0);
}

static void bad_words_change_nothing(void **state)
{
    (void)state;
    static const struct {
        enum sim_scope scope;
        const char *word;
    } cases[] = {
        {SIM_SCOPE_MACHINE, ""},
        {SIM_SCOPE_MACHINE, "nonsense"},
        {SIM_SCOPE_MACHINE, "tcb"},
        {SIM_SCOPE_MACHINE, "tcb:"},
        {SIM_SCOPE_MACHINE, "tcb:outofdate"},
        {SIM_SCOPE_MACHINE, "tcb:OutOfDate:1"},
        {SIM_SCOPE_MACHINE, "early-tcb:TDRelaunchAdvised"},
        {SIM_SCOPE_MACHINE, "debug-td:1"},
        {SIM_SCOPE_MACHINE, "agent:slow"},
        {SIM_SCOPE_MACHINE, "agent:slow:"},
        {SIM_SCOPE_MACHINE, "agent:slow:0"},
        {SIM_SCOPE_MACHINE, "agent:slow:600001"},
        {SIM_SCOPE_MACHINE, "agent:slow:-1"},
        {SIM_SCOPE_MACHINE, "agent:silent:1"},
        {SIM_SCOPE_MACHINE, "agent:status:199"},
        {SIM_SCOPE_MACHINE, "agent:status:600"},
        {SIM_SCOPE_MACHINE, "tsm:ENOENT"},
        {SIM_SCOPE_MACHINE, "tsm:EBUSY:0"},
        {SIM_SCOPE_MACHINE, "tsm:EBUSY:1001"},
        {SIM_SCOPE_MACHINE, "other:mrseam"},
        {SIM_SCOPE_MACHINE, "a:b:c:d"},
        {SIM_SCOPE_MACHINE, "pck-crl:expired"},
        {SIM_SCOPE_PCS, "debug-td"},
        {SIM_SCOPE_PCS, "pck-crl:later"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sim_scenario s = {0};
        const struct sim_scenario none = {0};
        if (apply(&s, cases[i].scope, cases[i].word))
            fail_msg("'%s' was taken", cases[i].word);
        assert_true(error_is(&err, "sim/scenario"));
        assert_memory_equal(&s, &none, sizeof s);
    }
    struct sim_scenario s = {0};
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "agent:slow:600000"));
    assert_true(apply(&s, SIM_SCOPE_MACHINE, "tsm:EBUSY:1000"));
}

static void the_list_for_humans_ends(void **state)
{
    (void)state;
    size_t count = 0;
    while (sim_scenario_help(count) != NULL)
        count++;
    assert_in_range(count, 15, 64);
}

/* --- the cast --- */

static void options_and_file_say_the_same(void **state)
{
    (void)state;
    static struct sim_cast_view a;
    static struct sim_cast_view b;
    struct sim_cast args SIM_CAST_AUTO = {0};
    struct sim_cast file SIM_CAST_AUTO = {0};
    assert_true(sim_cast_new(&args, &err));
    assert_true(sim_cast_set_seed(&args, "s", &err));
    assert_true(sim_cast_add_machine(
        &args, "name=kms,quote=5,scenario=debug-td,scenario=agent:slow:10,scenario=other:rtmr1",
        &err));
    assert_true(sim_cast_add_machine(&args, "name=node,type=gcp,seed=own", &err));
    assert_true(sim_cast_add_pcs(&args, "pck-crl:expired", &err));
    assert_true(sim_cast_parse(
        &file,
        slice_str("{\"seed\":\"s\",\"machines\":[{\"name\":\"kms\",\"quote\":5,\"scenario\":["
                  "\"debug-td\",\"agent:slow:10\",\"other:rtmr1\"]},{\"name\":\"node\","
                  "\"seed\":\"own\",\"type\":\"gcp\"}],\"pcs\":[\"pck-crl:expired\"]}"),
        &err));
    assert_true(sim_cast_read(&args, &a, &err));
    assert_true(sim_cast_read(&file, &b, &err));
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(a.count, 2);
    assert_true(a.machines[0].scenario.debug_td);
    assert_int_equal(a.machines[0].quote_version, 5);
    assert_string_equal(a.machines[0].seed, "s");
    assert_string_equal(a.machines[1].seed, "own");
    assert_int_equal(a.pcs.pck_crl, SIM_DOCUMENT_EXPIRED);
}

static void wrong_casts_are_refused(void **state)
{
    (void)state;
    static struct sim_cast_view view;
    static const char *const files[] = {
        "{}",
        "{\"machines\":{}}",
        "{\"machines\":[{}]}",
        "{\"machines\":[{\"name\":\"A\"}]}",
        "{\"machines\":[{\"name\":\"a\",\"quote\":6}]}",
        "{\"machines\":[{\"name\":\"a\",\"quote\":true}]}",
        "{\"machines\":[{\"name\":\"a\",\"scenario\":[1]}]}",
        "{\"machines\":[],\"pcs\":[\"debug-td\"]}",
        "{\"machines\":[],\"pcs\":[3]}",
        "{\"machines\":[],\"seed\":3}",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct sim_cast cast SIM_CAST_AUTO = {0};
        assert_true(sim_cast_parse(&cast, slice_str(files[i]), &err));
        if (sim_cast_read(&cast, &view, &err))
            fail_msg("%s was taken", files[i]);
    }
    static const char *const texts[] = {"", "name", "=x", "name=a,", "name=a,,type=gcp"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sim_cast cast SIM_CAST_AUTO = {0};
        assert_true(sim_cast_new(&cast, &err));
        assert_false(sim_cast_add_machine(&cast, texts[i], &err));
        assert_true(error_is(&err, "sim/machine"));
    }
}

static void a_cast_has_a_ceiling(void **state)
{
    (void)state;
    static struct sim_cast_view view;
    struct sim_cast cast SIM_CAST_AUTO = {0};
    assert_true(sim_cast_new(&cast, &err));
    for (int i = 0; i < SIM_MACHINES_MAX; i++)
        assert_true(sim_cast_add_machine(&cast, "name=same", &err));
    assert_true(sim_cast_read(&cast, &view, &err));
    assert_true(sim_cast_add_machine(&cast, "name=same", &err));
    assert_false(sim_cast_read(&cast, &view, &err));
    assert_true(error_is(&err, "sim/limit"));
}

/* --- later --- */

static void count(void *ctx)
{
    atomic_int *counter = ctx;
    atomic_fetch_add(counter, 1);
}

static void wait_for(atomic_int *counter, int wanted)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    int64_t until = clock_monotonic_ms() + 5000;
    while (atomic_load(counter) < wanted && clock_monotonic_ms() < until)
        nanosleep(&nap, NULL);
    assert_int_equal(atomic_load(counter), wanted);
}

static void late_things_happen_once(void **state)
{
    (void)state;
    struct sim_later *later = NULL;
    atomic_int soon = 0;
    atomic_int never = 0;
    assert_true(sim_later_start(&later, &err));
    int64_t begin = clock_monotonic_ms();
    sim_later_add(later, SIM_LATER_AT_END, count, &never);
    sim_later_add(later, 60, count, &soon);
    sim_later_add(later, 30, count, &soon);
    sim_later_add(later, 600000, count, &never);
    wait_for(&soon, 2);
    assert_true(clock_monotonic_ms() - begin >= 60);
    assert_int_equal(atomic_load(&never), 0);
    sim_later_end(later);
    assert_int_equal(atomic_load(&never), 2);
    sim_later_add(later, 600000, count, &never); /* too late: at once */
    assert_int_equal(atomic_load(&never), 3);
    sim_later_free(&later);
    assert_null(later);
    sim_later_free(&later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_words_are_taken),     cmocka_unit_test(bad_words_change_nothing),
        cmocka_unit_test(the_list_for_humans_ends), cmocka_unit_test(options_and_file_say_the_same),
        cmocka_unit_test(wrong_casts_are_refused),  cmocka_unit_test(a_cast_has_a_ceiling),
        cmocka_unit_test(late_things_happen_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
