/* Opening, creating and closing a store; what else may lie in its directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/blobs.h"

static const char lock_name[] = "store.lock";
static const char creating_name[] = "store.creating"; /* stands until a new store is whole */
const char data_name[] = "data.mdb";
const char unfinished_name[] = "store.unfinished"; /* says what was begun and not ended */
const char compact_name[] = "compact.tmp";
const char encrypted_name[] = "encrypted.tmp";
static const char lmdb_lock_name[] = "lock.mdb";

static bool fail_io(const char *what, const char *path, struct error *err)
{
    int why = errno;
    const char *code = why == ENOSPC || why == EDQUOT ? "store/full" : "store/io";
    return error_set(err, code, path, "cannot %s %s: %s", what, path, strerror(why));
}

/* ---- the directory ---- */

static bool join(const char *dir, const char *name, char out[PATH_TEXT_MAX], struct error *err)
{
    return path_join(dir, name, out, err);
}

static bool has(const char *dir, const char *name)
{
    char path[PATH_TEXT_MAX];
    return join(dir, name, path, NULL) && file_exists(path);
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *const own_names[] = {
    data_name,    lmdb_lock_name,  lock_name,      creating_name,  compact_name, encrypted_name,
    "damage.txt", unfinished_name, "superblock.1", "superblock.2", "lost+found"};

/* "name.tmp-...": what an interrupted file_write_atomic() leaves. */
static bool is_temporary(const char *name, const char *of)
{
    size_t len = strlen(of);
    return strncmp(name, of, len) == 0 && starts_with(&name[len], ".tmp-");
}

static bool is_ours(const char *name, bool *temporary)
{
    for (size_t i = 0; i < sizeof own_names / sizeof own_names[0]; i++) {
        *temporary = is_temporary(name, own_names[i]);
        if (*temporary || strcmp(name, own_names[i]) == 0)
            return true;
    }
    return false;
}

static bool refuse_entry(const char *dir, const char *name, struct error *err)
{
    if (strcmp(name, "CURRENT") == 0 || starts_with(name, "MANIFEST-"))
        return error_set(err, "store/foreign", dir,
                         "%s holds a RocksDB database (%s) of another node program; export it "
                         "there and import it here, into a directory of its own",
                         dir, name);
    return error_set(err, "store/foreign", dir,
                     "%s is not a store and not empty (it holds %s); give the store a directory of "
                     "its own",
                     dir, name);
}

/* sweep: removes what interrupted writes have left. refuse: nothing of anybody else may be there,
 * for a store is about to be made. */
static bool look_through(const char *dir, bool sweep, bool refuse, struct error *err)
{
    DIR *d = opendir(dir);
    if (d == NULL)
        return errno == ENOENT ? true : fail_io("list", dir, err);
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(d)) != NULL;) {
        bool temporary = false;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (!is_ours(e->d_name, &temporary))
            ok = !refuse || refuse_entry(dir, e->d_name, err);
        else if (temporary && sweep && unlinkat(dirfd(d), e->d_name, 0) != 0)
            ok = fail_io("remove", e->d_name, err);
    }
    closedir(d);
    return ok;
}

bool engine_lock(const char *data_dir, bool read_only, int *fd, struct error *err)
{
    char path[PATH_TEXT_MAX];
    if (!join(data_dir, lock_name, path, err))
        return false;
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0 && read_only && (errno == EROFS || errno == EACCES))
        lock = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0 && read_only && (errno == ENOENT || errno == EROFS))
        return true; /* a medium that nobody can write to needs no lock */
    if (lock < 0)
        return fail_io("open", path, err);
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        bool ok = errno == EWOULDBLOCK
                      ? error_set(err, "store/locked", data_dir,
                                  "the store in %s is open in another process", data_dir)
                      : fail_io("lock", path, err);
        close(lock);
        return ok;
    }
    *fd = lock;
    return true;
}

/* ---- the data file ---- */

