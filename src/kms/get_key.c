/* POST /get-key: every check in the order of compatibility facts D.5, then the key, sealed to the
 * node (J.1, J.2) or, where the operator allows it, in clear. A challenge is marked used after the
 * derivation and before the key is sent, so that it releases at most once. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "identity/identity.h"
#include "keyrelease/peer.h"
#include "kms/service.h"

/* One release in the making. */
struct release {
    struct kms_call *call;
    const struct get_key_request *request;
    struct kms_refusal *refusal;
    struct kms_challenge challenge;
    struct buf quote;
    bool sealed;
    struct verdict verdict;
    struct buf reply; /* wipes itself: it may hold the key */
};

static const uint8_t *seal_to(const struct release *r)
{
    return r->sealed ? r->call->seal_to : NULL;
}

/* ---- 4, 5: quote bytes and challenge ---- */

static bool decode_quote(struct release *r)
{
    struct slice text = r->request->quote_b64;
    size_t len = text.len / 4 * 3;
    for (size_t i = 0; i < 2 && len > 0 && text.data[text.len - 1 - i] == '='; i++)
        len--;
    uint8_t *out = buf_extend(&r->quote, len);
    if (text.len % 4 == 0 && out != NULL && base64_decode_public(text, out, len))
        return true;
    return kms_refuse(r->refusal, KMS_INVALID_REQUEST, "quoteB64: invalid base64");
}

static bool check_challenge(struct release *r)
{
    struct kms *kms = r->call->kms;
    struct kms_mint *mint = atomic_load(&kms->mint);
    if (mint == NULL)
        return kms_refuse(r->refusal, KMS_INVALID_CHALLENGE,
                          "Challenge storage failed: the agent has not given the challenge key "
                          "yet");
    enum kms_challenge_check check =
        kms_challenge_check(mint, r->request->challenge_id, r->request->peer_id, &r->challenge);
    if (check == CHALLENGE_EXPIRED)
        return kms_refuse(r->refusal, KMS_INVALID_CHALLENGE,
                          "Challenge validation failed: challenge has expired");
    if (check != CHALLENGE_GOOD ||
        kms_used_set_seen(kms->used, r->challenge.raw,
                          r->challenge.expires_at_s + KMS_CHALLENGE_SKEW_S))
        return kms_refuse(r->refusal, KMS_INVALID_CHALLENGE,
                          "Challenge validation failed: challenge not found or expired");
    return true;
}

/* ---- 6: who signs ---- */

static bool check_identity(struct release *r, const uint8_t *public_key)
{
    char peer_id[PEER_ID_TEXT_MAX];
    if (!identity_peer_id_of(public_key, peer_id) || !slice_equal_str(r->request->peer_id, peer_id))
        return kms_refuse(r->refusal, KMS_PEER_IDENTITY_MISMATCH, NULL);
    return true;
}

static bool check_signature(struct release *r)
{
    struct buf key BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    struct buf signature BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    struct buf payload BUF_AUTO = BUF_INIT(4096);
    uint8_t public_key[IDENTITY_PUBLIC_LEN];
    struct error err = {0};
    if (!base64_decode_append(r->request->peer_public_key_b64, &key))
        return kms_refuse(r->refusal, KMS_INVALID_PEER_PUBLIC_KEY,
                          "peerPublicKeyB64: invalid base64");
    if (!base64_decode_append(r->request->signature_b64, &signature))
        return kms_refuse(r->refusal, KMS_INVALID_SIGNATURE, "signatureB64: invalid base64");
    if (!identity_public_from_protobuf(buf_slice(&key), public_key, &err))
        return kms_refuse(r->refusal, KMS_INVALID_PEER_PUBLIC_KEY, "%s", err.message);
    if (!check_identity(r, public_key))
        return false;
    if (!keyrelease_signed_payload(&payload, r->request->challenge_id, r->challenge.nonce,
                                   buf_slice(&r->quote), r->request->peer_id, seal_to(r)) ||
        !identity_verify(public_key, buf_slice(&payload), buf_slice(&signature)))
        return kms_refuse(r->refusal, KMS_INVALID_SIGNATURE, "signature verification failed");
    return true;
}

