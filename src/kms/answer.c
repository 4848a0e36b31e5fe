/* Answers of the KMS. */
#include "kms/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "keyrelease/messages.h"

static const struct {
    const char *name;
    unsigned status;
    const char *details; /* fixed ones */
} tags[KMS_TAG_COUNT] = {
    [KMS_OK] = {"ok", 200, NULL},
    [KMS_INVALID_REQUEST] = {"invalid_request", 400, NULL},
    [KMS_INVALID_PEER_ID] = {"invalid_peer_id", 400, NULL},
    [KMS_INVALID_ATTESTATION_REQUEST] = {"invalid_attestation_request", 400, NULL},
    [KMS_INVALID_PEER_PUBLIC_KEY] = {"invalid_peer_public_key", 400, NULL},
    [KMS_INVALID_CHALLENGE] = {"invalid_challenge", 401, NULL},
    [KMS_INVALID_SIGNATURE] = {"invalid_signature", 401, NULL},
    [KMS_ATTESTATION_VERIFICATION_FAILED] = {"attestation_verification_failed", 401, NULL},
    [KMS_MOCK_ATTESTATION_REJECTED] = {"mock_attestation_rejected", 401,
                                       "Mock attestations are not accepted in production mode"},
    [KMS_PEER_IDENTITY_MISMATCH] = {"peer_identity_mismatch", 401,
                                    "The provided peer public key does not correspond to the "
                                    "claimed peer ID"},
    [KMS_PEER_ID_MISMATCH] = {"peer_id_mismatch", 401,
                              "The peer ID in the attestation does not match the claimed peer ID"},
    [KMS_TCB_STATUS_REJECTED] = {"tcb_status_rejected", 403, NULL},
    [KMS_MEASUREMENT_POLICY_REJECTED] = {"measurement_policy_rejected", 403, NULL},
    [KMS_RATE_LIMITED] = {"rate_limited", 429, "Too many requests. Retry shortly."},
    [KMS_KEY_DERIVATION_FAILED] = {"key_derivation_failed", 500, NULL},
    [KMS_POLICY_NOT_READY] = {"policy_not_ready", 503, NULL},
};

const char *kms_tag_name(enum kms_tag tag)
{
    return tags[tag].name;
}

unsigned kms_tag_status(enum kms_tag tag)
{
    return tags[tag].status;
}

bool kms_refuse(struct kms_refusal *refusal, enum kms_tag tag, const char *details, ...)
{
    refusal->tag = tag;
    refusal->details[0] = '\0';
    if (details == NULL) {
        snprintf(refusal->details, sizeof(refusal->details), "%s",
                 tags[tag].details != NULL ? tags[tag].details : "");
        return false;
    }
    va_list args;
    va_start(args, details);
    vsnprintf(refusal->details, sizeof(refusal->details), details, args);
    va_end(args);
    return false;
}

void kms_answer_refusal(struct http_exchange *x, const struct kms_refusal *refusal)
{
    struct buf body BUF_AUTO = BUF_INIT(8 * KMS_DETAILS_MAX);
    char seconds[16];
    if (refusal->retry_after_s > 0) {
        snprintf(seconds, sizeof(seconds), "%u", refusal->retry_after_s);
        http_exchange_add_header(x, "Retry-After", seconds);
    }
    if (!error_reply_write(&body, tags[refusal->tag].name, slice_str(refusal->details)))
        buf_reset(&body); /* no memory: the status alone must do */
    http_exchange_reply(x, tags[refusal->tag].status, "application/json", buf_slice(&body));
}

void kms_answer_json(struct http_exchange *x, struct slice body)
{
    http_exchange_reply(x, 200, "application/json", body);
}

void kms_answer_text(struct http_exchange *x, unsigned status, const char *text)
{
    http_exchange_reply(x, status, "text/plain; charset=utf-8", slice_str(text));
}

/* "application/json", "application/anything+json", parameters behind a semicolon. */
static bool is_json_type(const char *type)
{
    static const char application[] = "application/";
    size_t len = strcspn(type, ";");
    while (len > 0 && (type[len - 1] == ' ' || type[len - 1] == '\t'))
        len--;
    if (len <= sizeof(application) - 1 ||
        strncasecmp(type, application, sizeof(application) - 1) != 0)
        return false;
    struct slice sub = slice_of(&type[sizeof(application) - 1], len - (sizeof(application) - 1));
    bool plain = sub.len == 4 && strncasecmp((const char *)sub.data, "json", 4) == 0;
    bool suffixed =
        sub.len > 5 && strncasecmp((const char *)&sub.data[sub.len - 5], "+json", 5) == 0;
    return plain || suffixed;
}

bool kms_check_content_type(struct http_exchange *x)
{
    const char *type = http_exchange_header(x, "Content-Type");
    if (type != NULL && is_json_type(type))
        return true;
    kms_answer_text(x, 415, "Expected request with `Content-Type: application/json`");
    return false;
}

void kms_answer_unreadable(struct http_exchange *x, const struct error *err)
{
    char text[ERROR_MESSAGE_MAX + 80];
    bool syntax = error_is(err, "json/syntax") || error_is(err, "json/depth");
    snprintf(text, sizeof(text), "%s: %s",
             syntax ? "Failed to parse the request body as JSON"
                    : "Failed to deserialize the JSON body into the target type",
             err->message);
    kms_answer_text(x, syntax ? 400 : 422, text);
}

void kms_answer_fallback(struct http_exchange *x, unsigned status)
{
    if (status == 413)
        kms_answer_text(x, status, "Failed to buffer the request body: length limit exceeded");
    else
        http_exchange_reply(x, status, NULL, slice_str(""));
}
