/* Attesting the KMS before anything is asked of it. Order of checks: compatibility facts C.2, J.1.
 */
#include <string.h>

#include "base/clock.h"
#include "keyrelease/peer.h"
#include "keyrelease/session.h"
#include "quote/eventlog.h"

static const struct session_stage attest_stage = {
    .stage = KEYRELEASE_ATTEST,
    .path = "attest",
    .title = "attestation",
    .rejected_code = "KMS_ATTEST_REJECTED",
    .failed_code = "KMS_ATTEST_VERIFICATION_FAILED",
    .oversized_code = "KMS_ATTEST_RESPONSE_OVERSIZED",
};

static bool attest_failed(struct session *s, const char *probe_code)
{
    return keyrelease_session_fail(s, KEYRELEASE_ATTEST, probe_code, false);
}

bool keyrelease_session_judge_policy(struct session *s, const struct policy *policy,
                                     const struct verdict *verdict)
{
    struct policy_refusal refusal;
    char text[POLICY_TEXT_MAX];
    if (policy_decide(policy, verdict, &refusal, s->err))
        return true;
    /* TD attributes count to the verification of the quote (C.2). */
    if (error_is(s->err, "platform/")) {
        error_prefix(s->err, "KMS attestation verification failed");
        return attest_failed(s, "KMS_ATTEST_VERIFICATION_FAILED");
    }
    policy_refusal_text(&refusal, s->options->voice, s->err->message, text);
    char field[ERROR_FIELD_MAX];
    memcpy(field, s->err->field, sizeof(field));
    bool told = refusal.nearest[0] == '\0' || strstr(text, refusal.nearest) != NULL;
    error_set(s->err, refusal.code, field, "%s%s%s%s", text, told ? "" : " (",
              told ? "" : refusal.nearest, told ? "" : ")");
    return attest_failed(s, "KMS_PROFILE_POLICY_REJECTED");
}

/* The compose hash counts when the log that tells it leads to the RTMR3 of the verified quote (J.1,
 * H.4). */
static bool judge_event_log(struct session *s, struct slice event_log,
                            const struct verdict *verdict)
{
    const struct policy *policy = s->options->kms_policy;
    struct eventlog log;
    if (!policy_needs_event_log(policy))
        return true;
    bool ok = eventlog_read(event_log, &log, NULL, NULL, s->err);
    if (ok && !bytes_equal_ct(log.rtmr[3], verdict->rtmr[3], EVENT_DIGEST_LEN))
        ok = error_set(s->err, "eventlog/mismatch", "eventLog",
                       "the event log does not lead to the RTMR3 of the quote");
    if (!ok) {
        error_prefix(s->err, "KMS event log is not usable");
        return attest_failed(s, "KMS_ATTEST_VERIFICATION_FAILED");
    }
    if (policy_decide_compose(policy, verdict, log.has_compose_hash ? log.compose_hash : NULL,
                              s->err))
        return true;
    error_prefix(s->err, "KMS attestation refused");
    return attest_failed(s, "KMS_PROFILE_POLICY_REJECTED");
}

static bool judge_quote(struct session *s, const struct attest_reply *reply,
                        const uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN],
                        struct verdict *verdict)
{
    struct slice quote = buf_slice(&reply->quote);
    const struct policy *policy = s->options->kms_policy;
#ifdef MERO_DEV
    if (keyrelease_is_mock(quote))
        return keyrelease_session_judge_mock(s, quote, report_data, verdict);
#endif
    if (!keyrelease_verify_peer(s->options->verifier, quote, clock_unix_s(), report_data, verdict,
                                s->err)) {
        bool mismatch = error_is(s->err, "keyrelease/binding");
        bool later = error_is(s->err, "collateral/unreachable");
        error_prefix(s->err, "KMS attestation verification failed");
        return keyrelease_session_fail(
            s, KEYRELEASE_ATTEST,
            mismatch ? "KMS_ATTEST_REPORT_DATA_MISMATCH" : "KMS_ATTEST_VERIFICATION_FAILED", later);
    }
    return keyrelease_session_judge_policy(s, policy, verdict) &&
           judge_event_log(s, reply->event_log, verdict);
}

