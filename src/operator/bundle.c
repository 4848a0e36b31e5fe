/* Bundles: writing and reading. */
#include "operator/bundle.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "operator/evidence.h"
#include "policy/policy.h"

void bundle_init(struct bundle *b)
{
    *b = (struct bundle){.quote = BUF_INIT(EVIDENCE_QUOTE_MAX),
                         .event_log = BUF_INIT(EVIDENCE_INPUT_MAX),
                         .policy = BUF_INIT(POLICY_JSON_MAX)};
    collateral_init(&b->collateral);
}

void bundle_free(struct bundle *b)
{
    buf_free(&b->quote);
    buf_free(&b->event_log);
    buf_free(&b->policy);
    collateral_free(&b->collateral);
}

static void set_text(json_t *root, const char *name, const char *text)
{
    if (text[0] != 0)
        json_object_set_new(root, name, json_string(text));
}

static bool set_json(json_t *root, const char *name, struct slice text, struct error *err)
{
    json_t *value = NULL;
    if (!json_parse(text, COLLATERAL_FILE_MAX, 0, &value, err))
        return false;
    json_object_set_new(root, name, value);
    return true;
}

bool bundle_write(const struct bundle *b, const char *path, struct error *err)
{
    JSON_AUTO json_t *root = json_object();
    BUF_AUTO struct buf documents = BUF_INIT(COLLATERAL_FILE_MAX);
    BUF_AUTO struct buf quote = BUF_INIT(2 * EVIDENCE_QUOTE_MAX);
    BUF_AUTO struct buf text = BUF_INIT(BUNDLE_MAX);
    char at[TIME_TEXT_MAX];
    time_format_utc(b->at_s, at);
    if (!base64_append(&quote, buf_slice(&b->quote)) || buf_cstr(&quote) == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    set_text(root, "schema", "mero.bundle/1");
    set_text(root, "at", at);
    set_text(root, "nonce", b->nonce_hex);
    set_text(root, "role", b->role);
    set_text(root, "accept_status", b->accept_status);
    json_object_set_new(root, "allow_debug", json_boolean(b->allow_debug));
    set_text(root, "quote_b64", buf_cstr(&quote));
    return (b->event_log.len == 0 || set_json(root, "event_log", buf_slice(&b->event_log), err)) &&
           (b->policy.len == 0 || set_json(root, "policy", buf_slice(&b->policy), err)) &&
           collateral_write(&b->collateral, &documents, err) &&
           set_json(root, "collateral", buf_slice(&documents), err) &&
           json_write_pretty(root, &text, err) &&
           file_write_atomic(path, buf_slice(&text), 0600, err);
}

static bool copy_text(const json_t *root, const char *name, char *out, size_t out_len,
                      struct error *err)
{
    struct slice text = {0};
    if (!json_opt_str(root, name, &text, err))
        return false;
    if (text.len >= out_len)
        return error_set(err, "evidence/format", name, "`%s` is longer than %zu characters", name,
                         out_len - 1);
    snprintf(out, out_len, "%.*s", (int)text.len, text.len > 0 ? (const char *)text.data : "");
    return true;
}

static bool read_members(const json_t *root, struct bundle *b, struct error *err)
{
    struct slice schema, at, quote;
    if (!json_get_str(root, "schema", &schema, err) || !json_get_str(root, "at", &at, err) ||
        !json_get_str(root, "quote_b64", &quote, err))
        return false;
    if (!slice_equal_str(schema, "mero.bundle/1"))
        return error_set(err, "evidence/format", "schema", "not a bundle of schema mero.bundle/1");
    if (!time_parse_utc(at, &b->at_s) || !base64_decode_append(quote, &b->quote))
        return error_set(err, "evidence/format", "at", "`at` is no time or `quote_b64` no base64");
    const json_t *policy = json_object_get(root, "policy");
    const json_t *log = json_object_get(root, "event_log");
    return (log == NULL || json_write_compact(log, &b->event_log, err)) &&
           (policy == NULL || json_write_compact(policy, &b->policy, err)) &&
           copy_text(root, "nonce", b->nonce_hex, sizeof b->nonce_hex, err) &&
           copy_text(root, "role", b->role, sizeof b->role, err) &&
           copy_text(root, "accept_status", b->accept_status, sizeof b->accept_status, err) &&
           json_opt_bool(root, "allow_debug", &b->allow_debug, err);
}

bool bundle_read(const char *path, struct bundle *out, struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(BUNDLE_MAX);
    JSON_AUTO json_t *root = NULL;
    struct slice documents;
    if (!file_read(path, &text, err) || !json_parse(buf_slice(&text), BUNDLE_MAX, 0, &root, err) ||
        !read_members(root, out, err))
        return false;
    if (!json_member_span(buf_slice(&text), "collateral", &documents))
        return error_set(err, "evidence/format", "collateral", "the bundle holds no collateral");
    return collateral_read(documents, &out->collateral, err);
}
