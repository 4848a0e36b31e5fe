/* Reading a trust root. */
#include "sigstore/trust.h"

#include <stdlib.h>
#include <string.h>

#include "sigstore/certificate.h"
#include "sigstore/trust_internal.h"

static const char CODE[] = "sigstore/trust-root";

/* How the key of a log is written. */
enum key_form { FORM_UNKNOWN, FORM_SPKI, FORM_PKCS1 };

static enum key_form form_of(struct slice details, const char **expected)
{
    static const struct {
        const char *details;
        enum key_form form;
    } known[] = {
        {"PKIX_ECDSA_P256_SHA_256", FORM_SPKI},       {"PKIX_ECDSA_P384_SHA_384", FORM_SPKI},
        {"PKIX_ECDSA_P521_SHA_512", FORM_SPKI},       {"PKIX_ED25519", FORM_SPKI},
        {"PKIX_RSA_PKCS1V15_2048_SHA256", FORM_SPKI}, {"PKIX_RSA_PKCS1V15_3072_SHA256", FORM_SPKI},
        {"PKIX_RSA_PKCS1V15_4096_SHA256", FORM_SPKI}, {"PKCS1_RSA_PKCS1V5", FORM_PKCS1},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_equal_str(details, known[i].details)) {
            *expected = known[i].form == FORM_SPKI ? known[i].details : NULL;
            return known[i].form;
        }
    return FORM_UNKNOWN;
}

/* The key, NULL in *out when its kind is unknown here. */
static bool read_key(const struct fields *f, const json_t *public_key, EVP_PKEY **out,
                     struct error *err)
{
    struct slice details, raw;
    const char *expected = NULL;
    enum sigstore_key_kind kind;
    *out = NULL;
    if (!fields_text(f, public_key, "keyDetails", &details, err) ||
        !fields_base64(f, public_key, "rawBytes", SIGSTORE_CERT_MAX, &raw, err))
        return false;
    enum key_form form = form_of(details, &expected);
    if (form == FORM_UNKNOWN)
        return true;
    EVP_PKEY *key = form == FORM_SPKI ? sigstore_key_from_spki(raw) : sigstore_key_from_pkcs1(raw);
    const char *name = key != NULL ? sigstore_key_proto_name(key) : NULL;
    if (name == NULL || !sigstore_key_kind_of(key, &kind) ||
        (expected != NULL && strcmp(name, expected) != 0)) {
        EVP_PKEY_free(key);
        return error_set(err, CODE, "rawBytes", "a log's key is not a %.*s key", (int)details.len,
                         (const char *)details.data);
    }
    *out = key;
    return true;
}

/* "https://log.example:8080/path" -> "log.example" */
static bool read_host(const struct fields *f, const json_t *entry, char out[SIGSTORE_HOST_MAX],
                      struct error *err)
{
    struct slice url = {0};
    if (!fields_text(f, entry, "baseUrl", &url, err))
        return false;
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (slice_equal_str(slice_cut(url, 0, strlen(schemes[i])), schemes[i]))
            url = slice_cut(url, strlen(schemes[i]), url.len);
    size_t len = 0;
    while (len < url.len && strchr("/:?#", url.data[len]) == NULL)
        len++;
    if (len == 0 || len >= SIGSTORE_HOST_MAX)
        return error_set(err, CODE, "baseUrl", "a log's baseUrl names no host");
    memcpy(out, url.data, len);
    out[len] = 0;
    return true;
}

static bool read_log_id(const struct fields *f, const json_t *entry, struct sigstore_log *log,
                        struct error *err)
{
    json_t *log_id;
    struct slice id = {0}, hint = {0};
    const json_t *own_hint = json_object_get(entry, "checkpointKeyId");
    if (!fields_object(f, entry, "logId", &log_id, err) ||
        !fields_base64(f, log_id, "keyId", LOG_ID_LEN, &id, err))
        return false;
    if (json_is_object(own_hint) && !fields_base64(f, own_hint, "keyId", LOG_ID_LEN, &hint, err))
        return false;
    hint = hint.len > 0 ? hint : id;
    if (id.len != LOG_ID_LEN || hint.len < KEY_HINT_LEN)
        return error_set(err, CODE, "keyId", "a log's keyId has %zu bytes instead of %d", id.len,
                         LOG_ID_LEN);
    memcpy(log->id, id.data, LOG_ID_LEN);
    memcpy(log->hint, hint.data, KEY_HINT_LEN);
    return true;
}

static bool check_hash(const struct fields *f, const json_t *entry, struct error *err)
{
    struct slice hash;
    return fields_text(f, entry, "hashAlgorithm", &hash, err) &&
           (slice_equal_str(hash, "SHA2_256") ||
            error_set(err, CODE, "hashAlgorithm", "a log hashes with %.*s, only SHA2_256 is known",
                      (int)hash.len, (const char *)hash.data));
}

static bool read_log(const struct fields *f, const json_t *entry, struct sigstore_log *log,
                     struct error *err)
{
    json_t *public_key;
    return fields_object(f, entry, "publicKey", &public_key, err) && check_hash(f, entry, err) &&
           read_host(f, entry, log->host, err) && read_log_id(f, entry, log, err) &&
           sigstore_window_read(f, public_key, &log->window, err) &&
           read_key(f, public_key, &log->key, err);
}

static void note_start(struct sigstore_trust *trust, const struct sigstore_window *window)
{
    if (window->start_ms > trust->newest_key_ms)
        trust->newest_key_ms = window->start_ms;
}

