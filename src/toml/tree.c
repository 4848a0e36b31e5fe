/* Nodes of a TOML document: their memory and the read-only accessors of toml.h. */
#include "toml/tree.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum { BLOCK_LEN_MIN = 16384 };

struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    alignas(max_align_t) uint8_t bytes[];
};

void *toml_alloc(struct toml_document *doc, size_t len)
{
    if (len > SIZE_MAX - BLOCK_LEN_MIN - sizeof(struct arena_block))
        return NULL;
    size_t step = (len + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct arena_block *block = doc->blocks;
    if (block == NULL || block->cap - block->used < step) {
        size_t cap = step > BLOCK_LEN_MIN ? step : BLOCK_LEN_MIN;
        block = calloc(1, sizeof *block + cap);
        if (block == NULL)
            return NULL;
        block->cap = cap;
        block->next = doc->blocks;
        doc->blocks = block;
    }
    void *at = &block->bytes[block->used];
    block->used += step;
    return at;
}

void toml_free(struct toml_document **doc)
{
    if (*doc == NULL)
        return;
    for (struct arena_block *block = (*doc)->blocks, *next; block != NULL; block = next) {
        next = block->next;
        secret_wipe(block->bytes, block->cap);
        free(block);
    }
    free(*doc);
    *doc = NULL;
}

bool toml_copy(struct toml_document *doc, struct slice bytes, struct slice *out)
{
    uint8_t *at = toml_alloc(doc, bytes.len + 1); /* zeroed: a NUL ends the copy */
    if (at == NULL)
        return false;
    if (bytes.len > 0)
        memcpy(at, bytes.data, bytes.len);
    *out = slice_of(at, bytes.len);
    return true;
}

bool toml_list_add(struct toml_document *doc, struct toml_list *list, struct toml *node)
{
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 4 : 2 * list->cap; /* counts stay below TOML_NODES_MAX */
        struct toml **moved = toml_alloc(doc, cap * sizeof(struct toml *));
        if (moved == NULL)
            return false;
        for (size_t i = 0; i < list->count; i++)
            moved[i] = list->at[i];
        list->at = moved;
        list->cap = cap;
    }
    list->at[list->count++] = node;
    return true;
}

bool toml_is_within(const struct toml *node, const struct toml *root)
{
    while (node != NULL && node != root)
        node = node->parent;
    return node != NULL;
}

static bool has_items(const struct toml *node)
{
    return node != NULL && (node->kind == TOML_ARRAY || node->kind == TOML_TABLE);
}

struct toml *toml_find_key(const struct toml *table, struct slice key)
{
    if (table == NULL || table->kind != TOML_TABLE)
        return NULL;
    for (size_t i = 0; i < table->as.items.count; i++)
        if (slice_equal(table->as.items.at[i]->key, key))
            return table->as.items.at[i];
    return NULL;
}

/* The arena's memory is ours to write, whatever a slice of it says. */
static void wipe(struct slice s)
{
    if (s.len > 0)
        secret_wipe((void *)(uintptr_t)s.data, s.len);
}

void toml_forget(struct toml_document *doc, const char *dotted)
{
    const struct toml *node = toml_find(doc->root, dotted);
    if (node == NULL || node->kind != TOML_STRING)
        return;
    wipe(node->as.text);
    wipe(slice_cut(doc->text, node->value.from, node->value.to - node->value.from));
}

const struct toml *toml_root(const struct toml_document *doc)
{
    return doc->root;
}

enum toml_kind toml_kind(const struct toml *node)
{
    return node->kind;
}

size_t toml_count(const struct toml *node)
{
    return has_items(node) ? node->as.items.count : 0;
}

const struct toml *toml_at(const struct toml *node, size_t i)
{
    return i < toml_count(node) ? node->as.items.at[i] : NULL;
}

const char *toml_key_at(const struct toml *table, size_t i, size_t *len)
{
    const struct toml *member = toml_at(table, i);
    if (member == NULL || table->kind != TOML_TABLE)
        return NULL;
    *len = member->key.len;
    return (const char *)member->key.data;
}

const struct toml *toml_get(const struct toml *table, const char *key)
{
    return toml_find_key(table, slice_str(key));
}

const struct toml *toml_find(const struct toml *table, const char *dotted)
{
    struct slice rest = slice_str(dotted);
    for (;;) {
        size_t len = 0;
        while (len < rest.len && rest.data[len] != '.')
            len++;
        table = toml_find_key(table, slice_cut(rest, 0, len));
        if (table == NULL || len == rest.len)
            return table;
        rest = slice_cut(rest, len + 1, rest.len);
    }
}

unsigned toml_line(const struct toml *node)
{
    return node != NULL ? node->line : 0;
}

unsigned toml_column(const struct toml *node)
{
    return node != NULL ? node->column : 0;
}

bool toml_string(const struct toml *node, struct slice *out)
{
    if (node == NULL || node->kind != TOML_STRING)
        return false;
    *out = node->as.text;
    return true;
}

bool toml_integer(const struct toml *node, int64_t *out)
{
    if (node == NULL || node->kind != TOML_INTEGER)
        return false;
    *out = node->as.integer;
    return true;
}

bool toml_float(const struct toml *node, double *out)
{
    if (node == NULL || node->kind != TOML_FLOAT)
        return false;
    *out = node->as.number;
    return true;
}

bool toml_bool(const struct toml *node, bool *out)
{
    if (node == NULL || node->kind != TOML_BOOL)
        return false;
    *out = node->as.truth;
    return true;
}

bool toml_datetime_text(const struct toml *node, struct slice *out)
{
    if (node == NULL || node->kind < TOML_OFFSET_DATETIME || node->kind > TOML_LOCAL_TIME)
        return false;
    *out = node->as.text;
    return true;
}
