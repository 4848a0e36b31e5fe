/* GET tee/info and POST tee/attest. Spec: compatibility facts E.1, E.2. Both are public, so their
 * work is bounded by the queue; what a quote says is fixed by us except for the caller's nonce. */
#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/log.h"
#include "node/admin_internal.h"
#include "node/tee_queue.h"
#include "platform/tee_info.h"
#include "quote/quote_json.h"

enum { NONCE_LEN = 32, APPLICATION_TEXT_MAX = 200 };

static void refuse(struct admin *a, struct http_exchange *x)
{
    atomic_fetch_add(&a->metrics.quotes_refused, 1);
    http_exchange_add_header(x, "Retry-After", "1");
    admin_reply_error(x, 503, "Too many attestation requests are waiting; try again shortly");
}

/* --- tee/attest --- */

static void reply_no_quote(struct admin *a, struct http_exchange *x, const struct error *err)
{
    atomic_fetch_add(&a->metrics.quotes_failed, 1);
    log_error("quote for tee/attest failed code=%s reason='%s'", err->code, err->message);
    if (error_is(err, "platform/no-tee"))
        admin_reply_error(
            x, 501, "TDX attestation generation is only supported on Linux with TDX hardware");
    else
        admin_reply_error(x, 500, "Failed to generate TDX quote: %s", err->message);
}

/* The fields of the quote; null for a mock, which has none. */
static bool make_view(const struct quote_source *source, struct slice quote, json_t **out,
                      struct error *err)
{
    struct quote parsed;
#ifdef MERO_DEV
    if (quote_source_kind(source) == QUOTE_SOURCE_MOCK) {
        *out = json_null();
        return true;
    }
#else
    (void)source;
#endif
    return quote_parse(quote, &parsed, err) && quote_to_json(&parsed, out, err);
}

static json_t *attest_answer(const struct quote_source *source, struct slice quote,
                             struct error *err)
{
    struct buf text BUF_AUTO = BUF_INIT(NODE_ATTEST_REPLY_MAX);
    json_t *view = NULL;
    if (!make_view(source, quote, &view, err))
        return NULL;
    if (!base64_append(&text, quote)) {
        json_release(&view);
        error_set(err, "node/memory", NULL, "out of memory");
        return NULL;
    }
    return json_pack("{s:s%,s:o}", "quoteB64", text.data, text.len, "quote", view);
}

static void attest_job(struct admin *a, struct quote_source *source, struct http_exchange *x,
                       const uint8_t nonce[NONCE_LEN])
{
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    uint8_t report_data[REPORT_DATA_LEN] = {0};
    struct error err;
    memcpy(report_data, nonce, NONCE_LEN); /* the second half stays zero: no application runs */
    if (source == NULL)
        error_set(&err, "platform/no-tee", NULL, "no source of quotes");
    if (source == NULL || !quote_source_take(source, report_data, &quote, NULL, &err)) {
        reply_no_quote(a, x, &err);
        return;
    }
    json_t *data = attest_answer(source, buf_slice(&quote), &err);
    if (data == NULL) {
        reply_no_quote(a, x, &err);
        return;
    }
    atomic_fetch_add(&a->metrics.quotes_made, 1);
    admin_reply_data(x, 200, data);
}

/* Answers 400 or 404 itself. */
static bool read_attest_request(struct http_exchange *x, uint8_t nonce[NONCE_LEN])
{
    json_t *request JSON_AUTO = NULL;
    struct slice hex = {0}, application = {0};
    struct error err;
    if (!json_parse(http_exchange_body(x), NODE_ATTEST_BODY_MAX, 0, &request, &err) ||
        !json_get_str(request, "nonce", &hex, &err) ||
        !json_opt_str(request, "applicationId", &application, &err)) {
        admin_reply_error(x, 400, "%s", err.message);
        return false;
    }
    struct buf decoded BUF_AUTO = BUF_INIT(NODE_ATTEST_BODY_MAX);
    if (!hex_decode_append(hex, &decoded)) {
        admin_reply_error(x, 400, "Invalid nonce format (must be hex string)");
        return false;
    }
    if (decoded.len != NONCE_LEN) {
        admin_reply_error(x, 400, "Nonce must be exactly 32 bytes (64 hex characters)");
        return false;
    }
    if (application.data != NULL) {
        size_t shown =
            application.len < APPLICATION_TEXT_MAX ? application.len : APPLICATION_TEXT_MAX;
        admin_reply_error(x, 404, "Application '%.*s' not found", (int)shown,
                          (const char *)application.data);
        return false;
    }
    memcpy(nonce, decoded.data, NONCE_LEN);
    return true;
}

void admin_tee_attest(struct http_exchange *x, void *ctx)
{
    struct admin *a = ctx;
    uint8_t nonce[NONCE_LEN];
    if (!admin_serving(a, x) || !read_attest_request(x, nonce))
        return;
    if (!tee_queue_add(a->tee, attest_job, x, nonce))
        refuse(a, x);
}

/* --- tee/info --- */

static void reply_info(struct http_exchange *x, const struct tee_facts *facts)
{
    admin_reply_data(x, 200,
                     json_pack("{s:s,s:s,s:s}", "cloudProvider", facts->cloud.provider, "osImage",
                               facts->cloud.os_image, "mrtd", facts->mrtd));
}

/* The first answer holds for the life of the machine. */
static void info_job(struct admin *a, struct quote_source *source, struct http_exchange *x,
                     const uint8_t nonce[NONCE_LEN])
{
    (void)nonce;
    struct tee_facts *facts = &a->facts;
    uint8_t mrtd[MRTD_LEN];
    const char *from = NULL;
    struct error err;
    if (atomic_load(&a->has_facts)) {
        reply_info(x, facts);
        return;
    }
    if (!tee_read_mrtd(&a->places, source, mrtd, &from, &err)) {
        admin_reply_error(x, 500, "Failed to get TEE info: %s", err.message);
        return;
    }
    hex_encode(slice_of(mrtd, sizeof mrtd), facts->mrtd);
    facts->cloud = tee_read_cloud(&a->places, &a->stopping);
    atomic_store(&a->has_facts, true);
    log_info("TEE information read mrtd_from=%s cloud=%s", from, facts->cloud.provider);
    reply_info(x, facts);
}

void admin_tee_info(struct http_exchange *x, void *ctx)
{
    struct admin *a = ctx;
    if (!admin_serving(a, x))
        return;
    if (atomic_load(&a->has_facts))
        reply_info(x, &a->facts);
    else if (!tee_queue_add(a->tee, info_job, x, NULL))
        refuse(a, x);
}
