/* libmerotee: collateral, the signed documents that a quote is judged by: TCB info, QE identity,
 * the CRLs of the root and of the PCK certificates' issuer, and the chains that sign them. Nothing
 * here is believed: verification checks every signature and date. How collateral is fetched and
 * cached: struct merotee_verifier in merotee/dcap.h.
 *
 * Source: Intel SGX and TDX Provisioning Certification Service, API version 4.
 */
#ifndef MEROTEE_COLLATERAL_H
#define MEROTEE_COLLATERAL_H

#include <merotee/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ceilings, in bytes. */
enum {
    MEROTEE_COLLATERAL_DOCUMENT_MAX = 1048576, /* TCB info, QE identity or CRL */
    MEROTEE_COLLATERAL_CHAIN_MAX = 32768,      /* PEM text */
    MEROTEE_COLLATERAL_FILE_MAX = 8388608      /* the JSON object */
};

/* The parts, each with the member of the JSON object that holds it. */
enum merotee_collateral_part {
    MEROTEE_COLLATERAL_PCK_CRL_ISSUER_CHAIN, /* "pck_crl_issuer_chain", PEM; not needed */
    MEROTEE_COLLATERAL_ROOT_CRL,             /* "root_ca_crl", DER; hex of it in JSON */
    MEROTEE_COLLATERAL_PCK_CRL,              /* "pck_crl", DER; hex of it in JSON */
    MEROTEE_COLLATERAL_TCB_INFO_ISSUER_CHAIN,
    MEROTEE_COLLATERAL_TCB_INFO,           /* "tcb_info", the exact text that was signed */
    MEROTEE_COLLATERAL_TCB_INFO_SIGNATURE, /* 64 bytes r || s; 128 hex digits in JSON */
    MEROTEE_COLLATERAL_QE_IDENTITY_ISSUER_CHAIN,
    MEROTEE_COLLATERAL_QE_IDENTITY,
    MEROTEE_COLLATERAL_QE_IDENTITY_SIGNATURE,
    MEROTEE_COLLATERAL_PCK_CHAIN, /* "pck_certificate_chain", PEM; for quotes that carry none */
    MEROTEE_COLLATERAL_PARTS      /* not a part */
};

/* A set of documents; parts may be missing. */
struct merotee_collateral;

/* An empty set, to be filled part by part. Code memory. */
MEROTEE_API bool merotee_collateral_new(struct merotee_collateral **out,
                                        struct merotee_error *err) MEROTEE_MUST_USE;

/* Reads the JSON object. Members may be missing (what needs them fails later); unknown ones are
 * ignored. Codes: collateral/format, collateral/too-large, crl/..., memory. */
MEROTEE_API bool merotee_collateral_read(const void *json, size_t len,
                                         struct merotee_collateral **out,
                                         struct merotee_error *err) MEROTEE_MUST_USE;
MEROTEE_API void merotee_collateral_free(struct merotee_collateral *collateral);

/* Replaces one part by `text`, in the form of the JSON object; CRLs may also be DER or PEM. The
 * part is empty after a failure. Codes: collateral/format, collateral/too-large, crl/..., usage (no
 * such part), memory. */
MEROTEE_API bool merotee_collateral_set(struct merotee_collateral *collateral,
                                        enum merotee_collateral_part part, const void *text,
                                        size_t len, struct merotee_error *err) MEROTEE_MUST_USE;

/* The bytes of a part (binary forms decoded) and, unless len is NULL, their number; NULL and 0 when
 * it is missing. Lives until the set changes. */
MEROTEE_API const uint8_t *merotee_collateral_get(const struct merotee_collateral *collateral,
                                                  enum merotee_collateral_part part, size_t *len);

/* The JSON object, one line a member, with a newline at the end. Give *out to merotee_free().
 * Codes: collateral/too-large, memory. */
MEROTEE_API bool merotee_collateral_write(const struct merotee_collateral *collateral, char **out,
                                          struct merotee_error *err) MEROTEE_MUST_USE;

/* Removes the documents that verifiers keep in a cache directory, and nothing else there: the way
 * out when a clock was wrong or a service handed out documents from the future. Not while a
 * verifier uses the directory. Codes: file/.... */
MEROTEE_API bool merotee_cache_forget(const char *cache_dir,
                                      struct merotee_error *err) MEROTEE_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
