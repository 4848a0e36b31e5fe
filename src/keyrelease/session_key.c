/* Challenge, quote, signature, key: one try. Spec: compatibility facts D.3, D.5, D.6, J.1. */
#include <string.h>

#include "keyrelease/session.h"

static const struct session_stage challenge_stage = {
    .stage = KEYRELEASE_CHALLENGE,
    .path = "challenge",
    .title = "challenge",
    .rejected_code = "KMS_CHALLENGE_REJECTED",
    .failed_code = "KMS_CHALLENGE_REQUEST_FAILED",
    .oversized_code = "KMS_CHALLENGE_RESPONSE_INVALID",
};
static const struct session_stage get_key_stage = {
    .stage = KEYRELEASE_GET_KEY,
    .path = "get-key",
    .title = "get-key",
    .rejected_code = "KMS_GET_KEY_REJECTED",
    .failed_code = "KMS_GET_KEY_REQUEST_FAILED",
    .oversized_code = "KMS_GET_KEY_RESPONSE_INVALID",
};

/* The proof of one try: everything that goes into /get-key. */
struct proof {
    struct challenge_reply challenge;
    struct keyrelease_pair seal; /* ours for this try; unused in the clear form */
    const uint8_t *seal_to;      /* its public half, or NULL */
    struct buf quote;
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
};

static void proof_free(struct proof *p)
{
    keyrelease_pair_free(&p->seal);
    buf_free(&p->quote);
}

static struct slice own_peer_id(const struct session *s)
{
    return slice_str(identity_peer_id(s->options->identity));
}

static bool out_of_memory(struct session *s, const struct session_stage *stage)
{
    error_set(s->err, "keyrelease/response", NULL, "out of memory");
    return keyrelease_session_fail(s, stage->stage, stage->failed_code, false);
}

static bool take_challenge(struct session *s, struct challenge_reply *challenge)
{
    static const char *const codes[] = {
        [REPLY_MALFORMED] = "KMS_CHALLENGE_RESPONSE_INVALID",
        [REPLY_OVERSIZED] = "KMS_CHALLENGE_RESPONSE_INVALID",
        [REPLY_ID_OVERSIZED] = "KMS_CHALLENGE_ID_OVERSIZED",
        [REPLY_NONCE_OVERSIZED] = "KMS_CHALLENGE_NONCE_OVERSIZED",
        [REPLY_NONCE_INVALID] = "KMS_CHALLENGE_NONCE_INVALID",
    };
    struct http_response response HTTP_RESPONSE_AUTO = {0};
    struct buf body BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    enum reply_fault fault = REPLY_MALFORMED;
    if (!challenge_request_write(&body, own_peer_id(s)))
        return out_of_memory(s, &challenge_stage);
    if (!keyrelease_session_post(s, &challenge_stage, buf_slice(&body), &response))
        return false;
    if (!challenge_reply_read(buf_slice(&response.body), challenge, &fault, s->err)) {
        s->err->code = "keyrelease/response";
        return keyrelease_session_fail(s, KEYRELEASE_CHALLENGE, codes[fault], false);
    }
    keyrelease_session_event(s, (struct keyrelease_event){.step = KEYRELEASE_STEP_CHALLENGE});
    return true;
}

static bool take_quote(struct session *s, struct proof *p)
{
    uint8_t half[KEYRELEASE_BINDING_LEN], report_data[KEYRELEASE_REPORT_DATA_LEN];
    if (s->has_transport_key) {
        if (!keyrelease_pair_generate(&p->seal, s->err))
            return keyrelease_session_fail(s, KEYRELEASE_GET_KEY, "KMS_GET_KEY_ATTESTATION_FAILED",
                                           false);
        p->seal_to = p->seal.public_key;
    }
    keyrelease_request_half(own_peer_id(s), p->seal_to, half);
    keyrelease_report_data(p->challenge.nonce, half, report_data);
    if (!quote_source_take(s->options->quotes, report_data, &p->quote, NULL, s->err)) {
        error_prefix(s->err, "the quote for the KMS could not be made");
        return keyrelease_session_fail(s, KEYRELEASE_GET_KEY, "KMS_GET_KEY_ATTESTATION_FAILED",
                                       false);
    }
    keyrelease_session_event(s, (struct keyrelease_event){.step = KEYRELEASE_STEP_QUOTE});
    return true;
}

