/* A short life of a store in numbered steps, and what must hold when it ends in the middle of one:
 * used by the tests that cut the power and that make calls fail. */
#ifndef SUPPORT_STORE_WORKLOAD_H
#define SUPPORT_STORE_WORKLOAD_H

#include "support/scratch_store.h"

enum { WORKLOAD_STEPS = 13 };

/* Step 1 opens the store, 13 closes it. */
bool workload_step(struct scratch_store *f, unsigned number, struct error *err);
/* Steps 1..done were acknowledged, step done + 1 may have had its effect or not, no later one has.
 * The store is open. Fails the test otherwise. */
void workload_expect(struct scratch_store *f, unsigned done);

#endif
