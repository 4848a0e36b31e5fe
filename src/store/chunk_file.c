/* Reading chunk files. */
#include "store/chunk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool chunk_file_damaged(const char *name, const char *what, struct error *err)
{
    return error_set(err, "store/damaged", name,
                     "chunk file %s %s; delete the blob and upload it again, or restore the last "
                     "good backup",
                     name, what);
}

static bool read_at(const struct chunk_file *f, uint8_t *out, size_t len, uint64_t at,
                    struct error *err)
{
    while (len > 0) {
        ssize_t n = pread(f->fd, out, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return blob_io_failed("read", f->name, err);
        if (n == 0)
            return chunk_file_damaged(f->name, "ends too early", err);
        out = &out[n];
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return true;
}

static bool read_header(const struct chunk_file *f, uint32_t len, struct chunk_header *out,
                        struct error *err)
{
    uint8_t text[CHUNK_HEADER_LEN];
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return blob_io_failed("look at", f->name, err);
    if (!read_at(f, text, sizeof text, 0, err))
        return false;
    if (!chunk_header_decode(slice_of(text, sizeof text), out))
        return chunk_file_damaged(f->name, "has a malformed header", err);
    if (out->len != len || (uint64_t)st.st_size != chunk_file_len(out))
        return chunk_file_damaged(f->name, "has the wrong length", err);
    return true;
}

bool chunk_file_open(struct store *s, const uint8_t *chunk_id, uint32_t len, struct chunk_file *out,
                     bool *missing, struct error *err)
{
    struct chunk_header header;
    DATA_KEY_AUTO struct data_key dek = {0};
    *out = (struct chunk_file){.fd = -1};
    chunk_file_name(s, chunk_id, out->name);
    out->fd = openat(s->blob_fd, out->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *missing = out->fd < 0 && errno == ENOENT;
    if (out->fd < 0)
        return *missing ? false : blob_io_failed("open", out->name, err);
    bool ok = read_header(out, len, &header, err);
    if (ok && (header.epoch == 0 || !engine_data_key(s, header.epoch, &dek)))
        ok = chunk_file_damaged(out->name, "was sealed under a data key that is gone", err);
    ok = ok && chunk_cipher_open(&out->cipher, &s->id, s->suite, &dek, &header, chunk_id, err);
    if (!ok)
        chunk_file_close(out);
    return ok;
}

void chunk_file_close(struct chunk_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    chunk_cipher_close(&f->cipher);
}

/* All of a segment into out, unauthenticated as yet; the tag ends up in *tag. */
static bool read_pieces(struct chunk_file *f, const struct chunk_segment *s, uint8_t *piece,
                        uint8_t *out, const uint8_t **tag, struct error *err)
{
    for (uint32_t done = 0;;) {
        uint32_t left = s->len - done, len = left < CHUNK_PIECE ? left : CHUNK_PIECE;
        bool last = len == left;
        if (!read_at(f, piece, len + (last ? AEAD_TAG_LEN : 0U), s->file_at + done, err) ||
            !sealer_unseal_add(f->cipher.sealer, slice_of(piece, len), &out[done], err))
            return false;
        done += len;
        if (last) {
            *tag = &piece[len];
            return true;
        }
    }
}

bool chunk_file_read(struct chunk_file *f, uint32_t index, uint8_t *piece, uint8_t *out,
                     struct error *err)
{
    struct chunk_segment s = chunk_segment_at(&f->cipher.header, index);
    const uint8_t *tag = NULL;
    struct error why = {0};
    bool ok =
        chunk_unseal_begin(&f->cipher, index, err) && read_pieces(f, &s, piece, out, &tag, err);
    if (ok && !sealer_unseal_end(f->cipher.sealer, tag, &why))
        ok = chunk_file_damaged(f->name, "does not pass its authentication", err);
    if (!ok)
        secret_wipe(out, s.len);
    return ok;
}

static bool read_segments(struct chunk_file *f, uint8_t *out, struct error *err)
{
    uint8_t *piece = malloc(CHUNK_PIECE_ROOM);
    bool ok = piece != NULL || error_set(err, "memory", NULL, "out of memory");
    for (uint32_t i = 0; ok && i < chunk_segments(&f->cipher.header); i++)
        ok = chunk_file_read(f, i, piece, &out[chunk_segment_at(&f->cipher.header, i).at], err);
    free(piece);
    return ok;
}

bool chunk_read_whole(struct store *s, const uint8_t *chunk_id, uint32_t len, uint8_t *out,
                      uint32_t *epoch, struct error *err)
{
    struct chunk_file f;
    bool missing;
    if (!chunk_file_open(s, chunk_id, len, &f, &missing, err))
        return missing ? chunk_file_damaged(f.name, "is missing", err) : false;
    *epoch = f.cipher.header.epoch;
    bool ok = read_segments(&f, out, err);
    chunk_file_close(&f);
    return ok;
}
