/* A node's Ed25519 identity and its libp2p encodings (spec: compatibility facts B.2).
 *   private text: base58btc(08 01 12 40 | seed 32 | public 32)
 *   public bytes: 08 01 12 20 | public 32
 *   peer id:      base58btc(00 24 | public bytes), 52 characters "12D3KooW..." */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include "base/bytes.h"
#include "base/secret.h"

enum {
    IDENTITY_PUBLIC_LEN = 32,
    IDENTITY_PUBLIC_PROTOBUF_LEN = 36,
    IDENTITY_SIGNATURE_LEN = 64,
    IDENTITY_KEYPAIR_PROTOBUF_LEN = 68,
    PEER_ID_TEXT_MAX = 64, /* with the NUL */
};

struct identity; /* private key in secret memory; immutable after creation, so usable from many
                    threads */

bool identity_generate(struct identity **out, struct error *err) MUST_USE;
bool identity_from_seed(struct slice seed32, struct identity **out, struct error *err) MUST_USE;
/* keypair: base58btc text; expected_peer_id may be empty. Codes identity/base58, identity/protobuf,
 * identity/mismatch with the texts of the compatibility facts ("invalid base58", "invalid
 * protobuf", "Peer ID does not match public key"). */
bool identity_from_text(struct slice keypair, struct slice expected_peer_id, struct identity **out,
                        struct error *err) MUST_USE;
void identity_free(struct identity **id);
#define IDENTITY_AUTO __attribute__((cleanup(identity_free)))

/* Appends the base58btc private text: a secret, so use BUF_INIT_SECRET. */
bool identity_keypair_text(const struct identity *id, struct buf *out) MUST_USE;
const char *identity_peer_id(const struct identity *id);
const uint8_t *identity_public(const struct identity *id); /* 32 bytes */
bool identity_sign(const struct identity *id, struct slice message,
                   uint8_t out[IDENTITY_SIGNATURE_LEN], struct error *err) MUST_USE;

void identity_public_protobuf(const uint8_t public_key[IDENTITY_PUBLIC_LEN],
                              uint8_t out[IDENTITY_PUBLIC_PROTOBUF_LEN]);
/* Strict: exactly the 36 canonical bytes; code identity/protobuf. */
bool identity_public_from_protobuf(struct slice protobuf, uint8_t out[IDENTITY_PUBLIC_LEN],
                                   struct error *err) MUST_USE;
bool identity_peer_id_of(const uint8_t public_key[IDENTITY_PUBLIC_LEN],
                         char out[PEER_ID_TEXT_MAX]) MUST_USE;
/* Ed25519 (RFC 8032), strict encodings; false when it does not verify. */
bool identity_verify(const uint8_t public_key[IDENTITY_PUBLIC_LEN], struct slice message,
                     struct slice signature) MUST_USE;

#endif
