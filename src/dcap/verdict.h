/* What a verified quote says: the only thing a policy may decide on. Made by dcap_verify() alone
 * (in development builds also from a mock quote, is_mock set). Spec: DCAP facts 5-8. */
#ifndef DCAP_VERDICT_H
#define DCAP_VERDICT_H

#include "base/bytes.h"

enum tcb_status {
    TCB_UP_TO_DATE,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_TD_RELAUNCH_ADVISED,
    TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    TCB_REVOKED,     /* never in a verdict: verification fails */
    TCB_STATUS_MOCK, /* development builds only */
    TCB_STATUS_COUNT,
};
const char *
tcb_status_name(enum tcb_status status); /* Intel's spelling: "UpToDate", ... ; mock: "Mock" */
/* Case-insensitive; false when unknown. */
bool tcb_status_parse(struct slice text, enum tcb_status *out) MUST_USE;

enum tee_type { TEE_SGX, TEE_TDX };

enum {
    ADVISORY_TEXT_MAX = 32,
    VERDICT_ADVISORIES_MAX = 192,
    VERDICT_GAPS_MAX = 40,
    MEASUREMENT_LEN = 48
};

/* Which SVN has which value and needs which, for a platform that is not up to date. */
struct svn_gap {
    char what[48]; /* "sgxtcbcomponents[7]", "pcesvn", "tdxtcbcomponents[2]", "tdxModule TDX_01
                      isvsvn", "qe isvsvn" */
    uint32_t has;
    uint32_t needs;
};

struct verdict {
    enum tee_type tee;
    bool is_mock;
    uint16_t quote_version;
    uint16_t body_type; /* 1 SGX, 2 TD 1.0, 3 TD 1.5, 4 TD 1.5-ex */

    enum tcb_status status;
    enum tcb_status platform_status, qe_status, module_status; /* before convergence */
    bool has_module_status;
    bool has_current_status; /* relaunch rule: judged by tee_tcb_svn2 */
    enum tcb_status current_status;
    char advisories[VERDICT_ADVISORIES_MAX][ADVISORY_TEXT_MAX]; /* sorted, unique */
    size_t advisory_count;
    char current_advisories[VERDICT_ADVISORIES_MAX][ADVISORY_TEXT_MAX];
    size_t current_advisory_count;
    struct svn_gap gaps[VERDICT_GAPS_MAX];
    size_t gap_count;
    uint32_t tcb_evaluation_data_number; /* the lower of TCB info and QE identity */
    int64_t tcb_date_s;                  /* oldest level used */
    int64_t earliest_expiry_s;           /* of all collateral and certificates used */
    int64_t verified_at_s;

    uint8_t fmspc[6];
    uint8_t pceid[2];
    uint8_t ppid[16];
    bool has_platform_instance_id;
    uint8_t platform_instance_id[16];

    /* TDX (zero for SGX) */
    uint8_t tee_tcb_svn[16], tee_tcb_svn2[16];
    uint8_t mrseam[48], mrsignerseam[48];
    uint8_t seamattributes[8], tdattributes[8], xfam[8];
    uint8_t mrtd[48], mrconfigid[48], mrowner[48], mrownerconfig[48];
    uint8_t rtmr[4][48];
    uint8_t mrservicetd[48]; /* zero when the body has none */

    /* SGX (zero for TDX) */
    uint8_t mrenclave[32], mrsigner[32], sgx_attributes[16];
    uint32_t miscselect;
    uint16_t isvprodid, isvsvn;

    uint8_t report_data[64];
};

#endif
