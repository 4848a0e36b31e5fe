/* The verifier that programs hold: a trust root, a place where collateral comes from, and what was
 * verified before. Thread-safe: one verifier serves all threads of a process. */
#ifndef DCAP_VERIFIER_H
#define DCAP_VERIFIER_H

#include "dcap/verdict.h"

enum { DCAP_ENDPOINTS_MAX = 8 };

struct dcap_verifier_options {
    const char *endpoints[DCAP_ENDPOINTS_MAX]; /* base URLs, PCS or PCCS, tried in order; none =
                                                  Intel PCS */
    size_t endpoint_count;
    const char *cache_dir;          /* created 0700; NULL = memory only */
    bool offline;                   /* never fetch: cache only */
    unsigned timeout_ms;            /* one request; 0 = 15000 */
    unsigned budget_ms;             /* all requests for one quote; 0 = 25000 */
    uint32_t evaluation_number_min; /* 0 = no floor */
#ifdef MERO_DEV
    const char *root_pem_path; /* a foreign root certificate instead of Intel's; NULL = Intel */
#endif
};

struct dcap_verifier;

bool dcap_verifier_open(const struct dcap_verifier_options *options, struct dcap_verifier **out,
                        struct error *err) MUST_USE;
void dcap_verifier_close(struct dcap_verifier **v);
#define DCAP_VERIFIER_AUTO __attribute__((cleanup(dcap_verifier_close)))

/*
 * Verifies `quote` (trailing bytes after the quote are ignored) at time now_s, fetching collateral
 * when memory and disk have none that is valid. Codes: quote/..., collateral/unreachable,
 * collateral/expired, collateral/not-yet-valid, collateral/older, collateral/..., cert/...,
 * crl/..., tcb/revoked, tcb/not-supported, qe/..., signature/... *out is untouched on failure.
 */
bool dcap_verifier_check(struct dcap_verifier *v, struct slice quote, int64_t now_s,
                         struct verdict *out, struct error *err) MUST_USE;

#endif
