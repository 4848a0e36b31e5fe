/* From when until when a key counts: `validFor`, a closed interval. Spec: Sigstore facts 13. */
#ifndef SIGSTORE_WINDOW_H
#define SIGSTORE_WINDOW_H

#include "sigstore/fields.h"

struct sigstore_window {
    int64_t start_ms; /* Unix milliseconds */
    int64_t end_ms;   /* INT64_MAX while it is open */
};

/* RFC 3339 with an optional fraction, 'Z' or an offset. */
bool sigstore_time_parse(struct slice text, int64_t *out_unix_ms) MUST_USE;
/* Member `validFor` of obj; it must have a start. */
bool sigstore_window_read(const struct fields *f, const json_t *obj, struct sigstore_window *out,
                          struct error *err) MUST_USE;
bool sigstore_window_has(const struct sigstore_window *window, int64_t unix_ms) MUST_USE;

#endif
