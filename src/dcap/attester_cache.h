/* Attesters verified before, by what they are made from. Bounded: the least recently used of a set
 * makes room. Thread-safe. */
#ifndef DCAP_ATTESTER_CACHE_H
#define DCAP_ATTESTER_CACHE_H

#include <pthread.h>

#include "dcap/attester.h"

struct attester_cache {
    pthread_mutex_t lock;
    uint64_t clock;
    struct {
        struct attester *attester; /* held; NULL = free */
        uint64_t used;
    } ways[ATTESTER_SETS][ATTESTER_WAYS];
};

void attester_cache_init(struct attester_cache *c);
void attester_cache_clear(struct attester_cache *c);
/* A hold on the attester of that id, NULL when it is not known. */
struct attester *attester_cache_get(struct attester_cache *c, const uint8_t id[SHA256_LEN]);
/* Takes a hold of its own. */
void attester_cache_put(struct attester_cache *c, struct attester *a);

#endif
