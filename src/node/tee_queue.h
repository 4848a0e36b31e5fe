/* Quotes asked for over the admin API are made one after the other on a thread of their own: taking
 * one costs tens of milliseconds to seconds, and the machine makes one at a time. The queue is
 * bounded, so a flood of the public tee/attest waits or is refused and starves nothing else. */
#ifndef NODE_TEE_QUEUE_H
#define NODE_TEE_QUEUE_H

#include "node/admin_internal.h"

struct tee_queue;

/* Runs on the queue's thread and answers the exchange. source is NULL when this machine can make no
 * quote. */
typedef void tee_job(struct admin *a, struct quote_source *source, struct http_exchange *x,
                     const uint8_t nonce[32]);

bool tee_queue_start(struct admin *a, struct tee_queue **out, struct error *err) MUST_USE;
void tee_queue_set_source(struct tee_queue *q, struct quote_source *source);
/* Parks the exchange and runs `job` when its turn comes. False when NODE_TEE_QUEUE_MAX wait or the
 * queue is stopping: nothing was parked, the caller answers. nonce may be NULL. */
bool tee_queue_add(struct tee_queue *q, tee_job *job, struct http_exchange *x,
                   const uint8_t *nonce) MUST_USE;
/* Lets the running job end, answers the waiting ones with 503; later calls of tee_queue_add() are
 * refused. */
void tee_queue_stop(struct tee_queue *q);
/* Stops first when nobody did. NULL is fine. */
void tee_queue_free(struct tee_queue **q);

#endif
