/* The replies of the exchange: written by the KMS, judged by the node. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/json_reader.h"
#include "keyrelease/messages.h"

/* ---- writing ---- */

static void member_b64(struct buf *out, const char *lead, struct slice bytes)
{
    buf_append_str(out, lead);
    base64_append(out, bytes);
    buf_append_byte(out, '"');
}

bool challenge_reply_write(struct buf *out, struct slice id,
                           const uint8_t nonce[KEYRELEASE_NONCE_LEN], uint64_t expires_at)
{
    buf_append_str(out, "{\"challengeId\":");
    json_append_string(out, id);
    member_b64(out, ",\"nonceB64\":\"", slice_of(nonce, KEYRELEASE_NONCE_LEN));
    buf_printf(out, ",\"expiresAt\":%llu}", (unsigned long long)expires_at);
    return !out->failed;
}

bool attest_reply_write(struct buf *out, struct slice quote, const uint8_t *report_data,
                        struct slice event_log, struct slice vm_config,
                        const uint8_t *transport_key)
{
    member_b64(out, "{\"quoteB64\":\"", quote);
    buf_append_str(out, ",\"reportDataHex\":\"");
    hex_append(out, slice_of(report_data, KEYRELEASE_REPORT_DATA_LEN));
    buf_append_str(out, "\",\"eventLog\":");
    buf_append(out, event_log.len > 0 ? event_log : slice_str("[]"));
    buf_append_str(out, ",\"vmConfig\":");
    json_append_string(out, vm_config);
    if (transport_key != NULL)
        member_b64(out, ",\"transportPublicKeyB64\":\"",
                   slice_of(transport_key, KEYRELEASE_X25519_LEN));
    buf_append_byte(out, '}');
    return !out->failed;
}

bool get_key_reply_write_clear(struct buf *out, struct slice key_hex)
{
    buf_append_str(out, "{\"key\":\"");
    buf_append(out, key_hex);
    buf_append_str(out, "\"}");
    return !out->failed;
}

bool get_key_reply_write_sealed(struct buf *out, struct slice sealed,
                                const uint8_t seal_nonce[KEYRELEASE_SEAL_NONCE_LEN])
{
    member_b64(out, "{\"sealedKeyB64\":\"", sealed);
    member_b64(out, ",\"sealNonceB64\":\"", slice_of(seal_nonce, KEYRELEASE_SEAL_NONCE_LEN));
    buf_append_byte(out, '}');
    return !out->failed;
}

bool error_reply_write(struct buf *out, const char *tag, struct slice details)
{
    buf_append_str(out, "{\"error\":");
    json_append_string(out, slice_str(tag));
    if (details.len > 0) {
        buf_append_str(out, ",\"details\":");
        json_append_string(out, details);
    }
    buf_append_byte(out, '}');
    return !out->failed;
}

/* ---- reading ---- */

/* A string member without escapes, as all of these are: a view of the body. An escaped one goes
 * into `undone`, whose bytes are wiped because the member may be the key. */
struct reply_text {
    struct slice value;
    bool present;
    bool escaped;
};

static bool read_text(struct json_reader *r, void *member, size_t size)
{
    struct reply_text *text = member;
    struct slice span;
    (void)size;
    if (!json_reader_skip(r, &span))
        return false;
    if (slice_equal_str(span, "null"))
        return true;
    if (span.data[0] != '"')
        return json_reader_refuse(r, "not a string");
    text->present = true;
    text->value = slice_cut(span, 1, span.len - 2);
    text->escaped = memchr(span.data, '\\', span.len) != NULL;
    return true;
}

static bool read_number(struct json_reader *r, void *member, size_t size)
{
    (void)size;
    return json_reader_uint(r, UINT64_MAX, member);
}

static bool read_span(struct json_reader *r, void *member, size_t size)
{
    (void)size;
    return json_reader_skip(r, member);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && is_space(s.data[0]))
        s = slice_cut(s, 1, s.len - 1);
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* The text of a member with its escapes undone; undone's ceiling bounds only escaped ones. */
static bool plain_text(const struct reply_text *text, struct buf *undone, struct slice *out)
{
    struct json_reader reader;
    *out = text->value;
    if (!text->escaped)
        return true;
    /* The quotes are part of the source text, one byte either side. */
    struct buf source BUF_AUTO = BUF_INIT_SECRET(KEYRELEASE_REPLY_MAX);
    buf_append_byte(&source, '"');
    buf_append(&source, text->value);
    if (!buf_append_byte(&source, '"'))
        return false;
    json_reader_open(&reader, buf_slice(&source));
    size_t from = undone->len;
    if (!json_reader_string(&reader, undone))
        return false;
    *out = slice_cut(buf_slice(undone), from, undone->len - from);
    return true;
}

