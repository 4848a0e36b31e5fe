/* TOML 1.0.0: reading into a tree with source positions, and format-preserving edits of a document.
 * Limits are below. Errors: code "toml/syntax", toml/size, toml/depth, toml/duplicate or toml/utf8
 * with the message "line L, column C: what" (columns count characters, both start at 1); edits also
 * toml/type. No meaning of keys here. */
#ifndef TOML_TOML_H
#define TOML_TOML_H

#include "base/bytes.h"

enum {
    TOML_LEN_MAX = 1024 * 1024, /* bytes of a document */
    TOML_DEPTH_MAX = 32,        /* tables and arrays around a value; parts of a dotted key */
    TOML_NODES_MAX = 16384,     /* values, tables and arrays of a document */
    TOML_NUMBER_LEN_MAX = 256,  /* characters of a number */
};

enum toml_kind {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOL,
    TOML_OFFSET_DATETIME,
    TOML_LOCAL_DATETIME,
    TOML_LOCAL_DATE,
    TOML_LOCAL_TIME,
    TOML_ARRAY,
    TOML_TABLE,
};

struct toml; /* a node; owned by its document */
struct toml_document;

/* Reads a whole document and copies what it needs of the text. Freeing wipes the copy: a node's
 * configuration holds its private key. */
bool toml_parse(struct slice text, struct toml_document **out, struct error *err) MUST_USE;
void toml_free(struct toml_document **doc);
#define TOML_AUTO __attribute__((cleanup(toml_free)))

/* Overwrites the string at `dotted` in the document's memory: a secret that was taken from it. */
void toml_forget(struct toml_document *doc, const char *dotted);

const struct toml *toml_root(const struct toml_document *doc); /* always a table */
enum toml_kind toml_kind(const struct toml *node);
size_t toml_count(const struct toml *node); /* members of a table or array, else 0 */
const struct toml *toml_at(const struct toml *node,
                           size_t i); /* array element or i-th table member, or NULL */
const char *toml_key_at(const struct toml *table, size_t i, size_t *len);
const struct toml *toml_get(const struct toml *table,
                            const char *key); /* NULL when absent or not a table */
/* "tee.kms.phala.url"; every '.' separates. NULL when absent. */
const struct toml *toml_find(const struct toml *table, const char *dotted);
/* Where the value starts; for a [table] its header. 0 when node is NULL. */
unsigned toml_line(const struct toml *node);
unsigned toml_column(const struct toml *node);

/* Values; false when the node is NULL or of another kind. Strings are UTF-8, live as long as the
 * document, and a NUL that len does not count follows them (a \u0000 may stand inside). */
bool toml_string(const struct toml *node, struct slice *out) MUST_USE;
bool toml_integer(const struct toml *node, int64_t *out) MUST_USE;
bool toml_float(const struct toml *node, double *out) MUST_USE; /* integers are not floats */
bool toml_bool(const struct toml *node, bool *out) MUST_USE;
/* Dates and times as RFC 3339 text: 'T' and 'Z' in upper case, fractions padded to milliseconds and
 * cut after nanoseconds. */
bool toml_datetime_text(const struct toml *node, struct slice *out) MUST_USE;

/* True when `value` (blanks around it allowed) is the source of exactly one TOML value. */
bool toml_check_value(struct slice value, struct error *err) MUST_USE;

/*
 * Sets one key in `text` and keeps every other byte: comments, order, spacing. `path` is split at
 * every '.'; `value` is the source of one TOML value ('"https://..."', '[1, 2]', 'true', '{ a = 1
 * }'), parsed before use.
 *
 * An existing value is replaced where it stands. A new key goes behind the last key of its table: a
 * line in a [table] or a dotted table, a member in an inline table. A missing parent table becomes
 * a [header] behind its nearest relatives (dotted keys inside dotted and inline parents). Setting a
 * key that is a table or an array of tables replaces all of it. An existing parent that is not a
 * table fails with code toml/type and the text "cannot set '<key>': '<segment>' is not a table"
 * (for the last parent "cannot set '<key>': parent of '<last>' is not a table"); elements of arrays
 * have no path. The result is appended to out and re-parsed before return.
 */
bool toml_set(struct slice text, const char *path, struct slice value, struct buf *out,
              struct error *err) MUST_USE;

/* Appends `s` as a quoted, escaped basic string; like buf_append(), a failure sticks in out. */
bool toml_append_string(struct buf *out, struct slice s);

#endif
