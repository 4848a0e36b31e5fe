/* Who a certificate says its holder is: subject, issuer of the login, and the claims about a CI
 * workflow. Spec: Sigstore facts 12. */
#ifndef SIGSTORE_SIGNER_H
#define SIGSTORE_SIGNER_H

#include "base/bytes.h"
#include "sigstore/limits.h"

enum sigstore_claim {
    SIGSTORE_WORKFLOW_TRIGGER,
    SIGSTORE_WORKFLOW_SHA,
    SIGSTORE_WORKFLOW_NAME,
    SIGSTORE_WORKFLOW_REPOSITORY,
    SIGSTORE_WORKFLOW_REF,
    SIGSTORE_CLAIMS
};

/* Texts are free of control characters; an empty one was not in the certificate. */
struct sigstore_signer {
    char subject[SIGSTORE_TEXT_MAX]; /* the only subject alternative name: URI, e-mail or user */
    char issuer[SIGSTORE_TEXT_MAX];  /* of the login token */
    char claims[SIGSTORE_CLAIMS][SIGSTORE_TEXT_MAX];
};

const char *sigstore_claim_name(enum sigstore_claim claim); /* "workflow trigger" */

/* What a signer must be. Texts are compared whole and byte by byte; NULL = not asked. Exactly one
 * of subject and subject_pattern, and the issuer, must be given. */
struct sigstore_identity {
    const char *subject;
    const char *subject_pattern; /* POSIX extended regular expression for the whole subject */
    const char *issuer;
    const char *claims[SIGSTORE_CLAIMS];
};

/* Code "usage" when the identity is incomplete or its pattern is malformed. */
bool sigstore_identity_check(const struct sigstore_identity *identity, struct error *err) MUST_USE;
/* Code sigstore/identity, the field says which part differs. */
bool sigstore_identity_match(const struct sigstore_identity *identity,
                             const struct sigstore_signer *signer, struct error *err) MUST_USE;

#endif
