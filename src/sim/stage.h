/* The cast: all machines of one process below one PKI, and what the collateral service says about
 * them. Scenarios become collateral here. */
#ifndef SIM_STAGE_H
#define SIM_STAGE_H

#include "sim/collateral.h"
#include "sim/machine.h"

struct sim_stage {
    struct sim_pki pki;
    struct sim_machine machines[SIM_MACHINES_MAX];
    size_t count;
    pthread_mutex_t lock;
    struct sim_scenario pcs; /* under lock */
};

/* state_dir: see sim_pki_open(). `machines` are copied. Names must differ (sim/machine). The struct
 * must not move afterwards. */
bool sim_stage_open(struct sim_stage *stage, const char *state_dir, const uint8_t *wanted_seed,
                    const struct sim_machine_options *machines, size_t count,
                    const struct sim_scenario *pcs, struct error *err) MUST_USE;
void sim_stage_close(struct sim_stage *stage);

/* NULL when there is none. */
struct sim_machine *sim_stage_machine(struct sim_stage *stage, const char *name);
struct sim_machine *sim_stage_fmspc(struct sim_stage *stage, const uint8_t fmspc[6]);

struct sim_scenario sim_stage_scenario(struct sim_stage *stage);
void sim_stage_set_scenario(struct sim_stage *stage, const struct sim_scenario *pcs);

/* Collateral as of now for one machine; machine NULL: what does not depend on one. `early`: the TCB
 * info of the next evaluation number. */
void sim_stage_collateral(struct sim_stage *stage, struct sim_machine *machine,
                          enum sim_role pck_ca, bool tdx, bool early,
                          struct sim_collateral_spec *out);

#endif