static void expected_report_data(const struct session *s, const struct attest_reply *reply,
                                 const uint8_t *nonce, uint8_t out[KEYRELEASE_REPORT_DATA_LEN])
{
    uint8_t half[KEYRELEASE_BINDING_LEN];
    if (s->options->has_binding)
        memcpy(half, s->options->binding, sizeof(half));
    else
        keyrelease_default_binding(half);
    /* Offered a transport key, the raw binding is no answer: it would leave the key unproven. */
    if (reply->has_transport_key)
        keyrelease_attest_half(half, reply->transport_key, half);
    keyrelease_report_data(nonce, half, out);
}

static bool check_reply(struct session *s, const struct attest_reply *reply, const uint8_t *nonce)
{
    uint8_t expected[KEYRELEASE_REPORT_DATA_LEN];
    struct verdict verdict;
    expected_report_data(s, reply, nonce, expected);
    if (!bytes_equal_ct(reply->report_data, expected, sizeof(expected))) {
        error_set(s->err, "keyrelease/binding", "reportDataHex",
                  "KMS attest reportData mismatch (nonce/binding mismatch or tampered response "
                  "payload)");
        return attest_failed(s, "KMS_ATTEST_REPORT_DATA_MISMATCH");
    }
    if (!judge_quote(s, reply, expected, &verdict))
        return false;
    keyrelease_session_event(s, (struct keyrelease_event){.step = KEYRELEASE_STEP_KMS_ATTESTED,
                                                          .kms_verdict = &verdict});
    return true;
}

static bool keep_transport_key(struct session *s, const struct attest_reply *reply)
{
    s->has_transport_key = reply->has_transport_key;
    memcpy(s->transport_key, reply->transport_key, sizeof(s->transport_key));
    if (reply->has_transport_key || s->options->insecure_allow_clear_key_release)
        return true;
    error_set(s->err, "keyrelease/clear", "transportPublicKeyB64",
              "the KMS offers no transport key, so the storage key would travel readable by "
              "whatever ends TLS before the KMS: use a KMS that seals, or set "
              "tee.kms.phala.insecure_allow_clear_key_release = true");
    return attest_failed(s, "KMS_ATTEST_VERIFICATION_FAILED");
}

static bool read_reply(struct session *s, const struct http_response *response,
                       struct attest_reply *reply)
{
    enum reply_fault fault;
    if (attest_reply_read(buf_slice(&response->body), reply, &fault, s->err))
        return true;
    s->err->code = "keyrelease/response";
    error_prefix(s->err, "KMS attestation response is not usable");
    return attest_failed(s, fault == REPLY_OVERSIZED ? "KMS_ATTEST_RESPONSE_OVERSIZED"
                                                     : "KMS_ATTEST_RESPONSE_INVALID");
}

static bool may_ask(struct session *s)
{
    const struct keyrelease_options *o = s->options;
    const char *why = NULL;
    if (o->kms_policy == NULL && !o->insecure_skip_kms_verification)
        why = "no policy says which KMS to trust: enable tee.kms.phala.attestation with its lists, "
              "or set tee.kms.phala.insecure_skip_kms_verification = true";
    if (why == NULL)
        return true;
    error_set(s->err, "keyrelease/unverified", "tee.kms.phala", "%s", why);
    return attest_failed(s, "KMS_ATTEST_VERIFICATION_FAILED");
}

bool keyrelease_session_attest(struct session *s)
{
    struct http_response response HTTP_RESPONSE_AUTO = {0};
    struct attest_reply reply __attribute__((cleanup(attest_reply_free))) = {0};
    struct buf body BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    uint8_t nonce[KEYRELEASE_NONCE_LEN];
    if (!may_ask(s))
        return false;
    random_bytes(nonce, sizeof(nonce));
    if (!attest_request_write(&body, nonce, s->options->has_binding ? s->options->binding : NULL,
                              true)) {
        error_set(s->err, "keyrelease/response", NULL, "out of memory");
        return attest_failed(s, attest_stage.failed_code);
    }
    if (!keyrelease_session_post(s, &attest_stage, buf_slice(&body), &response) ||
        !read_reply(s, &response, &reply))
        return false;
    if (s->options->kms_policy != NULL) {
        if (!check_reply(s, &reply, nonce))
            return false;
    } else {
        keyrelease_session_event(s,
                                 (struct keyrelease_event){.step = KEYRELEASE_STEP_KMS_UNVERIFIED});
    }
    return keep_transport_key(s, &reply);
}
