/* Chains through OpenSSL, one authority at a time, so that none lends its certificates or its
 * window to another. */
#include "sigstore/chain.h"

#include <openssl/err.h>

#include "sigstore/certificate.h"
#include "sigstore/openssl_auto.h"

/* 112 bits. */
enum { SECURITY_LEVEL = 2 };

X509_STORE *sigstore_chain_store(const struct sigstore_authority *authority)
{
    X509_STORE *store = X509_STORE_new();
    X509_VERIFY_PARAM *param = store != NULL ? X509_STORE_get0_param(store) : NULL;
    /* OpenSSL takes the end of a certificate's life for exclusive; dates are checked here. */
    if (param != NULL && X509_STORE_add_cert(store, authority->certs[authority->count - 1]) == 1 &&
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_X509_STRICT) ==
            1) {
        X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
        return store;
    }
    X509_STORE_free(store);
    return NULL;
}

STACK_OF(X509) * sigstore_chain_untrusted(const struct sigstore_authority *authority)
{
    STACK_OF(X509) *certs = sk_X509_new_null();
    for (size_t i = 0; certs != NULL && i + 1 < authority->count; i++)
        if (sk_X509_push(certs, authority->certs[i]) <= 0) {
            sk_X509_free(certs);
            return NULL;
        }
    return certs;
}

/* The certificate of the authority that signed the leaf, NULL when none did. */
static const X509 *issuer_in(const struct sigstore_authority *authority, X509 *leaf)
{
    AUTO(store) X509_STORE *store = sigstore_chain_store(authority);
    AUTO(borrowed_stack) STACK_OF(X509) *untrusted = sigstore_chain_untrusted(authority);
    AUTO(store_ctx) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    const X509 *issuer = NULL;
    if (store != NULL && untrusted != NULL && ctx != NULL &&
        X509_STORE_CTX_init(ctx, store, leaf, untrusted) == 1 && X509_verify_cert(ctx) == 1) {
        STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
        const X509 *found = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : NULL;
        for (size_t i = 0; found != NULL && i < authority->count; i++)
            if (X509_cmp(found, authority->certs[i]) == 0)
                issuer = authority->certs[i];
    }
    ERR_clear_error();
    return issuer;
}

static bool counts_at(const struct sigstore_authority *authority, const int64_t *times_s,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!sigstore_window_has(&authority->window, times_s[i] * 1000) ||
            !sigstore_certificates_at(authority->certs, authority->count, times_s[i]))
            return false;
    return true;
}

bool sigstore_chain_check(const struct sigstore_trust *trust, X509 *leaf, const int64_t *times_s,
                          size_t time_count, const X509 **issuer, struct error *err)
{
    bool is_issued = false;
    for (size_t i = 0; i < trust->cas.count; i++) {
        const struct sigstore_authority *authority = &trust->cas.list[i];
        const X509 *found = issuer_in(authority, leaf);
        is_issued = is_issued || found != NULL;
        if (found != NULL && counts_at(authority, times_s, time_count)) {
            *issuer = found;
            return true;
        }
    }
    if (is_issued)
        return error_set(err, "sigstore/chain-time", "certificate",
                         "the authority that issued the signer's certificate did not count when "
                         "the signature was made");
    return error_set(err, "sigstore/chain", "certificate",
                     "no authority of the trust root issued the signer's certificate");
}
