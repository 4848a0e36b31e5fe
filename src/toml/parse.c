/* The TOML 1.0.0 grammar above scalars and strings: keys, headers, arrays, inline tables, and the
 * rules about what may define or extend which table. */
#include <stdlib.h>

#include "base/utf8.h"
#include "toml/scalar.h"
#include "toml/scan.h"
#include "toml/string.h"
#include "toml/tree.h"

struct parser {
    struct scanner scan;
    struct toml_document *doc;
    struct toml *table; /* of the section being read */
    struct buf text;    /* scratch: the string being read */
};

struct key_part {
    struct slice name;
    struct place place;
};

struct key_path {
    struct key_part parts[TOML_DEPTH_MAX];
    size_t count;
};

static bool out_of_memory(struct parser *p)
{
    return error_set(p->scan.err, "memory", NULL, "out of memory");
}

static struct toml *new_node(struct parser *p, const struct toml *parent, enum toml_kind kind,
                             enum toml_origin origin, struct place where)
{
    unsigned depth = parent == NULL ? 0 : parent->depth + 1;
    if (depth > TOML_DEPTH_MAX) {
        scan_fail(&p->scan, where, "toml/depth", "nested deeper than %d", TOML_DEPTH_MAX);
        return NULL;
    }
    if (p->doc->node_count >= TOML_NODES_MAX) {
        scan_fail(&p->scan, where, "toml/size", "more than %d values", TOML_NODES_MAX);
        return NULL;
    }
    struct toml *node = toml_alloc(p->doc, sizeof *node);
    if (node == NULL) {
        out_of_memory(p);
        return NULL;
    }
    p->doc->node_count++;
    *node = (struct toml){.kind = kind,
                          .origin = origin,
                          .line = where.line,
                          .column = where.column,
                          .depth = depth,
                          .parent = parent,
                          .section = TOML_NO_SECTION};
    return node;
}

static bool attach(struct parser *p, struct toml *parent, struct toml *child)
{
    return toml_list_add(p->doc, &parent->as.items, child) ? true : out_of_memory(p);
}

/* A new table or array under its key. */
static struct toml *new_member(struct parser *p, struct toml *table, const struct key_part *part,
                               enum toml_kind kind, enum toml_origin origin)
{
    struct toml *node = new_node(p, table, kind, origin, part->place);
    if (node == NULL)
        return NULL;
    node->key = part->name;
    return attach(p, table, node) ? node : NULL;
}

static bool fail_defined(struct parser *p, const struct key_part *part, const struct toml *before)
{
    return scan_fail(&p->scan, part->place, "toml/duplicate",
                     "key '%.*s' is already defined at line %u and cannot be defined or extended "
                     "here",
                     (int)part->name.len, (const char *)part->name.data, before->line);
}

/* ---- keys ---- */

static bool read_key_part(struct parser *p, struct key_part *part)
{
    struct scanner *s = &p->scan;
    part->place = s->here;
    if (scan_peek(s, 0) == '"' || scan_peek(s, 0) == '\'') {
        buf_reset(&p->text);
        if (!string_read(s, false, &p->text))
            return false;
        return toml_copy(p->doc, buf_slice(&p->text), &part->name) ? true : out_of_memory(p);
    }
    while (toml_is_bare_char(scan_peek(s, 0)))
        scan_skip(s, 1);
    struct slice bare = scan_since(s, part->place);
    if (bare.len == 0)
        return scan_fail_expected(s, "a key");
    part->name = bare; /* in the document's own copy of the text */
    return true;
}

/* a.b."c d", blanks around the dots allowed. */
static bool read_key_path(struct parser *p, struct key_path *path)
{
    path->count = 0;
    do {
        scan_blanks(&p->scan);
        if (path->count == TOML_DEPTH_MAX)
            return scan_fail(&p->scan, p->scan.here, "toml/depth", "a key of more than %d parts",
                             TOML_DEPTH_MAX);
        if (!read_key_part(p, &path->parts[path->count]))
            return false;
        path->count++;
        scan_blanks(&p->scan);
    } while (scan_take(&p->scan, '.'));
    return true;
}

/* ---- values ---- */

