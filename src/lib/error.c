/* Errors, options and text on their way through the public surface. */
#include <stdlib.h>
#include <string.h>

#include "lib/lib.h"

LIB_SAME(MEROTEE_ERROR_FIELD_MAX, ERROR_FIELD_MAX);
LIB_SAME(MEROTEE_ERROR_MESSAGE_MAX, ERROR_MESSAGE_MAX);

bool lib_fail(struct merotee_error *err, const struct error *why)
{
    if (err == NULL)
        return false;
    err->code = why->code;
    memcpy(err->field, why->field, sizeof err->field);
    memcpy(err->message, why->message, sizeof err->message);
    return false;
}

bool lib_refuse(struct merotee_error *err, const char *code, const char *field, const char *text)
{
    struct error why;
    error_set(&why, code, field, "%s", text);
    return lib_fail(err, &why);
}

bool lib_no_memory(struct merotee_error *err)
{
    return lib_refuse(err, "memory", NULL, "out of memory");
}

bool lib_size_ok(size_t given, size_t first, struct merotee_error *err)
{
    return (given >= first && given <= LIB_OPTIONS_MAX) ||
           lib_refuse(err, "usage", "size", "the struct's size is not set to its sizeof");
}

void lib_tell(const void *from, size_t known, void *to, size_t given)
{
    memset(to, 0, given);
    memcpy(to, from, given < known ? given : known);
}

bool lib_options_copy(void *to, size_t known, size_t first, const void *from,
                      struct merotee_error *err)
{
    memset(to, 0, known);
    if (from == NULL)
        return true;
    size_t given;
    memcpy(&given, from, sizeof given);
    if (!lib_size_ok(given, first, err))
        return false;
    struct slice beyond = slice_cut(slice_of(from, given), known, given);
    if (!slice_is_zero(beyond))
        return lib_refuse(err, "usage", "size",
                          "an option is set that this release of the library does not know");
    memcpy(to, from, given < known ? given : known);
    return true;
}

bool lib_text_out(struct buf *text, char **out, struct merotee_error *err)
{
    if (text->failed || buf_cstr(text) == NULL)
        return lib_no_memory(err);
    *out = (char *)text->data;
    *text = BUF_INIT(0);
    return true;
}

bool merotee_error_is(const struct merotee_error *err, const char *code)
{
    if (err == NULL)
        return false;
    return error_is(&(struct error){.code = err->code}, code);
}

void merotee_free(void *text)
{
    free(text);
}

const char *merotee_version(void)
{
    return MERO_VERSION;
}
