/* Write transactions: every change of a record also changes the state root and the totals, and the
 * state row goes into the same LMDB commit. */
#include <errno.h>
#include <string.h>

#include "store/engine.h"

static bool may_write(struct store *s, struct error *err)
{
    if (s->read_only)
        return error_set(err, "store/read-only", NULL, "the store is open for reading only");
    if (s->broken)
        return error_set(err, "store/io", "data.mdb",
                         "an earlier write failed half-way; close the store and open it again");
    return true;
}

/* LMDB writes only into a file that was walked once, see pages.h. */
static bool ensure_checked(struct store *s, struct error *err)
{
    READING_AUTO struct reading r = {0};
    struct check_totals totals;
    if (s->checked)
        return true;
    if (!reading_begin(s, &r, err) || !engine_check(&r, &s->state, &totals, err))
        return false;
    s->checked = true;
    return true;
}

static bool begin_lmdb(struct txn *t, struct error *err)
{
    struct store *s = t->store;
    int rc = mdb_txn_begin(s->env, NULL, 0, &t->lmdb);
    if (rc == 0)
        rc = mdb_cursor_open(t->lmdb, s->dbi, &t->cursor);
    return rc == 0 ? true : engine_lmdb_failed(rc, "begin a transaction", err);
}

static bool begin_locked(struct store *s, struct txn *t, struct error *err)
{
    t->store = s;
    t->scratch = BUF_INIT_SECRET((size_t)STORE_VALUE_MAX + DISK_KEY_MAX + 64);
    if (!may_write(s, err) || !ensure_checked(s, err) || !reading_begin(s, &t->base, err) ||
        !begin_lmdb(t, err)) {
        txn_abort(t);
        return false;
    }
    t->next = s->state;
    random_bytes(t->nonce_random, sizeof t->nonce_random);
    return true;
}

bool txn_begin(struct store *s, struct txn *t, struct error *err)
{
    *t = (struct txn){0};
    if (!engine_alive(s, err))
        return false;
    fair_lock_take(&s->write_lock);
    return begin_locked(s, t, err);
}

static void txn_end(struct txn *t)
{
    struct store *s = t->store;
    if (s == NULL)
        return;
    buf_free(&t->scratch);
    reading_end(&t->base);
    t->store = NULL;
    fair_lock_release(&s->write_lock);
}

void txn_abort(struct txn *t)
{
    if (t->cursor != NULL)
        mdb_cursor_close(t->cursor);
    if (t->lmdb != NULL)
        mdb_txn_abort(t->lmdb);
    t->cursor = NULL;
    t->lmdb = NULL;
    txn_end(t);
}

static bool usable(const struct txn *t, struct error *err)
{
    if (t->failed)
        return error_set(err, "store/batch", NULL, "an earlier step of this batch failed");
    return engine_alive(t->store, err);
}

/* Adds or takes one record to or from root and totals. */
static void account(struct txn *t, struct slice disk_key, struct slice sealed, bool add)
{
    struct column_total *total = &t->next.totals[disk_key.data[0]];
    uint64_t bytes = disk_key.len + sealed.len;
    if (add) {
        set_root_add(t->store->hasher, &t->next.root, disk_key, sealed);
        total->rows++;
        total->bytes += bytes;
    } else {
        set_root_remove(t->store->hasher, &t->next.root, disk_key, sealed);
        total->rows--;
        total->bytes -= bytes;
    }
}

/* Room for a record in the page; what stood there before is taken out of the root. */
static bool reserve(struct txn *t, struct slice disk_key, size_t len, bool counted, uint8_t **out,
                    struct error *err)
{
    MDB_val k = {disk_key.len, (void *)(uintptr_t)disk_key.data}, v = {len, NULL};
    int rc = mdb_cursor_put(t->cursor, &k, &v, MDB_NOOVERWRITE | MDB_RESERVE);
    if (rc == MDB_KEYEXIST) {
        struct slice old = slice_of(v.mv_data, v.mv_size);
        if (old.len < RECORD_OVERHEAD)
            return error_set(err, "store/damaged", "data.mdb", "a stored record is cut short");
        if (counted)
            account(t, disk_key, old, false);
        v = (MDB_val){len, NULL};
        rc = mdb_cursor_put(t->cursor, &k, &v, MDB_CURRENT | MDB_RESERVE);
    }
    if (rc != 0)
        return engine_lmdb_failed(rc, "store a record", err);
    *out = v.mv_data;
    return true;
}

/* The session is ready (session_ensure). */
static bool put_sealed(struct txn *t, struct slice disk_key, struct slice plain, bool counted,
                       struct error *err)
{
    uint8_t *room = NULL;
    size_t len = plain.len + RECORD_OVERHEAD;
    if (!reserve(t, disk_key, len, counted, &room, err) ||
        !record_seal(t->store, &t->store->session, t->nonce_random, disk_key, plain, room, err))
        return false;
    if (counted)
        account(t, disk_key, slice_of(room, len), true);
    return true;
}

