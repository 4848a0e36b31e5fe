/* Changing keys: rotate (a new data key) and rekey (another KMS key). Both write the two
 * superblocks one after the other, so a crash leaves one that opens; the state row follows. */
#include <string.h>

#include "store/change.h"

void progress_tick(const struct store_progress *p, const char *what, uint64_t done, uint64_t total)
{
    if (p != NULL && p->tick != NULL)
        p->tick(p->ctx, what, done, total);
}

static void superblock_wipe(struct superblock *sb)
{
    secret_wipe(sb, sizeof *sb);
}
#define SUPERBLOCK_AUTO __attribute__((cleanup(superblock_wipe)))

static void ring_wipe(struct key_ring *ring)
{
    secret_wipe(ring, sizeof *ring);
}
#define RING_AUTO __attribute__((cleanup(ring_wipe)))

bool change_check_key(struct store *s, struct slice kms_key, struct error *err)
{
    SUPERBLOCK_AUTO struct superblock sb = {0};
    bool repair;
    if (!engine_alive(s, err))
        return false;
    if (!store_is_encrypted(s))
        return error_set(err, "store/plaintext", s->data_dir,
                         "the store in %s has no keys; encrypt it first", s->data_dir);
    if (s->read_only)
        return error_set(err, "store/read-only", NULL, "the store is open for reading only");
    return superblock_load(s->data_dir, kms_key, &sb, &repair, err);
}

static bool commit_generation(struct store *s, struct error *err)
{
    TXN_AUTO struct txn t = {0};
    return txn_begin(s, &t, err) && txn_commit(&t, err);
}

bool change_superblock(struct store *s, const struct key_ring *ring, struct slice kms_key,
                       struct error *err)
{
    SUPERBLOCK_AUTO struct superblock sb = {.id = s->id,
                                            .suite = s->suite,
                                            .segment_log2 = s->segment_log2,
                                            .created_s = s->created_s,
                                            .ring = *ring};
    fair_lock_take(&s->write_lock);
    sb.generation = s->generation + 1;
    bool ok = superblock_save(s->data_dir, &sb, kms_key, err);
    if (ok)
        s->generation = sb.generation;
    fair_lock_release(&s->write_lock);
    return ok && commit_generation(s, err);
}

static void copy_ring(struct store *s, struct key_ring *out)
{
    pthread_mutex_lock(&s->keys_lock);
    *out = s->keys->ring;
    pthread_mutex_unlock(&s->keys_lock);
}

/* Only once the superblocks hold the new key may anything be sealed under it. */
static void use_ring(struct store *s, const struct key_ring *ring)
{
    fair_lock_take(&s->write_lock);
    pthread_mutex_lock(&s->keys_lock);
    s->keys->ring = *ring;
    pthread_mutex_unlock(&s->keys_lock);
    s->sealing_epoch = key_ring_current(ring)->epoch;
    fair_lock_release(&s->write_lock);
}

bool change_ring(struct store *s, const struct key_ring *ring, struct slice kms_key,
                 struct error *err)
{
    if (!change_superblock(s, ring, kms_key, err))
        return false;
    use_ring(s, ring);
    return true;
}

static bool rotate(struct store *s, struct slice kms_key, struct error *err)
{
    RING_AUTO struct key_ring ring;
    copy_ring(s, &ring);
    uint32_t epoch = key_ring_current(&ring)->epoch;
    if (ring.count == STORE_DATA_KEYS_MAX || epoch == UINT32_MAX)
        return error_set(err, "store/full", "superblock",
                         "the store holds %u data keys, its limit; reseal it first", ring.count);
    struct data_key *fresh = &ring.data_keys[ring.count++];
    fresh->epoch = epoch + 1;
    random_bytes(fresh->key, sizeof fresh->key);
    return change_ring(s, &ring, kms_key, err);
}

bool store_rotate(struct store *s, struct slice kms_key, struct error *err)
{
    if (!change_check_key(s, kms_key, err))
        return false;
    pthread_mutex_lock(&s->admin_lock);
    bool ok = rotate(s, kms_key, err);
    pthread_mutex_unlock(&s->admin_lock);
    return ok;
}

bool store_rekey(struct store *s, struct slice kms_key, struct slice new_kms_key, struct error *err)
{
    RING_AUTO struct key_ring ring;
    if (new_kms_key.len < STORE_MASTER_KEY_MIN || new_kms_key.len > STORE_MASTER_KEY_MAX)
        return error_set(err, "store/key", "key", "a storage key has %d to %d bytes, this one %zu",
                         STORE_MASTER_KEY_MIN, STORE_MASTER_KEY_MAX, new_kms_key.len);
    if (!change_check_key(s, kms_key, err))
        return false;
    pthread_mutex_lock(&s->admin_lock);
    copy_ring(s, &ring);
    bool ok = change_superblock(s, &ring, new_kms_key, err);
    pthread_mutex_unlock(&s->admin_lock);
    return ok;
}
