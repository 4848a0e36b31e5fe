/* Things to do after a while, or never before the end: one thread for all slow and silent answers.
 * Thread-safe. */
#ifndef SIM_LATER_H
#define SIM_LATER_H

#include <stdint.h>

#include "base/error.h"

struct sim_later;
typedef void sim_later_call(void *ctx);

bool sim_later_start(struct sim_later **out, struct error *err) MUST_USE;
/* Calls call(ctx) exactly once, in the thread, after delay_ms; SIM_LATER_AT_END waits for
 * sim_later_end(). After that, and when memory runs out, it is called at once. */
enum { SIM_LATER_AT_END = -1 };
void sim_later_add(struct sim_later *later, int64_t delay_ms, sim_later_call *call, void *ctx);
/* Ends the thread; everything that waits is called. The object stays usable until freed. */
void sim_later_end(struct sim_later *later);
void sim_later_free(struct sim_later **later);

#endif
