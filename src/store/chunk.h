/* Chunk files: a header and the chunk in sealed segments, each bound to the chunk's id, its place
 * and whether it is the last one. Source: docs/format.md, "Chunk files". */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include "store/keys.h"

enum {
    CHUNK_HEADER_LEN = 48,
    CHUNK_SEGMENTS_MAX = 1 << (20 - BLOB_SEGMENT_LOG2_MIN), /* of a whole chunk */
};

struct chunk_header {
    uint8_t segment_log2;
    uint32_t epoch;
    uint32_t len; /* of the plaintext */
    uint8_t salt[STORE_SALT_LEN];
};
void chunk_header_encode(const struct chunk_header *h, uint8_t out[CHUNK_HEADER_LEN]);
bool chunk_header_decode(struct slice text, struct chunk_header *out) MUST_USE;
uint32_t chunk_segments(const struct chunk_header *h);
uint64_t chunk_file_len(const struct chunk_header *h);

/* One chunk being sealed or opened. */
struct chunk_cipher {
    struct chunk_header header;
    struct sealer *sealer;
    uint8_t aad[2 + STORE_ID_LEN + CHUNK_HEADER_LEN + 32];
};
/* dek: the data key of the header's epoch. */
bool chunk_cipher_open(struct chunk_cipher *c, const struct store_id *store, enum store_suite suite,
                       const struct data_key *dek, const struct chunk_header *header,
                       const uint8_t chunk_id[32], struct error *err) MUST_USE;
void chunk_cipher_close(struct chunk_cipher *c);

/* Where segment `index` lies: in the plaintext and in the file (body, then tag). */
struct chunk_segment {
    uint32_t at, len;
    uint64_t file_at;
};
struct chunk_segment chunk_segment_at(const struct chunk_header *h, uint32_t index);

/* Seals the whole chunk in place and writes header and segments to fd at its current offset. */
bool chunk_write(int fd, struct chunk_cipher *c, uint8_t *plain, struct error *err) MUST_USE;
/* Opening a segment piece by piece, see aead_unseal_begin(). */
bool chunk_unseal_begin(struct chunk_cipher *c, uint32_t index, struct error *err) MUST_USE;

#endif
