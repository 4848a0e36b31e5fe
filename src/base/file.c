/* Whole files, atomic and durable, and directory trees without following symlinks. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/secret.h"

enum { TREE_DEPTH_MAX = 64, READ_STEP = 65536 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define FD_AUTO __attribute__((cleanup(close_fd)))

static bool fail_errno(const char *path, const char *doing, struct error *err)
{
    int why = errno;
    const char *code = "file/io";
    if (why == ENOENT || why == ENOTDIR)
        code = "file/missing";
    else if (why == EACCES || why == EPERM || why == EROFS)
        code = "file/denied";
    else if (why == ENOSPC || why == EDQUOT)
        code = "file/full";
    else if (why == EEXIST || why == ENOTEMPTY)
        code = "file/exists";
    return error_set(err, code, path, "cannot %s %s: %s", doing, path, strerror(why));
}

bool file_read_fd(int fd, const char *name, struct buf *out, struct error *err)
{
    for (;;) {
        size_t room = out->max - out->len;
        size_t step = room < READ_STEP ? room : READ_STEP;
        uint8_t beyond;
        uint8_t *at = step > 0 ? buf_extend(out, step) : &beyond;
        if (at == NULL)
            return error_set(err, "memory", name, "out of memory while reading %s", name);
        out->len -= step;
        ssize_t got = read(fd, at, step > 0 ? step : 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(name, "read", err);
        if (got == 0)
            return true;
        if (step == 0)
            return error_set(err, "file/too-large", name, "%s is larger than %zu bytes", name,
                             out->max);
        out->len += (size_t)got;
    }
}

bool file_read(const char *path, struct buf *out, struct error *err)
{
    FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(path, "open", err);
    return file_read_fd(fd, path, out, err);
}

bool fd_write_all(int fd, struct slice bytes, struct error *err)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.data, bytes.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return fail_errno("file", "write", err);
        bytes = slice_cut(bytes, (size_t)put, bytes.len);
    }
    return true;
}

bool path_join(const char *dir, const char *name, char out[PATH_TEXT_MAX], struct error *err)
{
    bool slash = dir[0] != 0 && dir[strlen(dir) - 1] != '/';
    int len = name[0] == '/' ? snprintf(out, PATH_TEXT_MAX, "%s", name)
                             : snprintf(out, PATH_TEXT_MAX, "%s%s%s", dir, slash ? "/" : "", name);
    if (len < 0 || len >= PATH_TEXT_MAX)
        return error_set(err, "file/path", name, "path is longer than %d bytes", PATH_TEXT_MAX - 1);
    return true;
}

bool path_dirname(const char *path, char out[PATH_TEXT_MAX], struct error *err)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    if (len >= PATH_TEXT_MAX)
        return error_set(err, "file/path", path, "path is longer than %d bytes", PATH_TEXT_MAX - 1);
    if (slash == NULL)
        snprintf(out, PATH_TEXT_MAX, ".");
    else
        snprintf(out, PATH_TEXT_MAX, "%.*s", (int)(len == 0 ? 1 : len), path);
    return true;
}

bool file_sync_dir(const char *path, struct error *err)
{
    FD_AUTO int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(path, "open directory", err);
    return fsync(fd) == 0 ? true : fail_errno(path, "sync directory", err);
}

/* Fills a fresh file and makes it durable under its temporary name. */
static bool write_temporary(const char *path, struct slice bytes, mode_t mode, struct error *err)
{
    FD_AUTO int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return fail_errno(path, "create", err);
    if (fchmod(fd, mode) != 0)
        return fail_errno(path, "set the mode of", err);
    if (!fd_write_all(fd, bytes, err))
        return error_prefix(err, "%s", path);
    return fsync(fd) == 0 ? true : fail_errno(path, "sync", err);
}

bool file_write_atomic(const char *path, struct slice bytes, mode_t mode, struct error *err)
{
    char dir[PATH_TEXT_MAX], temporary[PATH_TEXT_MAX], suffix[17];
    uint8_t random[8];
    random_bytes(random, sizeof random);
    hex_encode(slice_of(random, sizeof random), suffix);
    int len = snprintf(temporary, sizeof temporary, "%s.tmp-%s", path, suffix);
    if (len < 0 || (size_t)len >= sizeof temporary)
        return error_set(err, "file/path", path, "path is longer than %d bytes", PATH_TEXT_MAX - 1);
    if (!path_dirname(path, dir, err))
        return false;
    bool ok = write_temporary(temporary, bytes, mode, err);
    if (ok && rename(temporary, path) != 0)
        ok = fail_errno(path, "replace", err);
    if (!ok) {
        unlink(temporary);
        return false;
    }
    return file_sync_dir(dir, err);
}

bool file_make_dirs(const char *path, mode_t mode, struct error *err)
{
    char partial[PATH_TEXT_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof partial)
        return error_set(err, "file/path", path, "not a usable directory path");
    memcpy(partial, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (partial[i] != '/' && partial[i] != 0)
            continue;
        partial[i] = 0;
        if (mkdir(partial, mode) != 0 && errno != EEXIST)
            return fail_errno(partial, "create directory", err);
        if (i < len)
            partial[i] = '/';
    }
    if (!file_is_dir(path))
        return error_set(err, "file/exists", path, "%s exists and is not a directory", path);
    return true;
}

bool file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool remove_entries(int dir_fd, const char *path, unsigned depth, struct error *err);

static bool remove_entry(int parent, const char *name, const char *path, unsigned depth,
                         struct error *err)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? true : fail_errno(path, "look at an entry of", err);
    if (!S_ISDIR(st.st_mode))
        return unlinkat(parent, name, 0) == 0 ? true : fail_errno(path, "remove an entry of", err);
    if (depth >= TREE_DEPTH_MAX)
        return error_set(err, "file/depth", path, "%s is nested deeper than %d", path,
                         TREE_DEPTH_MAX);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(path, "open a directory in", err);
    if (!remove_entries(fd, path, depth + 1, err))
        return false;
    return unlinkat(parent, name, AT_REMOVEDIR) == 0
               ? true
               : fail_errno(path, "remove a directory in", err);
}

/* Takes ownership of dir_fd. */
static bool remove_entries(int dir_fd, const char *path, unsigned depth, struct error *err)
{
    DIR *dir = fdopendir(dir_fd);
    if (dir == NULL) {
        close(dir_fd);
        return fail_errno(path, "list", err);
    }
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ok = remove_entry(dirfd(dir), e->d_name, path, depth, err);
    closedir(dir);
    return ok;
}

bool file_remove_tree(const char *path, struct error *err)
{
    return remove_entry(AT_FDCWD, path, path, 0, err);
}
