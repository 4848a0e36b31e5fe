/* Encoding of the state row: fixed fields, then a total per column that has rows. */
#include "store/state.h"

#include <string.h>

void state_encode(const struct state *state, struct buf *out)
{
    uint8_t root[STATE_ROOT_LEN];
    set_root_encode(&state->root, root);
    buf_append_be(out, state->counter, 8);
    buf_append_be(out, state->txnid, 8);
    buf_append_be(out, state->generation, 8);
    buf_append_be(out, state->sessions, 4);
    buf_append_be(out, state->rollbacks, 4);
    buf_append(out, slice_of(root, sizeof root));
    for (unsigned id = COLUMN_FIRST; id < 256; id++) {
        if (state->totals[id].rows == 0)
            continue;
        buf_append_byte(out, (uint8_t)id);
        buf_append_be(out, state->totals[id].rows, 8);
        buf_append_be(out, state->totals[id].bytes, 8);
    }
}

bool state_decode(struct slice text, struct state *out)
{
    struct reader r = reader_of(text);
    struct state s = {0};
    s.counter = reader_u64be(&r);
    s.txnid = reader_u64be(&r);
    s.generation = reader_u64be(&r);
    s.sessions = reader_u32be(&r);
    s.rollbacks = reader_u32be(&r);
    const uint8_t *root = reader_bytes(&r, STATE_ROOT_LEN);
    if (root == NULL)
        return false;
    set_root_decode(root, &s.root);
    unsigned last = COLUMN_FIRST - 1;
    while (!r.failed && r.rest.len > 0) {
        unsigned id = reader_u8(&r);
        s.totals[id].rows = reader_u64be(&r);
        s.totals[id].bytes = reader_u64be(&r);
        if (id <= last || s.totals[id].rows == 0)
            return false;
        last = id;
    }
    if (!reader_at_end(&r))
        return false;
    *out = s;
    return true;
}

uint64_t state_rows(const struct state *state)
{
    uint64_t rows = 0;
    for (unsigned id = 0; id < 256; id++)
        rows += state->totals[id].rows;
    return rows;
}
