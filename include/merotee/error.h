/* libmerotee: what every header shares: how functions fail, how long names live, how threads may
 * meet.
 *
 * Failing. A function that can fail returns true on success. On failure it returns false, leaves
 * its outputs as they were (except where its comment says otherwise) and fills the caller's struct
 * merotee_error, which may be NULL. Nothing is logged or printed, and no process is ended.
 *
 * Ownership. What a function hands out through `**out` belongs to the caller, who gives it back to
 * the matching ..._free() or ..._close(), which take NULL. What is returned as `const` belongs to
 * the handle and lives as long as it, unless it is said to live shorter. Inputs are only read
 * during the call and copied where they are needed later.
 *
 * Threads. Any function may be called from any thread at any time, with this one rule: a handle
 * that is not const in a function's signature belongs to one thread during the call; const handles
 * may be shared by any number of threads. struct merotee_verifier is the exception: it is made to
 * be shared, and all its functions but merotee_verifier_close() may run at the same time.
 *
 * Process. There is nothing to initialise and nothing to clean up. libcurl, OpenSSL and libsodium
 * are started when first needed, once, under a lock. No environment variable is read, except by
 * libcurl (https_proxy and its kin) and OpenSSL (OPENSSL_CONF). No signal handler is installed.
 * Once loaded, the shared library stays: dlclose() does not unmap it.
 */
#ifndef MEROTEE_ERROR_H
#define MEROTEE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MEROTEE_API      __attribute__((visibility("default")))
#define MEROTEE_MUST_USE __attribute__((warn_unused_result))
#else
#define MEROTEE_API
#define MEROTEE_MUST_USE
#endif

enum { MEROTEE_ERROR_FIELD_MAX = 96, MEROTEE_ERROR_MESSAGE_MAX = 640 };

/* Why a call failed. All texts are NUL-terminated printable UTF-8, whatever the input was. This
 * struct never changes its size. */
struct merotee_error {
    /* Stable, machine readable, "area/what" in lower case: "signature/quote", "tcb/revoked",
     * "collateral/expired". Static text, never NULL after a failure. docs/exit-codes.md has the
     * areas. */
    const char *code;
    /* The input that failed, as the format calls it: "tcbInfo.nextUpdate", "rtmr2"; may be empty.
     */
    char field[MEROTEE_ERROR_FIELD_MAX];
    /* One line for a human, without full stop. */
    char message[MEROTEE_ERROR_MESSAGE_MAX];
};

/* True when err->code is exactly `code`, or starts with it when `code` ends in '/': "collateral/"
 * is every failure of documents. False for NULL. */
MEROTEE_API bool merotee_error_is(const struct merotee_error *err, const char *code);

/* Gives back text that the library handed out as char *. NULL is fine. */
MEROTEE_API void merotee_free(void *text);

/* "0.1.0": the release of the library that is running. Static text. */
MEROTEE_API const char *merotee_version(void);

#ifdef __cplusplus
}
#endif
#endif
