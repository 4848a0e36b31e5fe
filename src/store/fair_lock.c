/* Tickets: the lock is held by whoever has the number being served. */
#include "store/fair_lock.h"

void fair_lock_init(struct fair_lock *l)
{
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->turn, NULL);
    l->next = l->serving = 0;
}

void fair_lock_destroy(struct fair_lock *l)
{
    pthread_cond_destroy(&l->turn);
    pthread_mutex_destroy(&l->mutex);
}

void fair_lock_take(struct fair_lock *l)
{
    pthread_mutex_lock(&l->mutex);
    uint64_t ticket = l->next++;
    while (ticket != l->serving)
        pthread_cond_wait(&l->turn, &l->mutex);
    pthread_mutex_unlock(&l->mutex);
}

void fair_lock_release(struct fair_lock *l)
{
    pthread_mutex_lock(&l->mutex);
    l->serving++;
    pthread_cond_broadcast(&l->turn);
    pthread_mutex_unlock(&l->mutex);
}
