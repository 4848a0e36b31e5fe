/* What is bound to what: report data of both quotes and the payload that the node signs.
 * Spec: compatibility facts B.6, C.2, D.4-D.6, J.1. */
#ifndef KEYRELEASE_BINDING_H
#define KEYRELEASE_BINDING_H

#include "base/bytes.h"

enum {
    KEYRELEASE_NONCE_LEN = 32,
    KEYRELEASE_BINDING_LEN = 32,
    KEYRELEASE_X25519_LEN = 32,
    KEYRELEASE_REPORT_DATA_LEN = 64, /* nonce, then one of the halves below */
};

/* SHA256("mero-kms-phala-attest-v1"): the binding of a request that names none. */
void keyrelease_default_binding(uint8_t out[KEYRELEASE_BINDING_LEN]);
/* Second half of the KMS's report data when it offers a transport key. Without one the half is the
 * binding itself. */
void keyrelease_attest_half(const uint8_t binding[KEYRELEASE_BINDING_LEN],
                            const uint8_t transport_key[KEYRELEASE_X25519_LEN],
                            uint8_t out[KEYRELEASE_BINDING_LEN]);
/* Second half of the node's report data; seal_to NULL = the form without sealing. */
void keyrelease_request_half(struct slice peer_id, const uint8_t *seal_to,
                             uint8_t out[KEYRELEASE_BINDING_LEN]);
void keyrelease_report_data(const uint8_t nonce[KEYRELEASE_NONCE_LEN],
                            const uint8_t half[KEYRELEASE_BINDING_LEN],
                            uint8_t out[KEYRELEASE_REPORT_DATA_LEN]);

/* Appends the exact bytes that are signed; seal_to NULL = four members. */
bool keyrelease_signed_payload(struct buf *out, struct slice challenge_id,
                               const uint8_t nonce[KEYRELEASE_NONCE_LEN], struct slice quote,
                               struct slice peer_id, const uint8_t *seal_to) MUST_USE;

#endif
