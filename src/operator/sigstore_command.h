/* `mero-tee sigstore verify`: who signed a file, and when. */
#ifndef OPERATOR_SIGSTORE_COMMAND_H
#define OPERATOR_SIGSTORE_COMMAND_H

#include "sigstore/verify.h"

struct sigstore_verify_options {
    const char *bundle_path;       /* NULL is refused: without it nothing proves a time */
    const char *artifact_path;     /* or: */
    const char *digest;            /* "sha256:<hex>", "sha384:..." or "sha512:..." */
    const char *signature_path;    /* a detached .sig beside the bundle; NULL = none */
    const char *certificate_path;  /* a detached .pem beside the bundle; NULL = none */
    const char *trusted_root_path; /* NULL = Sigstore's public instance, built in */
    struct sigstore_identity identity;
    bool json;
};
/* A refusal is an answer too: the report is written to `out` and the reason to err. */
bool sigstore_command_verify(const struct sigstore_verify_options *options, struct buf *out,
                             struct error *err) MUST_USE;

#endif
