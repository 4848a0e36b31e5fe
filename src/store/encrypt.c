/* Turning a plaintext store into an encrypted one, in place and crash-safe:
 *
 *   1  an encrypted store is made beside, in "encrypted.tmp" of both directories, and checked
 *   2  "complete" is written there: the turning point
 *   3  its data files replace the plaintext ones
 *   4  the plaintext chunk files are removed; "emptied" says so
 *   5  its chunk files move up
 *   6  "complete" is removed, then everything else that is temporary
 *
 * Whatever step a crash meets, running it again goes on from there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/copy.h"

enum { COPY_ROWS = 1000, COPY_BYTES = 8 * 1024 * 1024, BLOB_PIECE = 1024 * 1024 };

/* ---- store to store ---- */

/* Some rows in one commit. */
static bool copy_some(struct store_cursor *c, const char *column, struct store *to, bool *more,
                      struct error *err)
{
    STORE_BATCH_AUTO struct store_batch *b = NULL;
    size_t bytes = 0;
    if (!store_batch_begin(to, &b, err))
        return false;
    for (unsigned i = 0; i < COPY_ROWS && bytes < COPY_BYTES; i++) {
        struct slice key, value;
        if (!store_cursor_next(c, &key, &value, more, err))
            return false;
        if (!*more)
            break;
        if (!store_batch_put(b, column, key, value, err))
            return false;
        bytes += key.len + value.len;
    }
    return store_batch_commit(&b, err);
}

static bool copy_column(struct store_snapshot *snapshot, const char *column, struct store *to,
                        struct error *err)
{
    STORE_CURSOR_AUTO struct store_cursor *c = NULL;
    if (!store_cursor_open(snapshot, column, slice_str(""), &c, err))
        return false;
    for (bool more = true; more;)
        if (!copy_some(c, column, to, &more, err))
            return false;
    return true;
}

static bool stream(struct blob_reader *r, struct blob_writer *w, struct error *err)
{
    uint8_t *piece = malloc(BLOB_PIECE);
    bool ok = piece != NULL || error_set(err, "memory", NULL, "out of memory");
    size_t got = 1;
    for (uint64_t at = 0; ok && got > 0; at += got)
        ok = blob_reader_read(r, at, piece, BLOB_PIECE, &got, err) &&
             blob_writer_append(w, slice_of(piece, got), err);
    if (piece != NULL)
        secret_wipe(piece, BLOB_PIECE);
    free(piece);
    return ok;
}

static bool copy_blob(struct store *from, const struct blob_info *blob, struct store *to,
                      struct error *err)
{
    struct blob_reader *r = NULL;
    struct blob_writer *w = NULL;
    struct blob_info info, copied;
    bool ok = blob_reader_open(from, &blob->id, &r, &info, err) && blob_writer_open(to, &w, err) &&
              stream(r, w, err) && blob_writer_finish(&w, info.content_hash, &copied, err);
    blob_writer_abort(&w);
    blob_reader_close(&r);
    return ok;
}

struct blob_copying {
    struct store *from, *to;
    const struct store_progress *progress;
    struct error *err;
    uint64_t done;
    bool failed;
};

static bool copy_listed(const struct blob_info *info, void *ctx)
{
    struct blob_copying *c = ctx;
    c->failed = !copy_blob(c->from, info, c->to, c->err);
    progress_tick(c->progress, "blobs", ++c->done, 0);
    return !c->failed;
}

bool copy_store(struct store *from, struct store *to, const struct store_progress *progress,
                struct error *err)
{
    STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
    struct blob_copying blobs = {.from = from, .to = to, .progress = progress, .err = err};
    if (!store_snapshot_open(from, &snapshot, err))
        return false;
    for (size_t i = 0; i < column_count(); i++) {
        if (!column_at(i)->internal && !copy_column(snapshot, column_at(i)->name, to, err))
            return false;
        progress_tick(progress, "columns", i + 1, column_count());
    }
    return blob_list(from, copy_listed, &blobs, err) && !blobs.failed;
}

/* ---- the conversion ---- */

static const char complete_name[] = "complete", emptied_name[] = "emptied";

struct conversion {
    const char *data_dir, *blob_dir;
    char data_tmp[PATH_TEXT_MAX], blob_tmp[PATH_TEXT_MAX];
};

static bool conversion_paths(const struct store_options *o, struct conversion *c, struct error *err)
{
    c->data_dir = o->data_dir;
    c->blob_dir = o->blob_dir;
    return path_join(o->data_dir, encrypted_name, c->data_tmp, err) &&
           path_join(o->blob_dir, encrypted_name, c->blob_tmp, err);
}

static bool step_done(const struct conversion *c, const char *step)
{
    char path[PATH_TEXT_MAX];
    return path_join(c->data_tmp, step, path, NULL) && file_exists(path);
}

static bool mark_step(const struct conversion *c, const char *step, struct error *err)
{
    char path[PATH_TEXT_MAX];
    return path_join(c->data_tmp, step, path, err) &&
           file_write_atomic(path, slice_str("done\n"), 0600, err);
}

static bool check_copy(struct store *s, struct error *err)
{
    struct store_verify_report report;
    if (!store_verify(s, NULL, NULL, NULL, &report, err))
        return false;
    return report.clean ? true
                        : error_set(err, "store/damaged", NULL,
                                    "the encrypted copy does not verify; the plaintext store is "
                                    "as it was");
}

