/* The KMS's answers: one table of error tags with their statuses, and what the existing KMS's web
 * framework says by itself. Spec: compatibility facts D.2, D.5. */
#ifndef KMS_ANSWER_H
#define KMS_ANSWER_H

#include "http/server.h"
#include "kms/limits.h"

enum kms_tag {
    KMS_OK,
    KMS_INVALID_REQUEST,
    KMS_INVALID_PEER_ID,
    KMS_INVALID_ATTESTATION_REQUEST,
    KMS_INVALID_PEER_PUBLIC_KEY,
    KMS_INVALID_CHALLENGE,
    KMS_INVALID_SIGNATURE,
    KMS_ATTESTATION_VERIFICATION_FAILED,
    KMS_MOCK_ATTESTATION_REJECTED,
    KMS_PEER_IDENTITY_MISMATCH,
    KMS_PEER_ID_MISMATCH,
    KMS_TCB_STATUS_REJECTED,
    KMS_MEASUREMENT_POLICY_REJECTED,
    KMS_RATE_LIMITED,
    KMS_KEY_DERIVATION_FAILED,
    KMS_POLICY_NOT_READY,
    KMS_TAG_COUNT
};
const char *kms_tag_name(enum kms_tag tag); /* "ok", "invalid_request", ... */
unsigned kms_tag_status(enum kms_tag tag);

enum { KMS_DETAILS_MAX = 1024 };

/* A refusal on its way: filled where it is found. */
struct kms_refusal {
    enum kms_tag tag;
    unsigned retry_after_s; /* 0 = no such header */
    char details[KMS_DETAILS_MAX];
    char reason[KMS_DETAILS_MAX]; /* for log and audit, when more is to say than the peer is told */
};
/* Returns false, so that a failing check reads `return refuse(...)`. NULL = the tag's own details.
 */
bool kms_refuse(struct kms_refusal *refusal, enum kms_tag tag, const char *details, ...)
    PRINTF_LIKE(3, 4);
void kms_answer_refusal(struct http_exchange *x, const struct kms_refusal *refusal);
void kms_answer_json(struct http_exchange *x, struct slice body);
void kms_answer_text(struct http_exchange *x, unsigned status, const char *text);

/* 415 unless the body is declared as JSON; true when it is. */
bool kms_check_content_type(struct http_exchange *x);
/* 400 or 422 for a body that could not be read as the request. */
void kms_answer_unreadable(struct http_exchange *x, const struct error *err);
/* What the framework says; for http_server_options.fallback. */
void kms_answer_fallback(struct http_exchange *x, unsigned status);

#endif
