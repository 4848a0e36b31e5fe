/* The verifier that programs hold: a trust root, a place where collateral comes from, and what was
 * verified before. Thread-safe: one verifier serves all threads of a process. */
#ifndef DCAP_VERIFIER_H
#define DCAP_VERIFIER_H

#include <stdatomic.h>

#include "dcap/collateral.h"
#include "dcap/notices.h"
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
    unsigned refresh_s;  /* ask for newer collateral this often (give or take a tenth), in a thread
                            of  its own; 0 = only when what is there has expired */
    const char *ca_path; /* PEM added to the system's roots, for PCCS; NULL = none */
    struct dcap_notices notices; /* what is worth a log line */
    const atomic_bool *cancel;   /* ends requests when it becomes true; may be NULL */
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
 * when memory and disk have none that is valid. The quote's own evidence is verified first: what is
 * not genuine makes no request. One thread fetches for a platform model, those that need the same
 * wait for it, others go on. Codes: quote/..., chain/..., cert/..., signature/..., qe/...,
 * crl/..., tcb/revoked, tcb/not-supported, tcb/module; collateral/unreachable (could not be
 * fetched), collateral/expired, collateral/not-yet-valid, collateral/older, collateral/missing
 * (offline), collateral/evaluation-number, collateral/.... *out is untouched on failure.
 */
bool dcap_verifier_check(struct dcap_verifier *v, struct slice quote, int64_t now_s,
                         struct verdict *out, struct error *err) MUST_USE;

/* The verdict under Intel's early TCB evaluation data set, which becomes the standard one about a
 * year later: for a warning, never for a decision. Codes as above. */
bool dcap_verifier_check_early(struct dcap_verifier *v, struct slice quote, int64_t now_s,
                               struct verdict *out, struct error *err) MUST_USE;

/* For metrics and readiness: what is in memory, and when the first document of each kind expires
 * (Unix seconds, 0 = none). */
struct dcap_verifier_status {
    size_t platforms; /* models with collateral */
    int64_t tcb_info_expiry_s, qe_identity_expiry_s, pck_crl_expiry_s, root_crl_expiry_s;
};
void dcap_verifier_status(struct dcap_verifier *v, struct dcap_verifier_status *out);

/* Copies the documents that judge `quote` at now_s into *out (initialised by the call), fetching
 * them as above: what a bundle is made of. The quote's evidence must be genuine. */
bool dcap_verifier_collateral(struct dcap_verifier *v, struct slice quote, int64_t now_s,
                              struct collateral *out, struct error *err) MUST_USE;

/* Puts documents from elsewhere (a bundle) into memory and the cache directory, as if fetched: each
 * must be genuine, count at now_s and be no older than what is there. `quote` says which platform
 * they are for. Codes: as above. */
bool dcap_verifier_import(struct dcap_verifier *v, struct slice quote,
                          const struct collateral *documents, int64_t now_s,
                          struct error *err) MUST_USE;

/* Asks the endpoints for newer documents for everything that was judged so far. What they do not
 * have stays. False when one could not be brought up to date (the last failure). */
bool dcap_verifier_refresh(struct dcap_verifier *v, int64_t now_s, struct error *err) MUST_USE;

/* Removes the memory of collateral from a cache directory, and nothing else there. */
bool dcap_cache_forget(const char *cache_dir, struct error *err) MUST_USE;

#endif
