/* The datastore: limits, batches, snapshots, iteration, and a long random run against a plain model
 * in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/scratch_store.h"

static struct slice text(const char *s)
{
    return slice_str(s);
}

static void limits_of_keys_and_values(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    uint8_t key[STORE_KEY_MAX + 1];
    memset(key, 'k', sizeof key);
    static const struct {
        size_t len;
        bool ok;
    } keys[] = {{0, false},
                {1, true},
                {STORE_KEY_MAX - 1, true},
                {STORE_KEY_MAX, true},
                {STORE_KEY_MAX + 1, false}};
    static const char *const columns[] = {"Meta", "SortedIndex"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        for (size_t c = 0; c < 2; c++) {
            bool ok = store_put(f->store, columns[c], slice_of(key, keys[i].len), text("v"), &err);
            assert_int_equal(ok, keys[i].ok);
            if (!ok)
                assert_true(error_is(&err, "store/key"));
        }
    size_t max = STORE_VALUE_MAX;
    uint8_t *big = calloc(1, max + 1);
    assert_non_null(big);
    big[max - 1] = 7;
    assert_false(store_put(f->store, "Meta", text("big"), slice_of(big, max + 1), &err));
    assert_true(error_is(&err, "store/value"));
    assert_true(store_put(f->store, "Meta", text("big"), slice_of(big, max), &err));
    BUF_AUTO struct buf value = BUF_INIT(max);
    bool found;
    assert_true(store_get(f->store, "Meta", text("big"), &value, &found, &err));
    assert_true(found && slice_equal(buf_slice(&value), slice_of(big, max)));
    free(big);
    BUF_AUTO struct buf small = BUF_INIT(max - 1);
    assert_false(store_get(f->store, "Meta", text("big"), &small, &found, &err));
    assert_true(error_is(&err, "store/value"));
    scratch_put(f, "Meta", "empty", "");
    assert_string_equal(scratch_get(f, "Meta", "empty"), "");
}

static void columns_are_apart(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    BUF_AUTO struct buf value = BUF_INIT(16);
    bool found;
    scratch_put(f, "Meta", "k", "meta");
    scratch_put(f, "Config", "k", "config");
    assert_string_equal(scratch_get(f, "Meta", "k"), "meta");
    assert_string_equal(scratch_get(f, "Config", "k"), "config");
    assert_null(scratch_get(f, "State", "k"));
    assert_false(store_get(f->store, "meta", text("k"), &value, &found, &err));
    assert_true(error_is(&err, "store/column"));
    static const char *const own[] = {"Blobs", "_chunks", "_journal"};
    for (size_t i = 0; i < 3; i++) {
        assert_false(store_put(f->store, own[i], text("k"), text("v"), &err));
        assert_true(error_is(&err, "store/column"));
        assert_false(store_delete(f->store, own[i], text("k"), &found, &err));
        assert_true(error_is(&err, "store/column"));
    }
}

static void deleting(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    bool found = true;
    assert_true(store_delete(f->store, "Meta", text("k"), &found, &err));
    assert_false(found);
    scratch_put(f, "Meta", "k", "v");
    assert_true(store_delete(f->store, "Meta", text("k"), &found, &err));
    assert_true(found);
    assert_null(scratch_get(f, "Meta", "k"));
    scratch_reopen(f);
    assert_null(scratch_get(f, "Meta", "k"));
}

static void a_batch_is_one_change(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    struct store_batch *b = NULL;
    bool found;
    scratch_put(f, "Meta", "old", "v");
    assert_true(store_batch_begin(f->store, &b, &err));
    assert_true(store_batch_put(b, "Meta", text("a"), text("1"), &err));
    assert_true(store_batch_put(b, "Config", text("b"), text("2"), &err));
    assert_true(store_batch_delete(b, "Meta", text("old"), &found, &err));
    assert_true(found);
    BUF_AUTO struct buf value = BUF_INIT(16);
    assert_true(store_batch_get(b, "Meta", text("a"), &value, &found, &err));
    assert_true(found && slice_equal_str(buf_slice(&value), "1"));
    assert_true(store_batch_get(b, "Meta", text("old"), &value, &found, &err));
    assert_false(found);
    assert_null(scratch_get(f, "Meta", "a")); /* readers do not see it yet */
    assert_string_equal(scratch_get(f, "Meta", "old"), "v");
    assert_true(store_batch_commit(&b, &err));
    assert_null(b);
    assert_string_equal(scratch_get(f, "Meta", "a"), "1");
    assert_string_equal(scratch_get(f, "Config", "b"), "2");
    assert_null(scratch_get(f, "Meta", "old"));

    assert_true(store_batch_begin(f->store, &b, &err));
    assert_true(store_batch_put(b, "Meta", text("a"), text("changed"), &err));
    store_batch_drop(&b);
    store_batch_drop(&b);
    assert_string_equal(scratch_get(f, "Meta", "a"), "1");
    scratch_reopen(f);
    assert_string_equal(scratch_get(f, "Meta", "a"), "1");
}

