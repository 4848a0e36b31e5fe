/* The SGX extension of a PCK certificate, OID 1.2.840.113741.1.13.1 (DCAP facts 3.3). */
#ifndef SIM_SGX_EXTENSION_H
#define SIM_SGX_EXTENSION_H

#include "base/bytes.h"

enum sim_sgx_member { /* the last arc of each member's OID */
                      SIM_SGX_PPID = 1,
                      SIM_SGX_TCB = 2,
                      SIM_SGX_PCEID = 3,
                      SIM_SGX_FMSPC = 4,
                      SIM_SGX_TYPE = 5,
                      SIM_SGX_PLATFORM_INSTANCE_ID = 6, /* Platform CA only */
                      SIM_SGX_CONFIGURATION = 7,        /* Platform CA only */
};

/* Values are written as they stand, so that a test can set any of them. */
struct sim_sgx_extension {
    uint8_t ppid[16];
    uint32_t components[16]; /* 0..255 in honest certificates */
    uint32_t pcesvn;
    uint8_t cpusvn[16];
    uint8_t pceid[2];
    uint8_t fmspc[6];
    uint8_t type; /* 0 standard, 1 scalable, 2 scalable with integrity */
    uint8_t platform_instance_id[16];
    bool dynamic_platform, cached_keys, smt_enabled;
    bool for_platform_ca; /* members 6 and 7 are present */
    /* Crafting: bit n leaves member n out or writes it twice; bit n of tcb_omit leaves 2.n out. */
    uint32_t omit, duplicate, tcb_omit;
};

/* Appends the extension's value (the content of extnValue). */
void sim_sgx_extension_write(const struct sim_sgx_extension *ext, struct buf *out);

#endif
