/* The dstack guest agent of one machine on a unix socket (platform facts 1): GetKey, GetQuote,
 * EmitEvent, Info, Version with the error shapes of the real one. Which methods there are and what
 * GetQuote leaves out of the event log depends on the machine's agent version. Not played: the
 * protobuf encoding, GetTlsKey, Attest, Sign, Verify; they answer as unknown methods do. */
#ifndef SIM_AGENT_H
#define SIM_AGENT_H

#include "sim/later.h"
#include "sim/machine.h"

struct sim_agent;

/* socket_path: replaced when nobody listens on it, mode 0777 as on a real guest. `machine` and
 * `later` must outlive the agent. */
bool sim_agent_start(struct sim_machine *machine, struct sim_later *later, const char *socket_path,
                     struct sim_agent **out, struct error *err) MUST_USE;
/* End `later` first. */
void sim_agent_stop(struct sim_agent **agent);

#endif
