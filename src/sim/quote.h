/* DCAP quotes written from a description (DCAP facts 1 and 2): v3 SGX, v4 and v5 SGX, TD 1.0, 1.5
 * and 1.5-ex. An honest description gives what a production verifier accepts; every field, length
 * and signature can be made wrong on its own. */
#ifndef SIM_QUOTE_H
#define SIM_QUOTE_H

#include "sim/key.h"
#include "sim/limits.h"

/* The numbers of the v5 body descriptor. */
enum sim_body { SIM_BODY_SGX = 1, SIM_BODY_TD_10 = 2, SIM_BODY_TD_15 = 3, SIM_BODY_TD_15_EX = 4 };

struct sim_td_report {
    uint8_t tee_tcb_svn[16];
    uint8_t mrseam[48], mrsignerseam[48];
    uint8_t seamattributes[8], tdattributes[8], xfam[8];
    uint8_t mrtd[48], mrconfigid[48], mrowner[48], mrownerconfig[48];
    uint8_t rtmr[4][48];
    uint8_t report_data[64];
    uint8_t tee_tcb_svn2[16], mrservicetd[48]; /* 1.5 */
    uint8_t extended[237];                     /* 1.5-ex: the rest, as bytes */
};

struct sim_enclave_report {
    uint8_t cpusvn[16];
    uint32_t miscselect;
    uint8_t reserved1[28];
    uint8_t attributes[16];
    uint8_t mrenclave[32];
    uint8_t reserved2[32];
    uint8_t mrsigner[32];
    uint8_t reserved3[96];
    uint16_t isvprodid, isvsvn;
    uint8_t reserved4[60];
    uint8_t report_data[64];
};

struct sim_quote_spec {
    /* header */
    uint16_t version, key_type;
    uint32_t tee_type;
    uint16_t qe_svn, pce_svn; /* zero in v4 and v5 */
    uint8_t vendor_id[16], user_data[20];
    /* body */
    enum sim_body body;
    struct sim_td_report td;
    struct sim_enclave_report enclave;
    /* quoting enclave; its report data is set to the binding unless keep_qe_report_data */
    struct sim_enclave_report qe;
    uint8_t qe_auth[SIM_QE_AUTH_MAX];
    size_t qe_auth_len;
    /* certification data */
    uint16_t outer_type; /* 6; not in v3 */
    uint16_t inner_type; /* 5 */
    struct slice chain;  /* borrowed: the certification data, usually PEM, leaf first */
    bool chain_nul;      /* one NUL behind it, as most real quotes have */
    size_t padded_len;   /* zeros behind the quote up to this length (0 = none): configfs buffers */
    /* signers; claimed_key is what the quote says the attestation key is */
    const struct sim_key *attestation_key;
    const struct sim_key *pck_key;
    const uint8_t *claimed_key; /* [64]; NULL = the attestation key's public half */

    /* Crafting: added to a length field after the true length is known. */
    int64_t body_size_lie, auth_len_lie, outer_len_lie, qe_auth_len_lie, inner_len_lie;
    size_t inner_slack, outer_slack; /* zero bytes behind the inner and the outer block */
    bool keep_qe_report_data;
    bool broken_signature, broken_qe_signature; /* one bit is wrong */
    bool zero_signature, zero_qe_signature;     /* r = s = 0 */
};

/* Header, quoting enclave and attributes of an honest quote of the current TCB; measurements zero.
 * Version 3 goes with SIM_BODY_SGX, 4 with SGX and TD 1.0, 5 with all. Chain and keys stay to be
 * set. */
void sim_quote_defaults(struct sim_quote_spec *spec, uint16_t version, enum sim_body body);

/* Appends the quote. */
bool sim_quote_make(const struct sim_quote_spec *spec, struct buf *out, struct error *err) MUST_USE;

/* Sizes of the parts, for tests that cut at them. */
size_t sim_quote_body_at(const struct sim_quote_spec *spec);    /* offset of the body */
size_t sim_quote_signed_len(const struct sim_quote_spec *spec); /* header + descriptor + body */

#endif
