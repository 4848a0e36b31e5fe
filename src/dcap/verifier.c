/* The verifier: root, attesters seen, collateral held, and where more comes from. */
#include "dcap/verifier.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "dcap/attester_cache.h"
#include "dcap/holdings.h"
#include "dcap/refresher.h"
#include "dcap/verify.h"

static const char intel_pcs[] = "https://api.trustedservices.intel.com";

enum { TIMEOUT_MS_DEFAULT = 15000, BUDGET_MS_DEFAULT = 25000 };

struct dcap_verifier {
    struct dcap_root root;
    struct dcap_options options;
    struct dcap_notices notices;
    struct http_client_options http;
    char *ca_path;
    atomic_bool closing; /* ends requests when the caller has no say in it */
    struct fetch_endpoint endpoints[DCAP_ENDPOINTS_MAX];
    size_t endpoint_count;
    struct gatherer gatherer;
    struct shelf *shelf;
    struct attester_cache attesters;
    struct holdings *holdings;
    struct refresher *refresher; /* NULL = none */
};

static bool open_root(const struct dcap_verifier_options *options, struct dcap_root *out,
                      struct error *err)
{
#ifdef MERO_DEV
    if (options->root_pem_path != NULL) {
        BUF_AUTO struct buf pem = BUF_INIT(COLLATERAL_CHAIN_MAX);
        return file_read(options->root_pem_path, &pem, err) &&
               dcap_root_open_pem(buf_slice(&pem), out, err);
    }
#else
    (void)options;
#endif
    return dcap_root_open_intel(out, err);
}

static bool open_endpoints(const struct dcap_verifier_options *options, struct dcap_verifier *v,
                           struct error *err)
{
    if (options->endpoint_count > DCAP_ENDPOINTS_MAX)
        return error_set(err, "config/endpoints", NULL, "more than %d collateral services",
                         DCAP_ENDPOINTS_MAX);
    if (options->offline)
        return true;
    if (options->endpoint_count == 0) {
        v->endpoint_count = 1;
        return fetch_endpoint_open(intel_pcs, &v->endpoints[0], err);
    }
    for (size_t i = 0; i < options->endpoint_count; i++) {
        if (!fetch_endpoint_open(options->endpoints[i], &v->endpoints[i], err))
            return false;
        v->endpoint_count++;
    }
    return true;
}

