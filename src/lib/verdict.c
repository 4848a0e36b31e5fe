/* merotee/dcap.h: verdicts. */
#include <stdlib.h>

#include "lib/lib.h"

/* Public statuses are ours plus one: 0 is no verdict at all. */
LIB_SAME(MEROTEE_TCB_UP_TO_DATE, TCB_UP_TO_DATE + 1);
LIB_SAME(MEROTEE_TCB_SW_HARDENING_NEEDED, TCB_SW_HARDENING_NEEDED + 1);
LIB_SAME(MEROTEE_TCB_CONFIGURATION_NEEDED, TCB_CONFIGURATION_NEEDED + 1);
LIB_SAME(MEROTEE_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
         TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED + 1);
LIB_SAME(MEROTEE_TCB_OUT_OF_DATE, TCB_OUT_OF_DATE + 1);
LIB_SAME(MEROTEE_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, TCB_OUT_OF_DATE_CONFIGURATION_NEEDED + 1);
LIB_SAME(MEROTEE_TCB_TD_RELAUNCH_ADVISED, TCB_TD_RELAUNCH_ADVISED + 1);
LIB_SAME(MEROTEE_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
         TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED + 1);
LIB_SAME(TCB_REVOKED, TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED + 1); /* the first without one */

static enum merotee_tcb_status public_status(enum tcb_status status)
{
    return status < TCB_REVOKED ? (enum merotee_tcb_status)(status + 1) : MEROTEE_TCB_NONE;
}

const char *merotee_tcb_status_name(enum merotee_tcb_status status)
{
    bool known = status > MEROTEE_TCB_NONE && (unsigned)status <= TCB_REVOKED;
    return known ? tcb_status_name((enum tcb_status)(status - 1)) : "none";
}

struct merotee_verdict *merotee_verdict_new(void)
{
    return calloc(1, sizeof(struct merotee_verdict));
}

void merotee_verdict_free(struct merotee_verdict *verdict)
{
    free(verdict);
}

/* An empty verdict reads as this one. */
static const struct verdict *says(const struct merotee_verdict *verdict)
{
    static const struct verdict nothing;
    return verdict->filled ? &verdict->says : &nothing;
}

enum merotee_tcb_status merotee_verdict_status(const struct merotee_verdict *verdict,
                                               enum merotee_status_of whose)
{
    const struct verdict *v = &verdict->says;
    if (!verdict->filled)
        return MEROTEE_TCB_NONE;
    switch (whose) {
    case MEROTEE_STATUS_OF_ALL:
        return public_status(v->status);
    case MEROTEE_STATUS_OF_PLATFORM:
        return public_status(v->platform_status);
    case MEROTEE_STATUS_OF_TDX_MODULE:
        return v->has_module_status ? public_status(v->module_status) : MEROTEE_TCB_NONE;
    case MEROTEE_STATUS_OF_QE:
        return public_status(v->qe_status);
    case MEROTEE_STATUS_OF_CURRENT:
        return v->has_current_status ? public_status(v->current_status) : MEROTEE_TCB_NONE;
    }
    return MEROTEE_TCB_NONE;
}

const char *merotee_verdict_advisory(const struct merotee_verdict *verdict, size_t i)
{
    return i < says(verdict)->advisory_count ? says(verdict)->advisories[i] : NULL;
}

const char *merotee_verdict_current_advisory(const struct merotee_verdict *verdict, size_t i)
{
    return i < says(verdict)->current_advisory_count ? says(verdict)->current_advisories[i] : NULL;
}

bool merotee_verdict_gap(const struct merotee_verdict *verdict, size_t i, const char **what,
                         uint32_t *has, uint32_t *needs)
{
    if (i >= says(verdict)->gap_count)
        return false;
    const struct svn_gap *gap = &says(verdict)->gaps[i];
    *what = gap->what;
    *has = gap->has;
    *needs = gap->needs;
    return true;
}

uint32_t merotee_verdict_evaluation_number(const struct merotee_verdict *verdict)
{
    return says(verdict)->tcb_evaluation_data_number;
}

int64_t merotee_verdict_tcb_date_s(const struct merotee_verdict *verdict)
{
    return says(verdict)->tcb_date_s;
}

int64_t merotee_verdict_expires_s(const struct merotee_verdict *verdict)
{
    return says(verdict)->earliest_expiry_s;
}

int64_t merotee_verdict_verified_at_s(const struct merotee_verdict *verdict)
{
    return says(verdict)->verified_at_s;
}

enum merotee_tee merotee_verdict_tee(const struct merotee_verdict *verdict)
{
    if (!verdict->filled)
        return MEROTEE_TEE_NONE;
    return verdict->says.tee == TEE_TDX ? MEROTEE_TEE_TDX : MEROTEE_TEE_SGX;
}

enum merotee_body merotee_verdict_body(const struct merotee_verdict *verdict)
{
    return (enum merotee_body)says(verdict)->body_type;
}

unsigned merotee_verdict_quote_version(const struct merotee_verdict *verdict)
{
    return says(verdict)->quote_version;
}

