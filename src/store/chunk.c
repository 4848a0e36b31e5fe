/* STREAM-like sealing of chunk files: nonce = zeros (7), segment number (4), last (1). The key is
 * this file's own, so numbers can start at 0 in each. */
#include "store/chunk.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static const char magic[] = "MRB1";
enum { MAGIC_LEN = 4, AAD_VERSION = 1 };

void chunk_header_encode(const struct chunk_header *h, uint8_t out[CHUNK_HEADER_LEN])
{
    uint8_t text[CHUNK_HEADER_LEN + 1];
    struct buf b = BUF_FIXED(text);
    buf_append(&b, slice_of(magic, MAGIC_LEN));
    buf_append_byte(&b, h->segment_log2);
    buf_append_be(&b, 0, 3);
    buf_append_be(&b, h->epoch, 4);
    buf_append_be(&b, h->len, 4);
    buf_append(&b, slice_of(h->salt, sizeof h->salt));
    memcpy(out, text, CHUNK_HEADER_LEN);
}

bool chunk_header_decode(struct slice text, struct chunk_header *out)
{
    struct reader r = reader_of(text);
    struct chunk_header h = {0};
    struct slice name = reader_take(&r, MAGIC_LEN);
    h.segment_log2 = reader_u8(&r);
    bool zero = slice_is_zero(reader_take(&r, 3));
    h.epoch = reader_u32be(&r);
    h.len = reader_u32be(&r);
    const uint8_t *salt = reader_bytes(&r, sizeof h.salt);
    if (salt == NULL || !reader_at_end(&r) || !zero || !slice_equal(name, slice_of(magic, 4)) ||
        h.segment_log2 < BLOB_SEGMENT_LOG2_MIN || h.segment_log2 > BLOB_SEGMENT_LOG2_MAX ||
        h.len == 0 || h.len > BLOB_CHUNK_SIZE)
        return false;
    memcpy(h.salt, salt, sizeof h.salt);
    *out = h;
    return true;
}

uint32_t chunk_segments(const struct chunk_header *h)
{
    uint32_t size = 1U << h->segment_log2;
    return (h->len + size - 1) / size;
}

uint64_t chunk_file_len(const struct chunk_header *h)
{
    return (uint64_t)CHUNK_HEADER_LEN + h->len + (uint64_t)chunk_segments(h) * AEAD_TAG_LEN;
}

struct chunk_segment chunk_segment_at(const struct chunk_header *h, uint32_t index)
{
    uint32_t size = 1U << h->segment_log2, at = index << h->segment_log2;
    uint32_t left = h->len - at;
    return (struct chunk_segment){at, left < size ? left : size,
                                  (uint64_t)CHUNK_HEADER_LEN + at + (uint64_t)index * AEAD_TAG_LEN};
}

struct file_key {
    uint8_t bytes[STORE_KEY_LEN];
};
static void file_key_wipe(struct file_key *k)
{
    secret_wipe(k, sizeof *k);
}

bool chunk_cipher_open(struct chunk_cipher *c, const struct store_id *store, enum store_suite suite,
                       const struct data_key *dek, const struct chunk_header *header,
                       const uint8_t chunk_id[32], struct error *err)
{
    __attribute__((cleanup(file_key_wipe))) struct file_key key;
    if (!chunk_key_derive(store, dek, header->salt, chunk_id, key.bytes, err) ||
        !sealer_open(&c->sealer, suite, key.bytes, err))
        return false;
    c->header = *header;
    c->aad[0] = AAD_VERSION;
    c->aad[1] = 'b';
    memcpy(&c->aad[2], store->bytes, STORE_ID_LEN);
    chunk_header_encode(header, &c->aad[2 + STORE_ID_LEN]);
    memcpy(&c->aad[2 + STORE_ID_LEN + CHUNK_HEADER_LEN], chunk_id, 32);
    return true;
}

void chunk_cipher_close(struct chunk_cipher *c)
{
    sealer_free(&c->sealer);
}

static void segment_nonce(const struct chunk_cipher *c, uint32_t index, uint8_t out[AEAD_NONCE_LEN])
{
    uint8_t tail[8];
    bool last = index + 1 == chunk_segments(&c->header);
    store_u64be(tail, (uint64_t)index << 8 | (last ? 1 : 0));
    memset(out, 0, AEAD_NONCE_LEN);
    memcpy(&out[AEAD_NONCE_LEN - 5], &tail[3], 5);
}

/* Skips what writev() wrote; true when something is left. */
static bool advance(struct iovec **parts, size_t *count, size_t written)
{
    while (*count > 0 && written >= (*parts)->iov_len) {
        written -= (*parts)->iov_len;
        *parts = &(*parts)[1];
        (*count)--;
    }
    if (*count == 0)
        return false;
    (*parts)->iov_base = &((uint8_t *)(*parts)->iov_base)[written];
    (*parts)->iov_len -= written;
    return true;
}

static bool write_parts(int fd, struct iovec *parts, size_t count, struct error *err)
{
    size_t written = 0;
    while (advance(&parts, &count, written)) {
        ssize_t n = writev(fd, parts, (int)count); /* at most 513, IOV_MAX is 1024 */
        if (n < 0 && errno != EINTR)
            return error_set(err, errno == ENOSPC || errno == EDQUOT ? "store/full" : "store/io",
                             "blob", "cannot write a chunk file: %s", strerror(errno));
        written = n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool chunk_write(int fd, struct chunk_cipher *c, uint8_t *plain, struct error *err)
{
    uint8_t header[CHUNK_HEADER_LEN];
    uint8_t tags[CHUNK_SEGMENTS_MAX][AEAD_TAG_LEN];
    struct iovec parts[1 + 2 * CHUNK_SEGMENTS_MAX];
    uint32_t count = chunk_segments(&c->header);
    chunk_header_encode(&c->header, header);
    parts[0] = (struct iovec){header, sizeof header};
    for (uint32_t i = 0; i < count; i++) {
        struct chunk_segment s = chunk_segment_at(&c->header, i);
        uint8_t nonce[AEAD_NONCE_LEN];
        segment_nonce(c, i, nonce);
        if (!sealer_seal(c->sealer, nonce, slice_of(c->aad, sizeof c->aad),
                         slice_of(&plain[s.at], s.len), &plain[s.at], tags[i], err))
            return false;
        parts[1 + 2 * i] = (struct iovec){&plain[s.at], s.len};
        parts[2 + 2 * i] = (struct iovec){tags[i], AEAD_TAG_LEN};
    }
    return write_parts(fd, parts, 1 + 2 * (size_t)count, err);
}

bool chunk_unseal_begin(struct chunk_cipher *c, uint32_t index, struct error *err)
{
    uint8_t nonce[AEAD_NONCE_LEN];
    segment_nonce(c, index, nonce);
    return sealer_unseal_begin(c->sealer, nonce, slice_of(c->aad, sizeof c->aad), err);
}
