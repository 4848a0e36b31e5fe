/* The journal of the blobstore, and what opening a store does with it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/blobs.h"

enum { ENTRY_UPLOAD = 'u', ENTRY_REMOVAL = 'd' };

struct journal_done {
    struct journal_done *next;
    struct journal_key key;
};

const struct column *blob_column(uint8_t id)
{
    return column_by_id(id);
}

static struct slice key_slice(const struct journal_key *key)
{
    return slice_of(key->bytes, sizeof key->bytes);
}

bool journal_add_upload(struct txn *t, const uint8_t upload[UPLOAD_ID_LEN],
                        const struct blob_id *root, struct journal_key *out, struct error *err)
{
    out->bytes[0] = ENTRY_UPLOAD;
    memcpy(&out->bytes[1], upload, UPLOAD_ID_LEN);
    return txn_put(t, blob_column(COLUMN_JOURNAL), key_slice(out),
                   slice_of(root->bytes, sizeof root->bytes), err);
}

bool journal_add_removal(struct txn *t, struct slice chunk_ids, struct journal_key *out,
                         struct error *err)
{
    out->bytes[0] = ENTRY_REMOVAL;
    random_bytes(&out->bytes[1], UPLOAD_ID_LEN);
    return txn_put(t, blob_column(COLUMN_JOURNAL), key_slice(out), chunk_ids, err);
}

/* Out of memory: the entry stays and is looked at again when the store is opened, to no effect. */
void journal_done(struct store *s, const struct journal_key *key)
{
    struct journal_done *done = calloc(1, sizeof *done);
    if (done == NULL)
        return;
    done->key = *key;
    done->next = s->journal_done;
    s->journal_done = done;
}

bool journal_clear_done(struct txn *t, struct error *err)
{
    for (const struct journal_done *d = t->store->journal_done; d != NULL; d = d->next)
        if (!txn_delete(t, blob_column(COLUMN_JOURNAL), key_slice(&d->key), NULL, err))
            return false;
    return true;
}

void journal_forget_done(struct store *s)
{
    while (s->journal_done != NULL) {
        struct journal_done *next = s->journal_done->next;
        free(s->journal_done);
        s->journal_done = next;
    }
}

/* ---- at open ---- */

static bool replay_upload(const struct reading *r, const uint8_t *upload, struct slice root_id,
                          struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(STORE_VALUE_MAX);
    struct blob_id id;
    struct blob_root root;
    bool found;
    if (root_id.len != sizeof id.bytes)
        return error_set(err, "store/damaged", "journal", "an upload without a root");
    memcpy(id.bytes, root_id.data, sizeof id.bytes);
    if (!blob_root_find(r, &id, &text, &root, &found, err))
        return false;
    return !found || upload_promote(r->store, upload, root.links, err);
}

static bool chunk_is_live(const struct reading *r, const uint8_t *id, bool *live, struct error *err)
{
    struct disk_key row;
    struct slice sealed;
    return disk_key_make(&r->store->keys->names, blob_column(COLUMN_CHUNKS),
                         slice_of(id, CHUNK_ID_LEN), &row, err) &&
           page_tree_get(&r->view->tree, disk_key_slice(&row), &sealed, live, err);
}

/* A chunk that was stored again since keeps its file. */
static bool replay_removal(const struct reading *r, struct slice ids, struct error *err)
{
    for (uint64_t i = 0; i < ids.len / CHUNK_ID_LEN; i++) {
        struct slice id = slice_cut(ids, i * CHUNK_ID_LEN, CHUNK_ID_LEN);
        bool live;
        if (!chunk_is_live(r, id.data, &live, err) ||
            (!live && !chunk_files_unlink(r->store, id, err)))
            return false;
    }
    return true;
}

static bool replay_entry(const struct reading *r, struct slice key, struct slice value,
                         struct error *err)
{
    struct journal_key done;
    if (key.len != sizeof done.bytes)
        return error_set(err, "store/damaged", "journal", "an entry of unknown shape");
    memcpy(done.bytes, key.data, key.len);
    bool ok = key.data[0] == ENTRY_UPLOAD ? replay_upload(r, &key.data[1], value, err)
                                          : replay_removal(r, value, err);
    if (ok)
        journal_done(r->store, &done);
    return ok;
}

static bool replay_kind(struct store *s, struct store_snapshot *snapshot, uint8_t kind,
                        struct error *err)
{
    STORE_CURSOR_AUTO struct store_cursor *c = NULL;
    READING_AUTO struct reading r = {0};
    bool found = true;
    if (!store_cursor_open(snapshot, "_journal", slice_str(""), &c, err) ||
        !reading_begin(s, &r, err))
        return false;
    while (found) {
        struct slice key, value;
        if (!store_cursor_next(c, &key, &value, &found, err))
            return false;
        if (found && key.len > 0 && key.data[0] == kind && !replay_entry(&r, key, value, err))
            return false;
    }
    return true;
}

/* Uploads first: a removal must see the chunks that they brought back. Entries that were done
 * already are done again, to no effect. */
bool journal_replay(struct store *s, struct error *err)
{
    STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
    if (s->read_only)
        return true;
    journal_forget_done(s);
    return store_snapshot_open(s, &snapshot, err) && replay_kind(s, snapshot, ENTRY_UPLOAD, err) &&
           (s->unlink_holds > 0 || replay_kind(s, snapshot, ENTRY_REMOVAL, err));
}

static bool empty_uploads(struct store *s, struct error *err)
{
    int fd = openat(s->blob_fd, uploads_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL) {
        if (fd >= 0)
            close(fd);
        return blob_io_failed("list", uploads_name, err);
    }
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            unlinkat(s->upload_fd, e->d_name, 0) != 0)
            ok = blob_io_failed("remove", e->d_name, err);
    closedir(d);
    return ok;
}

bool blobs_open(struct store *s, bool create, struct error *err)
{
    if (!blob_dirs_open(s, create, err))
        return false;
    return s->read_only || (journal_replay(s, err) && empty_uploads(s, err));
}

void blobs_close(struct store *s)
{
    TXN_AUTO struct txn t = {0};
    if (s->journal_done != NULL && !s->broken && txn_begin(s, &t, NULL) &&
        journal_clear_done(&t, NULL) && !txn_commit(&t, NULL))
        s->broken = true; /* the entries stay; they are harmless */
}
