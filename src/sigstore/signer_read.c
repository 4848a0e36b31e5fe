/* Subject alternative name and Fulcio's extensions of a certificate. Spec: Sigstore facts 12. */
#include "sigstore/signer_read.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "sigstore/openssl_auto.h"

static const char CODE[] = "sigstore/identity";

/* 1.3.6.1.4.1.57264.1, and the arcs below it that we read. */
static const uint8_t FULCIO[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01};
enum {
    ARC_ISSUER = 1,
    ARC_TRIGGER = 2,
    ARC_SHA = 3,
    ARC_NAME = 4,
    ARC_REPOSITORY = 5,
    ARC_REF = 6,
    ARC_USERNAME = 7,
    ARC_ISSUER_DER = 8,
    ARC_REPOSITORY_URI_DER = 12,
    ARC_SHA_DER = 13,
    ARC_REF_DER = 14,
    ARC_TRIGGER_DER = 20,
    ARCS = 128, /* those of one byte */
    OID_TEXT_MAX = 80,
};

/* The last arc of one of Fulcio's own identifiers, -1 for others. */
static int fulcio_arc(const ASN1_OBJECT *id)
{
    struct slice oid = slice_of(OBJ_get0_data(id), OBJ_length(id));
    if (oid.len != sizeof FULCIO + 1 ||
        !slice_equal(slice_cut(oid, 0, sizeof FULCIO), slice_of(FULCIO, sizeof FULCIO)) ||
        oid.data[sizeof FULCIO] >= ARCS)
        return -1;
    return oid.data[sizeof FULCIO];
}

static struct slice string_bytes(const ASN1_STRING *s)
{
    int len = ASN1_STRING_length(s);
    return slice_of(ASN1_STRING_get0_data(s), len > 0 ? (size_t)len : 0);
}

/* Keeps text that is short and printable. */
static bool keep_text(struct slice text, const char *field, char out[SIGSTORE_TEXT_MAX],
                      struct error *err)
{
    if (text.len == 0 || text.len >= SIGSTORE_TEXT_MAX)
        return error_set(err, CODE, field, "%s has %zu bytes, allowed are 1 to %d", field, text.len,
                         SIGSTORE_TEXT_MAX - 1);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return error_set(err, CODE, field, "%s has a control character", field);
    memcpy(out, text.data, text.len);
    out[text.len] = 0;
    return true;
}

/* Values of Fulcio's extensions by their last arc. No extension of any kind is there twice: readers
 * would differ in which of them counts. */
static bool take_extensions(const X509 *leaf, struct slice values[ARCS], struct error *err)
{
    for (int i = 0; i < X509_get_ext_count(leaf); i++) {
        X509_EXTENSION *extension = X509_get_ext(leaf, i);
        const ASN1_OBJECT *id = X509_EXTENSION_get_object(extension);
        int arc = fulcio_arc(id);
        if (X509_get_ext_by_OBJ(leaf, id, i) >= 0) {
            char name[OID_TEXT_MAX] = "";
            OBJ_obj2txt(name, sizeof name, id, 1);
            return error_set(err, CODE, "extensions", "the certificate has extension %s twice",
                             name);
        }
        if (arc >= 0)
            values[arc] = string_bytes(X509_EXTENSION_get_data(extension));
    }
    return true;
}

static bool read_raw(const struct slice values[ARCS], int arc, const char *field,
                     char out[SIGSTORE_TEXT_MAX], struct error *err)
{
    return values[arc].data == NULL || keep_text(values[arc], field, out, err);
}

/* A UTF8String and nothing behind it. */
static bool read_der(struct slice value, const char *field, char out[SIGSTORE_TEXT_MAX],
                     struct error *err)
{
    const unsigned char *at = value.data;
    AUTO(utf8) ASN1_UTF8STRING *text = d2i_ASN1_UTF8STRING(NULL, &at, (long)value.len);
    ERR_clear_error();
    if (text == NULL || at != &value.data[value.len])
        return error_set(err, CODE, field, "the DER form of the %s is malformed", field);
    return keep_text(string_bytes(text), field, out, err);
}

