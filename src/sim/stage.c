/* Scenarios become collateral. */
#include "sim/stage.h"

#include <string.h>

#include "base/clock.h"
#include "sim/days.h"

enum { EXPIRED_DAYS = 10, ROLLED_BACK_DAYS = 20, PERIOD_DAYS = 30 };

static bool names_differ(const struct sim_machine_options *machines, size_t count,
                         struct error *err)
{
    if (count > SIM_MACHINES_MAX)
        return error_set(err, "sim/limit", "--machine", "at most %d machines", SIM_MACHINES_MAX);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(machines[i].name, machines[k].name) == 0)
                return error_set(err, "sim/machine", "name", "two machines are named '%s'",
                                 machines[i].name);
    return true;
}

bool sim_stage_open(struct sim_stage *stage, const char *state_dir, const uint8_t *wanted_seed,
                    const struct sim_machine_options *machines, size_t count,
                    const struct sim_scenario *pcs, struct error *err)
{
    if (!names_differ(machines, count, err))
        return false;
    memset(stage, 0, sizeof *stage);
    if (!sim_pki_open(&stage->pki, state_dir, wanted_seed, clock_unix_s(), err))
        return false;
    stage->pcs = *pcs;
    pthread_mutex_init(&stage->lock, NULL);
    for (size_t i = 0; i < count; i++) {
        if (!sim_machine_start(&stage->machines[i], &machines[i], &stage->pki, err)) {
            error_prefix(err, "machine %s", machines[i].name);
            sim_stage_close(stage);
            return false;
        }
        stage->count++;
    }
    return true;
}

void sim_stage_close(struct sim_stage *stage)
{
    for (size_t i = 0; i < stage->count; i++)
        sim_machine_stop(&stage->machines[i]);
    stage->count = 0;
    sim_pki_free(&stage->pki);
    pthread_mutex_destroy(&stage->lock);
}

struct sim_machine *sim_stage_machine(struct sim_stage *stage, const char *name)
{
    for (size_t i = 0; i < stage->count; i++)
        if (strcmp(stage->machines[i].options.name, name) == 0)
            return &stage->machines[i];
    return NULL;
}

struct sim_machine *sim_stage_fmspc(struct sim_stage *stage, const uint8_t fmspc[6])
{
    for (size_t i = 0; i < stage->count; i++)
        if (memcmp(stage->machines[i].pck.spec.sgx.fmspc, fmspc, 6) == 0)
            return &stage->machines[i];
    return NULL;
}

struct sim_scenario sim_stage_scenario(struct sim_stage *stage)
{
    pthread_mutex_lock(&stage->lock);
    struct sim_scenario copy = stage->pcs;
    pthread_mutex_unlock(&stage->lock);
    return copy;
}

void sim_stage_set_scenario(struct sim_stage *stage, const struct sim_scenario *pcs)
{
    pthread_mutex_lock(&stage->lock);
    stage->pcs = *pcs;
    pthread_mutex_unlock(&stage->lock);
}

/* --- from scenario to collateral --- */

/* Moves a period; *evaluation_number (may be NULL) goes down with a roll-back. */
static void stage_dates(enum sim_document_state state, int64_t now_s, int64_t *from, int64_t *to,
                        uint32_t *evaluation_number)
{
    int64_t today = sim_day_start(now_s);
    switch (state) {
    case SIM_DOCUMENT_EXPIRED:
        *from = today - (PERIOD_DAYS + EXPIRED_DAYS) * (int64_t)DAY_S;
        *to = today - EXPIRED_DAYS * (int64_t)DAY_S;
        break;
    case SIM_DOCUMENT_NOT_YET_VALID:
        *from = today + DAY_S;
        *to = today + (1 + PERIOD_DAYS) * (int64_t)DAY_S;
        break;
    case SIM_DOCUMENT_ROLLED_BACK:
        *from = today - ROLLED_BACK_DAYS * (int64_t)DAY_S;
        *to = *from + PERIOD_DAYS * (int64_t)DAY_S;
        if (evaluation_number != NULL)
            *evaluation_number -= 1;
        break;
    default:
        break;
    }
}

