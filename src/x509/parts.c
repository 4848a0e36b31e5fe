/* Names, times, algorithms, signatures and extension lists of certificates and CRLs. Spec: RFC
 * 5280, 4.1 (fields), 4.2 (extensions); RFC 5758, 3.2 (ecdsa-with-SHA256). */
#include "x509/parts.h"

#include <string.h>

#include "base/utf8.h"

/* SEQUENCE { OID 1.2.840.10045.4.3.2 }, parameters absent. */
static const uint8_t ECDSA_SHA256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                       0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t OID_COMMON_NAME[] = {0x55, 0x04, 0x03};

/* An INTEGER of at most 32 bytes, right-aligned. */
static void read_scalar(struct reader *r, uint8_t out[32])
{
    struct slice digits = der_unsigned(r, 32);
    memset(out, 0, 32 - digits.len);
    if (digits.len > 0)
        memcpy(out + (32 - digits.len), digits.data, digits.len);
}

static bool read_signature(struct reader *r, uint8_t out[P256_SIGNATURE_LEN])
{
    struct reader bits = reader_of(der_bit_octets(r));
    struct reader pair = der_enter(&bits, DER_SEQUENCE);
    read_scalar(&pair, out);
    read_scalar(&pair, out + 32);
    return reader_at_end(&pair) && reader_at_end(&bits) && !r->failed;
}

bool x509_read_signed(struct slice der, size_t len_max, const struct x509_codes *codes,
                      struct slice *tbs, uint8_t signature[P256_SIGNATURE_LEN], struct error *err)
{
    if (der.len > len_max)
        return error_set(err, codes->size, NULL, "%zu bytes, the ceiling is %zu", der.len, len_max);
    struct reader r = reader_of(der);
    struct reader whole = der_enter(&r, DER_SEQUENCE);
    if (!reader_at_end(&r))
        return error_set(err, codes->format, NULL,
                         "%zu bytes are not one whole DER SEQUENCE and nothing else", der.len);
    *tbs = der_whole(&whole, DER_SEQUENCE);
    if (whole.failed)
        return error_set(err, codes->format, "tbs", "the signed part is not a DER SEQUENCE");
    if (!x509_read_algorithm(&whole, codes, "signatureAlgorithm", err))
        return false;
    if (!read_signature(&whole, signature) || !reader_at_end(&whole))
        return error_set(err, codes->format, "signatureValue",
                         "the signature is not two DER integers of 256 bits, or is followed by "
                         "something");
    return true;
}

bool x509_read_algorithm(struct reader *r, const struct x509_codes *codes, const char *field,
                         struct error *err)
{
    struct slice found = der_whole(r, DER_SEQUENCE);
    return slice_equal(found, slice_of(ECDSA_SHA256, sizeof ECDSA_SHA256)) ||
           error_set(err, codes->algorithm, field, "the algorithm is not ecdsa-with-SHA256");
}

/* Well formed and without U+0000, which shortens a name for whoever prints it. */
static bool is_utf8(struct slice text)
{
    size_t step = 1;
    for (; text.len > 0 && step > 0; text = slice_cut(text, step, text.len))
        step = text.data[0] != 0 ? utf8_decode(text.data, text.len, NULL) : 0;
    return step > 0;
}

static bool is_printable_string(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  (c != 0 && strchr(" '()+,-./:=?", c) != NULL);
        if (!ok)
            return false;
    }
    return true;
}

static bool is_text(unsigned tag, struct slice text)
{
    if (tag == DER_UTF8_STRING)
        return is_utf8(text);
    return tag != DER_PRINTABLE_STRING || is_printable_string(text);
}

static bool read_attribute(struct reader *set, struct x509_name *out)
{
    struct reader pair = der_enter(set, DER_SEQUENCE);
    struct slice oid = der_value(&pair, DER_OID);
    unsigned tag;
    struct slice text = der_any(&pair, &tag);
    if (!reader_at_end(&pair) || oid.len == 0 || !is_text(tag, text))
        return false;
    if (!slice_equal(oid, slice_of(OID_COMMON_NAME, sizeof OID_COMMON_NAME)))
        return true;
    bool readable = tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING;
    if (!readable || text.len == 0 || out->cn.len > 0)
        return false;
    out->cn = text;
    return true;
}

