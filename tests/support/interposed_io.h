/* System calls between the store (LMDB included) and the kernel: recorded, to play a power cut, or
 * made to fail one at a time. The definitions below take the place of libc's in a program that
 * includes this header - exactly one file per program may. Only files below io.root are looked at.
 *
 * A power cut: every change since the last sync of its file or directory may be missing, in any
 * combination; everything before it is there. Creating, renaming and removing are changes of the
 * directory. A file opened with O_SYNC or O_DSYNC is synced by each write. */
#ifndef SUPPORT_INTERPOSED_IO_H
#define SUPPORT_INTERPOSED_IO_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IO_NOT_HERE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IO_NOT_HERE 1
#endif
#endif

#ifdef IO_NOT_HERE
enum { IO_IS_HERE = 0 }; /* a sanitizer has system calls of its own */
#else
enum { IO_IS_HERE = 1 };
#endif

enum io_kind {
    IO_WRITE,
    IO_TRUNCATE,
    IO_CREATE,
    IO_MKDIR,
    IO_RENAME,
    IO_UNLINK,
    IO_SYNC, /* of the file or directory `path` */
    IO_NOTE  /* what the test was told: everything acknowledged so far */
};

struct io_op {
    enum io_kind kind;
    char path[200], to[200]; /* below root */
    off_t at;
    size_t len;
    uint8_t *data;
    bool durable; /* a later sync covers it */
    unsigned note;
};

enum { IO_OPS_MAX = 40000, IO_FDS_MAX = 256 };

static struct {
    char root[PATH_TEXT_MAX];
    bool recording;
    struct io_op *ops;
    size_t count;
    struct {
        char path[200];
        bool sync;
    } fds[IO_FDS_MAX];
    /* Failing: the n-th call from now on, counted from 1; 0 = none. */
    bool counting;
    unsigned long calls, fail_at;
    int fail_errno;
    bool failed;
} io;

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name)
/* By assembler name: a header may have made `pwrite` another name for `pwrite64`. */
#define INTERPOSED(type, name, args)                                                               \
    __attribute__((visibility("default"))) type interposed_##name args __asm__(#name);             \
    type interposed_##name args

/* Path below root, or NULL when it is none of ours. */
static inline const char *io_below(const char *path)
{
    size_t len = strlen(io.root);
    if (len == 0 || strncmp(path, io.root, len) != 0 || path[len] != '/')
        return NULL;
    return &path[len + 1];
}

static inline bool io_resolve(int dirfd, const char *name, char out[200])
{
    const char *below = name[0] == '/' ? io_below(name) : NULL;
    if (below != NULL)
        return snprintf(out, 200, "%s", below) > 0;
    if (name[0] == '/' || dirfd < 0 || dirfd >= IO_FDS_MAX || io.fds[dirfd].path[0] == 0)
        return false;
    return snprintf(out, 200, "%.98s/%.98s", io.fds[dirfd].path, name) > 0;
}

static inline const char *io_fd_path(int fd)
{
    return fd >= 0 && fd < IO_FDS_MAX && io.fds[fd].path[0] != 0 ? io.fds[fd].path : NULL;
}

/* True when this call is the one to fail. */
static inline bool io_fails(bool ours)
{
    if (!ours || !io.counting || ++io.calls != io.fail_at)
        return false;
    io.failed = true;
    errno = io.fail_errno;
    return true;
}

static inline struct io_op *io_add(enum io_kind kind, const char *path)
{
    if (!io.recording || io.count >= IO_OPS_MAX)
        return NULL;
    struct io_op *op = &io.ops[io.count++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    snprintf(op->path, sizeof op->path, "%s", path);
    return op;
}

static inline void io_record_write(const char *path, off_t at, const void *data, size_t len,
                                   bool sync)
{
    struct io_op *op = io_add(IO_WRITE, path);
    if (op == NULL)
        return;
    op->at = at;
    op->len = len;
    op->data = malloc(len + 1);
    if (op->data != NULL)
        memcpy(op->data, data, len);
    if (sync)
        io_add(IO_SYNC, path);
}

static inline void io_note(unsigned note)
{
    struct io_op *op = io_add(IO_NOTE, "");
    if (op != NULL)
        op->note = note;
}

#ifndef IO_NOT_HERE

/* ---- opening ---- */

static int io_opened(int fd, const char *path, bool created, int flags)
{
    if (fd < 0 || fd >= IO_FDS_MAX)
        return fd;
    snprintf(io.fds[fd].path, sizeof io.fds[fd].path, "%s", path);
    io.fds[fd].sync = (flags & O_DSYNC) != 0;
    if (created)
        io_add(IO_CREATE, path);
    if (flags & O_TRUNC)
        io_add(IO_TRUNCATE, path);
    return fd;
}

static int io_openat(int dirfd, const char *name, int flags, mode_t mode)
{
    char path[200];
    REAL(openat);
    bool ours = io_resolve(dirfd, name, path);
    struct stat st;
    bool created = (flags & O_CREAT) != 0 && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0;
    if (io_fails(ours && (flags & O_CREAT) != 0))
        return -1;
    int fd = real(dirfd, name, flags, mode);
    return ours ? io_opened(fd, path, created, flags) : fd;
}

INTERPOSED(int, open, (const char *name, int flags, ...))
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return io_openat(AT_FDCWD, name, flags, mode);
}

INTERPOSED(int, open64, (const char *name, int flags, ...))
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return io_openat(AT_FDCWD, name, flags, mode);
}

