/* A lock that is handed over in the order of asking. A plain mutex lets the thread that has just
 * let go take it again, so that one busy writer could starve an upload that wants to finish. */
#ifndef STORE_FAIR_LOCK_H
#define STORE_FAIR_LOCK_H

#include <pthread.h>
#include <stdint.h>

struct fair_lock {
    pthread_mutex_t mutex;
    pthread_cond_t turn;
    uint64_t next, serving; /* tickets, under mutex */
};

void fair_lock_init(struct fair_lock *l);
void fair_lock_destroy(struct fair_lock *l);
void fair_lock_take(struct fair_lock *l);
void fair_lock_release(struct fair_lock *l);

#endif
