/* The collateral service of the tests. */
#include "support/fake_pcs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/codec.h"

static void percent_encode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (plain || c == '+')
            buf_append_byte(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static void nap(unsigned ms)
{
    struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000L};
    nanosleep(&wait, NULL);
}

static void reply_crl(struct http_exchange *x, enum fake_pcs_crl form, struct slice der)
{
    BUF_AUTO struct buf text = BUF_INIT(1 << 20);
    if (form == FAKE_CRL_HEX) {
        assert_true(hex_append(&text, der));
    } else if (form == FAKE_CRL_PEM) {
        BUF_AUTO struct buf base64 = BUF_INIT(1 << 20);
        assert_true(base64_append(&base64, der));
        buf_append_str(&text, "-----BEGIN X509 CRL-----\n");
        for (size_t at = 0; at < base64.len; at += 64) {
            buf_append(&text, slice_cut(buf_slice(&base64), at, 64));
            buf_append_byte(&text, '\n');
        }
        buf_append_str(&text, "-----END X509 CRL-----\n");
    } else {
        buf_append(&text, der);
    }
    http_exchange_reply(x, 200, "application/pkix-crl", buf_slice(&text));
}

static void add_chain(struct http_exchange *x, const char *name, const struct buf *pem)
{
    BUF_AUTO struct buf value = BUF_INIT(1 << 17);
    percent_encode(buf_slice(pem), &value);
    http_exchange_add_header(x, name, buf_cstr(&value));
}

static void reply_json(struct http_exchange *x, const char *name, const struct buf *document,
                       const char *signature)
{
    BUF_AUTO struct buf body = BUF_INIT(1 << 21);
    buf_printf(&body, "{\"%s\":", name);
    buf_append(&body, buf_slice(document));
    buf_printf(&body, ",\"signature\":\"%s\"}", signature);
    http_exchange_reply(x, 200, "application/json", buf_slice(&body));
}

static void reply_document(struct fake_pcs *pcs, struct http_exchange *x, enum document_kind kind,
                           bool no_chain)
{
    const char *update = http_exchange_query(x, "update");
    bool early = update != NULL && strcmp(update, "early") == 0 && pcs->early != NULL;
    const struct sim_collateral *c = early ? pcs->early : pcs->collateral;
    switch (kind) {
    case DOCUMENT_TCB_INFO:
        if (!no_chain)
            add_chain(x, "TCB-Info-Issuer-Chain", &c->tcb_info_issuer_chain);
        reply_json(x, "tcbInfo", &c->tcb_info, c->tcb_info_signature);
        break;
    case DOCUMENT_QE_IDENTITY:
        if (!no_chain)
            add_chain(x, "SGX-Enclave-Identity-Issuer-Chain", &c->qe_identity_issuer_chain);
        reply_json(x, "enclaveIdentity", &c->qe_identity, c->qe_identity_signature);
        break;
    case DOCUMENT_PCK_CRL:
        if (!no_chain)
            add_chain(x, "SGX-PCK-CRL-Issuer-Chain", &c->pck_crl_issuer_chain);
        reply_crl(x, pcs->crl, buf_slice(&c->pck_crl));
        break;
    default:
        reply_crl(x, pcs->crl, buf_slice(&c->root_ca_crl));
    }
}

static void answer(struct fake_pcs *pcs, struct http_exchange *x, enum document_kind kind)
{
    pthread_mutex_lock(&pcs->lock);
    unsigned count = ++pcs->requests[kind];
    struct fake_pcs_manner manner = pcs->manner[kind];
    pthread_mutex_unlock(&pcs->lock);
    nap(manner.delay_ms);
    pthread_mutex_lock(&pcs->lock);
    if (manner.status != 0 && (manner.first == 0 || count <= manner.first)) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%u", manner.retry_after_s);
        if (manner.retry_after_s != 0)
            http_exchange_add_header(x, "Retry-After", seconds);
        http_exchange_add_header(x, "Error-Message", "told to");
        http_exchange_reply(x, manner.status, "text/plain", slice_str("no"));
    } else if (manner.body != NULL) {
        http_exchange_reply(x, 200, "application/json", slice_str(manner.body));
    } else if (manner.oversize != 0) {
        BUF_AUTO struct buf blanks = BUF_INIT(manner.oversize);
        uint8_t *at = buf_extend(&blanks, manner.oversize);
        assert_non_null(at);
        memset(at, ' ', manner.oversize);
        http_exchange_reply(x, 200, "application/json", buf_slice(&blanks));
    } else {
        reply_document(pcs, x, kind, manner.no_chain);
    }
    pthread_mutex_unlock(&pcs->lock);
}

