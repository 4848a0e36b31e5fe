/* Bundles v0.1 to v0.3: a protobuf message as JSON. Spec: Sigstore facts 1.3. */
#include "sigstore/bundle_formats.h"
#include "sigstore/certificate.h"
#include "sigstore/openssl_auto.h"
#include "sigstore/trust_internal.h"

static const char PROFILE[] = "sigstore/profile";

static bool is_there(const json_t *obj, const char *name)
{
    const json_t *value = json_object_get(obj, name);
    return value != NULL && !json_is_null(value);
}

static bool read_format(const struct fields *f, const json_t *root, struct sigstore_bundle *out,
                        struct error *err)
{
    static const struct {
        const char *type;
        enum sigstore_format format;
    } known[] = {
        {"application/vnd.dev.sigstore.bundle+json;version=0.1", SIGSTORE_FORMAT_V01},
        {"application/vnd.dev.sigstore.bundle+json;version=0.2", SIGSTORE_FORMAT_V02},
        {"application/vnd.dev.sigstore.bundle+json;version=0.3", SIGSTORE_FORMAT_V03},
        {"application/vnd.dev.sigstore.bundle.v0.3+json", SIGSTORE_FORMAT_V03},
    };
    struct slice type;
    if (!fields_text(f, root, "mediaType", &type, err))
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_equal_str(type, known[i].type)) {
            out->format = known[i].format;
            return true;
        }
    return error_set(err, PROFILE, "mediaType", "unknown kind of bundle: '%.*s'",
                     (int)(type.len < 100 ? type.len : 100), (const char *)type.data);
}

/* What is a valid bundle, but not of a file signed by somebody with a certificate. */
static bool check_supported(const json_t *root, const json_t *material, struct error *err)
{
    if (is_there(root, "dsseEnvelope"))
        return error_set(err, "sigstore/unsupported", "dsseEnvelope",
                         "the bundle holds an attestation (DSSE), not the signature of a file");
    if (is_there(material, "publicKey"))
        return error_set(err, "sigstore/unsupported", "publicKey",
                         "the bundle is signed by a key without a certificate");
    return true;
}

static bool read_signature(const struct fields *f, const json_t *root, struct sigstore_bundle *out,
                           struct error *err)
{
    json_t *message, *hint;
    if (!fields_object(f, root, "messageSignature", &message, err) ||
        !fields_base64(f, message, "signature", SIGSTORE_SIGNATURE_MAX, &out->signature, err))
        return false;
    out->has_digest_hint = is_there(message, "messageDigest");
    return !out->has_digest_hint ||
           (fields_object(f, message, "messageDigest", &hint, err) &&
            fields_text(f, hint, "algorithm", &out->hint_algorithm, err) &&
            fields_base64(f, hint, "digest", SIGSTORE_DIGEST_MAX, &out->hint_digest, err));
}

/* Certificates behind the signer's are at most hints and not used, but a root among them shows a
 * signer who does not know what belongs into a bundle. */
static bool check_hint_certificate(const struct fields *f, const json_t *entry, struct error *err)
{
    struct slice der;
    if (!fields_base64(f, entry, "rawBytes", SIGSTORE_CERT_MAX, &der, err))
        return false;
    AUTO(x509) X509 *cert = sigstore_certificate_read(der);
    if (cert == NULL)
        return error_set(err, f->code, "certificates", "a certificate of the chain is malformed");
    return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) != 0 ||
           error_set(err, PROFILE, "certificates",
                     "the chain in the bundle has a root certificate");
}

static bool read_chain(const struct fields *f, const json_t *material, struct sigstore_bundle *out,
                       struct error *err)
{
    json_t *chain, *list;
    if (!fields_object(f, material, "x509CertificateChain", &chain, err) ||
        !fields_list(f, chain, "certificates", SIGSTORE_CHAIN_MAX, &list, err))
        return false;
    if (list == NULL)
        return error_set(err, f->code, "certificates", "the chain in the bundle is empty");
    for (size_t i = 1; i < json_array_size(list); i++)
        if (!check_hint_certificate(f, json_array_get(list, i), err))
            return false;
    return fields_base64(f, json_array_get(list, 0), "rawBytes", SIGSTORE_CERT_MAX, &out->leaf_der,
                         err) &&
           bundle_read_leaf(f, out, err);
}

static bool read_certificate(const struct fields *f, const json_t *material,
                             struct sigstore_bundle *out, struct error *err)
{
    bool has_chain = is_there(material, "x509CertificateChain");
    bool has_one = is_there(material, "certificate");
    json_t *one;
    if (has_chain == has_one)
        return error_set(err, f->code, "verificationMaterial", "the bundle has %s",
                         has_chain ? "a certificate and a chain" : "no certificate");
    if (has_chain && out->format == SIGSTORE_FORMAT_V03)
        return error_set(err, PROFILE, "x509CertificateChain",
                         "a bundle v0.3 has one certificate, not a chain");
    if (has_chain)
        return read_chain(f, material, out, err);
    return fields_object(f, material, "certificate", &one, err) &&
           fields_base64(f, one, "rawBytes", SIGSTORE_CERT_MAX, &out->leaf_der, err) &&
           bundle_read_leaf(f, out, err);
}

