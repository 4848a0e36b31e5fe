/* Certificates and CRLs as DCAP needs them: a bounded DER reader that allocates nothing and knows
 * ECDSA P-256 with SHA-256 only. Parsing proves syntax, never trust: names, dates, roles and
 * signatures are checked by whoever builds the chain. Spec: DCAP facts 3 and 4.5, RFC 5280. */
#ifndef X509_X509_H
#define X509_X509_H

#include "base/bytes.h"
#include "x509/p256.h"

/* Ceilings. */
enum {
    X509_CERT_LEN_MAX = 8192,   /* one certificate, DER */
    X509_CRL_LEN_MAX = 1048576, /* one CRL, DER */
    X509_EXTENSIONS_MAX = 32,   /* in one certificate or CRL */
    X509_NAME_PARTS_MAX = 16,   /* in one distinguished name */
    X509_SERIAL_LEN_MAX = 20,   /* magnitude, bytes (RFC 5280, 4.1.2.2) */
};

/* A distinguished name: compare names by their raw DER. */
struct x509_name {
    struct slice der; /* the whole Name TLV */
    struct slice cn;  /* the only common name, its characters; empty when there is none */
};

/* Bits of key_usage, numbered as in RFC 5280. */
enum x509_key_usage {
    X509_USE_DIGITAL_SIGNATURE = 1 << 0,
    X509_USE_NON_REPUDIATION = 1 << 1,
    X509_USE_KEY_CERT_SIGN = 1 << 5,
    X509_USE_CRL_SIGN = 1 << 6,
};

/* A parsed certificate. Slices and pointers go into the DER given to x509_cert_parse(). */
struct x509_cert {
    struct slice der;    /* the whole certificate */
    struct slice tbs;    /* the signed part, tag and length included */
    struct slice serial; /* magnitude of a positive integer, big-endian, no leading zero */
    struct x509_name issuer;
    struct x509_name subject;
    int64_t not_before_s;
    int64_t not_after_s;
    const uint8_t *public_key;             /* [64] x || y; not yet known to be on the curve */
    uint8_t signature[P256_SIGNATURE_LEN]; /* r || s */
    bool has_basic_constraints;
    bool is_ca;
    int path_len; /* -1: no limit */
    bool has_key_usage;
    uint16_t key_usage; /* enum x509_key_usage */
    bool has_authority_key_id;
    bool has_subject_key_id;
    bool has_crl_distribution_points;
    struct slice authority_key_id; /* the keyIdentifier inside, empty when there is none */
    struct slice subject_key_id;
    struct slice sgx_extension; /* value of 1.2.840.113741.1.13.1, empty when absent */
};

/*
 * One certificate and nothing behind it: version 3, definite minimal lengths, ecdsa-with-SHA256
 * inside and outside, P-256 uncompressed key, each extension at most once, no unknown critical
 * extension. Codes: cert/size, cert/format, cert/algorithm, cert/key, cert/name, cert/time,
 * cert/extension, cert/critical. The field is the ASN.1 name.
 */
bool x509_cert_parse(struct slice der, struct x509_cert *out, struct error *err) MUST_USE;

/* child.issuer equals issuer.subject byte by byte. */
bool x509_issued_by(const struct x509_cert *child, const struct x509_cert *issuer);

/* The SGX extension of a PCK certificate. */
enum x509_sgx_type { X509_SGX_STANDARD, X509_SGX_SCALABLE, X509_SGX_SCALABLE_INTEGRITY };

struct x509_sgx {
    const uint8_t *ppid;   /* [16] */
    uint8_t component[16]; /* SGX TCB component SVNs: these count, not cpusvn */
    uint16_t pcesvn;
    const uint8_t *cpusvn; /* [16] */
    const uint8_t *pceid;  /* [2] */
    const uint8_t *fmspc;  /* [6] */
    enum x509_sgx_type type;
    const uint8_t *platform_instance_id; /* [16]; NULL for the Processor CA */
    bool has_configuration;
    bool has_dynamic_platform, dynamic_platform;
    bool has_cached_keys, cached_keys;
    bool has_smt_enabled, smt_enabled;
};

/* Codes: cert/sgx-missing (no extension), cert/sgx (a member missing, twice, or malformed). */
bool x509_sgx_parse(const struct x509_cert *cert, struct x509_sgx *out, struct error *err) MUST_USE;

/* A parsed CRL; slices go into the DER given to x509_crl_parse(). */
struct x509_crl {
    struct slice der;
    struct slice tbs;
    struct x509_name issuer;
    int64_t this_update_s;
    int64_t next_update_s;
    struct slice number;           /* CRLNumber, magnitude */
    bool has_authority_key_id;     /* always true once parsed */
    struct slice authority_key_id; /* keyIdentifier, empty when the extension has none */
    struct slice revoked;          /* the entries, empty when nothing is revoked */
    size_t revoked_count;
    uint8_t signature[P256_SIGNATURE_LEN];
};

/*
 * One CRL and nothing behind it: version 2, nextUpdate, CRLNumber and authorityKeyIdentifier
 * required, every entry checked, no unknown critical extension (so no indirect, delta or partial
 * CRL). Codes: crl/size, crl/format, crl/algorithm, crl/name, crl/time, crl/extension,
 * crl/critical.
 */
bool x509_crl_parse(struct slice der, struct x509_crl *out, struct error *err) MUST_USE;

/* True when the CRL lists `serial` (magnitude as in x509_cert.serial). One linear scan. */
bool x509_crl_revokes(const struct x509_crl *crl, struct slice serial);

struct x509_crl_entry {
    struct slice serial; /* magnitude */
    int64_t revoked_at_s;
};

/* for (struct reader at = x509_crl_entries(crl); x509_crl_next(&at, &entry);) ... */
struct reader x509_crl_entries(const struct x509_crl *crl);
bool x509_crl_next(struct reader *at, struct x509_crl_entry *out);

/* Signatures; codes signature/wrong, signature/range. The issuer's key comes from
 * p256_key_open(cert.public_key). */
bool x509_cert_verify(const struct x509_cert *cert, const struct p256_key *issuer_key,
                      struct error *err) MUST_USE;
bool x509_crl_verify(const struct x509_crl *crl, const struct p256_key *issuer_key,
                     struct error *err) MUST_USE;

#endif
