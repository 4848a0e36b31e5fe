/* A private node directory for tests, and the configuration that the existing merod writes. */
#ifndef SUPPORT_NODE_DIR_H
#define SUPPORT_NODE_DIR_H

#include "base/file.h"
#include "node/config.h"

/* A setting for toml_set(): path and source of the value. The list ends with a NULL path. */
struct edit {
    const char *path, *value;
};
enum { EDITS_MAX = 24 };

/* The file of the compatibility facts B.1 with the identity of B.2, comments included. */
extern const char node_sample_config[];

/* A fresh directory below TMPDIR or /tmp, mode 0700; the test fails when there is none. */
void node_dir_make(char out[PATH_TEXT_MAX]);
void node_dir_remove(const char *dir);
/* cmocka set-up and tear-down: *state is the path. */
int node_dir_setup(void **state);
int node_dir_teardown(void **state);

/* The sample with edits, appended to out. */
void sample_with(const struct edit *edits, struct buf *out);
/* Parsed for dir; the test fails when it does not parse. */
struct node_config *config_with(const char *dir, const struct edit *edits);
/* The error of a sample with edits that must not parse. */
struct error parse_error_with(const struct edit *edits);

/* dir/name with this content, mode 0600; the path goes to out (may be NULL). */
void write_test_file(const char *dir, const char *name, struct slice content,
                     char out[PATH_TEXT_MAX]);

#endif
