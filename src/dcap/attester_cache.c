/* A set-associative table: ids are digests, so any byte of them picks a set. */
#include "dcap/attester_cache.h"

#include <string.h>

void attester_cache_init(struct attester_cache *c)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
}

void attester_cache_clear(struct attester_cache *c)
{
    for (size_t s = 0; s < ATTESTER_SETS; s++)
        for (size_t w = 0; w < ATTESTER_WAYS; w++)
            attester_drop(&c->ways[s][w].attester);
    pthread_mutex_destroy(&c->lock);
}

struct attester *attester_cache_get(struct attester_cache *c, const uint8_t id[SHA256_LEN])
{
    struct attester *found = NULL;
    size_t set = id[0] % ATTESTER_SETS;
    pthread_mutex_lock(&c->lock);
    for (size_t w = 0; w < ATTESTER_WAYS && found == NULL; w++) {
        struct attester *a = c->ways[set][w].attester;
        if (a != NULL && memcmp(attester_id(a), id, SHA256_LEN) == 0) {
            c->ways[set][w].used = ++c->clock;
            found = attester_hold(a);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

void attester_cache_put(struct attester_cache *c, struct attester *a)
{
    size_t set = attester_id(a)[0] % ATTESTER_SETS, oldest = 0;
    pthread_mutex_lock(&c->lock);
    for (size_t w = 0; w < ATTESTER_WAYS; w++)
        if (c->ways[set][w].used < c->ways[set][oldest].used)
            oldest = w;
    struct attester *gone = c->ways[set][oldest].attester;
    c->ways[set][oldest].attester = attester_hold(a);
    c->ways[set][oldest].used = ++c->clock;
    pthread_mutex_unlock(&c->lock);
    attester_drop(&gone);
}
