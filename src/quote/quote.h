/* DCAP quotes of version 3 (SGX), 4 and 5 (SGX, TDX), taken apart without allocating and without
 * trusting: everything below is a claim of whoever sent the bytes until room dcap has verified it.
 * Spec: DCAP facts 1, 2 and 13. */
#ifndef QUOTE_QUOTE_H
#define QUOTE_QUOTE_H

#include "base/bytes.h"

/* Ceilings and sizes, in bytes. */
enum {
    QUOTE_LEN_MAX = 262144, /* of the quote itself; QE auth data alone may be 65535 */

    QUOTE_HEADER_LEN = 48,
    QUOTE_V5_DESCRIPTOR_LEN = 6,
    QUOTE_VENDOR_ID_LEN = 16,
    QUOTE_USER_DATA_LEN = 20,
    QUOTE_SIGNATURE_LEN = 64,
    QUOTE_KEY_LEN = 64,
    QUOTE_REPORT_DATA_LEN = 64,
    SGX_REPORT_LEN = 384,
    TD_REPORT_10_LEN = 584,
    TD_REPORT_15_LEN = 648,
    TD_REPORT_15_EX_LEN = 885,
};

enum quote_tee { QUOTE_TEE_SGX = 0, QUOTE_TEE_TDX = 0x81 };
enum quote_key_type { QUOTE_KEY_ECDSA_P256 = 2 };

/* The numbers of a v5 body descriptor; v3 and v4 have them by TEE type. */
enum quote_body_type {
    QUOTE_BODY_SGX = 1,
    QUOTE_BODY_TD_10 = 2,
    QUOTE_BODY_TD_15 = 3,
    QUOTE_BODY_TD_15_EX = 4,
};

enum quote_cert_type {
    QUOTE_CERT_PPID_PLAIN = 1,
    QUOTE_CERT_PPID_RSA2048 = 2,
    QUOTE_CERT_PPID_RSA3072 = 3,
    QUOTE_CERT_PCK_LEAF = 4,
    QUOTE_CERT_PCK_CHAIN = 5, /* PEM, leaf first: the only one that carries its own proof */
    QUOTE_CERT_QE_REPORT = 6, /* the outer block of v4 and v5 */
    QUOTE_CERT_PLATFORM_MANIFEST = 7,
};

/* SGX enclave report: the body of an SGX quote and the report of every quoting enclave.
 * Pointers go into the caller's bytes, lengths in brackets. */
struct sgx_report {
    const uint8_t *cpusvn; /* [16] */
    uint32_t miscselect;
    const uint8_t *miscselect_bytes; /* [4], as in the quote */
    const uint8_t *attributes;       /* [16]: flags u64, xfrm u64; byte 0 bit 1 is DEBUG */
    const uint8_t *mrenclave;        /* [32] */
    const uint8_t *mrsigner;         /* [32] */
    uint16_t isvprodid;
    uint16_t isvsvn;
    const uint8_t *reportdata; /* [64] */
};

/* TD report; what a body type does not have is NULL. */
struct td_report {
    const uint8_t *tee_tcb_svn;    /* [16] */
    const uint8_t *mrseam;         /* [48] */
    const uint8_t *mrsignerseam;   /* [48] */
    const uint8_t *seamattributes; /* [8] */
    const uint8_t *tdattributes;   /* [8], little-endian u64; byte 0 is the debug group */
    const uint8_t *xfam;           /* [8] */
    const uint8_t *mrtd;           /* [48] */
    const uint8_t *mrconfigid;     /* [48] */
    const uint8_t *mrowner;        /* [48] */
    const uint8_t *mrownerconfig;  /* [48] */
    const uint8_t *rtmr[4];        /* [48] each */
    const uint8_t *reportdata;     /* [64] */
    /* TD 1.5 and 1.5-ex */
    const uint8_t *tee_tcb_svn2; /* [16] */
    const uint8_t *mrservicetd;  /* [48] */
    /* TD 1.5-ex only */
    const uint8_t *vmid;             /* [1] */
    const uint8_t *td_id;            /* [32] */
    const uint8_t *devinfo_hash;     /* [48] */
    const uint8_t *init_servtd_hash; /* [48] */
    const uint8_t *init_servtd_attr; /* [8] */
    const uint8_t *init_cpusvn;      /* [16] */
    const uint8_t *init_tee_tcb_svn; /* [16] */
    const uint8_t *init_tee_fmspc;   /* [12] */
    const uint8_t *cur_servtd_hash;  /* [48] */
    const uint8_t *cur_servtd_attr;  /* [8] */
};

/* A parsed quote. Every pointer and slice goes into the bytes given to quote_parse(), which must
 * outlive it. */
struct quote {
    struct slice exact;       /* the quote itself, without what follows it */
    size_t trailing_len;      /* bytes behind the quote: normal, not part of it, never looked at */
    struct slice signed_part; /* header, v5 descriptor, body: what `signature` covers */

    uint16_t version; /* 3, 4, 5 */
    uint16_t attestation_key_type;
    enum quote_tee tee;
    uint16_t qe_svn;             /* v4 and v5: reserved, zero in all quotes seen */
    uint16_t pce_svn;            /* the same */
    const uint8_t *qe_vendor_id; /* [16], Intel's */
    const uint8_t *user_data;    /* [20] */

    enum quote_body_type body_type;
    struct slice body;
    struct sgx_report sgx;      /* all NULL unless body_type is QUOTE_BODY_SGX */
    struct td_report td;        /* all NULL when it is */
    const uint8_t *report_data; /* [64], of either body */

    const uint8_t *signature;       /* [64] r || s, big-endian */
    const uint8_t *attestation_key; /* [64] x || y, big-endian; not yet known to be on the curve */
    struct slice qe_report;         /* the 384 bytes that qe_report_signature covers */
    struct sgx_report qe;
    const uint8_t *qe_report_signature; /* [64] r || s */
    struct slice qe_auth_data;          /* 0..65535 bytes */
    enum quote_cert_type cert_type;     /* of the innermost certification data: 1-5 or 7 */
    struct slice cert_data;
};

/*
 * Parses the quote that `bytes` starts with. Nothing is allocated, no signature checked.
 * Codes: quote/truncated, quote/too-large, quote/version, quote/key-type, quote/tee-type,
 * quote/vendor, quote/body-type, quote/body-size, quote/auth-size, quote/cert-type,
 * quote/cert-size, quote/slack. The field is the name of the offending quote field.
 */
bool quote_parse(struct slice bytes, struct quote *out, struct error *err) MUST_USE;

/* Intel's names: "PCK_CERT_CHAIN" and so on; "unknown" for a number that is none. */
const char *quote_cert_type_name(enum quote_cert_type type);
/* "SGX", "TD 1.0", "TD 1.5", "TD 1.5-ex". */
const char *quote_body_type_name(enum quote_body_type type);

/* The PEM chain of a quote that carries one. Any other certification type fails
 * quote/certification with the name of the type and why it cannot be verified by itself. */
bool quote_pck_chain(const struct quote *q, struct slice *out_pem, struct error *err) MUST_USE;

/* The fixed-size parts by themselves; `bytes` has exactly the length of the structure. */
void sgx_report_view(struct slice bytes, struct sgx_report *out);
void td_report_view(struct slice bytes, enum quote_body_type type, struct td_report *out);

#endif
