/* libmerotee: verification. A quote plus collateral plus a time makes a verdict, or a refusal that
 * names the step and the field. Revoked never makes a verdict; what else is acceptable is for a
 * policy (merotee/policy.h) to say, and every TCB status but Revoked reaches it.
 *
 * Two ways: merotee_verify() with documents in hand, no network, no state; or a struct
 * merotee_verifier, which fetches collateral, keeps it, and verifies again what may have changed.
 *
 * Times are Unix seconds and always the caller's: time(NULL), or the time to judge at.
 *
 * Source: Intel SGX DCAP quote verification library (1.27) for the TCB rules; Intel PCS API
 * version 4 for the documents. docs/verification.md tells every step, and where verifiers differ.
 */
#ifndef MEROTEE_DCAP_H
#define MEROTEE_DCAP_H

#include <merotee/collateral.h>
#include <merotee/quote.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- verdicts ---- */

enum merotee_tcb_status {
    MEROTEE_TCB_NONE, /* no verdict */
    MEROTEE_TCB_UP_TO_DATE,
    MEROTEE_TCB_SW_HARDENING_NEEDED,
    MEROTEE_TCB_CONFIGURATION_NEEDED,
    MEROTEE_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    MEROTEE_TCB_OUT_OF_DATE,
    MEROTEE_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    MEROTEE_TCB_TD_RELAUNCH_ADVISED,
    MEROTEE_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
};
/* Intel's spelling, "UpToDate"; "none" for MEROTEE_TCB_NONE and unknown numbers. Static text. */
MEROTEE_API const char *merotee_tcb_status_name(enum merotee_tcb_status status);

/* Whose status. */
enum merotee_status_of {
    MEROTEE_STATUS_OF_ALL,        /* the one that counts: the others converged */
    MEROTEE_STATUS_OF_PLATFORM,   /* microcode, BIOS, PCE */
    MEROTEE_STATUS_OF_TDX_MODULE, /* NONE where TCB info knows no module identities */
    MEROTEE_STATUS_OF_QE,         /* the quoting enclave */
    MEROTEE_STATUS_OF_CURRENT     /* TD 1.5: as the platform runs now, not as it was at launch */
};

/*
 * What a verified quote says. Empty until a verification fills it, and empty again after one that
 * fails, so that a verdict can be used again and an unchecked failure authorises nothing: an empty
 * verdict is refused by every policy and every check, has status NONE, no fields, and zero numbers.
 */
struct merotee_verdict;

/* An empty verdict, NULL without memory. About 16 KiB; one a thread is enough. */
MEROTEE_API struct merotee_verdict *merotee_verdict_new(void);
MEROTEE_API void merotee_verdict_free(struct merotee_verdict *verdict);

MEROTEE_API enum merotee_tcb_status merotee_verdict_status(const struct merotee_verdict *verdict,
                                                           enum merotee_status_of whose);
/* The advisories that apply, sorted: the i-th, from 0; NULL past the last. The same as the platform
 * runs now (MEROTEE_STATUS_OF_CURRENT). */
MEROTEE_API const char *merotee_verdict_advisory(const struct merotee_verdict *verdict, size_t i);
MEROTEE_API const char *merotee_verdict_current_advisory(const struct merotee_verdict *verdict,
                                                         size_t i);
/* For a platform that is not up to date, the i-th security version number that is too low:
 * "sgxtcbcomponents[7]" has 3 and needs 5. False past the last. */
MEROTEE_API bool merotee_verdict_gap(const struct merotee_verdict *verdict, size_t i,
                                     const char **what, uint32_t *has, uint32_t *needs);

/* tcbEvaluationDataNumber, the lower of TCB info and QE identity. */
MEROTEE_API uint32_t merotee_verdict_evaluation_number(const struct merotee_verdict *verdict);
/* Unix seconds: the oldest TCB level used; the first end of a document or certificate used; the
 * time that was verified at. */
MEROTEE_API int64_t merotee_verdict_tcb_date_s(const struct merotee_verdict *verdict);
MEROTEE_API int64_t merotee_verdict_expires_s(const struct merotee_verdict *verdict);
MEROTEE_API int64_t merotee_verdict_verified_at_s(const struct merotee_verdict *verdict);