static bool map_data_file(struct store *s, struct error *err)
{
    char path[PATH_TEXT_MAX];
    if (!join(s->data_dir, data_name, path, err))
        return false;
    s->data_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (s->data_fd < 0 && errno == ENOENT)
        return error_set(err, "store/damaged", path,
                         "%s is missing while its superblock is there; restore the last good "
                         "backup",
                         path);
    if (s->data_fd < 0)
        return fail_io("open", path, err);
    for (size_t len = STORE_MAP_RESERVED; len >= STORE_MAP_SMALLEST; len /= 2) {
        void *map = mmap(NULL, len, PROT_READ, MAP_SHARED | MAP_NORESERVE, s->data_fd, 0);
        if (map != MAP_FAILED) {
            s->map = map;
            s->map_len = len;
            return true;
        }
    }
    return fail_io("map", path, err);
}

/* LMDB must be asked for one size after the other, each time in a fresh environment. */
int engine_open_env(MDB_env **env, const char *dir, unsigned flags)
{
    int rc = ENOMEM;
    for (size_t len = STORE_MAP_RESERVED; rc == ENOMEM && len >= STORE_MAP_SMALLEST; len /= 2) {
        if (*env != NULL)
            mdb_env_close(*env);
        *env = NULL;
        rc = mdb_env_create(env);
        if (rc == 0)
            rc = mdb_env_set_maxreaders(*env, STORE_READERS_MAX + STORE_READERS_SPARE);
        if (rc == 0)
            rc = mdb_env_set_mapsize(*env, len);
        if (rc == 0)
            rc = mdb_env_open(*env, dir, flags | MDB_NOTLS | MDB_NORDAHEAD, 0600);
    }
    return rc;
}

/* Nobody else has the store open (lock_directory), so LMDB's table of readers starts afresh. */
static bool open_lmdb(struct store *s, const struct store_options *o, struct error *err)
{
    char path[PATH_TEXT_MAX];
    MDB_txn *txn = NULL;
    if (!join(s->data_dir, lmdb_lock_name, path, err))
        return false;
    if (unlink(path) != 0 && errno != ENOENT)
        return fail_io("remove", path, err);
    int rc = engine_open_env(&s->env, s->data_dir, o->relaxed_sync ? MDB_NOMETASYNC : 0U);
    if (rc == 0)
        rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
    if (rc == 0)
        rc = mdb_dbi_open(txn, NULL, 0, &s->dbi);
    if (txn != NULL)
        mdb_txn_abort(txn);
    return rc == 0 ? true : engine_lmdb_failed(rc, "open the datastore", err);
}

/* The meta pages are looked at before LMDB may. */
static bool check_metas(const struct store *s, struct error *err)
{
    struct stat st;
    struct page_tree tree;
    if (fstat(s->data_fd, &st) != 0)
        return fail_io("look at", data_name, err);
    return page_tree_open((struct page_file){s->map, (size_t)st.st_size}, &tree, err);
}

/* ---- the keys ---- */

static bool adopt_superblock(struct store *s, const struct superblock *sb, struct error *err)
{
    s->id = sb->id;
    s->suite = sb->suite;
    s->segment_log2 = sb->segment_log2;
    s->generation = sb->generation;
    s->created_s = sb->created_s;
    if (!secret_alloc(&s->keys_memory, sizeof *s->keys, err))
        return false;
    s->keys = (struct store_keys *)(void *)s->keys_memory.data;
    s->keys->ring = sb->ring;
    s->sealing_epoch = key_ring_current(&sb->ring)->epoch;
    return name_keys_derive(&s->id, sb->ring.store_secret, &s->keys->names, err) &&
           set_hasher_open(&s->hasher, &s->keys->names, err);
}

static void superblock_wipe(struct superblock *sb)
{
    secret_wipe(sb, sizeof *sb);
}
#define SUPERBLOCK_AUTO __attribute__((cleanup(superblock_wipe)))

/* ---- a new store ---- */