static bool make_copy(const struct conversion *c, const struct store_options *o,
                      const struct store_progress *progress, struct error *err)
{
    STORE_AUTO struct store *from = NULL;
    STORE_AUTO struct store *to = NULL;
    struct store_options plain = {.data_dir = o->data_dir, .blob_dir = o->blob_dir};
    struct store_options sealed = {.data_dir = c->data_tmp,
                                   .blob_dir = c->blob_tmp,
                                   .key = o->key,
                                   .create = true,
                                   .relaxed_sync = true,
                                   .segment_log2 = o->segment_log2};
    return engine_open(&plain, true, &from, err) &&
           write_unfinished(c->data_dir,
                            "encrypting this store was interrupted; run 'store encrypt' again",
                            err) &&
           file_remove_tree(c->data_tmp, err) && file_remove_tree(c->blob_tmp, err) &&
           store_open(&sealed, &to, err) && copy_store(from, to, progress, err) &&
           check_copy(to, err);
}

/* A name that is not there any more was moved before. */
static bool move_up(const char *from_dir, const char *to_dir, const char *name, struct error *err)
{
    char from[PATH_TEXT_MAX], to[PATH_TEXT_MAX];
    if (!path_join(from_dir, name, from, err) || !path_join(to_dir, name, to, err))
        return false;
    if (rename(from, to) != 0 && errno != ENOENT)
        return blob_io_failed("put in place", to, err);
    return true;
}

static bool replace_data(const struct conversion *c, struct error *err)
{
    return move_up(c->data_tmp, c->data_dir, data_name, err) &&
           move_up(c->data_tmp, c->data_dir, superblock_names[0], err) &&
           move_up(c->data_tmp, c->data_dir, superblock_names[1], err) &&
           file_sync_dir(c->data_dir, err);
}

/* Calls act for every regular file of dir; a missing dir has none. */
static bool each_file(const char *dir,
                      bool (*act)(const struct conversion *c, const char *name, struct error *err),
                      const struct conversion *c, struct error *err)
{
    DIR *d = opendir(dir);
    if (d == NULL)
        return errno == ENOENT || blob_io_failed("list", dir, err);
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(d)) != NULL;) {
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            ok = act(c, e->d_name, err);
    }
    closedir(d);
    return ok && file_sync_dir(dir, err);
}

static bool remove_plaintext(const struct conversion *c, const char *name, struct error *err)
{
    char path[PATH_TEXT_MAX];
    if (!path_join(c->blob_dir, name, path, err))
        return false;
    return unlink(path) == 0 || errno == ENOENT || blob_io_failed("remove", path, err);
}

static bool move_blob(const struct conversion *c, const char *name, struct error *err)
{
    return move_up(c->blob_tmp, c->blob_dir, name, err);
}

static bool replace_blobs(const struct conversion *c, struct error *err)
{
    if (!step_done(c, emptied_name) &&
        (!each_file(c->blob_dir, remove_plaintext, c, err) || !mark_step(c, emptied_name, err)))
        return false;
    return each_file(c->blob_tmp, move_blob, c, err) && file_sync_dir(c->blob_dir, err);
}

/* "uploads" of the plaintext store may hold pieces of interrupted uploads. */
static bool remove_uploads(const struct conversion *c, struct error *err)
{
    char path[PATH_TEXT_MAX];
    return path_join(c->blob_dir, uploads_name, path, err) && file_remove_tree(path, err);
}

/* "complete" goes first: without it nothing is ever removed again. */
static bool tidy(const struct conversion *c, struct error *err)
{
    char path[PATH_TEXT_MAX];
    if (!path_join(c->data_tmp, complete_name, path, err))
        return false;
    if (unlink(path) != 0 && errno != ENOENT)
        return blob_io_failed("remove", path, err);
    return (!file_exists(c->data_tmp) || file_sync_dir(c->data_tmp, err)) &&
           file_remove_tree(c->blob_tmp, err) && file_remove_tree(c->data_tmp, err) &&
           remove_unfinished(c->data_dir, err);
}

static bool turn(const struct conversion *c, struct error *err)
{
    return replace_data(c, err) && replace_blobs(c, err) && remove_uploads(c, err) && tidy(c, err);
}

static bool turn_locked(const struct conversion *c, struct error *err)
{
    int lock = -1;
    if (!engine_lock(c->data_dir, false, &lock, err))
        return false;
    bool ok = turn(c, err);
    close(lock);
    return ok;
}

/* Interrupted while tidying: the store is the encrypted one already. */
static bool only_untidy(const struct conversion *c, const struct store_options *o)
{
    char path[PATH_TEXT_MAX];
    STORE_AUTO struct store *s = NULL;
    struct store_options sealed = {.data_dir = o->data_dir, .blob_dir = o->blob_dir, .key = o->key};
    return path_join(c->data_dir, unfinished_name, path, NULL) && file_exists(path) &&
           engine_open(&sealed, true, &s, NULL);
}

bool store_encrypt(const struct store_options *options, const struct store_progress *progress,
                   struct error *err)
{
    struct conversion c;
    if (options->key.len < STORE_MASTER_KEY_MIN || options->key.len > STORE_MASTER_KEY_MAX)
        return error_set(err, "store/key", "key", "a storage key has %d to %d bytes, this one %zu",
                         STORE_MASTER_KEY_MIN, STORE_MASTER_KEY_MAX, options->key.len);
    if (!conversion_paths(options, &c, err))
        return false;
    if (step_done(&c, complete_name))
        return turn_locked(&c, err);
    if (only_untidy(&c, options))
        return tidy(&c, err);
    return make_copy(&c, options, progress, err) && mark_step(&c, complete_name, err) &&
           turn_locked(&c, err);
}
