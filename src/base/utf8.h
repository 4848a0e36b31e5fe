/* One step through UTF-8 text (RFC 3629): the only judge of what is well formed. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_SEQUENCE_MAX = 4 };

/* Length of the sequence that starts at text[0]; 0 when len is 0 or the sequence is overlong, a
 * surrogate, above U+10FFFF or cut short. point may be NULL. */
size_t utf8_decode(const uint8_t *text, size_t len, uint32_t *point);

/* Writes the sequence of a scalar value and returns its length; 0 when it is none. */
size_t utf8_encode(uint32_t point, uint8_t out[UTF8_SEQUENCE_MAX]);

#endif