static void stage_crl(enum sim_document_state state, int64_t now_s, struct sim_crl_spec *crl)
{
    stage_dates(state, now_s, &crl->this_update_s, &crl->next_update_s, NULL);
    crl->broken_signature = state == SIM_DOCUMENT_BAD_SIGNATURE;
}

/* The platform's own level gets the status; above it appears one that it does not reach. */
static void stage_status(struct sim_tcb_info *info, const char *status)
{
    static const char *const advisories[2] = {"INTEL-SA-01192", "INTEL-SA-01245"};
    if (status == NULL || strcmp(status, "UpToDate") == 0 || info->level_count == SIM_LEVELS_MAX)
        return;
    memmove(&info->levels[1], &info->levels[0], info->level_count * sizeof info->levels[0]);
    info->level_count++;
    info->levels[0].sgx[0]++;
    info->levels[0].date_s += YEAR_S;
    info->levels[1].status = status;
    info->levels[1].advisories[0] = advisories[0];
    info->levels[1].advisories[1] = advisories[1];
}

static bool revoke(struct sim_crl_spec *crl, const struct sim_issued *issued)
{
    return sim_crl_revoke(crl, &issued->spec.serial, NULL);
}

static void stage_revocations(struct sim_stage *stage, const struct sim_scenario *pcs,
                              struct sim_collateral_spec *out)
{
    bool room = true;
    for (size_t i = 0; i < stage->count && out->pck_ca == SIM_PLATFORM_CA; i++)
        if (sim_machine_scenario(&stage->machines[i]).revoked_pck)
            room = revoke(&out->pck_crl, &stage->machines[i].pck) && room;
    if (pcs->revoked_ca)
        room = revoke(&out->root_crl, &stage->pki.cert[SIM_PLATFORM_CA]) &&
               revoke(&out->root_crl, &stage->pki.cert[SIM_PROCESSOR_CA]) && room;
    if (pcs->revoked_tcb_signing)
        room = revoke(&out->root_crl, &stage->pki.cert[SIM_TCB_SIGNING]) && room;
    (void)room; /* SIM_MACHINES_MAX is far below SIM_REVOKED_MAX */
}

static void stage_tcb_info(struct sim_machine *machine, bool early, int64_t now_s,
                           struct sim_collateral_spec *out)
{
    struct sim_scenario s = sim_machine_scenario(machine);
    struct sim_tcb_info *info = &out->tcb_info;
    stage_dates(s.tcb_info, now_s, &info->issue_s, &info->next_update_s, &info->evaluation_number);
    stage_status(info, early && s.early_status != NULL ? s.early_status : s.tcb_status);
    if (early)
        info->evaluation_number++;
    if (s.tcb_info == SIM_DOCUMENT_BAD_SIGNATURE)
        out->tcb_info_signer = machine->attestation_key;
}

void sim_stage_collateral(struct sim_stage *stage, struct sim_machine *machine,
                          enum sim_role pck_ca, bool tdx, bool early,
                          struct sim_collateral_spec *out)
{
    static const uint8_t nobody[6] = {0};
    int64_t now_s = clock_unix_s();
    struct sim_scenario pcs = sim_stage_scenario(stage);
    sim_collateral_defaults(out, &stage->pki, pck_ca, tdx,
                            machine == NULL ? nobody : machine->pck.spec.sgx.fmspc, now_s);
    if (machine != NULL)
        stage_tcb_info(machine, early, now_s, out);
    struct sim_qe_identity *qe = &out->qe_identity;
    stage_dates(pcs.qe_identity, now_s, &qe->issue_s, &qe->next_update_s, &qe->evaluation_number);
    if (pcs.qe_identity == SIM_DOCUMENT_BAD_SIGNATURE)
        out->qe_identity_signer = stage->pki.cert[SIM_PROCESSOR_CA].key;
    stage_crl(pcs.pck_crl, now_s, &out->pck_crl);
    stage_crl(pcs.root_crl, now_s, &out->root_crl);
    stage_revocations(stage, &pcs, out);
}
