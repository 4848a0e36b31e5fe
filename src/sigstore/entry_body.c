/* The body of a log entry. Digest, signature and certificate determine it completely and the log
 * keeps it in canonical form, so the body that must be there is built and compared: no member can
 * be forgotten. Spec: Sigstore facts 5. */
#include "base/codec.h"
#include "sigstore/certificate.h"
#include "sigstore/entry.h"

enum { PEM_MAX = 2 * SIGSTORE_CERT_MAX, BODY_MAX = 4 * SIGSTORE_CERT_MAX, KIND_SHOWN_MAX = 64 };

static const char CODE[] = "sigstore/body";

/* The body that must be there, and where its parts start: where the real one leaves it says what is
 * wrong. */
struct expected_body {
    struct buf text;
    size_t data_at, signature_at, certificate_at;
};

static bool expect_v1(const struct sigstore_bundle *b, const struct sigstore_digest *artifact,
                      struct expected_body *out)
{
    BUF_AUTO struct buf pem = BUF_INIT(PEM_MAX);
    struct buf *text = &out->text;
    if (!sigstore_certificate_pem(b->leaf_der, &pem))
        return false;
    buf_append_str(text, "{\"apiVersion\":\"0.0.1\",\"kind\":\"hashedrekord\",\"spec\":{");
    out->data_at = text->len;
    buf_printf(text, "\"data\":{\"hash\":{\"algorithm\":\"%s\",\"value\":\"",
               sigstore_hash_name(artifact->hash));
    hex_append(text, sigstore_digest_slice(artifact));
    buf_append_str(text, "\"}},");
    out->signature_at = text->len;
    buf_append_str(text, "\"signature\":{\"content\":\"");
    base64_append(text, b->signature);
    buf_append_str(text, "\",");
    out->certificate_at = text->len;
    buf_append_str(text, "\"publicKey\":{\"content\":\"");
    base64_append(text, buf_slice(&pem));
    buf_append_str(text, "\"}}}}");
    return !text->failed;
}

static bool expect_v2(const struct sigstore_bundle *b, const struct sigstore_digest *artifact,
                      struct expected_body *out)
{
    const char *key = sigstore_key_proto_name(X509_get0_pubkey(b->leaf));
    struct buf *text = &out->text;
    buf_append_str(text, "{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{"
                         "\"hashedRekordV002\":{");
    out->data_at = text->len;
    buf_printf(text, "\"data\":{\"algorithm\":\"%s\",\"digest\":\"",
               sigstore_hash_proto_name(artifact->hash));
    base64_append(text, sigstore_digest_slice(artifact));
    buf_append_str(text, "\"},");
    out->signature_at = text->len;
    buf_append_str(text, "\"signature\":{\"content\":\"");
    base64_append(text, b->signature);
    buf_append_str(text, "\",");
    out->certificate_at = text->len;
    buf_printf(text, "\"verifier\":{\"keyDetails\":\"%s\",\"x509Certificate\":{\"rawBytes\":\"",
               key != NULL ? key : "");
    base64_append(text, b->leaf_der);
    buf_append_str(text, "\"}}}}}}");
    return key != NULL && !text->failed;
}

static bool explain(const struct expected_body *expected, struct slice actual, struct error *err)
{
    size_t at = 0;
    while (at < expected->text.len && at < actual.len && expected->text.data[at] == actual.data[at])
        at++;
    const char *what = at < expected->data_at          ? "is of another kind"
                       : at < expected->signature_at   ? "is about another artifact"
                       : at < expected->certificate_at ? "holds another signature"
                                                       : "holds another certificate";
    return error_set(err, CODE, "canonicalizedBody", "the log entry %s", what);
}

static bool check_kind(const struct sigstore_entry *entry, struct error *err)
{
    struct slice kind = slice_cut(entry->kind, 0, KIND_SHOWN_MAX);
    struct slice version = slice_cut(entry->version, 0, KIND_SHOWN_MAX);
    if (slice_equal_str(kind, "hashedrekord") &&
        (slice_equal_str(version, "0.0.1") || slice_equal_str(version, "0.0.2")))
        return true;
    return error_set(err, CODE, "kindVersion", "log entries of kind %.*s/%.*s are not known",
                     (int)kind.len, (const char *)kind.data, (int)version.len,
                     (const char *)version.data);
}

static void free_expected(struct expected_body *expected)
{
    buf_free(&expected->text);
}

bool sigstore_entry_check_body(const struct sigstore_bundle *bundle,
                               const struct sigstore_digest *artifact, struct error *err)
{
    const struct sigstore_entry *entry = &bundle->entry;
    struct expected_body expected
        __attribute__((cleanup(free_expected))) = {.text = BUF_INIT(BODY_MAX)};
    if (!check_kind(entry, err))
        return false;
    bool built = slice_equal_str(entry->version, "0.0.1") ? expect_v1(bundle, artifact, &expected)
                                                          : expect_v2(bundle, artifact, &expected);
    if (!built)
        return error_set(err, CODE, "canonicalizedBody",
                         "no log entry can be made for this certificate");
    return slice_equal(buf_slice(&expected.text), entry->body) ||
           explain(&expected, entry->body, err);
}
