/* Every ceiling of this room. Real bundles (2022-2026) have 3 to 15 KB, real trust roots 7 to 20.
 */
#ifndef SIGSTORE_LIMITS_H
#define SIGSTORE_LIMITS_H

enum {
    SIGSTORE_BUNDLE_MAX = 1048576, /* a bundle, bytes */
    SIGSTORE_TRUST_MAX = 1048576,  /* a trust root, bytes */
    SIGSTORE_CERT_MAX = 16384,     /* one certificate, DER */
    SIGSTORE_SIGNATURE_MAX = 1024, /* one signature; RSA-4096 has 512 bytes */
    SIGSTORE_CHAIN_MAX = 4,        /* certificates of a bundle or of one authority */
    SIGSTORE_TIMESTAMPS_MAX = 4,   /* RFC 3161 tokens of a bundle */
    SIGSTORE_TIMESTAMP_LEN_MAX = 65536,
    SIGSTORE_PROOF_HASHES_MAX = 64,     /* an index has 63 bits */
    SIGSTORE_CHECKPOINT_MAX = 65536,    /* text of a checkpoint, bytes */
    SIGSTORE_CHECKPOINT_LINES_MAX = 32, /* signature lines of a checkpoint */
    SIGSTORE_AUTHORITIES_MAX = 32,      /* of each kind in a trust root */
    SIGSTORE_HOST_MAX = 256,            /* name of a log, with NUL */
    SIGSTORE_TEXT_MAX = 1024,           /* subject, issuer or claim, with NUL */
    SIGSTORE_PATTERN_MAX = 1024,        /* pattern for a subject, bytes */
    SIGSTORE_DETACHED_MAX = 65536,      /* file with a detached signature or certificate */
    SIGSTORE_CLOCK_SKEW_S = 300,        /* how far ahead of our clock a log's may be */
};

#endif