/* ---- 7, 8: the node's quote ---- */

static bool check_report_data(struct release *r, uint8_t expected[KEYRELEASE_REPORT_DATA_LEN])
{
    uint8_t claimed[KEYRELEASE_REPORT_DATA_LEN], half[KEYRELEASE_BINDING_LEN];
    struct error err = {0};
    if (!keyrelease_claimed_report_data(buf_slice(&r->quote), claimed, &err))
        return kms_refuse(r->refusal, KMS_ATTESTATION_VERIFICATION_FAILED, "%s", err.message);
    keyrelease_request_half(r->request->peer_id, seal_to(r), half);
    keyrelease_report_data(r->challenge.nonce, half, expected);
    if (!bytes_equal_ct(claimed, expected, KEYRELEASE_NONCE_LEN))
        return kms_refuse(r->refusal, KMS_INVALID_CHALLENGE,
                          "Attested nonce does not match issued challenge");
    if (!bytes_equal_ct(&claimed[KEYRELEASE_NONCE_LEN], half, sizeof(half)))
        return kms_refuse(r->refusal, KMS_PEER_ID_MISMATCH, NULL);
    return true;
}

static bool verify_genuine(struct release *r, const uint8_t *expected)
{
    struct kms *kms = r->call->kms;
    struct error err = {0};
    int64_t before_us = clock_monotonic_us();
    bool ok = keyrelease_verify_peer(kms->verifier, buf_slice(&r->quote), clock_unix_s(), expected,
                                     &r->verdict, &err) &&
              policy_decide_platform(&kms->config->policy, &r->verdict, NULL, &err);
    kms_histogram_add(&kms->metrics.verify, clock_monotonic_us() - before_us);
    return ok || kms_refuse(r->refusal, KMS_ATTESTATION_VERIFICATION_FAILED,
                            "Quote cryptographic verification failed: %s", err.message);
}

static bool verify_quote(struct release *r)
{
    uint8_t expected[KEYRELEASE_REPORT_DATA_LEN];
#ifdef MERO_DEV
    struct error err = {0};
    if (keyrelease_is_mock(buf_slice(&r->quote))) {
        if (!r->call->kms->config->accept_mock)
            return kms_refuse(r->refusal, KMS_MOCK_ATTESTATION_REJECTED, NULL);
        return check_report_data(r, expected) &&
               (keyrelease_mock_verdict(buf_slice(&r->quote), expected, &r->verdict, &err) ||
                kms_refuse(r->refusal, KMS_ATTESTATION_VERIFICATION_FAILED, "%s", err.message));
    }
#endif
    return check_report_data(r, expected) && verify_genuine(r, expected);
}

/* ---- 9: policy ---- */

static bool check_policy(struct release *r)
{
    const struct kms_config *config = r->call->kms->config;
    struct policy_refusal why;
    struct error err = {0};
    char text[POLICY_TEXT_MAX];
    if (r->verdict.is_mock || !config->enforce_policy ||
        policy_decide(&config->policy, &r->verdict, &why, &err))
        return true;
    policy_refusal_text(&why, POLICY_VOICE_KMS, err.message, text);
    snprintf(r->refusal->reason, sizeof(r->refusal->reason), "%s", err.message);
    return kms_refuse(r->refusal,
                      strcmp(why.code, "tcb/status") == 0 ? KMS_TCB_STATUS_REJECTED
                                                          : KMS_MEASUREMENT_POLICY_REJECTED,
                      "%s", text);
}

/* ---- 10: the key ---- */

/* Asked last of all checks, so that what a node is told of itself does not depend on this side. */
static bool check_own_platform(struct release *r)
{
    char problem[512];
    return kms_self_ready(r->call->kms, problem) ||
           kms_refuse(r->refusal, KMS_POLICY_NOT_READY, "%s", problem);
}