/* The first transaction of a process is given up: its session's row goes into the next one. */
static void a_dropped_first_batch_leaves_no_gap(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    struct store_batch *b = NULL;
    scratch_reopen(f);
    for (int i = 0; i < 3; i++) {
        assert_true(store_batch_begin(f->store, &b, &err));
        assert_true(store_batch_put(b, "Meta", text("x"), text("never"), &err));
        BUF_AUTO struct buf value = BUF_INIT(16);
        bool found;
        assert_true(store_batch_get(b, "Meta", text("x"), &value, &found, &err));
        assert_true(found);
        store_batch_drop(&b);
    }
    scratch_put(f, "Meta", "k", "v");
    assert_string_equal(scratch_get(f, "Meta", "k"), "v");
    scratch_reopen(f);
    assert_string_equal(scratch_get(f, "Meta", "k"), "v");
}

static void a_snapshot_stands_still(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        scratch_put(f, "Meta", key, "before");
    }
    assert_true(store_snapshot_open(f->store, &snapshot, &err));
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 200; i++) {
            char key[16];
            bool found;
            snprintf(key, sizeof key, "k%d", i);
            if (round == 2)
                assert_true(store_delete(f->store, "Meta", text(key), &found, &err));
            else
                scratch_put(f, "Meta", key, "after");
        }
    for (int i = 0; i < 200; i++) {
        char key[16];
        BUF_AUTO struct buf value = BUF_INIT(16);
        bool found;
        snprintf(key, sizeof key, "k%d", i);
        assert_true(store_snapshot_get(snapshot, "Meta", text(key), &value, &found, &err));
        assert_true(found && slice_equal_str(buf_slice(&value), "before"));
        assert_null(scratch_get(f, "Meta", key));
    }
}

static void many_snapshots_have_a_limit(void **state)
{
    struct scratch_store *f = *state;
    struct error err = {0};
    enum { MANY = 600 };
    static struct store_snapshot *snapshots[MANY];
    size_t open = 0;
    for (; open < MANY; open++) {
        scratch_put(f, "Meta", "k", "v"); /* each snapshot is of a state of its own */
        if (!store_snapshot_open(f->store, &snapshots[open], &err))
            break;
    }
    assert_true(open > 100 && open < MANY);
    assert_true(error_is(&err, "store/busy"));
    scratch_put(f, "Meta", "k", "writing goes on");
    for (size_t i = 0; i < open; i++)
        store_snapshot_close(&snapshots[i]);
    assert_true(store_snapshot_open(f->store, &snapshots[0], &err));
    store_snapshot_close(&snapshots[0]);
}

static void ordered_columns_scan_in_order(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    static const char *const keys[] = {"b", "a", "aa", "c", "ab", "\xff", "B"};
    static const char *const sorted[] = {"aa", "ab", "b", "c", "\xff"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        scratch_put(f, "SortedIndex", keys[i], keys[i]);
        scratch_put(f, "SortedIndexMeta", keys[i], "next column");
    }
    STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
    STORE_CURSOR_AUTO struct store_cursor *c = NULL;
    struct slice key, value;
    bool found;
    assert_true(store_snapshot_open(f->store, &snapshot, &err));
    assert_true(store_cursor_open(snapshot, "SortedIndex", text("a0"), &c, &err));
    for (size_t i = 0; i < sizeof sorted / sizeof sorted[0]; i++) {
        assert_true(store_cursor_next(c, &key, &value, &found, &err));
        assert_true(found && slice_equal_str(key, sorted[i]) && slice_equal(key, value));
    }
    for (int i = 0; i < 2; i++) {
        assert_true(store_cursor_next(c, &key, &value, &found, &err));
        assert_false(found);
    }
    struct store_cursor *hashed = NULL;
    assert_false(store_cursor_open(snapshot, "Meta", text("a"), &hashed, &err));
    assert_true(error_is(&err, "store/key"));
}

/* ---- against a model ---- */

enum { MODEL_KEYS = 400, MODEL_STEPS = 12000 };

struct model_row {
    bool there;
    uint32_t seed, len;
};
struct model {
    struct model_row rows[2][MODEL_KEYS]; /* a hashed and an ordered column */
};
static const char *const model_columns[] = {"State", "SortedIndex"};

static void model_key(unsigned i, char out[80])
{
    snprintf(out, 80, "%0*u-key", 1 + (int)(i % 60), i);
}

static void model_value(const struct model_row *row, uint8_t *out)
{
    scratch_noise(row->seed, out, row->len);
}

static uint32_t next_random(uint64_t *x)
{
    *x = *x * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*x >> 33);
}

