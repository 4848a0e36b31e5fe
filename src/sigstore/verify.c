/* The order of the checks. Times come before everything that counts at a time, the chain before the
 * SCT, which needs the issuer. */
#include "sigstore/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "sigstore/certificate.h"
#include "sigstore/chain.h"
#include "sigstore/entry.h"
#include "sigstore/fields.h"
#include "sigstore/sct.h"
#include "sigstore/signer_read.h"
#include "sigstore/timestamp.h"
#include "x509/pem.h"

static bool check_detached_signature(const struct slice *file, const struct sigstore_bundle *b,
                                     struct error *err)
{
    BUF_AUTO struct buf bytes = BUF_INIT(SIGSTORE_SIGNATURE_MAX);
    return file == NULL ||
           (base64_decode_append(fields_trim(*file), &bytes) && bytes.len > 0 &&
            slice_equal(buf_slice(&bytes), b->signature)) ||
           error_set(err, "sigstore/detached-signature", "signature",
                     "the signature file is not the signature in the bundle");
}

/* PEM, or base64 of PEM, which is what cosign writes. */
static bool check_detached_certificate(const struct slice *file, const struct sigstore_bundle *b,
                                       struct error *err)
{
    static const char begin[] = "-----BEGIN";
    BUF_AUTO struct buf pem = BUF_INIT(X509_CHAIN_TEXT_MAX);
    struct x509_chain chain;
    if (file == NULL)
        return true;
    struct slice text = fields_trim(*file);
    bool ok = slice_equal_str(slice_cut(text, 0, strlen(begin)), begin)
                  ? buf_append(&pem, text)
                  : base64_decode_append(text, &pem);
    return (ok && x509_chain_from_pem(buf_slice(&pem), &chain, NULL) && chain.count > 0 &&
            slice_equal(chain.der[0], b->leaf_der)) ||
           error_set(err, "sigstore/detached-certificate", "certificate",
                     "the certificate file is not the certificate in the bundle");
}

static bool check_timestamps(const struct sigstore_trust *trust, const struct sigstore_bundle *b,
                             struct sigstore_result *result, struct error *err)
{
    /* A timestamp that does not verify makes the bundle one that its maker did not make. */
    for (size_t i = 0; i < b->timestamp_count; i++)
        if (!sigstore_timestamp_check(trust, b->timestamps[i], b->signature,
                                      &result->times_s[result->time_count++], err))
            return false;
    return true;
}

static bool check_life(const struct sigstore_bundle *b, const struct sigstore_result *result,
                       int64_t now_s, struct error *err)
{
    for (size_t i = 0; i < result->time_count; i++) {
        char at[TIME_TEXT_MAX];
        time_format_utc(result->times_s[i], at);
        if (!sigstore_certificates_at(&b->leaf, 1, result->times_s[i]))
            return error_set(err, "sigstore/time", "certificate",
                             "the signer's certificate was not valid at %s, when it signed", at);
        if (result->times_s[i] > now_s + SIGSTORE_CLOCK_SKEW_S)
            return error_set(err, "sigstore/time", "signed",
                             "the signature is from the future (%s)", at);
    }
    return true;
}

/* All proven times, at least one. */
static bool collect_times(const struct sigstore_trust *trust, const struct sigstore_bundle *b,
                          int64_t now_s, struct sigstore_result *result, struct error *err)
{
    if (b->entry.has_promise) {
        if (!sigstore_entry_check_promise(trust, &b->entry, err))
            return false;
        result->times_s[result->time_count++] = b->entry.integrated_time_s;
    }
    if (!check_timestamps(trust, b, result, err))
        return false;
    if (result->time_count == 0)
        return error_set(err, "sigstore/time", "signed",
                         "nothing in the bundle proves when the signature was made");
    result->signed_at_s = result->times_s[0];
    for (size_t i = 1; i < result->time_count; i++)
        if (result->times_s[i] < result->signed_at_s)
            result->signed_at_s = result->times_s[i];
    return check_life(b, result, now_s, err);
}

static bool check_log(const struct sigstore_trust *trust, const struct sigstore_bundle *b,
                      int64_t now_s, struct sigstore_result *result, struct error *err)
{
    return sigstore_entry_check_log(trust, &b->entry, err) &&
           collect_times(trust, b, now_s, result, err) &&
           (!b->entry.has_proof ||
            sigstore_entry_check_proof(trust, &b->entry, result->times_s, result->time_count, err));
}

