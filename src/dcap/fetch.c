/* Addresses, requests, and what the answers are made of. */
#include "dcap/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "x509/pem.h"

#define INTEL_PCS_HOST "api.trustedservices.intel.com"
#define INTEL_ROOT_CRL "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"

/* Longest that an endpoint can ask to be left alone. */
enum { RETRY_AFTER_MAX_S = 3600 };

static const char *const known_paths[] = {"/sgx/certification/v4", "/tdx/certification/v4"};

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);
    return len >= end_len && memcmp(&text[len - end_len], end, end_len) == 0;
}

bool fetch_endpoint_open(const char *base, struct fetch_endpoint *out, struct error *err)
{
    struct http_url url;
    if (strchr(base, '@') != NULL) /* and is not repeated in a message */
        return error_set(
            err, "config/collateral-url", NULL,
            "the address of a collateral service may not hold a user name or password");
    if (!http_url_parse(base, &url, NULL) || strpbrk(base, "?#") != NULL)
        return error_set(err, "config/collateral-url", base,
                         "the collateral service \"%s\" is not the address of one", base);
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    for (size_t i = 0; i < sizeof known_paths / sizeof known_paths[0]; i++)
        if (ends_with(base, len, known_paths[i]))
            len -= strlen(known_paths[i]);
    out->base = strndup(base, len);
    if (out->base == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    atomic_init(&out->not_before_ms, 0);
    return true;
}

void fetch_endpoint_close(struct fetch_endpoint *e)
{
    free(e->base);
    e->base = NULL;
}

static bool root_crl_url(const char *base, struct buf *out, struct error *err)
{
    struct http_url url;
    if (!http_url_parse(base, &url, err))
        return false;
    if (strcmp(url.host, INTEL_PCS_HOST) == 0)
        return buf_append_str(out, INTEL_ROOT_CRL);
    return buf_printf(out, "%s/sgx/certification/v4/rootcacrl", base);
}

bool fetch_url(const char *base, const struct document_key *key, struct buf *out, struct error *err)
{
    const char *tee = key->tee == TEE_TDX ? "tdx" : "sgx";
    char fmspc[2 * sizeof key->fmspc + 1];
    hex_encode(slice_of(key->fmspc, sizeof key->fmspc), fmspc);
    if (key->kind == DOCUMENT_TCB_INFO)
        buf_printf(out, "%s/%s/certification/v4/tcb?fmspc=%s%s", base, tee, fmspc,
                   key->early ? "&update=early" : "");
    else if (key->kind == DOCUMENT_QE_IDENTITY)
        buf_printf(out, "%s/%s/certification/v4/qe/identity", base, tee);
    else if (key->kind == DOCUMENT_PCK_CRL)
        buf_printf(out, "%s/sgx/certification/v4/pckcrl?ca=%s&encoding=der", base,
                   pck_ca_name(key->ca));
    else if (!root_crl_url(base, out, err))
        return false;
    return !out->failed ? true
                        : error_set(err, "http/url", base, "the address of a document is too long");
}

static bool unreachable(struct error *err, const char *url, const char *why)
{
    return error_set(err, "collateral/unreachable", url, "%s: %s", url, why);
}

/* What a service says about a refusal, beside the status. */
static void describe_status(const struct http_response *response, char *out, size_t cap)
{
    struct slice text = {0};
    int used = snprintf(out, cap, "answered %ld", response->status);
    if (http_response_header(response, "Error-Message", &text) && used > 0 && (size_t)used < cap)
        snprintf(&out[used], cap - (size_t)used, " (%.*s)", (int)(text.len < 200 ? text.len : 200),
                 (const char *)text.data);
}

static void note_retry_after(struct fetch_endpoint *endpoint, const struct http_response *response)
{
    int64_t wait_s = http_response_retry_after_s(response);
    if (wait_s > RETRY_AFTER_MAX_S)
        wait_s = RETRY_AFTER_MAX_S;
    if (wait_s > 0)
        atomic_store(&endpoint->not_before_ms, clock_monotonic_ms() + 1000 * wait_s);
}

static bool request(const struct fetcher *f, struct fetch_endpoint *endpoint, const char *url,
                    struct http_response *response, struct error *err)
{
    char why[300];
    int64_t left_ms = f->deadline_ms - clock_monotonic_ms();
    if (left_ms <= 0)
        return unreachable(err, url, "no time left to ask");
    struct http_request ask = {.method = "GET",
                               .url = url,
                               .timeout_ms =
                                   left_ms < f->timeout_ms ? (unsigned)left_ms : f->timeout_ms,
                               .body_max = COLLATERAL_DOCUMENT_MAX};
    if (!http_client_call(f->client, &ask, response, err)) {
        snprintf(why, sizeof why, "%.*s", (int)sizeof why - 1, err != NULL ? err->message : "");
        return unreachable(err, url, why);
    }
    if (response->status == 200)
        return true;
    note_retry_after(endpoint, response);
    describe_status(response, why, sizeof why);
    return unreachable(err, url, why);
}

/* The issuer chain: percent-encoded PEM in a header. */
static bool take_chain(const struct http_response *response, const char *header,
                       enum collateral_part part, struct collateral *into, struct error *err)
{
    struct slice text;
    BUF_AUTO struct buf pem = BUF_INIT(COLLATERAL_CHAIN_MAX);
    if (!http_response_header(response, header, &text))
        return error_set(err, "collateral/format", header, "the reply has no header %s", header);
    return x509_percent_decode(text, &pem, err) && collateral_set(into, part, buf_slice(&pem), err);
}

static bool take_reply(const struct http_response *response, const struct document_key *key,
                       struct collateral *into, struct error *err)
{
    struct slice body = buf_slice(&response->body);
    switch (key->kind) {
    case DOCUMENT_TCB_INFO:
        return take_chain(response, "TCB-Info-Issuer-Chain", COLLATERAL_TCB_INFO_ISSUER_CHAIN, into,
                          err) &&
               collateral_set_reply(into, COLLATERAL_TCB_INFO, body, err);
    case DOCUMENT_QE_IDENTITY:
        return take_chain(response, "SGX-Enclave-Identity-Issuer-Chain",
                          COLLATERAL_QE_IDENTITY_ISSUER_CHAIN, into, err) &&
               collateral_set_reply(into, COLLATERAL_QE_IDENTITY, body, err);
    case DOCUMENT_PCK_CRL:
        /* Not needed to verify the CRL, so a service that leaves it out is no worse. */
        if (!take_chain(response, "SGX-PCK-CRL-Issuer-Chain", COLLATERAL_PCK_CRL_ISSUER_CHAIN, into,
                        NULL))
            buf_reset(&into->part[COLLATERAL_PCK_CRL_ISSUER_CHAIN]);
        return collateral_set(into, COLLATERAL_PCK_CRL, body, err);
    default:
        return collateral_set(into, COLLATERAL_ROOT_CRL, body, err);
    }
}

bool fetch_document(const struct fetcher *f, struct fetch_endpoint *endpoint,
                    const struct document_key *key, struct collateral *into, struct error *err)
{
    BUF_AUTO struct buf url = BUF_INIT(FETCH_URL_MAX);
    HTTP_RESPONSE_AUTO struct http_response response = {0};
    int64_t wait_ms = atomic_load(&endpoint->not_before_ms) - clock_monotonic_ms();
    if (!fetch_url(endpoint->base, key, &url, err))
        return false;
    const char *address = buf_cstr(&url);
    if (address == NULL)
        return error_set(err, "http/url", NULL, "the address of a document is too long");
    if (wait_ms > 0)
        return unreachable(err, address, "it asked to be left alone for a while");
    return request(f, endpoint, address, &response, err) &&
           (take_reply(&response, key, into, err) || error_prefix(err, "%s", address));
}
