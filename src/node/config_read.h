/* Reading single settings out of a TOML document: one table row per setting, errors that name the
 * key, the line and the column. Private to the configuration. */
#ifndef NODE_CONFIG_READ_H
#define NODE_CONFIG_READ_H

#include "node/config.h"
#include "toml/toml.h"

enum setting_kind {
    SETTING_TABLE,     /* bool: present; offset SETTING_NOWHERE to check the type only */
    SETTING_BOOL,      /* bool */
    SETTING_UNSIGNED,  /* uint64_t */
    SETTING_OPTIONAL,  /* struct node_optional */
    SETTING_FLOAT,     /* double; an integer will do */
    SETTING_TEXT,      /* const char *, without NUL inside */
    SETTING_TEXTS,     /* const struct toml *: an array of such texts */
    SETTING_TABLES,    /* const struct toml *: an array of tables */
    SETTING_CHOICE,    /* an enum: index into choices */
    SETTING_ADDRESSES, /* struct node_addresses, owned */
};

#define SETTING_NOWHERE SIZE_MAX

struct setting {
    const char *path; /* "tee.kms.phala.url" */
    enum setting_kind kind;
    bool required;              /* when the table that it stands in is there */
    size_t offset;              /* into the target */
    const char *const *choices; /* NULL-terminated */
};

/* Reads every row into target (rows are in order: a table before what stands in it). Absent
 * settings leave the target alone. */
bool settings_read(const struct toml *root, const struct setting *rows, size_t count, void *target,
                   struct error *err) MUST_USE;

/* "line L, column C: <text>" with code and the path as field; returns false. node may be NULL. */
bool setting_fail(struct error *err, const char *code, const char *path, const struct toml *node,
                  const char *format, ...) PRINTF_LIKE(5, 6);

/* The i-th text of an array that SETTING_TEXTS has checked; "" behind the last. */
const char *setting_text_at(const struct toml *array, size_t i);

#endif