bool txn_put(struct txn *t, const struct column *column, struct slice key, struct slice value,
             struct error *err)
{
    struct disk_key row;
    if (!usable(t, err) || !disk_key_make(&t->store->keys->names, column, key, &row, err))
        return false;
    if (value.len > STORE_VALUE_MAX)
        return error_set(err, "store/value", column->name,
                         "a value has at most %d bytes, this one %zu", STORE_VALUE_MAX, value.len);
    buf_reset(&t->scratch);
    t->failed = !record_compose(column, key, value, &t->scratch, err) ||
                !session_ensure(t, t->scratch.len, err) ||
                !put_sealed(t, disk_key_slice(&row), buf_slice(&t->scratch), true, err);
    return !t->failed;
}

/* The record of a key in this transaction, where it lies. */
static bool find(struct txn *t, struct slice disk_key, struct slice *sealed, bool *found,
                 struct error *err)
{
    MDB_val k = {disk_key.len, (void *)(uintptr_t)disk_key.data}, v;
    int rc = mdb_cursor_get(t->cursor, &k, &v, MDB_SET);
    *found = rc == 0;
    if (rc == MDB_NOTFOUND)
        return true;
    if (rc != 0)
        return engine_lmdb_failed(rc, "look up a record", err);
    *sealed = slice_of(v.mv_data, v.mv_size);
    if (sealed->len < RECORD_OVERHEAD)
        return error_set(err, "store/damaged", "data.mdb", "a stored record is cut short");
    return true;
}

bool txn_delete(struct txn *t, const struct column *column, struct slice key, bool *found,
                struct error *err)
{
    struct disk_key row;
    struct slice old;
    bool present = false;
    if (!usable(t, err) || !disk_key_make(&t->store->keys->names, column, key, &row, err))
        return false;
    t->failed = !find(t, disk_key_slice(&row), &old, &present, err);
    if (!t->failed && present) {
        account(t, disk_key_slice(&row), old, false);
        int rc = mdb_cursor_del(t->cursor, 0);
        t->failed = rc != 0 && !engine_lmdb_failed(rc, "delete a record", err);
    }
    if (!t->failed && found != NULL)
        *found = present;
    return !t->failed;
}

/* A record of the running session may not have its row in the base view yet. */
static bool adopt_own_session(struct txn *t, struct slice sealed, struct error *err)
{
    struct reader head = reader_of(sealed);
    uint32_t number = reader_u32be(&head);
    struct store *s = t->store;
    return number != s->session.number || s->session.on_disk
               ? true
               : session_adopt(&t->base, &s->session, err);
}

bool txn_get(struct txn *t, const struct column *column, struct slice key, struct buf *value,
             bool *found, struct error *err)
{
    struct disk_key row;
    struct slice sealed, real_key, content;
    bool present = false;
    if (!usable(t, err) || !disk_key_make(&t->store->keys->names, column, key, &row, err) ||
        !find(t, disk_key_slice(&row), &sealed, &present, err))
        return false;
    if (present) {
        if (!adopt_own_session(t, sealed, err) ||
            !record_open_column(&t->base, column, disk_key_slice(&row), sealed, &real_key, &content,
                                err))
            return false;
        if (!record_deliver(column, key, real_key, content, value, err))
            return false;
    }
    *found = present;
    return true;
}

static bool put_state(struct txn *t, struct error *err)
{
    uint8_t text[STATE_TEXT_MAX + 1];
    struct buf row = BUF_FIXED(text);
    struct disk_key key;
    t->next.counter++;
    t->next.txnid = mdb_txn_id(t->lmdb);
    t->next.generation = t->store->generation;
    disk_key_state(&key);
    /* The session's number is part of the state: it is settled before the row is written. */
    if (!session_ensure(t, STATE_TEXT_MAX, err))
        return false;
    state_encode(&t->next, &row);
    return !row.failed ? put_sealed(t, disk_key_slice(&key), buf_slice(&row), false, err)
                       : error_set(err, "store/internal", NULL, "the state row is too long");
}

bool txn_commit(struct txn *t, struct error *err)
{
    struct store *s = t->store;
    if (!usable(t, err) || !put_state(t, err)) {
        txn_abort(t);
        return false;
    }
    mdb_cursor_close(t->cursor);
    int rc = mdb_txn_commit(t->lmdb);
    t->cursor = NULL;
    t->lmdb = NULL;
    if (rc != 0) {
        s->broken = rc != ENOSPC && rc != MDB_MAP_FULL && rc != ENOMEM;
        txn_end(t);
        return engine_lmdb_failed(rc, "commit", err);
    }
    s->state = t->next;
    s->session.on_disk = s->session.on_disk || s->state.sessions == s->session.number;
    /* Durable already; a failure here only keeps this process from going on. */
    bool ok = view_publish(s, err);
    s->broken = !ok;
    txn_end(t);
    return ok;
}

bool txn_accept_rollback(struct store *s, uint64_t counter_before, struct error *err)
{
    TXN_AUTO struct txn t = {0};
    if (!txn_begin(s, &t, err))
        return false;
    if (t.next.counter < counter_before)
        t.next.counter = counter_before;
    t.next.rollbacks++;
    return txn_commit(&t, err);
}

bool txn_create(struct store *s, struct error *err)
{
    TXN_AUTO struct txn t = {0};
    return txn_begin(s, &t, err) && txn_commit(&t, err);
}
