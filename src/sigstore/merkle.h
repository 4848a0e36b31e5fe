/* Inclusion in a Merkle tree. Spec: RFC 6962 2.1; Sigstore facts 6. */
#ifndef SIGSTORE_MERKLE_H
#define SIGSTORE_MERKLE_H

#include "base/hash.h"

/* The hash of a leaf. */
void merkle_leaf(struct slice leaf, uint8_t out[SHA256_LEN]);

/* True when the path of `count` hashes leads from leaf `index` of a tree with `size` leaves to the
 * root. Every hash has SHA256_LEN bytes; none is left over. */
bool merkle_includes(const uint8_t leaf_hash[SHA256_LEN], uint64_t index, uint64_t size,
                     const struct slice *path, size_t count,
                     const uint8_t root[SHA256_LEN]) MUST_USE;

#endif
