/* Digests, HMAC and HKDF through OpenSSL, in one call each. All lengths in bytes. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

enum { SHA256_LEN = 32, SHA384_LEN = 48 };

void sha256(struct slice in, uint8_t out[SHA256_LEN]);
/* Over the concatenation of count slices, without copying. */
void sha256_parts(const struct slice *parts, size_t count, uint8_t out[SHA256_LEN]);
/* A long input piece by piece. sha256_finish writes the digest, empties the stream and starts the
 * next one; free it with sha256_free. */
struct sha256_stream;
bool sha256_begin(struct sha256_stream **out, struct error *err) MUST_USE;
void sha256_add(struct sha256_stream *h, struct slice piece);
void sha256_finish(struct sha256_stream *h, uint8_t out[SHA256_LEN]);
void sha256_free(struct sha256_stream **h);

void sha384(struct slice in, uint8_t out[SHA384_LEN]);
void sha384_parts(const struct slice *parts, size_t count, uint8_t out[SHA384_LEN]);
void hmac_sha256(struct slice key, const struct slice *parts, size_t count,
                 uint8_t out[SHA256_LEN]);
/* RFC 5869, SHA-256; out_len <= 8160. Fails only on an OpenSSL error. */
bool hkdf_sha256(struct slice salt, struct slice ikm, struct slice info, uint8_t *out,
                 size_t out_len, struct error *err) MUST_USE;

#endif