MEROTEE_API enum merotee_tee merotee_verdict_tee(const struct merotee_verdict *verdict);
MEROTEE_API enum merotee_body merotee_verdict_body(const struct merotee_verdict *verdict);
MEROTEE_API unsigned merotee_verdict_quote_version(const struct merotee_verdict *verdict);

/* The bytes of a field and (len may be NULL) their number; NULL and 0 when this verdict has none.
 */
MEROTEE_API const uint8_t *merotee_verdict_field(const struct merotee_verdict *verdict,
                                                 enum merotee_field field, size_t *len);
/* SGX only, else 0. */
MEROTEE_API unsigned merotee_verdict_isv_prod_id(const struct merotee_verdict *verdict);
MEROTEE_API unsigned merotee_verdict_isv_svn(const struct merotee_verdict *verdict);
MEROTEE_API uint32_t merotee_verdict_misc_select(const struct merotee_verdict *verdict);

/* Freshness: the report data starts with these 1 to 64 bytes, which the caller chose at random for
 * this one exchange. Compared in constant time. Codes: binding/nonce, verdict/empty, usage. */
MEROTEE_API bool merotee_verdict_check_nonce(const struct merotee_verdict *verdict,
                                             const void *nonce, size_t len,
                                             struct merotee_error *err) MEROTEE_MUST_USE;

/* ---- with documents in hand ---- */

/* Zero it and set `size` to sizeof it: {.size = sizeof options}. Fields that later releases append
 * are 0 for programs compiled before; a program that sets one which the library does not know yet
 * is refused (code usage). */
struct merotee_verify_options {
    size_t size;
    uint32_t evaluation_number_min; /* refuse older collateral; 0 = no floor */
    uint32_t reserved;              /* 0 */
};

/*
 * All of it: format, PCK chain to Intel's root key, QE report, attestation key, quote signature,
 * then the documents' signatures, dates, revocation, match, QE identity and TCB levels, in this
 * order. `quote` is raw bytes and may have others behind it; options may be NULL. `verdict` is
 * filled, or empty after a failure. Costs nine P-256 verifications; bounded by the ceilings above.
 * Codes: quote/...       not a quote that can be verified chain/..., cert/..., signature/...,
 * qe/..., crl/...   not genuine collateral/missing, collateral/format, collateral/mismatch (of
 * another platform or TEE), collateral/expired, collateral/not-yet-valid,
 * collateral/evaluation-number (below the floor) tcb/revoked, tcb/not-supported (no level matches),
 * tcb/module (unknown TDX module) usage, memory/...
 */
MEROTEE_API bool merotee_verify(const void *quote, size_t quote_len,
                                const struct merotee_collateral *collateral,
                                const struct merotee_verify_options *options, int64_t now_s,
                                struct merotee_verdict *verdict,
                                struct merotee_error *err) MEROTEE_MUST_USE;

/* ---- with a verifier ---- */

enum { MEROTEE_ENDPOINTS_MAX = 8 };

/* Used like merotee_verify_options. Texts and arrays are copied; what is 0 or NULL has the default.
 */
struct merotee_verifier_options {
    size_t size;
    const char *const *endpoints;   /* base URLs of PCS or PCCS services, tried in order */
    size_t endpoint_count;          /* at most MEROTEE_ENDPOINTS_MAX; 0 = Intel's PCS */
    const char *cache_dir;          /* created with mode 0700; may be shared by processes; NULL =
                                       memory only */
    const char *ca_path;            /* PEM certificates trusted for HTTPS besides the system's */
    uint32_t offline;               /* 1 = never fetch: cache and merotee_verifier_import() only */
    uint32_t timeout_ms;            /* of one request; default 15000 */
    uint32_t budget_ms;             /* of all requests for one quote; default 25000 */
    uint32_t evaluation_number_min; /* refuse older collateral; 0 = no floor */
    uint32_t refresh_s; /* ask for newer collateral this often, give or take a tenth, in a thread of
                           the verifier's own in which all signals are blocked; 0 = no thread, and
                           a fetch only when what is there does not count any more */
    uint32_t reserved;  /* 0 */
    /* Told what is worth a log line but is no failure: cache/unreadable, cache/unwritable,
     * collateral/unreachable, collateral/refused, collateral/stale. Called from any thread that
     * uses the verifier, perhaps several at once; must not call it back. The texts live during the
     * call. */
    void (*warn)(void *context, const char *code, const char *message);
    void *warn_context;
};

