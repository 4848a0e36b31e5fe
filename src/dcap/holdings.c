/* A table of entries, each loaded by one thread at a time. */
#include "dcap/holdings.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct holding {
    atomic_uint holders;
    struct collateral documents;
    struct trusted_collateral *trusted;
};

/* One platform model. Everything is guarded by holdings.lock. */
struct entry {
    enum tee_type tee;
    struct attester *attester; /* held: the one that the entry was made for tells FMSPC and CA */
    struct holding *holding;   /* held; NULL until the first load succeeded */
    bool loading;
    unsigned users;    /* threads that look at the entry without the lock or wait for it */
    uint64_t loads;    /* finished ones */
    struct error last; /* of the last load; no code = it succeeded */
    uint64_t used;
};

struct holdings {
    pthread_mutex_t lock;
    pthread_cond_t loaded;
    const struct gatherer *gatherer;
    const struct dcap_root *root;
    uint64_t clock;
    size_t count;
    struct entry *entries[PLATFORMS_MAX];
};

const struct trusted_collateral *holding_trusted(const struct holding *h)
{
    return h->trusted;
}

const struct collateral *holding_documents(const struct holding *h)
{
    return &h->documents;
}

static struct holding *holding_hold(struct holding *h)
{
    atomic_fetch_add_explicit(&h->holders, 1, memory_order_relaxed);
    return h;
}

void holding_drop(struct holding **h)
{
    struct holding *mine = *h;
    *h = NULL;
    if (mine == NULL || atomic_fetch_sub_explicit(&mine->holders, 1, memory_order_acq_rel) != 1)
        return;
    trusted_collateral_close(&mine->trusted);
    collateral_free(&mine->documents);
    free(mine);
}

bool holdings_open(const struct gatherer *gatherer, const struct dcap_root *root,
                   struct holdings **out, struct error *err)
{
    struct holdings *h = calloc(1, sizeof *h);
    if (h == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->loaded, NULL);
    h->gatherer = gatherer;
    h->root = root;
    *out = h;
    return true;
}

static void entry_free(struct entry *e)
{
    holding_drop(&e->holding);
    attester_drop(&e->attester);
    free(e);
}

void holdings_close(struct holdings **h)
{
    struct holdings *mine = *h;
    *h = NULL;
    if (mine == NULL)
        return;
    for (size_t i = 0; i < mine->count; i++)
        entry_free(mine->entries[i]);
    pthread_cond_destroy(&mine->loaded);
    pthread_mutex_destroy(&mine->lock);
    free(mine);
}

static bool same_platform(const struct entry *e, enum tee_type tee, const struct attester *attester)
{
    const struct attester_facts *a = attester_facts(e->attester), *b = attester_facts(attester);
    return e->tee == tee && memcmp(a->fmspc, b->fmspc, sizeof a->fmspc) == 0 &&
           memcmp(a->issuer.point, b->issuer.point, sizeof a->issuer.point) == 0 &&
           slice_equal(a->issuer.subject, b->issuer.subject);
}

/* A place for a new entry; the least recently used idle one goes when all are taken. */
static struct entry **free_place(struct holdings *h)
{
    struct entry **oldest = NULL;
    if (h->count < PLATFORMS_MAX)
        return &h->entries[h->count++];
    for (size_t i = 0; i < h->count; i++) {
        struct entry **at = &h->entries[i];
        if ((*at)->users == 0 && (oldest == NULL || (*at)->used < (*oldest)->used))
            oldest = at;
    }
    if (oldest != NULL)
        entry_free(*oldest);
    return oldest;
}

static struct entry *find_entry(struct holdings *h, enum tee_type tee, struct attester *attester)
{
    for (size_t i = 0; i < h->count; i++)
        if (same_platform(h->entries[i], tee, attester))
            return h->entries[i];
    struct entry *fresh = calloc(1, sizeof *fresh);
    struct entry **place = fresh != NULL ? free_place(h) : NULL;
    if (place == NULL) {
        free(fresh);
        return NULL;
    }
    fresh->tee = tee;
    fresh->attester = attester_hold(attester);
    return *place = fresh;
}

/* Gathers and verifies, without the lock. */
static bool load(const struct holdings *h, const struct gather_wish *wish, int64_t now_s,
                 struct holding **out, struct error *err)
{
    HOLDING_AUTO struct holding *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    atomic_init(&fresh->holders, 1);
    collateral_init(&fresh->documents);
    if (!gather_collateral(h->gatherer, wish, now_s, &fresh->documents, err) ||
        !trusted_collateral_open(&fresh->documents, wish->issuer, h->root, &fresh->trusted, err) ||
        !trusted_collateral_check_dates(fresh->trusted, now_s, err))
        return false;
    *out = fresh;
    fresh = NULL;
    return true;
}

