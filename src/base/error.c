/* The error shape: filling, prefixing, and keeping hostile bytes out of messages. */
#include "base/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Text is printable, and one line unless told otherwise, whatever the outside put into it. */
static void make_printable(char *text, bool keep_newlines)
{
    unsigned char *s = (unsigned char *)text;
    size_t len = strlen(text);
    for (size_t i = 0; i < len;) {
        size_t step = utf8_decode(s + i, len - i, NULL);
        bool kept = keep_newlines && s[i] == '\n';
        if (step == 0 || (s[i] < 0x20 && !kept) || s[i] == 0x7f) {
            s[i] = '?';
            step = 1;
        }
        i += step;
    }
}

bool error_set(struct error *err, const char *code, const char *field, const char *format, ...)
{
    if (err == NULL)
        return false;
    struct error made = {.code = code};
    snprintf(made.field, sizeof made.field, "%s", field != NULL ? field : "");
    va_list args;
    va_start(args, format);
    vsnprintf(made.message, sizeof made.message, format, args);
    va_end(args);
    make_printable(made.field, false);
    make_printable(made.message, false);
    *err = made;
    return false;
}

bool error_prefix(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return false;
    char message[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    make_printable(message, false);
    if (used >= 0 && (size_t)used < sizeof message)
        snprintf(message + used, sizeof message - (size_t)used, ": %.*s", (int)(sizeof message - 3),
                 err->message);
    make_printable(message, true);
    memcpy(err->message, message, sizeof message);
    return false;
}

bool error_append_line(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return false;
    char line[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    make_printable(line, false);
    size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, "\n%s", line);
    make_printable(err->message, true);
    return false;
}

bool error_is(const struct error *err, const char *code)
{
    if (err == NULL || err->code == NULL)
        return false;
    size_t len = strlen(code);
    if (len > 0 && code[len - 1] == '/')
        return strncmp(err->code, code, len) == 0;
    return strcmp(err->code, code) == 0;
}
