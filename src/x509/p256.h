/* ECDSA P-256 with SHA-256: verification only. Spec: DCAP facts 2. */
#ifndef X509_P256_H
#define X509_P256_H

#include "base/bytes.h"

enum { P256_POINT_LEN = 64, P256_SIGNATURE_LEN = 64, P256_DIGEST_LEN = 32 };

/* A public key that is on the curve. Immutable once open: any number of threads may verify with it
 * at the same time. */
struct p256_key;

/* point: x || y, big-endian. Code signature/key when it is not on the curve. */
bool p256_key_open(const uint8_t point[P256_POINT_LEN], struct p256_key **out,
                   struct error *err) MUST_USE;
void p256_key_free(struct p256_key **key);
#define P256_KEY_AUTO __attribute__((cleanup(p256_key_free)))

/* signature: r || s, big-endian, each in 1..n-1 (else signature/range); both s and n-s verify.
 * Code signature/wrong when it does not match. */
bool p256_key_verify(const struct p256_key *key, struct slice message,
                     const uint8_t signature[P256_SIGNATURE_LEN], struct error *err) MUST_USE;
bool p256_key_verify_digest(const struct p256_key *key, const uint8_t digest[P256_DIGEST_LEN],
                            const uint8_t signature[P256_SIGNATURE_LEN],
                            struct error *err) MUST_USE;

/* Once, without keeping the key. */
bool p256_verify(const uint8_t point[P256_POINT_LEN], struct slice message,
                 const uint8_t signature[P256_SIGNATURE_LEN], struct error *err) MUST_USE;

#endif
