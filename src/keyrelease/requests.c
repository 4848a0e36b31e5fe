/* The requests of the exchange: written by the node, taken apart by the KMS. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/json_reader.h"
#include "keyrelease/messages.h"

/* A string member as it stands in the body, its escapes not undone yet. */
struct raw_text {
    struct slice span;
    bool present;
};

struct raw_request {
    struct raw_text texts[6];
    bool transport_key;
};

static bool read_text(struct json_reader *r, void *member, size_t size)
{
    struct raw_text *text = member;
    (void)size;
    if (!json_reader_skip(r, &text->span))
        return false;
    text->present = text->span.data[0] == '"';
    return text->present || json_reader_refuse(r, "invalid type, expected a string");
}

static bool read_optional_text(struct json_reader *r, void *member, size_t size)
{
    struct raw_text *text = member;
    (void)size;
    if (!json_reader_skip(r, &text->span))
        return false;
    text->present = text->span.data[0] == '"';
    return text->present || slice_equal_str(text->span, "null") ||
           json_reader_refuse(r, "invalid type, expected a string");
}

static bool read_bool(struct json_reader *r, void *member, size_t size)
{
    struct slice span;
    bool *out = member;
    (void)size;
    if (!json_reader_skip(r, &span))
        return false;
    *out = slice_equal_str(span, "true");
    return *out || slice_equal_str(span, "false") || slice_equal_str(span, "null") ||
           json_reader_refuse(r, "invalid type, expected a boolean");
}

#define TEXT_FIELD(index, name)                                                                    \
    {                                                                                              \
        (name), read_text, offsetof(struct raw_request, texts[index]), sizeof(struct raw_text),    \
            false                                                                                  \
    }
#define OPTIONAL_TEXT_FIELD(index, name)                                                           \
    {                                                                                              \
        (name), read_optional_text, offsetof(struct raw_request, texts[index]),                    \
            sizeof(struct raw_text), true                                                          \
    }

/* In the manner of the existing KMS: the member, the reason, line and column. */
static bool request_error(const struct json_reader *r, struct error *err)
{
    size_t line = 1, column = 0;
    for (size_t i = 0; i < r->at && i < r->text.len; i++) {
        column++;
        if (r->text.data[i] == '\n') {
            line++;
            column = 0;
        }
    }
    if (r->missing != NULL)
        return error_set(err, r->code, r->missing, "missing field `%s` at line %zu column %zu",
                         r->missing, line, column);
    struct slice name = {0};
    if (r->depth > 0 && r->levels[0].is_object && r->name_count > 0)
        name = r->names[(r->depth > 1 ? r->levels[1].names_from : r->name_count) - 1];
    char field[KEYRELEASE_ERROR_TAG_MAX];
    snprintf(field, sizeof(field), "%.*s", name.len < 60 ? (int)name.len : 60,
             name.len > 0 ? (const char *)name.data : "");
    return error_set(err, r->code, field, "%s%s%s at line %zu column %zu", field,
                     field[0] != '\0' ? ": " : "", r->problem, line, column);
}

/* Undoes escapes of one string; the rare string that has some goes to scratch, which is made large
 * enough for the whole body at once so that earlier views stay. */
static bool settle(const struct raw_text *raw, size_t body_len, struct buf *scratch,
                   struct slice *out, struct error *err)
{
    struct json_reader reader;
    *out = slice_cut(raw->span, 1, raw->span.len - 2);
    if (memchr(out->data, '\\', out->len) == NULL)
        return true;
    size_t from = scratch->len;
    if (scratch->cap == 0) {
        if (buf_extend(scratch, body_len) == NULL)
            return error_set(err, "json/value", NULL, "out of memory");
        scratch->len = 0;
    }
    json_reader_open(&reader, raw->span);
    if (!json_reader_string(&reader, scratch))
        return request_error(&reader, err);
    *out = slice_cut(buf_slice(scratch), from, scratch->len - from);
    return true;
}

/* Not an object: another JSON value, or no JSON at all? */
static void look_again(struct json_reader *r, struct slice body)
{
    struct json_reader other;
    json_reader_open(&other, body);
    json_reader_skip(&other, NULL);
    if (!json_reader_finish(&other))
        *r = other;
}