INTERPOSED(int, openat, (int dirfd, const char *name, int flags, ...))
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return io_openat(dirfd, name, flags, mode);
}

INTERPOSED(int, close, (int fd))
{
    REAL(close);
    if (fd >= 0 && fd < IO_FDS_MAX)
        io.fds[fd].path[0] = 0;
    return real(fd);
}

/* ---- writing ---- */

INTERPOSED(ssize_t, write, (int fd, const void *data, size_t len))
{
    REAL(write);
    const char *path = io_fd_path(fd);
    if (io_fails(path != NULL))
        return -1;
    off_t at = path != NULL ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t n = real(fd, data, len);
    if (path != NULL && n > 0)
        io_record_write(path, at, data, (size_t)n, io.fds[fd].sync);
    return n;
}

INTERPOSED(ssize_t, writev, (int fd, const struct iovec *parts, int count))
{
    REAL(writev);
    const char *path = io_fd_path(fd);
    if (io_fails(path != NULL))
        return -1;
    off_t at = path != NULL ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t n = real(fd, parts, count), left = n;
    for (int i = 0; path != NULL && i < count && left > 0; i++) {
        size_t len = (size_t)left < parts[i].iov_len ? (size_t)left : parts[i].iov_len;
        io_record_write(path, at, parts[i].iov_base, len, io.fds[fd].sync);
        at += (off_t)len;
        left -= (ssize_t)len;
    }
    return n;
}

static ssize_t io_pwrite(int fd, const void *data, size_t len, off_t at)
{
    REAL(pwrite);
    const char *path = io_fd_path(fd);
    if (io_fails(path != NULL))
        return -1;
    ssize_t n = real(fd, data, len, at);
    if (path != NULL && n > 0)
        io_record_write(path, at, data, (size_t)n, io.fds[fd].sync);
    return n;
}

INTERPOSED(ssize_t, pwrite, (int fd, const void *data, size_t len, off_t at))
{
    return io_pwrite(fd, data, len, at);
}

INTERPOSED(ssize_t, pwrite64, (int fd, const void *data, size_t len, off_t at))
{
    return io_pwrite(fd, data, len, at);
}

static int io_sync(int fd, int (*real)(int))
{
    const char *path = io_fd_path(fd);
    if (io_fails(path != NULL))
        return -1;
    int rc = real(fd);
    if (rc == 0 && path != NULL)
        io_add(IO_SYNC, path);
    return rc;
}

INTERPOSED(int, fsync, (int fd))
{
    REAL(fsync);
    return io_sync(fd, real);
}

INTERPOSED(int, fdatasync, (int fd))
{
    REAL(fdatasync);
    return io_sync(fd, real);
}

static int io_ftruncate(int fd, off_t len)
{
    REAL(ftruncate);
    const char *path = io_fd_path(fd);
    if (io_fails(path != NULL))
        return -1;
    struct io_op *op = path != NULL ? io_add(IO_TRUNCATE, path) : NULL;
    if (op != NULL)
        op->at = len;
    return real(fd, len);
}

INTERPOSED(int, ftruncate, (int fd, off_t len))
{
    return io_ftruncate(fd, len);
}

INTERPOSED(int, ftruncate64, (int fd, off_t len))
{
    return io_ftruncate(fd, len);
}

/* ---- names ---- */

static int io_rename(int from_dir, const char *from, int to_dir, const char *to)
{
    REAL(renameat);
    char a[200], b[200];
    bool ours = io_resolve(from_dir, from, a) && io_resolve(to_dir, to, b);
    if (io_fails(ours))
        return -1;
    int rc = real(from_dir, from, to_dir, to);
    struct io_op *op = rc == 0 && ours ? io_add(IO_RENAME, a) : NULL;
    if (op != NULL)
        snprintf(op->to, sizeof op->to, "%s", b);
    return rc;
}

INTERPOSED(int, rename, (const char *from, const char *to))
{
    return io_rename(AT_FDCWD, from, AT_FDCWD, to);
}

INTERPOSED(int, renameat, (int from_dir, const char *from, int to_dir, const char *to))
{
    return io_rename(from_dir, from, to_dir, to);
}

static int io_unlink(int dirfd, const char *name, int flags)
{
    REAL(unlinkat);
    char path[200];
    bool ours = io_resolve(dirfd, name, path);
    if (io_fails(ours))
        return -1;
    int rc = real(dirfd, name, flags);
    if (rc == 0 && ours)
        io_add(IO_UNLINK, path);
    return rc;
}

INTERPOSED(int, unlink, (const char *name))
{
    return io_unlink(AT_FDCWD, name, 0);
}

INTERPOSED(int, unlinkat, (int dirfd, const char *name, int flags))
{
    return io_unlink(dirfd, name, flags);
}

static int io_mkdir(int dirfd, const char *name, mode_t mode)
{
    REAL(mkdirat);
    char path[200];
    bool ours = io_resolve(dirfd, name, path);
    if (io_fails(ours))
        return -1;
    int rc = real(dirfd, name, mode);
    if (rc == 0 && ours)
        io_add(IO_MKDIR, path);
    return rc;
}

INTERPOSED(int, mkdir, (const char *name, mode_t mode))
{
    return io_mkdir(AT_FDCWD, name, mode);
}

INTERPOSED(int, mkdirat, (int dirfd, const char *name, mode_t mode))
{
    return io_mkdir(dirfd, name, mode);
}

#endif /* IO_NOT_HERE */

#endif
