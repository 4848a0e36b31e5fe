/* Words of the scenarios: one table from word to effect. */
#include "sim/scenario.h"

#include <errno.h>
#include <string.h>

#include "sim/limits.h"

/* A word split at its colons: "agent:slow:2000". */
struct word {
    struct slice part[3];
    size_t count;
};

struct choice {
    const char *name;
    int value;
};

static const char *const statuses[] = {"UpToDate",
                                       "SWHardeningNeeded",
                                       "ConfigurationNeeded",
                                       "ConfigurationAndSWHardeningNeeded",
                                       "OutOfDate",
                                       "OutOfDateConfigurationNeeded",
                                       "Revoked"};

static const struct choice states[] = {{"current", SIM_DOCUMENT_CURRENT},
                                       {"expired", SIM_DOCUMENT_EXPIRED},
                                       {"not-yet-valid", SIM_DOCUMENT_NOT_YET_VALID},
                                       {"rolled-back", SIM_DOCUMENT_ROLLED_BACK},
                                       {"bad-signature", SIM_DOCUMENT_BAD_SIGNATURE},
                                       {"unknown", SIM_DOCUMENT_UNKNOWN},
                                       {NULL, 0}};

static const struct choice faults[] = {
    {"none", SIM_FAULT_NONE},           {"slow", SIM_FAULT_SLOW},
    {"silent", SIM_FAULT_SILENT},       {"truncated", SIM_FAULT_TRUNCATED},
    {"oversized", SIM_FAULT_OVERSIZED}, {"malformed", SIM_FAULT_MALFORMED},
    {"status", SIM_FAULT_STATUS},       {NULL, 0}};

static const struct choice registers[] = {{"all", SIM_OTHER_ALL},
                                          {"mrtd", SIM_OTHER_MRTD},
                                          {"rtmr0", SIM_OTHER_RTMR0},
                                          {"rtmr1", SIM_OTHER_RTMR1},
                                          {"rtmr2", SIM_OTHER_RTMR2},
                                          {"rtmr3", SIM_OTHER_RTMR3},
                                          {NULL, 0}};

static const struct choice errnos[] = {
    {"EBUSY", EBUSY},   {"ETIMEDOUT", ETIMEDOUT}, {"EINTR", EINTR}, {"EIO", EIO},
    {"EINVAL", EINVAL}, {"EFBIG", EFBIG},         {"ENXIO", ENXIO}, {NULL, 0}};

static bool pick(const struct choice *choices, struct slice text, int *out)
{
    for (const struct choice *c = choices; c->name != NULL; c++) {
        if (slice_equal_str(text, c->name)) {
            *out = c->value;
            return true;
        }
    }
    return false;
}

/* Digits only, 1..max. */
static bool number(struct slice text, unsigned max, unsigned *out)
{
    unsigned value = 0;
    if (text.len == 0 || text.len > 7)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    *out = value;
    return value >= 1 && value <= max;
}

static bool pick_status(const struct word *w, const char **out)
{
    for (size_t i = 0; w->count == 2 && i < sizeof statuses / sizeof statuses[0]; i++) {
        if (slice_equal_str(w->part[1], statuses[i])) {
            *out = statuses[i];
            return true;
        }
    }
    return false;
}

static bool set_status(struct sim_scenario *s, const struct word *w)
{
    bool relaunch = w->count == 2 && slice_equal_str(w->part[1], "TDRelaunchAdvised");
    const char *status = NULL;
    if (!relaunch && !pick_status(w, &status))
        return false;
    s->tcb_status = status;
    s->relaunch_advised = relaunch;
    return true;
}

static bool set_early_status(struct sim_scenario *s, const struct word *w)
{
    return pick_status(w, &s->early_status);
}

static bool set_state(enum sim_document_state *out, const struct word *w)
{
    int value = 0;
    if (w->count != 2 || !pick(states, w->part[1], &value))
        return false;
    *out = (enum sim_document_state)value;
    return true;
}

