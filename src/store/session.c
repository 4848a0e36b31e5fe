/* Sessions: each opening of a store for writing draws 32 random bytes and seals under a key that is
 * derived from them, so that no two openings ever share a nonce space - not after a restored
 * backup, not in two copies of a store. Source: docs/format.md, "Sessions and nonces". */
#include <string.h>

#include "store/engine.h"

struct session_key {
    uint8_t bytes[STORE_KEY_LEN];
};
static void session_key_wipe(struct session_key *k)
{
    secret_wipe(k, sizeof *k);
}
#define SESSION_KEY_AUTO __attribute__((cleanup(session_key_wipe)))

static bool open_sealer(const struct store *s, const struct data_key *dek, const uint8_t *id,
                        uint32_t number, struct sealer **out, struct error *err)
{
    SESSION_KEY_AUTO struct session_key key;
    return session_key_derive(&s->id, dek, id, number, key.bytes, err) &&
           sealer_open(out, s->suite, key.bytes, err);
}

/* ---- reading ---- */

static bool unknown_session(uint32_t number, const char *what, struct error *err)
{
    return error_set(err, "store/damaged", "session",
                     "session %u of the datastore %s; run 'store verify' and restore the last good "
                     "backup",
                     number, what);
}

static bool row_is_genuine(const struct store *s, uint32_t number, struct slice row)
{
    uint8_t check[ROW_NAME_LEN];
    size_t len = SESSION_ROW_LEN - sizeof check;
    if (row.len != SESSION_ROW_LEN)
        return false;
    session_check(&s->keys->names, number, slice_cut(row, 0, len), check);
    return bytes_equal_ct(check, &row.data[len], sizeof check);
}

static bool load_session(const struct reading *r, uint32_t number, struct sealer **out,
                         uint32_t *epoch, struct error *err)
{
    struct disk_key row;
    struct slice value = {0};
    bool found;
    disk_key_session(number, &row);
    if (!page_tree_get(&r->view->tree, disk_key_slice(&row), &value, &found, err))
        return false;
    if (!found)
        return unknown_session(number, "is missing", err);
    if (!row_is_genuine(r->store, number, value))
        return unknown_session(number, "is damaged", err);
    struct reader in = reader_of(value);
    *epoch = reader_u32be(&in);
    DATA_KEY_AUTO struct data_key dek = {0};
    if (*epoch == 0 || !engine_data_key(r->store, *epoch, &dek))
        return error_set(err, "store/rolled-back", "superblock",
                         "session %u of the datastore is sealed under data key %u, which this "
                         "superblock does not have: it was put back from another time",
                         number, *epoch);
    return open_sealer(r->store, &dek, in.rest.data, number, out, err);
}

/* The lane's context of a session, or else the one that was idle longest. */
static struct lane_context *lane_slot(struct lane *l, uint32_t number)
{
    struct lane_context *slot = &l->contexts[0];
    for (size_t i = 0; i < STORE_CONTEXTS_PER_LANE; i++) {
        struct lane_context *c = &l->contexts[i];
        if (c->session == number && c->sealer != NULL) {
            slot = c;
            break;
        }
        if (c->used_at < slot->used_at)
            slot = c;
    }
    slot->used_at = ++l->clock;
    return slot;
}

static void slot_fill(struct lane_context *slot, uint32_t number, uint32_t epoch,
                      struct sealer *sealer)
{
    sealer_free(&slot->sealer);
    slot->session = number;
    slot->epoch = epoch;
    slot->sealer = sealer;
}

bool session_sealer(const struct reading *r, uint32_t number, struct sealer **out, uint32_t *epoch,
                    struct error *err)
{
    struct lane_context *slot = lane_slot(r->lane, number);
    if (slot->session != number || slot->sealer == NULL) {
        struct sealer *fresh = NULL;
        uint32_t fresh_epoch = 0;
        if (!load_session(r, number, &fresh, &fresh_epoch, err))
            return false;
        slot_fill(slot, number, fresh_epoch, fresh);
    }
    *out = slot->sealer;
    *epoch = slot->epoch;
    return true;
}

bool session_adopt(const struct reading *r, const struct session *session, struct error *err)
{
    struct lane_context *slot = lane_slot(r->lane, session->number);
    if (slot->session == session->number && slot->sealer != NULL)
        return true;
    DATA_KEY_AUTO struct data_key dek = {0};
    struct sealer *fresh = NULL;
    if (!engine_data_key(r->store, session->epoch, &dek))
        return unknown_session(session->number, "has no data key", err);
    if (!open_sealer(r->store, &dek, session->id, session->number, &fresh, err))
        return false;
    slot_fill(slot, session->number, session->epoch, fresh);
    return true;
}

/* ---- writing ---- */

void session_forget(struct session *session)
{
    sealer_free(&session->sealer);
    secret_wipe(session, sizeof *session);
}

bool session_start(struct store *s, uint32_t number, struct session *out, struct error *err)
{
    DATA_KEY_AUTO struct data_key dek = {0};
    if (number > UINT32_MAX - STORE_SESSIONS_SPARE || !engine_data_key(s, 0, &dek))
        return error_set(err, "store/full", "session",
                         "the store was opened 2^32 times; export it and import it anew");
    session_forget(out);
    random_bytes(out->id, sizeof out->id);
    out->number = number;
    out->epoch = dek.epoch;
    return open_sealer(s, &dek, out->id, number, &out->sealer, err);
}

void session_row(const struct store *s, const struct session *session, struct disk_key *key,
                 struct buf *row)
{
    uint8_t check[ROW_NAME_LEN];
    buf_append_be(row, session->epoch, 4);
    buf_append(row, slice_of(session->id, sizeof session->id));
    session_check(&s->keys->names, session->number, buf_slice(row), check);
    buf_append(row, slice_of(check, sizeof check));
    disk_key_session(session->number, key);
}

static bool put_session_row(struct txn *t, struct error *err)
{
    struct session *session = &t->store->session;
    uint8_t text[SESSION_ROW_LEN + 1];
    struct buf row = BUF_FIXED(text);
    struct disk_key key;
    session_row(t->store, session, &key, &row);
    MDB_val k = {key.len, key.bytes}, v = {row.len, row.data};
    int rc = mdb_cursor_put(t->cursor, &k, &v, 0);
    if (rc != 0)
        return engine_lmdb_failed(rc, "store a session", err);
    t->next.sessions = session->number;
    return true;
}

bool session_ensure(struct txn *t, size_t len, struct error *err)
{
    struct session *session = &t->store->session;
    bool full = session->records >= STORE_SESSION_RECORDS_MAX ||
                session->bytes + len > STORE_SESSION_BYTES_MAX;
    if (session->sealer == NULL || full || session->epoch != t->store->sealing_epoch) {
        /* A number given to a session that was given up is not used again: lanes know it. */
        uint32_t last = session->number > t->next.sessions ? session->number : t->next.sessions;
        if (!session_start(t->store, last + 1, session, err))
            return false;
    }
    /* The row of a session is written by the first transaction that uses it; when that one was
     * given up, by the next. */
    if (!session->on_disk && t->next.sessions != session->number && !put_session_row(t, err))
        return false;
    session->records++;
    session->bytes += len;
    return true;
}

void session_nonce(const struct session *session, const uint8_t random[6],
                   uint8_t out[AEAD_NONCE_LEN])
{
    uint8_t counter[8];
    store_u64be(counter, session->records);
    memcpy(out, &counter[2], 6);
    memcpy(&out[6], random, 6);
}