static struct gather_wish wish_of(enum tee_type tee, const struct attester *attester)
{
    const struct attester_facts *facts = attester_facts(attester);
    struct gather_wish wish = {.tee = tee, .issuer = &facts->issuer};
    memcpy(wish.fmspc, facts->fmspc, sizeof wish.fmspc);
    return wish;
}

/* Called and returns with the lock; gives it up in between. */
static bool load_entry(struct holdings *h, struct entry *e, bool refresh, int64_t now_s,
                       struct error *err)
{
    struct holding *fresh = NULL, *gone = NULL;
    struct error why = {.code = NULL};
    struct gather_wish wish = wish_of(e->tee, e->attester);
    wish.refresh = refresh;
    e->loading = true;
    pthread_mutex_unlock(&h->lock);
    bool ok = load(h, &wish, now_s, &fresh, &why);
    pthread_mutex_lock(&h->lock);
    if (ok) {
        gone = e->holding;
        e->holding = fresh;
    } else if (err != NULL) {
        *err = why;
    }
    e->last = why;
    if (ok)
        e->last.code = NULL;
    e->loads++;
    e->loading = false;
    pthread_cond_broadcast(&h->loaded);
    holding_drop(&gone);
    return ok;
}

static bool counts(const struct entry *e, int64_t now_s)
{
    return e->holding != NULL && trusted_collateral_check_dates(e->holding->trusted, now_s, NULL);
}

/* Waits for another thread's load. False when it failed: then this one would too. */
static bool wait_for_load(struct holdings *h, struct entry *e, struct error *err)
{
    uint64_t before = e->loads;
    while (e->loading && e->loads == before)
        pthread_cond_wait(&h->loaded, &h->lock);
    if (e->last.code == NULL)
        return true;
    if (err != NULL)
        *err = e->last;
    return false;
}

static bool get_locked(struct holdings *h, struct entry *e, int64_t now_s, struct error *err)
{
    while (!counts(e, now_s)) {
        if (e->loading ? !wait_for_load(h, e, err) : !load_entry(h, e, false, now_s, err))
            return false;
    }
    return true;
}

bool holdings_get(struct holdings *h, enum tee_type tee, struct attester *attester, int64_t now_s,
                  struct holding **out, struct error *err)
{
    bool ok = false;
    pthread_mutex_lock(&h->lock);
    struct entry *e = find_entry(h, tee, attester);
    if (e == NULL) {
        error_set(err, "memory", NULL, "no room for another platform model");
    } else {
        e->used = ++h->clock;
        e->users++;
        ok = get_locked(h, e, now_s, err);
        e->users--;
        if (ok)
            *out = holding_hold(e->holding);
    }
    pthread_mutex_unlock(&h->lock);
    return ok;
}

bool holdings_refresh(struct holdings *h, int64_t now_s, struct error *err)
{
    bool ok = true;
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->count; i++) {
        struct entry *e = h->entries[i];
        if (e->loading)
            continue;
        e->users++;
        ok = load_entry(h, e, true, now_s, err) && ok;
        e->users--;
    }
    pthread_mutex_unlock(&h->lock);
    return ok;
}

bool holdings_get_early(struct holdings *h, enum tee_type tee, struct attester *attester,
                        int64_t now_s, struct holding **out, struct error *err)
{
    struct gather_wish wish = wish_of(tee, attester);
    wish.early = true;
    return load(h, &wish, now_s, out, err);
}

size_t holdings_expiry(struct holdings *h, int64_t expiry_s[DOCUMENT_KINDS])
{
    size_t count = 0;
    memset(expiry_s, 0, DOCUMENT_KINDS * sizeof expiry_s[0]);
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->count; i++) {
        const struct holding *held = h->entries[i]->holding;
        for (size_t kind = 0; held != NULL && kind < DOCUMENT_KINDS; kind++) {
            int64_t end_s = held->trusted->spans[kind].to_s;
            if (expiry_s[kind] == 0 || end_s < expiry_s[kind])
                expiry_s[kind] = end_s;
        }
        count += held != NULL;
    }
    pthread_mutex_unlock(&h->lock);
    return count;
}
