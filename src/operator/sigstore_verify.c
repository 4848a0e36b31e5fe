/* `mero-tee sigstore verify`: files in, a report out. */
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "operator/sigstore_command.h"

enum { ARTIFACT_MAX = 512 * 1024 * 1024, DAY_S = 86400 };

/* The outcome and what it rests on. */
struct outcome {
    const struct sigstore_result *result; /* NULL when refused */
    const struct error *error;            /* NULL when verified */
    struct sigstore_trust_info trust;
    const char *trust_source;
    int64_t now_s;
};

/* "sha256:<hex>" */
static bool parse_digest(const char *text, struct sigstore_digest *out, struct error *err)
{
    for (enum sigstore_hash h = SIGSTORE_SHA256; h <= SIGSTORE_SHA512; h++) {
        size_t len = strlen(sigstore_hash_name(h));
        if (strncmp(text, sigstore_hash_name(h), len) != 0 || text[len] != ':')
            continue;
        out->hash = h;
        if (hex_decode(slice_str(&text[len + 1]), out->bytes, sigstore_hash_len(h)))
            return true;
    }
    return error_set(err, "usage", "--digest",
                     "--digest takes sha256:, sha384: or sha512: and hex");
}

static bool check_options(const struct sigstore_verify_options *o, struct error *err)
{
    if (!sigstore_identity_check(&o->identity, err))
        return false;
    if ((o->artifact_path == NULL) == (o->digest == NULL))
        return error_set(err, "usage", "--artifact",
                         "what was signed is given by --artifact or by --digest");
    if (o->bundle_path == NULL && o->signature_path != NULL)
        return error_set(err, "sigstore/no-bundle", "--bundle",
                         "a signature without its bundle proves no time, and the certificate was "
                         "valid for minutes only: give --bundle");
    return o->bundle_path != NULL || error_set(err, "usage", "--bundle", "--bundle is missing");
}

static bool open_trust(const char *path, struct sigstore_trust **out, struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(SIGSTORE_TRUST_MAX);
    if (path == NULL)
        return sigstore_trust_open_production(out, err);
    return file_read(path, &text, err) && sigstore_trust_open(buf_slice(&text), out, err);
}

/* Reads a file that is not demanded; *out is NULL when there is none. */
static bool read_optional(const char *path, struct buf *to, struct slice *view,
                          const struct slice **out, struct error *err)
{
    *out = NULL;
    if (path == NULL)
        return true;
    if (!file_read(path, to, err))
        return false;
    *view = buf_slice(to);
    *out = view;
    return true;
}

static bool read_artifact(const struct sigstore_verify_options *o, struct buf *to,
                          struct sigstore_digest *digest, struct sigstore_input *input,
                          struct error *err)
{
    if (o->digest != NULL) {
        input->digest = digest;
        return parse_digest(o->digest, digest, err);
    }
    bool ok = file_read(o->artifact_path, to, err);
    input->artifact = buf_slice(to);
    return ok;
}

static bool verify(const struct sigstore_verify_options *o, const struct sigstore_trust *trust,
                   int64_t now_s, struct sigstore_result *result, struct error *err)
{
    BUF_AUTO struct buf bundle = BUF_INIT(SIGSTORE_BUNDLE_MAX), artifact = BUF_INIT(ARTIFACT_MAX);
    BUF_AUTO struct buf signature = BUF_INIT(SIGSTORE_DETACHED_MAX);
    BUF_AUTO struct buf certificate = BUF_INIT(SIGSTORE_DETACHED_MAX);
    struct slice signature_text, certificate_text;
    struct sigstore_digest digest;
    struct sigstore_input input = {0};
    if (!file_read(o->bundle_path, &bundle, err) ||
        !read_artifact(o, &artifact, &digest, &input, err) ||
        !read_optional(o->signature_path, &signature, &signature_text, &input.signature, err) ||
        !read_optional(o->certificate_path, &certificate, &certificate_text, &input.certificate,
                       err))
        return false;
    input.bundle = buf_slice(&bundle);
    return sigstore_verify(trust, &input, &o->identity, now_s, result, err);
}

static json_t *json_time(int64_t unix_s)
{
    char text[TIME_TEXT_MAX];
    time_format_utc(unix_s, text);
    return json_string(text);
}

static json_t *json_hex(struct slice bytes)
{
    char text[2 * SIGSTORE_DIGEST_MAX + 1];
    hex_encode(bytes, text);
    return json_string(text);
}

