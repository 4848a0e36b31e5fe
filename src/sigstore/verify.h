/* One signed file, from bytes to who signed it and when: keyless Sigstore signatures, offline.
 * Spec: Sigstore facts 2; docs/sigstore.md says what is decided where others differ. */
#ifndef SIGSTORE_VERIFY_H
#define SIGSTORE_VERIFY_H

#include "sigstore/bundle.h"
#include "sigstore/digest.h"
#include "sigstore/signer.h"
#include "sigstore/trust.h"

/* What is looked at. The signature and certificate beside a bundle must be those in the bundle. */
struct sigstore_input {
    struct slice bundle;
    struct slice artifact;                /* the signed bytes */
    const struct sigstore_digest *digest; /* counts instead of the bytes when it is not NULL */
    const struct slice *signature;        /* a .sig file: base64; NULL = none */
    const struct slice *certificate;      /* a .pem file: PEM or base64 of it; NULL = none */
};

enum { SIGSTORE_TIMES_MAX = 1 + SIGSTORE_TIMESTAMPS_MAX };

struct sigstore_result {
    enum sigstore_format format;
    struct sigstore_signer signer;
    struct sigstore_digest artifact;     /* by the hash of the signer's key */
    int64_t times_s[SIGSTORE_TIMES_MAX]; /* proven: the log's, then the timestamps' */
    size_t time_count;
    int64_t signed_at_s; /* the earliest of them */
    char log[SIGSTORE_HOST_MAX];
    int64_t log_index;
    bool has_promise, has_proof; /* both were verified where they are there */
};

/*
 * now_s only refuses signatures from the future. Every check must hold; *out is untouched on
 * failure. Codes: usage (the identity asked for is incomplete); sigstore/parse, /unsupported,
 * /profile, /detached-signature, /detached-certificate, /rekor-key-unknown, /set, /tsa, /time,
 * /checkpoint, /inclusion, /leaf-profile, /chain, /chain-time, /sct, /identity, /blob-signature,
 * /body, /digest-hint.
 */
bool sigstore_verify(const struct sigstore_trust *trust, const struct sigstore_input *input,
                     const struct sigstore_identity *identity, int64_t now_s,
                     struct sigstore_result *out, struct error *err) MUST_USE;

#endif
