/* merotee/collateral.h. */
#include <stdlib.h>

#include "lib/lib.h"

LIB_SAME(MEROTEE_COLLATERAL_PCK_CRL_ISSUER_CHAIN, COLLATERAL_PCK_CRL_ISSUER_CHAIN);
LIB_SAME(MEROTEE_COLLATERAL_ROOT_CRL, COLLATERAL_ROOT_CRL);
LIB_SAME(MEROTEE_COLLATERAL_PCK_CRL, COLLATERAL_PCK_CRL);
LIB_SAME(MEROTEE_COLLATERAL_TCB_INFO_ISSUER_CHAIN, COLLATERAL_TCB_INFO_ISSUER_CHAIN);
LIB_SAME(MEROTEE_COLLATERAL_TCB_INFO, COLLATERAL_TCB_INFO);
LIB_SAME(MEROTEE_COLLATERAL_TCB_INFO_SIGNATURE, COLLATERAL_TCB_INFO_SIGNATURE);
LIB_SAME(MEROTEE_COLLATERAL_QE_IDENTITY_ISSUER_CHAIN, COLLATERAL_QE_IDENTITY_ISSUER_CHAIN);
LIB_SAME(MEROTEE_COLLATERAL_QE_IDENTITY, COLLATERAL_QE_IDENTITY);
LIB_SAME(MEROTEE_COLLATERAL_QE_IDENTITY_SIGNATURE, COLLATERAL_QE_IDENTITY_SIGNATURE);
LIB_SAME(MEROTEE_COLLATERAL_PCK_CHAIN, COLLATERAL_PCK_CHAIN);
LIB_SAME(MEROTEE_COLLATERAL_PARTS, COLLATERAL_PARTS);
LIB_SAME(MEROTEE_COLLATERAL_DOCUMENT_MAX, COLLATERAL_DOCUMENT_MAX);
LIB_SAME(MEROTEE_COLLATERAL_CHAIN_MAX, COLLATERAL_CHAIN_MAX);
LIB_SAME(MEROTEE_COLLATERAL_FILE_MAX, COLLATERAL_FILE_MAX);

bool merotee_collateral_new(struct merotee_collateral **out, struct merotee_error *err)
{
    struct merotee_collateral *c = calloc(1, sizeof *c);
    if (c == NULL)
        return lib_no_memory(err);
    collateral_init(&c->documents);
    *out = c;
    return true;
}

bool merotee_collateral_read(const void *json, size_t len, struct merotee_collateral **out,
                             struct merotee_error *err)
{
    struct error why;
    struct merotee_collateral *c;
    if (!merotee_collateral_new(&c, err))
        return false;
    if (!collateral_read(slice_of(json, len), &c->documents, &why)) {
        merotee_collateral_free(c);
        return lib_fail(err, &why);
    }
    *out = c;
    return true;
}

void merotee_collateral_free(struct merotee_collateral *collateral)
{
    if (collateral == NULL)
        return;
    collateral_free(&collateral->documents);
    free(collateral);
}

bool merotee_collateral_set(struct merotee_collateral *collateral,
                            enum merotee_collateral_part part, const void *text, size_t len,
                            struct merotee_error *err)
{
    struct error why;
    if ((unsigned)part >= COLLATERAL_PARTS)
        return lib_refuse(err, "usage", "part", "there is no such part of collateral");
    return collateral_set(&collateral->documents, (enum collateral_part)part, slice_of(text, len),
                          &why) ||
           lib_fail(err, &why);
}

const uint8_t *merotee_collateral_get(const struct merotee_collateral *collateral,
                                      enum merotee_collateral_part part, size_t *len)
{
    struct slice found = {NULL, 0};
    if ((unsigned)part < COLLATERAL_PARTS)
        found = collateral_part(&collateral->documents, (enum collateral_part)part);
    if (len != NULL)
        *len = found.len;
    return found.len > 0 ? found.data : NULL;
}

bool merotee_collateral_write(const struct merotee_collateral *collateral, char **out,
                              struct merotee_error *err)
{
    struct error why;
    BUF_AUTO struct buf text = BUF_INIT(COLLATERAL_FILE_MAX);
    if (!collateral_write(&collateral->documents, &text, &why))
        return lib_fail(err, &why);
    return lib_text_out(&text, out, err);
}

bool merotee_cache_forget(const char *cache_dir, struct merotee_error *err)
{
    struct error why;
    return dcap_cache_forget(cache_dir, &why) || lib_fail(err, &why);
}
