/* JSON read in place: one pass, no recursion, nothing allocated, nothing copied that the caller did
 * not ask for. For documents whose exact bytes matter or that are read on a fast path; base/json.h
 * is for the rest. Strict RFC 8259: valid UTF-8, no repeated member names anywhere (escapes
 * undone), depth at most JSON_DEPTH_MAX, one value and nothing behind it. */
#ifndef BASE_JSON_READER_H
#define BASE_JSON_READER_H

#include "base/bytes.h"

enum {
    JSON_READER_DEPTH_MAX = 32,
    JSON_READER_NAMES_MAX = 256, /* member names of all objects that are open at one time */
};

/* One level of nesting: which item is being read. */
struct json_reader_level {
    bool is_object;
    bool has_items;
    bool has_escapes;  /* in a name of this object */
    size_t index;      /* of the current element of an array */
    size_t names_from; /* where the names of this object start in names[] */
};

/* The first failure sticks: what is read after it is empty, and `problem` says what it was. */
struct json_reader {
    struct slice text;
    size_t at;
    unsigned depth;
    struct json_reader_level levels[JSON_READER_DEPTH_MAX];
    struct slice names[JSON_READER_NAMES_MAX]; /* as written, without quotes */
    size_t name_count;
    const char *problem; /* NULL = none so far */
    const char *code;    /* json/syntax, json/depth, json/duplicate, json/type, json/value,
                            json/missing */
    const char *missing; /* name of the member that was not there */
};

void json_reader_open(struct json_reader *r, struct slice text);

/* Enter the object or array that comes next; then json_reader_more() until it says false, which
 * means that the end was passed (or that something failed). After it says true exactly one value
 * must be read. */
bool json_reader_object(struct json_reader *r);
bool json_reader_array(struct json_reader *r);
bool json_reader_more(struct json_reader *r);
/* The name of the member that json_reader_more() came to, escapes undone. */
bool json_reader_name_is(const struct json_reader *r, const char *name);

/* Appends the characters of a string; U+0000 inside is refused. */
bool json_reader_string(struct json_reader *r, struct buf *out);
/* The same into out[cap] with a NUL at the end; json/value when it does not fit. */
bool json_reader_text(struct json_reader *r, char *out, size_t cap);
/* A whole number 0..max, digits only. */
bool json_reader_uint(struct json_reader *r, uint64_t max, uint64_t *out);
/* Steps over any value, checking it; its bytes in *span when that is not NULL. */
bool json_reader_skip(struct json_reader *r, struct slice *span);
/* True when everything was well and nothing but white space is left. */
bool json_reader_finish(struct json_reader *r) MUST_USE;

/* One member that an object may have: `read` puts its value at `offset` of the caller's structure,
 * where `size` bytes are meant for it; false after a failure that it reported. */
struct json_field {
    const char *name;
    bool (*read)(struct json_reader *r, void *member, size_t size);
    size_t offset;
    size_t size;
    bool optional;
};
#define JSON_FIELD(type, member, name, read)                                                       \
    {                                                                                              \
        (name), (read), offsetof(type, member), sizeof(((type *)0)->member), false                 \
    }
#define JSON_FIELD_OPTIONAL(type, member, name, read)                                              \
    {                                                                                              \
        (name), (read), offsetof(type, member), sizeof(((type *)0)->member), true                  \
    }

enum { JSON_FIELDS_MAX = 32 };
/* A whole object: members in any order, unknown ones stepped over, missing ones refused unless
 * optional. Bit i of *seen (may be NULL) says that fields[i] was there. */
bool json_reader_fields(struct json_reader *r, const struct json_field *fields, size_t count,
                        void *into, uint32_t *seen);

/* Readers for the table. */
bool json_field_uint(struct json_reader *r, void *member, size_t size); /* uint8_t .. uint64_t */
bool json_field_hex(struct json_reader *r, void *member, size_t size); /* size bytes, either case */
bool json_field_date(struct json_reader *r, void *member, size_t size); /* int64_t, Unix seconds */
bool json_field_text(struct json_reader *r, void *member, size_t size); /* char[size] */

/* For a value that is well-formed but not what the caller can use. Returns false. */
bool json_reader_refuse(struct json_reader *r, const char *problem);
/* Fills err from the sticky failure: field is `root` and the path to the value
 * ("tcbInfo.tcbLevels[3].tcb.pcesvn"). code NULL = the reader's own. Returns false. */
bool json_reader_error(const struct json_reader *r, const char *code, const char *root,
                       struct error *err);

#endif
