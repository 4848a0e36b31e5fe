/* QE identity: which quoting enclave Intel vouches for, and how old it may be. Version 2.
 * Spec: DCAP facts 4.2, 4.4, 7. */
#ifndef DCAP_QE_IDENTITY_H
#define DCAP_QE_IDENTITY_H

#include "dcap/levels.h"
#include "quote/quote.h"

/* Points into the document that it was read from. */
struct qe_identity {
    char id[8]; /* "TD_QE", "QE", "QVE" */
    uint32_t version;
    int64_t issue_s, next_s;
    uint32_t evaluation_number;
    uint8_t miscselect[4], miscselect_mask[4];
    uint8_t attributes[16], attributes_mask[16];
    uint8_t mrsigner[32];
    uint16_t isvprodid;
    struct isv_levels levels;
};

/* Strict. Call it on bytes whose signature was verified. Code collateral/format; *out is undefined
 * after a failure. */
bool qe_identity_parse(struct slice document, struct qe_identity *out, struct error *err) MUST_USE;

/* Does the report belong to the enclave that the identity describes? The level that its ISV SVN
 * reaches in *level. Codes collateral/mismatch (the identity is of another kind of enclave),
 * qe/identity, qe/debug, qe/not-supported. */
bool qe_identity_judge(const struct qe_identity *identity, enum tee_type tee,
                       const struct sgx_report *qe, const struct isv_level **level,
                       struct error *err) MUST_USE;

#endif
