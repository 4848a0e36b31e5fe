/* What goes wrong on purpose: faults of a machine, of its evidence and of the collateral service,
 * named by words like "tcb:OutOfDate", "agent:slow:2000" or "pck-crl:expired". The table in
 * scenario.c is the whole list; `mero-sim scenarios` prints it. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "base/bytes.h"

enum sim_scope { SIM_SCOPE_MACHINE = 1, SIM_SCOPE_PCS = 2 };

/* State of one collateral document. */
enum sim_document_state {
    SIM_DOCUMENT_CURRENT,
    SIM_DOCUMENT_EXPIRED,       /* nextUpdate was ten days ago */
    SIM_DOCUMENT_NOT_YET_VALID, /* issueDate is tomorrow */
    SIM_DOCUMENT_ROLLED_BACK,   /* still valid, but 20 days older, evaluation number one lower */
    SIM_DOCUMENT_BAD_SIGNATURE,
    SIM_DOCUMENT_UNKNOWN, /* 404 */
};

enum sim_fault_kind {
    SIM_FAULT_NONE,
    SIM_FAULT_SLOW,      /* the honest answer, late */
    SIM_FAULT_SILENT,    /* the request is taken, the answer never comes */
    SIM_FAULT_TRUNCATED, /* Content-Length is honest, half of the body comes, then the end */
    SIM_FAULT_OVERSIZED, /* far more bytes than any honest answer */
    SIM_FAULT_MALFORMED, /* 200, but not what was asked for */
    SIM_FAULT_STATUS,    /* this HTTP status */
};

struct sim_fault {
    enum sim_fault_kind kind;
    unsigned number; /* SLOW: milliseconds; STATUS: the status */
};

enum sim_register_bit {
    SIM_OTHER_MRTD = 1,
    SIM_OTHER_RTMR0 = 2,
    SIM_OTHER_RTMR1 = 4,
    SIM_OTHER_RTMR2 = 8,
    SIM_OTHER_RTMR3 = 16,
    SIM_OTHER_ALL = 31,
};

struct sim_scenario {
    /* machine: its platform as the collateral sees it */
    const char *tcb_status;   /* one of Intel's names, static; NULL = UpToDate */
    const char *early_status; /* the same in the TCB info of update=early; NULL = no difference */
    bool relaunch_advised;    /* launched under an older TCB: v5 quotes */
    bool module_out_of_date, qe_out_of_date;
    bool revoked_pck;
    enum sim_document_state tcb_info;
    struct sim_fault pcs; /* answers about this machine's TCB info; in the PCS scope: all answers */
    /* machine: its evidence */
    bool debug_td;
    unsigned other_registers; /* SIM_OTHER_* */
    bool wrong_report_data;
    bool broken_quote_signature;
    /* machine: its agent and its configfs */
    struct sim_fault agent;
    int tsm_errno;      /* of reading outblob; 0 = none */
    unsigned tsm_times; /* only for the first n reads; 0 = always */
    bool tsm_empty;     /* reading succeeds with no bytes */
    bool tsm_silent;
    unsigned tsm_slow_ms;
    /* collateral service */
    enum sim_document_state qe_identity, pck_crl, root_crl;
    bool revoked_ca, revoked_tcb_signing;
};

/* Applies one word to *s. scope says whose scenario it is. Code sim/scenario. "none" resets all. */
bool sim_scenario_apply(struct sim_scenario *s, enum sim_scope scope, struct slice word,
                        struct error *err) MUST_USE;

struct sim_scenario_help {
    const char *word; /* "tcb-info:STATE" */
    unsigned scopes;
    const char *meaning;
};
/* The i-th row for humans, NULL behind the last. */
const struct sim_scenario_help *sim_scenario_help(size_t i);

#endif
