/* Backup while running, restore, compaction. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/copy.h"

static const char data_part[] = "data", blob_part[] = "blobs";

/* ---- backup ---- */

static bool copy_chunks(struct store *s, const struct reading *r, const char *dir,
                        const struct store_progress *progress, struct error *err)
{
    const uint8_t first = COLUMN_CHUNKS;
    struct page_cursor at;
    uint64_t done = 0;
    bool found = true;
    if (!page_cursor_seek(&at, &r->view->tree, slice_of(&first, 1), err))
        return false;
    for (;;) {
        struct slice row, sealed, id, value;
        char name[CHUNK_NAME_MAX];
        if (!page_cursor_next(&at, &row, &sealed, &found, err))
            return false;
        if (!found || row.data[0] != COLUMN_CHUNKS)
            return true;
        if (!record_open_column(r, blob_column(COLUMN_CHUNKS), row, sealed, &id, &value, err))
            return false;
        if (id.len != CHUNK_ID_LEN)
            return error_set(err, "store/damaged", "blob", "a chunk's row is malformed");
        chunk_file_name(s, id.data, name);
        if (!copy_file(s->blob_dir, dir, name, err))
            return false;
        progress_tick(progress, "chunks", ++done, 0);
    }
}

static bool copy_superblocks(const char *from, const char *to, struct error *err)
{
    for (unsigned i = 0; i < SUPERBLOCK_COPIES; i++)
        if (!copy_file(from, to, superblock_names[i], err))
            return false;
    return true;
}

static bool backup_into(struct store *s, const struct reading *r, const char *data,
                        const char *blobs, const struct store_progress *progress, struct error *err)
{
    return copy_data_file(r, data, false, progress, err) &&
           copy_file(s->blob_dir, blobs, blob_marker_name, err) &&
           copy_chunks(s, r, blobs, progress, err) && file_sync_dir(blobs, err) &&
           copy_superblocks(s->data_dir, data, err) && remove_unfinished(data, err);
}

/* From here on the files of this view stay: those of blobs that were just stored are in place,
 * those of blobs that are deleted meanwhile are left to the journal. */
static bool hold_files(struct store *s, struct reading *r, struct error *err)
{
    pthread_mutex_lock(&s->blob_lock);
    bool ok = reading_begin(s, r, err);
    s->unlink_holds += ok;
    pthread_mutex_unlock(&s->blob_lock);
    return ok;
}

static bool release_files(struct store *s, struct error *err)
{
    pthread_mutex_lock(&s->blob_lock);
    bool ok = --s->unlink_holds > 0 || journal_replay(s, err);
    pthread_mutex_unlock(&s->blob_lock);
    return ok;
}

static bool backup_held(struct store *s, const char *data, const char *blobs,
                        const struct store_progress *progress, struct error *err)
{
    READING_AUTO struct reading r = {0};
    if (!hold_files(s, &r, err))
        return false;
    bool ok = backup_into(s, &r, data, blobs, progress, err);
    bool released = release_files(s, ok ? err : NULL);
    return ok && released;
}

bool store_backup(struct store *s, const char *dir, const struct store_progress *progress,
                  struct error *err)
{
    char data[PATH_TEXT_MAX], blobs[PATH_TEXT_MAX];
    if (!engine_alive(s, err) || !path_join(dir, data_part, data, err) ||
        !path_join(dir, blob_part, blobs, err) || !copy_target(dir, err) ||
        !copy_target(data, err) || !copy_target(blobs, err) ||
        !write_unfinished(data,
                          "a backup into this directory was interrupted; remove it and take "
                          "another",
                          err))
        return false;
    pthread_mutex_lock(&s->admin_lock); /* the keys stay as they are */
    bool ok = backup_held(s, data, blobs, progress, err);
    pthread_mutex_unlock(&s->admin_lock);
    return ok;
}

/* ---- restore ---- */

static bool restore_blobs(const char *from, const char *to, const struct store_progress *progress,
                          struct error *err)
{
    uint64_t done = 0;
    int fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL) {
        if (fd >= 0)
            close(fd);
        return blob_io_failed("list", from, err);
    }
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(d)) != NULL;) {
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        ok = copy_file(from, to, e->d_name, err);
        progress_tick(progress, "files", ++done, 0);
    }
    closedir(d);
    return ok && file_sync_dir(to, err);
}

static bool is_backup(const char *data, struct error *err)
{
    char path[PATH_TEXT_MAX];
    if (!path_join(data, unfinished_name, path, err))
        return false;
    if (file_exists(path))
        return error_set(err, "store/unfinished", data, "the backup in %s was interrupted", data);
    if (!path_join(data, superblock_names[0], path, err))
        return false;
    return file_exists(path)
               ? true
               : error_set(err, "store/missing", data, "there is no backup in %s", data);
}

bool store_restore(const char *dir, const char *data_dir, const char *blob_dir,
                   const struct store_progress *progress, struct error *err)
{
    char data[PATH_TEXT_MAX], blobs[PATH_TEXT_MAX];
    return path_join(dir, data_part, data, err) && path_join(dir, blob_part, blobs, err) &&
           is_backup(data, err) && copy_target(data_dir, err) && copy_target(blob_dir, err) &&
           write_unfinished(data_dir,
                            "restoring a backup into this directory was interrupted; empty both "
                            "directories and restore again",
                            err) &&
           restore_blobs(blobs, blob_dir, progress, err) &&
           copy_file(data, data_dir, data_name, err) && copy_superblocks(data, data_dir, err) &&
           remove_unfinished(data_dir, err);
}

/* ---- compact ---- */

static uint64_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* The open store still has the old file; closing it must not write any more. */
static bool swap_data_file(struct store *s, const char *fresh, const char *path, struct error *err)
{
    s->usable = false;
    if (rename(fresh, path) != 0)
        return blob_io_failed("replace", path, err);
    return file_sync_dir(s->data_dir, err);
}

static bool compact_open(struct store *s, const struct store_progress *progress, uint64_t *before,
                         uint64_t *after, struct error *err)
{
    READING_AUTO struct reading r = {0};
    struct check_totals totals;
    struct state state;
    char dir[PATH_TEXT_MAX], fresh[PATH_TEXT_MAX], path[PATH_TEXT_MAX];
    if (!path_join(s->data_dir, compact_name, dir, err) || !path_join(dir, data_name, fresh, err) ||
        !path_join(s->data_dir, data_name, path, err) || !file_make_dirs(dir, 0700, err) ||
        !reading_begin(s, &r, err) || !record_read_state(&r, &state, err) ||
        !engine_check(&r, &state, &totals, err) || !copy_data_file(&r, dir, true, progress, err))
        return false;
    uint64_t old_size = size_of(path), new_size = size_of(fresh);
    if (!swap_data_file(s, fresh, path, err))
        return false;
    *before = old_size;
    *after = new_size;
    return file_remove_tree(dir, err);
}

bool store_compact(const struct store_options *options, const struct store_progress *progress,
                   uint64_t *before, uint64_t *after, struct error *err)
{
    STORE_AUTO struct store *s = NULL;
    struct store_options o = *options;
    o.create = false;
    o.read_only = false;
    return store_open(&o, &s, err) && compact_open(s, progress, before, after, err);
}
