/* The state row: what every commit writes along with its changes, sealed like a record. It ties the
 * datastore to its superblock and to the anchor. Source: docs/format.md, "State row". */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "store/columns.h"
#include "store/setroot.h"

enum { STATE_TEXT_MAX = 4096 };

struct column_total {
    uint64_t rows;
    uint64_t bytes; /* of keys on disk and sealed records */
};

struct state {
    uint64_t counter;    /* commits in the life of the store */
    uint64_t txnid;      /* of the LMDB transaction that wrote this row */
    uint64_t generation; /* of the superblock at that time */
    uint32_t sessions;   /* session numbers given out */
    uint32_t rollbacks;  /* older states accepted on an operator's word */
    struct set_root root;
    struct column_total totals[256]; /* by column id */
};

void state_encode(const struct state *state, struct buf *out);
/* False when the bytes are not a state row of this format. */
bool state_decode(struct slice text, struct state *out) MUST_USE;
uint64_t state_rows(const struct state *state); /* records of all columns */

#endif