static bool check_certificate(const struct sigstore_trust *trust, const struct sigstore_bundle *b,
                              const struct sigstore_identity *identity,
                              struct sigstore_result *result, struct error *err)
{
    const X509 *issuer = NULL;
    return sigstore_leaf_check(b->leaf, err) &&
           sigstore_chain_check(trust, b->leaf, result->times_s, result->time_count, &issuer,
                                err) &&
           sigstore_sct_check(trust, b->leaf, issuer, err) &&
           sigstore_signer_read(b->leaf, &result->signer, err) &&
           sigstore_identity_match(identity, &result->signer, err);
}

/* The artifact's digest by the hash that goes with the signer's key. */
static bool digest_artifact(const struct sigstore_input *input, enum sigstore_hash hash,
                            struct sigstore_digest *out, struct error *err)
{
    if (input->digest == NULL)
        return sigstore_digest_of(hash, input->artifact, out) ||
               error_set(err, "memory", NULL, "out of memory");
    *out = *input->digest;
    return out->hash == hash ||
           error_set(err, "sigstore/blob-signature", "digest",
                     "the artifact is given by its %s, this signer signs its %s",
                     sigstore_hash_name(out->hash), sigstore_hash_name(hash));
}

static bool check_signature(const struct sigstore_input *input, const struct sigstore_bundle *b,
                            struct sigstore_result *result, struct error *err)
{
    EVP_PKEY *key = X509_get0_pubkey(b->leaf);
    enum sigstore_key_kind kind;
    if (key == NULL || !sigstore_key_kind_of(key, &kind) || kind == SIGSTORE_KEY_ED25519)
        return error_set(err, "sigstore/leaf-profile", "certificate",
                         "the signer's key is not ECDSA (P-256, P-384, P-521) or RSA of 2048 to "
                         "4096 bits");
    if (!digest_artifact(input, sigstore_key_hash(kind), &result->artifact, err))
        return false;
    return sigstore_key_verify_digest(key, &result->artifact, b->signature) ||
           error_set(err, "sigstore/blob-signature", "signature",
                     "the signature is not the signer's over this artifact");
}

static bool check_digest_hint(const struct sigstore_bundle *b, const struct sigstore_result *result,
                              struct error *err)
{
    return !b->has_digest_hint ||
           (slice_equal_str(b->hint_algorithm, sigstore_hash_proto_name(result->artifact.hash)) &&
            slice_equal(b->hint_digest, sigstore_digest_slice(&result->artifact))) ||
           error_set(err, "sigstore/digest-hint", "messageDigest",
                     "the digest in the bundle is not the artifact's");
}

static bool check_all(const struct sigstore_trust *trust, const struct sigstore_input *input,
                      const struct sigstore_identity *identity, int64_t now_s,
                      const struct sigstore_bundle *b, struct sigstore_result *result,
                      struct error *err)
{
    return check_detached_signature(input->signature, b, err) &&
           check_detached_certificate(input->certificate, b, err) &&
           check_log(trust, b, now_s, result, err) &&
           check_certificate(trust, b, identity, result, err) &&
           check_signature(input, b, result, err) &&
           sigstore_entry_check_body(b, &result->artifact, err) &&
           check_digest_hint(b, result, err);
}

bool sigstore_verify(const struct sigstore_trust *trust, const struct sigstore_input *input,
                     const struct sigstore_identity *identity, int64_t now_s,
                     struct sigstore_result *out, struct error *err)
{
    struct sigstore_result result = {0};
    SIGSTORE_BUNDLE_AUTO struct sigstore_bundle bundle = {0};
    if (!sigstore_identity_check(identity, err) ||
        !sigstore_bundle_read(input->bundle, &bundle, err) ||
        !check_all(trust, input, identity, now_s, &bundle, &result, err))
        return false;
    result.format = bundle.format;
    result.log_index = bundle.entry.index;
    result.has_promise = bundle.entry.has_promise;
    result.has_proof = bundle.entry.has_proof;
    snprintf(result.log, sizeof result.log, "%s", sigstore_entry_host(trust, &bundle.entry));
    *out = result;
    return true;
}
