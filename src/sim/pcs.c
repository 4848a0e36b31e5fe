/* PCS v4 endpoints. Bodies are made at each request from the stage, as of now. */
#include "sim/pcs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "sim/answer.h"

struct sim_pcs {
    struct sim_stage *stage;
    struct sim_later *later;
    struct http_server *server;
    struct slice page;
    atomic_bool has_page;
};

/* --- pieces of answers --- */

/* Everything but RFC 3986's unreserved characters becomes %XX, as Intel sends it. */
static void put_percent_encoded(struct buf *out, struct slice text)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~";
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        if (c != '\0' && strchr(unreserved, c) != NULL)
            buf_append_byte(out, text.data[i]);
        else
            buf_printf(out, "%%%02X", text.data[i]);
    }
}

static void set_chain(struct sim_answer *a, const char *header, const struct buf *chain)
{
    a->header_name = header;
    put_percent_encoded(&a->header_value, buf_slice(chain));
}

static void put_document(struct sim_answer *a, const char *name, const struct buf *document,
                         const char *signature)
{
    a->status = 200;
    buf_printf(&a->body, "{\"%s\":", name);
    buf_append(&a->body, buf_slice(document));
    buf_printf(&a->body, ",\"signature\":\"%s\"}", signature);
}

static void put_pem_crl(struct buf *out, const struct buf *der)
{
    struct buf base64 BUF_AUTO = BUF_INIT(2 * SIM_DER_MAX);
    base64_append(&base64, buf_slice(der));
    buf_append_str(out, "-----BEGIN X509 CRL-----\n");
    for (size_t at = 0; at < base64.len; at += 64) {
        buf_append(out, slice_cut(buf_slice(&base64), at, 64));
        buf_append_byte(out, '\n');
    }
    buf_append_str(out, "-----END X509 CRL-----\n");
}

static bool is_tdx(const struct http_exchange *x)
{
    return strncmp(http_exchange_path(x), "/tdx/", 5) == 0;
}

/* Collateral as of now, or a 500 that says why not. */
static bool stage_collateral(struct sim_pcs *pcs, const struct sim_collateral_spec *spec,
                             struct sim_collateral *out, struct sim_answer *a)
{
    struct error err = {0};
    if (sim_collateral_make(&pcs->stage->pki, spec, out, &err))
        return true;
    sim_answer_error(a, 500, err.message);
    return false;
}

/* A fault of all answers counts before one of this machine's. */
static void send_answer(struct sim_pcs *pcs, struct http_exchange *x, struct sim_answer *a,
                        struct sim_machine *machine)
{
    struct sim_fault fault = sim_stage_scenario(pcs->stage).pcs;
    if (fault.kind == SIM_FAULT_NONE && machine != NULL)
        fault = sim_machine_scenario(machine).pcs;
    http_exchange_add_header(x, "Request-ID", "5117a70e5117a70e5117a70e5117a70e");
    sim_answer_send(a, x, fault, pcs->later);
}

/* --- TCB info --- */

struct tcb_query {
    uint8_t fmspc[6];
    bool early;
};

/* 404 and 410 as Intel gives them (platform facts 4.2). 0 = there is one; above the current number
 * stands the early one, below it the retired ones. */
static unsigned read_evaluation_number(const char *text, bool *early)
{
    for (int step = -2; step <= 1; step++) {
        char number[16];
        snprintf(number, sizeof number, "%d", SIM_EVALUATION_NUMBER + step);
        if (strcmp(text, number) == 0) {
            *early = step > 0;
            return step < 0 ? 410 : 0;
        }
    }
    return 404;
}

static unsigned read_update(const struct http_exchange *x, bool *early)
{
    const char *update = http_exchange_query(x, "update");
    const char *number = http_exchange_query(x, "tcbEvaluationDataNumber");
    *early = false;
    if (update != NULL && number != NULL)
        return 400;
    if (number != NULL)
        return read_evaluation_number(number, early);
    if (update == NULL || strcmp(update, "standard") == 0)
        return 0;
    *early = strcmp(update, "early") == 0;
    return *early ? 0 : 400;
}

static unsigned read_tcb_query(const struct http_exchange *x, struct tcb_query *out)
{
    const char *fmspc = http_exchange_query(x, "fmspc");
    if (fmspc == NULL || !hex_decode(slice_str(fmspc), out->fmspc, sizeof out->fmspc))
        return 400;
    return read_update(x, &out->early);
}

