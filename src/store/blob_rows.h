/* Rows of the blobstore. Source: reference facts F.4 (roots); docs/format.md, "Blobs". */
#ifndef STORE_BLOB_ROWS_H
#define STORE_BLOB_ROWS_H

#include "store/columns.h"

enum { CHUNK_ID_LEN = 32, CHUNK_ROW_LEN = 8 };

/* A root: size (8), content hash (32), number of links (4), chunk ids, references (4), all numbers
 * little-endian - the existing node's BlobMeta. links points into the parsed text. */
struct blob_root {
    uint64_t size;
    uint8_t content_hash[32];
    struct slice links;
    uint32_t refs;
};
void blob_root_encode(const struct blob_root *root, struct buf *out);
bool blob_root_decode(struct slice text, struct blob_root *out) MUST_USE;
uint64_t blob_root_chunks(const struct blob_root *root);

/* A chunk: its length and how often roots link it (4 each, big-endian). */
struct chunk_row {
    uint32_t len, refs;
};
void chunk_row_encode(const struct chunk_row *row, struct buf *out);
bool chunk_row_decode(struct slice text, struct chunk_row *out) MUST_USE;

/* SHA-256 of the chunk ids in order, also for one chunk or none. */
void blob_root_id(struct slice links, struct blob_id *out);

#endif
