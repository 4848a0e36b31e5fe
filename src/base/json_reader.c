/* The JSON reader: a cursor, a stack of open containers, and the names seen in each open object. */
#include "base/json_reader.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/utf8.h"

static bool fail(struct json_reader *r, const char *code, const char *problem)
{
    if (r->problem == NULL) {
        r->problem = problem;
        r->code = code;
    }
    return false;
}

static bool bad_syntax(struct json_reader *r, const char *problem)
{
    return fail(r, "json/syntax", problem);
}

bool json_reader_refuse(struct json_reader *r, const char *problem)
{
    return fail(r, "json/value", problem);
}

void json_reader_open(struct json_reader *r, struct slice text)
{
    r->text = text;
    r->at = 0;
    r->depth = 0;
    r->name_count = 0;
    r->problem = r->code = r->missing = NULL;
}

/* The next byte that is not white space, 0 at the end and after a failure. */
static uint8_t peek(struct json_reader *r)
{
    if (r->problem != NULL)
        return 0;
    while (r->at < r->text.len) {
        uint8_t c = r->text.data[r->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return c;
        r->at++;
    }
    return 0;
}

static bool take(struct json_reader *r, uint8_t wanted)
{
    if (peek(r) != wanted)
        return false;
    r->at++;
    return true;
}

static bool hex4(struct slice s, uint32_t *out)
{
    uint32_t value = 0;
    if (s.len < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = s.data[i];
        uint8_t lower = (uint8_t)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}

/* "\uXXXX" or a surrogate pair of them; the length, 0 when malformed. */
static size_t unicode_escape(struct slice s, uint32_t *point)
{
    uint32_t low = 0;
    if (!hex4(slice_cut(s, 2, 4), point))
        return 0;
    if (*point < 0xd800 || *point > 0xdfff)
        return 6;
    struct slice second = slice_cut(s, 6, 6);
    if (*point > 0xdbff || second.len != 6 || second.data[0] != '\\' || second.data[1] != 'u' ||
        !hex4(slice_cut(second, 2, 4), &low) || low < 0xdc00 || low > 0xdfff)
        return 0;
    *point = 0x10000 + ((*point - 0xd800) << 10 | (low - 0xdc00));
    return 12;
}

/* The character that s starts with, escapes undone; the length in s, 0 when s has none. */
static size_t character(struct slice s, uint32_t *point)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (s.len == 0 || s.data[0] < 0x20)
        return 0;
    if (s.data[0] != '\\')
        return utf8_decode(s.data, s.len, point);
    if (s.len < 2)
        return 0;
    if (s.data[1] == 'u')
        return unicode_escape(s, point);
    const char *at = memchr(letters, s.data[1], sizeof letters - 1);
    if (at == NULL)
        return 0;
    *point = (uint8_t)meant[at - letters];
    return 2;
}

/* How far from `at` the text goes on with characters that stand for themselves. */
static size_t plain_end(struct slice text, size_t at)
{
    while (at < text.len && text.data[at] >= 0x20 && text.data[at] < 0x80 && text.data[at] != '"' &&
           text.data[at] != '\\')
        at++;
    return at;
}

/* A string as written, without its quotes; every character of it is valid. */
static bool raw_string(struct json_reader *r, struct slice *out, bool *escaped)
{
    *escaped = false;
    if (!take(r, '"'))
        return fail(r, "json/type", "not a string");
    size_t from = r->at;
    while ((r->at = plain_end(r->text, r->at)) < r->text.len) {
        uint32_t point;
        if (r->text.data[r->at] == '"') {
            *out = (struct slice){&r->text.data[from], r->at - from};
            r->at++;
            return true;
        }
        *escaped |= r->text.data[r->at] == '\\';
        size_t step = character(slice_cut(r->text, r->at, r->text.len), &point);
        if (step == 0)
            return bad_syntax(r, "malformed string");
        r->at += step;
    }
    return bad_syntax(r, "string without an end");
}

/* Do two strings as written say the same? */
static bool same_text(struct slice a, struct slice b)
{
    while (a.len > 0 && b.len > 0) {
        uint32_t in_a = 0, in_b = 0;
        size_t step_a = character(a, &in_a), step_b = character(b, &in_b);
        if (in_a != in_b || step_a == 0 || step_b == 0)
            return false;
        a = slice_cut(a, step_a, a.len);
        b = slice_cut(b, step_b, b.len);
    }
    return a.len == 0 && b.len == 0;
}

static bool name_repeats(const struct json_reader *r, struct slice name)
{
    const struct json_reader_level *level = &r->levels[r->depth - 1];
    for (size_t i = level->names_from; i < r->name_count; i++)
        if (level->has_escapes ? same_text(r->names[i], name) : slice_equal(r->names[i], name))
            return true;
    return false;
}

static bool member_name(struct json_reader *r)
{
    struct slice name;
    bool escaped;
    if (peek(r) != '"')
        return bad_syntax(r, "a member name was expected");
    if (!raw_string(r, &name, &escaped))
        return false;
    r->levels[r->depth - 1].has_escapes |= escaped;
    if (name_repeats(r, name))
        return fail(r, "json/duplicate", "repeated member name");
    if (r->name_count == JSON_READER_NAMES_MAX)
        return bad_syntax(r, "too many members");
    r->names[r->name_count++] = name;
    return take(r, ':') ? true : bad_syntax(r, "a colon was expected");
}

static bool enter(struct json_reader *r, uint8_t bracket, const char *problem)
{
    if (peek(r) != bracket)
        return fail(r, "json/type", problem);
    if (r->depth == JSON_READER_DEPTH_MAX)
        return fail(r, "json/depth", "nested too deeply");
    r->at++;
    r->levels[r->depth++] =
        (struct json_reader_level){.is_object = bracket == '{', .names_from = r->name_count};
    return true;
}

bool json_reader_object(struct json_reader *r)
{
    return enter(r, '{', "not an object");
}

bool json_reader_array(struct json_reader *r)
{
    return enter(r, '[', "not an array");
}

bool json_reader_more(struct json_reader *r)
{
    if (r->problem != NULL || r->depth == 0)
        return false;
    struct json_reader_level *level = &r->levels[r->depth - 1];
    uint8_t c = peek(r);
    if (c == (level->is_object ? '}' : ']')) {
        r->at++;
        r->name_count = level->names_from;
        r->depth--;
        return false;
    }
    if (level->has_items) {
        if (c != ',')
            return bad_syntax(r, "a comma was expected");
        r->at++;
        level->index++;
    }
    level->has_items = true;
    return !level->is_object || member_name(r);
}

bool json_reader_name_is(const struct json_reader *r, const char *name)
{
    if (r->name_count == 0 || r->depth == 0)
        return false;
    struct slice written = r->names[r->name_count - 1];
    if (r->levels[r->depth - 1].has_escapes)
        return same_text(written, slice_str(name));
    if (written.len == 0 || name[0] != (char)written.data[0])
        return written.len == 0 && name[0] == 0;
    return strncmp(name, (const char *)written.data, written.len) == 0 && name[written.len] == 0;
}

/* One character that does not stand for itself, as UTF-8. */
static bool append_character(struct json_reader *r, struct slice *rest, struct buf *out)
{
    uint32_t point = 0;
    uint8_t bytes[UTF8_SEQUENCE_MAX];
    size_t step = character(*rest, &point);
    if (point == 0)
        return json_reader_refuse(r, "string contains U+0000");
    *rest = slice_cut(*rest, step, rest->len);
    return buf_append(out, slice_of(bytes, utf8_encode(point, bytes)))
               ? true
               : json_reader_refuse(r, "string is too long");
}

bool json_reader_string(struct json_reader *r, struct buf *out)
{
    struct slice rest;
    bool escaped;
    if (!raw_string(r, &rest, &escaped))
        return false;
    while (rest.len > 0) {
        size_t plain = escaped ? plain_end(rest, 0) : rest.len;
        if (!buf_append(out, slice_cut(rest, 0, plain)))
            return json_reader_refuse(r, "string is too long");
        rest = slice_cut(rest, plain, rest.len);
        if (rest.len > 0 && !append_character(r, &rest, out))
            return false;
    }
    return true;
}

bool json_reader_text(struct json_reader *r, char *out, size_t cap)
{
    struct slice rest;
    bool escaped;
    size_t used = 0;
    if (!raw_string(r, &rest, &escaped))
        return false;
    if (!escaped && rest.len < cap) {
        memcpy(out, rest.data, rest.len);
        used = rest.len;
        rest.len = 0;
    }
    while (rest.len > 0) {
        uint32_t point = 0;
        uint8_t bytes[UTF8_SEQUENCE_MAX];
        size_t step = character(rest, &point);
        size_t len = utf8_encode(point, bytes);
        if (point == 0 || len + 1 > cap - used)
            return json_reader_refuse(r, "string is too long or contains U+0000");
        memcpy(&out[used], bytes, len);
        used += len;
        rest = slice_cut(rest, step, rest.len);
    }
    out[used] = 0;
    return true;
}

static bool is_digit(struct slice s, size_t at)
{
    return at < s.len && s.data[at] >= '0' && s.data[at] <= '9';
}

static size_t digits(struct slice s, size_t at)
{
    size_t count = 0;
    while (is_digit(s, at + count))
        count++;
    return count;
}

/* A number as RFC 8259 writes it. */
static bool raw_number(struct json_reader *r, struct slice *out)
{
    struct slice s = slice_cut(r->text, r->at, r->text.len);
    size_t at = s.len > 0 && s.data[0] == '-' ? 1 : 0;
    size_t whole = digits(s, at);
    if (whole == 0 || (whole > 1 && s.data[at] == '0'))
        return bad_syntax(r, "malformed number");
    at += whole;
    if (at < s.len && s.data[at] == '.') {
        if (!is_digit(s, at + 1))
            return bad_syntax(r, "malformed number");
        at += 1 + digits(s, at + 1);
    }
    if (at < s.len && (s.data[at] | 0x20) == 'e') {
        at += at + 1 < s.len && (s.data[at + 1] == '+' || s.data[at + 1] == '-') ? 2 : 1;
        if (!is_digit(s, at))
            return bad_syntax(r, "malformed number");
        at += digits(s, at);
    }
    *out = slice_cut(s, 0, at);
    r->at += at;
    return true;
}

bool json_reader_uint(struct json_reader *r, uint64_t max, uint64_t *out)
{
    struct slice number;
    uint64_t value = 0;
    uint8_t first = peek(r);
    if (first != '-' && (first < '0' || first > '9'))
        return fail(r, "json/type", "not a number");
    if (!raw_number(r, &number))
        return false;
    for (size_t i = 0; i < number.len; i++) {
        if (!is_digit(number, i))
            return json_reader_refuse(r, "not a whole number of zero or more");
        uint64_t digit = (uint64_t)(number.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10 || value * 10 + digit > max)
            return json_reader_refuse(r, "number is too large");
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static bool literal(struct json_reader *r)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (slice_equal_str(slice_cut(r->text, r->at, strlen(words[i])), words[i])) {
            r->at += strlen(words[i]);
            return true;
        }
    }
    return bad_syntax(r, "a value was expected");
}

/* A whole scalar, or the opening bracket of a container. */
static bool begin_value(struct json_reader *r)
{
    struct slice ignored;
    bool escaped;
    uint8_t c = peek(r);
    if (c == '{')
        return json_reader_object(r);
    if (c == '[')
        return json_reader_array(r);
    if (c == '"')
        return raw_string(r, &ignored, &escaped);
    return c == '-' || (c >= '0' && c <= '9') ? raw_number(r, &ignored) : literal(r);
}

bool json_reader_skip(struct json_reader *r, struct slice *span)
{
    unsigned outside = r->depth;
    peek(r);
    size_t from = r->at;
    bool ok = begin_value(r);
    while (ok && r->depth > outside)
        ok = json_reader_more(r) ? begin_value(r) : r->problem == NULL;
    if (ok && span != NULL)
        *span = slice_cut(r->text, from, r->at - from);
    return ok;
}

bool json_reader_finish(struct json_reader *r)
{
    peek(r);
    if (r->problem != NULL)
        return false;
    return r->at == r->text.len && r->depth == 0 ? true : bad_syntax(r, "text behind the document");
}

static bool read_member(struct json_reader *r, const struct json_field *fields, size_t count,
                        uint8_t *into, uint32_t *seen)
{
    for (size_t i = 0; i < count; i++) {
        if (json_reader_name_is(r, fields[i].name)) {
            *seen |= (uint32_t)1 << i;
            return fields[i].read(r, into + fields[i].offset, fields[i].size);
        }
    }
    return json_reader_skip(r, NULL);
}

bool json_reader_fields(struct json_reader *r, const struct json_field *fields, size_t count,
                        void *into, uint32_t *seen)
{
    uint32_t found = 0;
    if (!json_reader_object(r))
        return false;
    while (json_reader_more(r))
        if (!read_member(r, fields, count, into, &found))
            return false;
    for (size_t i = 0; i < count && r->problem == NULL; i++) {
        if (!fields[i].optional && (found >> i & 1) == 0) {
            r->missing = fields[i].name;
            return fail(r, "json/missing", "is missing");
        }
    }
    if (seen != NULL)
        *seen = found;
    return r->problem == NULL;
}

bool json_field_uint(struct json_reader *r, void *member, size_t size)
{
    uint64_t value;
    if (!json_reader_uint(r, UINT64_MAX >> (64 - 8 * size), &value))
        return false;
    if (size == 1)
        *(uint8_t *)member = (uint8_t)value;
    else if (size == 2)
        *(uint16_t *)member = (uint16_t)value;
    else if (size == 4)
        *(uint32_t *)member = (uint32_t)value;
    else
        *(uint64_t *)member = value;
    return true;
}

enum { FIELD_TEXT_MAX = 256 };

bool json_field_hex(struct json_reader *r, void *member, size_t size)
{
    char text[FIELD_TEXT_MAX];
    if (!json_reader_text(r, text, sizeof text))
        return false;
    return hex_decode(slice_str(text), member, size)
               ? true
               : json_reader_refuse(r, "not the right number of hexadecimal digits");
}

bool json_field_date(struct json_reader *r, void *member, size_t size)
{
    char text[FIELD_TEXT_MAX];
    (void)size;
    if (!json_reader_text(r, text, sizeof text))
        return false;
    return time_parse_utc(slice_str(text), member)
               ? true
               : json_reader_refuse(r, "not a date of the form YYYY-MM-DDThh:mm:ssZ");
}

bool json_field_text(struct json_reader *r, void *member, size_t size)
{
    return json_reader_text(r, member, size);
}

static void append_path(const struct json_reader *r, const char *root, char *out, size_t cap)
{
    size_t used = (size_t)snprintf(out, cap, "%s", root);
    for (unsigned i = 0; i < r->depth && used < cap; i++) {
        const struct json_reader_level *level = &r->levels[i];
        size_t names_to = i + 1 < r->depth ? r->levels[i + 1].names_from : r->name_count;
        int more = 0;
        if (!level->is_object)
            more = snprintf(&out[used], cap - used, "[%zu]", level->index);
        else if (names_to > level->names_from)
            more = snprintf(&out[used], cap - used, ".%.*s", (int)r->names[names_to - 1].len,
                            (const char *)r->names[names_to - 1].data);
        used += more > 0 ? (size_t)more : 0;
    }
    if (r->missing != NULL && used < cap)
        snprintf(&out[used], cap - used, ".%s", r->missing);
}

bool json_reader_error(const struct json_reader *r, const char *code, const char *root,
                       struct error *err)
{
    char path[ERROR_FIELD_MAX];
    append_path(r, root, path, sizeof path);
    return error_set(err, code != NULL ? code : r->code, path, "%s: %s (byte %zu)", path,
                     r->problem, r->at);
}
