/* The bounded cursor through which the TOML parser reads: characters, positions, white space, and
 * errors that say where. Private to this room. */
#ifndef TOML_SCAN_H
#define TOML_SCAN_H

#include "toml/toml.h"

struct place {
    size_t at; /* byte offset */
    unsigned line, column;
};

struct scanner {
    struct slice text; /* valid UTF-8 */
    struct place here;
    struct error *err;
};

enum { SCAN_END = -1 };

/* The byte `ahead` of the cursor, SCAN_END behind the text. */
int scan_peek(const struct scanner *s, size_t ahead);
bool scan_looking_at(const struct scanner *s, const char *text);
/* Steps over len bytes, none of them a newline. */
void scan_skip(struct scanner *s, size_t len);
bool scan_take(struct scanner *s, char c);     /* steps over c when it is next */
bool scan_newline(struct scanner *s);          /* steps over LF or CR LF when it is next */
void scan_blanks(struct scanner *s);           /* spaces and tabs */
bool scan_comment(struct scanner *s) MUST_USE; /* from '#' to the newline, when one is next */
/* Blanks, newlines and comments. */
bool scan_gap(struct scanner *s) MUST_USE;
/* The bytes from a place to the cursor. */
struct slice scan_since(const struct scanner *s, struct place from);
/* White space that TOML forbids in strings and comments, and other control characters. */
bool scan_is_control(int c);

/* Both return false. The message gets "line L, column C: " in front. */
bool scan_fail(const struct scanner *s, struct place where, const char *code, const char *format,
               ...) PRINTF_LIKE(4, 5);
/* "expected <what>, found <the character at the cursor>" */
bool scan_fail_expected(const struct scanner *s, const char *what);

#endif