static bool remove_leftovers(const char *dir, struct error *err)
{
    const char *const names[] = {data_name, lmdb_lock_name, superblock_names[0],
                                 superblock_names[1]};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_TEXT_MAX];
        if (!join(dir, names[i], path, err))
            return false;
        if (unlink(path) != 0 && errno != ENOENT)
            return fail_io("remove", path, err);
    }
    return true;
}

static bool finish_creating(const char *dir, struct error *err)
{
    char path[PATH_TEXT_MAX];
    if (!join(dir, creating_name, path, err))
        return false;
    if (unlink(path) != 0 && errno != ENOENT)
        return fail_io("remove", path, err);
    return file_sync_dir(dir, err);
}

static bool create_data_file(struct store *s, const struct store_options *o, struct error *err)
{
    if (!open_lmdb(s, o, err) || !map_data_file(s, err) || !view_publish(s, err))
        return false;
    s->checked = true;
    return txn_create(s, err);
}

/* The superblock comes last: with it the store exists. */
static bool create_store(struct store *s, const struct store_options *o, struct error *err)
{
    SUPERBLOCK_AUTO struct superblock sb = {
        .suite = o->key.len > 0 ? SUITE_AES256_GCM : SUITE_NONE,
        .segment_log2 = o->segment_log2 != 0 ? o->segment_log2 : BLOB_SEGMENT_LOG2_DEFAULT,
        .generation = 1,
        .created_s = clock_unix_s()};
    char marker[PATH_TEXT_MAX];
    random_bytes(sb.id.bytes, sizeof sb.id.bytes);
    key_ring_generate(&sb.ring);
    return join(s->data_dir, creating_name, marker, err) &&
           file_write_atomic(marker, slice_str("a store is being made here\n"), 0600, err) &&
           anchor_allows_new(o, err) && remove_leftovers(s->data_dir, err) &&
           adopt_superblock(s, &sb, err) && create_data_file(s, o, err) &&
           blobs_open(s, true, err) && superblock_save(s->data_dir, &sb, o->key, err) &&
           finish_creating(s->data_dir, err) && store_checkpoint(s, err);
}

/* ---- an existing store ---- */

static bool compare_generation(const struct store *s, struct error *err)
{
    return s->state.generation <= s->generation
               ? true
               : error_set(err, "store/rolled-back", "superblock",
                           "the superblock (generation %llu) is older than the data, which has "
                           "seen generation %llu: it was put back from an older copy",
                           (unsigned long long)s->generation,
                           (unsigned long long)s->state.generation);
}

static bool compare_txnid(const struct reading *r, const struct state *state, struct error *err)
{
    return state->txnid == r->view->tree.txnid
               ? true
               : error_set(err, "store/damaged", "data.mdb",
                           "the state row belongs to commit %llu, its file is at %llu",
                           (unsigned long long)state->txnid,
                           (unsigned long long)r->view->tree.txnid);
}

static bool read_state(struct store *s, struct error *err)
{
    READING_AUTO struct reading r = {0};
    struct check_totals totals;
    if (!reading_begin(s, &r, err) || !record_read_state(&r, &s->state, err) ||
        !compare_txnid(&r, &s->state, err) || !compare_generation(s, err))
        return false;
    if (r.view->tree.entries > STORE_EAGER_CHECK_ROWS)
        return true;
    if (!engine_check(&r, &s->state, &totals, err))
        return false;
    s->checked = true;
    return true;
}

/* One copy of the superblock was lost or a change of it was interrupted: write both again, under
 * the key that opened the store. */
static bool repair_superblock(struct store *s, const struct superblock *found,
                              const struct store_options *o, struct error *err)
{
    SUPERBLOCK_AUTO struct superblock sb = *found;
    sb.generation++;
    if (!superblock_save(s->data_dir, &sb, o->key, err))
        return false;
    s->generation = sb.generation;
    return true;
}

