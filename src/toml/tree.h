/* The tree behind toml.h: nodes, the memory that they live in, and where in the text each was
 * written (which is all that the editor needs). Private to this room. */
#ifndef TOML_TREE_H
#define TOML_TREE_H

#include "toml/toml.h"

/* Bytes [from, to) of the document. */
struct span {
    size_t from, to;
};

/* What brought a node into being decides what may still be added to it. */
enum toml_origin {
    TOML_BY_VALUE,  /* written as a value: nothing may be added to an array or inline table */
    TOML_BY_HEADER, /* [table], [[array of tables]] and its elements, the root */
    TOML_BY_PATH,   /* implied by a longer [header.path]; may still get a header of its own */
    TOML_BY_DOTS,   /* implied by a dotted key; may not get a header */
};

struct toml_list {
    struct toml **at;
    size_t count, cap;
};

#define TOML_NO_SECTION SIZE_MAX

struct toml {
    enum toml_kind kind;
    enum toml_origin origin;
    unsigned line, column;
    unsigned depth; /* the root has 0 */
    const struct toml *parent;
    struct slice key; /* in the parent table; empty for array elements */

    struct span value; /* the value's own bytes; empty for tables that have none */
    struct span entry; /* "key = value" from the first part of the key, or "[header]" */
    size_t section;    /* index of the section this header opens or this entry stands in */
    struct span last;  /* opened by a header: its last entry, or the header when it has none */

    union {
        struct slice text; /* strings, dates and times */
        int64_t integer;
        double number;
        bool truth;
        struct toml_list items; /* arrays and tables */
    } as;
};

struct arena_block;

struct toml_document {
    struct slice text; /* our copy */
    struct toml *root;
    struct toml_list sections; /* the root, then every [header] and [[header]] as written */
    size_t node_count;
    struct arena_block *blocks;
};

/* Zeroed memory that lives as long as the document; NULL when there is none left. */
void *toml_alloc(struct toml_document *doc, size_t len);
bool toml_copy(struct toml_document *doc, struct slice bytes, struct slice *out) MUST_USE;
bool toml_list_add(struct toml_document *doc, struct toml_list *list, struct toml *node) MUST_USE;
struct toml *toml_find_key(const struct toml *table, struct slice key);
/* True when node is root itself or somewhere below it. */
bool toml_is_within(const struct toml *node, const struct toml *root);

/* The value that all of `text` is, for toml_check_value. */
bool toml_parse_value(struct slice text, struct error *err) MUST_USE;

/* A bare key, or a quoted one where it has to be. */
bool toml_append_key(struct buf *out, struct slice key);
bool toml_is_bare_char(int c);

#endif
