/* Chains in PEM, CRLs in DER, hex or PEM, percent-encoded headers. Spec: RFC 7468 (the strict
 * grammar), DCAP facts 1.4, 4.1 and 4.5. */
#include "x509/pem.h"

#include <string.h>

#include "base/codec.h"
#include "x509/x509.h"

/* 64 by RFC 7468; chains in quotes of 2019 and 2020 have lines of 76. */
enum { LINE_CHARS_MAX = 76 };

/* The rest of the text without its next line; *line is that line without LF or CRLF. False at the
 * end. Only the last line may lack its line end. */
static bool next_line(struct slice *text, struct slice *line)
{
    if (text->len == 0)
        return false;
    const uint8_t *end = memchr(text->data, '\n', text->len);
    size_t len = end != NULL ? (size_t)(end - text->data) : text->len;
    *line = slice_cut(*text, 0, len);
    *text = slice_cut(*text, len + 1, text->len);
    if (end != NULL && len > 0 && line->data[len - 1] == '\r')
        line->len--;
    return true;
}

static bool next_line_is(struct slice *text, const char *wanted)
{
    struct slice line;
    return next_line(text, &line) && slice_equal_str(line, wanted);
}

/* How many bytes a base64 line stands for; 0 when its length is impossible. */
static size_t line_bytes(struct slice line)
{
    if (line.len == 0 || line.len % 4 != 0 || line.len > LINE_CHARS_MAX)
        return 0;
    size_t padding =
        (size_t)(line.data[line.len - 1] == '=') + (size_t)(line.data[line.len - 2] == '=');
    return line.len / 4 * 3 - padding;
}

enum pem_result { PEM_OK, PEM_MALFORMED, PEM_TOO_LONG };

/* One block; *text moves behind it. The DER goes to out[0..max). All lines are as long as the first
 * but the last, which may be shorter. */
static enum pem_result read_block(struct slice *text, const char *begin, const char *end,
                                  uint8_t *out, size_t max, size_t *out_len)
{
    if (!next_line_is(text, begin))
        return PEM_MALFORMED;
    struct slice line;
    size_t used = 0, full_line = SIZE_MAX, left = SIZE_MAX;
    while (next_line(text, &line)) {
        if (used > 0 && slice_equal_str(line, end)) {
            *out_len = used;
            return PEM_OK;
        }
        size_t len = line_bytes(line);
        if (len > max - used)
            return PEM_TOO_LONG;
        if (len == 0 || len > left || !base64_decode_public(line, &out[used], len))
            return PEM_MALFORMED;
        full_line = used == 0 ? len : full_line;
        left = len < full_line || len % 3 != 0 ? 0 : full_line; /* padding ends it too */
        used += len;
    }
    return PEM_MALFORMED;
}

static struct slice without_trailing(struct slice text, const char *set, size_t set_len)
{
    while (text.len > 0 && memchr(set, text.data[text.len - 1], set_len) != NULL)
        text.len--;
    return text;
}

static bool read_certificate(struct slice *text, struct x509_chain *out, struct error *err)
{
    if (out->count == X509_CHAIN_COUNT_MAX)
        return error_set(err, "chain/count", NULL, "more than %d certificates",
                         X509_CHAIN_COUNT_MAX);
    size_t len;
    switch (read_block(text, "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----",
                       &out->bytes[out->used], sizeof out->bytes - out->used, &len)) {
    case PEM_OK:
        break;
    case PEM_TOO_LONG:
        return error_set(err, "chain/size", NULL, "more than %d bytes of certificates",
                         X509_CHAIN_DER_MAX);
    case PEM_MALFORMED:
        return error_set(err, "chain/format", NULL, "PEM block %zu is malformed", out->count + 1);
    }
    out->der[out->count++] = slice_of(&out->bytes[out->used], len);
    out->used += len;
    return true;
}

bool x509_chain_from_pem(struct slice text, struct x509_chain *out, struct error *err)
{
    out->count = 0;
    out->used = 0;
    if (text.len > X509_CHAIN_TEXT_MAX)
        return error_set(err, "chain/size", NULL, "%zu bytes of PEM text, the ceiling is %d",
                         text.len, X509_CHAIN_TEXT_MAX);
    text = without_trailing(text, "", 1);
    if (text.len == 0)
        return error_set(err, "chain/count", NULL, "no certificate");
    while (text.len > 0)
        if (!read_certificate(&text, out, err)) {
            out->count = 0;
            return false;
        }
    return true;
}

bool x509_percent_decode(struct slice text, struct buf *out, struct error *err)
{
    size_t start = out->len;
    struct reader r = reader_of(text);
    bool ok = true;
    while (ok && r.rest.len > 0) {
        uint8_t byte = reader_u8(&r);
        if (byte == '%')
            ok = hex_decode(reader_take(&r, 2), &byte, 1);
        ok = ok && buf_append_byte(out, byte);
    }
    if (ok)
        return true;
    out->len = start;
    return error_set(err, "chain/encoding", NULL,
                     "the percent-encoding is malformed or too long when decoded");
}

static bool append_crl_pem(struct slice text, struct buf *out, struct error *err)
{
    size_t start = out->len, room = out->max - out->len;
    size_t most = text.len / 4 * 3; /* that the text can stand for */
    size_t max = most < room ? most : room;
    size_t len = 0;
    uint8_t *at = buf_extend(out, max);
    if (at == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    enum pem_result result =
        read_block(&text, "-----BEGIN X509 CRL-----", "-----END X509 CRL-----", at, max, &len);
    out->len = start;
    if (result == PEM_TOO_LONG)
        return error_set(err, "crl/size", NULL, "the CRL has more than %zu bytes", room);
    if (result == PEM_MALFORMED || text.len > 0)
        return error_set(err, "crl/format", NULL, "the PEM of the CRL is malformed");
    out->len += len;
    return true;
}

bool x509_crl_decode(struct slice bytes, struct buf *out, struct error *err)
{
    if (bytes.len > 2 * X509_CRL_LEN_MAX)
        return error_set(err, "crl/size", NULL, "%zu bytes are too long for a CRL", bytes.len);
    if (bytes.len > 0 &&
        bytes.data[0] == 0x30) /* a DER SEQUENCE; hex of it starts with '3', PEM with '-' */
        return buf_append(out, bytes) ||
               error_set(err, "crl/size", NULL, "a CRL of %zu bytes is too long", bytes.len);
    struct slice text = without_trailing(bytes, " \t\r\n", 5);
    if (text.len == 0)
        return error_set(err, "crl/format", NULL, "the CRL is empty");
    if (text.data[0] == '-')
        return append_crl_pem(text, out, err);
    if (text.len / 2 > out->max - out->len)
        return error_set(err, "crl/size", NULL, "a CRL of %zu bytes is too long", text.len / 2);
    return hex_decode_append(text, out) ||
           error_set(err, "crl/format", NULL, "neither DER, hex of DER nor PEM");
}

/* The chain's text form is longer than its DER by more than a third. */
_Static_assert(X509_CHAIN_TEXT_MAX > X509_CHAIN_DER_MAX / 3 * 4, "a full chain fits its text");
_Static_assert((int)X509_CHAIN_DER_MAX >= (int)X509_CERT_LEN_MAX, "one certificate fits a chain");
