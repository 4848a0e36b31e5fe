/* The error shape: filling, prefixing, and keeping hostile bytes out of messages. */
#include "base/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at s (len bytes left), 0 when invalid. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
    static const struct {
        unsigned char mask, value;
        size_t len;
        uint32_t min;
    } forms[] = {{0x80, 0x00, 1, 0},
                 {0xe0, 0xc0, 2, 0x80},
                 {0xf0, 0xe0, 3, 0x800},
                 {0xf8, 0xf0, 4, 0x10000}};
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        if ((s[0] & forms[f].mask) != forms[f].value)
            continue;
        if (forms[f].len > len)
            return 0;
        uint32_t point = s[0] & (unsigned char)~forms[f].mask;
        for (size_t i = 1; i < forms[f].len; i++) {
            if ((s[i] & 0xc0) != 0x80)
                return 0;
            point = (point << 6) | (s[i] & 0x3fu);
        }
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        return point < forms[f].min || point > 0x10ffff || surrogate ? 0 : forms[f].len;
    }
    return 0;
}

/* A message is one printable line whatever the outside put into it. */
static void make_printable(char *text)
{
    unsigned char *s = (unsigned char *)text;
    size_t len = strlen(text);
    for (size_t i = 0; i < len;) {
        size_t step = utf8_len(s + i, len - i);
        if (step == 0 || s[i] < 0x20 || s[i] == 0x7f) {
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
    make_printable(made.field);
    make_printable(made.message);
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
    if (used >= 0 && (size_t)used < sizeof message)
        snprintf(message + used, sizeof message - (size_t)used, ": %.*s", (int)(sizeof message - 3),
                 err->message);
    make_printable(message);
    memcpy(err->message, message, sizeof message);
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
