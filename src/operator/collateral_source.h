/* How the operator's commands come to collateral: services, the cache of earlier runs, the trust
 * root. */
#ifndef OPERATOR_COLLATERAL_SOURCE_H
#define OPERATOR_COLLATERAL_SOURCE_H

#include "dcap/root.h"
#include "dcap/verifier.h"

struct collateral_source {
    const char *endpoints_csv; /* base URLs of PCS or PCCS, tried in order; NULL = Intel PCS */
    const char *cache_dir;     /* NULL = memory only: nothing remembered, nothing raised */
    bool offline;              /* the cache alone */
    /* Told what is worth a line on standard error; may be NULL. */
    void (*warn)(void *context, const char *code, const char *message);
#ifdef MERO_DEV
    const char *root_pem_path; /* NULL = Intel's root */
#endif
};

bool collateral_source_open(const struct collateral_source *source, struct dcap_verifier **out,
                            struct error *err) MUST_USE;
bool collateral_source_root(const struct collateral_source *source, struct dcap_root *out,
                            struct error *err) MUST_USE;

/* A file that holds the nine-member object, by itself or as member "collateral" of a bundle. *out
 * is initialised. */
bool collateral_source_read(const char *path, struct collateral *out, struct error *err) MUST_USE;

#endif
