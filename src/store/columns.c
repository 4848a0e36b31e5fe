/* The table of columns and the keys on disk. */
#include "store/columns.h"

#include <string.h>

/* Names of 0x10.. as the existing node has them. */
static const struct column columns[] = {
    {COLUMN_JOURNAL, "_journal", KEYS_HASHED, true},
    {COLUMN_CHUNKS, "_chunks", KEYS_HASHED, true},
    {0x10, "Meta", KEYS_HASHED, false},
    {0x11, "Config", KEYS_HASHED, false},
    {0x12, "Identity", KEYS_HASHED, false},
    {0x13, "State", KEYS_HASHED, false},
    {0x14, "PrivateState", KEYS_HASHED, false},
    {0x15, "Delta", KEYS_HASHED, false},
    {COLUMN_BLOBS, "Blobs", KEYS_HASHED, true},
    {0x17, "Application", KEYS_HASHED, false},
    {0x18, "Alias", KEYS_HASHED, false},
    {0x19, "Generic", KEYS_HASHED, false},
    {0x1a, "Group", KEYS_HASHED, false},
    {0x1b, "ContextLocal", KEYS_HASHED, false},
    {0x1c, "SortedIndex", KEYS_ORDERED, false},
    {0x1d, "SortedIndexMeta", KEYS_HASHED, false},
    {0x1e, "AbsorbBuffer", KEYS_HASHED, false},
    {0x1f, "ContextMigrationFailed", KEYS_HASHED, false},
    {0x20, "ContextExecutingBlob", KEYS_HASHED, false},
    {0x21, "ContextActivatedBlob", KEYS_HASHED, false},
    {0x22, "ContextActivatedStateVersion", KEYS_HASHED, false},
    {0x23, "ApplicationPreviousBlob", KEYS_HASHED, false},
    {0x24, "ContextResyncRequested", KEYS_HASHED, false},
    {0x25, "UnifiedOp", KEYS_HASHED, false},
};

enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };
_Static_assert((int)COLUMN_COUNT <= (int)COLUMN_COUNT_MAX, "the state row counts every column");

size_t column_count(void)
{
    return COLUMN_COUNT;
}

const struct column *column_at(size_t index)
{
    return index < COLUMN_COUNT ? &columns[index] : NULL;
}

const struct column *column_by_id(uint8_t id)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (columns[i].id == id)
            return &columns[i];
    return NULL;
}

bool column_by_name(const char *name, const struct column **out, struct error *err)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (columns[i].name[0] == name[0] && strcmp(columns[i].name, name) == 0) {
            *out = &columns[i];
            return true;
        }
    return error_set(err, "store/column", name, "there is no column \"%s\"", name);
}

struct slice disk_key_slice(const struct disk_key *k)
{
    return slice_of(k->bytes, k->len);
}

bool disk_key_make(const struct name_keys *names, const struct column *column, struct slice key,
                   struct disk_key *out, struct error *err)
{
    if (key.len == 0 || key.len > STORE_KEY_MAX)
        return error_set(err, "store/key", column->name, "a key has 1 to %d bytes, this one %zu",
                         STORE_KEY_MAX, key.len);
    out->bytes[0] = column->id;
    memcpy(&out->bytes[1], key.data, key.len);
    out->len = 1 + key.len;
    if (column->keys == KEYS_ORDERED)
        return true;
    uint8_t name[ROW_NAME_LEN];
    row_name(names, slice_of(out->bytes, out->len), name);
    memcpy(&out->bytes[1], name, sizeof name);
    out->len = 1 + sizeof name;
    return true;
}

void disk_key_state(struct disk_key *out)
{
    out->bytes[0] = ROW_STATE;
    out->len = 1;
}

void disk_key_session(uint32_t number, struct disk_key *out)
{
    out->bytes[0] = ROW_SESSION;
    store_u32be(&out->bytes[1], number);
    out->len = 5;
}
