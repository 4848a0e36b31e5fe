/* TCB info: which SVNs Intel wants from a platform model (FMSPC) and its TDX modules. Version 3 for
 * SGX and TDX, version 2 for SGX. Spec: DCAP facts 4.2, 4.3. */
#ifndef DCAP_TCB_INFO_H
#define DCAP_TCB_INFO_H

#include "dcap/levels.h"

struct tcb_svns {
    uint8_t sgx[TCB_COMPONENTS];
    uint8_t tdx[TCB_COMPONENTS]; /* zero for SGX */
    uint16_t pcesvn;
    uint32_t members; /* which forms the document used: for the parser alone */
};

struct tcb_level {
    struct tcb_svns tcb;
    struct tcb_judgement says;
};

/* Highest first, no two alike, never empty once read. */
struct tcb_levels {
    size_t count;
    struct tcb_level level[TCB_LEVELS_MAX];
};

struct tdx_module {
    uint8_t version; /* the hexadecimal digits of its id; 0 for tdxModule itself */
    uint8_t mrsigner[MEASUREMENT_LEN];
    uint8_t attributes[8];
    uint8_t attributes_mask[8];
    struct isv_levels levels; /* empty for tdxModule itself */
};

struct tdx_modules {
    size_t count;
    struct tdx_module module[TCB_MODULES_MAX];
};

/* Points into the document that it was read from. */
struct tcb_info {
    enum tee_type tee;
    char id[8]; /* as written, empty in version 2 */
    uint32_t version;
    int64_t issue_s, next_s;
    uint8_t fmspc[6];
    uint8_t pceid[2];
    uint32_t tcb_type; /* 0 */
    uint32_t evaluation_number;
    struct tdx_module base;     /* TDX: judges modules of version 0 */
    struct tdx_modules modules; /* TDX: judge the others */
    struct tcb_levels levels;
};

/* Strict. Call it on bytes whose signature was verified: what they say is believed. Code
 * collateral/format, the field is the path of the member that is wrong. *out is undefined after a
 * failure (it is too large to be kept twice). */
bool tcb_info_parse(struct slice document, struct tcb_info *out, struct error *err) MUST_USE;

/* What judges TDX modules of this version, NULL when nothing does. */
const struct tdx_module *tcb_info_module(const struct tcb_info *info, uint8_t version);

#endif
