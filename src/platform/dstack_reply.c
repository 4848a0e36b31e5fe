/* Replies of the agent. The key's text never leaves the stack of this file, which wipes it. */
#include "platform/dstack_reply.h"

#include <stddef.h>
#include <string.h>

#include "base/codec.h"
#include "base/json_reader.h"
#include "platform/limits.h"

static bool malformed(const char *method, const struct json_reader *r, struct error *err)
{
    struct error why = {0};
    json_reader_error(r, NULL, method, &why);
    return error_set(err, "platform/agent", why.field,
                     "the reply of the dstack agent to %s cannot be used: %s", method, why.message);
}

/* Hex of either case, with any number of "0x" in front. */
static struct slice without_prefix(struct slice hex)
{
    while (hex.len >= 2 && hex.data[0] == '0' && (hex.data[1] | 0x20) == 'x')
        hex = slice_cut(hex, 2, hex.len);
    return hex;
}

struct key_reply {
    char key[DSTACK_KEY_TEXT_MAX];
};

static void wipe_key_reply(struct key_reply *r)
{
    secret_wipe(r, sizeof *r);
}

bool dstack_read_key(struct slice body, struct secret *out, struct error *err)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct key_reply, key, "key", json_field_text)};
    struct key_reply reply __attribute__((cleanup(wipe_key_reply))) = {{0}};
    struct json_reader r;
    json_reader_open(&r, body);
    if (!json_reader_fields(&r, fields, 1, &reply, NULL) || !json_reader_finish(&r))
        return malformed("GetKey", &r, err);
    struct secret key SECRET_AUTO = {0};
    if (!secret_alloc(&key, DSTACK_KEY_LEN, err))
        return false;
    if (!hex_decode(without_prefix(slice_str(reply.key)), key.data, key.len))
        return error_set(err, "platform/agent", "key",
                         "the reply of the dstack agent to GetKey has no key of %d bytes in hex",
                         DSTACK_KEY_LEN);
    *out = key;
    key = (struct secret){0};
    return true;
}

static bool field_string(struct json_reader *r, void *member, size_t size)
{
    (void)size;
    return json_reader_string(r, member);
}

static bool field_hex(struct json_reader *r, void *member, size_t size)
{
    (void)size;
    struct buf hex BUF_AUTO = BUF_INIT(DSTACK_REPLY_MAX);
    return json_reader_string(r, &hex) &&
           (hex_decode_append(without_prefix(buf_slice(&hex)), member) ||
            json_reader_refuse(r, "not the hex digits of a quote"));
}

bool dstack_read_quote(struct slice body, struct dstack_quote *out, struct error *err)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct dstack_quote, quote, "quote", field_hex),
        JSON_FIELD_OPTIONAL(struct dstack_quote, event_log, "event_log", field_string),
        JSON_FIELD_OPTIONAL(struct dstack_quote, vm_config, "vm_config", field_string)};
    struct json_reader r;
    json_reader_open(&r, body);
    return (json_reader_fields(&r, fields, 3, out, NULL) && json_reader_finish(&r)) ||
           malformed("GetQuote", &r, err);
}

struct version_reply {
    char version[DSTACK_VERSION_MAX];
};

bool dstack_read_version(struct slice body, char out[DSTACK_VERSION_MAX], struct error *err)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct version_reply, version, "version", json_field_text)};
    struct version_reply reply = {{0}};
    struct json_reader r;
    json_reader_open(&r, body);
    if (!json_reader_fields(&r, fields, 1, &reply, NULL) || !json_reader_finish(&r))
        return malformed("Version", &r, err);
    memcpy(out, reply.version, sizeof reply.version);
    return true;
}

bool dstack_read_object(const char *method, struct slice body, struct error *err)
{
    struct json_reader r;
    json_reader_open(&r, body);
    json_reader_object(&r);
    while (json_reader_more(&r))
        json_reader_skip(&r, NULL);
    return json_reader_finish(&r) || malformed(method, &r, err);
}

bool dstack_read_any(const char *method, struct slice body, struct error *err)
{
    struct json_reader r;
    json_reader_open(&r, body);
    json_reader_skip(&r, NULL);
    return json_reader_finish(&r) || malformed(method, &r, err);
}