/* The field of a filled verdict, whether its quote has it or not. */
static struct slice find_field(const struct verdict *v, enum merotee_field field)
{
    const struct slice fields[MEROTEE_FIELD_COUNT] = {
        [MEROTEE_FIELD_REPORT_DATA] = {v->report_data, sizeof v->report_data},
        [MEROTEE_FIELD_MRTD] = {v->mrtd, sizeof v->mrtd},
        [MEROTEE_FIELD_RTMR0] = {v->rtmr[0], sizeof v->rtmr[0]},
        [MEROTEE_FIELD_RTMR1] = {v->rtmr[1], sizeof v->rtmr[1]},
        [MEROTEE_FIELD_RTMR2] = {v->rtmr[2], sizeof v->rtmr[2]},
        [MEROTEE_FIELD_RTMR3] = {v->rtmr[3], sizeof v->rtmr[3]},
        [MEROTEE_FIELD_MRSEAM] = {v->mrseam, sizeof v->mrseam},
        [MEROTEE_FIELD_MRSIGNERSEAM] = {v->mrsignerseam, sizeof v->mrsignerseam},
        [MEROTEE_FIELD_SEAMATTRIBUTES] = {v->seamattributes, sizeof v->seamattributes},
        [MEROTEE_FIELD_TDATTRIBUTES] = {v->tdattributes, sizeof v->tdattributes},
        [MEROTEE_FIELD_XFAM] = {v->xfam, sizeof v->xfam},
        [MEROTEE_FIELD_MRCONFIGID] = {v->mrconfigid, sizeof v->mrconfigid},
        [MEROTEE_FIELD_MROWNER] = {v->mrowner, sizeof v->mrowner},
        [MEROTEE_FIELD_MROWNERCONFIG] = {v->mrownerconfig, sizeof v->mrownerconfig},
        [MEROTEE_FIELD_MRSERVICETD] = {v->mrservicetd, sizeof v->mrservicetd},
        [MEROTEE_FIELD_TEE_TCB_SVN] = {v->tee_tcb_svn, sizeof v->tee_tcb_svn},
        [MEROTEE_FIELD_TEE_TCB_SVN2] = {v->tee_tcb_svn2, sizeof v->tee_tcb_svn2},
        [MEROTEE_FIELD_MRENCLAVE] = {v->mrenclave, sizeof v->mrenclave},
        [MEROTEE_FIELD_MRSIGNER] = {v->mrsigner, sizeof v->mrsigner},
        [MEROTEE_FIELD_SGX_ATTRIBUTES] = {v->sgx_attributes, sizeof v->sgx_attributes},
        [MEROTEE_FIELD_FMSPC] = {v->fmspc, sizeof v->fmspc},
        [MEROTEE_FIELD_PCEID] = {v->pceid, sizeof v->pceid},
        [MEROTEE_FIELD_PPID] = {v->ppid, sizeof v->ppid},
        [MEROTEE_FIELD_PLATFORM_INSTANCE_ID] = {v->platform_instance_id,
                                                sizeof v->platform_instance_id},
    };
    return (unsigned)field < MEROTEE_FIELD_COUNT ? fields[field] : (struct slice){NULL, 0};
}

static bool has_field(const struct verdict *v, enum merotee_field field)
{
    bool td_15 = v->body_type == QUOTE_BODY_TD_15 || v->body_type == QUOTE_BODY_TD_15_EX;
    if (field == MEROTEE_FIELD_PLATFORM_INSTANCE_ID)
        return v->has_platform_instance_id;
    if (field == MEROTEE_FIELD_MRSERVICETD || field == MEROTEE_FIELD_TEE_TCB_SVN2)
        return td_15;
    if (field >= MEROTEE_FIELD_MRTD && field <= MEROTEE_FIELD_TEE_TCB_SVN2)
        return v->tee == TEE_TDX;
    if (field >= MEROTEE_FIELD_MRENCLAVE && field <= MEROTEE_FIELD_SGX_ATTRIBUTES)
        return v->tee == TEE_SGX;
    return true;
}

const uint8_t *merotee_verdict_field(const struct merotee_verdict *verdict,
                                     enum merotee_field field, size_t *len)
{
    struct slice found = {NULL, 0};
    if (verdict->filled && has_field(&verdict->says, field))
        found = find_field(&verdict->says, field);
    if (len != NULL)
        *len = found.len;
    return found.data;
}

unsigned merotee_verdict_isv_prod_id(const struct merotee_verdict *verdict)
{
    return says(verdict)->isvprodid;
}

unsigned merotee_verdict_isv_svn(const struct merotee_verdict *verdict)
{
    return says(verdict)->isvsvn;
}

uint32_t merotee_verdict_misc_select(const struct merotee_verdict *verdict)
{
    return says(verdict)->miscselect;
}

bool merotee_verdict_check_nonce(const struct merotee_verdict *verdict, const void *nonce,
                                 size_t len, struct merotee_error *err)
{
    if (!verdict->filled)
        return lib_refuse(err, "verdict/empty", NULL, "the verdict is empty: nothing was verified");
    if (len == 0 || len > sizeof verdict->says.report_data)
        return lib_refuse(err, "usage", "len", "a nonce has 1 to 64 bytes");
    return bytes_equal_ct(verdict->says.report_data, nonce, len) ||
           lib_refuse(err, "binding/nonce", "report_data",
                      "the report data does not start with the nonce");
}
