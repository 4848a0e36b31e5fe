/* Bounded JSON on top of jansson. */
#include "base/json.h"

#include <string.h>

#include "base/utf8.h"

void json_release(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

bool json_depth_ok(struct slice text)
{
    unsigned depth = 0;
    bool in_string = false, escaped = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (in_string) {
            if (escaped)
                escaped = false;
            else if (c == '\\')
                escaped = true;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

bool json_parse(struct slice text, size_t len_max, size_t flags, json_t **out, struct error *err)
{
    json_error_t why;
    if (text.len > len_max)
        return error_set(err, "json/size", NULL, "JSON of %zu bytes exceeds the limit of %zu",
                         text.len, len_max);
    if (!json_depth_ok(text))
        return error_set(err, "json/depth", NULL, "JSON is nested deeper than %d levels",
                         JSON_DEPTH_MAX);
    if (text.len == 0)
        return error_set(err, "json/syntax", NULL, "an empty text is not JSON");
    json_t *value =
        json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES | flags, &why);
    if (value == NULL)
        return error_set(err, "json/syntax", NULL, "%s at line %d column %d", why.text, why.line,
                         why.column);
    *out = value;
    return true;
}

/* Index just behind the JSON value that starts at `at` (any text that is balanced outside strings).
 */
static size_t value_end(struct slice text, size_t at)
{
    unsigned depth = 0;
    bool in_string = false, escaped = false;
    for (size_t i = at; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (in_string) {
            if (escaped)
                escaped = false;
            else if (c == '\\')
                escaped = true;
            else if (c == '"')
                in_string = false;
            if (!in_string && depth == 0)
                return i + 1;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return i;
            if (--depth == 0)
                return i + 1;
        } else if (depth == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
            return i;
        }
    }
    return text.len;
}

static size_t skip_space(struct slice text, size_t at)
{
    while (at < text.len && strchr(" \t\r\n", text.data[at]) != NULL && text.data[at] != 0)
        at++;
    return at;
}

bool json_member_span(struct slice text, const char *name, struct slice *out)
{
    size_t at = skip_space(text, 0);
    if (at >= text.len || text.data[at] != '{')
        return false;
    at++;
    while ((at = skip_space(text, at)) < text.len && text.data[at] == '"') {
        size_t key_end = value_end(text, at);
        struct slice key = slice_cut(text, at + 1, key_end - at >= 2 ? key_end - at - 2 : 0);
        at = skip_space(text, key_end);
        if (at >= text.len || text.data[at] != ':')
            return false;
        at = skip_space(text, at + 1);
        size_t end = value_end(text, at);
        if (slice_equal_str(key, name)) {
            *out = slice_cut(text, at, end - at);
            return out->len > 0;
        }
        at = skip_space(text, end);
        if (at >= text.len || text.data[at] != ',')
            return false;
        at++;
    }
    return false;
}

static json_t *member(const json_t *obj, const char *name)
{
    json_t *value = json_object_get(obj, name);
    return json_is_null(value) ? NULL : value;
}

static bool missing(const char *name, struct error *err)
{
    return error_set(err, "json/missing", name, "missing field `%s`", name);
}

static bool wrong_type(const char *name, const char *wanted, struct error *err)
{
    return error_set(err, "json/type", name, "field `%s` is not %s", name, wanted);
}

bool json_opt_str(const json_t *obj, const char *name, struct slice *out, struct error *err)
{
    const json_t *value = member(obj, name);
    if (value == NULL)
        return true;
    if (!json_is_string(value))
        return wrong_type(name, "a string", err);
    *out = slice_of(json_string_value(value), json_string_length(value));
    return true;
}

bool json_get_str(const json_t *obj, const char *name, struct slice *out, struct error *err)
{
    return member(obj, name) != NULL ? json_opt_str(obj, name, out, err) : missing(name, err);
}

bool json_get_int(const json_t *obj, const char *name, int64_t min, int64_t max, int64_t *out,
                  struct error *err)
{
    const json_t *value = member(obj, name);
    if (value == NULL)
        return missing(name, err);
    if (!json_is_integer(value))
        return wrong_type(name, "an integer", err);
    int64_t number = json_integer_value(value);
    if (number < min || number > max)
        return error_set(err, "json/value", name, "field `%s` is %lld, allowed are %lld to %lld",
                         name, (long long)number, (long long)min, (long long)max);
    *out = number;
    return true;
}

bool json_get_object(const json_t *obj, const char *name, json_t **borrowed, struct error *err)
{
    json_t *value = member(obj, name);
    if (value == NULL)
        return missing(name, err);
    if (!json_is_object(value))
        return wrong_type(name, "an object", err);
    *borrowed = value;
    return true;
}

bool json_get_array(const json_t *obj, const char *name, json_t **borrowed, struct error *err)
{
    json_t *value = member(obj, name);
    if (value == NULL)
        return missing(name, err);
    if (!json_is_array(value))
        return wrong_type(name, "an array", err);
    *borrowed = value;
    return true;
}

bool json_opt_bool(const json_t *obj, const char *name, bool *out, struct error *err)
{
    const json_t *value = member(obj, name);
    if (value == NULL)
        return true;
    if (!json_is_boolean(value))
        return wrong_type(name, "a boolean", err);
    *out = json_is_true(value);
    return true;
}

static int append_chunk(const char *chunk, size_t len, void *out)
{
    return buf_append(out, slice_of(chunk, len)) ? 0 : -1;
}

static bool write_flags(const json_t *value, size_t flags, struct buf *out, struct error *err)
{
    if (json_dump_callback(value, append_chunk, out, flags | JSON_ENCODE_ANY) != 0)
        return error_set(err, "json/size", NULL, "JSON text exceeds its limit of %zu bytes",
                         out->max);
    return true;
}

bool json_write_compact(const json_t *value, struct buf *out, struct error *err)
{
    return write_flags(value, JSON_COMPACT, out, err);
}

bool json_write_pretty(const json_t *value, struct buf *out, struct error *err)
{
    if (!write_flags(value, JSON_INDENT(2), out, err))
        return false;
    return buf_append_byte(out, '\n')
               ? true
               : error_set(err, "json/size", NULL, "JSON text exceeds its limit of %zu bytes",
                           out->max);
}

static bool append_escaped(struct buf *out, uint8_t c)
{
    static const char letters[] = "\"\\\b\f\n\r\t", escapes[] = "\"\\bfnrt";
    const char *at = memchr(letters, c, sizeof letters - 1);
    if (at != NULL)
        return buf_append_byte(out, '\\') && buf_append_byte(out, (uint8_t)escapes[at - letters]);
    return buf_printf(out, "\\u%04x", c);
}

bool json_append_string(struct buf *out, struct slice text)
{
    buf_append_byte(out, '"');
    size_t from = 0, at = 0; /* plain runs are appended whole */
    while (at < text.len) {
        uint8_t c = text.data[at];
        size_t step = utf8_decode(&text.data[at], text.len - at, NULL);
        if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
            at += step;
            continue;
        }
        buf_append(out, slice_cut(text, from, at - from));
        if (step == 0)
            buf_append_str(out, "\xef\xbf\xbd");
        else
            append_escaped(out, c);
        from = ++at;
    }
    buf_append(out, slice_cut(text, from, at - from));
    return buf_append_byte(out, '"');
}
