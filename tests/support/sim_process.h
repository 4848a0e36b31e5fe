/* A simulator in a process of its own, for tests that read its configfs mounts (the reader must not
 * be the server) or that want to see it die. Start it before the test has threads. It ends when the
 * test's process does, however that ends. */
#ifndef SUPPORT_SIM_PROCESS_H
#define SUPPORT_SIM_PROCESS_H

#include <sys/types.h>

#include "sim/cast.h"

struct sim_process {
    pid_t pid;
    json_t *page; /* owned: what sim_service_page() says */
    char pcs_url[128];
    char root_pem[256];
};

/* Plays `machines` (each as for --machine) in the state directory `dir`. On failure *err has the
 * child's own words. */
bool sim_process_start(struct sim_process *p, const char *dir, const char *const *machines,
                       size_t count, struct error *err) MUST_USE;
/* SIGTERM, waits; true when it ended well. */
bool sim_process_stop(struct sim_process *p);

/* Replaces the scenario of `who` ("machines/NAME" or "pcs") by these words: "a b c", "" = none.
 * Fails the test when it is refused. */
void sim_process_play(const struct sim_process *p, const char *who, const char *words);
/* Member of a machine in the page: "agent_socket", "tsm_root"; NULL when it is null or missing. */
const char *sim_process_text(const struct sim_process *p, const char *machine, const char *member);

#endif
