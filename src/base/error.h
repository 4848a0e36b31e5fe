/* The one error shape of this project: filled once, where the failure happens, and handed up
 * unchanged. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_arg)                                                       \
    __attribute__((format(printf, format_index, first_arg)))

enum { ERROR_FIELD_MAX = 96, ERROR_MESSAGE_MAX = 640 };

/*
 * code:    stable and machine readable, "area/what" in lower case ("quote/version",
 * "collateral/expired"); always a string literal, never NULL after a failure. Programs map the area
 * to an exit status. field:   the input that failed ("tcbInfo.nextUpdate", "quoteB64"), empty when
 * no single field is to blame. message: one line for a human, without a trailing full stop or
 * newline; control characters are escaped.
 */
struct error {
    const char *code;
    char field[ERROR_FIELD_MAX];
    char message[ERROR_MESSAGE_MAX];
};

/* Fills *err (which may be NULL) and returns false, so that a failing function reads `return
 * error_set(...)`. field may be NULL. Bytes below 0x20, 0x7f and invalid UTF-8 in the formatted
 * text are replaced by '?'. */
bool error_set(struct error *err, const char *code, const char *field, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Puts "prefix: " in front of the message and keeps code and field. Returns false. */
bool error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds a line to the message of a failure that has several causes ("Port conflicts detected:"): the
 * only way a newline gets into a message. Returns false. */
bool error_append_line(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* True when err->code is exactly `code`, or starts with it when `code` ends in '/'. */
bool error_is(const struct error *err, const char *code) MUST_USE;

#endif
