/* Whole files: bounded reads, atomic durable writes, directories. Paths are NUL-terminated; errors
 * carry the path as field and "file/<errno name>"-like codes: file/missing, file/denied,
 * file/too-large, file/full, file/io. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>

#include "base/bytes.h"

enum { PATH_TEXT_MAX = 4096 };

/* Appends the file's bytes to out; more than out->max is file/too-large. Follows symlinks. */
bool file_read(const char *path, struct buf *out, struct error *err) MUST_USE;
/* Reads an open descriptor to its end (stdin, a pipe). */
bool file_read_fd(int fd, const char *name, struct buf *out, struct error *err) MUST_USE;
/* Temporary file in the same directory, fsync, rename, fsync of the directory: old or new, never
 * half. */
bool file_write_atomic(const char *path, struct slice bytes, mode_t mode,
                       struct error *err) MUST_USE;
bool file_sync_dir(const char *path, struct error *err) MUST_USE;
/* mkdir -p; every directory that it makes gets `mode`. */
bool file_make_dirs(const char *path, mode_t mode, struct error *err) MUST_USE;
bool file_exists(const char *path);
bool file_is_dir(const char *path);
/* Removes a tree without following symlinks; a missing tree is success. Depth <= 64. */
bool file_remove_tree(const char *path, struct error *err) MUST_USE;
/* "dir/name" into out[PATH_TEXT_MAX]; an absolute name stands alone. False (file/path) when too
 * long. */
bool path_join(const char *dir, const char *name, char out[PATH_TEXT_MAX],
               struct error *err) MUST_USE;
bool path_dirname(const char *path, char out[PATH_TEXT_MAX], struct error *err) MUST_USE;
/* write(2) until done; EINTR handled. */
bool fd_write_all(int fd, struct slice bytes, struct error *err) MUST_USE;

#endif
