/* Records: what lies on disk under a key, and how it is sealed and opened.
 * Source: docs/format.md, "Records". */
#include <string.h>

#include "store/engine.h"

enum { AAD_HEAD_LEN = 2 + STORE_ID_LEN + 4, AAD_MAX = AAD_HEAD_LEN + DISK_KEY_MAX };

/* disk_key has at most DISK_KEY_MAX bytes.
 * format version, 'r', store id, epoch (4), key on disk: a record means something in one place. */
static struct slice additional_data(const struct store *s, uint32_t epoch, struct slice disk_key,
                                    uint8_t text[AAD_MAX])
{
    text[0] = STORE_FORMAT_VERSION;
    text[1] = 'r';
    memcpy(&text[2], s->id.bytes, STORE_ID_LEN);
    store_u32be(&text[2 + STORE_ID_LEN], epoch);
    memcpy(&text[AAD_HEAD_LEN], disk_key.data, disk_key.len);
    return slice_of(text, AAD_HEAD_LEN + disk_key.len);
}

bool record_seal(const struct store *s, const struct session *session,
                 const uint8_t nonce_random[6], struct slice disk_key, struct slice plain,
                 uint8_t *out, struct error *err)
{
    uint8_t aad[AAD_MAX];
    struct slice bound = additional_data(s, session->epoch, disk_key, aad);
    uint8_t *nonce = &out[4], *body = &out[RECORD_HEAD_LEN];
    store_u32be(out, session->number);
    session_nonce(session, nonce_random, nonce);
    return sealer_seal(session->sealer, nonce, bound, plain, body, &body[plain.len], err);
}

static bool damaged_record(struct slice disk_key, const char *what, struct error *err)
{
    const struct column *column = disk_key.len > 0 ? column_by_id(disk_key.data[0]) : NULL;
    return error_set(err, "store/damaged", column != NULL ? column->name : "state",
                     "a record of column %s %s; run 'store verify' and restore the last good "
                     "backup",
                     column != NULL ? column->name : "(store state)", what);
}

bool record_open(const struct reading *r, struct slice disk_key, struct slice sealed,
                 struct slice *plain, struct error *err)
{
    struct sealer *sealer;
    uint32_t epoch;
    uint8_t aad[AAD_MAX];
    struct reader head = reader_of(sealed);
    uint32_t session = reader_u32be(&head);
    const uint8_t *nonce = reader_bytes(&head, AEAD_NONCE_LEN);
    if (nonce == NULL || head.rest.len < AEAD_TAG_LEN)
        return damaged_record(disk_key, "is cut short", err);
    if (disk_key.len > DISK_KEY_MAX)
        return damaged_record(disk_key, "has a key that is too long", err);
    struct slice body = slice_cut(head.rest, 0, head.rest.len - AEAD_TAG_LEN);
    struct buf *out = &r->lane->plain;
    buf_reset(out);
    uint8_t *room = buf_extend(out, body.len);
    if (room == NULL)
        return error_set(err, "memory", NULL, "no memory for a record of %zu bytes", body.len);
    if (!session_sealer(r, session, &sealer, &epoch, err))
        return false;
    struct slice bound = additional_data(r->store, epoch, disk_key, aad);
    if (!sealer_unseal(sealer, nonce, bound, body, &head.rest.data[body.len], room, err))
        return damaged_record(disk_key, "does not pass its authentication", err);
    *plain = buf_slice(out);
    return true;
}

bool record_compose(const struct column *column, struct slice key, struct slice value,
                    struct buf *out, struct error *err)
{
    buf_append(out, value);
    if (column->keys == KEYS_HASHED) {
        buf_append(out, key);
        buf_append_be(out, key.len, 2);
    }
    return out->failed ? error_set(err, "memory", NULL, "no memory for a record") : true;
}

bool record_split(const struct column *column, struct slice disk_key, struct slice plain,
                  struct slice *key, struct slice *value, struct error *err)
{
    if (column->keys == KEYS_ORDERED) {
        *key = slice_cut(disk_key, 1, disk_key.len);
        *value = plain;
        return true;
    }
    struct reader tail = reader_of(slice_cut(plain, plain.len >= 2 ? plain.len - 2 : 0, 2));
    size_t key_len = reader_u16be(&tail);
    if (tail.failed || key_len + 2 > plain.len)
        return damaged_record(disk_key, "has an impossible key", err);
    *value = slice_cut(plain, 0, plain.len - 2 - key_len);
    *key = slice_cut(plain, value->len, key_len);
    return true;
}

bool record_open_column(const struct reading *r, const struct column *column, struct slice disk_key,
                        struct slice sealed, struct slice *key, struct slice *value,
                        struct error *err)
{
    struct slice plain;
    return record_open(r, disk_key, sealed, &plain, err) &&
           record_split(column, disk_key, plain, key, value, err);
}

bool record_deliver(const struct column *column, struct slice asked, struct slice key,
                    struct slice content, struct buf *value, struct error *err)
{
    if (!slice_equal(asked, key))
        return error_set(err, "store/collision", column->name, "two keys share one name");
    if (value->max < value->len || content.len > value->max - value->len)
        return error_set(err, "store/value", column->name,
                         "the value of %zu bytes does not fit in the %zu that were asked for",
                         content.len, value->max);
    return buf_append(value, content)
               ? true
               : error_set(err, "memory", NULL, "no memory for a value of %zu bytes", content.len);
}

bool record_read_state(const struct reading *r, struct state *out, struct error *err)
{
    struct disk_key row;
    struct slice sealed, plain;
    bool found;
    disk_key_state(&row);
    if (!page_tree_get(&r->view->tree, disk_key_slice(&row), &sealed, &found, err))
        return false;
    if (!found)
        return damaged_record(disk_key_slice(&row), "is missing", err);
    if (!record_open(r, disk_key_slice(&row), sealed, &plain, err))
        return false;
    return state_decode(plain, out) ? true
                                    : damaged_record(disk_key_slice(&row), "is malformed", err);
}
