/* libmerotee, development builds only: trust the root of a software platform instead of Intel's. A
 * release build installs neither this header nor the functions, so that a program which uses them
 * cannot be linked with it. pkg-config's flags of a development build define MEROTEE_DEV. */
#ifndef MEROTEE_DEV_H
#define MEROTEE_DEV_H

#include <merotee/dcap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* merotee_verify() with one self-signed certificate in PEM as the root. Codes besides: cert/...,
 * chain/.... */
MEROTEE_API bool merotee_dev_verify(const void *root_pem, size_t root_pem_len, const void *quote,
                                    size_t quote_len, const struct merotee_collateral *collateral,
                                    const struct merotee_verify_options *options, int64_t now_s,
                                    struct merotee_verdict *verdict,
                                    struct merotee_error *err) MEROTEE_MUST_USE;

/* merotee_verifier_open() with the root in this file. Codes besides: file/..., cert/.... */
MEROTEE_API bool merotee_dev_verifier_open(const char *root_pem_path,
                                           const struct merotee_verifier_options *options,
                                           struct merotee_verifier **out,
                                           struct merotee_error *err) MEROTEE_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
