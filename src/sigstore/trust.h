/* A trust root (Sigstore's trusted_root.json): which logs, certificate and timestamp authorities
 * count, each from when until when. Everything that a signature is worth comes from here.
 * Spec: Sigstore facts 13, 14. */
#ifndef SIGSTORE_TRUST_H
#define SIGSTORE_TRUST_H

#include "base/hash.h"

struct sigstore_trust;

/*
 * Reads a trust root. Entries whose kind of key is unknown here are left out, and a root that has
 * nothing left of a kind that every verification needs is refused; anything malformed refuses all.
 * Code: sigstore/trust-root. Immutable once open; any number of threads may use it.
 */
bool sigstore_trust_open(struct slice json, struct sigstore_trust **out,
                         struct error *err) MUST_USE;
/* Sigstore's public instance, as committed in data/sigstore-trusted-root.json. */
bool sigstore_trust_open_production(struct sigstore_trust **out, struct error *err) MUST_USE;
void sigstore_trust_close(struct sigstore_trust **trust);
#define SIGSTORE_TRUST_AUTO __attribute__((cleanup(sigstore_trust_close)))

/* What to tell about it: a root has no date of its own, so its age counts from the start of the
 * newest key in it. */
struct sigstore_trust_info {
    uint8_t sha256[SHA256_LEN]; /* of the document */
    int64_t newest_key_s;       /* Unix seconds */
    size_t logs, ct_logs, certificate_authorities, timestamp_authorities;
    size_t left_out; /* entries with keys of unknown kinds */
};
void sigstore_trust_describe(const struct sigstore_trust *trust, struct sigstore_trust_info *out);

#endif
