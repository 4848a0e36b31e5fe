/* Report data and signed payload of the key release. */
#include "keyrelease/binding.h"

#include <string.h>

#include "base/codec.h"
#include "base/hash.h"
#include "base/json.h"

static const char attest_label[] = "mero-kms-phala-attest-v1";
static const char transport_label[] = "mero-kms/attest-transport-key/v1";
static const char request_label[] = "mero-kms/sealed-get-key/v1";

void keyrelease_default_binding(uint8_t out[KEYRELEASE_BINDING_LEN])
{
    sha256(slice_str(attest_label), out);
}

void keyrelease_attest_half(const uint8_t binding[KEYRELEASE_BINDING_LEN],
                            const uint8_t transport_key[KEYRELEASE_X25519_LEN],
                            uint8_t out[KEYRELEASE_BINDING_LEN])
{
    const struct slice parts[] = {slice_str(transport_label),
                                  slice_of(binding, KEYRELEASE_BINDING_LEN),
                                  slice_of(transport_key, KEYRELEASE_X25519_LEN)};
    sha256_parts(parts, 3, out);
}

void keyrelease_request_half(struct slice peer_id, const uint8_t *seal_to,
                             uint8_t out[KEYRELEASE_BINDING_LEN])
{
    if (seal_to == NULL) {
        sha256(peer_id, out);
        return;
    }
    const struct slice parts[] = {slice_str(request_label),
                                  slice_of(seal_to, KEYRELEASE_X25519_LEN), peer_id};
    sha256_parts(parts, 3, out);
}

void keyrelease_report_data(const uint8_t nonce[KEYRELEASE_NONCE_LEN],
                            const uint8_t half[KEYRELEASE_BINDING_LEN],
                            uint8_t out[KEYRELEASE_REPORT_DATA_LEN])
{
    memcpy(out, nonce, KEYRELEASE_NONCE_LEN);
    memcpy(&out[KEYRELEASE_NONCE_LEN], half, KEYRELEASE_BINDING_LEN);
}

static void append_hex_member(struct buf *out, const char *name, const uint8_t *bytes)
{
    buf_printf(out, ",\"%s\":\"", name);
    hex_append(out, slice_of(bytes, 32));
    buf_append_byte(out, '"');
}

bool keyrelease_signed_payload(struct buf *out, struct slice challenge_id,
                               const uint8_t nonce[KEYRELEASE_NONCE_LEN], struct slice quote,
                               struct slice peer_id, const uint8_t *seal_to)
{
    uint8_t quote_hash[SHA256_LEN];
    sha256(quote, quote_hash);
    buf_append_str(out, "{\"challengeId\":");
    json_append_string(out, challenge_id);
    append_hex_member(out, "challengeNonceHex", nonce);
    append_hex_member(out, "quoteHashHex", quote_hash);
    buf_append_str(out, ",\"peerId\":");
    json_append_string(out, peer_id);
    if (seal_to != NULL)
        append_hex_member(out, "sealToHex", seal_to);
    buf_append_byte(out, '}');
    return !out->failed;
}