static bool fail(enum reply_fault *fault, enum reply_fault what)
{
    *fault = what;
    return false;
}

static bool malformed(enum reply_fault *fault, struct error *err, const char *field,
                      const char *why)
{
    error_set(err, "message/value", field, "%s %s", field, why);
    return fail(fault, REPLY_MALFORMED);
}

static bool read_reply(struct slice body, const struct json_field *fields, size_t count, void *into,
                       enum reply_fault *fault, struct error *err)
{
    struct json_reader reader;
    json_reader_open(&reader, body);
    json_reader_fields(&reader, fields, count, into, NULL);
    if (json_reader_finish(&reader))
        return true;
    json_reader_error(&reader, NULL, "reply", err);
    return fail(fault, REPLY_MALFORMED);
}

struct raw_challenge {
    struct reply_text id, nonce;
    uint64_t expires_at;
};

static bool challenge_nonce(const struct reply_text *text, uint8_t out[KEYRELEASE_NONCE_LEN],
                            enum reply_fault *fault, struct error *err)
{
    struct buf undone BUF_AUTO = BUF_INIT(KEYRELEASE_NONCE_TEXT_MAX);
    struct buf bytes BUF_AUTO = BUF_INIT(KEYRELEASE_NONCE_TEXT_MAX);
    struct slice nonce;
    if (text->value.len > KEYRELEASE_NONCE_TEXT_MAX) {
        error_set(err, "message/limit", "nonceB64",
                  "KMS challenge nonce exceeds maximum allowed size (%d chars base64)",
                  KEYRELEASE_NONCE_TEXT_MAX);
        return fail(fault, REPLY_NONCE_OVERSIZED);
    }
    *fault = REPLY_NONCE_INVALID;
    if (!plain_text(text, &undone, &nonce) || !base64_decode_append(nonce, &bytes))
        return error_set(err, "message/value", "nonceB64",
                         "Failed to decode challenge nonce from base64");
    if (bytes.len != KEYRELEASE_NONCE_LEN)
        return error_set(err, "message/value", "nonceB64",
                         "Challenge nonce must be exactly %d bytes", KEYRELEASE_NONCE_LEN);
    memcpy(out, bytes.data, KEYRELEASE_NONCE_LEN);
    return true;
}

bool challenge_reply_read(struct slice body, struct challenge_reply *out, enum reply_fault *fault,
                          struct error *err)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct raw_challenge, id, "challengeId", read_text),
        JSON_FIELD(struct raw_challenge, nonce, "nonceB64", read_text),
        JSON_FIELD(struct raw_challenge, expires_at, "expiresAt", read_number),
    };
    struct raw_challenge raw = {0};
    struct challenge_reply reply = {0};
    struct buf undone BUF_AUTO = BUF_INIT(KEYRELEASE_REPLY_MAX);
    struct slice id;
    if (!read_reply(body, fields, 3, &raw, fault, err))
        return false;
    if (!raw.id.present || !raw.nonce.present)
        return malformed(fault, err, raw.id.present ? "nonceB64" : "challengeId", "is null");
    if (!plain_text(&raw.id, &undone, &id))
        return malformed(fault, err, "challengeId", "contains U+0000");
    if (id.len > KEYRELEASE_CHALLENGE_ID_MAX) {
        error_set(err, "message/limit", "challengeId",
                  "KMS challengeId exceeds maximum allowed length (%d chars)",
                  KEYRELEASE_CHALLENGE_ID_MAX);
        return fail(fault, REPLY_ID_OVERSIZED);
    }
    if (id.len == 0)
        return malformed(fault, err, "challengeId", "is empty");
    memcpy(reply.id, id.data, id.len);
    reply.expires_at = raw.expires_at;
    if (!challenge_nonce(&raw.nonce, reply.nonce, fault, err))
        return false;
    *out = reply;
    return true;
}

/* ---- /attest ---- */

struct raw_attest {
    struct reply_text quote, report_data, transport_key;
    struct slice event_log;
};

