/* What comes with a signed file: the signature, the signer's certificate, and the evidence when it
 * was made. Both formats read into one structure. Reading proves syntax, never trust.
 * Spec: Sigstore facts 1, 3. */
#ifndef SIGSTORE_BUNDLE_H
#define SIGSTORE_BUNDLE_H

#include <jansson.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "sigstore/limits.h"

enum sigstore_format {
    SIGSTORE_FORMAT_COSIGN, /* the bundle of cosign 1 and 2 */
    SIGSTORE_FORMAT_V01,    /* dev.sigstore.bundle.v1.Bundle as JSON, by its version */
    SIGSTORE_FORMAT_V02,
    SIGSTORE_FORMAT_V03,
};
const char *sigstore_format_name(enum sigstore_format format);

/* That an entry is in a log's tree: the path to a root, and the log's signed word on that root. */
struct sigstore_proof {
    int64_t index, tree_size;
    struct slice root_hash;
    struct slice hashes[SIGSTORE_PROOF_HASHES_MAX];
    size_t hash_count;
    struct slice checkpoint; /* text */
};

/* The entry of the transparency log. */
struct sigstore_entry {
    int64_t index;
    int64_t integrated_time_s; /* proven by the promise alone */
    struct slice log_id;
    struct slice kind, version; /* "hashedrekord", "0.0.1" */
    struct slice body;          /* canonical JSON */
    bool has_promise;           /* a signed entry timestamp (SET) */
    struct slice promise;
    bool has_proof; /* with a checkpoint: without one it proves nothing and is left out */
    struct sigstore_proof proof;
};

/* Slices go into `document` and `decoded`. */
struct sigstore_bundle {
    enum sigstore_format format;
    struct slice signature;
    struct slice leaf_der;
    X509 *leaf;
    bool has_digest_hint;
    struct slice hint_algorithm, hint_digest;
    struct sigstore_entry entry;
    struct slice timestamps[SIGSTORE_TIMESTAMPS_MAX]; /* RFC 3161 responses */
    size_t timestamp_count;

    json_t *document;
    struct buf decoded;
};

/*
 * Codes: sigstore/parse; sigstore/profile (what the format's version does not allow or demands);
 * sigstore/unsupported (attestations, keys without a certificate); sigstore/rekor-key-unknown (a
 * log id that cannot be one). The caller closes *out also after a failure.
 */
bool sigstore_bundle_read(struct slice text, struct sigstore_bundle *out,
                          struct error *err) MUST_USE;
void sigstore_bundle_close(struct sigstore_bundle *bundle);
#define SIGSTORE_BUNDLE_AUTO __attribute__((cleanup(sigstore_bundle_close)))

#endif
