/* Walking from a leaf to the root. */
#include "sigstore/merkle.h"

#include <string.h>

enum { LEAF_PREFIX = 0x00, NODE_PREFIX = 0x01 };

void merkle_leaf(struct slice leaf, uint8_t out[SHA256_LEN])
{
    static const uint8_t prefix = LEAF_PREFIX;
    const struct slice parts[] = {slice_of(&prefix, 1), leaf};
    sha256_parts(parts, 2, out);
}

/* hash becomes the parent of itself and its sibling. */
static void to_parent(uint8_t hash[SHA256_LEN], struct slice sibling, bool sibling_is_left)
{
    static const uint8_t prefix = NODE_PREFIX;
    struct slice own = slice_of(hash, SHA256_LEN);
    const struct slice parts[] = {slice_of(&prefix, 1), sibling_is_left ? sibling : own,
                                  sibling_is_left ? own : sibling};
    sha256_parts(parts, 3, hash);
}

static unsigned bit_length(uint64_t v)
{
    unsigned bits = 0;
    for (; v != 0; v >>= 1)
        bits++;
    return bits;
}

static unsigned ones(uint64_t v)
{
    unsigned count = 0;
    for (; v != 0; v &= v - 1)
        count++;
    return count;
}

bool merkle_includes(const uint8_t leaf_hash[SHA256_LEN], uint64_t index, uint64_t size,
                     const struct slice *path, size_t count, const uint8_t root[SHA256_LEN])
{
    if (index >= size || size > INT64_MAX)
        return false;
    /* Up to where the paths of this leaf and of the last one join, siblings are on either side;
     * above, only where this path turns right. */
    unsigned inner = bit_length(index ^ (size - 1));
    unsigned border = ones(index >> inner);
    if (count != inner + border)
        return false;
    uint8_t hash[SHA256_LEN];
    memcpy(hash, leaf_hash, SHA256_LEN);
    for (size_t i = 0; i < count; i++) {
        if (path[i].len != SHA256_LEN)
            return false;
        to_parent(hash, path[i], i >= inner || ((index >> i) & 1) != 0);
    }
    return memcmp(hash, root, SHA256_LEN) == 0;
}