static bool set_fault(struct sim_fault *out, const struct word *w)
{
    int kind = 0;
    unsigned value = 0;
    if (!pick(faults, w->part[1], &kind))
        return false;
    bool wants_number = kind == SIM_FAULT_SLOW || kind == SIM_FAULT_STATUS;
    if (wants_number != (w->count == 3))
        return false;
    if (kind == SIM_FAULT_SLOW && !number(w->part[2], SIM_SLOW_MAX_MS, &value))
        return false;
    if (kind == SIM_FAULT_STATUS && (!number(w->part[2], 599, &value) || value < 200))
        return false;
    *out = (struct sim_fault){(enum sim_fault_kind)kind, value};
    return true;
}

static bool set_tcb_info(struct sim_scenario *s, const struct word *w)
{
    return set_state(&s->tcb_info, w);
}

static bool set_qe_identity(struct sim_scenario *s, const struct word *w)
{
    return set_state(&s->qe_identity, w);
}

static bool set_pck_crl(struct sim_scenario *s, const struct word *w)
{
    return set_state(&s->pck_crl, w);
}

static bool set_root_crl(struct sim_scenario *s, const struct word *w)
{
    return set_state(&s->root_crl, w);
}

static bool set_agent(struct sim_scenario *s, const struct word *w)
{
    return set_fault(&s->agent, w);
}

static bool set_pcs(struct sim_scenario *s, const struct word *w)
{
    return set_fault(&s->pcs, w);
}

static bool set_other(struct sim_scenario *s, const struct word *w)
{
    int bits = 0;
    if (w->count != 2 || !pick(registers, w->part[1], &bits))
        return false;
    s->other_registers |= (unsigned)bits;
    return true;
}

static bool set_tsm(struct sim_scenario *s, const struct word *w)
{
    struct sim_scenario next = *s;
    next.tsm_errno = 0;
    next.tsm_times = 0;
    next.tsm_slow_ms = 0;
    next.tsm_empty = slice_equal_str(w->part[1], "empty");
    next.tsm_silent = slice_equal_str(w->part[1], "silent");
    bool known = next.tsm_empty || next.tsm_silent;
    if (!known && slice_equal_str(w->part[1], "slow")) {
        known = w->count == 3 && number(w->part[2], SIM_SLOW_MAX_MS, &next.tsm_slow_ms);
    } else if (!known) {
        known = pick(errnos, w->part[1], &next.tsm_errno) &&
                (w->count == 2 || number(w->part[2], 1000, &next.tsm_times));
    }
    if (known)
        *s = next;
    return known;
}

static bool set_flag(struct sim_scenario *s, const struct word *w)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"module-out-of-date", &s->module_out_of_date},
                 {"qe-out-of-date", &s->qe_out_of_date},
                 {"revoked-pck", &s->revoked_pck},
                 {"debug-td", &s->debug_td},
                 {"wrong-report-data", &s->wrong_report_data},
                 {"broken-quote-signature", &s->broken_quote_signature},
                 {"revoked-ca", &s->revoked_ca},
                 {"revoked-tcb-signing", &s->revoked_tcb_signing}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (slice_equal_str(w->part[0], flags[i].name)) {
            *flags[i].flag = true;
            return w->count == 1;
        }
    }
    return false;
}

static bool set_none(struct sim_scenario *s, const struct word *w)
{
    *s = (struct sim_scenario){0};
    return w->count == 1;
}

