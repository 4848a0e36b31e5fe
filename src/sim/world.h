/*
 * A whole attestation world in one struct, for tests of any room: certificates, collateral, one
 * platform, its quotes. Fill it, change any field of any description, make the artefacts.
 *
 *   struct sim_world w;
 *   sim_world_create(&w, &(struct sim_world_options){.now_s = T}, &err)
 *   w.collateral.tcb_info.levels[0].status = "OutOfDate";
 *   w.pck.spec.not_after_s = T - 1;
 *   sim_world_reissue(&w, &err)                        only after a certificate was changed
 *   sim_world_quote(&w, report_data, &quote, &err)
 *   sim_collateral_make(&w.pki, &w.collateral, &collateral, &err)
 *   sim_world_root_pem(&w, &pem, &err)                 the trust anchor
 *   sim_world_free(&w)
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim/collateral.h"
#include "sim/quote.h"

struct sim_world_options {
    int64_t now_s;          /* everything is valid at this moment */
    const char *seed;       /* NULL = "mero-sim"; another text is another world */
    uint16_t quote_version; /* 3, 4 or 5; 0 = 4 */
    enum sim_body body;     /* 0 = TD 1.0 for v4, TD 1.5 for v5, SGX for v3 */
    bool processor_ca;      /* PCK below the Processor CA */
};

struct sim_world {
    int64_t now_s;
    struct sim_pki pki;
    struct sim_issued pck;
    struct sim_key *attestation_key; /* owned */
    struct sim_key *stranger;        /* owned; nobody trusts it: for wrong signatures */
    struct sim_collateral_spec collateral;
    struct sim_quote_spec quote; /* its chain and keys are filled in by sim_world_quote() when they
                                    are not set */
};

bool sim_world_create(struct sim_world *w, const struct sim_world_options *options,
                      struct error *err) MUST_USE;
void sim_world_free(struct sim_world *w);
#define SIM_WORLD_AUTO __attribute__((cleanup(sim_world_free)))

/* Makes all certificates again from their specs. */
bool sim_world_reissue(struct sim_world *w, struct error *err) MUST_USE;
/* Appends the PCK chain as PEM: leaf, CA, root. */
bool sim_world_pck_chain(const struct sim_world *w, struct buf *pem, struct error *err) MUST_USE;
bool sim_world_root_pem(const struct sim_world *w, struct buf *pem, struct error *err) MUST_USE;
/* Appends a quote of w->quote with this report data. */
bool sim_world_quote(const struct sim_world *w, const uint8_t report_data[64], struct buf *out,
                     struct error *err) MUST_USE;

/* The SGX extension of an up-to-date platform named `label`. */
bool sim_platform_extension(const uint8_t seed[SIM_SEED_LEN], const char *label,
                            struct sim_sgx_extension *out, struct error *err) MUST_USE;

#endif