static void on_tcb(struct http_exchange *x, void *ctx)
{
    struct fake_pcs *pcs = ctx;
    const char *fmspc = http_exchange_query(x, "fmspc");
    pthread_mutex_lock(&pcs->lock);
    snprintf(pcs->last_fmspc, sizeof pcs->last_fmspc, "%s", fmspc != NULL ? fmspc : "");
    pthread_mutex_unlock(&pcs->lock);
    answer(pcs, x, DOCUMENT_TCB_INFO);
}

static void on_identity(struct http_exchange *x, void *ctx)
{
    answer(ctx, x, DOCUMENT_QE_IDENTITY);
}

static void on_pck_crl(struct http_exchange *x, void *ctx)
{
    answer(ctx, x, DOCUMENT_PCK_CRL);
}

static void on_root_crl(struct http_exchange *x, void *ctx)
{
    answer(ctx, x, DOCUMENT_ROOT_CRL);
}

void fake_pcs_start(struct fake_pcs *pcs, const struct sim_collateral *collateral)
{
    static const char *const listen[] = {"127.0.0.1:0"};
    static const struct http_route routes[] = {
        {.method = "GET", .path = "/tdx/certification/v4/tcb", .handler = on_tcb},
        {.method = "GET", .path = "/sgx/certification/v4/tcb", .handler = on_tcb},
        {.method = "GET", .path = "/tdx/certification/v4/qe/identity", .handler = on_identity},
        {.method = "GET", .path = "/sgx/certification/v4/qe/identity", .handler = on_identity},
        {.method = "GET", .path = "/sgx/certification/v4/pckcrl", .handler = on_pck_crl},
        {.method = "GET", .path = "/sgx/certification/v4/rootcacrl", .handler = on_root_crl},
    };
    struct http_server_options options = {.listen = listen,
                                          .listen_count = 1,
                                          .threads = 4,
                                          .routes = routes,
                                          .route_count = sizeof routes / sizeof routes[0],
                                          .ctx = pcs};
    struct error err;
    memset(pcs, 0, sizeof *pcs);
    pthread_mutex_init(&pcs->lock, NULL);
    pcs->collateral = collateral;
    if (!http_server_start(&options, &pcs->server, &err))
        fail_msg("%s", err.message);
    snprintf(pcs->base, sizeof pcs->base, "http://127.0.0.1:%u", http_server_port(pcs->server, 0));
}

void fake_pcs_stop(struct fake_pcs *pcs)
{
    http_server_stop(&pcs->server, 100);
    pthread_mutex_destroy(&pcs->lock);
}

void fake_pcs_serve(struct fake_pcs *pcs, const struct sim_collateral *collateral)
{
    pthread_mutex_lock(&pcs->lock);
    pcs->collateral = collateral;
    pthread_mutex_unlock(&pcs->lock);
}

unsigned fake_pcs_count(struct fake_pcs *pcs)
{
    unsigned sum = 0;
    pthread_mutex_lock(&pcs->lock);
    for (size_t i = 0; i < DOCUMENT_KINDS; i++) {
        sum += pcs->requests[i];
        pcs->requests[i] = 0;
    }
    pthread_mutex_unlock(&pcs->lock);
    return sum;
}

static void set(struct collateral *out, enum collateral_part part, struct slice text)
{
    struct error err;
    if (!collateral_set(out, part, text, &err))
        fail_msg("%s", err.message);
}

void fake_pcs_collateral(const struct sim_collateral *from, struct collateral *out)
{
    collateral_init(out);
    set(out, COLLATERAL_PCK_CRL_ISSUER_CHAIN, buf_slice(&from->pck_crl_issuer_chain));
    set(out, COLLATERAL_ROOT_CRL, buf_slice(&from->root_ca_crl));
    set(out, COLLATERAL_PCK_CRL, buf_slice(&from->pck_crl));
    set(out, COLLATERAL_TCB_INFO_ISSUER_CHAIN, buf_slice(&from->tcb_info_issuer_chain));
    set(out, COLLATERAL_TCB_INFO, buf_slice(&from->tcb_info));
    set(out, COLLATERAL_TCB_INFO_SIGNATURE, slice_str(from->tcb_info_signature));
    set(out, COLLATERAL_QE_IDENTITY_ISSUER_CHAIN, buf_slice(&from->qe_identity_issuer_chain));
    set(out, COLLATERAL_QE_IDENTITY, buf_slice(&from->qe_identity));
    set(out, COLLATERAL_QE_IDENTITY_SIGNATURE, slice_str(from->qe_identity_signature));
}
