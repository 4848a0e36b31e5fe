/* One merod per node directory: an advisory lock on the directory itself, so no file is left
 * behind and a dead process never holds it. */
#ifndef NODE_DIR_LOCK_H
#define NODE_DIR_LOCK_H

#include "base/error.h"

/* *fd: keep it open as long as the node runs; dir_lock_release() gives the directory back.
 * Codes: store/locked (another merod runs here), file/... */
bool dir_lock_take(const char *dir, int *fd, struct error *err) MUST_USE;
void dir_lock_release(int *fd); /* -1 is fine */
#define DIR_LOCK_AUTO __attribute__((cleanup(dir_lock_release)))

#endif
