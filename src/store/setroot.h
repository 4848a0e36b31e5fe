/* The state root: a keyed hash of the set of all records, kept by addition and subtraction, so that
 * a commit costs O(changes). A record counts with its key on disk and its tag, which binds its
 * content. The sum never leaves the store unsealed (see docs/format.md, "State root": whoever saw
 * sums could solve for other sets). */
#ifndef STORE_SETROOT_H
#define STORE_SETROOT_H

#include "store/keys.h"

struct set_root {
    uint64_t lanes[4]; /* each modulo 2^64 */
};

struct set_hasher; /* one thread at a time */
bool set_hasher_open(struct set_hasher **out, const struct name_keys *keys,
                     struct error *err) MUST_USE;
void set_hasher_free(struct set_hasher **h);
#define SET_HASHER_AUTO __attribute__((cleanup(set_hasher_free)))

/* place: the key on disk. sealed: a whole stored record, whose last AEAD_TAG_LEN bytes are its tag
 * (at least as long). */
void set_root_add(struct set_hasher *h, struct set_root *root, struct slice place,
                  struct slice sealed);
void set_root_remove(struct set_hasher *h, struct set_root *root, struct slice place,
                     struct slice sealed);
void set_root_encode(const struct set_root *root, uint8_t out[STATE_ROOT_LEN]);
void set_root_decode(const uint8_t in[STATE_ROOT_LEN], struct set_root *out);
bool set_root_equal(const struct set_root *a, const struct set_root *b);

#endif
