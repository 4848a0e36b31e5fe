/* The blob directory: its marker, names of files, renames and unlinks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/hash.h"
#include "store/blobs.h"

const char uploads_name[] = "uploads";
const char blob_marker_name[] = "store.id";
static const char marker_magic[] = "MEROBLOB";
enum { MARKER_MAGIC_LEN = 8, MARKER_LEN = MARKER_MAGIC_LEN + 4 + STORE_ID_LEN + SHA256_LEN };

bool blob_io_failed(const char *doing, const char *name, struct error *err)
{
    int why = errno;
    const char *code = why == ENOSPC || why == EDQUOT ? "store/full"
                       : why == EROFS                 ? "store/read-only"
                                                      : "store/io";
    return error_set(err, code, name, "cannot %s %s: %s", doing, name, strerror(why));
}

void chunk_file_name(const struct store *s, const uint8_t *chunk_id, char out[CHUNK_NAME_MAX])
{
    uint8_t name[FILE_NAME_LEN];
    file_name(&s->keys->names, chunk_id, name);
    hex_encode(slice_of(name, sizeof name), out);
}

void upload_file_name(const uint8_t upload[UPLOAD_ID_LEN], uint64_t index,
                      char out[UPLOAD_NAME_MAX])
{
    char id[2 * UPLOAD_ID_LEN + 1];
    hex_encode(slice_of(upload, UPLOAD_ID_LEN), id);
    snprintf(out, UPLOAD_NAME_MAX, "%s-%llu", id, (unsigned long long)index);
}

/* ---- the directory ---- */

static void marker_text(const struct store *s, struct buf *out)
{
    uint8_t digest[SHA256_LEN];
    buf_append(out, slice_of(marker_magic, MARKER_MAGIC_LEN));
    buf_append_be(out, STORE_FORMAT_VERSION, 4);
    buf_append(out, slice_of(s->id.bytes, sizeof s->id.bytes));
    sha256(buf_slice(out), digest);
    buf_append(out, slice_of(digest, sizeof digest));
}

static bool check_marker(const struct store *s, struct error *err)
{
    char path[PATH_TEXT_MAX];
    uint8_t text[MARKER_LEN + 1];
    struct buf expected = BUF_FIXED(text);
    BUF_AUTO struct buf found = BUF_INIT(4 * MARKER_LEN);
    struct error why = {0};
    marker_text(s, &expected);
    if (!path_join(s->blob_dir, blob_marker_name, path, err))
        return false;
    if (!file_read(path, &found, &why) && !error_is(&why, "file/too-large"))
        return error_is(&why, "file/missing")
                   ? error_set(err, "store/damaged", path,
                               "%s is missing: this is not the blob directory of the store in %s",
                               path, s->data_dir)
                   : error_set(err, "store/io", path, "%s", why.message);
    if (slice_equal(buf_slice(&found), buf_slice(&expected)))
        return true;
    return error_set(err, "store/damaged", path,
                     "%s is damaged or belongs to another store than the one in %s", path,
                     s->data_dir);
}

static bool is_own(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0 ||
           strcmp(name, uploads_name) == 0 || strcmp(name, blob_marker_name) == 0;
}

static bool is_marker_temporary(const char *name)
{
    static const char prefix[] = "store.id.tmp-";
    return strncmp(name, prefix, sizeof prefix - 1) == 0;
}

/* What an interrupted creation may have left behind is taken over or removed. */
static bool refuse_foreign(const struct store *s, struct error *err)
{
    DIR *d = opendir(s->blob_dir);
    if (d == NULL)
        return blob_io_failed("list", s->blob_dir, err);
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(d)) != NULL;) {
        if (is_marker_temporary(e->d_name))
            ok = unlinkat(dirfd(d), e->d_name, 0) == 0 || blob_io_failed("remove", e->d_name, err);
        else if (!is_own(e->d_name))
            ok = error_set(err, "store/foreign", s->blob_dir,
                           "%s is not empty (it holds %s); give the blobs of a new store a "
                           "directory of their own",
                           s->blob_dir, e->d_name);
    }
    closedir(d);
    return ok;
}

static bool make_dirs(struct store *s, struct error *err)
{
    char uploads[PATH_TEXT_MAX], marker[PATH_TEXT_MAX];
    uint8_t text[MARKER_LEN + 1];
    struct buf content = BUF_FIXED(text);
    marker_text(s, &content);
    return file_make_dirs(s->blob_dir, 0700, err) && refuse_foreign(s, err) &&
           path_join(s->blob_dir, uploads_name, uploads, err) &&
           path_join(s->blob_dir, blob_marker_name, marker, err) &&
           file_make_dirs(uploads, 0700, err) &&
           file_write_atomic(marker, buf_slice(&content), 0600, err) &&
           file_sync_dir(s->blob_dir, err);
}

/* A lost, empty "uploads" is no damage: it is made again. */
static bool open_dirs(struct store *s, struct error *err)
{
    s->blob_fd = open(s->blob_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->blob_fd < 0)
        return blob_io_failed("open", s->blob_dir, err);
    if (s->read_only)
        return true;
    if (mkdirat(s->blob_fd, uploads_name, 0700) != 0 && errno != EEXIST)
        return blob_io_failed("create", uploads_name, err);
    s->upload_fd =
        openat(s->blob_fd, uploads_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return s->upload_fd >= 0 ? true : blob_io_failed("open", uploads_name, err);
}

bool blob_dirs_open(struct store *s, bool create, struct error *err)
{
    return (!create || make_dirs(s, err)) && check_marker(s, err) && open_dirs(s, err);
}

/* ---- files ---- */

bool upload_promote(struct store *s, const uint8_t upload[UPLOAD_ID_LEN], struct slice links,
                    struct error *err)
{
    for (uint64_t i = 0; i < links.len / CHUNK_ID_LEN; i++) {
        char from[UPLOAD_NAME_MAX], to[CHUNK_NAME_MAX];
        upload_file_name(upload, i, from);
        chunk_file_name(s, &links.data[i * CHUNK_ID_LEN], to);
        if (renameat(s->upload_fd, from, s->blob_fd, to) != 0 && errno != ENOENT)
            return blob_io_failed("put in place", to, err);
    }
    return fsync(s->blob_fd) == 0 ? true : blob_io_failed("sync", s->blob_dir, err);
}

bool chunk_files_unlink(struct store *s, struct slice chunk_ids, struct error *err)
{
    for (uint64_t i = 0; i < chunk_ids.len / CHUNK_ID_LEN; i++) {
        char name[CHUNK_NAME_MAX];
        chunk_file_name(s, &chunk_ids.data[i * CHUNK_ID_LEN], name);
        if (unlinkat(s->blob_fd, name, 0) != 0 && errno != ENOENT)
            return blob_io_failed("remove", name, err);
    }
    return fsync(s->blob_fd) == 0 ? true : blob_io_failed("sync", s->blob_dir, err);
}
