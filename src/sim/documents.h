/* TCB info v3 and QE identity v2 as Intel issues them (DCAP facts 4.2-4.4): described by structs,
 * written compactly in Intel's member order. What a struct cannot express (missing members, other
 * types) is edited in the text, which is then signed. */
#ifndef SIM_DOCUMENTS_H
#define SIM_DOCUMENTS_H

#include "sim/key.h"
#include "sim/limits.h"

/* advisories end at the first NULL; the strings are borrowed. */
struct sim_tcb_level {
    uint32_t sgx[16], tdx[16]; /* 0..255 in honest documents */
    uint32_t pcesvn;
    int64_t date_s;
    const char *status;
    const char *advisories[SIM_ADVISORIES_MAX];
};

/* A level of a module identity or of the QE identity. */
struct sim_svn_level {
    uint32_t isvsvn;
    int64_t date_s;
    const char *status;
    const char *advisories[SIM_ADVISORIES_MAX];
};

struct sim_module_identity {
    char id[16]; /* "TDX_01" */
    uint8_t mrsigner[48], attributes[8], attributes_mask[8];
    struct sim_svn_level levels[SIM_MODULE_LEVELS_MAX];
    size_t level_count;
};

struct sim_tcb_info {
    char id[8]; /* "TDX" or "SGX" */
    uint32_t version;
    int64_t issue_s, next_update_s;
    uint8_t fmspc[6], pceid[2];
    uint32_t tcb_type;
    uint32_t evaluation_number;
    bool has_module, has_module_identities;
    uint8_t module_mrsigner[48], module_attributes[8], module_attributes_mask[8];
    struct sim_module_identity identities[SIM_MODULE_IDENTITIES_MAX];
    size_t identity_count;
    struct sim_tcb_level levels[SIM_LEVELS_MAX]; /* highest first */
    size_t level_count;
};

struct sim_qe_identity {
    char id[8]; /* "TD_QE" or "QE" */
    uint32_t version;
    int64_t issue_s, next_update_s;
    uint32_t evaluation_number;
    uint8_t miscselect[4], miscselect_mask[4], attributes[16], attributes_mask[16], mrsigner[32];
    uint32_t isvprodid;
    struct sim_svn_level levels[SIM_MODULE_LEVELS_MAX]; /* highest first */
    size_t level_count;
};

/* SVNs of an up-to-date platform of ours; the default documents judge by them. */
struct sim_svns {
    uint32_t components[16];
    uint32_t pcesvn;
    uint8_t tee_tcb_svn[16];
    uint16_t qe_isvsvn;
};
extern const struct sim_svns sim_svns_current;

enum { SIM_EVALUATION_NUMBER = 21 };

/* "TDX": an UpToDate level that is exactly sim_svns_current, below it SWHardeningNeeded,
 * ConfigurationNeeded, three OutOfDate and one Revoked level; module identities TDX_03 and TDX_01.
 * Issued at the start of the day of now_s, good for 30 days. `tdx` false: the SGX document. */
void sim_tcb_info_defaults(struct sim_tcb_info *info, bool tdx, const uint8_t fmspc[6],
                           int64_t now_s);
void sim_qe_identity_defaults(struct sim_qe_identity *identity, bool tdx, int64_t now_s);

/* Append the signed object, without anything around it. */
bool sim_tcb_info_write(const struct sim_tcb_info *info, struct buf *out,
                        struct error *err) MUST_USE;
bool sim_qe_identity_write(const struct sim_qe_identity *identity, struct buf *out,
                           struct error *err) MUST_USE;

/* Appends {"id":...,"tcbEvalNumbers":[...]}: the current number and the early one above it. */
void sim_evaluation_numbers_write(const struct sim_tcb_info *info, struct buf *out);

enum { SIM_SIGNATURE_HEX_LEN = 128 };
/* r || s over exactly these bytes, as lower-case hex with a NUL. */
bool sim_document_sign(struct slice document, const struct sim_key *signer,
                       char out[SIM_SIGNATURE_HEX_LEN + 1], struct error *err) MUST_USE;
/* Replaces the first `from` by `to`; sim/text when `from` does not occur. */
bool sim_text_replace(struct buf *text, const char *from, const char *to,
                      struct error *err) MUST_USE;

#endif
