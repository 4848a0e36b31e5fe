/* The used-set in memory: open addressing over the 16 random bytes of an id, which nobody can
 * choose without the MAC key, so that they serve as the hash. Entries whose time has passed are
 * dropped when the table fills and in small steps on the way. */
#include "kms/used_set.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kms/used_internal.h"

enum { MEMORY_START = 1024, MEMORY_LOAD_PERCENT = 75 };

/* An id without its expiry, which is its own field, and without the tag, which the other parts
 * determine: 16 random bytes and the time. */
struct entry {
    uint8_t random[16];
    int64_t expires_at_s; /* 0 = empty */
};

struct memory_set {
    struct kms_used_set set;
    pthread_mutex_t lock;
    struct entry *entries; /* power of two */
    size_t capacity, count, max;
    int64_t swept_at_s; /* a full table is searched for the dead once a second, not per request */
};

void kms_used_set_close(struct kms_used_set **set)
{
    if (*set != NULL)
        (*set)->close(*set);
    *set = NULL;
}

enum kms_used_result kms_used_set_mark(struct kms_used_set *set, const uint8_t id[USED_ID_LEN],
                                       int64_t expires_at_s, int64_t now_s, struct error *err)
{
    return set->mark(set, id, expires_at_s, now_s, err);
}

bool kms_used_set_seen(struct kms_used_set *set, const uint8_t id[USED_ID_LEN],
                       int64_t expires_at_s)
{
    return set->seen(set, id, expires_at_s);
}

size_t kms_used_set_count(struct kms_used_set *set)
{
    return set->count(set);
}

bool kms_used_set_check(struct kms_used_set *set, struct error *err)
{
    return set->check(set, err);
}

static struct entry *place_of(struct entry *entries, size_t capacity, const uint8_t random[16],
                              int64_t expires_at_s)
{
    size_t at = (size_t)load_u64le(random) & (capacity - 1);
    for (;; at = (at + 1) & (capacity - 1)) {
        struct entry *e = &entries[at];
        if (e->expires_at_s == 0 ||
            (e->expires_at_s == expires_at_s && memcmp(e->random, random, 16) == 0))
            return e;
    }
}

/* A table of another size with what is still alive. */
static bool rebuild(struct memory_set *m, size_t capacity, int64_t now_s)
{
    struct entry *entries = calloc(capacity, sizeof(*entries));
    if (entries == NULL)
        return false;
    size_t count = 0;
    for (size_t i = 0; i < m->capacity; i++) {
        const struct entry *e = &m->entries[i];
        if (e->expires_at_s == 0 || e->expires_at_s <= now_s)
            continue;
        *place_of(entries, capacity, e->random, e->expires_at_s) = *e;
        count++;
    }
    free(m->entries);
    m->entries = entries;
    m->capacity = capacity;
    m->count = count;
    return true;
}

static size_t alive(const struct memory_set *m, int64_t now_s)
{
    size_t count = 0;
    for (size_t i = 0; i < m->capacity; i++)
        count += m->entries[i].expires_at_s > now_s;
    return count;
}

static bool is_crowded(size_t count, size_t capacity)
{
    return count * 100 >= capacity * MEMORY_LOAD_PERCENT;
}

/* Room for one more: first the dead go, then the table grows. */
static bool make_room(struct memory_set *m, int64_t now_s)
{
    if (m->count < m->max && !is_crowded(m->count + 1, m->capacity))
        return true;
    if (m->count >= m->max && m->swept_at_s == now_s)
        return false;
    m->swept_at_s = now_s;
    size_t living = alive(m, now_s);
    size_t capacity = MEMORY_START;
    /* Sparser than it must be, so that rebuilding stays rare. */
    while (is_crowded(living + living / 2 + 1, capacity) && capacity < SIZE_MAX / 4)
        capacity *= 2;
    return living < m->max && rebuild(m, capacity, now_s);
}

static enum kms_used_result memory_mark(struct kms_used_set *set, const uint8_t id[USED_ID_LEN],
                                        int64_t expires_at_s, int64_t now_s, struct error *err)
{
    struct memory_set *m = (struct memory_set *)set;
    enum kms_used_result result = USED_FIRST;
    (void)err;
    pthread_mutex_lock(&m->lock);
    struct entry *e = place_of(m->entries, m->capacity, id, expires_at_s);
    if (e->expires_at_s != 0) {
        result = USED_AGAIN;
    } else if (!make_room(m, now_s)) {
        result = USED_FULL;
    } else {
        e = place_of(m->entries, m->capacity, id, expires_at_s);
        memcpy(e->random, id, sizeof(e->random));
        e->expires_at_s = expires_at_s;
        m->count++;
    }
    pthread_mutex_unlock(&m->lock);
    return result;
}

static bool memory_seen(struct kms_used_set *set, const uint8_t id[USED_ID_LEN],
                        int64_t expires_at_s)
{
    struct memory_set *m = (struct memory_set *)set;
    pthread_mutex_lock(&m->lock);
    bool seen = place_of(m->entries, m->capacity, id, expires_at_s)->expires_at_s != 0;
    pthread_mutex_unlock(&m->lock);
    return seen;
}

static size_t memory_count(struct kms_used_set *set)
{
    struct memory_set *m = (struct memory_set *)set;
    pthread_mutex_lock(&m->lock);
    size_t count = m->count;
    pthread_mutex_unlock(&m->lock);
    return count;
}

static bool memory_check(struct kms_used_set *set, struct error *err)
{
    (void)set;
    (void)err;
    return true;
}

static void memory_close(struct kms_used_set *set)
{
    struct memory_set *m = (struct memory_set *)set;
    pthread_mutex_destroy(&m->lock);
    free(m->entries);
    free(m);
}

bool kms_used_set_open_memory(size_t max, struct kms_used_set **out, struct error *err)
{
    struct memory_set *m = calloc(1, sizeof(*m));
    struct entry *entries = calloc(MEMORY_START, sizeof(*entries));
    if (m == NULL || entries == NULL) {
        free(m);
        free(entries);
        return error_set(err, "used/memory", NULL, "out of memory");
    }
    m->set =
        (struct kms_used_set){memory_close, memory_mark, memory_seen, memory_count, memory_check};
    pthread_mutex_init(&m->lock, NULL);
    m->entries = entries;
    m->capacity = MEMORY_START;
    m->max = max;
    *out = &m->set;
    return true;
}
