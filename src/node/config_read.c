/* Settings out of TOML, row by row. */
#include "node/config_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/config_address.h"

bool setting_fail(struct error *err, const char *code, const char *path, const struct toml *node,
                  const char *format, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (node == NULL)
        return error_set(err, code, path, "%s", text);
    return error_set(err, code, path, "line %u, column %u: %s", toml_line(node), toml_column(node),
                     text);
}

static const char *kind_name(const struct toml *node)
{
    static const char *const names[] = {
        "a string",          "an integer",   "a float",      "a boolean", "an offset date-time",
        "a local date-time", "a local date", "a local time", "an array",  "a table"};
    return names[toml_kind(node)];
}

static bool fail_kind(struct error *err, const struct setting *row, const struct toml *node,
                      const char *wanted)
{
    return setting_fail(err, "config/type", row->path, node, "%s must be %s, not %s", row->path,
                        wanted, kind_name(node));
}

/* The part of the path behind the last dot. */
static const char *last_key(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL ? &dot[1] : path;
}

/* The table that the setting stands in; NULL when the file has none. */
static const struct toml *table_of(const struct toml *root, const char *path)
{
    char parent[128];
    const char *key = last_key(path);
    if (key == path)
        return root;
    snprintf(parent, sizeof parent, "%.*s", (int)(key - path) - 1, path);
    const struct toml *table = toml_find(root, parent);
    return table != NULL && toml_kind(table) == TOML_TABLE ? table : NULL;
}

static bool fail_missing(struct error *err, const struct setting *row, const struct toml *table)
{
    const char *key = last_key(row->path);
    if (key == row->path)
        return error_set(err, "config/missing", row->path, "missing field `%s`", key);
    return setting_fail(err, "config/missing", row->path, table, "missing field `%s` in [%.*s]",
                        key, (int)(key - row->path) - 1, row->path);
}

static bool is_plain_text(const struct toml *node, const char **out)
{
    struct slice text;
    if (!toml_string(node, &text) || strlen((const char *)text.data) != text.len)
        return false;
    *out = (const char *)text.data;
    return true;
}

static bool read_text(const struct setting *row, const struct toml *node, void *to,
                      struct error *err)
{
    const char *text;
    if (toml_kind(node) != TOML_STRING)
        return fail_kind(err, row, node, "a string");
    if (!is_plain_text(node, &text))
        return setting_fail(err, "config/value", row->path, node, "%s holds a NUL character",
                            row->path);
    memcpy(to, &text, sizeof text);
    return true;
}

/* Every element one of a kind; the array itself is the value. */
static bool read_array(const struct setting *row, const struct toml *node, enum toml_kind kind,
                       const char *wanted, void *to, struct error *err)
{
    const char *text;
    if (toml_kind(node) != TOML_ARRAY)
        return fail_kind(err, row, node, wanted);
    for (size_t i = 0; i < toml_count(node); i++) {
        const struct toml *element = toml_at(node, i);
        if (toml_kind(element) != kind)
            return fail_kind(err, row, element, wanted);
        if (kind == TOML_STRING && !is_plain_text(element, &text))
            return setting_fail(err, "config/value", row->path, element, "%s holds a NUL character",
                                row->path);
    }
    memcpy(to, &node, sizeof node);
    return true;
}

static bool read_addresses(const struct setting *row, const struct toml *node, void *to,
                           struct error *err)
{
    const struct toml *array;
    if (!read_array(row, node, TOML_STRING, "an array of multiaddrs", &array, err))
        return false;
    size_t count = toml_count(array);
    if (count > NODE_ADDRESSES_MAX)
        return setting_fail(err, "config/value", row->path, node, "%s has more than %d entries",
                            row->path, NODE_ADDRESSES_MAX);
    struct node_addresses list = {.at = calloc(count + 1, sizeof *list.at)};
    if (list.at == NULL)
        return error_set(err, "memory", row->path, "out of memory");
    memcpy(to, &list, sizeof list); /* owned by the target from here on */
    for (; list.count < count; list.count++) {
        const char *text = setting_text_at(array, list.count);
        const char *why = address_parse(text, &list.at[list.count]);
        if (why != NULL)
            return setting_fail(err, "config/value", row->path, toml_at(array, list.count),
                                "%s[%zu]: %s: %s", row->path, list.count, why, text);
    }
    memcpy(to, &list, sizeof list);
    return true;
}

