/* Anchors: comparing a store with the mark that it left outside, and the local-file anchor.
 * Source: docs/format.md, "Rollback". */
#include "store/anchor.h"

#include <string.h>

#include "base/codec.h"
#include "base/hash.h"
#include "store/engine.h"

/* ---- the store's side ---- */

static void mark_of(const struct store *s, const struct state *state, struct store_mark *out)
{
    uint8_t root[STATE_ROOT_LEN];
    memcpy(out->store_id, s->id.bytes, sizeof out->store_id);
    out->counter = state->counter;
    set_root_encode(&state->root, root);
    anchor_root(&s->keys->names, state->counter, root, out->root);
}

bool store_checkpoint(struct store *s, struct error *err)
{
    struct store_mark mark;
    if (s->anchor.advance == NULL || s->read_only)
        return true;
    if (!engine_alive(s, err))
        return false;
    pthread_mutex_lock(&s->anchor_lock);
    fair_lock_take(&s->write_lock);
    mark_of(s, &s->state, &mark);
    fair_lock_release(&s->write_lock);
    bool ok = mark.counter == s->anchored || s->anchor.advance(s->anchor.ctx, &mark, err);
    if (ok)
        s->anchored = mark.counter;
    pthread_mutex_unlock(&s->anchor_lock);
    return ok;
}

static bool rolled_back(const struct store_mark *known, const struct store_mark *found,
                        struct error *err)
{
    if (memcmp(known->store_id, found->store_id, sizeof known->store_id) != 0)
        return error_set(err, "store/rolled-back", "anchor",
                         "the anchor belongs to another store: this one was put in its place");
    if (known->counter == found->counter)
        return error_set(err, "store/rolled-back", "anchor",
                         "the store is another copy of commit %llu than the anchor knows",
                         (unsigned long long)known->counter);
    return error_set(err, "store/rolled-back", "anchor",
                     "the store is at commit %llu, the anchor knows commit %llu: an old copy was "
                     "put back; accept that explicitly if it was you",
                     (unsigned long long)found->counter, (unsigned long long)known->counter);
}

bool anchor_compare(struct store *s, const struct store_options *o, struct error *err)
{
    struct store_mark known, found;
    bool any;
    if (s->anchor.read == NULL)
        return true;
    if (!s->anchor.read(s->anchor.ctx, &known, &any, err))
        return false;
    mark_of(s, &s->state, &found);
    bool same_store = any && memcmp(known.store_id, found.store_id, sizeof known.store_id) == 0;
    bool newest =
        !any || (same_store && (found.counter > known.counter ||
                                (found.counter == known.counter &&
                                 memcmp(known.root, found.root, sizeof known.root) == 0)));
    if (!newest && !o->accept_rollback)
        return rolled_back(&known, &found, err);
    if (!newest && !s->read_only &&
        !txn_accept_rollback(s, same_store ? known.counter : found.counter, err))
        return false;
    return store_checkpoint(s, err);
}

bool anchor_allows_new(const struct store_options *o, struct error *err)
{
    struct store_mark known;
    bool any = false;
    if (o->anchor == NULL || o->accept_rollback)
        return true;
    if (!o->anchor->read(o->anchor->ctx, &known, &any, err))
        return false;
    return !any ? true
                : error_set(err, "store/rolled-back", "anchor",
                            "the anchor knows commit %llu of a store, and there is none here",
                            (unsigned long long)known.counter);
}

/* ---- a local file ---- */

enum { FILE_BODY = 8 + 16 + 8 + 32, FILE_LEN = FILE_BODY + SHA256_LEN };
static const char file_magic[] = "MEROANC1";

static bool file_load(void *ctx, struct store_mark *out, bool *found, struct error *err)
{
    const struct anchor_file *file = ctx;
    BUF_AUTO struct buf text = BUF_INIT(FILE_LEN);
    uint8_t digest[SHA256_LEN];
    struct error why = {0};
    if (!file_read(file->path, &text, &why)) {
        *found = false;
        return error_is(&why, "file/missing") ||
               error_set(err, "store/anchor", file->path, "%s", why.message);
    }
    struct slice all = buf_slice(&text), body = slice_cut(all, 0, FILE_BODY);
    sha256(body, digest);
    if (all.len != FILE_LEN || !slice_equal(slice_cut(body, 0, 8), slice_of(file_magic, 8)) ||
        !slice_equal(slice_cut(all, FILE_BODY, SHA256_LEN), slice_of(digest, sizeof digest)))
        return error_set(err, "store/anchor", file->path, "%s is not an anchor file, or is damaged",
                         file->path);
    memcpy(out->store_id, &body.data[8], sizeof out->store_id);
    out->counter = load_u64be(&body.data[24]);
    memcpy(out->root, &body.data[32], sizeof out->root);
    *found = true;
    return true;
}

static bool file_advance(void *ctx, const struct store_mark *mark, struct error *err)
{
    const struct anchor_file *file = ctx;
    uint8_t text[FILE_LEN + 1], digest[SHA256_LEN];
    struct buf b = BUF_FIXED(text);
    buf_append(&b, slice_of(file_magic, 8));
    buf_append(&b, slice_of(mark->store_id, sizeof mark->store_id));
    buf_append_be(&b, mark->counter, 8);
    buf_append(&b, slice_of(mark->root, sizeof mark->root));
    sha256(buf_slice(&b), digest);
    buf_append(&b, slice_of(digest, sizeof digest));
    return file_write_atomic(file->path, buf_slice(&b), 0600, err);
}

bool anchor_file_use(struct anchor_file *file, const char *path, struct store_anchor *out,
                     struct error *err)
{
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof file->path)
        return error_set(err, "store/option", path, "not a usable path for an anchor file");
    memcpy(file->path, path, len + 1);
    *out = (struct store_anchor){.read = file_load, .advance = file_advance, .ctx = file};
    return true;
}
