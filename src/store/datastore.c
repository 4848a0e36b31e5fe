/* The datastore as its users see it: single operations, batches, snapshots, cursors. */
#include <stdlib.h>

#include "store/engine.h"

/* ---- reading ---- */

static bool get_in(const struct reading *r, const struct column *column, struct slice key,
                   struct buf *value, bool *found, struct error *err)
{
    struct disk_key row;
    struct slice sealed, real_key, content;
    bool present = false;
    if (!disk_key_make(&r->store->keys->names, column, key, &row, err) ||
        !page_tree_get(&r->view->tree, disk_key_slice(&row), &sealed, &present, err))
        return false;
    if (present) {
        if (!record_open_column(r, column, disk_key_slice(&row), sealed, &real_key, &content, err))
            return false;
        if (!record_deliver(column, key, real_key, content, value, err))
            return false;
    }
    *found = present;
    return true;
}

bool store_get(struct store *s, const char *column, struct slice key, struct buf *value,
               bool *found, struct error *err)
{
    READING_AUTO struct reading r = {0};
    const struct column *c = NULL;
    return column_by_name(column, &c, err) && reading_begin(s, &r, err) &&
           damage_watch(s, get_in(&r, c, key, value, found, err), err);
}

/* ---- batches ---- */

struct store_batch {
    struct txn txn;
};

/* Blob rows are written by the blobstore alone: they must agree with files. */
static bool writable_column(const char *name, const struct column **out, struct error *err)
{
    const struct column *c = NULL;
    if (!column_by_name(name, &c, err))
        return false;
    if (c->internal)
        return error_set(err, "store/column", name,
                         "column \"%s\" belongs to the blobstore and is not written directly",
                         name);
    *out = c;
    return true;
}

bool store_batch_begin(struct store *s, struct store_batch **out, struct error *err)
{
    struct store_batch *b = calloc(1, sizeof *b);
    if (b == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!txn_begin(s, &b->txn, err)) {
        free(b);
        return false;
    }
    *out = b;
    return true;
}

bool store_batch_put(struct store_batch *b, const char *column, struct slice key,
                     struct slice value, struct error *err)
{
    const struct column *c = NULL;
    return writable_column(column, &c, err) && txn_put(&b->txn, c, key, value, err);
}

bool store_batch_delete(struct store_batch *b, const char *column, struct slice key, bool *found,
                        struct error *err)
{
    const struct column *c = NULL;
    return writable_column(column, &c, err) && txn_delete(&b->txn, c, key, found, err);
}

bool store_batch_get(struct store_batch *b, const char *column, struct slice key, struct buf *value,
                     bool *found, struct error *err)
{
    const struct column *c = NULL;
    return column_by_name(column, &c, err) &&
           damage_watch(b->txn.store, txn_get(&b->txn, c, key, value, found, err), err);
}

bool store_batch_commit(struct store_batch **b, struct error *err)
{
    bool ok = txn_commit(&(*b)->txn, err);
    free(*b);
    *b = NULL;
    return ok;
}

void store_batch_drop(struct store_batch **b)
{
    if (*b == NULL)
        return;
    txn_abort(&(*b)->txn);
    free(*b);
    *b = NULL;
}

bool store_put(struct store *s, const char *column, struct slice key, struct slice value,
               struct error *err)
{
    TXN_AUTO struct txn t = {0};
    const struct column *c = NULL;
    return writable_column(column, &c, err) && damage_watch(s, txn_begin(s, &t, err), err) &&
           damage_watch(s, txn_put(&t, c, key, value, err) && txn_commit(&t, err), err);
}

bool store_delete(struct store *s, const char *column, struct slice key, bool *found,
                  struct error *err)
{
    TXN_AUTO struct txn t = {0};
    const struct column *c = NULL;
    bool present = false;
    if (!writable_column(column, &c, err) || !txn_begin(s, &t, err) ||
        !txn_delete(&t, c, key, &present, err) || (present && !txn_commit(&t, err)))
        return false;
    *found = present;
    return true;
}

/* ---- snapshots and cursors ---- */

struct store_snapshot {
    struct reading reading;
};

struct store_cursor {
    struct reading reading;
    const struct column *column;
    struct page_cursor at;
};

static bool too_many_views(struct store *s)
{
    pthread_mutex_lock(&s->lane_lock);
    bool many = s->view_count >= STORE_READERS_MAX;
    pthread_mutex_unlock(&s->lane_lock);
    return many;
}

bool store_snapshot_open(struct store *s, struct store_snapshot **out, struct error *err)
{
    if (too_many_views(s))
        return error_set(err, "store/busy", NULL, "more than %d snapshots are open",
                         STORE_READERS_MAX);
    struct store_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!reading_begin(s, &snapshot->reading, err)) {
        free(snapshot);
        return false;
    }
    *out = snapshot;
    return true;
}

void store_snapshot_close(struct store_snapshot **snapshot)
{
    if (*snapshot == NULL)
        return;
    reading_end(&(*snapshot)->reading);
    free(*snapshot);
    *snapshot = NULL;
}

bool store_snapshot_get(struct store_snapshot *snapshot, const char *column, struct slice key,
                        struct buf *value, bool *found, struct error *err)
{
    const struct column *c = NULL;
    return column_by_name(column, &c, err) && engine_alive(snapshot->reading.store, err) &&
           damage_watch(snapshot->reading.store,
                        get_in(&snapshot->reading, c, key, value, found, err), err);
}

static bool cursor_seek(struct store_cursor *c, struct slice from, struct error *err)
{
    uint8_t text[DISK_KEY_MAX + 1];
    struct buf first = BUF_FIXED(text);
    buf_append_byte(&first, c->column->id);
    buf_append(&first, from);
    if (first.failed || (from.len > 0 && c->column->keys == KEYS_HASHED))
        return error_set(err, "store/key", c->column->name,
                         "a scan of column \"%s\" cannot start at this key", c->column->name);
    return page_cursor_seek(&c->at, &c->reading.view->tree, buf_slice(&first), err);
}

bool store_cursor_open(struct store_snapshot *snapshot, const char *column, struct slice from,
                       struct store_cursor **out, struct error *err)
{
    STORE_CURSOR_AUTO struct store_cursor *c = calloc(1, sizeof *c);
    if (c == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!column_by_name(column, &c->column, err) ||
        !reading_share(&snapshot->reading, &c->reading, err) || !cursor_seek(c, from, err))
        return false;
    *out = c;
    c = NULL;
    return true;
}

static bool cursor_step(struct store_cursor *c, struct slice *key, struct slice *value, bool *found,
                        struct error *err)
{
    struct slice row, sealed;
    bool present;
    if (!engine_alive(c->reading.store, err) ||
        !page_cursor_next(&c->at, &row, &sealed, &present, err))
        return false;
    if (!present || row.len == 0 || row.data[0] != c->column->id) {
        *found = false;
        return true;
    }
    *found = true;
    return record_open_column(&c->reading, c->column, row, sealed, key, value, err);
}

bool store_cursor_next(struct store_cursor *c, struct slice *key, struct slice *value, bool *found,
                       struct error *err)
{
    return damage_watch(c->reading.store, cursor_step(c, key, value, found, err), err);
}

void store_cursor_close(struct store_cursor **c)
{
    if (*c == NULL)
        return;
    reading_end(&(*c)->reading);
    free(*c);
    *c = NULL;
}
