/* JSON members of bundles and trust roots. */
#include "sigstore/fields.h"

#include <string.h>

#include "base/codec.h"

enum { INT64_DIGITS_MAX = 19 };

bool fields_reserve(struct buf *arena, size_t len, struct error *err)
{
    *arena = BUF_INIT(len);
    if (len > 0 && buf_extend(arena, len) == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    arena->len = 0;
    return true;
}

/* Failures of the JSON ground get this document's code. */
static bool recode(const struct fields *f, bool ok, struct error *err)
{
    if (!ok && err != NULL)
        err->code = f->code;
    return ok;
}

bool fields_open(const struct fields *f, struct slice text, size_t len_max, json_t **out,
                 struct error *err)
{
    JSON_AUTO json_t *root = NULL;
    if (!recode(f, json_parse(text, len_max, 0, &root, err), err))
        return false;
    if (!json_is_object(root))
        return error_set(err, f->code, NULL, "the document is not a JSON object");
    *out = json_incref(root);
    return true;
}

bool fields_object(const struct fields *f, const json_t *obj, const char *name, json_t **out,
                   struct error *err)
{
    return recode(f, json_get_object(obj, name, out, err), err);
}

bool fields_list(const struct fields *f, const json_t *obj, const char *name, size_t count_max,
                 json_t **out, struct error *err)
{
    json_t *list = json_object_get(obj, name);
    if (list != NULL && !json_is_null(list) && !json_is_array(list))
        return error_set(err, f->code, name, "field `%s` is not an array", name);
    if (json_array_size(list) > count_max)
        return error_set(err, f->code, name, "field `%s` has %zu elements, at most %zu are allowed",
                         name, json_array_size(list), count_max);
    *out = json_array_size(list) > 0 ? list : NULL;
    return true;
}

bool fields_text(const struct fields *f, const json_t *obj, const char *name, struct slice *out,
                 struct error *err)
{
    return recode(f, json_get_str(obj, name, out, err), err);
}

bool fields_decode(const struct fields *f, struct slice text, const char *name, size_t len_max,
                   struct slice *out, struct error *err)
{
    size_t from = f->arena->len;
    if (text.len / 4 * 3 > len_max + 2)
        return error_set(err, f->code, name, "field `%s` decodes to more than %zu bytes", name,
                         len_max);
    if (!base64_decode_append(text, f->arena))
        return error_set(err, f->code, name, "field `%s` is not canonical base64", name);
    size_t len = f->arena->len - from;
    if (len > len_max)
        return error_set(err, f->code, name, "field `%s` decodes to %zu bytes, at most %zu", name,
                         len, len_max);
    *out = slice_cut(buf_slice(f->arena), from, len);
    return true;
}

bool fields_base64(const struct fields *f, const json_t *obj, const char *name, size_t len_max,
                   struct slice *out, struct error *err)
{
    struct slice text;
    return fields_text(f, obj, name, &text, err) && fields_decode(f, text, name, len_max, out, err);
}

bool fields_opt_base64(const struct fields *f, const json_t *obj, const char *name, size_t len_max,
                       struct slice *out, struct error *err)
{
    struct slice text = {0};
    return recode(f, json_opt_str(obj, name, &text, err), err) &&
           fields_decode(f, text, name, len_max, out, err);
}

bool fields_int(const struct fields *f, const json_t *obj, const char *name, int64_t *out,
                struct error *err)
{
    return recode(f, json_get_int(obj, name, INT64_MIN, INT64_MAX, out, err), err);
}

/* Optional minus, digits without a leading zero, in the range of int64. */
static bool parse_int64(struct slice text, int64_t *out)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    struct slice digits = slice_cut(text, negative ? 1 : 0, text.len);
    uint64_t value = 0, max = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (digits.len == 0 || digits.len > INT64_DIGITS_MAX ||
        (digits.len > 1 && digits.data[0] == '0'))
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(digits.data[i] - '0'); /* 19 digits fit 64 bits */
    }
    if (value > max)
        return false;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool fields_proto_int(const struct fields *f, const json_t *obj, const char *name, int64_t *out,
                      struct error *err)
{
    const json_t *value = json_object_get(obj, name);
    if (value == NULL || json_is_null(value))
        return *out = 0, true;
    if (!json_is_string(value))
        return fields_int(f, obj, name, out, err);
    return parse_int64(slice_of(json_string_value(value), json_string_length(value)), out) ||
           error_set(err, f->code, name, "field `%s` is not a whole number of 64 bits", name);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice fields_trim(struct slice text)
{
    while (text.len > 0 && is_space(text.data[0]))
        text = slice_cut(text, 1, text.len - 1);
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text = slice_cut(text, 0, text.len - 1);
    return text;
}
