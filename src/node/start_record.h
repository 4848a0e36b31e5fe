/* The node's own record in its datastore: how often it was started on this store, and when. It is
 * the first value that a new store receives, and its reading back at the next start shows that the
 * key opens what was written before. */
#ifndef NODE_START_RECORD_H
#define NODE_START_RECORD_H

#include "store/store.h"

struct start_record {
    uint64_t count;   /* this start included */
    int64_t first_s;  /* Unix time of the first start */
    int64_t before_s; /* of the start before this one; 0 when this is the first */
};

/* Reads the record, counts this start and writes it back. Codes of the store, and store/damaged
 * when the record is not one. */
bool start_record_count(struct store *s, int64_t now_s, struct start_record *out,
                        struct error *err) MUST_USE;

#endif