static bool read_hashes(const struct fields *f, const json_t *proof, struct sigstore_proof *out,
                        struct error *err)
{
    json_t *list;
    if (!fields_list(f, proof, "hashes", SIGSTORE_PROOF_HASHES_MAX, &list, err))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *hash = json_array_get(list, i);
        if (!json_is_string(hash))
            return error_set(err, f->code, "hashes", "a hash of the inclusion proof is no string");
        struct slice text = slice_of(json_string_value(hash), json_string_length(hash));
        if (!fields_decode(f, text, "hashes", SHA256_LEN, &out->hashes[i], err))
            return false;
        out->hash_count++;
    }
    return true;
}

static bool read_proof(const struct fields *f, const json_t *entry, struct sigstore_entry *out,
                       struct error *err)
{
    json_t *proof, *checkpoint;
    if (!is_there(entry, "inclusionProof"))
        return true;
    if (!fields_object(f, entry, "inclusionProof", &proof, err))
        return false;
    if (!is_there(proof, "checkpoint"))
        return true;
    out->has_proof = true;
    return fields_object(f, proof, "checkpoint", &checkpoint, err) &&
           fields_text(f, checkpoint, "envelope", &out->proof.checkpoint, err) &&
           fields_proto_int(f, proof, "logIndex", &out->proof.index, err) &&
           fields_proto_int(f, proof, "treeSize", &out->proof.tree_size, err) &&
           fields_opt_base64(f, proof, "rootHash", SHA256_LEN, &out->proof.root_hash, err) &&
           read_hashes(f, proof, &out->proof, err);
}

static bool read_promise(const struct fields *f, const json_t *entry, struct sigstore_entry *out,
                         struct error *err)
{
    json_t *promise;
    if (!is_there(entry, "inclusionPromise"))
        return true;
    out->has_promise = true;
    return fields_object(f, entry, "inclusionPromise", &promise, err) &&
           fields_opt_base64(f, promise, "signedEntryTimestamp", SIGSTORE_SIGNATURE_MAX,
                             &out->promise, err);
}

static bool read_entry(const struct fields *f, const json_t *entry, struct sigstore_entry *out,
                       struct error *err)
{
    json_t *log_id, *kind;
    if (!fields_object(f, entry, "logId", &log_id, err) ||
        !fields_base64(f, log_id, "keyId", LOG_ID_LEN, &out->log_id, err) ||
        !fields_object(f, entry, "kindVersion", &kind, err) ||
        !fields_text(f, kind, "kind", &out->kind, err) ||
        !fields_text(f, kind, "version", &out->version, err) ||
        !fields_proto_int(f, entry, "logIndex", &out->index, err) ||
        !fields_proto_int(f, entry, "integratedTime", &out->integrated_time_s, err) ||
        !fields_base64(f, entry, "canonicalizedBody", SIGSTORE_BUNDLE_MAX, &out->body, err) ||
        !read_promise(f, entry, out, err) || !read_proof(f, entry, out, err))
        return false;
    if (out->index < 0)
        return error_set(err, f->code, "logIndex", "the entry's logIndex is negative");
    return true;
}

static bool read_entries(const struct fields *f, const json_t *material,
                         struct sigstore_bundle *out, struct error *err)
{
    const json_t *list = json_object_get(material, "tlogEntries");
    if (list != NULL && !json_is_null(list) && !json_is_array(list))
        return error_set(err, f->code, "tlogEntries", "field `tlogEntries` is not an array");
    if (json_array_size(list) != 1)
        return error_set(err, PROFILE, "tlogEntries", "the bundle has %zu log entries instead of 1",
                         json_array_size(list));
    return read_entry(f, json_array_get(list, 0), &out->entry, err);
}

static bool read_timestamps(const struct fields *f, const json_t *material,
                            struct sigstore_bundle *out, struct error *err)
{
    json_t *data, *list;
    if (!is_there(material, "timestampVerificationData"))
        return true;
    if (!fields_object(f, material, "timestampVerificationData", &data, err) ||
        !fields_list(f, data, "rfc3161Timestamps", SIGSTORE_TIMESTAMPS_MAX, &list, err))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!fields_base64(f, json_array_get(list, i), "signedTimestamp",
                           SIGSTORE_TIMESTAMP_LEN_MAX, &out->timestamps[i], err))
            return false;
        out->timestamp_count++;
    }
    return true;
}

/* Which evidence a version of the format demands. */
static bool check_profile(const struct sigstore_bundle *b, struct error *err)
{
    bool is_v2_log = slice_equal_str(b->entry.version, "0.0.2");
    if (b->format == SIGSTORE_FORMAT_V01 && !b->entry.has_promise)
        return error_set(err, PROFILE, "inclusionPromise",
                         "a bundle v0.1 needs a signed entry timestamp");
    if (b->format != SIGSTORE_FORMAT_V01 && !b->entry.has_proof)
        return error_set(err, PROFILE, "inclusionProof",
                         "a %s needs an inclusion proof with a checkpoint",
                         sigstore_format_name(b->format));
    if (is_v2_log && b->entry.has_promise)
        return error_set(err, PROFILE, "inclusionPromise",
                         "an entry of a Rekor v2 log has no signed entry timestamp");
    return true;
}

bool bundle_read_protobuf(const struct fields *f, const json_t *root, struct sigstore_bundle *out,
                          struct error *err)
{
    json_t *material;
    return read_format(f, root, out, err) &&
           fields_object(f, root, "verificationMaterial", &material, err) &&
           check_supported(root, material, err) && read_signature(f, root, out, err) &&
           read_certificate(f, material, out, err) && read_entries(f, material, out, err) &&
           read_timestamps(f, material, out, err) && check_profile(out, err);
}
