/* The attester behind a quote: the platform's PCK certificate chain, its quoting enclave and the
 * attestation key that the enclave holds. It stays the same from quote to quote until the enclave
 * restarts, so it is verified once and kept; what time and collateral say about it is not kept but
 * asked at every use. Spec: DCAP facts 1.3, 1.4, 2, 3. */
#ifndef DCAP_ATTESTER_H
#define DCAP_ATTESTER_H

#include "base/hash.h"
#include "dcap/limits.h"
#include "dcap/root.h"
#include "dcap/validity.h"
#include "quote/quote.h"

enum { ATTESTER_CHAIN_LEN = 3, ATTESTER_SUBJECT_MAX = 256 };

enum pck_ca { PCK_CA_PLATFORM, PCK_CA_PROCESSOR };
const char *pck_ca_name(enum pck_ca ca); /* "platform", "processor" */

/* Who issues PCK certificates and their CRL, and the root above: verified. */
struct pck_issuer {
    enum pck_ca ca;
    uint8_t point[P256_POINT_LEN];
    const struct p256_key *key; /* of that point */
    struct slice subject;       /* DER of its name */
    struct slice root_subject;
};

struct cert_serial {
    size_t len;
    uint8_t bytes[X509_SERIAL_LEN_MAX];
};
struct slice cert_serial_slice(const struct cert_serial *serial);

/* Immutable once open, shared by reference count. */
struct attester;

/* What the verified chain and report say. Arrays and slices live as long as the attester. */
struct attester_facts {
    struct pck_issuer issuer;
    struct cert_serial serial[ATTESTER_CHAIN_LEN]; /* PCK, its CA, root */
    struct validity validity[ATTESTER_CHAIN_LEN];
    uint8_t ppid[16];
    uint8_t components[TCB_COMPONENTS];
    uint16_t pcesvn;
    uint8_t pceid[2];
    uint8_t fmspc[6];
    bool has_platform_instance_id;
    uint8_t platform_instance_id[16];
    struct sgx_report qe;
};

/* What an attester is known by: a digest of all that it is made from. `chain_pem` is a PCK chain
 * from elsewhere, needed by quotes that carry none, else ignored. */
void attester_identify(const struct quote *q, struct slice chain_pem, uint8_t id[SHA256_LEN]);

/*
 * Verifies the PCK chain up to the root key, the QE report with the PCK, and that the report
 * vouches for the attestation key. Dates and revocation are not looked at. `id` is
 * what attester_identify() says, NULL when nobody will ask for it. Codes:
 * quote/certification, chain/..., cert/..., signature/qe-report, signature/attestation-key,
 * qe/report-data.
 */
bool attester_open(const struct quote *q, struct slice chain_pem, const struct dcap_root *root,
                   const uint8_t *id, struct attester **out, struct error *err) MUST_USE;
struct attester *attester_hold(struct attester *a);
void attester_drop(struct attester **a);
#define ATTESTER_AUTO __attribute__((cleanup(attester_drop)))

const struct attester_facts *attester_facts(const struct attester *a);
const uint8_t *attester_id(const struct attester *a); /* [SHA256_LEN] */

/* The quote's own signature. The quote must be one that attester_identify() knows by this
 * attester's id. Code signature/quote. */
bool attester_check_quote(const struct attester *a, const struct quote *q,
                          struct error *err) MUST_USE;

#endif