static bool bounded(const struct reply_text *text, const char *field, size_t max,
                    enum reply_fault *fault, struct error *err)
{
    if (!text->present || text->value.len == 0)
        return malformed(fault, err, field, "is empty");
    if (text->value.len <= max)
        return true;
    error_set(err, "message/limit", field, "KMS attest %s exceeds maximum allowed size (%zu chars)",
              field, max);
    return fail(fault, REPLY_OVERSIZED);
}

static bool attest_texts(const struct raw_attest *raw, struct attest_reply *reply,
                         enum reply_fault *fault, struct error *err)
{
    struct buf undone BUF_AUTO = BUF_INIT(KEYRELEASE_QUOTE_TEXT_MAX);
    struct slice text;
    if (!plain_text(&raw->quote, &undone, &text) || !base64_decode_append(text, &reply->quote))
        return malformed(fault, err, "quoteB64", "is not base64");
    buf_reset(&undone);
    if (!plain_text(&raw->report_data, &undone, &text) ||
        !hex_decode(text, reply->report_data, sizeof(reply->report_data)))
        return malformed(fault, err, "reportDataHex", "is not hex of 64 bytes");
    if (!raw->transport_key.present)
        return true;
    buf_reset(&undone);
    if (!plain_text(&raw->transport_key, &undone, &text) ||
        !base64_decode(text, reply->transport_key, sizeof(reply->transport_key)))
        return malformed(fault, err, "transportPublicKeyB64", "is not base64 of 32 bytes");
    reply->has_transport_key = true;
    return true;
}

bool attest_reply_read(struct slice body, struct attest_reply *out, enum reply_fault *fault,
                       struct error *err)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct raw_attest, quote, "quoteB64", read_text),
        JSON_FIELD(struct raw_attest, report_data, "reportDataHex", read_text),
        JSON_FIELD_OPTIONAL(struct raw_attest, transport_key, "transportPublicKeyB64", read_text),
        JSON_FIELD_OPTIONAL(struct raw_attest, event_log, "eventLog", read_span),
    };
    struct raw_attest raw = {0};
    struct attest_reply reply = {.quote = BUF_INIT(KEYRELEASE_QUOTE_TEXT_MAX)};
    if (!read_reply(body, fields, 4, &raw, fault, err) ||
        !bounded(&raw.quote, "quoteB64", KEYRELEASE_QUOTE_TEXT_MAX, fault, err) ||
        !bounded(&raw.report_data, "reportDataHex", KEYRELEASE_REPORT_DATA_TEXT_MAX, fault, err))
        return false;
    if (!attest_texts(&raw, &reply, fault, err)) {
        attest_reply_free(&reply);
        return false;
    }
    reply.event_log = raw.event_log;
    *out = reply;
    return true;
}

void attest_reply_free(struct attest_reply *reply)
{
    buf_free(&reply->quote);
}

/* ---- /get-key ---- */

struct raw_get_key {
    struct reply_text key, sealed_key, seal_nonce;
};

bool released_key_decode(struct slice hex, struct secret *out, enum reply_fault *fault,
                         struct error *err)
{
    SECRET_AUTO struct secret key = {0};
    hex = trimmed(hex);
    *fault = REPLY_KEY_INVALID;
    if (hex.len == 0)
        return error_set(err, "keyrelease/key", "key", "KMS returned an empty encryption key");
    if (hex.len > KEYRELEASE_KEY_TEXT_MAX)
        return error_set(err, "keyrelease/key", "key",
                         "KMS returned oversized encryption key (%zu hex chars > %d)", hex.len,
                         KEYRELEASE_KEY_TEXT_MAX);
    if (hex.len % 2 != 0)
        return error_set(err, "keyrelease/key", "key",
                         "KMS returned encryption key with invalid odd hex length");
    if (!secret_alloc(&key, hex.len / 2, err))
        return false;
    if (!hex_decode(hex, key.data, key.len))
        return error_set(err, "keyrelease/key", "key", "Failed to decode key from hex");
    *fault = REPLY_KEY_UNDERSIZED;
    if (key.len < KEYRELEASE_KEY_MIN)
        return error_set(err, "keyrelease/key", "key",
                         "KMS returned an undersized encryption key: %zu bytes, expected at least "
                         "%d",
                         key.len, KEYRELEASE_KEY_MIN);
    secret_free(out);
    *out = key;
    key = (struct secret){0};
    return true;
}

