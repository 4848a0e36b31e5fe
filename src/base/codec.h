/* Hex, base64 (RFC 4648 standard alphabet, padding required) and base58btc, all strict. */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include "base/bytes.h"

/* out holds 2*len+1 characters; lower case, NUL-terminated. */
void hex_encode(struct slice in, char *out);
bool hex_append(struct buf *out, struct slice in);

/* Exactly out_len bytes from exactly 2*out_len digits of either case; constant time in the value.
 */
bool hex_decode(struct slice text, uint8_t *out, size_t out_len) MUST_USE;
/* Any even number of digits, appended to out (bounded by out->max). */
bool hex_decode_append(struct slice text, struct buf *out) MUST_USE;

bool base64_append(struct buf *out, struct slice in);
/* No white space, canonical padding bits. Appends the decoded bytes. */
bool base64_decode_append(struct slice text, struct buf *out) MUST_USE;
/* Exactly out_len bytes. */
bool base64_decode(struct slice text, uint8_t *out, size_t out_len) MUST_USE;

/* The same for bytes that are no secret: some six times as fast, but the time tells the value. */
bool base64_decode_public(struct slice text, uint8_t *out, size_t out_len) MUST_USE;

/* base58btc; quadratic, so inputs are limited to BASE58_BYTES_MAX bytes. */
enum { BASE58_BYTES_MAX = 128, BASE58_TEXT_MAX = 180 };
bool base58_append(struct buf *out, struct slice in) MUST_USE;
bool base58_decode_append(struct slice text, struct buf *out) MUST_USE;
bool base58_is_alphabet(struct slice text) MUST_USE;

#endif
