/* Views: committed states that readers hold without locks or LMDB calls; lanes: what each reader
 * needs to itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/engine.h"

bool engine_alive(const struct store *s, struct error *err)
{
    const volatile uint8_t *alive = s->alive;
    if (*alive == 1)
        return true;
    return error_set(err, "store/forked", NULL,
                     "the store was opened by the parent of this process; open it after fork()");
}

bool engine_data_key(struct store *s, uint32_t epoch, struct data_key *out)
{
    pthread_mutex_lock(&s->keys_lock);
    const struct key_ring *ring = &s->keys->ring;
    const struct data_key *key = epoch == 0 ? key_ring_current(ring) : key_ring_find(ring, epoch);
    if (key != NULL)
        *out = *key;
    pthread_mutex_unlock(&s->keys_lock);
    return key != NULL;
}

bool engine_lmdb_failed(int rc, const char *doing, struct error *err)
{
    switch (rc) {
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
        return error_set(err, "store/full", "data.mdb", "no space left to %s", doing);
    case MDB_READERS_FULL:
        return error_set(err, "store/busy", NULL, "more than %d snapshots are open",
                         STORE_READERS_MAX);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return error_set(err, "store/damaged", "data.mdb", "cannot %s: %s", doing,
                         mdb_strerror(rc));
    case ENOMEM:
        return error_set(err, "memory", NULL, "out of memory: cannot %s", doing);
    case EROFS:
        return error_set(err, "store/read-only", "data.mdb", "cannot %s: the disk is read-only",
                         doing);
    default:
        return error_set(err, "store/io", "data.mdb", "cannot %s: %s", doing, mdb_strerror(rc));
    }
}

/* ---- views ---- */

/* Ends the LMDB transaction of a view that nobody holds any more. */
static void view_drop(struct view *v)
{
    if (v == NULL)
        return;
    if (v->txn != NULL)
        mdb_txn_abort(v->txn);
    free(v);
}

/* With lane_lock held: the view to drop after unlocking, or NULL. */
static struct view *view_release(struct store *s, struct view *v)
{
    if (v == NULL || --v->refs > 0)
        return NULL;
    s->view_count--;
    return v;
}

static bool view_fill(struct store *s, struct view *v, struct error *err)
{
    struct stat st;
    if (s->env != NULL) {
        int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &v->txn);
        if (rc != 0)
            return engine_lmdb_failed(rc, "begin reading", err);
    }
    if (fstat(s->data_fd, &st) != 0)
        return error_set(err, "store/io", "data.mdb", "cannot look at data.mdb: %s",
                         strerror(errno));
    size_t len = (size_t)st.st_size < s->map_len ? (size_t)st.st_size : s->map_len;
    if (!page_tree_open((struct page_file){s->map, len}, &v->tree, err))
        return false;
    if (v->txn != NULL && v->tree.txnid != mdb_txn_id(v->txn))
        return error_set(err, "store/damaged", "data.mdb", "the meta pages change under the store");
    return true;
}

bool view_publish(struct store *s, struct error *err)
{
    struct view *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    fresh->refs = 1;
    if (!view_fill(s, fresh, err)) {
        view_drop(fresh);
        return false;
    }
    pthread_mutex_lock(&s->lane_lock);
    struct view *stale = view_release(s, s->view);
    s->view = fresh;
    s->view_count++;
    pthread_mutex_unlock(&s->lane_lock);
    view_drop(stale);
    return true;
}

/* ---- lanes ---- */

static void lane_free(struct lane *l)
{
    for (size_t i = 0; i < STORE_CONTEXTS_PER_LANE; i++)
        sealer_free(&l->contexts[i].sealer);
    buf_free(&l->plain);
    free(l);
}

/* With lane_lock held. */
static struct lane *lane_pop(struct store *s)
{
    struct lane *l = s->idle_lanes;
    if (l != NULL) {
        s->idle_lanes = l->next;
        s->idle_count--;
    }
    return l;
}

static struct lane *lane_new(void)
{
    struct lane *l = calloc(1, sizeof *l);
    if (l != NULL)
        l->plain = BUF_INIT_SECRET((size_t)STORE_VALUE_MAX + DISK_KEY_MAX + 64);
    return l;
}

/* `from` NULL: the published view. */
static bool reading_take(struct store *s, struct view *from, struct reading *r, struct error *err)
{
    pthread_mutex_lock(&s->lane_lock);
    struct view *v = from != NULL ? from : s->view;
    v->refs++;
    struct lane *l = lane_pop(s);
    pthread_mutex_unlock(&s->lane_lock);
    *r = (struct reading){s, v, l != NULL ? l : lane_new()};
    if (r->lane != NULL)
        return true;
    reading_end(r);
    return error_set(err, "memory", NULL, "out of memory");
}

bool reading_begin(struct store *s, struct reading *r, struct error *err)
{
    return engine_alive(s, err) && reading_take(s, NULL, r, err);
}

bool reading_share(const struct reading *from, struct reading *r, struct error *err)
{
    return engine_alive(from->store, err) && reading_take(from->store, from->view, r, err);
}

void reading_end(struct reading *r)
{
    struct store *s = r->store;
    if (s == NULL)
        return;
    /* A lane that met one large value does not hold on to its memory. */
    if (r->lane != NULL && r->lane->plain.cap > BLOB_CHUNK_SIZE)
        buf_free(&r->lane->plain);
    pthread_mutex_lock(&s->lane_lock);
    struct view *stale = view_release(s, r->view);
    if (r->lane != NULL && s->idle_count < STORE_IDLE_LANES_MAX) {
        r->lane->next = s->idle_lanes;
        s->idle_lanes = r->lane;
        s->idle_count++;
        r->lane = NULL;
    }
    pthread_mutex_unlock(&s->lane_lock);
    if (r->lane != NULL)
        lane_free(r->lane);
    view_drop(stale);
    *r = (struct reading){0};
}

void view_close_all(struct store *s)
{
    while (s->idle_lanes != NULL)
        lane_free(lane_pop(s));
    view_drop(s->view);
    s->view = NULL;
}
