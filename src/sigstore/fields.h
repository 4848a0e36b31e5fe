/* Members of Sigstore's JSON documents: texts, base64, and the two ways of writing an int64.
 * Failures carry the code that the caller names. Spec: Sigstore facts 1.3, 3. */
#ifndef SIGSTORE_FIELDS_H
#define SIGSTORE_FIELDS_H

#include "base/json.h"

/* Where decoded bytes are kept: reserved once, so that slices into it stay good. */
bool fields_reserve(struct buf *arena, size_t len, struct error *err) MUST_USE;

/* What is read next belongs to this document. */
struct fields {
    const char *code;  /* of every failure */
    struct buf *arena; /* of every decoded value */
};

/* The whole document, an object; the caller releases it. */
bool fields_open(const struct fields *f, struct slice text, size_t len_max, json_t **out,
                 struct error *err) MUST_USE;
bool fields_object(const struct fields *f, const json_t *obj, const char *name, json_t **out,
                   struct error *err) MUST_USE;
/* Absent, null and [] are an empty list: *out is NULL then. */
bool fields_list(const struct fields *f, const json_t *obj, const char *name, size_t count_max,
                 json_t **out, struct error *err) MUST_USE;
bool fields_text(const struct fields *f, const json_t *obj, const char *name, struct slice *out,
                 struct error *err) MUST_USE;
/* Strict base64 (RFC 4648, padded, canonical), at most len_max bytes decoded. The required one must
 * be there but may be empty; the optional one is empty when absent. */
bool fields_base64(const struct fields *f, const json_t *obj, const char *name, size_t len_max,
                   struct slice *out, struct error *err) MUST_USE;
bool fields_opt_base64(const struct fields *f, const json_t *obj, const char *name, size_t len_max,
                       struct slice *out, struct error *err) MUST_USE;
/* Decodes text that came from elsewhere; `name` is for the error. */
bool fields_decode(const struct fields *f, struct slice text, const char *name, size_t len_max,
                   struct slice *out, struct error *err) MUST_USE;
/* A JSON integer. */
bool fields_int(const struct fields *f, const json_t *obj, const char *name, int64_t *out,
                struct error *err) MUST_USE;
/* A protobuf int64: integer, decimal text, or absent for 0. */
bool fields_proto_int(const struct fields *f, const json_t *obj, const char *name, int64_t *out,
                      struct error *err) MUST_USE;

/* Without ASCII white space at both ends. */
struct slice fields_trim(struct slice text);

#endif
