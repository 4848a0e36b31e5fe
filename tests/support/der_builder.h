/* DER made up for parser tests: values from hex, wrapped; certificates and CRLs part by part, so
 * that a test can put anything in the place of one part. Everything lives in one arena that
 * der_reset() empties. */
#ifndef SUPPORT_DER_BUILDER_H
#define SUPPORT_DER_BUILDER_H

#include "base/bytes.h"
#include "x509/der.h"

void der_reset(void);
struct slice der_hex(const char *hex); /* spaces allowed */
/* tag, shortest length, contents */
struct slice der_tlv(unsigned tag, struct slice contents);
struct slice der_join(const struct slice *parts, size_t count);
#define DER_JOIN(...)                                                                              \
    der_join((const struct slice[]){__VA_ARGS__},                                                  \
             sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice))
#define DER_SEQ(...) der_tlv(DER_SEQUENCE, DER_JOIN(__VA_ARGS__))

struct slice der_utf8_name(const char *common_name);
struct slice der_utc_time(const char *text); /* "200102030405Z" */
/* oid in hex without tag and length; value is the DER inside the OCTET STRING. */
struct slice der_extension(const char *oid, bool critical, struct slice value);

/* Whole TLVs, or nothing where a part is optional. */
struct cert_parts {
    struct slice version, serial, algorithm, issuer, validity, subject, key;
    struct slice extensions;        /* the contents of the SEQUENCE OF Extension */
    struct slice before_extensions; /* unique identifiers, which nobody has */
    struct slice after_extensions;
    struct slice outer_algorithm, signature, after_signature;
};
struct cert_parts cert_parts_default(void);
struct slice cert_build(const struct cert_parts *parts);

struct crl_parts {
    struct slice version, algorithm, issuer, this_update, next_update;
    struct slice revoked; /* the whole SEQUENCE OF, or nothing */
    struct slice extensions;
    struct slice outer_algorithm, signature;
};
struct crl_parts crl_parts_default(void);
struct slice crl_build(const struct crl_parts *parts);
struct slice crl_entry(const char *serial_hex, struct slice extensions);

/* The SGX extension of a PCK certificate of the Platform CA. */
#define SGX_EXTENSION_OID "2a864886f84d010d01"
struct sgx_parts {
    struct slice ppid, tcb, pceid, fmspc, type, instance, configuration;
    struct slice extra; /* behind the rest; nothing by default */
};
struct sgx_parts sgx_parts_default(void);
struct slice sgx_build(const struct sgx_parts *parts);
/* SEQUENCE { SGX_EXTENSION_OID oid_tail, value } */
struct slice sgx_pair(const char *oid_tail, struct slice value);
/* The pairs of TCB components from..to (1..16); component i is i * 13. */
struct slice sgx_components(unsigned from, unsigned to);

#endif
