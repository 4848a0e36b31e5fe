/* The three hashes that Sigstore signatures are over, and digests by them. Spec: Sigstore
 * facts 5.1. */
#ifndef SIGSTORE_DIGEST_H
#define SIGSTORE_DIGEST_H

#include "base/bytes.h"

enum sigstore_hash { SIGSTORE_SHA256, SIGSTORE_SHA384, SIGSTORE_SHA512 };
enum { SIGSTORE_DIGEST_MAX = 64 };

struct sigstore_digest {
    enum sigstore_hash hash;
    uint8_t bytes[SIGSTORE_DIGEST_MAX];
};

const char *sigstore_hash_name(enum sigstore_hash hash);       /* "sha256" */
const char *sigstore_hash_proto_name(enum sigstore_hash hash); /* "SHA2_256" */
size_t sigstore_hash_len(enum sigstore_hash hash);
struct slice sigstore_digest_slice(const struct sigstore_digest *digest);
bool sigstore_digest_of(enum sigstore_hash hash, struct slice message,
                        struct sigstore_digest *out) MUST_USE;

#endif
