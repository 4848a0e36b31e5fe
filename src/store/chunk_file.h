/* One chunk file of an open store, opened for reading by segments. */
#ifndef STORE_CHUNK_FILE_H
#define STORE_CHUNK_FILE_H

#include "store/blobs.h"

/* Small enough to stay in the cache between reading and opening. */
enum { CHUNK_PIECE = 65536, CHUNK_PIECE_ROOM = CHUNK_PIECE + AEAD_TAG_LEN };

struct chunk_file {
    int fd; /* -1 when closed */
    char name[CHUNK_NAME_MAX];
    struct chunk_cipher cipher;
};

/* *missing: there is no such file (then false, without an error). len: of the plaintext. */
bool chunk_file_open(struct store *s, const uint8_t *chunk_id, uint32_t len, struct chunk_file *out,
                     bool *missing, struct error *err) MUST_USE;
void chunk_file_close(struct chunk_file *f);
/* Opens one segment into out, which has room for all of it and is wiped when it is not genuine.
 * piece: CHUNK_PIECE_ROOM bytes to work in. */
bool chunk_file_read(struct chunk_file *f, uint32_t index, uint8_t *piece, uint8_t *out,
                     struct error *err) MUST_USE;
/* All of a chunk into out (BLOB_CHUNK_SIZE bytes); *epoch: of the data key that sealed it. A
 * missing file is "store/damaged". */
bool chunk_read_whole(struct store *s, const uint8_t *chunk_id, uint32_t len, uint8_t *out,
                      uint32_t *epoch, struct error *err) MUST_USE;
bool chunk_file_damaged(const char *name, const char *what, struct error *err);

#endif