/* The hex text of the key, in guarded memory. */
static bool derive_key(struct release *r, struct secret *hex)
{
    SECRET_AUTO struct secret key = {0};
    struct kms *kms = r->call->kms;
    struct error err = {0};
    char path[2 * KMS_TEXT_MAX];
    snprintf(path, sizeof(path), "%s/%.64s/%.*s", kms->config->key_prefix.text,
             kms->config->profile.text, (int)r->request->peer_id.len,
             (const char *)r->request->peer_id.data);
    int64_t before_us = clock_monotonic_us();
    bool ok = dstack_get_key(kms->agent, path, &key, &err);
    kms_histogram_add(&kms->metrics.agent, clock_monotonic_us() - before_us);
    if (ok && key.len < KEYRELEASE_KEY_MIN)
        ok =
            error_set(&err, "platform/agent", "key", "the agent's key has %zu bytes only", key.len);
    if (!ok || !secret_alloc(hex, 2 * key.len + 1, &err))
        return kms_refuse(r->refusal, KMS_KEY_DERIVATION_FAILED, "%s", err.message);
    hex_encode(secret_slice(&key), (char *)hex->data);
    return true;
}

static bool mark_used(struct release *r)
{
    struct kms *kms = r->call->kms;
    struct error err = {0};
    int64_t until_s = r->challenge.expires_at_s + KMS_CHALLENGE_SKEW_S;
    switch (kms_used_set_mark(kms->used, r->challenge.raw, until_s,
                              kms_challenge_now_s(atomic_load(&kms->mint)), &err)) {
    case USED_FIRST:
        return true;
    case USED_AGAIN:
        return kms_refuse(r->refusal, KMS_INVALID_CHALLENGE,
                          "Challenge validation failed: challenge not found or expired");
    case USED_FULL:
        r->refusal->retry_after_s = 1;
        return kms_refuse(r->refusal, KMS_RATE_LIMITED,
                          "Too many challenges are remembered as used. Retry shortly.");
    default:
        return kms_refuse(r->refusal, KMS_INVALID_CHALLENGE, "Challenge storage failed: %s",
                          err.message);
    }
}

static bool record_release(struct release *r)
{
    const struct kms_call *call = r->call;
    struct error err = {0};
    const struct kms_audit_record record = {
        .event = "key_release",
        .code = kms_tag_name(KMS_OK),
        .form = r->sealed ? "sealed" : "clear",
        .peer_id = r->request->peer_id,
        .source = call->source.text,
        .profile = call->kms->config->profile.text,
        .verdict = &r->verdict,
    };
    if (call->kms->audit == NULL || kms_audit_write(call->kms->audit, &record, &err))
        return true;
    return kms_refuse(r->refusal, KMS_KEY_DERIVATION_FAILED,
                      "The release could not be recorded in the audit log: %s", err.message);
}

static bool seal_key(struct release *r, struct slice hex)
{
    uint8_t nonce[KEYRELEASE_SEAL_NONCE_LEN], sealed[KEYRELEASE_KEY_TEXT_MAX];
    struct error err = {0};
    const struct keyrelease_seal seal = {
        .own = &r->call->kms->self.transport,
        .other = r->call->seal_to,
        .kms_side = true,
        .nonce = r->challenge.nonce,
        .peer_id = r->request->peer_id,
    };
    random_bytes(nonce, sizeof(nonce));
    if (hex.len + KEYRELEASE_SEAL_OVERHEAD > sizeof(sealed) ||
        !keyrelease_seal(&seal, nonce, hex, sealed, &err))
        return kms_refuse(r->refusal, KMS_INVALID_ATTESTATION_REQUEST, "sealToB64: %s",
                          err.message);
    return get_key_reply_write_sealed(
               &r->reply, slice_of(sealed, hex.len + KEYRELEASE_SEAL_OVERHEAD), nonce) ||
           kms_refuse(r->refusal, KMS_KEY_DERIVATION_FAILED, "out of memory");
}

static bool write_reply(struct release *r, struct slice hex)
{
    if (r->sealed)
        return seal_key(r, hex);
    return get_key_reply_write_clear(&r->reply, hex) ||
           kms_refuse(r->refusal, KMS_KEY_DERIVATION_FAILED, "out of memory");
}

