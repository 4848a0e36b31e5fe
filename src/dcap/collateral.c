/* Collateral as bytes: taken in, taken apart, written out. */
#include "dcap/collateral.h"

#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/json_reader.h"
#include "x509/p256.h"
#include "x509/pem.h"

enum part_form { FORM_PEM, FORM_CRL, FORM_DOCUMENT, FORM_SIGNATURE };

static const struct {
    const char *name;
    enum part_form form;
    size_t len_max; /* of what is kept */
} parts[COLLATERAL_PARTS] = {
    [COLLATERAL_PCK_CRL_ISSUER_CHAIN] = {"pck_crl_issuer_chain", FORM_PEM, COLLATERAL_CHAIN_MAX},
    [COLLATERAL_ROOT_CRL] = {"root_ca_crl", FORM_CRL, COLLATERAL_DOCUMENT_MAX},
    [COLLATERAL_PCK_CRL] = {"pck_crl", FORM_CRL, COLLATERAL_DOCUMENT_MAX},
    [COLLATERAL_TCB_INFO_ISSUER_CHAIN] = {"tcb_info_issuer_chain", FORM_PEM, COLLATERAL_CHAIN_MAX},
    [COLLATERAL_TCB_INFO] = {"tcb_info", FORM_DOCUMENT, COLLATERAL_DOCUMENT_MAX},
    [COLLATERAL_TCB_INFO_SIGNATURE] = {"tcb_info_signature", FORM_SIGNATURE, P256_SIGNATURE_LEN},
    [COLLATERAL_QE_IDENTITY_ISSUER_CHAIN] = {"qe_identity_issuer_chain", FORM_PEM,
                                             COLLATERAL_CHAIN_MAX},
    [COLLATERAL_QE_IDENTITY] = {"qe_identity", FORM_DOCUMENT, COLLATERAL_DOCUMENT_MAX},
    [COLLATERAL_QE_IDENTITY_SIGNATURE] = {"qe_identity_signature", FORM_SIGNATURE,
                                          P256_SIGNATURE_LEN},
    [COLLATERAL_PCK_CHAIN] = {"pck_certificate_chain", FORM_PEM, COLLATERAL_CHAIN_MAX},
};

void collateral_init(struct collateral *c)
{
    for (size_t i = 0; i < COLLATERAL_PARTS; i++)
        c->part[i] = BUF_INIT(parts[i].len_max);
}

void collateral_free(struct collateral *c)
{
    for (size_t i = 0; i < COLLATERAL_PARTS; i++)
        buf_free(&c->part[i]);
}

struct slice collateral_part(const struct collateral *c, enum collateral_part part)
{
    return buf_slice(&c->part[part]);
}

const char *collateral_part_name(enum collateral_part part)
{
    return parts[part].name;
}

bool collateral_copy(unsigned wanted, const struct collateral *from, struct collateral *into,
                     struct error *err)
{
    bool ok = true;
    for (size_t i = 0; i < COLLATERAL_PARTS; i++) {
        if ((wanted >> i & 1) == 0)
            continue;
        buf_reset(&into->part[i]);
        ok = buf_append(&into->part[i], buf_slice(&from->part[i])) && ok;
    }
    return ok ? true : error_set(err, "memory", NULL, "out of memory");
}

static bool too_large(enum collateral_part part, struct error *err)
{
    return error_set(err, "collateral/too-large", parts[part].name, "%s exceeds %zu bytes",
                     parts[part].name, parts[part].len_max);
}

static bool set_signature(struct buf *out, enum collateral_part part, struct slice text,
                          struct error *err)
{
    uint8_t signature[P256_SIGNATURE_LEN];
    if (!hex_decode(text, signature, sizeof signature))
        return error_set(err, "collateral/format", parts[part].name,
                         "%s is not 128 hexadecimal digits", parts[part].name);
    return buf_append(out, slice_of(signature, sizeof signature)) ? true : too_large(part, err);
}

static bool set_crl(struct buf *out, enum collateral_part part, struct slice text,
                    struct error *err)
{
    enum { DER_SEQUENCE = 0x30 };
    if (!x509_crl_decode(text, out, err))
        return error_prefix(err, "%s", parts[part].name);
    if (out->len == 0 || out->data[0] != DER_SEQUENCE)
        return error_set(err, "crl/format", parts[part].name, "%s is not a CRL", parts[part].name);
    return true;
}

