/* A data file is copied row by row in key order: the copy has no free pages, and its pages are as
 * full as they can be. */
#include "store/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BATCH_BYTES = 32 * 1024 * 1024, COPY_PIECE = 1024 * 1024 };

/* ---- rows ---- */

struct copying {
    const struct reading *from;
    MDB_env *env;
    MDB_txn *txn;
    MDB_cursor *cursor;
    size_t batch;
    uint8_t *live_sessions; /* a bit each; NULL: all of them */
    uint32_t sessions;
    uint64_t done;
};

static void copying_end(struct copying *c)
{
    if (c->cursor != NULL)
        mdb_cursor_close(c->cursor);
    if (c->txn != NULL)
        mdb_txn_abort(c->txn);
    if (c->env != NULL)
        mdb_env_close(c->env);
    free(c->live_sessions);
}

static int begin(struct copying *c)
{
    MDB_dbi dbi;
    int rc = mdb_txn_begin(c->env, NULL, 0, &c->txn);
    if (rc == 0)
        rc = mdb_dbi_open(c->txn, NULL, 0, &dbi);
    return rc == 0 ? mdb_cursor_open(c->txn, dbi, &c->cursor) : rc;
}

static int commit(struct copying *c)
{
    MDB_txn *txn = c->txn;
    mdb_cursor_close(c->cursor);
    c->cursor = NULL;
    c->txn = NULL;
    return mdb_txn_commit(txn);
}

static int put(struct copying *c, struct slice key, struct slice value, unsigned flags)
{
    MDB_val k = {key.len, (void *)(uintptr_t)key.data};
    MDB_val v = {value.len, (void *)(uintptr_t)value.data};
    int rc = mdb_cursor_put(c->cursor, &k, &v, flags);
    c->batch += key.len + value.len;
    if (rc != 0 || c->batch < COPY_BATCH_BYTES)
        return rc;
    c->batch = 0;
    rc = commit(c);
    return rc == 0 ? begin(c) : rc;
}

static bool is_dead_session(const struct copying *c, struct slice key)
{
    struct reader r = reader_of(slice_cut(key, 1, key.len));
    uint32_t number = reader_u32be(&r);
    return c->live_sessions != NULL && key.data[0] == ROW_SESSION && number <= c->sessions &&
           (c->live_sessions[number / 8] & 1U << number % 8) == 0;
}

static bool copy_rows(struct copying *c, const struct store_progress *progress, struct error *err)
{
    const struct page_tree *tree = &c->from->view->tree;
    struct page_cursor at;
    const uint8_t first = ROW_SESSION; /* the state row is made anew */
    bool found = true;
    if (!page_cursor_seek(&at, tree, slice_of(&first, 1), err))
        return false;
    for (;;) {
        struct slice key, value;
        if (!page_cursor_next(&at, &key, &value, &found, err))
            return false;
        if (!found)
            return true;
        int rc = is_dead_session(c, key) ? 0 : put(c, key, value, MDB_APPEND);
        if (rc != 0)
            return engine_lmdb_failed(rc, "copy a record", err);
        if (++c->done % 1024 == 0)
            progress_tick(progress, "records", c->done, tree->entries);
    }
}

static bool mark_sessions(struct copying *c, uint32_t sessions, struct error *err)
{
    const uint8_t first = COLUMN_FIRST;
    struct page_cursor at;
    bool found = true;
    c->sessions = sessions;
    c->live_sessions = calloc(1, (size_t)sessions / 8 + 1);
    if (c->live_sessions == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!page_cursor_seek(&at, &c->from->view->tree, slice_of(&first, 1), err))
        return false;
    for (;;) {
        struct slice key, value;
        if (!page_cursor_next(&at, &key, &value, &found, err))
            return false;
        if (!found)
            return true;
        struct reader head = reader_of(value);
        uint32_t number = reader_u32be(&head);
        if (number <= sessions)
            c->live_sessions[number / 8] |= (uint8_t)(1U << number % 8);
    }
}

