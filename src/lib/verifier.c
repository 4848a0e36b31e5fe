/* merotee/dcap.h: the verifier that fetches and remembers. */
#include <stdlib.h>

#include "lib/lib.h"

LIB_SAME(MEROTEE_ENDPOINTS_MAX, DCAP_ENDPOINTS_MAX);

/* Where the structs of the first release end. */
enum {
    FIRST_OPTIONS = offsetof(struct merotee_verifier_options, warn_context) + sizeof(void *),
    FIRST_STATUS = offsetof(struct merotee_verifier_status, root_crl_expires_s) + sizeof(int64_t),
};

static bool translate(const struct merotee_verifier_options *from,
                      struct dcap_verifier_options *out, struct merotee_error *err)
{
    if (from->endpoint_count > MEROTEE_ENDPOINTS_MAX ||
        (from->endpoint_count > 0 && from->endpoints == NULL))
        return lib_refuse(err, "usage", "endpoints", "give at most 8 collateral services");
    if (from->offline > 1 || from->reserved != 0)
        return lib_refuse(err, "usage", "offline", "offline is 0 or 1, reserved 0");
    *out = (struct dcap_verifier_options){
        .endpoint_count = from->endpoint_count,
        .cache_dir = from->cache_dir,
        .offline = from->offline != 0,
        .timeout_ms = from->timeout_ms,
        .budget_ms = from->budget_ms,
        .evaluation_number_min = from->evaluation_number_min,
        .refresh_s = from->refresh_s,
        .ca_path = from->ca_path,
        .notices = {from->warn, from->warn_context},
    };
    for (size_t i = 0; i < from->endpoint_count; i++) {
        out->endpoints[i] = from->endpoints[i];
        if (out->endpoints[i] == NULL)
            return lib_refuse(err, "usage", "endpoints", "a collateral service has no address");
    }
    return true;
}

bool lib_verifier_open(const struct merotee_verifier_options *options, const char *root_pem_path,
                       struct merotee_verifier **out, struct merotee_error *err)
{
    struct error why;
    struct merotee_verifier_options given;
    struct dcap_verifier_options translated;
    if (!lib_options_copy(&given, sizeof given, FIRST_OPTIONS, options, err) ||
        !translate(&given, &translated, err))
        return false;
    struct merotee_verifier *v = calloc(1, sizeof *v);
    if (v == NULL)
        return lib_no_memory(err);
    translated.cancel = &v->canceled;
#ifdef MERO_DEV
    translated.root_pem_path = root_pem_path;
#else
    (void)root_pem_path;
#endif
    if (!dcap_verifier_open(&translated, &v->inner, &why)) {
        free(v);
        return lib_fail(err, &why);
    }
    *out = v;
    return true;
}

bool merotee_verifier_open(const struct merotee_verifier_options *options,
                           struct merotee_verifier **out, struct merotee_error *err)
{
    return lib_verifier_open(options, NULL, out, err);
}

void merotee_verifier_close(struct merotee_verifier *verifier)
{
    if (verifier == NULL)
        return;
    merotee_verifier_cancel(verifier);
    dcap_verifier_close(&verifier->inner);
    free(verifier);
}

bool merotee_verifier_check(struct merotee_verifier *verifier, const void *quote, size_t quote_len,
                            int64_t now_s, struct merotee_verdict *verdict,
                            struct merotee_error *err)
{
    struct error why;
    verdict->filled = false;
    verdict->filled = dcap_verifier_check(verifier->inner, slice_of(quote, quote_len), now_s,
                                          &verdict->says, &why);
    return verdict->filled || lib_fail(err, &why);
}

bool merotee_verifier_collateral(struct merotee_verifier *verifier, const void *quote,
                                 size_t quote_len, int64_t now_s, struct merotee_collateral **out,
                                 struct merotee_error *err)
{
    struct error why;
    struct merotee_collateral *c;
    if (!merotee_collateral_new(&c, err))
        return false;
    if (!dcap_verifier_collateral(verifier->inner, slice_of(quote, quote_len), now_s, &c->documents,
                                  &why)) {
        merotee_collateral_free(c);
        return lib_fail(err, &why);
    }
    *out = c;
    return true;
}

bool merotee_verifier_import(struct merotee_verifier *verifier, const void *quote, size_t quote_len,
                             const struct merotee_collateral *collateral, int64_t now_s,
                             struct merotee_error *err)
{
    struct error why;
    return dcap_verifier_import(verifier->inner, slice_of(quote, quote_len), &collateral->documents,
                                now_s, &why) ||
           lib_fail(err, &why);
}

bool merotee_verifier_refresh(struct merotee_verifier *verifier, int64_t now_s,
                              struct merotee_error *err)
{
    struct error why;
    return dcap_verifier_refresh(verifier->inner, now_s, &why) || lib_fail(err, &why);
}

bool merotee_verifier_status(struct merotee_verifier *verifier,
                             struct merotee_verifier_status *status, struct merotee_error *err)
{
    struct dcap_verifier_status now;
    if (!lib_size_ok(status->size, FIRST_STATUS, err))
        return false;
    dcap_verifier_status(verifier->inner, &now);
    const struct merotee_verifier_status told = {
        .size = status->size,
        .platforms = now.platforms,
        .tcb_info_expires_s = now.tcb_info_expiry_s,
        .qe_identity_expires_s = now.qe_identity_expiry_s,
        .pck_crl_expires_s = now.pck_crl_expiry_s,
        .root_crl_expires_s = now.root_crl_expiry_s,
    };
    lib_tell(&told, sizeof told, status, told.size);
    return true;
}

bool merotee_verifier_early_status(struct merotee_verifier *verifier, const void *quote,
                                   size_t quote_len, int64_t now_s, enum merotee_tcb_status *out,
                                   struct merotee_error *err)
{
    struct error why;
    struct merotee_verdict *early = merotee_verdict_new();
    if (early == NULL)
        return lib_no_memory(err);
    early->filled = dcap_verifier_check_early(verifier->inner, slice_of(quote, quote_len), now_s,
                                              &early->says, &why);
    bool ok = early->filled || lib_fail(err, &why);
    if (ok)
        *out = merotee_verdict_status(early, MEROTEE_STATUS_OF_ALL);
    merotee_verdict_free(early);
    return ok;
}

void merotee_verifier_cancel(struct merotee_verifier *verifier)
{
    atomic_store(&verifier->canceled, true);
}