static bool read_choice(const struct setting *row, const struct toml *node, void *to,
                        struct error *err)
{
    const char *text = "";
    char all[256] = "";
    if (!read_text(row, node, &text, err))
        return false;
    for (unsigned i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            memcpy(to, &i, sizeof i);
            return true;
        }
        size_t used = strlen(all);
        snprintf(&all[used], sizeof all - used, "%s`%s`", i > 0 ? ", " : "", row->choices[i]);
    }
    return setting_fail(err, "config/value", row->path, node,
                        "%s: unknown variant `%s`, expected one of %s", row->path, text, all);
}

static bool read_unsigned(const struct setting *row, const struct toml *node, uint64_t *to,
                          struct error *err)
{
    int64_t value;
    if (!toml_integer(node, &value))
        return fail_kind(err, row, node, "an integer");
    if (value < 0)
        return setting_fail(err, "config/value", row->path, node, "%s must not be negative: %lld",
                            row->path, (long long)value);
    *to = (uint64_t)value;
    return true;
}

static bool read_optional(const struct setting *row, const struct toml *node, void *to,
                          struct error *err)
{
    struct node_optional value = {.given = true};
    if (!read_unsigned(row, node, &value.value, err))
        return false;
    memcpy(to, &value, sizeof value);
    return true;
}

static bool read_float(const struct setting *row, const struct toml *node, double *to,
                       struct error *err)
{
    int64_t integer;
    if (toml_integer(node, &integer)) {
        *to = (double)integer;
        return true;
    }
    return toml_float(node, to) ? true : fail_kind(err, row, node, "a number");
}

static bool read_table(const struct setting *row, const struct toml *node, void *to,
                       struct error *err)
{
    if (toml_kind(node) != TOML_TABLE)
        return fail_kind(err, row, node, "a table");
    if (to != NULL)
        *(bool *)to = true;
    return true;
}

static bool read_value(const struct setting *row, const struct toml *node, void *to,
                       struct error *err)
{
    switch (row->kind) {
    case SETTING_TABLE:
        return read_table(row, node, to, err);
    case SETTING_BOOL:
        return toml_bool(node, to) ? true : fail_kind(err, row, node, "a boolean");
    case SETTING_UNSIGNED:
        return read_unsigned(row, node, to, err);
    case SETTING_OPTIONAL:
        return read_optional(row, node, to, err);
    case SETTING_FLOAT:
        return read_float(row, node, to, err);
    case SETTING_TEXT:
        return read_text(row, node, to, err);
    case SETTING_TEXTS:
        return read_array(row, node, TOML_STRING, "an array of strings", to, err);
    case SETTING_TABLES:
        return read_array(row, node, TOML_TABLE, "an array of tables", to, err);
    case SETTING_CHOICE:
        return read_choice(row, node, to, err);
    case SETTING_ADDRESSES:
        return read_addresses(row, node, to, err);
    }
    return false;
}

bool settings_read(const struct toml *root, const struct setting *rows, size_t count, void *target,
                   struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct setting *row = &rows[i];
        const struct toml *table = table_of(root, row->path);
        if (table == NULL)
            continue;
        const struct toml *node = toml_get(table, last_key(row->path));
        if (node == NULL && row->required)
            return fail_missing(err, row, table);
        void *to = row->offset == SETTING_NOWHERE ? NULL : &((uint8_t *)target)[row->offset];
        if (node != NULL && !read_value(row, node, to, err))
            return false;
    }
    return true;
}

const char *setting_text_at(const struct toml *array, size_t i)
{
    const char *text;
    return is_plain_text(toml_at(array, i), &text) ? text : "";
}