static void compare_get(struct store *s, unsigned column, unsigned i, const struct model_row *row)
{
    char key[80];
    struct error err;
    BUF_AUTO struct buf value = BUF_INIT(1 << 20);
    bool found;
    model_key(i, key);
    if (!store_get(s, model_columns[column], text(key), &value, &found, &err))
        fail_msg("%s", err.message);
    assert_int_equal(found, row->there);
    if (!found)
        return;
    uint8_t *expected = malloc(row->len + 1);
    assert_non_null(expected);
    model_value(row, expected);
    assert_true(slice_equal(buf_slice(&value), slice_of(expected, row->len)));
    free(expected);
}

static void compare_scan(struct store *s, unsigned column, const struct model *m)
{
    STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
    STORE_CURSOR_AUTO struct store_cursor *c = NULL;
    struct error err;
    size_t rows = 0, expected = 0;
    char last[80] = "";
    for (unsigned i = 0; i < MODEL_KEYS; i++)
        expected += m->rows[column][i].there;
    assert_true(store_snapshot_open(s, &snapshot, &err));
    assert_true(store_cursor_open(snapshot, model_columns[column], text(""), &c, &err));
    for (bool found = true; found;) {
        struct slice key, value;
        if (!store_cursor_next(c, &key, &value, &found, &err))
            fail_msg("%s", err.message);
        if (!found)
            break;
        char name[80];
        snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.data);
        if (column == 1)
            assert_true(strcmp(last, name) < 0);
        memcpy(last, name, sizeof last);
        unsigned i = 0;
        for (const char *p = name; *p >= '0' && *p <= '9'; p++)
            i = i * 10 + (unsigned)(*p - '0');
        assert_true(i < MODEL_KEYS && m->rows[column][i].there);
        assert_int_equal(value.len, m->rows[column][i].len);
        rows++;
    }
    assert_int_equal(rows, expected);
}

static uint32_t random_len(uint64_t *x)
{
    uint32_t kind = next_random(x) % 20;
    return kind == 0  ? next_random(x) % 200000
           : kind < 4 ? next_random(x) % 6000
           : kind < 6 ? 0
                      : next_random(x) % 300;
}

/* One change, in the batch and in the model alike. */
static void change(struct store_batch *b, struct model *m, uint64_t *x, uint8_t *scratch)
{
    unsigned column = next_random(x) % 2, i = next_random(x) % MODEL_KEYS;
    struct model_row *row = &m->rows[column][i];
    struct error err;
    char key[80];
    bool found, ok;
    model_key(i, key);
    if (next_random(x) % 3 == 0) {
        ok = store_batch_delete(b, model_columns[column], text(key), &found, &err);
        assert_true(!ok || found == row->there);
        row->there = false;
    } else {
        *row = (struct model_row){true, next_random(x), random_len(x)};
        model_value(row, scratch);
        ok =
            store_batch_put(b, model_columns[column], text(key), slice_of(scratch, row->len), &err);
    }
    if (!ok)
        fail_msg("%s", err.message);
}

static void behaves_like_a_model(void **state)
{
    struct scratch_store *f = *state;
    static struct model m, attempt;
    static uint8_t scratch[200000];
    uint64_t x = 20240827;
    struct error err;
    memset(&m, 0, sizeof m);
    f->options.relaxed_sync = true;
    scratch_reopen(f);
    for (unsigned step = 0; step < MODEL_STEPS;) {
        struct store_batch *b = NULL;
        unsigned size = 1 + next_random(&x) % 60;
        attempt = m;
        if (!store_batch_begin(f->store, &b, &err))
            fail_msg("%s", err.message);
        for (unsigned i = 0; i < size; i++, step++)
            change(b, &attempt, &x, scratch);
        if (next_random(&x) % 5 == 0) {
            store_batch_drop(&b);
        } else {
            if (!store_batch_commit(&b, &err))
                fail_msg("%s", err.message);
            m = attempt;
        }
        for (int i = 0; i < 4; i++) {
            unsigned column = next_random(&x) % 2, row = next_random(&x) % MODEL_KEYS;
            compare_get(f->store, column, row, &m.rows[column][row]);
        }
        if (next_random(&x) % 40 == 0)
            scratch_reopen(f); /* also checks the state root over everything */
    }
    scratch_reopen(f);
    for (unsigned column = 0; column < 2; column++) {
        compare_scan(f->store, column, &m);
        for (unsigned i = 0; i < MODEL_KEYS; i++)
            compare_get(f->store, column, i, &m.rows[column][i]);
    }
}

static int set_up(void **state)
{
    static struct scratch_store f;
    scratch_begin(&f);
    scratch_open(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    scratch_end(*state);
    return 0;
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(limits_of_keys_and_values),
        WITH_STORE(columns_are_apart),
        WITH_STORE(deleting),
        WITH_STORE(a_batch_is_one_change),
        WITH_STORE(a_dropped_first_batch_leaves_no_gap),
        WITH_STORE(a_snapshot_stands_still),
        WITH_STORE(many_snapshots_have_a_limit),
        WITH_STORE(ordered_columns_scan_in_order),
        WITH_STORE(behaves_like_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