static void answer_tcb(struct sim_pcs *pcs, const struct http_exchange *x,
                       struct sim_machine *machine, bool early, struct sim_answer *a)
{
    struct sim_collateral_spec spec;
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    sim_stage_collateral(pcs->stage, machine, SIM_PLATFORM_CA, is_tdx(x), early, &spec);
    if (!stage_collateral(pcs, &spec, &c, a))
        return;
    set_chain(a, "TCB-Info-Issuer-Chain", &c.tcb_info_issuer_chain);
    put_document(a, "tcbInfo", &c.tcb_info, c.tcb_info_signature);
}

static void handle_tcb(struct http_exchange *x, void *ctx)
{
    struct sim_pcs *pcs = ctx;
    struct sim_answer a = sim_answer_new(SIM_COLLATERAL_MAX);
    struct tcb_query query = {0};
    struct sim_machine *machine = NULL;
    unsigned status = read_tcb_query(x, &query);
    if (status == 0) {
        machine = sim_stage_fmspc(pcs->stage, query.fmspc);
        bool known =
            machine != NULL && sim_machine_scenario(machine).tcb_info != SIM_DOCUMENT_UNKNOWN;
        status = known ? 0 : 404;
    }
    if (status != 0)
        sim_answer_error(&a, status, "no such TCB info");
    else
        answer_tcb(pcs, x, machine, query.early, &a);
    send_answer(pcs, x, &a, machine);
}

/* --- what does not depend on a machine --- */

static void handle_identity(struct http_exchange *x, void *ctx)
{
    struct sim_pcs *pcs = ctx;
    struct sim_answer a = sim_answer_new(SIM_COLLATERAL_MAX);
    struct sim_collateral_spec spec;
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    bool early = false;
    unsigned status = read_update(x, &early);
    sim_stage_collateral(pcs->stage, NULL, SIM_PLATFORM_CA, is_tdx(x), false, &spec);
    spec.qe_identity.evaluation_number += early ? 1 : 0;
    if (status == 0 && sim_stage_scenario(pcs->stage).qe_identity == SIM_DOCUMENT_UNKNOWN)
        status = 404;
    if (status != 0) {
        sim_answer_error(&a, status, "no such identity");
    } else if (stage_collateral(pcs, &spec, &c, &a)) {
        set_chain(&a, "SGX-Enclave-Identity-Issuer-Chain", &c.qe_identity_issuer_chain);
        put_document(&a, "enclaveIdentity", &c.qe_identity, c.qe_identity_signature);
    }
    send_answer(pcs, x, &a, NULL);
}

static void handle_evaluation_numbers(struct http_exchange *x, void *ctx)
{
    struct sim_pcs *pcs = ctx;
    struct sim_answer a = sim_answer_new(SIM_COLLATERAL_MAX);
    struct sim_collateral_spec spec;
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    struct buf document BUF_AUTO = BUF_INIT(SIM_DOCUMENT_MAX);
    char signature[SIM_SIGNATURE_HEX_LEN + 1];
    sim_stage_collateral(pcs->stage, NULL, SIM_PLATFORM_CA, is_tdx(x), false, &spec);
    sim_evaluation_numbers_write(&spec.tcb_info, &document);
    if (stage_collateral(pcs, &spec, &c, &a) &&
        sim_document_sign(buf_slice(&document), pcs->stage->pki.cert[SIM_TCB_SIGNING].key,
                          signature, NULL)) {
        set_chain(&a, "TCB-Evaluation-Data-Numbers-Issuer-Chain", &c.tcb_info_issuer_chain);
        put_document(&a, "tcbEvaluationDataNumbers", &document, signature);
    }
    send_answer(pcs, x, &a, NULL);
}

static void put_crl(struct sim_answer *a, const struct buf *der, const char *encoding)
{
    a->status = 200;
    if (strcmp(encoding, "der") == 0) {
        a->content_type = "application/pkix-crl";
        buf_append(&a->body, buf_slice(der));
    } else if (strcmp(encoding, "hex") == 0) {
        a->content_type = "application/pkix-crl"; /* so says a PCCS */
        hex_append(&a->body, buf_slice(der));
    } else {
        a->content_type = "application/x-pem-file";
        put_pem_crl(&a->body, der);
    }
}

