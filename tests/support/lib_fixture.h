/* What tests of the public library stand on: a software platform's quote, collateral, event log and
 * root, as bytes and files, and a service that serves the collateral. */
#ifndef SUPPORT_LIB_FIXTURE_H
#define SUPPORT_LIB_FIXTURE_H

#include <merotee/dev.h>
#include <merotee/merotee.h>

#include "sim/event_log.h"
#include "sim/world.h"
#include "support/fake_pcs.h"

/* 2026-01-01T12:00:00Z: everything is valid then. */
#define LIB_NOW ((int64_t)1767225600 + 12 * 3600)
enum { LIB_NONCE = 7 }; /* first byte of the report data */

struct lib_fixture {
    struct sim_world world; /* change it, then lib_fixture_make() */
    struct sim_event_log log;
    struct sim_collateral documents;
    struct fake_pcs pcs;
    struct buf quote, collateral_json, log_json, root_pem;
    char dir[64], cache[96], root_path[96];
};

/* cmocka set-up and tear-down around *state = a fixture. */
int lib_fixture_set_up(void **state);
int lib_fixture_tear_down(void **state);
/* Makes quote and collateral again from the world. */
void lib_fixture_make(struct lib_fixture *f);

/* The call succeeds, or the test fails with the error's own words. */
#define LIB_OK(call)                                                                               \
    do {                                                                                           \
        struct merotee_error why = {.code = "?"};                                                  \
        struct merotee_error *err = &why;                                                          \
        if (!(call))                                                                               \
            fail_msg("%s: %s", why.code, why.message);                                             \
    } while (0)
/* The call fails with this code and a message. */
#define LIB_REFUSES(wanted, call)                                                                  \
    do {                                                                                           \
        struct merotee_error why = {.code = "none"};                                               \
        struct merotee_error *err = &why;                                                          \
        if (call)                                                                                  \
            fail_msg("accepted, %s was expected", wanted);                                         \
        if (strcmp(why.code, wanted) != 0)                                                         \
            fail_msg("%s was expected, not %s: %s", wanted, why.code, why.message);                \
        assert_true(why.message[0] != 0);                                                          \
    } while (0)

#endif