/* Where both forms are there they agree; `is_suffix`: the new one ends in '/' and the old one. */
static bool check_der(const struct slice values[ARCS], int arc, bool is_suffix, const char *field,
                      const char *raw, struct error *err)
{
    char text[SIGSTORE_TEXT_MAX];
    if (values[arc].data == NULL || raw[0] == 0)
        return true;
    if (!read_der(values[arc], field, text, err))
        return false;
    size_t len = strlen(text), raw_len = strlen(raw);
    bool same = is_suffix ? len > raw_len && text[len - raw_len - 1] == '/' &&
                                strcmp(&text[len - raw_len], raw) == 0
                          : strcmp(text, raw) == 0;
    return same || error_set(err, CODE, field,
                             "the certificate contradicts itself: its %s is '%s' and '%s'", field,
                             raw, text);
}

static bool read_claims(const struct slice values[ARCS], struct sigstore_signer *out,
                        struct error *err)
{
    static const struct {
        int arc, der_arc; /* 0 = there is no new form */
    } arcs[SIGSTORE_CLAIMS] = {
        [SIGSTORE_WORKFLOW_TRIGGER] = {ARC_TRIGGER, ARC_TRIGGER_DER},
        [SIGSTORE_WORKFLOW_SHA] = {ARC_SHA, ARC_SHA_DER},
        [SIGSTORE_WORKFLOW_NAME] = {ARC_NAME, 0},
        [SIGSTORE_WORKFLOW_REPOSITORY] = {ARC_REPOSITORY, ARC_REPOSITORY_URI_DER},
        [SIGSTORE_WORKFLOW_REF] = {ARC_REF, ARC_REF_DER},
    };
    for (unsigned c = 0; c < SIGSTORE_CLAIMS; c++) {
        const char *field = sigstore_claim_name(c);
        if (!read_raw(values, arcs[c].arc, field, out->claims[c], err) ||
            (arcs[c].der_arc != 0 &&
             !check_der(values, arcs[c].der_arc, c == SIGSTORE_WORKFLOW_REPOSITORY, field,
                        out->claims[c], err)))
            return false;
    }
    return true;
}

/* A user name of an identity provider: otherName 1.3.6.1.4.1.57264.1.7. */
static const ASN1_STRING *username(const OTHERNAME *other)
{
    bool is_username =
        fulcio_arc(other->type_id) == ARC_USERNAME && other->value->type == V_ASN1_UTF8STRING;
    return is_username ? other->value->value.utf8string : NULL;
}

static bool read_subject(const X509 *leaf, char out[SIGSTORE_TEXT_MAX], struct error *err)
{
    int critical = 0;
    AUTO(names)
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, &critical, NULL);
    ERR_clear_error();
    if (names == NULL || sk_GENERAL_NAME_num(names) != 1)
        return error_set(err, CODE, "subject",
                         "the certificate must have exactly one subject alternative name");
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
    const ASN1_STRING *text = NULL;
    if (name->type == GEN_URI)
        text = name->d.uniformResourceIdentifier;
    else if (name->type == GEN_EMAIL)
        text = name->d.rfc822Name;
    else if (name->type == GEN_OTHERNAME)
        text = username(name->d.otherName);
    if (text == NULL)
        return error_set(err, CODE, "subject",
                         "the subject alternative name is no URI, e-mail address or user name");
    return keep_text(string_bytes(text), "subject", out, err);
}

bool sigstore_signer_read(const X509 *leaf, struct sigstore_signer *out, struct error *err)
{
    struct slice values[ARCS] = {0};
    struct sigstore_signer signer = {0};
    if (!take_extensions(leaf, values, err) || !read_subject(leaf, signer.subject, err) ||
        !read_raw(values, ARC_ISSUER, "issuer", signer.issuer, err) ||
        !check_der(values, ARC_ISSUER_DER, false, "issuer", signer.issuer, err) ||
        !read_claims(values, &signer, err))
        return false;
    *out = signer;
    return true;
}
