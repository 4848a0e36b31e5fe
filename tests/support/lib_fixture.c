/* A world for the tests of the public library. */
#include "support/lib_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct error why = {.code = "?"};                                                          \
        struct error *err = &why;                                                                  \
        if (!(call))                                                                               \
            fail_msg("%s: %s", why.code, why.message);                                             \
    } while (0)

/* The boot events of a dstack TD; its RTMR3 is where they lead. */
static void make_log(struct lib_fixture *f)
{
    static const uint8_t hash[32] = {0xc0}, app_id[20] = {0xa9};
    OK(sim_log_runtime(&f->log, 1, "app-id", slice_of(app_id, sizeof app_id), err));
    OK(sim_log_runtime(&f->log, 1, "compose-hash", slice_of(hash, sizeof hash), err));
    OK(sim_log_runtime(&f->log, 1, "system-ready", (struct slice){NULL, 0}, err));
    sim_log_replay(&f->log, 3, f->world.quote.td.rtmr[3]);
    f->log_json = BUF_INIT(1 << 16);
    OK(sim_log_write(&f->log, false, &f->log_json, err));
}

void lib_fixture_make(struct lib_fixture *f)
{
    static const uint8_t report_data[64] = {LIB_NONCE};
    buf_free(&f->quote);
    buf_free(&f->collateral_json);
    sim_collateral_free(&f->documents);
    f->documents = (struct sim_collateral){0};
    f->quote = BUF_INIT(1 << 16);
    f->collateral_json = BUF_INIT(1 << 20);
    OK(sim_world_quote(&f->world, report_data, &f->quote, err));
    OK(sim_collateral_make(&f->world.pki, &f->world.collateral, &f->documents, err));
    OK(sim_collateral_write(&f->documents, &f->collateral_json, err));
}

int lib_fixture_set_up(void **state)
{
    struct lib_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    OK(sim_world_create(&f->world, &(struct sim_world_options){.now_s = LIB_NOW}, err));
    make_log(f);
    lib_fixture_make(f);
    fake_pcs_start(&f->pcs, &f->documents);
    snprintf(f->dir, sizeof f->dir, "/tmp/libmerotee-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->cache, sizeof f->cache, "%s/cache", f->dir);
    snprintf(f->root_path, sizeof f->root_path, "%s/root.pem", f->dir);
    f->root_pem = BUF_INIT(1 << 16);
    OK(sim_world_root_pem(&f->world, &f->root_pem, err));
    OK(file_write_atomic(f->root_path, buf_slice(&f->root_pem), 0600, err));
    *state = f;
    return 0;
}

int lib_fixture_tear_down(void **state)
{
    struct lib_fixture *f = *state;
    fake_pcs_stop(&f->pcs);
    sim_collateral_free(&f->documents);
    sim_log_free(&f->log);
    sim_world_free(&f->world);
    buf_free(&f->quote);
    buf_free(&f->collateral_json);
    buf_free(&f->log_json);
    buf_free(&f->root_pem);
    OK(file_remove_tree(f->dir, err));
    free(f);
    return 0;
}