static bool read_sealed(const struct raw_get_key *raw, struct get_key_reply *reply,
                        enum reply_fault *fault, struct error *err)
{
    struct buf undone BUF_AUTO = BUF_INIT(2 * KEYRELEASE_SEALED_TEXT_MAX);
    struct slice text;
    if (!raw->sealed_key.present || !raw->seal_nonce.present)
        return malformed(fault, err, "sealedKeyB64",
                         raw->key.present ? "is missing: the KMS answered a sealed request with a "
                                            "key in clear, which is not used"
                                          : "or sealNonceB64 is missing");
    if (raw->sealed_key.value.len > KEYRELEASE_SEALED_TEXT_MAX) {
        error_set(err, "message/limit", "sealedKeyB64",
                  "KMS sealedKeyB64 exceeds maximum allowed size (%d chars)",
                  KEYRELEASE_SEALED_TEXT_MAX);
        return fail(fault, REPLY_KEY_INVALID);
    }
    if (!plain_text(&raw->sealed_key, &undone, &text) ||
        !base64_decode_append(text, &reply->sealed_key))
        return malformed(fault, err, "sealedKeyB64", "is not base64");
    buf_reset(&undone);
    if (!plain_text(&raw->seal_nonce, &undone, &text) ||
        !base64_decode(text, reply->seal_nonce, sizeof(reply->seal_nonce)))
        return malformed(fault, err, "sealNonceB64", "is not base64 of 12 bytes");
    reply->sealed = true;
    return true;
}

static bool read_clear(const struct raw_get_key *raw, struct get_key_reply *reply,
                       enum reply_fault *fault, struct error *err)
{
    struct buf undone BUF_AUTO = BUF_INIT_SECRET(KEYRELEASE_REPLY_MAX);
    struct slice text;
    if (!raw->key.present)
        return malformed(fault, err, "key", "is missing");
    if (!plain_text(&raw->key, &undone, &text))
        return malformed(fault, err, "key", "contains U+0000");
    return released_key_decode(text, &reply->key, fault, err);
}

bool get_key_reply_read(struct slice body, bool want_sealed, struct get_key_reply *out,
                        enum reply_fault *fault, struct error *err)
{
    static const struct json_field fields[] = {
        JSON_FIELD_OPTIONAL(struct raw_get_key, key, "key", read_text),
        JSON_FIELD_OPTIONAL(struct raw_get_key, sealed_key, "sealedKeyB64", read_text),
        JSON_FIELD_OPTIONAL(struct raw_get_key, seal_nonce, "sealNonceB64", read_text),
    };
    struct raw_get_key raw = {0};
    struct get_key_reply reply = {.sealed_key = BUF_INIT(KEYRELEASE_SEALED_TEXT_MAX)};
    if (!read_reply(body, fields, 3, &raw, fault, err))
        return false;
    bool ok =
        want_sealed ? read_sealed(&raw, &reply, fault, err) : read_clear(&raw, &reply, fault, err);
    if (!ok) {
        get_key_reply_free(&reply);
        return false;
    }
    *out = reply;
    return true;
}

void get_key_reply_free(struct get_key_reply *reply)
{
    secret_free(&reply->key);
    buf_free(&reply->sealed_key);
}

/* ---- the error envelope ---- */

struct raw_error {
    struct reply_text tag, details;
};

bool error_reply_read(struct slice body, char *tag, size_t tag_cap, struct buf *details)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct raw_error, tag, "error", read_text),
        JSON_FIELD_OPTIONAL(struct raw_error, details, "details", read_text),
    };
    struct raw_error raw = {0};
    struct buf undone BUF_AUTO = BUF_INIT(KEYRELEASE_REPLY_MAX);
    enum reply_fault fault;
    struct slice text;
    if (!read_reply(body, fields, 2, &raw, &fault, NULL) || !raw.tag.present ||
        !plain_text(&raw.tag, &undone, &text))
        return false;
    snprintf(tag, tag_cap, "%.*s", text.len < tag_cap ? (int)text.len : (int)tag_cap - 1,
             text.len > 0 ? (const char *)text.data : "");
    buf_reset(&undone);
    if (raw.details.present && plain_text(&raw.details, &undone, &text))
        buf_append(details, slice_cut(text, 0, details->max - details->len));
    return true;
}
