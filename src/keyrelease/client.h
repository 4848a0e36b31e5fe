/* The node's side of the key release: attest the KMS, take a challenge, prove ourselves, receive
 * the key. Spec: compatibility facts C, D.3-D.6, J.1, J.4. One call is one attempt chain; nothing
 * is kept between calls. */
#ifndef KEYRELEASE_CLIENT_H
#define KEYRELEASE_CLIENT_H

#include <stdatomic.h>

#include "base/secret.h"
#include "dcap/verifier.h"
#include "identity/identity.h"
#include "platform/quote_source.h"
#include "policy/policy.h"

enum keyrelease_stage {
    KEYRELEASE_TRANSPORT,
    KEYRELEASE_ATTEST,
    KEYRELEASE_CHALLENGE,
    KEYRELEASE_GET_KEY
};
const char *keyrelease_stage_name(
    enum keyrelease_stage stage); /* "transport", "attest", "challenge", "get_key" */
const char *keyrelease_stage_title(
    enum keyrelease_stage stage); /* "Transport", "Attest", "Challenge", "GetKey" */

/* Steps as they end, for the start-up log and the demo. */
enum keyrelease_step {
    KEYRELEASE_STEP_KMS_ATTESTED,
    KEYRELEASE_STEP_KMS_UNVERIFIED,
    KEYRELEASE_STEP_CHALLENGE,
    KEYRELEASE_STEP_QUOTE,
    KEYRELEASE_STEP_SIGNED,
    KEYRELEASE_STEP_KEY
};
struct keyrelease_event {
    enum keyrelease_step step;
    int64_t took_us;
    const struct verdict *kms_verdict; /* KMS_ATTESTED only */
    bool sealed;                       /* KEY only */
};

struct keyrelease_options {
    const char *url; /* absolute; a path is kept */
    const char *tls_ca_path, *tls_client_cert_path, *tls_client_key_path; /* NULL = none */
    bool strict_transport;           /* B.7: https or literal loopback http only */
    const struct policy *kms_policy; /* NULL = nobody to trust: asked only with the next switch */
    enum policy_voice voice;         /* whose words a refusal of the KMS uses */
    bool insecure_skip_kms_verification; /* counts only without a policy */
    bool insecure_allow_clear_key_release;
    bool has_binding; /* send bindingB64; else omit it and expect the default back */
    uint8_t binding[32];
    struct dcap_verifier *verifier; /* borrowed; verifies the KMS's quote */
    struct quote_source *quotes;    /* borrowed; ours */
    const struct identity *identity;
    unsigned budget_ms; /* all retries of transient failures; 0 = 60000 */
    const atomic_bool *cancel;
    void (*on_event)(const struct keyrelease_event *event, void *ctx); /* may be NULL */
    void *ctx;
#ifdef MERO_DEV
    bool accept_mock; /* the KMS may answer with a mock quote (config and environment both asked for
                         it) */
    bool mock_env_missing; /* the configuration asked for it, the environment did not */
#endif
};

/* Filled on failure beside struct error: what `kms probe` prints. */
struct keyrelease_failure {
    enum keyrelease_stage stage;
    const char *probe_code; /* "KMS_CHALLENGE_REJECTED", ... (facts A.5) */
    bool has_kms_error;
    char kms_error[64]; /* the KMS's error tag, escaped */
    char details[1024];
    long http_status; /* 0 when there was no answer */
    bool transient;   /* worth a retry later */
};

/* *key: the bytes of the storage key (>= 32). sealed tells how it came. failure may be NULL.
 * Codes: keyrelease/transport, keyrelease/unreachable (retrying may help), keyrelease/refused,
 * keyrelease/response, keyrelease/binding, keyrelease/key, keyrelease/unverified (no policy),
 * keyrelease/clear (only the clear form is on offer and it is not allowed), keyrelease/mock,
 * keyrelease/canceled, and what the verifier, the policy or the quote source said. */
bool keyrelease_fetch(const struct keyrelease_options *options, struct secret *key, bool *sealed,
                      struct keyrelease_failure *failure, struct error *err) MUST_USE;

/* B.7 alone: used by `config` validation and start-up before any connection. */
bool keyrelease_check_url(const char *url, bool strict, bool *plain_http_warning,
                          struct error *err) MUST_USE;

#endif
