/* Command lines from one table: parsing, suggestions for typing errors, and the help text. The same
 * table feeds man pages and shell completion, so there is one place where an option is described.
 */
#ifndef CMD_COMMON_ARGS_H
#define CMD_COMMON_ARGS_H

#include <stdio.h>

#include <stddef.h>

#include "base/error.h"

enum { ARGS_VALUES_MAX = 64, ARGS_POSITIONALS_MAX = 64, ARGS_OPTIONS_MAX = 48 };

struct args_option {
    const char *name;  /* "kms-url", without the dashes */
    char letter;       /* 'n', or 0 */
    const char *value; /* "URL"; NULL for a switch */
    const char *help;  /* one line */
    bool hidden;       /* parsed, not shown */
};

struct args_command {
    const char *name;        /* "init", "kms probe"; "" for a program without sub-commands */
    const char *alias;       /* "up", or NULL */
    const char *summary;     /* one line */
    const char *positionals; /* "[KEY=VALUE]...", or NULL when there are none */
    size_t positionals_min, positionals_max;
    const struct args_option *options;
    size_t option_count;
    const char *notes; /* extra help lines: examples, exit status; NULL = none */
};

struct args_program {
    const char *name;
    const char *summary;
    const struct args_option *globals; /* accepted before and after the command */
    size_t global_count;
    const struct args_command *commands;
    size_t command_count;
    const char *notes; /* for the program's own help: examples, environment */
};

/* One option as given. Strings point into argv. */
struct args_value {
    const struct args_option *option;
    const char *text; /* NULL for a switch */
};

struct args {
    const struct args_command *command; /* NULL when none was named */
    const char *group; /* the first word of commands of two ("kms"), when the second is missing */
    struct args_value values[ARGS_VALUES_MAX];
    size_t value_count;
    const char *positionals[ARGS_POSITIONALS_MAX];
    size_t positional_count;
    bool help, version; /* -h, --help, --version were given: checked before anything else */
};

/* Code "usage" with a one-line text that names the word and the nearest known one. */
bool args_parse(const struct args_program *program, int argc, char *const *argv, struct args *out,
                struct error *err) MUST_USE;

bool args_has(const struct args *args, const char *name);
/* The last value given, or fallback. */
const char *args_get(const struct args *args, const char *name, const char *fallback);
/* The i-th value of a repeatable option, NULL behind the last. */
const char *args_get_nth(const struct args *args, const char *name, size_t i);
/* Unsigned decimal in [min, max]; absent leaves *out alone. Code "usage". */
bool args_get_number(const struct args *args, const char *name, unsigned long min,
                     unsigned long max, unsigned long *out, struct error *err) MUST_USE;

/* Help of the program, or of one command. */
void args_print_help(const struct args_program *program, const struct args_command *command,
                     FILE *out);
/* "prog: message\nTry 'prog command --help'\n" on stderr; returns the exit status for usage errors.
 */
int args_fail_usage(const struct args_program *program, const struct args *args,
                    const struct error *err);

#endif