bool x509_read_name(struct reader *r, const struct x509_codes *codes, const char *field,
                    struct x509_name *out, struct error *err)
{
    *out = (struct x509_name){.der = der_whole(r, DER_SEQUENCE)};
    struct reader whole = reader_of(out->der);
    struct reader parts = der_enter(&whole, DER_SEQUENCE);
    bool ok = !parts.failed;
    for (unsigned count = 0; ok && parts.rest.len > 0; count++) {
        struct reader set = der_enter(&parts, DER_SET);
        ok = count < X509_NAME_PARTS_MAX && read_attribute(&set, out) && reader_at_end(&set);
    }
    return ok || error_set(err, codes->name, field,
                           "malformed name (one attribute per part, at most %d parts, at most one "
                           "common name)",
                           X509_NAME_PARTS_MAX);
}

bool x509_read_time(struct reader *r, const struct x509_codes *codes, const char *field,
                    int64_t *out, struct error *err)
{
    *out = der_time(r);
    return !r->failed || error_set(err, codes->time, field,
                                   "not a UTCTime or GeneralizedTime with seconds and Z, from 1970 "
                                   "on");
}

struct extension {
    struct slice oid;
    bool critical;
    struct slice value;
};

static bool read_extension(struct reader *list, struct extension *out)
{
    struct reader r = der_enter(list, DER_SEQUENCE);
    out->oid = der_value(&r, DER_OID);
    out->critical = false;
    if (der_next_is(&r, DER_BOOLEAN)) {
        out->critical = der_boolean(&r);
        if (!out->critical) /* DER leaves a DEFAULT out */
            return false;
    }
    out->value = der_value(&r, DER_OCTET_STRING);
    return reader_at_end(&r) && out->oid.len > 0;
}

static const struct x509_extension_rule *find_rule(const struct x509_extension_rule *rules,
                                                   size_t count, struct slice oid)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(rules[i].oid, oid))
            return &rules[i];
    return NULL;
}

static bool take_extension(const struct extension *e, const struct x509_codes *codes,
                           const struct x509_extension_rule *rule, void *out, struct error *err)
{
    if (rule == NULL)
        return !e->critical || error_set(err, codes->critical, "extensions",
                                         "a critical extension that is not understood");
    struct reader value = reader_of(e->value);
    rule->read(&value, out);
    return reader_at_end(&value) ||
           error_set(err, codes->extension, rule->name, "malformed %s extension", rule->name);
}

bool x509_read_extensions(struct reader *list, const struct x509_codes *codes,
                          const struct x509_extension_rule *rules, size_t rule_count, void *out,
                          struct error *err)
{
    struct slice seen[X509_EXTENSIONS_MAX];
    size_t count = 0;
    while (list->rest.len > 0) {
        struct extension e;
        if (count == X509_EXTENSIONS_MAX || !read_extension(list, &e))
            return error_set(err, codes->extension, "extensions",
                             "extension %zu is malformed or beyond the ceiling of %d", count + 1,
                             X509_EXTENSIONS_MAX);
        const struct x509_extension_rule *rule = find_rule(rules, rule_count, e.oid);
        for (size_t i = 0; i < count; i++)
            if (slice_equal(seen[i], e.oid))
                return error_set(err, codes->extension, rule != NULL ? rule->name : "extensions",
                                 "the same extension twice");
        seen[count++] = e.oid;
        if (!take_extension(&e, codes, rule, out, err))
            return false;
    }
    return true;
}

struct slice x509_read_authority_key_id(struct reader *value)
{
    struct reader parts = der_enter(value, DER_SEQUENCE);
    struct slice key_id = slice_of(NULL, 0);
    if (der_next_is(&parts, DER_CONTEXT(0)))
        key_id = der_value(&parts, DER_CONTEXT(0));
    if (der_next_is(&parts, DER_CONTEXT_CONS(1)))
        (void)der_value(&parts, DER_CONTEXT_CONS(1));
    if (der_next_is(&parts, DER_CONTEXT(2)))
        (void)der_value(&parts, DER_CONTEXT(2));
    if (!reader_at_end(&parts))
        value->failed = true;
    return key_id;
}
