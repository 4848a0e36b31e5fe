/* merotee/dev.h: roots other than Intel's, in development builds. */
#include <merotee/dev.h>

#include "lib/lib.h"

bool merotee_dev_verify(const void *root_pem, size_t root_pem_len, const void *quote,
                        size_t quote_len, const struct merotee_collateral *collateral,
                        const struct merotee_verify_options *options, int64_t now_s,
                        struct merotee_verdict *verdict, struct merotee_error *err)
{
    struct error why;
    struct dcap_options checked;
    DCAP_ROOT_AUTO struct dcap_root root = {0};
    verdict->filled = false;
    if (!lib_verify_options(options, &checked, err))
        return false;
    if (!dcap_root_open_pem(slice_of(root_pem, root_pem_len), &root, &why))
        return lib_fail(err, &why);
    return lib_verify(slice_of(quote, quote_len), collateral, &root, &checked, now_s, verdict, err);
}

bool merotee_dev_verifier_open(const char *root_pem_path,
                               const struct merotee_verifier_options *options,
                               struct merotee_verifier **out, struct merotee_error *err)
{
    if (root_pem_path == NULL)
        return lib_refuse(err, "usage", "root_pem_path", "there is no root");
    return lib_verifier_open(options, root_pem_path, out, err);
}
