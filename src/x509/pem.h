/* The text forms in which certificates and CRLs arrive, read strictly and without allocating.
 * Spec: DCAP facts 1.4 (type 5), 4.1, 4.5; RFC 7468 (strict). */
#ifndef X509_PEM_H
#define X509_PEM_H

#include "base/bytes.h"

enum {
    X509_CHAIN_COUNT_MAX = 8,    /* certificates in one chain */
    X509_CHAIN_DER_MAX = 16384,  /* their DER, together */
    X509_CHAIN_TEXT_MAX = 32768, /* the PEM text, or its percent-encoded form three times that */
};

/* A decoded chain, in the order of the text. The slices go into `bytes`: never copy the struct. */
struct x509_chain {
    struct slice der[X509_CHAIN_COUNT_MAX];
    size_t count;
    size_t used;
    uint8_t bytes[X509_CHAIN_DER_MAX];
};

/*
 * 1 to X509_CHAIN_COUNT_MAX "CERTIFICATE" blocks with lines of one length (at most 76), ended by
 * LF or CRLF, the last line end optional, then NULs only. Nothing before, between or after the
 * blocks. Codes: chain/size, chain/format, chain/count; out->count is 0 after a failure.
 */
bool x509_chain_from_pem(struct slice text, struct x509_chain *out, struct error *err) MUST_USE;

/* Percent-decoding of an issuer-chain header (RFC 3986: %XX only, '+' is a plus). Appends to out;
 * text without '%' passes unchanged. Code chain/encoding. */
bool x509_percent_decode(struct slice text, struct buf *out, struct error *err) MUST_USE;

/* A CRL as PCS, PCCS or a file gives it: DER, hex of DER, or PEM ("X509 CRL"); white space and NULs
 * behind the text forms are ignored. Appends the DER to out (out->max bounds it). The DER itself is
 * not looked into. Codes: crl/size, crl/format. */
bool x509_crl_decode(struct slice bytes, struct buf *out, struct error *err) MUST_USE;

#endif