static struct toml *read_value(struct parser *p, const struct toml *parent);
static bool read_entry(struct parser *p, struct toml *table, size_t section);

static bool read_string_value(struct parser *p, struct toml *node)
{
    buf_reset(&p->text);
    if (!string_read(&p->scan, true, &p->text))
        return false;
    node->kind = TOML_STRING;
    return toml_copy(p->doc, buf_slice(&p->text), &node->as.text) ? true : out_of_memory(p);
}

static void skip_scalar_chars(struct scanner *s)
{
    int c = scan_peek(s, 0);
    while (toml_is_bare_char(c) || c == '+' || c == '.' || c == ':') {
        scan_skip(s, 1);
        c = scan_peek(s, 0);
    }
}

/* An unquoted text may be a secret whose quotes were forgotten: a long one is shown by its start.
 */
static bool fail_scalar(struct parser *p, struct place start, const char *why, struct slice token)
{
    enum { WHOLE_MAX = 20, SHOWN = 8 };
    bool whole = token.len <= WHOLE_MAX;
    return scan_fail(&p->scan, start, "toml/syntax", "%s: %.*s%s", why,
                     whole ? (int)token.len : SHOWN, (const char *)token.data, whole ? "" : "...");
}

static bool read_scalar_value(struct parser *p, struct toml *node)
{
    struct scanner *s = &p->scan;
    struct place start = s->here;
    skip_scalar_chars(s);
    bool time_follows = scan_peek(s, 0) == ' ' && scan_peek(s, 1) >= '0' && scan_peek(s, 1) <= '9';
    if (scalar_is_date(scan_since(s, start)) && time_follows) {
        scan_skip(s, 1);
        skip_scalar_chars(s);
    }
    struct slice token = scan_since(s, start);
    if (token.len == 0)
        return scan_fail_expected(s, "a value");
    struct scalar value;
    const char *why = scalar_read(token, &value);
    if (why != NULL)
        return fail_scalar(p, start, why, token);
    node->kind = value.kind;
    if (value.kind == TOML_INTEGER)
        node->as.integer = value.integer;
    else if (value.kind == TOML_FLOAT)
        node->as.number = value.number;
    else if (value.kind == TOML_BOOL)
        node->as.truth = value.truth;
    else
        return toml_copy(p->doc, slice_str(value.text), &node->as.text) ? true : out_of_memory(p);
    return true;
}

/* Newlines and comments may stand anywhere between the brackets; a comma may follow the last. */
static bool read_array(struct parser *p, struct toml *array)
{
    scan_skip(&p->scan, 1);
    for (;;) {
        if (!scan_gap(&p->scan))
            return false;
        if (scan_take(&p->scan, ']'))
            return true;
        struct toml *element = read_value(p, array);
        if (element == NULL || !attach(p, array, element) || !scan_gap(&p->scan))
            return false;
        if (scan_take(&p->scan, ']'))
            return true;
        if (!scan_take(&p->scan, ','))
            return scan_fail_expected(&p->scan, "',' or ']' in the array");
    }
}

/* On one line, and no comma behind the last member (TOML 1.0.0). */
static bool read_inline_table(struct parser *p, struct toml *table)
{
    scan_skip(&p->scan, 1);
    scan_blanks(&p->scan);
    if (scan_take(&p->scan, '}'))
        return true;
    for (;;) {
        scan_blanks(&p->scan);
        if (!read_entry(p, table, TOML_NO_SECTION))
            return false;
        scan_blanks(&p->scan);
        if (scan_take(&p->scan, '}'))
            return true;
        if (!scan_take(&p->scan, ','))
            return scan_fail_expected(&p->scan, "',' or '}' in the inline table");
    }
}

/* A value that is not attached yet; parent bounds its depth. */
static struct toml *read_value(struct parser *p, const struct toml *parent)
{
    struct place start = p->scan.here;
    int c = scan_peek(&p->scan, 0);
    enum toml_kind kind = c == '[' ? TOML_ARRAY : c == '{' ? TOML_TABLE : TOML_BOOL;
    struct toml *node = new_node(p, parent, kind, TOML_BY_VALUE, start);
    if (node == NULL)
        return NULL;
    bool ok;
    if (c == '[')
        ok = read_array(p, node);
    else if (c == '{')
        ok = read_inline_table(p, node);
    else if (c == '"' || c == '\'')
        ok = read_string_value(p, node);
    else
        ok = read_scalar_value(p, node);
    node->value = (struct span){start.at, p->scan.here.at};
    return ok ? node : NULL;
}