static const struct row {
    struct sim_scenario_help help;
    bool (*set)(struct sim_scenario *s, const struct word *w);
} rows[] = {
    {{"tcb:STATUS", SIM_SCOPE_MACHINE,
      "TCB status of the platform: OutOfDate, Revoked, ... or TDRelaunchAdvised"},
     set_status},
    {{"early-tcb:STATUS", SIM_SCOPE_MACHINE, "TCB status under the TCB info of update=early"},
     set_early_status},
    {{"module-out-of-date", SIM_SCOPE_MACHINE, "the TDX module is two versions behind"}, set_flag},
    {{"qe-out-of-date", SIM_SCOPE_MACHINE, "the quoting enclave is too old"}, set_flag},
    {{"revoked-pck", SIM_SCOPE_MACHINE, "the PCK certificate is in the CRL of its CA"}, set_flag},
    {{"tcb-info:STATE", SIM_SCOPE_MACHINE,
      "TCB info of the platform: expired, not-yet-valid, rolled-back, bad-signature, unknown"},
     set_tcb_info},
    {{"debug-td", SIM_SCOPE_MACHINE, "the TD runs with the DEBUG attribute"}, set_flag},
    {{"other:REGISTER", SIM_SCOPE_MACHINE,
      "other measurements: mrtd, rtmr0, rtmr1, rtmr2, rtmr3 or all"},
     set_other},
    {{"wrong-report-data", SIM_SCOPE_MACHINE, "quotes carry other report data than was asked for"},
     set_flag},
    {{"broken-quote-signature", SIM_SCOPE_MACHINE,
      "report data is right, the quote's signature is not"},
     set_flag},
    {{"agent:FAULT", SIM_SCOPE_MACHINE,
      "answers of the dstack agent: slow:MS, silent, truncated, oversized, malformed, status:N"},
     set_agent},
    {{"tsm:FAULT", SIM_SCOPE_MACHINE,
      "outblob fails: EBUSY, ETIMEDOUT, EINTR, EIO, EINVAL, EFBIG, ENXIO (:N = N times), empty, "
      "silent, slow:MS"},
     set_tsm},
    {{"pcs:FAULT", SIM_SCOPE_MACHINE | SIM_SCOPE_PCS,
      "answers of the collateral service, faults as for the agent"},
     set_pcs},
    {{"qe-identity:STATE", SIM_SCOPE_PCS, "QE identity, states as for tcb-info"}, set_qe_identity},
    {{"pck-crl:STATE", SIM_SCOPE_PCS, "CRL of the PCK CA, states as for tcb-info"}, set_pck_crl},
    {{"root-crl:STATE", SIM_SCOPE_PCS, "CRL of the root CA, states as for tcb-info"}, set_root_crl},
    {{"revoked-ca", SIM_SCOPE_PCS, "the PCK CAs are in the root CRL"}, set_flag},
    {{"revoked-tcb-signing", SIM_SCOPE_PCS, "the TCB signing certificate is in the root CRL"},
     set_flag},
    {{"none", SIM_SCOPE_MACHINE | SIM_SCOPE_PCS, "all faults off (only useful at run time)"},
     set_none},
};

static bool split(struct slice text, struct word *out)
{
    *out = (struct word){.count = 1};
    size_t begin = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == ':') {
            if (out->count == 3)
                return false;
            out->part[out->count - 1] = slice_cut(text, begin, i - begin);
            out->count++;
            begin = i + 1;
        }
    }
    out->part[out->count - 1] = slice_cut(text, begin, text.len - begin);
    return true;
}

/* "tcb-info:STATE" is the row of the word "tcb-info". */
static bool row_is(const struct row *row, const struct word *w)
{
    size_t len = strcspn(row->help.word, ":");
    bool wants_more = row->help.word[len] == ':';
    return w->part[0].len == len && memcmp(w->part[0].data, row->help.word, len) == 0 &&
           wants_more == (w->count > 1);
}

bool sim_scenario_apply(struct sim_scenario *s, enum sim_scope scope, struct slice word,
                        struct error *err)
{
    struct word w;
    int len = word.len > 64 ? 64 : (int)word.len;
    const char *text = (const char *)word.data;
    if (word.len == 0 || !split(word, &w))
        return error_set(err, "sim/scenario", "scenario", "'%.*s' is not a scenario", len,
                         len == 0 ? "" : text);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!row_is(&rows[i], &w))
            continue;
        if ((rows[i].help.scopes & scope) == 0)
            return error_set(err, "sim/scenario", "scenario", "'%.*s' is for %s", len, text,
                             scope == SIM_SCOPE_PCS ? "machines, not for the service"
                                                    : "the collateral service (--pcs)");
        return rows[i].set(s, &w) ||
               error_set(err, "sim/scenario", "scenario", "'%.*s' is not of the form %s (%s)", len,
                         text, rows[i].help.word, rows[i].help.meaning);
    }
    return error_set(err, "sim/scenario", "scenario",
                     "'%.*s' is not a scenario; `mero-sim scenarios` lists them", len, text);
}

const struct sim_scenario_help *sim_scenario_help(size_t i)
{
    return i < sizeof rows / sizeof rows[0] ? &rows[i].help : NULL;
}
