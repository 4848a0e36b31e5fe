/* LMDB pages, bounds-checked: metas, search, cursor. The complete walk is in pages_check.c. */
#include "store/pages.h"

#include <string.h>

#include "store/pages_parse.h"

enum {
    META_MAGIC_AT = 16,
    META_VERSION_AT = 20,
    META_FREE_DB_AT = 40, /* address (8) and map size (8) are of no interest */
    META_MAIN_DB_AT = 88,
    META_LAST_PAGE_AT = 136,
    META_TXNID_AT = 144,
    META_END = 152,
    DB_FLAGS_AT = 4,
    DB_DEPTH_AT = 6,
    DB_ENTRIES_AT = 32,
    DB_ROOT_AT = 40,
    FREE_DB_FLAGS = 0x08 /* integer keys */
};

static const uint32_t lmdb_magic = 0xBEEFC0DEu;
static const uint32_t lmdb_version = 1;

void page_describe_damage(const struct page_tree *t, uint64_t page, const char *what,
                          struct error *err)
{
    error_set(
        err, "store/damaged", "data.mdb",
        "datastore page %llu of commit %llu: %s; run 'store verify' and restore the last good "
        "backup",
        (unsigned long long)page, (unsigned long long)t->txnid, what);
}

/* ---- metas ---- */

static bool read_meta(struct page_file file, uint32_t page_size, unsigned which,
                      struct page_tree *out, struct error *err)
{
    size_t at = (size_t)which * page_size;
    struct page_tree t = {.file = file, .page_size = page_size};
    if (file.file_len < at + META_END)
        return page_damage(&t, which, "the file ends before its meta pages do", err);
    const uint8_t *p = &file.map[at];
    const uint8_t *free_db = &p[META_FREE_DB_AT], *main_db = &p[META_MAIN_DB_AT];
    t.last_page = load_u64le(&p[META_LAST_PAGE_AT]);
    t.txnid = load_u64le(&p[META_TXNID_AT]);
    t.depth = load_u16le(&main_db[DB_DEPTH_AT]);
    t.entries = load_u64le(&main_db[DB_ENTRIES_AT]);
    t.root = load_u64le(&main_db[DB_ROOT_AT]);
    t.free_depth = load_u16le(&free_db[DB_DEPTH_AT]);
    t.free_entries = load_u64le(&free_db[DB_ENTRIES_AT]);
    t.free_root = load_u64le(&free_db[DB_ROOT_AT]);
    bool sound = load_u64le(p) == which && load_u16le(&p[PAGE_FLAGS_AT]) == PAGE_META &&
                 load_u32le(&p[META_MAGIC_AT]) == lmdb_magic &&
                 load_u32le(&p[META_VERSION_AT]) == lmdb_version &&
                 load_u32le(free_db) == page_size &&
                 load_u16le(&free_db[DB_FLAGS_AT]) == FREE_DB_FLAGS && load_u32le(main_db) == 0 &&
                 load_u16le(&main_db[DB_FLAGS_AT]) == 0 && t.last_page >= 1 &&
                 t.last_page < STORE_MAP_RESERVED / page_size && t.depth <= STORE_TREE_DEPTH_MAX &&
                 t.free_depth <= STORE_TREE_DEPTH_MAX && (t.root == PAGE_NONE) == (t.depth == 0) &&
                 (t.free_root == PAGE_NONE) == (t.free_depth == 0);
    if (!sound)
        return page_damage(&t, which, "meta page is not sound", err);
    *out = t;
    return true;
}

bool page_tree_open(struct page_file file, struct page_tree *out, struct error *err)
{
    struct page_tree a = {.file = file}, b;
    if (file.file_len < META_END)
        return page_damage(&a, 0, "the file is shorter than a meta page", err);
    uint32_t page_size = load_u32le(&file.map[META_FREE_DB_AT]);
    if (page_size < PAGE_SIZE_MIN || page_size > PAGE_SIZE_MAX || (page_size & (page_size - 1)))
        return page_damage(&a, 0, "impossible page size", err);
    if (!read_meta(file, page_size, 0, &a, err) || !read_meta(file, page_size, 1, &b, err))
        return false;
    /* Commit n writes meta n mod 2, so the pair is always (n, n-1); at birth both are 0. */
    bool even = a.txnid % 2 == 0 && (b.txnid % 2 == 1 || b.txnid == 0);
    const struct page_tree *newer = a.txnid >= b.txnid ? &a : &b;
    const struct page_tree *older = newer == &a ? &b : &a;
    if (!even || (newer->txnid != older->txnid + 1 && newer->txnid != 0))
        return page_damage(newer, newer == &a ? 0 : 1, "the two meta pages do not belong together",
                           err);
    *out = *newer;
    return true;
}

/* ---- pages and nodes ---- */