/* ---- entries and headers ---- */

/* One step of a dotted key. Only what dotted keys made may be extended by them. */
static struct toml *step_by_dots(struct parser *p, struct toml *table, const struct key_part *part)
{
    struct toml *next = toml_find_key(table, part->name);
    if (next == NULL)
        return new_member(p, table, part, TOML_TABLE, TOML_BY_DOTS);
    if (next->origin != TOML_BY_DOTS && next->origin != TOML_BY_PATH) {
        fail_defined(p, part, next);
        return NULL;
    }
    next->origin = TOML_BY_DOTS;
    return next;
}

static bool read_entry(struct parser *p, struct toml *table, size_t section)
{
    struct key_path path;
    struct place start = p->scan.here;
    if (!read_key_path(p, &path))
        return false;
    if (!scan_take(&p->scan, '='))
        return scan_fail_expected(&p->scan, "'=' behind the key");
    for (size_t i = 0; i + 1 < path.count; i++)
        if ((table = step_by_dots(p, table, &path.parts[i])) == NULL)
            return false;
    const struct key_part *last = &path.parts[path.count - 1];
    const struct toml *before = toml_find_key(table, last->name);
    if (before != NULL)
        return fail_defined(p, last, before);
    scan_blanks(&p->scan);
    struct toml *value = read_value(p, table);
    if (value == NULL)
        return false;
    value->key = last->name;
    value->section = section;
    value->entry = (struct span){start.at, value->value.to};
    return attach(p, table, value);
}

/* One step of a header's path: into a table, or into the newest element of an array of tables. */
static struct toml *step_by_path(struct parser *p, struct toml *table, const struct key_part *part)
{
    struct toml *next = toml_find_key(table, part->name);
    if (next == NULL)
        return new_member(p, table, part, TOML_TABLE, TOML_BY_PATH);
    if (next->origin != TOML_BY_VALUE)
        return next->kind == TOML_ARRAY ? next->as.items.at[next->as.items.count - 1] : next;
    fail_defined(p, part, next);
    return NULL;
}

static struct toml *open_table(struct parser *p, struct toml *parent, const struct key_part *part)
{
    struct toml *table = toml_find_key(parent, part->name);
    if (table == NULL)
        return new_member(p, parent, part, TOML_TABLE, TOML_BY_HEADER);
    if (table->origin != TOML_BY_PATH) {
        fail_defined(p, part, table);
        return NULL;
    }
    table->origin = TOML_BY_HEADER;
    return table;
}

static struct toml *open_element(struct parser *p, struct toml *parent, const struct key_part *part)
{
    struct toml *array = toml_find_key(parent, part->name);
    if (array == NULL)
        array = new_member(p, parent, part, TOML_ARRAY, TOML_BY_HEADER);
    else if (array->kind != TOML_ARRAY || array->origin != TOML_BY_HEADER) {
        fail_defined(p, part, array);
        return NULL;
    }
    if (array == NULL)
        return NULL;
    struct toml *element = new_node(p, array, TOML_TABLE, TOML_BY_HEADER, part->place);
    return element != NULL && attach(p, array, element) ? element : NULL;
}

/* Every section starts here, the root included. */
static bool open_section(struct parser *p, struct toml *table, struct place start)
{
    table->line = start.line;
    table->column = start.column;
    table->section = p->doc->sections.count;
    table->entry = (struct span){start.at, p->scan.here.at};
    table->last = table->entry;
    p->table = table;
    return toml_list_add(p->doc, &p->doc->sections, table) ? true : out_of_memory(p);
}