static bool open_parts(const struct dcap_verifier_options *options, struct dcap_verifier *v,
                       struct error *err)
{
    v->options.evaluation_number_min = options->evaluation_number_min;
    v->notices = options->notices;
    if (options->ca_path != NULL && (v->ca_path = strdup(options->ca_path)) == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    v->http = (struct http_client_options){
        .ca_path = v->ca_path, .cancel = options->cancel != NULL ? options->cancel : &v->closing};
    if (!open_root(options, &v->root, err) || !open_endpoints(options, v, err) ||
        !shelf_open(options->cache_dir, &v->root, &v->notices, &v->shelf, err))
        return false;
    v->gatherer = (struct gatherer){
        .shelf = v->shelf,
        .endpoints = v->endpoints,
        .endpoint_count = v->endpoint_count,
        .timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS_DEFAULT,
        .budget_ms = options->budget_ms != 0 ? options->budget_ms : BUDGET_MS_DEFAULT,
        .http = &v->http,
        .notices = &v->notices,
    };
    return holdings_open(&v->gatherer, &v->root, &v->holdings, err) &&
           (options->refresh_s == 0 ||
            refresher_start(v->holdings, options->refresh_s, &v->notices, &v->refresher, err));
}

bool dcap_verifier_open(const struct dcap_verifier_options *options, struct dcap_verifier **out,
                        struct error *err)
{
    DCAP_VERIFIER_AUTO struct dcap_verifier *v = calloc(1, sizeof *v);
    if (v == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    attester_cache_init(&v->attesters);
    if (!open_parts(options, v, err))
        return false;
    *out = v;
    v = NULL;
    return true;
}

void dcap_verifier_close(struct dcap_verifier **v)
{
    struct dcap_verifier *mine = *v;
    *v = NULL;
    if (mine == NULL)
        return;
    atomic_store(&mine->closing, true);
    refresher_stop(&mine->refresher);
    holdings_close(&mine->holdings);
    attester_cache_clear(&mine->attesters);
    shelf_close(&mine->shelf);
    for (size_t i = 0; i < DCAP_ENDPOINTS_MAX; i++)
        fetch_endpoint_close(&mine->endpoints[i]);
    dcap_root_close(&mine->root);
    free(mine->ca_path);
    free(mine);
}

/* The attester of a quote: known, or verified now. */
static bool find_attester(struct dcap_verifier *v, const struct quote *q, struct attester **out,
                          struct error *err)
{
    const struct slice no_chain = {NULL, 0};
    uint8_t id[SHA256_LEN];
    attester_identify(q, no_chain, id);
    *out = attester_cache_get(&v->attesters, id);
    if (*out != NULL)
        return true;
    if (!attester_open(q, no_chain, &v->root, id, out, err))
        return false;
    attester_cache_put(&v->attesters, *out);
    return true;
}

static enum tee_type tee_of(const struct quote *q)
{
    return q->tee == QUOTE_TEE_TDX ? TEE_TDX : TEE_SGX;
}

/* Everything that quote and root say by themselves. */
static bool check_evidence(struct dcap_verifier *v, const struct quote *q, int64_t now_s,
                           struct attester **attester, struct error *err)
{
    return find_attester(v, q, attester, err) && dcap_check_attester_dates(*attester, now_s, err) &&
           attester_check_quote(*attester, q, err);
}

/* The evidence, then the collateral for it. */
static bool prepare(struct dcap_verifier *v, const struct quote *q, int64_t now_s,
                    struct attester **attester, struct holding **holding, struct error *err)
{
    return check_evidence(v, q, now_s, attester, err) &&
           holdings_get(v->holdings, tee_of(q), *attester, now_s, holding, err);
}

bool dcap_verifier_check(struct dcap_verifier *v, struct slice quote, int64_t now_s,
                         struct verdict *out, struct error *err)
{
    struct quote q;
    ATTESTER_AUTO struct attester *attester = NULL;
    HOLDING_AUTO struct holding *holding = NULL;
    return quote_parse(quote, &q, err) && prepare(v, &q, now_s, &attester, &holding, err) &&
           dcap_judge(&q, attester, holding_trusted(holding), &v->options, now_s, out, err);
}

bool dcap_verifier_check_early(struct dcap_verifier *v, struct slice quote, int64_t now_s,
                               struct verdict *out, struct error *err)
{
    struct quote q;
    ATTESTER_AUTO struct attester *attester = NULL;
    HOLDING_AUTO struct holding *holding = NULL;
    return quote_parse(quote, &q, err) && check_evidence(v, &q, now_s, &attester, err) &&
           holdings_get_early(v->holdings, tee_of(&q), attester, now_s, &holding, err) &&
           dcap_judge(&q, attester, holding_trusted(holding), &v->options, now_s, out, err);
}

void dcap_verifier_status(struct dcap_verifier *v, struct dcap_verifier_status *out)
{
    int64_t expiry_s[DOCUMENT_KINDS];
    out->platforms = holdings_expiry(v->holdings, expiry_s);
    out->tcb_info_expiry_s = expiry_s[DOCUMENT_TCB_INFO];
    out->qe_identity_expiry_s = expiry_s[DOCUMENT_QE_IDENTITY];
    out->pck_crl_expiry_s = expiry_s[DOCUMENT_PCK_CRL];
    out->root_crl_expiry_s = expiry_s[DOCUMENT_ROOT_CRL];
}

bool dcap_verifier_collateral(struct dcap_verifier *v, struct slice quote, int64_t now_s,
                              struct collateral *out, struct error *err)
{
    struct quote q;
    ATTESTER_AUTO struct attester *attester = NULL;
    HOLDING_AUTO struct holding *holding = NULL;
    collateral_init(out);
    return quote_parse(quote, &q, err) && prepare(v, &q, now_s, &attester, &holding, err) &&
           collateral_copy(COLLATERAL_ALL_PARTS, holding_documents(holding), out, err);
}

bool dcap_verifier_import(struct dcap_verifier *v, struct slice quote,
                          const struct collateral *documents, int64_t now_s, struct error *err)
{
    struct quote q;
    ATTESTER_AUTO struct attester *attester = NULL;
    if (!quote_parse(quote, &q, err) || !find_attester(v, &q, &attester, err))
        return false;
    const struct attester_facts *facts = attester_facts(attester);
    for (size_t kind = 0; kind < DOCUMENT_KINDS; kind++) {
        struct document_key key = {
            .kind = (enum document_kind)kind, .tee = tee_of(&q), .ca = facts->issuer.ca};
        memcpy(key.fmspc, facts->fmspc, sizeof key.fmspc);
        if (!shelf_put(v->shelf, &key, &facts->issuer, now_s, documents, err))
            return false;
    }
    return true;
}

bool dcap_verifier_refresh(struct dcap_verifier *v, int64_t now_s, struct error *err)
{
    return holdings_refresh(v->holdings, now_s, err);
}

bool dcap_cache_forget(const char *cache_dir, struct error *err)
{
    return shelf_forget(cache_dir, err);
}