static bool open_existing(struct store *s, const struct store_options *o, struct error *err)
{
    SUPERBLOCK_AUTO struct superblock sb = {0};
    bool repair = false;
    if (!superblock_load(s->data_dir, o->key, &sb, &repair, err) ||
        !adopt_superblock(s, &sb, err) || !map_data_file(s, err) || !check_metas(s, err) ||
        (!o->read_only && !open_lmdb(s, o, err)) || !view_publish(s, err) || !read_state(s, err) ||
        !anchor_compare(s, o, err) || !blobs_open(s, false, err))
        return false;
    return o->read_only ||
           ((!repair || repair_superblock(s, &sb, o, err)) && finish_creating(s->data_dir, err));
}

/* ---- store_open ---- */

static bool check_options(const struct store_options *o, struct error *err)
{
    if (o->key.len > 0 && (o->key.len < STORE_MASTER_KEY_MIN || o->key.len > STORE_MASTER_KEY_MAX))
        return error_set(err, "store/key", "key", "a storage key has %d to %d bytes, this one %zu",
                         STORE_MASTER_KEY_MIN, STORE_MASTER_KEY_MAX, o->key.len);
    if (o->segment_log2 != 0 &&
        (o->segment_log2 < BLOB_SEGMENT_LOG2_MIN || o->segment_log2 > BLOB_SEGMENT_LOG2_MAX))
        return error_set(err, "store/option", "segment_log2", "segments have 2^%d to 2^%d bytes",
                         BLOB_SEGMENT_LOG2_MIN, BLOB_SEGMENT_LOG2_MAX);
    return true;
}

static bool make_alive_page(struct store *s, struct error *err)
{
    size_t len = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return error_set(err, "memory", NULL, "out of memory");
    s->alive = page;
    *s->alive = 1;
    return madvise(page, len, MADV_WIPEONFORK) == 0
               ? true
               : error_set(err, "store/internal", NULL, "cannot mark memory for fork(): %s",
                           strerror(errno));
}

static bool copy_path(const char *path, char out[PATH_TEXT_MAX], struct error *err)
{
    size_t len = strlen(path);
    if (len == 0 || len >= PATH_TEXT_MAX)
        return error_set(err, "store/option", path, "not a usable directory name");
    memcpy(out, path, len + 1);
    return true;
}

static bool prepare(struct store *s, const struct store_options *o, struct error *err)
{
    s->read_only = o->read_only;
    if (o->anchor != NULL)
        s->anchor = *o->anchor;
    s->lock_fd = s->data_fd = s->blob_fd = s->upload_fd = -1;
    fair_lock_init(&s->write_lock);
    pthread_mutex_init(&s->lane_lock, NULL);
    pthread_mutex_init(&s->blob_lock, NULL);
    pthread_mutex_init(&s->keys_lock, NULL);
    pthread_mutex_init(&s->admin_lock, NULL);
    pthread_mutex_init(&s->anchor_lock, NULL);
    return copy_path(o->data_dir, s->data_dir, err) && copy_path(o->blob_dir, s->blob_dir, err) &&
           make_alive_page(s, err);
}

/* A superblock means a store, unless the marker says that it was never finished. */
static bool store_exists(const struct store *s)
{
    return (has(s->data_dir, superblock_names[0]) || has(s->data_dir, superblock_names[1])) ||
           (has(s->data_dir, data_name) && !has(s->data_dir, creating_name));
}

/* A copy or a conversion of the store was interrupted; the file says which. */
static bool refuse_unfinished(const struct store *s, struct error *err)
{
    char path[PATH_TEXT_MAX];
    BUF_AUTO struct buf text = BUF_INIT(400);
    if (!join(s->data_dir, unfinished_name, path, err))
        return false;
    if (s->ignore_unfinished || !file_exists(path))
        return true;
    bool legible = file_read(path, &text, NULL) && text.len > 0;
    return error_set(err, "store/unfinished", path, "%s",
                     legible ? buf_cstr(&text) : "something was begun here and not ended");
}