static void handle_pck_crl(struct http_exchange *x, void *ctx)
{
    struct sim_pcs *pcs = ctx;
    struct sim_answer a = sim_answer_new(SIM_COLLATERAL_MAX);
    struct sim_collateral_spec spec;
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    const char *ca = http_exchange_query(x, "ca");
    const char *encoding = http_exchange_query(x, "encoding");
    bool platform = ca != NULL && strcmp(ca, "platform") == 0;
    bool processor = ca != NULL && strcmp(ca, "processor") == 0;
    encoding = encoding == NULL ? "pem" : encoding;
    sim_stage_collateral(pcs->stage, NULL, platform ? SIM_PLATFORM_CA : SIM_PROCESSOR_CA, true,
                         false, &spec);
    if ((!platform && !processor) ||
        (strcmp(encoding, "der") != 0 && strcmp(encoding, "pem") != 0)) {
        sim_answer_error(&a, 400, "ca is platform or processor, encoding is der or pem");
    } else if (sim_stage_scenario(pcs->stage).pck_crl == SIM_DOCUMENT_UNKNOWN) {
        sim_answer_error(&a, 404, "no such CRL");
    } else if (stage_collateral(pcs, &spec, &c, &a)) {
        set_chain(&a, "SGX-PCK-CRL-Issuer-Chain", &c.pck_crl_issuer_chain);
        put_crl(&a, &c.pck_crl, encoding);
    }
    send_answer(pcs, x, &a, NULL);
}

static void handle_root_crl(struct http_exchange *x, void *ctx)
{
    struct sim_pcs *pcs = ctx;
    struct sim_answer a = sim_answer_new(SIM_COLLATERAL_MAX);
    struct sim_collateral_spec spec;
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    bool pccs = strcmp(http_exchange_path(x), "/IntelSGXRootCA.der") != 0;
    sim_stage_collateral(pcs->stage, NULL, SIM_PLATFORM_CA, true, false, &spec);
    if (sim_stage_scenario(pcs->stage).root_crl == SIM_DOCUMENT_UNKNOWN)
        sim_answer_error(&a, 404, "no such CRL");
    else if (stage_collateral(pcs, &spec, &c, &a))
        put_crl(&a, &c.root_ca_crl, pccs ? "hex" : "der");
    send_answer(pcs, x, &a, NULL);
}

/* --- control --- */

static void reply_text(struct http_exchange *x, unsigned status, const char *text)
{
    struct sim_answer a = sim_answer_new(4096);
    sim_answer_error(&a, status, text);
    http_exchange_reply(x, status, "application/json", buf_slice(&a.body));
    buf_free(&a.body);
}

static bool read_words(struct slice body, enum sim_scope scope, struct sim_scenario *out,
                       struct error *err)
{
    json_t *object JSON_AUTO = NULL;
    json_t *words = NULL;
    *out = (struct sim_scenario){0};
    if (!json_parse(body, SIM_CONTROL_BODY_MAX, 0, &object, err) ||
        !json_get_array(object, "scenarios", &words, err))
        return false;
    for (size_t i = 0; i < json_array_size(words); i++) {
        const json_t *word = json_array_get(words, i);
        if (!json_is_string(word))
            return error_set(err, "json/type", "scenarios", "scenarios must be texts");
        struct slice text = slice_of(json_string_value(word), json_string_length(word));
        if (!sim_scenario_apply(out, scope, text, err))
            return false;
    }
    return true;
}

static void handle_page(struct http_exchange *x, void *ctx)
{
    struct sim_pcs *pcs = ctx;
    if (atomic_load(&pcs->has_page))
        http_exchange_reply(x, 200, "application/json", pcs->page);
    else
        reply_text(x, 503, "still starting");
}

static void reply_quote(struct http_exchange *x, struct sim_machine *machine)
{
    uint8_t report_data[64];
    struct error err = {0};
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    const char *text = http_exchange_query(x, "report_data");
    if (text == NULL || !hex_decode(slice_str(text), report_data, sizeof report_data))
        reply_text(x, 400, "report_data must be 128 hex digits");
    else if (!sim_machine_quote(machine, report_data, &quote, &err))
        reply_text(x, 500, err.message);
    else
        http_exchange_reply(x, 200, "application/octet-stream", buf_slice(&quote));
}

static void reply_collateral(struct http_exchange *x, struct sim_stage *stage,
                             struct sim_machine *machine)
{
    struct sim_collateral_spec spec;
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    struct buf text BUF_AUTO = BUF_INIT(SIM_COLLATERAL_MAX);
    struct error err = {0};
    sim_stage_collateral(stage, machine, SIM_PLATFORM_CA, true, false, &spec);
    if (!sim_collateral_make(&stage->pki, &spec, &c, &err) ||
        !sim_collateral_write(&c, &text, &err))
        reply_text(x, 500, err.message);
    else
        http_exchange_reply(x, 200, "application/json", buf_slice(&text));
}

/* "NAME/quote" or "NAME/collateral" */
static void handle_get_machine(struct http_exchange *x, void *ctx)
{
    struct sim_pcs *pcs = ctx;
    const char *tail = http_exchange_tail(x);
    char name[SIM_MACHINE_NAME_MAX] = "";
    size_t len = strcspn(tail, "/");
    if (len < sizeof name)
        memcpy(name, tail, len);
    struct sim_machine *machine = sim_stage_machine(pcs->stage, name);
    if (machine != NULL && strcmp(tail + len, "/quote") == 0)
        reply_quote(x, machine);
    else if (machine != NULL && strcmp(tail + len, "/collateral") == 0)
        reply_collateral(x, pcs->stage, machine);
    else
        reply_text(x, 404, "no such machine, or not its quote or collateral");
}