/* The copy's state row is sealed in a session of its own: the source may go on counting in its. */
static bool put_state(struct copying *c, struct state *state, struct session *session,
                      struct error *err)
{
    uint8_t row_text[SESSION_ROW_LEN + 1], random[6];
    uint8_t text[STATE_TEXT_MAX + 1], sealed[STATE_TEXT_MAX + RECORD_OVERHEAD];
    struct buf row = BUF_FIXED(row_text), plain = BUF_FIXED(text);
    struct disk_key key;
    state->sessions++;
    state->txnid = mdb_txn_id(c->txn);
    state->generation = c->from->store->generation;
    state_encode(state, &plain);
    if (!session_start(c->from->store, state->sessions, session, err))
        return false;
    session_row(c->from->store, session, &key, &row);
    int rc = put(c, disk_key_slice(&key), buf_slice(&row), 0);
    if (rc != 0)
        return engine_lmdb_failed(rc, "copy the state", err);
    disk_key_state(&key);
    random_bytes(random, sizeof random);
    session->records = 1;
    if (plain.failed || !record_seal(c->from->store, session, random, disk_key_slice(&key),
                                     buf_slice(&plain), sealed, err))
        return false;
    rc = put(c, disk_key_slice(&key), slice_of(sealed, plain.len + RECORD_OVERHEAD), 0);
    return rc == 0 ? true : engine_lmdb_failed(rc, "copy the state", err);
}

static bool finish(struct copying *c, struct state *state, struct error *err)
{
    struct session session = {0};
    c->batch = 0; /* what is left belongs into one commit */
    bool ok = put_state(c, state, &session, err);
    session_forget(&session);
    if (!ok)
        return false;
    int rc = commit(c);
    if (rc == 0)
        rc = mdb_env_sync(c->env, 1);
    return rc == 0 ? true : engine_lmdb_failed(rc, "sync the copy", err);
}

bool copy_data_file(const struct reading *r, const char *dir, bool live_sessions_only,
                    const struct store_progress *progress, struct error *err)
{
    __attribute__((cleanup(copying_end))) struct copying c = {.from = r};
    struct state state;
    if (!record_read_state(r, &state, err) ||
        (live_sessions_only && !mark_sessions(&c, state.sessions, err)))
        return false;
    int rc = engine_open_env(&c.env, dir, MDB_NOSYNC);
    if (rc == 0)
        rc = begin(&c);
    if (rc != 0)
        return engine_lmdb_failed(rc, "start the copy", err);
    return copy_rows(&c, progress, err) && finish(&c, &state, err);
}

/* ---- files ---- */

static bool copy_failed(const char *doing, const char *path, struct error *err)
{
    return blob_io_failed(doing, path, err);
}

static bool copy_bytes(int from, int to, const char *name, struct error *err)
{
    uint8_t *piece = malloc(COPY_PIECE);
    bool ok = piece != NULL || error_set(err, "memory", NULL, "out of memory");
    while (ok) {
        ssize_t n = read(from, piece, COPY_PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            ok = copy_failed("read", name, err);
        else if (n == 0)
            break;
        else
            ok = fd_write_all(to, slice_of(piece, (size_t)n), err);
    }
    free(piece);
    return ok && (fsync(to) == 0 || copy_failed("sync", name, err));
}

bool copy_file(const char *from_dir, const char *to_dir, const char *name, struct error *err)
{
    char from_path[PATH_TEXT_MAX], to_path[PATH_TEXT_MAX];
    if (!path_join(from_dir, name, from_path, err) || !path_join(to_dir, name, to_path, err))
        return false;
    int from = open(from_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return errno == ENOENT
                   ? error_set(err, "store/damaged", from_path, "%s is missing", from_path)
                   : copy_failed("open", from_path, err);
    int to = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = to >= 0 || copy_failed("create", to_path, err);
    ok = ok && copy_bytes(from, to, to_path, err);
    close(from);
    if (to >= 0)
        close(to);
    return ok;
}

bool copy_target(const char *dir, struct error *err)
{
    if (!file_make_dirs(dir, 0700, err))
        return false;
    DIR *d = opendir(dir);
    if (d == NULL)
        return copy_failed("list", dir, err);
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            strcmp(e->d_name, "lost+found") != 0 && strcmp(e->d_name, unfinished_name) != 0)
            ok = error_set(err, "store/foreign", dir, "%s is not empty (it holds %s)", dir,
                           e->d_name);
    closedir(d);
    return ok;
}

bool write_unfinished(const char *dir, const char *text, struct error *err)
{
    char path[PATH_TEXT_MAX];
    return path_join(dir, unfinished_name, path, err) &&
           file_write_atomic(path, slice_str(text), 0600, err);
}

bool remove_unfinished(const char *dir, struct error *err)
{
    char path[PATH_TEXT_MAX];
    if (!path_join(dir, unfinished_name, path, err))
        return false;
    if (unlink(path) != 0 && errno != ENOENT)
        return copy_failed("remove", path, err);
    return file_sync_dir(dir, err);
}
