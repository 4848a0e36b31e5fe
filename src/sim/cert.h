/* One certificate or CRL from a description, in the shape of Intel's (DCAP facts 3 and 4.5),
 * through OpenSSL's X509 functions. Every field can be set, so that a test can craft any wrong one;
 * what an X509 object cannot hold is edited in the TBS bytes and signed again with
 * sim_der_resign(). */
#ifndef SIM_CERT_H
#define SIM_CERT_H

#include "sim/key.h"
#include "sim/limits.h"
#include "sim/sgx_extension.h"

/* CN, O, L, ST as UTF8String and C as PrintableString, in that order; empty parts are left out. */
struct sim_name {
    char cn[128], o[64], l[64], st[64], c[8];
};
/* "CN=<cn>, O=Intel Corporation, L=Santa Clara, ST=CA, C=US" */
struct sim_name sim_name_intel(const char *cn);

struct sim_serial {
    uint8_t bytes[SIM_SERIAL_MAX]; /* big-endian */
    size_t len;
};

enum { SIM_KEY_ID_LEN = 20 };

/* keyUsage bits as in the DER octet. */
enum {
    SIM_USAGE_DIGITAL_SIGNATURE = 0x80,
    SIM_USAGE_NON_REPUDIATION = 0x40,
    SIM_USAGE_CERT_SIGN = 0x04,
    SIM_USAGE_CRL_SIGN = 0x02,
};

/* bits of `omit` and `duplicate` */
enum {
    SIM_EXT_AKI = 1,
    SIM_EXT_CRLDP = 2,
    SIM_EXT_SKI = 4,
    SIM_EXT_KEY_USAGE = 8,
    SIM_EXT_BASIC = 16,
    SIM_EXT_SGX = 32,
    SIM_EXT_CRL_NUMBER = 64,
};

struct sim_cert_spec {
    long version; /* the number: 3 */
    struct sim_name subject, issuer;
    struct sim_serial serial;
    int64_t not_before_s, not_after_s;
    uint8_t subject_key_id[SIM_KEY_ID_LEN], authority_key_id[SIM_KEY_ID_LEN];
    char crl_url[160];
    uint8_t key_usage;
    bool is_ca;
    int path_len; /* < 0 = none */
    bool has_sgx;
    struct sim_sgx_extension sgx;
    /* crafting */
    unsigned omit, duplicate;        /* SIM_EXT_* */
    bool unknown_extension_critical; /* adds one that nobody knows, critical */
    bool unknown_extension;          /* the same, not critical */
    bool broken_signature;           /* one bit of the signature is wrong */
    bool sha384;                     /* ecdsa-with-SHA384 */
    struct slice sgx_value;          /* instead of the written extension when not empty */
};

/* Appends the DER certificate of `subject`'s public key, signed with `signer`. */
bool sim_cert_make(const struct sim_cert_spec *spec, const struct sim_key *subject,
                   const struct sim_key *signer, struct buf *der, struct error *err) MUST_USE;
/* Appends DER as PEM, 64 columns, LF. */
bool sim_pem_append(struct slice der, struct buf *pem, struct error *err) MUST_USE;
/* Reads one PEM certificate made earlier for `subject`: appends its DER and sets the dates of spec.
 * Code sim/state when it is damaged or belongs to another key. */
bool sim_cert_read(struct slice pem, const struct sim_key *subject, struct sim_cert_spec *spec,
                   struct buf *der, struct error *err) MUST_USE;

struct sim_crl_spec {
    struct sim_name issuer;
    uint8_t authority_key_id[SIM_KEY_ID_LEN];
    int64_t this_update_s, next_update_s;
    struct sim_serial revoked[SIM_REVOKED_MAX];
    size_t revoked_count;
    /* crafting */
    bool omit_next_update;
    unsigned omit; /* SIM_EXT_AKI, SIM_EXT_CRL_NUMBER */
    bool broken_signature;
    bool unknown_extension_critical;
};

bool sim_crl_make(const struct sim_crl_spec *spec, const struct sim_key *signer, struct buf *der,
                  struct error *err) MUST_USE;
/* sim/limit when the list is full. */
bool sim_crl_revoke(struct sim_crl_spec *spec, const struct sim_serial *serial,
                    struct error *err) MUST_USE;

/* `signed_der` is SEQUENCE { tbs, algorithm, signature }: appends the same with a fresh
 * ecdsa-with-SHA256 signature of `signer` over tbs, and with tbs replaced by `tbs` when that is
 * not empty. */
bool sim_der_resign(struct slice signed_der, struct slice tbs, const struct sim_key *signer,
                    struct buf *out, struct error *err) MUST_USE;

/* First 20 bytes of SHA-256 of the public point (RFC 7093, method 1). */
void sim_key_id(const struct sim_key *key, uint8_t out[SIM_KEY_ID_LEN]);

#endif
