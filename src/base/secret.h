/* Secret memory: guarded, locked, kept out of core files, wiped on free (libsodium's allocator). */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/bytes.h"

/* Owned; NULL data when empty. */
struct secret {
    uint8_t *data;
    size_t len;
};

#define SECRET_AUTO __attribute__((cleanup(secret_free)))

/* Once, first in main: libsodium, umask 077, no core files, not dumpable. Fails only when libsodium
 * cannot start. */
bool secret_process_init(struct error *err) MUST_USE;

bool secret_alloc(struct secret *out, size_t len, struct error *err) MUST_USE;
bool secret_copy(struct secret *out, struct slice bytes, struct error *err) MUST_USE;
struct slice secret_slice(const struct secret *s);
void secret_free(struct secret *s);

void secret_wipe(void *data, size_t len);
void random_bytes(void *out,
                  size_t len); /* aborts the process when the kernel has no randomness to give */

#endif
