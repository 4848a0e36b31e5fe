/* The complete walk over an LMDB file: the tree of records and the list of free pages. */
#include <stdlib.h>
#include <string.h>

#include "store/pages.h"
#include "store/pages_parse.h"

struct walk {
    const struct page_tree *tree;
    uint8_t *used;
    bool (*visit)(void *ctx, struct slice key, struct slice value, struct error *err);
    void *ctx;
    bool numeric; /* the free list's keys are numbers of the machine's byte order */
    uint64_t rows;
};

static bool mark(struct walk *w, uint64_t first, uint64_t count, struct error *err)
{
    for (uint64_t n = first; n < first + count; n++) {
        uint8_t bit = (uint8_t)(1U << (n % 8));
        if (w->used[n / 8] & bit)
            return page_damage(w->tree, n, "page is used twice", err);
        w->used[n / 8] = (uint8_t)(w->used[n / 8] | bit);
    }
    return true;
}

static int compare(const struct walk *w, struct slice a, struct slice b)
{
    if (!w->numeric || a.len != 8 || b.len != 8)
        return page_key_compare(a, b);
    uint64_t x = load_u64le(a.data), y = load_u64le(b.data);
    return (x > y) - (x < y);
}

/* Ascending, and within the separators that led to the page. Node 0 of a branch has no key. */
static bool check_order(const struct walk *w, const struct page *p, unsigned first,
                        const struct page_bounds *bounds, struct error *err)
{
    struct slice last = bounds->low;
    bool has_last = bounds->low.data != NULL;
    for (unsigned i = first; i < p->count; i++) {
        struct page_node n;
        if (!page_node(w->tree, p, i, &n, err))
            return false;
        int order = has_last ? compare(w, last, n.key) : -1;
        if (order > 0 || (order == 0 && i > first) || (w->numeric && n.key.len != 8))
            return page_damage(w->tree, p->number, "keys are out of order", err);
        last = n.key;
        has_last = true;
    }
    if (bounds->has_high && has_last && compare(w, last, bounds->high) >= 0)
        return page_damage(w->tree, p->number, "keys do not belong where the page hangs", err);
    return true;
}

/* No two nodes share bytes: LMDB moves them about when it writes. Their sizes must fill the page
 * exactly from `upper` on. */
static bool check_space(const struct walk *w, const struct page *p, bool leaf, struct error *err)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < p->count; i++) {
        struct page_node n;
        struct page_value value = {0};
        if (!page_node(w->tree, p, i, &n, err) ||
            (leaf && !page_node_value(w->tree, p, &n, &value, err)))
            return false;
        size_t data = value.pages > 0 ? 8 : value.bytes.len;
        size_t size = NODE_HEADER_LEN + n.key.len + data;
        sum += size + size % 2;
    }
    if (sum != p->size - p->upper)
        return page_damage(w->tree, p->number, "nodes overlap or leave gaps", err);
    return true;
}

static bool walk_leaf(struct walk *w, const struct page *p, struct error *err)
{
    for (unsigned i = 0; i < p->count; i++) {
        struct page_node n;
        struct page_value value;
        if (!page_node(w->tree, p, i, &n, err) || !page_node_value(w->tree, p, &n, &value, err) ||
            !mark(w, value.first_page, value.pages, err) ||
            !w->visit(w->ctx, n.key, value.bytes, err))
            return false;
        w->rows++;
    }
    return true;
}

static bool child_bounds(const struct walk *w, const struct page *p, unsigned i,
                         struct page_bounds *bounds, struct error *err)
{
    struct page_node n;
    if (i > 0) {
        if (!page_node(w->tree, p, i, &n, err))
            return false;
        bounds->low = n.key;
    }
    if (i + 1 < p->count) {
        if (!page_node(w->tree, p, i + 1, &n, err))
            return false;
        bounds->high = n.key;
        bounds->has_high = true;
    }
    return true;
}

/* Recursion as deep as the meta page says, at most STORE_TREE_DEPTH_MAX. */
static bool walk_page(struct walk *w, uint64_t number, unsigned levels, struct page_bounds bounds,
                      struct error *err)
{
    bool leaf = levels == 1;
    struct page p;
    if (!page_load(w->tree, number, leaf ? PAGE_LEAF : PAGE_BRANCH, &p, err) ||
        !mark(w, number, 1, err) || !check_order(w, &p, leaf ? 0 : 1, &bounds, err) ||
        !check_space(w, &p, leaf, err))
        return false;
    if (leaf)
        return walk_leaf(w, &p, err);
    if (p.count < 2)
        return page_damage(w->tree, number, "a branch with one child", err);
    for (unsigned i = 0; i < p.count; i++) {
        struct page_bounds inner = bounds;
        struct page_node n;
        if (!child_bounds(w, &p, i, &inner, err) || !page_node(w->tree, &p, i, &n, err) ||
            !walk_page(w, page_node_child(&n), levels - 1, inner, err))
            return false;
    }
    return true;
}

/* A row of the free list: count, then that many page numbers, descending. */
static bool visit_free(void *ctx, struct slice key, struct slice value, struct error *err)
{
    struct walk *w = ctx;
    const struct page_tree *t = w->tree;
    uint64_t count = value.len >= 8 && value.len % 8 == 0 ? load_u64le(value.data) : UINT64_MAX;
    if (load_u64le(key.data) > t->txnid)
        return page_damage(t, t->free_root, "the free list is ahead of its commit", err);
    if (count > value.len / 8 - (value.len >= 8))
        return page_damage(t, t->free_root, "the free list has an impossible length", err);
    uint64_t last = t->last_page + 1;
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t number = load_u64le(&value.data[8 * i]);
        if (number < 2 || number >= last)
            return page_damage(t, number, "the free list names an impossible page", err);
        if (!mark(w, number, 1, err))
            return false;
        last = number;
    }
    return true;
}

bool page_tree_check(const struct page_tree *t, uint8_t *used,
                     bool (*visit)(void *ctx, struct slice key, struct slice value,
                                   struct error *err),
                     void *ctx, struct error *err)
{
    struct walk rows = {.tree = t, .used = used, .visit = visit, .ctx = ctx};
    struct walk free_list = {.tree = t, .used = used, .visit = visit_free, .numeric = true};
    free_list.ctx = &free_list;
    const struct page_bounds all = {0};
    if ((t->depth > 0 && !walk_page(&rows, t->root, t->depth, all, err)) ||
        (t->free_depth > 0 && !walk_page(&free_list, t->free_root, t->free_depth, all, err)))
        return false;
    if (rows.rows != t->entries || free_list.rows != t->free_entries)
        return page_damage(t, t->root, "the number of rows is not what the meta page says", err);
    return true;
}