bool collateral_set(struct collateral *c, enum collateral_part part, struct slice text,
                    struct error *err)
{
    struct buf *out = &c->part[part];
    bool ok;
    buf_free(out);
    *out = BUF_INIT(parts[part].len_max);
    if (parts[part].form == FORM_CRL)
        ok = set_crl(out, part, text, err);
    else if (parts[part].form == FORM_SIGNATURE)
        ok = set_signature(out, part, text, err);
    else
        ok = buf_append(out, text) ? true : too_large(part, err);
    if (!ok)
        buf_reset(out);
    return ok;
}

/* What a reply is made of; slices into the body. */
struct reply {
    const char *document_name;
    struct slice document;
    uint8_t signature[P256_SIGNATURE_LEN];
};

static bool read_span(struct json_reader *r, void *span, size_t size)
{
    (void)size;
    return json_reader_skip(r, span);
}

bool collateral_set_reply(struct collateral *c, enum collateral_part part, struct slice body,
                          struct error *err)
{
    const char *name = part == COLLATERAL_TCB_INFO ? "tcbInfo" : "enclaveIdentity";
    const struct json_field fields[] = {
        JSON_FIELD(struct reply, document, name, read_span),
        JSON_FIELD(struct reply, signature, "signature", json_field_hex),
    };
    struct reply reply = {0};
    struct json_reader r;
    json_reader_open(&r, body);
    if (!json_reader_fields(&r, fields, 2, &reply, NULL) || !json_reader_finish(&r))
        return json_reader_error(&r, "collateral/format", "reply", err);
    struct buf *signature = &c->part[part + 1];
    buf_reset(signature);
    if (!buf_append(signature, slice_of(reply.signature, sizeof reply.signature)))
        return too_large(part + 1, err);
    return collateral_set(c, part, reply.document, err);
}

static bool read_part(struct json_reader *r, struct collateral *out, enum collateral_part part,
                      struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(2 * parts[part].len_max + COLLATERAL_CHAIN_MAX);
    if (!json_reader_string(r, &text))
        return json_reader_error(r, "collateral/format", "collateral", err);
    return collateral_set(out, part, buf_slice(&text), err);
}

static bool read_member(struct json_reader *r, struct collateral *out, struct error *err)
{
    for (size_t i = 0; i < COLLATERAL_PARTS; i++)
        if (json_reader_name_is(r, parts[i].name))
            return read_part(r, out, (enum collateral_part)i, err);
    return json_reader_skip(r, NULL) ? true
                                     : json_reader_error(r, "collateral/format", "collateral", err);
}

static bool read_object(struct slice json, struct collateral *out, struct error *err)
{
    struct json_reader r;
    if (json.len > COLLATERAL_FILE_MAX)
        return error_set(err, "collateral/too-large", NULL, "the collateral exceeds %d bytes",
                         COLLATERAL_FILE_MAX);
    json_reader_open(&r, json);
    json_reader_object(&r);
    while (json_reader_more(&r))
        if (!read_member(&r, out, err))
            return false;
    return json_reader_finish(&r) ? true
                                  : json_reader_error(&r, "collateral/format", "collateral", err);
}

bool collateral_read(struct slice json, struct collateral *out, struct error *err)
{
    collateral_init(out);
    if (read_object(json, out, err))
        return true;
    collateral_free(out);
    collateral_init(out);
    return false;
}

static void write_part(const struct collateral *c, enum collateral_part part, struct buf *out)
{
    struct slice bytes = buf_slice(&c->part[part]);
    buf_printf(out, "\"%s\": ", parts[part].name);
    if (parts[part].form == FORM_PEM || parts[part].form == FORM_DOCUMENT) {
        json_append_string(out, bytes);
        return;
    }
    buf_append_byte(out, '"');
    hex_append(out, bytes);
    buf_append_byte(out, '"');
}

bool collateral_write_parts(const struct collateral *c, unsigned wanted, struct buf *out,
                            struct error *err)
{
    const char *before = "\n ";
    buf_append_byte(out, '{');
    for (size_t i = 0; i < COLLATERAL_PARTS; i++) {
        if ((wanted >> i & 1) == 0)
            continue;
        buf_append_str(out, before);
        write_part(c, (enum collateral_part)i, out);
        before = ",\n ";
    }
    buf_append_str(out, "\n}\n");
    return !out->failed ? true
                        : error_set(err, "collateral/too-large", NULL,
                                    "the collateral exceeds %zu bytes", out->max);
}

bool collateral_write(const struct collateral *c, struct buf *out, struct error *err)
{
    unsigned all = COLLATERAL_ALL_PARTS;
    if (c->part[COLLATERAL_PCK_CHAIN].len == 0)
        all &= ~(1u << COLLATERAL_PCK_CHAIN);
    return collateral_write_parts(c, all, out, err);
}
