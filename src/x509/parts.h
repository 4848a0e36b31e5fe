/* What certificates and CRLs have in common. Internal to this room. Spec: RFC 5280, 4.1, 4.2, 5.1.
 */
#ifndef X509_PARTS_H
#define X509_PARTS_H

#include "x509/der.h"
#include "x509/x509.h"

/* The error codes of the document being read: "cert/..." or "crl/...". */
struct x509_codes {
    const char *size, *format, *algorithm, *name, *time, *extension, *critical;
};

/* The outer SEQUENCE { tbs, algorithm, signature } of a document of at most len_max bytes that ends
 * where its bytes end. tbs includes tag and length. */
bool x509_read_signed(struct slice der, size_t len_max, const struct x509_codes *codes,
                      struct slice *tbs, uint8_t signature[P256_SIGNATURE_LEN],
                      struct error *err) MUST_USE;

/* The AlgorithmIdentifier must be ecdsa-with-SHA256 without parameters. */
bool x509_read_algorithm(struct reader *r, const struct x509_codes *codes, const char *field,
                         struct error *err) MUST_USE;
bool x509_read_name(struct reader *r, const struct x509_codes *codes, const char *field,
                    struct x509_name *out, struct error *err) MUST_USE;
bool x509_read_time(struct reader *r, const struct x509_codes *codes, const char *field,
                    int64_t *out, struct error *err) MUST_USE;

/* An extension that its document understands. `read` takes the DER inside extnValue into `out`; a
 * reader left failed or not at its end means a malformed value. */
struct x509_extension_rule {
    struct slice oid; /* contents, without tag and length */
    const char *name;
    void (*read)(struct reader *value, void *out);
};

/* SEQUENCE OF Extension: each OID at most once, understood ones by their rule, others skipped
 * unless critical. */
bool x509_read_extensions(struct reader *list, const struct x509_codes *codes,
                          const struct x509_extension_rule *rules, size_t rule_count, void *out,
                          struct error *err) MUST_USE;

/* AuthorityKeyIdentifier: the keyIdentifier, empty when there is none. Issuer and serial in it are
 * not looked into. */
struct slice x509_read_authority_key_id(struct reader *value);

#endif
