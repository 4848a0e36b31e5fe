/* Verification of one quote against given collateral at a given time: no network, no files, no
 * state. Spec: DCAP facts 5.
 *
 * The steps, each of its own kind:
 *   1. evidence: what quote and root key say by themselves (attester.h): format, PCK chain, QE
 *      report, attestation key, quote signature;
 *   2. collateral: signatures up to the root (trusted.h);
 *   3. judgement: dates, revocation, match, QE identity, TCB. Never kept: asked again every time.
 * Evidence comes first, so that collateral is not fetched or parsed for quotes that are not
 * genuine.
 */
#ifndef DCAP_VERIFY_H
#define DCAP_VERIFY_H

#include "dcap/trusted.h"
#include "dcap/verdict.h"

struct dcap_options {
    uint32_t evaluation_number_min; /* 0 = no floor */
};

/*
 * All of it. `quote` may have bytes behind it; options may be NULL. *out is untouched on failure.
 * Codes: quote/..., chain/..., cert/..., signature/..., qe/..., crl/..., tcb/..., and for the
 * documents collateral/missing, collateral/format, collateral/expired, collateral/not-yet-valid,
 * collateral/mismatch (of another platform or TEE), collateral/evaluation-number (below the floor).
 */
bool dcap_verify(struct slice quote, const struct collateral *collateral,
                 const struct dcap_root *root, const struct dcap_options *options, int64_t now_s,
                 struct verdict *out, struct error *err) MUST_USE;

/* Step 3 for those who keep the results of the first two. The attester is that of the quote and the
 * quote's signature was verified with it. */
bool dcap_judge(const struct quote *q, const struct attester *attester,
                const struct trusted_collateral *collateral, const struct dcap_options *options,
                int64_t now_s, struct verdict *out, struct error *err) MUST_USE;

/* The dates of the PCK chain: cert/expired, cert/not-yet-valid. */
bool dcap_check_attester_dates(const struct attester *attester, int64_t now_s,
                               struct error *err) MUST_USE;

#endif
