/* An HTTP answer and the faults that can befall it: late, never, half, far too long, nonsense,
 * another status. */
#ifndef SIM_ANSWER_H
#define SIM_ANSWER_H

#include "http/server.h"
#include "sim/later.h"
#include "sim/scenario.h"

struct sim_answer {
    unsigned status;
    const char *content_type; /* static */
    struct buf body;
    const char *header_name; /* static; NULL = none */
    struct buf header_value;
};

/* 500 with an empty body until it is filled. body_max bounds the body. */
struct sim_answer sim_answer_new(size_t body_max);
/* {"error": "<text>"}, pretty-printed, with this status. */
void sim_answer_error(struct sim_answer *a, unsigned status, const char *text);
/* Answers x, now or later, and takes what *a owns. `later` must outlive the server. */
void sim_answer_send(struct sim_answer *a, struct http_exchange *x, struct sim_fault fault,
                     struct sim_later *later);

#endif
