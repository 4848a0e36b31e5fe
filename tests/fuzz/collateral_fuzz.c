/* Collateral files and the replies of services: what is accepted and written is read back the same.
 * The first byte of the input picks the reader. */
#include <stdlib.h>

#include "dcap/collateral.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_code(const struct error *err)
{
    check(error_is(err, "collateral/") || error_is(err, "crl/"));
}

/* All that is there, and nothing for what is not: an absent signature has no text. */
static unsigned parts_of(const struct collateral *c)
{
    unsigned parts = 0;
    for (unsigned i = 0; i < COLLATERAL_PARTS; i++)
        if (c->part[i].len > 0)
            parts |= 1u << i;
    return parts;
}

static void check_round_trip(const struct collateral *c)
{
    COLLATERAL_AUTO struct collateral back;
    BUF_AUTO struct buf text = BUF_INIT(COLLATERAL_FILE_MAX);
    struct error err;
    check(collateral_write_parts(c, parts_of(c), &text, &err));
    check(collateral_read(buf_slice(&text), &back, &err));
    for (size_t i = 0; i < COLLATERAL_PARTS; i++)
        check(slice_equal(buf_slice(&c->part[i]), buf_slice(&back.part[i])));
}

static void read_file(struct slice text)
{
    COLLATERAL_AUTO struct collateral c;
    struct error err;
    if (collateral_read(text, &c, &err))
        check_round_trip(&c);
    else
        check_code(&err);
}

static void read_reply(struct slice text, enum collateral_part part)
{
    COLLATERAL_AUTO struct collateral c;
    struct error err;
    collateral_init(&c);
    if (!collateral_set_reply(&c, part, text, &err)) {
        check_code(&err);
        return;
    }
    check(c.part[part + 1].len == 64 && c.part[part].len > 0);
    check_round_trip(&c);
}

static void read_crl(struct slice text)
{
    COLLATERAL_AUTO struct collateral c;
    struct error err;
    collateral_init(&c);
    if (!collateral_set(&c, COLLATERAL_PCK_CRL, text, &err))
        check_code(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_cut(slice_of(data, size), 1, size);
    switch (size > 0 ? data[0] : 0) {
    case 't':
        read_reply(text, COLLATERAL_TCB_INFO);
        break;
    case 'q':
        read_reply(text, COLLATERAL_QE_IDENTITY);
        break;
    case 'c':
        read_crl(text);
        break;
    default:
        read_file(slice_of(data, size));
    }
    return 0;
}
