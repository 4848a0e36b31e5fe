/* JSON from outside: bounded in size and depth before jansson sees it, duplicate keys refused,
 * fields read with errors that name them. Code of every failure here: "json/syntax", "json/depth",
 * "json/size", "json/missing", "json/type", "json/value". */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/bytes.h"

enum { JSON_DEPTH_MAX = 32 };

#define JSON_AUTO __attribute__((cleanup(json_release)))
void json_release(json_t **value);

/* Linear scan: nesting (outside strings) at most JSON_DEPTH_MAX. */
bool json_depth_ok(struct slice text) MUST_USE;
/* One whole document and nothing behind it. len_max bounds text.len. On success *out is a new
 * reference. flags: extra jansson decoding flags. */
bool json_parse(struct slice text, size_t len_max, size_t flags, json_t **out,
                struct error *err) MUST_USE;
/* The exact bytes of member `name`'s value inside the object `text` (for signatures over source
 * bytes): a string-aware scan of the top level. False when absent. */
bool json_member_span(struct slice text, const char *name, struct slice *out) MUST_USE;

/* Members of an object. `get` fails json/missing when absent; `opt` leaves *out untouched when
 * absent or null. The returned string slice lives as long as the object. */
bool json_get_str(const json_t *obj, const char *name, struct slice *out,
                  struct error *err) MUST_USE;
bool json_opt_str(const json_t *obj, const char *name, struct slice *out,
                  struct error *err) MUST_USE;
bool json_get_int(const json_t *obj, const char *name, int64_t min, int64_t max, int64_t *out,
                  struct error *err) MUST_USE;
bool json_get_object(const json_t *obj, const char *name, json_t **borrowed,
                     struct error *err) MUST_USE;
bool json_get_array(const json_t *obj, const char *name, json_t **borrowed,
                    struct error *err) MUST_USE;
bool json_opt_bool(const json_t *obj, const char *name, bool *out, struct error *err) MUST_USE;

/* Compact, members in insertion order, appended to out. */
bool json_write_compact(const json_t *value, struct buf *out, struct error *err) MUST_USE;
/* A JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
bool json_append_string(struct buf *out, struct slice text);
/* Two-space indented, members in insertion order, newline at the end. */
bool json_write_pretty(const json_t *value, struct buf *out, struct error *err) MUST_USE;

#endif