static bool remove_compact(const struct store *s, struct error *err)
{
    char path[PATH_TEXT_MAX];
    if (!join(s->data_dir, compact_name, path, err))
        return false;
    return !file_exists(path) || file_remove_tree(path, err);
}

static bool open_or_create(struct store *s, const struct store_options *o, struct error *err)
{
    if (!store_exists(s) &&
        (!refuse_unfinished(s, err) || !look_through(s->data_dir, false, true, err)))
        return false;
    if (!store_exists(s) && (!o->create || o->read_only))
        return error_set(err, "store/missing", s->data_dir, "there is no store in %s", s->data_dir);
    if (o->create && !o->read_only && !file_make_dirs(s->data_dir, 0700, err))
        return false;
    if (!engine_lock(s->data_dir, s->read_only, &s->lock_fd, err) || !refuse_unfinished(s, err) ||
        (!o->read_only &&
         (!remove_compact(s, err) || !look_through(s->data_dir, true, false, err))))
        return false;
    return store_exists(s) ? open_existing(s, o, err) : create_store(s, o, err);
}

bool engine_open(const struct store_options *options, bool ignore_unfinished, struct store **out,
                 struct error *err)
{
    if (!check_options(options, err))
        return false;
    STORE_AUTO struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    s->ignore_unfinished = ignore_unfinished;
    if (!prepare(s, options, err) || !open_or_create(s, options, err))
        return false;
    s->usable = true;
    *out = s;
    s = NULL;
    return true;
}

bool store_open(const struct store_options *options, struct store **out, struct error *err)
{
    return engine_open(options, false, out, err);
}

/* ---- store_close ---- */

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* In a child after fork() LMDB's environment is the parent's business. */
static void close_datastore(struct store *s, bool alive)
{
    if (alive) {
        view_close_all(s);
        if (s->env != NULL)
            mdb_env_close(s->env);
    }
    session_forget(&s->session);
    set_hasher_free(&s->hasher);
    if (s->map != NULL)
        munmap((void *)(uintptr_t)s->map, s->map_len);
    secret_free(&s->keys_memory);
}

void store_close(struct store **store)
{
    struct store *s = *store;
    if (s == NULL)
        return;
    bool alive = s->alive != NULL && *s->alive == 1;
    if (alive && s->usable) {
        blobs_close(s);
        if (!store_checkpoint(s, NULL))
            s->usable = false; /* the next open does it */
    }
    journal_forget_done(s);
    close_datastore(s, alive);
    close_fd(s->blob_fd);
    close_fd(s->upload_fd);
    close_fd(s->data_fd);
    close_fd(s->lock_fd);
    if (s->alive != NULL)
        munmap(s->alive, (size_t)sysconf(_SC_PAGESIZE));
    fair_lock_destroy(&s->write_lock);
    pthread_mutex_destroy(&s->lane_lock);
    pthread_mutex_destroy(&s->blob_lock);
    pthread_mutex_destroy(&s->keys_lock);
    pthread_mutex_destroy(&s->admin_lock);
    pthread_mutex_destroy(&s->anchor_lock);
    free(s);
    *store = NULL;
}

bool store_is_encrypted(const struct store *s)
{
    return s->suite != SUITE_NONE;
}

/* Also notices that the directory was replaced under the running store. */
bool store_ping(struct store *s, struct error *err)
{
    READING_AUTO struct reading r = {0};
    char path[PATH_TEXT_MAX];
    struct stat held, named;
    struct state state;
    if (!reading_begin(s, &r, err) || !join(s->data_dir, data_name, path, err))
        return false;
    if (fstat(s->data_fd, &held) != 0 || stat(path, &named) != 0 || held.st_ino != named.st_ino ||
        held.st_dev != named.st_dev)
        return error_set(err, "store/replaced", path,
                         "%s is no longer the file that this store has open", path);
    return record_read_state(&r, &state, err);
}
