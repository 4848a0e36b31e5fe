/* Pages and nodes of LMDB for the two files that read them (pages.c, pages_check.c). */
#ifndef STORE_PAGES_PARSE_H
#define STORE_PAGES_PARSE_H

#include <string.h>

#include "store/pages.h"

enum {
    PAGE_SIZE_MIN = 4096,
    PAGE_SIZE_MAX = 32768,
    PAGE_FLAGS_AT = 10,
    PAGE_LOWER_AT = 12,
    PAGE_UPPER_AT = 14,
    PAGE_HEADER_LEN = 16,
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_META = 0x08,
    NODE_FLAGS_AT = 4,
    NODE_KEY_LEN_AT = 6,
    NODE_HEADER_LEN = 8,
    NODE_BIG = 0x01 /* the value lies on pages of its own */
};
#define PAGE_NONE UINT64_MAX

struct page {
    const uint8_t *bytes;
    uint64_t number;
    uint32_t size, upper;
    unsigned count; /* of nodes, >= 1 */
};
struct page_node {
    const uint8_t *header;
    struct slice key;
    uint32_t room; /* bytes of the page behind the key */
};
/* A long value has pages of its own; pages is 0 for a short one. */
struct page_value {
    struct slice bytes;
    uint64_t first_page, pages;
};
/* Keys k of a page: low <= k, and k < high when there is one. */
struct page_bounds {
    struct slice low, high;
    bool has_high;
};

void page_describe_damage(const struct page_tree *t, uint64_t page, const char *what,
                          struct error *err);
/* Always false; inline so that the compiler knows. */
static inline bool page_damage(const struct page_tree *t, uint64_t page, const char *what,
                               struct error *err)
{
    page_describe_damage(t, page, what, err);
    return false;
}

/* kind: the exact flags that the page must have. */
bool page_load(const struct page_tree *t, uint64_t number, uint16_t kind, struct page *out,
               struct error *err) MUST_USE;
static inline bool page_node(const struct page_tree *t, const struct page *p, unsigned i,
                             struct page_node *out, struct error *err)
{
    uint32_t at = load_u16le(&p->bytes[PAGE_HEADER_LEN + 2 * i]);
    if (at < p->upper || at > p->size - NODE_HEADER_LEN)
        return page_damage(t, p->number, "a node lies outside its page", err);
    const uint8_t *n = &p->bytes[at];
    uint32_t key_len = load_u16le(&n[NODE_KEY_LEN_AT]);
    if (key_len > p->size - NODE_HEADER_LEN - at)
        return page_damage(t, p->number, "a key reaches beyond its page", err);
    out->header = n;
    out->key = slice_of(&n[NODE_HEADER_LEN], key_len);
    out->room = p->size - NODE_HEADER_LEN - at - key_len;
    return true;
}

uint64_t page_node_child(const struct page_node *n);
bool page_node_value(const struct page_tree *t, const struct page *p, const struct page_node *n,
                     struct page_value *out, struct error *err) MUST_USE;
/* LMDB's order: bytes, then the shorter first. */
static inline int page_key_compare(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

#endif
