/* Format-preserving edits (compatibility facts A.3): an edit is a few patches on the text, found
 * through the places that the parser wrote into the tree, and nothing else of the text moves. */
#include <stdlib.h>

#include "toml/tree.h"

struct patch {
    struct span at;    /* the bytes that go */
    struct slice text; /* what stands there instead */
};

struct edit {
    const char *path;
    struct slice names[TOML_DEPTH_MAX]; /* of the path */
    size_t count;
    struct slice value;
    struct toml_document *doc;
    struct slice text;   /* of the document */
    size_t begin;        /* where it starts behind a byte order mark */
    const char *newline; /* as the document has it */
    struct patch *patches;
    size_t patch_count;
    struct buf fresh; /* the text of the one patch that adds something */
    struct error *err;
};

static bool out_of_memory(const struct edit *e)
{
    return error_set(e->err, "memory", NULL, "out of memory");
}

/* ---- places in the text ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static size_t line_start(const struct edit *e, size_t at)
{
    while (at > e->begin && e->text.data[at - 1] != '\n')
        at--;
    return at;
}

/* Behind the newline that ends the line of `at`, or the end of the text. */
static size_t line_end(const struct edit *e, size_t at)
{
    while (at < e->text.len && e->text.data[at] != '\n')
        at++;
    return at < e->text.len ? at + 1 : at;
}

static size_t skip_blanks(const struct edit *e, size_t at)
{
    while (at < e->text.len && is_blank(e->text.data[at]))
        at++;
    return at;
}

static const struct toml *section_at(const struct edit *e, size_t i)
{
    return e->doc->sections.at[i];
}

/* The start of the file has no header of its own: an empty root section ends where it begins. */
static bool is_empty_root(const struct edit *e, const struct toml *table)
{
    return table == e->doc->root && table->last.to == e->begin;
}

static size_t body_end(const struct edit *e, const struct toml *table)
{
    return is_empty_root(e, table) ? e->begin : line_end(e, table->last.to);
}

/* Where a section begins: its header with the comment lines directly above it, which describe it.
 */
static size_t section_start(const struct edit *e, size_t i)
{
    if (i == 0)
        return e->begin;
    if (i >= e->doc->sections.count)
        return e->text.len;
    size_t floor = body_end(e, section_at(e, i - 1));
    size_t start = line_start(e, section_at(e, i)->entry.from);
    while (start > floor) {
        size_t above = line_start(e, start - 1);
        size_t first = skip_blanks(e, above);
        if (above < floor || e->text.data[first] != '#')
            break;
        start = above;
    }
    return start;
}

/* Behind the last line with something on it before `at`, which is the start of a line. */
static size_t content_end(const struct edit *e, size_t at)
{
    while (at > e->begin && (is_blank(e->text.data[at - 1]) || e->text.data[at - 1] == '\n' ||
                             e->text.data[at - 1] == '\r'))
        at--;
    return at > e->begin ? line_end(e, at) : at;
}

/* ---- patches ---- */

static void add_patch(struct edit *e, struct span at, struct slice text)
{
    e->patches[e->patch_count++] = (struct patch){at, text}; /* room: one per node and section */
}

/* The patch that puts e->fresh at one place. */
static bool insert_fresh(struct edit *e, struct span at)
{
    if (e->fresh.failed)
        return error_set(e->err, "toml/size", NULL, "the text becomes larger than %d bytes",
                         TOML_LEN_MAX);
    add_patch(e, at, buf_slice(&e->fresh));
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct patch *x = a, *y = b;
    return x->at.from < y->at.from ? -1 : x->at.from > y->at.from;
}

static bool apply_patches(struct edit *e, struct buf *out)
{
    qsort(e->patches, e->patch_count, sizeof e->patches[0], by_place);
    size_t at = 0;
    for (size_t i = 0; i < e->patch_count; i++) {
        const struct patch *p = &e->patches[i];
        buf_append(out, slice_cut(e->text, at, p->at.from - at));
        buf_append(out, p->text);
        at = p->at.to;
    }
    buf_append(out, slice_cut(e->text, at, e->text.len));
    if (out->failed)
        return error_set(e->err, "toml/size", NULL, "the text becomes larger than %d bytes",
                         TOML_LEN_MAX);
    return true;
}

