/* What the operator's functions share: changing a superblock under a running store, reporting
 * progress. */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include "store/admin.h"
#include "store/chunk_file.h"

void progress_tick(const struct store_progress *p, const char *what, uint64_t done, uint64_t total);

/* Writes s's superblock anew with this ring under this key, one generation on, and commits the
 * generation. write_lock must not be held. */
bool change_superblock(struct store *s, const struct key_ring *ring, struct slice kms_key,
                       struct error *err) MUST_USE;
/* The same, and what is written from now on is sealed under the ring's last key. Keys that are not
 * in the ring any more are forgotten. */
bool change_ring(struct store *s, const struct key_ring *ring, struct slice kms_key,
                 struct error *err) MUST_USE;
/* "store/plaintext" or "store/wrong-key" unless kms_key is the one that the store's superblock is
 * wrapped under. */
bool change_check_key(struct store *s, struct slice kms_key, struct error *err) MUST_USE;

#endif