/*
 * A verifier with what it has verified before. Collateral is fetched when there is none that counts
 * at the time, kept in memory and in cache_dir, never replaced by something older; chains and
 * documents are verified once, and their dates, revocation and the quote's own signature every
 * time. Memory is bounded: 256 attesters, 128 platform models, 512 documents.
 */
struct merotee_verifier;

/* options may be NULL. Codes: usage, config/collateral-url, file/..., http/tls
 * (ca_path), thread, memory/.... */
MEROTEE_API bool merotee_verifier_open(const struct merotee_verifier_options *options,
                                       struct merotee_verifier **out,
                                       struct merotee_error *err) MEROTEE_MUST_USE;
/* Ends the thread, if there is one. No other call may be running. */
MEROTEE_API void merotee_verifier_close(struct merotee_verifier *verifier);

/*
 * Verifies a quote at now_s, like merotee_verify(). The quote's own evidence comes first: what is
 * not genuine makes no request. One thread fetches for a platform model, those that need the same
 * wait for it, others go on. May block for budget_ms. Besides the codes above:
 * collateral/unreachable (no service had a usable answer), collateral/older (a service offers less
 * than what is known), collateral/missing (offline).
 */
MEROTEE_API bool merotee_verifier_check(struct merotee_verifier *verifier, const void *quote,
                                        size_t quote_len, int64_t now_s,
                                        struct merotee_verdict *verdict,
                                        struct merotee_error *err) MEROTEE_MUST_USE;

/* A copy of the documents that judge this quote at now_s, fetched as above: what to keep beside a
 * quote so that merotee_verify() can say the same again later. Codes: as above. */
MEROTEE_API bool merotee_verifier_collateral(struct merotee_verifier *verifier, const void *quote,
                                             size_t quote_len, int64_t now_s,
                                             struct merotee_collateral **out,
                                             struct merotee_error *err) MEROTEE_MUST_USE;

/* Takes documents from elsewhere as if they had been fetched: each must be genuine, count at now_s
 * and be no older than what is there. `quote` says which platform they are for. Codes: as above. */
MEROTEE_API bool merotee_verifier_import(struct merotee_verifier *verifier, const void *quote,
                                         size_t quote_len,
                                         const struct merotee_collateral *collateral, int64_t now_s,
                                         struct merotee_error *err) MEROTEE_MUST_USE;

/* Asks the services for newer documents for every platform model that was judged so far, now;
 * verification goes on meanwhile. False when one could not be brought up to date (the last
 * failure); what is there stays. Programs without refresh_s call it every few hours, with jitter.
 */
MEROTEE_API bool merotee_verifier_refresh(struct merotee_verifier *verifier, int64_t now_s,
                                          struct merotee_error *err) MEROTEE_MUST_USE;

/* What is in memory, and when the first document of each kind expires: for metrics and readiness.
 * Set `size` to sizeof it before the call; the library fills what both sides know. */
struct merotee_verifier_status {
    size_t size;
    size_t platforms; /* models with collateral */
    /* Unix seconds; 0 = there is none. */
    int64_t tcb_info_expires_s;
    int64_t qe_identity_expires_s;
    int64_t pck_crl_expires_s;
    int64_t root_crl_expires_s;
};
/* Code usage. */
MEROTEE_API bool merotee_verifier_status(struct merotee_verifier *verifier,
                                         struct merotee_verifier_status *status,
                                         struct merotee_error *err) MEROTEE_MUST_USE;

/* The TCB status that this quote will have when Intel's early TCB evaluation data set becomes the
 * standard one: for a warning ahead of a TCB recovery. It makes no verdict. Codes: those of
 * merotee_verifier_check(); tcb/revoked says that the platform will be. */
MEROTEE_API bool merotee_verifier_early_status(struct merotee_verifier *verifier, const void *quote,
                                               size_t quote_len, int64_t now_s,
                                               enum merotee_tcb_status *out,
                                               struct merotee_error *err) MEROTEE_MUST_USE;

/* Ends running requests within half a second and lets no new ones start (collateral/unreachable),
 * for good: the first step of a shutdown. Safe from any thread and in a signal handler. */
MEROTEE_API void merotee_verifier_cancel(struct merotee_verifier *verifier);

#ifdef __cplusplus
}
#endif
#endif