static void handle_set_machine(struct http_exchange *x, void *ctx)
{
    struct sim_pcs *pcs = ctx;
    struct sim_scenario scenario;
    struct error err = {0};
    struct sim_machine *machine = sim_stage_machine(pcs->stage, http_exchange_tail(x));
    if (machine == NULL)
        reply_text(x, 404, "no such machine");
    else if (!read_words(http_exchange_body(x), SIM_SCOPE_MACHINE, &scenario, &err) ||
             !sim_machine_set_scenario(machine, &scenario, &err))
        reply_text(x, 400, err.message);
    else
        http_exchange_reply(x, 204, NULL, slice_of(NULL, 0));
}

static void handle_set_pcs(struct http_exchange *x, void *ctx)
{
    struct sim_pcs *pcs = ctx;
    struct sim_scenario scenario;
    struct error err = {0};
    if (!read_words(http_exchange_body(x), SIM_SCOPE_PCS, &scenario, &err)) {
        reply_text(x, 400, err.message);
        return;
    }
    sim_stage_set_scenario(pcs->stage, &scenario);
    http_exchange_reply(x, 204, NULL, slice_of(NULL, 0));
}

static void fallback(struct http_exchange *x, unsigned status, void *ctx)
{
    (void)ctx;
    reply_text(x, status, "not a resource of this service");
}

/* --- life --- */

static const struct http_route routes[] = {
    {.method = "GET", .path = "/sgx/certification/v4/tcb", .handler = handle_tcb},
    {.method = "GET", .path = "/tdx/certification/v4/tcb", .handler = handle_tcb},
    {.method = "GET", .path = "/sgx/certification/v4/qe/identity", .handler = handle_identity},
    {.method = "GET", .path = "/tdx/certification/v4/qe/identity", .handler = handle_identity},
    {.method = "GET",
     .path = "/sgx/certification/v4/tcbevaluationdatanumbers",
     .handler = handle_evaluation_numbers},
    {.method = "GET",
     .path = "/tdx/certification/v4/tcbevaluationdatanumbers",
     .handler = handle_evaluation_numbers},
    {.method = "GET", .path = "/sgx/certification/v4/pckcrl", .handler = handle_pck_crl},
    {.method = "GET", .path = "/sgx/certification/v4/rootcacrl", .handler = handle_root_crl},
    {.method = "GET", .path = "/IntelSGXRootCA.der", .handler = handle_root_crl},
    {.method = "GET", .path = "/sim", .handler = handle_page},
    {.method = "GET", .path = "/sim/machines/*", .handler = handle_get_machine},
    {.method = "PUT",
     .path = "/sim/machines/*",
     .handler = handle_set_machine,
     .body_max = SIM_CONTROL_BODY_MAX},
    {.method = "PUT",
     .path = "/sim/pcs",
     .handler = handle_set_pcs,
     .body_max = SIM_CONTROL_BODY_MAX},
};

bool sim_pcs_start(struct sim_stage *stage, struct sim_later *later, const char *listen,
                   struct sim_pcs **out, struct error *err)
{
    struct sim_pcs *pcs = calloc(1, sizeof *pcs);
    if (pcs == NULL)
        return error_set(err, "sim/memory", NULL, "out of memory");
    pcs->stage = stage;
    pcs->later = later;
    const struct http_server_options options = {
        .listen = &listen,
        .listen_count = 1,
        .threads = 1,
        .idle_timeout_s = 2 * SIM_SLOW_MAX_MS / 1000,
        .request_deadline_s = 2 * SIM_SLOW_MAX_MS / 1000,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .fallback = fallback,
        .ctx = pcs,
    };
    if (!http_server_start(&options, &pcs->server, err)) {
        free(pcs);
        return false;
    }
    *out = pcs;
    return true;
}

unsigned sim_pcs_port(const struct sim_pcs *pcs)
{
    return http_server_port(pcs->server, 0);
}

void sim_pcs_set_page(struct sim_pcs *pcs, struct slice json)
{
    pcs->page = json;
    atomic_store(&pcs->has_page, true);
}

void sim_pcs_stop(struct sim_pcs **pcs)
{
    if (*pcs == NULL)
        return;
    http_server_stop(&(*pcs)->server, 0);
    free(*pcs);
    *pcs = NULL;
}