static bool read_request(struct slice body, const struct json_field *fields, size_t count,
                         struct buf *scratch, struct raw_request *raw, struct slice *texts,
                         struct error *err)
{
    struct json_reader reader;
    json_reader_open(&reader, body);
    json_reader_fields(&reader, fields, count, raw, NULL);
    if (!json_reader_finish(&reader)) {
        if (strcmp(reader.code, "json/type") == 0)
            look_again(&reader, body);
        return request_error(&reader, err);
    }
    for (size_t i = 0; i < 6; i++)
        if (raw->texts[i].present && !settle(&raw->texts[i], body.len, scratch, &texts[i], err))
            return false;
    return true;
}

bool challenge_request_read(struct slice body, struct buf *scratch, struct challenge_request *out,
                            struct error *err)
{
    static const struct json_field fields[] = {TEXT_FIELD(0, "peerId")};
    struct raw_request raw = {0};
    struct slice texts[6] = {0};
    if (!read_request(body, fields, 1, scratch, &raw, texts, err))
        return false;
    out->peer_id = texts[0];
    return true;
}

bool attest_request_read(struct slice body, struct buf *scratch, struct attest_request *out,
                         struct error *err)
{
    static const struct json_field fields[] = {
        TEXT_FIELD(0, "nonceB64"),
        OPTIONAL_TEXT_FIELD(1, "bindingB64"),
        JSON_FIELD_OPTIONAL(struct raw_request, transport_key, "transportKey", read_bool),
    };
    struct raw_request raw = {0};
    struct slice texts[6] = {0};
    if (!read_request(body, fields, 3, scratch, &raw, texts, err))
        return false;
    *out = (struct attest_request){
        .nonce_b64 = texts[0],
        .has_binding = raw.texts[1].present,
        .binding_b64 = texts[1],
        .transport_key = raw.transport_key,
    };
    return true;
}

bool get_key_request_read(struct slice body, struct buf *scratch, struct get_key_request *out,
                          struct error *err)
{
    static const struct json_field fields[] = {
        TEXT_FIELD(0, "challengeId"),  TEXT_FIELD(1, "quoteB64"),
        TEXT_FIELD(2, "peerId"),       TEXT_FIELD(3, "peerPublicKeyB64"),
        TEXT_FIELD(4, "signatureB64"), OPTIONAL_TEXT_FIELD(5, "sealToB64"),
    };
    struct raw_request raw = {0};
    struct slice texts[6] = {0};
    if (!read_request(body, fields, 6, scratch, &raw, texts, err))
        return false;
    *out = (struct get_key_request){
        .challenge_id = texts[0],
        .quote_b64 = texts[1],
        .peer_id = texts[2],
        .peer_public_key_b64 = texts[3],
        .signature_b64 = texts[4],
        .has_seal_to = raw.texts[5].present,
        .seal_to_b64 = texts[5],
    };
    return true;
}

/* ---- writing ---- */

static void member_b64(struct buf *out, const char *lead, struct slice bytes)
{
    buf_append_str(out, lead);
    base64_append(out, bytes);
    buf_append_byte(out, '"');
}

bool challenge_request_write(struct buf *out, struct slice peer_id)
{
    buf_append_str(out, "{\"peerId\":");
    json_append_string(out, peer_id);
    buf_append_byte(out, '}');
    return !out->failed;
}

bool attest_request_write(struct buf *out, const uint8_t nonce[KEYRELEASE_NONCE_LEN],
                          const uint8_t *binding, bool transport_key)
{
    member_b64(out, "{\"nonceB64\":\"", slice_of(nonce, KEYRELEASE_NONCE_LEN));
    if (binding != NULL)
        member_b64(out, ",\"bindingB64\":\"", slice_of(binding, KEYRELEASE_BINDING_LEN));
    if (transport_key)
        buf_append_str(out, ",\"transportKey\":true");
    buf_append_byte(out, '}');
    return !out->failed;
}

bool get_key_request_write(struct buf *out, struct slice challenge_id, struct slice quote,
                           struct slice peer_id, struct slice peer_public_key,
                           struct slice signature, const uint8_t *seal_to)
{
    buf_append_str(out, "{\"challengeId\":");
    json_append_string(out, challenge_id);
    member_b64(out, ",\"quoteB64\":\"", quote);
    buf_append_str(out, ",\"peerId\":");
    json_append_string(out, peer_id);
    member_b64(out, ",\"peerPublicKeyB64\":\"", peer_public_key);
    member_b64(out, ",\"signatureB64\":\"", signature);
    if (seal_to != NULL)
        member_b64(out, ",\"sealToB64\":\"", slice_of(seal_to, KEYRELEASE_X25519_LEN));
    buf_append_byte(out, '}');
    return !out->failed;
}