/* ---- what is written ---- */

static void append_newline(struct edit *e)
{
    buf_append_str(&e->fresh, e->newline);
}

/* names[from, to) as a dotted key */
static void append_names(struct edit *e, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (i > from)
            buf_append_byte(&e->fresh, '.');
        toml_append_key(&e->fresh, e->names[i]);
    }
}

/* "key = value", the key relative to the table at `depth` */
static void append_assignment(struct edit *e, size_t depth)
{
    append_names(e, depth, e->count);
    buf_append_str(&e->fresh, " = ");
    buf_append(&e->fresh, e->value);
}

/* A line of its own at `at`, indented like its neighbour. */
static bool insert_line(struct edit *e, size_t at, size_t depth, size_t neighbour)
{
    size_t start = line_start(e, neighbour);
    if (at > e->begin && e->text.data[at - 1] != '\n')
        append_newline(e);
    buf_append(&e->fresh, slice_cut(e->text, start, skip_blanks(e, start) - start));
    append_assignment(e, depth);
    append_newline(e);
    return insert_fresh(e, (struct span){at, at});
}

static bool insert_member(struct edit *e, const struct toml *inline_table)
{
    size_t at = inline_table->value.to - 1; /* the brace */
    while (is_blank(e->text.data[at - 1]))
        at--;
    buf_append_str(&e->fresh, toml_count(inline_table) > 0 ? ", " : " ");
    append_assignment(e, inline_table->depth);
    bool brace_follows = at == inline_table->value.to - 1;
    if (brace_follows && toml_count(inline_table) == 0)
        buf_append_byte(&e->fresh, ' ');
    return insert_fresh(e, (struct span){at, at});
}

static void append_section(struct edit *e)
{
    buf_append_byte(&e->fresh, '[');
    append_names(e, 0, e->count - 1);
    buf_append_byte(&e->fresh, ']');
    append_newline(e);
    append_assignment(e, e->count - 1);
    append_newline(e);
}

/* A header for a table that so far only the longer headers below it imply: above the first. */
static bool insert_section_above(struct edit *e, const struct toml *table)
{
    size_t i = 0;
    while (!toml_is_within(section_at(e, i), table))
        i++;
    size_t at = section_start(e, i);
    append_section(e);
    append_newline(e);
    return insert_fresh(e, (struct span){at, at});
}

/* A new section behind the last one of `table` and the tables in it. */
static bool insert_section_behind(struct edit *e, const struct toml *table)
{
    size_t behind = e->doc->sections.count;
    while (!toml_is_within(section_at(e, behind - 1), table))
        behind--;
    size_t at = content_end(e, section_start(e, behind));
    if (at > e->begin && e->text.data[at - 1] != '\n')
        append_newline(e);
    if (at > e->begin)
        append_newline(e);
    append_section(e);
    return insert_fresh(e, (struct span){at, at});
}

/* The first key of a file that has only sections so far: above them, under the file's own comment.
 */
static bool insert_first_line(struct edit *e)
{
    size_t at = section_start(e, 1);
    if (at > e->begin && e->text.data[at - 1] != '\n')
        append_newline(e);
    append_assignment(e, 0);
    append_newline(e);
    if (e->doc->sections.count > 1)
        append_newline(e);
    return insert_fresh(e, (struct span){at, at});
}

/* The last entry in source order of a table that dotted keys made. */
static const struct toml *last_dotted_entry(const struct toml *table)
{
    const struct toml *last = NULL;
    for (size_t i = 0; i < toml_count(table); i++) {
        const struct toml *member = toml_at(table, i);
        if (member->origin == TOML_BY_DOTS)
            member = last_dotted_entry(member);
        else if (member->origin != TOML_BY_VALUE)
            member = NULL;
        if (member != NULL && (last == NULL || member->entry.from > last->entry.from))
            last = member;
    }
    return last;
}