static bool sign(struct session *s, struct proof *p)
{
    struct buf payload BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    if (!keyrelease_signed_payload(&payload, slice_str(p->challenge.id), p->challenge.nonce,
                                   buf_slice(&p->quote), own_peer_id(s), p->seal_to))
        return out_of_memory(s, &get_key_stage);
    if (!identity_sign(s->options->identity, buf_slice(&payload), p->signature, s->err))
        return keyrelease_session_fail(s, KEYRELEASE_GET_KEY, "KMS_GET_KEY_SIGNATURE_FAILED",
                                       false);
    keyrelease_session_event(s, (struct keyrelease_event){.step = KEYRELEASE_STEP_SIGNED});
    return true;
}

static bool unseal(struct session *s, const struct proof *p, const struct get_key_reply *reply,
                   struct secret *key, enum reply_fault *fault)
{
    SECRET_AUTO struct secret hex = {0};
    const struct keyrelease_seal seal = {
        .own = &p->seal,
        .other = s->transport_key,
        .nonce = p->challenge.nonce,
        .peer_id = own_peer_id(s),
    };
    *fault = REPLY_MALFORMED;
    return keyrelease_unseal(&seal, reply->seal_nonce, buf_slice(&reply->sealed_key), &hex,
                             s->err) &&
           released_key_decode(secret_slice(&hex), key, fault, s->err);
}

static bool read_key(struct session *s, const struct proof *p, struct slice body,
                     struct secret *key)
{
    static const char *const codes[] = {
        [REPLY_MALFORMED] = "KMS_GET_KEY_RESPONSE_INVALID",
        [REPLY_OVERSIZED] = "KMS_GET_KEY_RESPONSE_INVALID",
        [REPLY_KEY_INVALID] = "KMS_KEY_INVALID",
        [REPLY_KEY_UNDERSIZED] = "KMS_GET_KEY_REQUEST_FAILED",
    };
    struct get_key_reply reply __attribute__((cleanup(get_key_reply_free))) = {0};
    enum reply_fault fault = REPLY_MALFORMED;
    bool sealed = p->seal_to != NULL;
    bool ok = get_key_reply_read(body, sealed, &reply, &fault, s->err) &&
              (!sealed || unseal(s, p, &reply, key, &fault));
    if (!ok) {
        if (!error_is(s->err, "keyrelease/"))
            s->err->code = "keyrelease/response";
        return keyrelease_session_fail(s, KEYRELEASE_GET_KEY, codes[fault], false);
    }
    if (!sealed) {
        secret_free(key);
        *key = reply.key;
        reply.key = (struct secret){0};
    }
    keyrelease_session_event(
        s, (struct keyrelease_event){.step = KEYRELEASE_STEP_KEY, .sealed = sealed});
    return true;
}

/* The KMS no longer knows the challenge: it expired on the way, or a lost answer burned it. */
static bool challenge_is_gone(const struct keyrelease_failure *f)
{
    return f->has_kms_error && strcmp(f->kms_error, "invalid_challenge") == 0 &&
           strstr(f->details, "Challenge validation failed") != NULL;
}

static enum session_try ask_for_key(struct session *s, const struct proof *p, struct secret *key)
{
    struct http_response response HTTP_RESPONSE_AUTO = {.secret = true};
    struct buf body BUF_AUTO = BUF_INIT(KEYRELEASE_REPLY_MAX);
    uint8_t public_key[IDENTITY_PUBLIC_PROTOBUF_LEN];
    identity_public_protobuf(identity_public(s->options->identity), public_key);
    if (!get_key_request_write(&body, slice_str(p->challenge.id), buf_slice(&p->quote),
                               own_peer_id(s), slice_of(public_key, sizeof(public_key)),
                               slice_of(p->signature, sizeof(p->signature)), p->seal_to)) {
        out_of_memory(s, &get_key_stage);
        return SESSION_FAILED;
    }
    if (!keyrelease_session_post(s, &get_key_stage, buf_slice(&body), &response))
        return challenge_is_gone(s->failure) ? SESSION_CHALLENGE_GONE : SESSION_FAILED;
    return read_key(s, p, buf_slice(&response.body), key) ? SESSION_GOT_KEY : SESSION_FAILED;
}

enum session_try keyrelease_session_try_key(struct session *s, struct secret *key)
{
    struct proof proof
        __attribute__((cleanup(proof_free))) = {.quote = BUF_INIT(QUOTE_SOURCE_LEN_MAX)};
    if (!take_challenge(s, &proof.challenge) || !take_quote(s, &proof) || !sign(s, &proof))
        return SESSION_FAILED;
    return ask_for_key(s, &proof, key);
}
