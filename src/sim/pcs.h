/*
 * The collateral service: Intel's PCS v4 (platform facts 4.1) with what a PCCS adds (4.4), over
 * plain HTTP on loopback, and a control page for scripts.
 *
 *   GET {/sgx,/tdx}/certification/v4/tcb?fmspc=<12 hex>[&update=early|standard
 *                                                      |&tcbEvaluationDataNumber=N]
 *   GET {/sgx,/tdx}/certification/v4/qe/identity
 *   GET {/sgx,/tdx}/certification/v4/tcbevaluationdatanumbers
 *   GET /sgx/certification/v4/pckcrl?ca=platform|processor[&encoding=der|pem]
 *   GET /sgx/certification/v4/rootcacrl          hex, as a PCCS has it
 *   GET /IntelSGXRootCA.der                      DER, as Intel's distribution point has it
 *   GET /sim                                     what is being played, as JSON
 *   GET /sim/machines/NAME/quote?report_data=<128 hex>    a quote as it is now, raw
 *   GET /sim/machines/NAME/collateral                     the nine-member object as of now
 *   PUT /sim/machines/NAME  {"scenarios":["word", ...]}   replaces a machine's scenario
 *   PUT /sim/pcs            {"scenarios":["word", ...]}   replaces the service's
 */
#ifndef SIM_PCS_H
#define SIM_PCS_H

#include "sim/later.h"
#include "sim/stage.h"

struct sim_pcs;

/* listen: "127.0.0.1:PORT", 0 = any. `stage` and `later` must outlive the service. */
bool sim_pcs_start(struct sim_stage *stage, struct sim_later *later, const char *listen,
                   struct sim_pcs **out, struct error *err) MUST_USE;
unsigned sim_pcs_port(const struct sim_pcs *pcs);
/* What GET /sim answers; borrowed until the service ends. Set once, before scripts ask. */
void sim_pcs_set_page(struct sim_pcs *pcs, struct slice json);
/* End `later` first, so that silent answers are let go. */
void sim_pcs_stop(struct sim_pcs **pcs);

#endif
