/* The superblock: the only place where keys are kept, wrapped under the KMS key. Two files of the
 * data directory hold the same bytes. Source: docs/format.md, "Superblock". */
#ifndef STORE_SUPERBLOCK_H
#define STORE_SUPERBLOCK_H

#include "store/keys.h"

enum { STORE_FORMAT_VERSION = 1, SUPERBLOCK_LEN_MAX = 4096, SUPERBLOCK_COPIES = 2 };

extern const char *const superblock_names[SUPERBLOCK_COPIES];

struct superblock {
    struct store_id id;
    enum store_suite suite;
    uint8_t segment_log2; /* of new chunk files */
    uint64_t generation;  /* counts the times that it was written */
    int64_t created_s;
    struct key_ring ring;
};

/* Appends one copy to out. kms_key is empty for SUITE_NONE. */
bool superblock_encode(const struct superblock *sb, struct slice kms_key, struct buf *out,
                       struct error *err) MUST_USE;

/* What can be said about a copy, from worst to best. */
enum superblock_state {
    SUPERBLOCK_MISSING,
    SUPERBLOCK_DAMAGED,   /* checksum, shape or tag */
    SUPERBLOCK_TOO_NEW,   /* intact, a later format */
    SUPERBLOCK_PLAINTEXT, /* intact, suite none, and a key was given */
    SUPERBLOCK_ENCRYPTED, /* intact, sealed, and no key was given */
    SUPERBLOCK_WRONG_KEY, /* intact, another key */
    SUPERBLOCK_OK
};
/* Fills *out only for SUPERBLOCK_OK. Never allocates. */
enum superblock_state superblock_decode(struct slice bytes, struct slice kms_key,
                                        struct superblock *out);

/* The newer readable copy. *repair: the copies differ or one is unreadable. Codes:
 * store/damaged, store/too-new, store/wrong-key, store/plaintext, store/encrypted, file/... */
bool superblock_load(const char *dir, struct slice kms_key, struct superblock *out, bool *repair,
                     struct error *err) MUST_USE;
/* Writes both copies, one after the other, each atomically and durably. */
bool superblock_save(const char *dir, const struct superblock *sb, struct slice kms_key,
                     struct error *err) MUST_USE;

#endif