/* [a.b] or [[a.b]]; the brackets of the second form stand together. */
static bool read_header(struct parser *p)
{
    struct key_path path;
    struct place start = p->scan.here;
    bool is_element = scan_looking_at(&p->scan, "[[");
    scan_skip(&p->scan, is_element ? 2 : 1);
    if (!read_key_path(p, &path))
        return false;
    if (!scan_looking_at(&p->scan, is_element ? "]]" : "]"))
        return scan_fail_expected(&p->scan, is_element ? "']]' behind the header's name"
                                                       : "']' behind the header's name");
    scan_skip(&p->scan, is_element ? 2 : 1);
    struct toml *table = p->doc->root;
    for (size_t i = 0; i + 1 < path.count; i++)
        if ((table = step_by_path(p, table, &path.parts[i])) == NULL)
            return false;
    const struct key_part *last = &path.parts[path.count - 1];
    table = is_element ? open_element(p, table, last) : open_table(p, table, last);
    return table != NULL && open_section(p, table, start);
}

static bool read_section_entry(struct parser *p)
{
    size_t start = p->scan.here.at;
    if (!read_entry(p, p->table, p->table->section))
        return false;
    p->table->last = (struct span){start, p->scan.here.at};
    return true;
}

static bool read_line(struct parser *p)
{
    bool ok = scan_peek(&p->scan, 0) == '[' ? read_header(p) : read_section_entry(p);
    if (!ok)
        return false;
    scan_blanks(&p->scan);
    if (!scan_comment(&p->scan))
        return false;
    if (scan_newline(&p->scan) || scan_peek(&p->scan, 0) == SCAN_END)
        return true;
    return scan_fail_expected(&p->scan, "the end of the line");
}

static bool read_document(struct parser *p)
{
    if (scan_looking_at(&p->scan, "\xef\xbb\xbf")) /* byte order mark */
        p->scan.here.at += 3;
    p->doc->root = new_node(p, NULL, TOML_TABLE, TOML_BY_HEADER, p->scan.here);
    if (p->doc->root == NULL || !open_section(p, p->doc->root, p->scan.here))
        return false;
    for (;;) {
        if (!scan_gap(&p->scan))
            return false;
        if (scan_peek(&p->scan, 0) == SCAN_END)
            return true;
        if (!read_line(p))
            return false;
    }
}

/* ---- whole texts ---- */

static bool check_utf8(struct slice text, struct error *err)
{
    struct scanner s = {.text = text, .here = {.line = 1, .column = 1}, .err = err};
    while (s.here.at < text.len) {
        size_t len = 1;
        if (!scan_newline(&s)) {
            struct slice rest = slice_cut(text, s.here.at, UTF8_SEQUENCE_MAX);
            len = utf8_decode(rest.data, rest.len, NULL);
            scan_skip(&s, len);
        }
        if (len == 0)
            return scan_fail(&s, s.here, "toml/utf8", "invalid UTF-8");
    }
    return true;
}

static void parser_free(struct parser *p)
{
    toml_free(&p->doc);
    buf_free(&p->text);
}

/* A parser over its document's own copy of the text. */
static bool parser_start(struct parser *p, struct slice text, struct error *err)
{
    *p = (struct parser){.text = BUF_INIT_SECRET(TOML_LEN_MAX)};
    if (text.len > TOML_LEN_MAX)
        return error_set(err, "toml/size", NULL, "the text is larger than %d bytes", TOML_LEN_MAX);
    if (!check_utf8(text, err))
        return false;
    p->scan = (struct scanner){.here = {.line = 1, .column = 1}, .err = err};
    p->doc = calloc(1, sizeof *p->doc);
    if (p->doc == NULL || !toml_copy(p->doc, text, &p->doc->text))
        return out_of_memory(p);
    p->scan.text = p->doc->text;
    return true;
}

bool toml_parse(struct slice text, struct toml_document **out, struct error *err)
{
    __attribute__((cleanup(parser_free))) struct parser p;
    if (!parser_start(&p, text, err) || !read_document(&p))
        return false;
    *out = p.doc;
    p.doc = NULL;
    return true;
}

bool toml_parse_value(struct slice text, struct error *err)
{
    __attribute__((cleanup(parser_free))) struct parser p;
    if (!parser_start(&p, text, err) || read_value(&p, NULL) == NULL)
        return false;
    if (scan_peek(&p.scan, 0) != SCAN_END)
        return scan_fail_expected(&p.scan, "the end of the value");
    return true;
}
