/* The columns that a store knows, and how a (column, key) pair becomes a key on disk.
 * To add a column: append a row to the table in columns.c; numbers are never used twice.
 * Source: reference facts F.3 for the names; docs/format.md, "Rows". */
#ifndef STORE_COLUMNS_H
#define STORE_COLUMNS_H

#include "store/keys.h"
#include "store/store.h"

/* Rows of the store itself come before every column. */
enum {
    ROW_STATE = 0x01,   /* one row */
    ROW_SESSION = 0x02, /* + session number (4, big-endian) */
    COLUMN_FIRST = 0x08,
    COLUMN_JOURNAL = 0x08, /* steps of blob uploads and deletions still owed to the disk */
    COLUMN_CHUNKS = 0x09,  /* chunk id -> length and reference count */
    COLUMN_BLOBS = 0x16
};

enum column_keys {
    KEYS_HASHED, /* on disk: a keyed hash; the key itself is sealed with the value */
    KEYS_ORDERED /* on disk: the key as it is, legible, so that scans follow its order */
};

struct column {
    uint8_t id;
    const char *name;
    enum column_keys keys;
    bool internal; /* written by the blobstore only */
};

enum { COLUMN_COUNT_MAX = 64, DISK_KEY_MAX = 1 + STORE_KEY_MAX };

size_t column_count(void);
const struct column *column_at(size_t index);
const struct column *column_by_id(uint8_t id); /* NULL when unknown */
/* "store/column" when there is none of that name. */
bool column_by_name(const char *name, const struct column **out, struct error *err) MUST_USE;

struct disk_key {
    uint8_t bytes[DISK_KEY_MAX];
    size_t len;
};
struct slice disk_key_slice(const struct disk_key *k);
/* "store/key" when the key is empty or longer than STORE_KEY_MAX. */
bool disk_key_make(const struct name_keys *names, const struct column *column, struct slice key,
                   struct disk_key *out, struct error *err) MUST_USE;
void disk_key_state(struct disk_key *out);
void disk_key_session(uint32_t number, struct disk_key *out);

#endif
