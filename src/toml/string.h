/* The four string forms of TOML. Private to this room. */
#ifndef TOML_STRING_H
#define TOML_STRING_H

#include "toml/scan.h"

/* Reads the string at the cursor (which looks at a quote) and appends its value to out. One-line
 * forms only when multi_line is false: keys. */
bool string_read(struct scanner *s, bool multi_line, struct buf *out) MUST_USE;

#endif