bool page_load(const struct page_tree *t, uint64_t number, uint16_t kind, struct page *out,
               struct error *err)
{
    if (number < 2 || number > t->last_page || (number + 1) * t->page_size > t->file.file_len)
        return page_damage(t, number, "page number is outside the file", err);
    const uint8_t *p = &t->file.map[number * t->page_size];
    uint32_t lower = load_u16le(&p[PAGE_LOWER_AT]), upper = load_u16le(&p[PAGE_UPPER_AT]);
    if (load_u64le(p) != number || load_u16le(&p[PAGE_FLAGS_AT]) != kind)
        return page_damage(t, number, "not the page that its parent names", err);
    if (lower < PAGE_HEADER_LEN + 2 || lower > upper || upper > t->page_size || lower % 2 != 0)
        return page_damage(t, number, "impossible layout", err);
    *out = (struct page){p, number, t->page_size, upper, (lower - PAGE_HEADER_LEN) / 2};
    return true;
}

uint64_t page_node_child(const struct page_node *n)
{
    return (uint64_t)load_u16le(n->header) | (uint64_t)load_u16le(&n->header[2]) << 16 |
           (uint64_t)load_u16le(&n->header[NODE_FLAGS_AT]) << 32;
}

/* A long value overwritten by a shorter one keeps all its pages, so there may be more than it
 * needs.
 */
static bool overflow_value(const struct page_tree *t, uint64_t first, uint32_t len,
                           struct slice *out, uint64_t *pages, struct error *err)
{
    uint64_t needed = (PAGE_HEADER_LEN + (uint64_t)len + t->page_size - 1) / t->page_size;
    if (first < 2 || first > t->last_page || needed > t->last_page - first + 1 ||
        (first + needed) * t->page_size > t->file.file_len)
        return page_damage(t, first, "a long value lies outside the file", err);
    const uint8_t *p = &t->file.map[first * t->page_size];
    *pages = load_u32le(&p[PAGE_LOWER_AT]);
    if (load_u64le(p) != first || load_u16le(&p[PAGE_FLAGS_AT]) != PAGE_OVERFLOW ||
        *pages < needed || *pages > t->last_page - first + 1)
        return page_damage(t, first, "not the pages of a long value", err);
    *out = slice_of(&p[PAGE_HEADER_LEN], len);
    return true;
}

bool page_node_value(const struct page_tree *t, const struct page *p, const struct page_node *n,
                     struct page_value *out, struct error *err)
{
    uint32_t len = (uint32_t)load_u16le(n->header) | (uint32_t)load_u16le(&n->header[2]) << 16;
    uint16_t flags = load_u16le(&n->header[NODE_FLAGS_AT]);
    const uint8_t *data = &n->header[NODE_HEADER_LEN + n->key.len];
    *out = (struct page_value){0};
    if (flags == 0 && len <= n->room) {
        out->bytes = slice_of(data, len);
        return true;
    }
    if (flags != NODE_BIG || n->room < 8)
        return page_damage(t, p->number, "a value reaches beyond its page", err);
    out->first_page = load_u64le(data);
    return overflow_value(t, out->first_page, len, &out->bytes, &out->pages, err);
}

/* First node whose key is >= key; p->count when there is none. In a branch, node 0 stands for
 * everything below node 1. */
static bool lower_bound(const struct page_tree *t, const struct page *p, bool branch,
                        struct slice key, unsigned *out, bool *exact, struct error *err)
{
    unsigned low = branch ? 1 : 0, high = p->count;
    *exact = false;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        struct page_node n;
        if (!page_node(t, p, middle, &n, err))
            return false;
        int order = page_key_compare(n.key, key);
        if (order == 0)
            *exact = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out = low;
    return true;
}

/* The child of branch p in which key belongs, and the separators around it. */
static bool choose_child(const struct page_tree *t, const struct page *p, struct slice key,
                         unsigned *index, struct page_bounds *bounds, struct error *err)
{
    bool exact;
    unsigned at;
    struct page_node n;
    if (p->count < 2)
        return page_damage(t, p->number, "a branch with one child", err);
    if (!lower_bound(t, p, true, key, &at, &exact, err))
        return false;
    *index = exact ? at : at - 1;
    if (*index > 0) {
        if (!page_node(t, p, *index, &n, err))
            return false;
        bounds->low = n.key;
    }
    if (*index + 1 < p->count) {
        if (!page_node(t, p, *index + 1, &n, err))
            return false;
        bounds->high = n.key;
        bounds->has_high = true;
    }
    return true;
}

/* A pointer to a sound page of another place would read as "no such key": before that is said, the
 * ends of the leaf are compared with the separators that led to it. */
static bool leaf_in_bounds(const struct page_tree *t, const struct page *p,
                           const struct page_bounds *bounds, struct error *err)
{
    struct page_node low, high;
    if (!page_node(t, p, 0, &low, err) || !page_node(t, p, p->count - 1, &high, err))
        return false;
    if (page_key_compare(low.key, bounds->low) < 0 ||
        (bounds->has_high && page_key_compare(high.key, bounds->high) >= 0))
        return page_damage(t, p->number, "keys do not belong where the page hangs", err);
    return true;
}

