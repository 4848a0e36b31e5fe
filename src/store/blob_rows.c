/* Encoding of root and chunk rows. */
#include "store/blob_rows.h"

#include <string.h>

#include "base/hash.h"

void blob_root_encode(const struct blob_root *root, struct buf *out)
{
    buf_append_le(out, root->size, 8);
    buf_append(out, slice_of(root->content_hash, sizeof root->content_hash));
    buf_append_le(out, blob_root_chunks(root), 4);
    buf_append(out, root->links);
    buf_append_le(out, root->refs, 4);
}

bool blob_root_decode(struct slice text, struct blob_root *out)
{
    struct reader r = reader_of(text);
    struct blob_root root = {0};
    uint64_t low = reader_u32le(&r), high = reader_u32le(&r);
    root.size = low | high << 32;
    const uint8_t *hash = reader_bytes(&r, sizeof root.content_hash);
    uint32_t count = reader_u32le(&r);
    if (hash == NULL || count > BLOB_CHUNKS_MAX)
        return false;
    memcpy(root.content_hash, hash, sizeof root.content_hash);
    root.links = reader_take(&r, (size_t)count * CHUNK_ID_LEN);
    root.refs = reader_u32le(&r);
    uint64_t chunks = root.size / BLOB_CHUNK_SIZE + (root.size % BLOB_CHUNK_SIZE != 0);
    if (!reader_at_end(&r) || chunks != count)
        return false;
    *out = root;
    return true;
}

uint64_t blob_root_chunks(const struct blob_root *root)
{
    return root->links.len / CHUNK_ID_LEN;
}

void chunk_row_encode(const struct chunk_row *row, struct buf *out)
{
    buf_append_be(out, row->len, 4);
    buf_append_be(out, row->refs, 4);
}

bool chunk_row_decode(struct slice text, struct chunk_row *out)
{
    struct reader r = reader_of(text);
    struct chunk_row row = {.len = reader_u32be(&r)};
    row.refs = reader_u32be(&r);
    if (!reader_at_end(&r) || row.len == 0 || row.len > BLOB_CHUNK_SIZE || row.refs == 0)
        return false;
    *out = row;
    return true;
}

void blob_root_id(struct slice links, struct blob_id *out)
{
    sha256(links, out->bytes);
}