/* The table whose header or braces enclose the entries of `table`. */
static const struct toml *host_of(const struct toml *table)
{
    while (table->origin == TOML_BY_DOTS)
        table = table->parent;
    return table;
}

/* A key that does not exist yet; table is the deepest part of its path that does. */
static bool add_key(struct edit *e, const struct toml *table)
{
    const struct toml *host = host_of(table);
    bool parents_exist = e->count - table->depth == 1;
    if (host->origin == TOML_BY_VALUE)
        return insert_member(e, host);
    if (table->origin == TOML_BY_DOTS) {
        const struct toml *last = last_dotted_entry(table);
        return insert_line(e, line_end(e, last->entry.to), host->depth, last->entry.from);
    }
    if (!parents_exist)
        return insert_section_behind(e, table);
    if (table->origin == TOML_BY_PATH)
        return insert_section_above(e, table);
    if (is_empty_root(e, table))
        return insert_first_line(e);
    return insert_line(e, body_end(e, table), table->depth, table->last.from);
}

/* ---- replacing ---- */

static void cut_entry(struct edit *e, const struct toml *entry)
{
    struct span at = {line_start(e, entry->entry.from), line_end(e, entry->entry.to)};
    if (entry->section == TOML_NO_SECTION) { /* in an inline table: with the comma before it */
        at = entry->entry;
        while (e->text.data[at.from] != ',')
            at.from--;
    }
    add_patch(e, at, (struct slice){NULL, 0});
}

/* Cuts all entries of a dotted table but `keep`. */
static void cut_dotted_entries(struct edit *e, const struct toml *table, const struct toml *keep)
{
    for (size_t i = 0; i < toml_count(table); i++) {
        const struct toml *member = toml_at(table, i);
        if (member->origin == TOML_BY_DOTS)
            cut_dotted_entries(e, member, keep);
        else if (member->origin == TOML_BY_VALUE && member != keep)
            cut_entry(e, member);
    }
}

static const struct toml *first_dotted_entry(const struct toml *table)
{
    const struct toml *first = NULL;
    for (size_t i = 0; i < toml_count(table); i++) {
        const struct toml *member = toml_at(table, i);
        if (member->origin == TOML_BY_DOTS)
            member = first_dotted_entry(member);
        else if (member->origin != TOML_BY_VALUE)
            member = NULL;
        if (member != NULL && (first == NULL || member->entry.from < first->entry.from))
            first = member;
    }
    return first;
}

static void cut_sections(struct edit *e, const struct toml *table)
{
    for (size_t i = 1; i < e->doc->sections.count; i++)
        if (toml_is_within(section_at(e, i), table))
            add_patch(e, (struct span){section_start(e, i), section_start(e, i + 1)},
                      (struct slice){NULL, 0});
}

/* A table or an array of tables becomes a value. Dotted: the first entry makes room for it. Else
 * the sections go, *gone is set, and the key is then added like any other. */
static bool replace_tables(struct edit *e, const struct toml *table, bool *gone)
{
    cut_sections(e, table);
    *gone = table->origin != TOML_BY_DOTS;
    if (*gone)
        return true;
    const struct toml *first = first_dotted_entry(table);
    cut_dotted_entries(e, table, first);
    append_assignment(e, host_of(table)->depth);
    return insert_fresh(e, first->entry);
}

/* ---- the edit ---- */

static bool split_path(struct edit *e)
{
    struct slice rest = slice_str(e->path);
    for (;;) {
        size_t len = 0;
        while (len < rest.len && rest.data[len] != '.')
            len++;
        if (len == 0)
            return error_set(e->err, "toml/type", e->path, "cannot set '%s': empty key segment",
                             e->path);
        if (e->count == TOML_DEPTH_MAX)
            return error_set(e->err, "toml/depth", e->path,
                             "cannot set '%s': more than %d key segments", e->path, TOML_DEPTH_MAX);
        e->names[e->count++] = slice_cut(rest, 0, len);
        if (len == rest.len)
            return true;
        rest = slice_cut(rest, len + 1, rest.len);
    }
}

