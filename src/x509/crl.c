/* Certificate revocation lists. Spec: RFC 5280, 5.1 to 5.3; DCAP facts 4.5. */
#include "x509/parts.h"

#include <string.h>

static const struct x509_codes CODES = {
    .size = "crl/size",
    .format = "crl/format",
    .algorithm = "crl/algorithm",
    .name = "crl/name",
    .time = "crl/time",
    .extension = "crl/extension",
    .critical = "crl/critical",
};

static void read_authority_key_id(struct reader *value, void *out)
{
    struct x509_crl *crl = out;
    crl->has_authority_key_id = true;
    crl->authority_key_id = x509_read_authority_key_id(value);
}

static void read_number(struct reader *value, void *out)
{
    struct x509_crl *crl = out;
    crl->number = der_unsigned(value, X509_SERIAL_LEN_MAX);
}

static const uint8_t OID_AUTHORITY_KEY_ID[] = {0x55, 0x1d, 0x23};
static const uint8_t OID_CRL_NUMBER[] = {0x55, 0x1d, 0x14};

static const struct x509_extension_rule RULES[] = {
    {{OID_AUTHORITY_KEY_ID, sizeof OID_AUTHORITY_KEY_ID},
     "authorityKeyIdentifier",
     read_authority_key_id},
    {{OID_CRL_NUMBER, sizeof OID_CRL_NUMBER}, "cRLNumber", read_number},
};

/* One revoked certificate; `extensions` is left for whoever wants it. */
static void read_entry(struct reader *list, struct x509_crl_entry *out, struct reader *extensions)
{
    struct reader r = der_enter(list, DER_SEQUENCE);
    out->serial = der_unsigned(&r, X509_SERIAL_LEN_MAX);
    out->revoked_at_s = der_time(&r);
    *extensions = reader_of(slice_of(NULL, 0));
    if (der_next_is(&r, DER_SEQUENCE))
        *extensions = der_enter(&r, DER_SEQUENCE);
    if (!reader_at_end(&r))
        list->failed = true;
}

static bool check_entries(struct x509_crl *crl, struct error *err)
{
    struct reader list = reader_of(crl->revoked);
    while (list.rest.len > 0) {
        struct x509_crl_entry entry;
        struct reader extensions;
        read_entry(&list, &entry, &extensions);
        if (list.failed)
            return error_set(err, CODES.format, "revokedCertificates", "entry %zu is malformed",
                             crl->revoked_count + 1);
        /* reasonCode and the like inform; a critical one (an indirect CRL's issuer) would change
         * what the entry means. */
        if (!x509_read_extensions(&extensions, &CODES, NULL, 0, NULL, err))
            return false;
        crl->revoked_count++;
    }
    return true;
}

static bool read_dates(struct reader *tbs, struct x509_crl *crl, struct error *err)
{
    if (!x509_read_time(tbs, &CODES, "thisUpdate", &crl->this_update_s, err))
        return false;
    if (!der_next_is(tbs, DER_UTC_TIME) && !der_next_is(tbs, DER_GENERALIZED_TIME))
        return error_set(err, CODES.time, "nextUpdate", "the CRL has no nextUpdate");
    return x509_read_time(tbs, &CODES, "nextUpdate", &crl->next_update_s, err);
}

static bool read_extensions(struct reader *tbs, struct x509_crl *crl, struct error *err)
{
    struct reader wrapped = der_enter(tbs, DER_CONTEXT_CONS(0));
    struct reader list = der_enter(&wrapped, DER_SEQUENCE);
    if (!reader_at_end(&wrapped) || list.failed || !reader_at_end(tbs))
        return error_set(err, CODES.extension, "crlExtensions",
                         "the CRL does not end with its extensions");
    if (!x509_read_extensions(&list, &CODES, RULES, sizeof RULES / sizeof RULES[0], crl, err))
        return false;
    if (crl->number.len == 0)
        return error_set(err, CODES.extension, "cRLNumber", "the CRL has no number");
    return crl->has_authority_key_id || error_set(err, CODES.extension, "authorityKeyIdentifier",
                                                  "the CRL does not identify its issuer's key");
}

static bool read_tbs(struct x509_crl *crl, struct error *err)
{
    struct reader whole = reader_of(crl->tbs);
    struct reader tbs = der_enter(&whole, DER_SEQUENCE);
    if (der_small(&tbs, DER_INTEGER, 1) != 1)
        return error_set(err, CODES.format, "version", "not a version 2 CRL");
    if (!x509_read_algorithm(&tbs, &CODES, "signature", err) ||
        !x509_read_name(&tbs, &CODES, "issuer", &crl->issuer, err) || !read_dates(&tbs, crl, err))
        return false;
    if (der_next_is(&tbs, DER_SEQUENCE))
        crl->revoked = der_value(&tbs, DER_SEQUENCE);
    return check_entries(crl, err) && read_extensions(&tbs, crl, err);
}

bool x509_crl_parse(struct slice der, struct x509_crl *out, struct error *err)
{
    struct x509_crl crl = {.der = der};
    if (!x509_read_signed(der, X509_CRL_LEN_MAX, &CODES, &crl.tbs, crl.signature, err) ||
        !read_tbs(&crl, err))
        return false;
    *out = crl;
    return true;
}

struct reader x509_crl_entries(const struct x509_crl *crl)
{
    return reader_of(crl->revoked);
}

bool x509_crl_next(struct reader *at, struct x509_crl_entry *out)
{
    if (at->failed || at->rest.len == 0)
        return false;
    struct reader extensions;
    read_entry(at, out, &extensions);
    return !at->failed;
}

bool x509_crl_revokes(const struct x509_crl *crl, struct slice serial)
{
    struct reader list = x509_crl_entries(crl);
    while (list.rest.len > 0) {
        struct reader entry = der_enter(&list, DER_SEQUENCE);
        if (slice_equal(der_unsigned(&entry, X509_SERIAL_LEN_MAX), serial))
            return true;
    }
    return false;
}

bool x509_crl_verify(const struct x509_crl *crl, const struct p256_key *issuer_key,
                     struct error *err)
{
    return p256_key_verify(issuer_key, crl->tbs, crl->signature, err);
}
