/*
 * Who is played, as JSON: kept in the state directory so that later commands know it, and the same
 * thing that a --file may hold:
 *
 *   {"seed": "text",
 *    "machines": [{"name": "kms", "type": "dstack", "scenario": ["agent:slow:2000"]}, ...],
 *    "pcs": ["pck-crl:expired", ...]}
 *
 * Members of a machine are the keys of sim_machine_set(); a list sets its key once per element.
 */
#ifndef SIM_CAST_H
#define SIM_CAST_H

#include "base/json.h"
#include "sim/machine.h"

struct sim_cast {
    json_t *json; /* owned */
};
#define SIM_CAST_AUTO __attribute__((cleanup(sim_cast_free)))

bool sim_cast_new(struct sim_cast *cast, struct error *err) MUST_USE;
/* Takes over a document; its shape is checked by sim_cast_read(). */
bool sim_cast_parse(struct sim_cast *cast, struct slice text, struct error *err) MUST_USE;
void sim_cast_free(struct sim_cast *cast);

/* Adds "name=kms,type=gcp,scenario=debug-td,...". Code sim/machine. */
bool sim_cast_add_machine(struct sim_cast *cast, const char *text, struct error *err) MUST_USE;
bool sim_cast_add_pcs(struct sim_cast *cast, const char *word, struct error *err) MUST_USE;
bool sim_cast_set_seed(struct sim_cast *cast, const char *seed, struct error *err) MUST_USE;

/* What it says. seed is empty when there is none. Machines without a seed of their own get it. */
struct sim_cast_view {
    char seed[64];
    struct sim_machine_options machines[SIM_MACHINES_MAX];
    size_t count;
    struct sim_scenario pcs;
};
bool sim_cast_read(const struct sim_cast *cast, struct sim_cast_view *out,
                   struct error *err) MUST_USE;

#endif