/* From the root to the leaf in which key belongs, and to the first of its nodes >= key. */
static bool descend(const struct page_tree *t, struct slice key, struct page_cursor *c,
                    struct page *leaf, bool *exact, struct error *err)
{
    uint64_t number = t->root;
    struct page_bounds bounds = {0};
    unsigned bottom = t->depth - 1U;
    c->tree = t;
    c->levels = t->depth;
    for (unsigned level = 0; level < bottom; level++) {
        struct page p;
        struct page_node n;
        c->pages[level] = number;
        if (!page_load(t, number, PAGE_BRANCH, &p, err) ||
            !choose_child(t, &p, key, &c->index[level], &bounds, err) ||
            !page_node(t, &p, c->index[level], &n, err))
            return false;
        number = page_node_child(&n);
    }
    c->pages[bottom] = number;
    return page_load(t, number, PAGE_LEAF, leaf, err) &&
           lower_bound(t, leaf, false, key, &c->index[bottom], exact, err) &&
           (*exact || leaf_in_bounds(t, leaf, &bounds, err));
}

bool page_tree_get(const struct page_tree *t, struct slice key, struct slice *value, bool *found,
                   struct error *err)
{
    struct page_cursor c;
    struct page leaf;
    struct page_node n;
    struct page_value v;
    bool exact = false;
    if (t->depth > 0 && !descend(t, key, &c, &leaf, &exact, err))
        return false;
    if (exact && (!page_node(t, &leaf, c.index[t->depth - 1U], &n, err) ||
                  !page_node_value(t, &leaf, &n, &v, err)))
        return false;
    if (exact)
        *value = v.bytes;
    *found = exact;
    return true;
}

/* ---- cursor ---- */

bool page_cursor_seek(struct page_cursor *c, const struct page_tree *t, struct slice from,
                      struct error *err)
{
    struct page leaf;
    bool exact;
    *c = (struct page_cursor){.tree = t};
    if (t->depth == 0)
        return true;
    return descend(t, from, c, &leaf, &exact, err);
}

/* One leaf on under the same branch, which knows the leaf's bounds. */
static bool next_sibling(struct page_cursor *c, const struct page *branch, unsigned level,
                         struct error *err)
{
    const struct page_tree *t = c->tree;
    struct page_bounds bounds = {0};
    struct page leaf;
    struct page_node n, after;
    unsigned index = ++c->index[level];
    if (!page_node(t, branch, index, &n, err) ||
        (index + 1 < branch->count && !page_node(t, branch, index + 1, &after, err)))
        return false;
    bounds.low = n.key;
    bounds.has_high = index + 1 < branch->count;
    if (bounds.has_high)
        bounds.high = after.key;
    c->pages[level + 1] = page_node_child(&n);
    c->index[level + 1] = 0;
    return page_load(t, c->pages[level + 1], PAGE_LEAF, &leaf, err) &&
           leaf_in_bounds(t, &leaf, &bounds, err);
}

/* The leaf is used up. Further up than its own branch, the next branch names the first key of the
 * leaf to go to, and the way there is checked like any other. */
static bool next_leaf(struct page_cursor *c, struct error *err)
{
    const struct page_tree *t = c->tree;
    struct page p;
    struct page_node n;
    bool exact;
    for (unsigned level = t->depth - 1U; level-- > 0;) {
        if (!page_load(t, c->pages[level], PAGE_BRANCH, &p, err))
            return false;
        if (c->index[level] + 1 >= p.count)
            continue;
        if (level + 2 == t->depth)
            return next_sibling(c, &p, level, err);
        return page_node(t, &p, c->index[level] + 1, &n, err) &&
               descend(t, n.key, c, &p, &exact, err);
    }
    c->levels = 0;
    return true;
}

bool page_cursor_next(struct page_cursor *c, struct slice *key, struct slice *value, bool *found,
                      struct error *err)
{
    const struct page_tree *t = c->tree;
    struct page p;
    struct page_node n;
    struct page_value v;
    *found = false;
    while (c->levels > 0) {
        unsigned bottom = t->depth - 1U;
        if (!page_load(t, c->pages[bottom], PAGE_LEAF, &p, err))
            return false;
        if (c->index[bottom] < p.count)
            break;
        if (!next_leaf(c, err))
            return false;
    }
    if (c->levels == 0)
        return true;
    if (!page_node(t, &p, c->index[t->depth - 1U], &n, err) || !page_node_value(t, &p, &n, &v, err))
        return false;
    c->index[t->depth - 1U]++;
    *key = n.key;
    *value = v.bytes;
    *found = true;
    return true;
}
