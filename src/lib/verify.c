/* merotee/dcap.h: verification with documents in hand. */
#include "lib/lib.h"

/* Where the options of the first release end. */
enum { FIRST_OPTIONS = offsetof(struct merotee_verify_options, reserved) + sizeof(uint32_t) };

bool lib_verify_options(const struct merotee_verify_options *from, struct dcap_options *out,
                        struct merotee_error *err)
{
    struct merotee_verify_options o;
    if (!lib_options_copy(&o, sizeof o, FIRST_OPTIONS, from, err))
        return false;
    if (o.reserved != 0)
        return lib_refuse(err, "usage", "reserved", "a reserved option is not 0");
    *out = (struct dcap_options){.evaluation_number_min = o.evaluation_number_min};
    return true;
}

bool lib_verify(struct slice quote, const struct merotee_collateral *collateral,
                const struct dcap_root *root, const struct dcap_options *options, int64_t now_s,
                struct merotee_verdict *verdict, struct merotee_error *err)
{
    struct error why;
    verdict->filled =
        dcap_verify(quote, &collateral->documents, root, options, now_s, &verdict->says, &why);
    return verdict->filled || lib_fail(err, &why);
}

bool merotee_verify(const void *quote, size_t quote_len,
                    const struct merotee_collateral *collateral,
                    const struct merotee_verify_options *options, int64_t now_s,
                    struct merotee_verdict *verdict, struct merotee_error *err)
{
    struct error why;
    struct dcap_options checked;
    DCAP_ROOT_AUTO struct dcap_root root = {0};
    verdict->filled = false;
    if (!lib_verify_options(options, &checked, err))
        return false;
    if (!dcap_root_open_intel(&root, &why))
        return lib_fail(err, &why);
    return lib_verify(slice_of(quote, quote_len), collateral, &root, &checked, now_s, verdict, err);
}
