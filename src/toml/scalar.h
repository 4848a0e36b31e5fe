/* Scalars of TOML that are not strings: booleans, integers, floats, dates and times. Private to
 * this room. */
#ifndef TOML_SCALAR_H
#define TOML_SCALAR_H

#include "toml/tree.h"

enum { SCALAR_TEXT_MAX = 40 }; /* longest normalised date-time, with its NUL */

struct scalar {
    enum toml_kind kind;
    int64_t integer;
    double number;
    bool truth;
    char text[SCALAR_TEXT_MAX]; /* dates and times, normalised */
};

/* NULL when `token` is exactly one scalar; else why not, for a human. */
const char *scalar_read(struct slice token, struct scalar *out);
/* True for "2026-08-27": what a blank and a time may follow. */
bool scalar_is_date(struct slice token);

#endif