static bool fail_not_a_table(struct edit *e, size_t parent)
{
    struct slice last = e->names[e->count - 1], name = e->names[parent];
    if (parent + 2 == e->count)
        return error_set(e->err, "toml/type", e->path,
                         "cannot set '%s': parent of '%.*s' is not a table", e->path, (int)last.len,
                         (const char *)last.data);
    return error_set(e->err, "toml/type", e->path, "cannot set '%s': '%.*s' is not a table",
                     e->path, (int)name.len, (const char *)name.data);
}

/* *table: the deepest existing table of the path; *target: what the whole path names, or NULL. */
static bool locate(struct edit *e, const struct toml **table, const struct toml **target)
{
    const struct toml *at = e->doc->root;
    for (size_t i = 0; i < e->count; i++) {
        *table = at;
        at = toml_find_key(at, e->names[i]);
        *target = at;
        if (at == NULL)
            return true;
        if (i + 1 < e->count && at->kind != TOML_TABLE)
            return fail_not_a_table(e, i);
    }
    return true;
}

static bool make_patches(struct edit *e, bool *again)
{
    const struct toml *table = NULL, *target = NULL;
    if (!locate(e, &table, &target))
        return false;
    if (target == NULL)
        return add_key(e, table);
    if (target->origin == TOML_BY_VALUE) {
        add_patch(e, target->value, e->value);
        return true;
    }
    return replace_tables(e, target, again);
}

static void edit_free(struct edit *e)
{
    free(e->patches);
    buf_free(&e->fresh);
    toml_free(&e->doc);
}

static const char *newline_of(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n')
            return i > 0 && text.data[i - 1] == '\r' ? "\r\n" : "\n";
    return "\n";
}

/* One round: *again when it only made room. */
static bool set_once(struct slice text, const char *path, struct slice value, struct buf *out,
                     bool *again, struct error *err)
{
    __attribute__((cleanup(edit_free))) struct edit e = {
        .path = path, .value = value, .err = err, .fresh = BUF_INIT_SECRET(TOML_LEN_MAX)};
    if (!split_path(&e) || !toml_parse(text, &e.doc, err))
        return false;
    e.text = e.doc->text;
    e.begin = e.doc->root->entry.from;
    e.newline = newline_of(e.text);
    e.patches = calloc(e.doc->node_count + e.doc->sections.count, sizeof *e.patches);
    if (e.patches == NULL)
        return out_of_memory(&e);
    *again = false;
    return make_patches(&e, again) && apply_patches(&e, out);
}

static struct slice trim_blanks(struct slice s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = slice_cut(s, 1, s.len);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

bool toml_check_value(struct slice value, struct error *err)
{
    return toml_parse_value(trim_blanks(value), err);
}

static bool check_result(struct slice text, struct error *err)
{
    TOML_AUTO struct toml_document *doc = NULL;
    return toml_parse(text, &doc, err);
}

bool toml_set(struct slice text, const char *path, struct slice value, struct buf *out,
              struct error *err)
{
    BUF_AUTO struct buf first = BUF_INIT_SECRET(TOML_LEN_MAX);
    BUF_AUTO struct buf second = BUF_INIT_SECRET(TOML_LEN_MAX);
    bool again = false;
    value = trim_blanks(value);
    if (!toml_parse_value(value, err) || !set_once(text, path, value, &first, &again, err))
        return false;
    if (again && !set_once(buf_slice(&first), path, value, &second, &again, err))
        return false;
    struct slice result = second.len > 0 ? buf_slice(&second) : buf_slice(&first);
    if (!check_result(result, err))
        return error_prefix(err, "cannot set '%s'", path);
    if (!buf_append(out, result))
        return error_set(err, "toml/size", path, "no room for the edited text");
    return true;
}
