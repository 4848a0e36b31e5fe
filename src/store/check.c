/* The whole-file check: every page, every row's place, the state root and the totals. It opens no
 * record (that is what verifying does): a changed body is found when it is read. */
#include <stdlib.h>
#include <string.h>

#include "store/engine.h"

struct check {
    struct set_hasher *hasher;
    struct set_root root;
    struct column_total totals[256];
    struct check_totals sums;
    uint32_t sessions_max;
};

static bool strange_row(struct slice key, struct error *err)
{
    return error_set(err, "store/damaged", "data.mdb",
                     "a row of kind 0x%02x does not belong in the datastore",
                     key.len > 0 ? key.data[0] : 0);
}

static bool check_system_row(struct check *c, struct slice key, struct slice value,
                             struct error *err)
{
    struct reader r = reader_of(slice_cut(key, 1, key.len));
    if (key.data[0] == ROW_STATE && key.len == 1)
        return true;
    uint32_t number = reader_u32be(&r);
    if (key.data[0] != ROW_SESSION || !reader_at_end(&r) || number == 0 ||
        value.len != SESSION_ROW_LEN || number > c->sessions_max)
        return strange_row(key, err);
    c->sums.sessions++;
    return true;
}

static bool check_row(void *ctx, struct slice key, struct slice value, struct error *err)
{
    struct check *c = ctx;
    if (key.len == 0)
        return strange_row(key, err);
    if (key.data[0] < COLUMN_FIRST)
        return check_system_row(c, key, value, err);
    const struct column *column = column_by_id(key.data[0]);
    if (column == NULL || value.len < RECORD_OVERHEAD || key.len < 2 || key.len > DISK_KEY_MAX)
        return strange_row(key, err);
    set_root_add(c->hasher, &c->root, key, value);
    c->totals[column->id].rows++;
    c->totals[column->id].bytes += key.len + value.len;
    c->sums.rows++;
    c->sums.bytes += key.len + value.len;
    return true;
}

static bool compare(const struct check *c, const struct state *expected, struct error *err)
{
    for (unsigned id = 0; id < 256; id++) {
        const struct column_total *has = &c->totals[id], *should = &expected->totals[id];
        if (has->rows != should->rows || has->bytes != should->bytes)
            return error_set(err, "store/damaged", "data.mdb",
                             "column 0x%02x has %llu rows of %llu bytes where its state says %llu "
                             "rows of %llu bytes: rows were added, removed or put back",
                             id, (unsigned long long)has->rows, (unsigned long long)has->bytes,
                             (unsigned long long)should->rows, (unsigned long long)should->bytes);
    }
    if (!set_root_equal(&c->root, &expected->root))
        return error_set(err, "store/damaged", "data.mdb",
                         "the rows are not those that the state root was made of: old pages were "
                         "put back, or rows were changed; run 'store verify' and restore the last "
                         "good backup");
    return true;
}

bool engine_check(const struct reading *r, const struct state *expected,
                  struct check_totals *totals, struct error *err)
{
    const struct page_tree *tree = &r->view->tree;
    SET_HASHER_AUTO struct set_hasher *hasher = NULL;
    if (!set_hasher_open(&hasher, &r->store->keys->names, err))
        return false;
    uint8_t *used = calloc(1, (size_t)(tree->last_page / 8 + 1));
    struct check *c = calloc(1, sizeof *c);
    bool ok = used != NULL && c != NULL
                  ? true
                  : error_set(err, "memory", NULL, "out of memory for checking the datastore");
    if (ok) {
        c->hasher = hasher;
        c->sessions_max = expected->sessions;
        ok = page_tree_check(tree, used, check_row, c, err) && compare(c, expected, err);
    }
    if (ok)
        *totals = c->sums;
    free(used);
    free(c);
    return ok;
}
