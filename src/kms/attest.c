/* POST /attest: a quote of this platform over a nonce of the caller's. No oracle: what is signed is
 * composed here, and a second half of the caller's choice is taken only hashed under a label, or
 * from the short list that the operator allows. Spec: compatibility facts D.4, I.3, J.1. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/json_reader.h"
#include "base/log.h"
#include "kms/service.h"

static bool decode_32(struct slice text, const char *field, uint8_t out[32],
                      struct kms_refusal *refusal)
{
    struct buf bytes BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    if (!base64_decode_append(text, &bytes))
        return kms_refuse(refusal, KMS_INVALID_ATTESTATION_REQUEST, "%s: invalid base64", field);
    if (bytes.len != 32)
        return kms_refuse(refusal, KMS_INVALID_ATTESTATION_REQUEST, "%s must be exactly 32 bytes",
                          field);
    memcpy(out, bytes.data, 32);
    return true;
}

static bool binding_is_listed(const struct kms_config *config, const uint8_t *binding)
{
    uint8_t standard[KEYRELEASE_BINDING_LEN];
    keyrelease_default_binding(standard);
    if (memcmp(binding, standard, sizeof(standard)) == 0)
        return true;
    for (size_t i = 0; i < config->attest_bindings.count; i++)
        if (memcmp(binding, config->attest_bindings.items[i], KEYRELEASE_BINDING_LEN) == 0)
            return true;
    return false;
}

/* The transport key may be looked at from then on, not before. */
static bool transport_is_ready(struct kms *kms, struct kms_refusal *refusal)
{
    char problem[512];
    if (atomic_load(&kms->self.keys_ready))
        return true;
    kms_self_ready(kms, problem);
    return kms_refuse(refusal, KMS_ATTESTATION_VERIFICATION_FAILED,
                      "The transport key is not available yet: %s", problem);
}

/* Decodes the request into the report data that will be quoted. */
static bool compose(const struct kms_call *call, uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN],
                    struct kms_refusal *refusal)
{
    const struct attest_request *request = &call->request.attest;
    uint8_t nonce[KEYRELEASE_NONCE_LEN], half[KEYRELEASE_BINDING_LEN];
    if (!decode_32(request->nonce_b64, "nonceB64", nonce, refusal))
        return false;
    keyrelease_default_binding(half);
    if (request->has_binding && !decode_32(request->binding_b64, "bindingB64", half, refusal))
        return false;
    if (request->transport_key) {
        if (!transport_is_ready(call->kms, refusal))
            return false;
        keyrelease_attest_half(half, call->kms->self.transport.public_key, half);
    } else if (!binding_is_listed(call->kms->config, half))
        return kms_refuse(refusal, KMS_INVALID_ATTESTATION_REQUEST,
                          "bindingB64 is not accepted without transportKey: a binding of the "
                          "caller's choice is never signed as it is");
    keyrelease_report_data(nonce, half, report_data);
    return true;
}

/* The agent's log as it goes into the reply: an array, or nothing. */
static struct slice event_log_array(const struct buf *log)
{
    struct json_reader reader;
    struct slice span = {0};
    json_reader_open(&reader, buf_slice(log));
    bool ok = json_reader_skip(&reader, &span) && json_reader_finish(&reader);
    return ok && span.data[0] == '[' ? span : slice_of(NULL, 0);
}

static bool quote(struct kms_call *call, struct buf *body)
{
    struct kms *kms = call->kms;
    struct dstack_quote q = {0};
    struct error err = {0};
    uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN];
    if (!compose(call, report_data, &call->refusal))
        return false;
    int64_t before_us = clock_monotonic_us();
    bool ok = dstack_get_quote(kms->agent, report_data, &q, &err);
    kms_histogram_add(&kms->metrics.agent, clock_monotonic_us() - before_us);
    if (!ok)
        return kms_refuse(&call->refusal, KMS_ATTESTATION_VERIFICATION_FAILED,
                          "Failed to get a quote from the dstack agent: %s", err.message);
    ok = attest_reply_write(body, buf_slice(&q.quote), report_data, event_log_array(&q.event_log),
                            buf_slice(&q.vm_config),
                            call->request.attest.transport_key ? kms->self.transport.public_key
                                                               : NULL);
    dstack_quote_free(&q);
    return ok || kms_refuse(&call->refusal, KMS_ATTESTATION_VERIFICATION_FAILED,
                            "the agent's event log is too large");
}

static void run(void *ctx)
{
    struct kms_call *call = ctx;
    struct buf body BUF_AUTO = BUF_INIT(8 * 1024 * 1024);
    if (!quote(call, &body)) {
        kms_call_refuse(call);
        return;
    }
    atomic_fetch_add(&call->kms->metrics.answers[KMS_AT_ATTEST][KMS_OK], 1);
    log_info("attested to source=%s transport_key=%s took_ms=%lld", call->source.text,
             call->request.attest.transport_key ? "yes" : "no",
             (long long)((clock_monotonic_us() - call->started_us) / 1000));
    kms_answer_json(call->x, buf_slice(&body));
    kms_call_end(call);
}

void kms_attest(struct kms_call *call)
{
    struct kms *kms = call->kms;
    uint8_t ignored[KEYRELEASE_REPORT_DATA_LEN];
    /* What can be refused without the agent is refused at once. */
    if (!compose(call, ignored, &call->refusal)) {
        kms_call_refuse(call);
        return;
    }
    kms_call_submit(call, kms->attest_pool, run);
}
