/* TCB evaluation: which level a platform, its TDX module and its quoting enclave reach, and what
 * that means together. Spec: DCAP facts 6 (the semantics of Intel's verifier 1.27). */
#ifndef DCAP_TCB_H
#define DCAP_TCB_H

#include "dcap/tcb_info.h"
#include "quote/quote.h"

/* What is to be judged; verified before. */
struct tcb_claim {
    uint8_t components[TCB_COMPONENTS]; /* of the PCK certificate */
    uint16_t pcesvn;
    const struct td_report *td; /* NULL for SGX */
    uint16_t qe_isvsvn;
    const struct isv_levels *qe_levels; /* of the QE identity */
    const struct isv_level *qe_level;   /* the one that qe_isvsvn reached */
};

/*
 * Fills the status, advisories, gaps and date of *out and leaves the rest alone. A TDX quote with
 * tee_tcb_svn2 is judged twice: as launched and as it runs now.
 * Codes: tcb/module (no identity for the TDX module, or another signer), tcb/not-supported,
 * tcb/revoked. *out is undefined after a failure.
 */
bool tcb_evaluate(const struct tcb_info *info, const struct tcb_claim *claim, struct verdict *out,
                  struct error *err) MUST_USE;

/* The status of a platform level in the light of what the TDX module and the QE reach. */
enum tcb_status tcb_converge(enum tcb_status platform, const enum tcb_status *others, size_t count);

#endif