static void add_result(json_t *obj, const struct sigstore_result *r)
{
    json_t *claims = json_object(), *times = json_array();
    json_object_set_new(obj, "format", json_string(sigstore_format_name(r->format)));
    json_object_set_new(obj, "identity", json_string(r->signer.subject));
    json_object_set_new(obj, "issuer", json_string(r->signer.issuer));
    for (unsigned c = 0; c < SIGSTORE_CLAIMS; c++)
        if (r->signer.claims[c][0] != 0)
            json_object_set_new(claims, sigstore_claim_name(c), json_string(r->signer.claims[c]));
    json_object_set_new(obj, "claims", claims);
    json_object_set_new(obj, "signed_at", json_time(r->signed_at_s));
    for (size_t i = 0; i < r->time_count; i++)
        json_array_append_new(times, json_time(r->times_s[i]));
    json_object_set_new(obj, "proven_times", times);
    json_object_set_new(obj, "log",
                        json_pack("{s:s, s:I, s:b, s:b}", "name", r->log, "index",
                                  (json_int_t)r->log_index, "promise", (int)r->has_promise,
                                  "inclusion_proof", (int)r->has_proof));
    json_object_set_new(obj, "artifact",
                        json_pack("{s:s, s:o}", "algorithm", sigstore_hash_name(r->artifact.hash),
                                  "digest", json_hex(sigstore_digest_slice(&r->artifact))));
}

static bool write_json(const struct outcome *o, struct buf *out, struct error *err)
{
    JSON_AUTO json_t *obj = json_object();
    json_object_set_new(obj, "schema", json_string("mero.sigstore/1"));
    json_object_set_new(obj, "verified", json_boolean(o->result != NULL));
    if (o->result != NULL)
        add_result(obj, o->result);
    json_object_set_new(obj, "trust_root",
                        json_pack("{s:s, s:o, s:o, s:I, s:I}", "source", o->trust_source, "sha256",
                                  json_hex(slice_of(o->trust.sha256, SHA256_LEN)), "newest_key",
                                  json_time(o->trust.newest_key_s), "age_days",
                                  (json_int_t)((o->now_s - o->trust.newest_key_s) / DAY_S),
                                  "left_out", (json_int_t)o->trust.left_out));
    if (o->error != NULL)
        json_object_set_new(obj, "error",
                            json_pack("{s:s, s:s, s:s}", "code", o->error->code, "field",
                                      o->error->field, "message", o->error->message));
    return json_write_pretty(obj, out, err);
}

static void text_result(const struct sigstore_result *r, struct buf *out)
{
    char at[TIME_TEXT_MAX];
    time_format_utc(r->signed_at_s, at);
    buf_printf(out, "  %-22s%s\n  %-22s%s\n", "signer", r->signer.subject, "issuer",
               r->signer.issuer);
    for (unsigned c = 0; c < SIGSTORE_CLAIMS; c++)
        if (r->signer.claims[c][0] != 0)
            buf_printf(out, "  %-22s%s\n", sigstore_claim_name(c), r->signer.claims[c]);
    buf_printf(out, "  %-22s%s\n", "signed at", at);
    buf_printf(out, "  %-22s%s, index %lld%s%s\n", "log", r->log, (long long)r->log_index,
               r->has_promise ? ", promise" : "", r->has_proof ? ", inclusion proof" : "");
    buf_printf(out, "  %-22s%s:", "artifact", sigstore_hash_name(r->artifact.hash));
    hex_append(out, sigstore_digest_slice(&r->artifact));
    buf_append_byte(out, '\n');
}

static bool write_text(const struct outcome *o, struct buf *out, struct error *err)
{
    char newest[TIME_TEXT_MAX];
    time_format_utc(o->trust.newest_key_s, newest);
    buf_printf(out, "%s\n", o->result != NULL ? "verified" : "REFUSED");
    if (o->result != NULL)
        text_result(o->result, out);
    buf_printf(out, "  %-22s%s, newest key of %s (%lld days old), sha256:", "trust root",
               o->trust_source, newest, (long long)(o->now_s - o->trust.newest_key_s) / DAY_S);
    hex_append(out, slice_of(o->trust.sha256, SHA256_LEN));
    return buf_append_byte(out, '\n') ? true : error_set(err, "memory", NULL, "out of memory");
}

bool sigstore_command_verify(const struct sigstore_verify_options *options, struct buf *out,
                             struct error *err)
{
    SIGSTORE_TRUST_AUTO struct sigstore_trust *trust = NULL;
    struct sigstore_result result;
    struct outcome o = {.now_s = clock_unix_s()};
    if (!check_options(options, err) || !open_trust(options->trusted_root_path, &trust, err))
        return false;
    bool ok = verify(options, trust, o.now_s, &result, err);
    if (!ok && !error_is(err, "sigstore/"))
        return false;
    o.result = ok ? &result : NULL;
    o.error = ok ? NULL : err;
    o.trust_source = options->trusted_root_path != NULL ? options->trusted_root_path : "built in";
    sigstore_trust_describe(trust, &o.trust);
    struct error write_error;
    if (!(options->json ? write_json(&o, out, &write_error) : write_text(&o, out, &write_error))) {
        *err = write_error;
        return false;
    }
    return ok;
}
