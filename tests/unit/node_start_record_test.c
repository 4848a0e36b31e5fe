/* The node's own record in its datastore. */
#include "node/start_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

struct place {
    char dir[64], data[80], blobs[80];
};

static struct store *opened(const struct place *p)
{
    uint8_t key[32] = {9};
    struct store *s = NULL;
    struct error err;
    struct store_options options = {.data_dir = p->data,
                                    .blob_dir = p->blobs,
                                    .key = slice_of(key, sizeof key),
                                    .create = true};
    if (!store_open(&options, &s, &err))
        fail_msg("%s: %s", err.code, err.message);
    return s;
}

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    snprintf(p->dir, sizeof p->dir, "/tmp/merod-record-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->data, sizeof p->data, "%s/data", p->dir);
    snprintf(p->blobs, sizeof p->blobs, "%s/blobs", p->dir);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    assert_true(file_remove_tree(p->dir, NULL));
    free(p);
    return 0;
}

static void starts_are_counted_across_openings(void **state)
{
    static const struct {
        int64_t now_s;
        struct start_record want;
    } cases[] = {
        {1790000000, {.count = 1, .first_s = 1790000000, .before_s = 0}},
        {1790000060, {.count = 2, .first_s = 1790000000, .before_s = 1790000000}},
        {1790000050, {.count = 3, .first_s = 1790000000, .before_s = 1790000060}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store *s STORE_AUTO = opened(*state);
        struct start_record record;
        struct error err;
        assert_true(start_record_count(s, cases[i].now_s, &record, &err));
        assert_int_equal(record.count, cases[i].want.count);
        assert_int_equal(record.first_s, cases[i].want.first_s);
        assert_int_equal(record.before_s, cases[i].want.before_s);
    }
}

static void an_unreadable_record_is_damage(void **state)
{
    static const char *const records[] = {
        "",
        "rubbish",
        "{}",
        "{\"starts\":0,\"first_start\":\"2026-01-01T00:00:00Z\",\"last_start\":\"2026-01-01T00:00:"
        "00Z\"}",
        "{\"starts\":1,\"first_start\":\"2026-01-01\",\"last_start\":\"2026-01-01T00:00:00Z\"}",
        "{\"starts\":1,\"first_start\":\"2026-01-01T00:00:00Z\"}",
        "{\"starts\":9223372036854775807,\"first_start\":\"2026-01-01T00:00:00Z\",\"last_start\":"
        "\"2026-01-01T00:00:00Z\"}",
    };
    struct store *s STORE_AUTO = opened(*state);
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        struct start_record record = {.count = 77};
        struct error err;
        assert_true(store_put(s, "Config", slice_str("merod/starts"), slice_str(records[i]), &err));
        assert_false(start_record_count(s, 1790000000, &record, &err));
        assert_string_equal(err.code, "store/damaged");
        assert_int_equal(record.count, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(starts_are_counted_across_openings, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unreadable_record_is_damage, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
