/* A reader of LMDB 0.9 data files that trusts nothing: every page number, offset and length is
 * checked before it is followed, so a damaged or hostile file gives "store/damaged" and never a
 * crash. LMDB itself trusts its file; it is let near it only for writing, and only after
 * page_tree_check() has walked all of it. All reads of the store go through here.
 * Source: the file layout of LMDB 0.9 (data version 1, 64-bit little-endian), described in
 * docs/format.md, "The tree". Does not allocate. */
#ifndef STORE_PAGES_H
#define STORE_PAGES_H

#include "base/bytes.h"
#include "store/limits.h"

/* The file, mapped. Bytes at or beyond file_len are never touched. */
struct page_file {
    const uint8_t *map;
    size_t file_len;
};

/* One committed state of the file, as its meta page has it. */
struct page_tree {
    struct page_file file;
    uint32_t page_size;
    uint64_t txnid, last_page;
    uint64_t root, entries; /* of the records; root UINT64_MAX when empty */
    uint16_t depth;
    uint64_t free_root, free_entries; /* of the list of free pages */
    uint16_t free_depth;
};

/* The newer of the two meta pages; both must be sound, one commit apart. */
bool page_tree_open(struct page_file file, struct page_tree *out, struct error *err) MUST_USE;

/* *value points into the map. */
bool page_tree_get(const struct page_tree *t, struct slice key, struct slice *value, bool *found,
                   struct error *err) MUST_USE;

/* A walk in key order. key and value point into the map. */
struct page_cursor {
    const struct page_tree *tree;
    uint64_t pages[STORE_TREE_DEPTH_MAX];
    unsigned index[STORE_TREE_DEPTH_MAX];
    unsigned levels; /* 0: at the end */
};
/* To the first key >= from. */
bool page_cursor_seek(struct page_cursor *c, const struct page_tree *t, struct slice from,
                      struct error *err) MUST_USE;
/* The row under the cursor, then one step on. *found false at the end. */
bool page_cursor_next(struct page_cursor *c, struct slice *key, struct slice *value, bool *found,
                      struct error *err) MUST_USE;

/* Every page of the tree and of the free list: shape, order, separators, no page used twice, no
 * free page in use. visit sees every row in order and may fail. used: a bitmap of last_page + 1
 * bits, zeroed by the caller. */
bool page_tree_check(const struct page_tree *t, uint8_t *used,
                     bool (*visit)(void *ctx, struct slice key, struct slice value,
                                   struct error *err),
                     void *ctx, struct error *err) MUST_USE;

#endif
