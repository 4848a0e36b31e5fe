/* Public keys of logs and signers, and what they sign. Spec: Sigstore facts 3 (strict DER), 5.1
 * (key and hash go together), 13 (key details). */
#ifndef SIGSTORE_KEY_H
#define SIGSTORE_KEY_H

#include <openssl/evp.h>

#include "sigstore/digest.h"

enum sigstore_key_kind {
    SIGSTORE_KEY_P256,
    SIGSTORE_KEY_P384,
    SIGSTORE_KEY_P521,
    SIGSTORE_KEY_RSA, /* 2048 to 4096 bits, PKCS #1 v1.5 with SHA-256 */
    SIGSTORE_KEY_ED25519,
};

/* What kind of key this is; false for every key that we do not verify with (explicit curve
 * parameters and curves other than the three among them). */
bool sigstore_key_kind_of(EVP_PKEY *key, enum sigstore_key_kind *out) MUST_USE;
/* The one hash that goes with a key. Not for Ed25519, which hashes by itself. */
enum sigstore_hash sigstore_key_hash(enum sigstore_key_kind kind);
/* "PKIX_ECDSA_P256_SHA_256": how a Rekor v2 entry names the key; NULL for keys without a name. */
const char *sigstore_key_proto_name(EVP_PKEY *key);

/* DER SubjectPublicKeyInfo, or a bare RSAPublicKey (PKCS #1); nothing behind it. NULL otherwise. */
EVP_PKEY *sigstore_key_from_spki(struct slice der);
EVP_PKEY *sigstore_key_from_pkcs1(struct slice der);

/* True only when the signature is valid and in the one right encoding. */
bool sigstore_key_verify(EVP_PKEY *key, struct slice message, struct slice signature) MUST_USE;
/* The same over a digest made before; never true for Ed25519. */
bool sigstore_key_verify_digest(EVP_PKEY *key, const struct sigstore_digest *digest,
                                struct slice signature) MUST_USE;

#endif
