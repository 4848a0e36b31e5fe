/* Which format a bundle is in, told by its content: file names say nothing. */
#include "sigstore/bundle.h"

#include "sigstore/bundle_formats.h"
#include "sigstore/certificate.h"

const char *sigstore_format_name(enum sigstore_format format)
{
    static const char *const names[] = {
        [SIGSTORE_FORMAT_COSIGN] = "cosign",
        [SIGSTORE_FORMAT_V01] = "bundle v0.1",
        [SIGSTORE_FORMAT_V02] = "bundle v0.2",
        [SIGSTORE_FORMAT_V03] = "bundle v0.3",
    };
    return names[format];
}

bool bundle_read_leaf(const struct fields *f, struct sigstore_bundle *out, struct error *err)
{
    out->leaf = sigstore_certificate_read(out->leaf_der);
    return out->leaf != NULL ||
           error_set(err, f->code, "certificate", "the signer's certificate is malformed");
}

bool sigstore_bundle_read(struct slice text, struct sigstore_bundle *out, struct error *err)
{
    struct fields f = {.code = "sigstore/parse", .arena = &out->decoded};
    *out = (struct sigstore_bundle){0};
    /* Twice: a certificate in a cosign bundle is base64 of a text that is base64 again. */
    if (!fields_open(&f, text, SIGSTORE_BUNDLE_MAX, &out->document, err) ||
        !fields_reserve(&out->decoded, 2 * text.len, err))
        return false;
    bool is_cosign = json_object_get(out->document, "base64Signature") != NULL ||
                     json_object_get(out->document, "rekorBundle") != NULL;
    bool is_protobuf = json_object_get(out->document, "mediaType") != NULL;
    if (is_cosign == is_protobuf)
        return error_set(err, f.code, NULL, "the document is %s",
                         is_cosign ? "a bundle in two formats at once" : "no Sigstore bundle");
    return is_cosign ? bundle_read_cosign(&f, out->document, out, err)
                     : bundle_read_protobuf(&f, out->document, out, err);
}

void sigstore_bundle_close(struct sigstore_bundle *bundle)
{
    X509_free(bundle->leaf);
    json_release(&bundle->document);
    buf_free(&bundle->decoded);
    *bundle = (struct sigstore_bundle){0};
}