static bool read_logs(const struct fields *f, const json_t *root, const char *name,
                      struct sigstore_trust *trust, struct sigstore_logs *out, struct error *err)
{
    json_t *list;
    if (!fields_list(f, root, name, SIGSTORE_AUTHORITIES_MAX, &list, err))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct sigstore_log *log = &out->list[out->count];
        if (!read_log(f, json_array_get(list, i), log, err))
            return error_prefix(err, "%s[%zu]", name, i);
        if (log->key == NULL) {
            trust->left_out++;
            continue;
        }
        note_start(trust, &log->window);
        out->count++;
    }
    return out->count > 0 || error_set(err, CODE, name, "the trust root has no usable %s", name);
}

static bool read_authority(const struct fields *f, const json_t *entry,
                           struct sigstore_authority *out, struct error *err)
{
    json_t *chain, *list;
    if (!fields_object(f, entry, "certChain", &chain, err) ||
        !fields_list(f, chain, "certificates", SIGSTORE_CHAIN_MAX, &list, err) ||
        !sigstore_window_read(f, entry, &out->window, err))
        return false;
    if (list == NULL)
        return error_set(err, CODE, "certificates", "an authority without certificates");
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct slice der;
        if (!fields_base64(f, json_array_get(list, i), "rawBytes", SIGSTORE_CERT_MAX, &der, err))
            return false;
        out->certs[i] = sigstore_certificate_read(der);
        if (out->certs[i] == NULL)
            return error_set(err, CODE, "rawBytes", "certificate %zu is not a certificate", i + 1);
        out->count++;
    }
    return true;
}

static bool read_authorities(const struct fields *f, const json_t *root, const char *name,
                             struct sigstore_trust *trust, struct sigstore_authorities *out,
                             struct error *err)
{
    json_t *list;
    if (!fields_list(f, root, name, SIGSTORE_AUTHORITIES_MAX, &list, err))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct sigstore_authority *authority = &out->list[out->count++];
        if (!read_authority(f, json_array_get(list, i), authority, err))
            return error_prefix(err, "%s[%zu]", name, i);
        note_start(trust, &authority->window);
    }
    return true;
}

static bool check_media_type(const struct fields *f, const json_t *root, struct error *err)
{
    static const char *const known[] = {
        "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "application/vnd.dev.sigstore.trustedroot.v0.1+json",
        "application/vnd.dev.sigstore.trustedroot.v0.2+json",
    };
    struct slice type;
    if (!fields_text(f, root, "mediaType", &type, err))
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_equal_str(type, known[i]))
            return true;
    return error_set(err, CODE, "mediaType", "unknown kind of trust root: %.*s",
                     (int)(type.len < 100 ? type.len : 100), (const char *)type.data);
}

static bool read_trust(const struct fields *f, const json_t *root, struct sigstore_trust *trust,
                       struct error *err)
{
    return check_media_type(f, root, err) &&
           read_logs(f, root, "tlogs", trust, &trust->logs, err) &&
           read_logs(f, root, "ctlogs", trust, &trust->ct_logs, err) &&
           read_authorities(f, root, "certificateAuthorities", trust, &trust->cas, err) &&
           (trust->cas.count > 0 || error_set(err, CODE, "certificateAuthorities",
                                              "the trust root has no certificate authority")) &&
           read_authorities(f, root, "timestampAuthorities", trust, &trust->tsas, err);
}

bool sigstore_trust_open(struct slice json, struct sigstore_trust **out, struct error *err)
{
    SIGSTORE_TRUST_AUTO struct sigstore_trust *trust = calloc(1, sizeof *trust);
    BUF_AUTO struct buf arena = {0};
    JSON_AUTO json_t *root = NULL;
    struct fields f = {.code = CODE, .arena = &arena};
    if (trust == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!fields_open(&f, json, SIGSTORE_TRUST_MAX, &root, err) ||
        !fields_reserve(&arena, json.len, err) || !read_trust(&f, root, trust, err))
        return false;
    sha256(json, trust->sha256);
    *out = trust;
    trust = NULL;
    return true;
}

static void free_logs(struct sigstore_logs *logs)
{
    for (size_t i = 0; i < SIGSTORE_AUTHORITIES_MAX; i++)
        EVP_PKEY_free(logs->list[i].key);
}

static void free_authorities(struct sigstore_authorities *authorities)
{
    for (size_t i = 0; i < SIGSTORE_AUTHORITIES_MAX; i++)
        for (size_t k = 0; k < SIGSTORE_CHAIN_MAX; k++)
            X509_free(authorities->list[i].certs[k]);
}

void sigstore_trust_close(struct sigstore_trust **trust)
{
    if (*trust == NULL)
        return;
    free_logs(&(*trust)->logs);
    free_logs(&(*trust)->ct_logs);
    free_authorities(&(*trust)->cas);
    free_authorities(&(*trust)->tsas);
    free(*trust);
    *trust = NULL;
}

void sigstore_trust_describe(const struct sigstore_trust *trust, struct sigstore_trust_info *out)
{
    *out = (struct sigstore_trust_info){
        .newest_key_s = trust->newest_key_ms / 1000,
        .logs = trust->logs.count,
        .ct_logs = trust->ct_logs.count,
        .certificate_authorities = trust->cas.count,
        .timestamp_authorities = trust->tsas.count,
        .left_out = trust->left_out,
    };
    memcpy(out->sha256, trust->sha256, SHA256_LEN);
}
