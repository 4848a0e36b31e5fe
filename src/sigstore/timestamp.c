/* RFC 3161 through OpenSSL. A timestamp names no key, so every authority is tried, each by itself.
 */
#include "sigstore/timestamp.h"

#include <openssl/err.h>
#include <time.h>

#include "base/clock.h"
#include "sigstore/certificate.h"
#include "sigstore/chain.h"
#include "sigstore/openssl_auto.h"

static bool refuse(struct error *err, const char *text)
{
    return error_set(err, "sigstore/tsa", "signedTimestamp", "%s", text);
}

static TS_RESP *read_response(struct slice der)
{
    const unsigned char *at = der.data;
    if (der.len == 0)
        return NULL;
    TS_RESP *response = d2i_TS_RESP(NULL, &at, (long)der.len);
    if (response != NULL && at != &der.data[der.len]) {
        TS_RESP_free(response);
        response = NULL;
    }
    ERR_clear_error();
    return response;
}

static bool is_granted(TS_RESP *response)
{
    int64_t status;
    return ASN1_INTEGER_get_int64(
               &status, TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(response))) == 1 &&
           (status == TS_STATUS_GRANTED || status == TS_STATUS_GRANTED_WITH_MODS);
}

/* Whole seconds; a fraction is cut off. */
static bool read_time(TS_RESP *response, int64_t *out)
{
    TS_TST_INFO *info = TS_RESP_get_tst_info(response);
    struct tm civil;
    return info != NULL && ASN1_TIME_to_tm(TS_TST_INFO_get_time(info), &civil) == 1 &&
           time_from_civil(civil.tm_year + 1900, civil.tm_mon + 1, civil.tm_mday, civil.tm_hour,
                           civil.tm_min, civil.tm_sec, out);
}

/* The imprint is by a hash that nobody can make collide, and it is the signature's. */
static bool is_over(TS_RESP *response, struct slice signature)
{
    static const struct {
        int nid;
        enum sigstore_hash hash;
    } known[] = {{NID_sha256, SIGSTORE_SHA256},
                 {NID_sha384, SIGSTORE_SHA384},
                 {NID_sha512, SIGSTORE_SHA512}};
    TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(TS_RESP_get_tst_info(response));
    const ASN1_OBJECT *algorithm = NULL;
    struct sigstore_digest digest;
    X509_ALGOR_get0(&algorithm, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
    const ASN1_OCTET_STRING *value = TS_MSG_IMPRINT_get_msg(imprint);
    struct slice bytes = slice_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (OBJ_obj2nid(algorithm) == known[i].nid)
            return sigstore_digest_of(known[i].hash, signature, &digest) &&
                   slice_equal(sigstore_digest_slice(&digest), bytes);
    return false;
}

/* The token is signed by the authority's own signer, whatever certificates it brings along. */
static bool is_signed_by(TS_RESP *response, const struct sigstore_authority *authority)
{
    AUTO(store) X509_STORE *store = sigstore_chain_store(authority);
    AUTO(borrowed_stack) STACK_OF(X509) *certs = sigstore_chain_untrusted(authority);
    AUTO(x509) X509 *signer = NULL;
    bool ok = store != NULL && certs != NULL &&
              TS_RESP_verify_signature(TS_RESP_get_token(response), certs, store, &signer) == 1 &&
              signer != NULL && X509_cmp(signer, authority->certs[0]) == 0;
    ERR_clear_error();
    return ok;
}

bool sigstore_timestamp_check(const struct sigstore_trust *trust, struct slice response,
                              struct slice signature, int64_t *out_unix_s, struct error *err)
{
    AUTO(ts_resp) TS_RESP *parsed = read_response(response);
    int64_t at_s;
    bool is_signed = false;
    if (parsed == NULL)
        return refuse(err, "the timestamp is malformed");
    if (!is_granted(parsed) || !read_time(parsed, &at_s))
        return refuse(err, "the timestamp was not granted");
    if (TS_TST_INFO_get_version(TS_RESP_get_tst_info(parsed)) != 1 || !is_over(parsed, signature))
        return refuse(err, "the timestamp is not of this signature");
    for (size_t i = 0; i < trust->tsas.count; i++) {
        const struct sigstore_authority *authority = &trust->tsas.list[i];
        if (!is_signed_by(parsed, authority))
            continue;
        is_signed = true;
        if (!sigstore_window_has(&authority->window, at_s * 1000) ||
            !sigstore_certificates_at(authority->certs, authority->count, at_s))
            continue;
        *out_unix_s = at_s;
        return true;
    }
    return refuse(err, is_signed ? "the timestamp authority did not count at the time that it tells"
                                 : "the timestamp is by no authority of the trust root");
}