static bool release_key(struct release *r)
{
    SECRET_AUTO struct secret hex = {0};
    if (!decode_quote(r) || !check_challenge(r) || !check_signature(r) || !verify_quote(r) ||
        !check_policy(r) || !check_own_platform(r) || !derive_key(r, &hex))
        return false;
    /* The reply is ready before anything is irrevocable: a challenge is burnt for a key that can be
     * sent. */
    return write_reply(r, slice_of(hex.data, hex.len - 1)) && mark_used(r) && record_release(r);
}

static void told(const struct release *r)
{
    const struct kms_call *call = r->call;
    struct kms_metrics *m = &call->kms->metrics;
    atomic_fetch_add(&m->answers[KMS_AT_GET_KEY][KMS_OK], 1);
    atomic_fetch_add(r->sealed ? &m->released_sealed : &m->released_clear, 1);
    log_info("key released peer=%.*s source=%s form=%s tcb=%s took_ms=%lld", (int)call->peer_id.len,
             (const char *)call->peer_id.data, call->source.text, r->sealed ? "sealed" : "clear",
             tcb_status_name(r->verdict.status),
             (long long)((clock_monotonic_us() - call->started_us) / 1000));
}

static void run(void *ctx)
{
    struct kms_call *call = ctx;
    struct release r = {
        .call = call,
        .request = &call->request.get_key,
        .refusal = &call->refusal,
        .quote = BUF_INIT(KEYRELEASE_REQUEST_MAX),
        .reply = BUF_INIT_SECRET(2 * KEYRELEASE_KEY_TEXT_MAX),
        .sealed = call->request.get_key.has_seal_to,
    };
    bool ok = release_key(&r);
    if (ok) {
        told(&r);
        http_exchange_reply_secret(call->x, 200, "application/json", buf_slice(&r.reply));
    }
    buf_free(&r.quote);
    buf_free(&r.reply);
    if (ok)
        kms_call_end(call);
    else
        kms_call_refuse(call);
}

/* ---- 1-3: what needs no work ---- */

static bool check_challenge_id(struct slice id, struct kms_refusal *refusal)
{
    bool hex = id.len == CHALLENGE_ID_TEXT_LEN;
    for (size_t i = 0; hex && i < id.len; i++)
        hex = (id.data[i] >= '0' && id.data[i] <= '9') || (id.data[i] >= 'a' && id.data[i] <= 'f');
    return hex ||
           kms_refuse(refusal, KMS_INVALID_CHALLENGE,
                      "challenge ID must be %d lower-case hex characters", CHALLENGE_ID_TEXT_LEN);
}

static bool check_policy_ready(struct kms *kms, struct kms_refusal *refusal)
{
    return kms->config->policy_ready ||
           kms_refuse(refusal, KMS_POLICY_NOT_READY, "%s", kms->config->policy_reason);
}

static bool check_sealing(struct kms_call *call, struct kms_refusal *refusal)
{
    const struct get_key_request *request = &call->request.get_key;
    if (!request->has_seal_to && call->kms->config->require_sealed)
        return kms_refuse(refusal, KMS_INVALID_ATTESTATION_REQUEST,
                          "sealToB64 is required: this service releases keys sealed only");
    if (request->has_seal_to &&
        !base64_decode(request->seal_to_b64, call->seal_to, sizeof(call->seal_to)))
        return kms_refuse(refusal, KMS_INVALID_ATTESTATION_REQUEST,
                          "sealToB64 must be base64 of exactly 32 bytes");
    return true;
}

void kms_get_key(struct kms_call *call)
{
    if (kms_check_peer_id(call->peer_id, &call->refusal) &&
        check_challenge_id(call->request.get_key.challenge_id, &call->refusal) &&
        check_policy_ready(call->kms, &call->refusal) && check_sealing(call, &call->refusal))
        kms_call_submit(call, call->kms->get_key_pool, run);
    else
        kms_call_refuse(call);
}
