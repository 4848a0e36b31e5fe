/* Everything that `mero-sim run` plays, in one object: the stage, the collateral service, the
 * agents and the configfs mounts of all machines. Also used in-process by tests. */
#ifndef SIM_SERVICE_H
#define SIM_SERVICE_H

#include "sim/cast.h"
#include "sim/stage.h"

struct sim_service;

struct sim_service_options {
    const char *dir;    /* state directory, see sim_pki_open(); sockets and mounts go there, too */
    const char *listen; /* collateral service; NULL = "127.0.0.1:0" */
    const struct sim_cast_view *cast; /* read during start only */
};

/* All up, or nothing: on failure everything that was started is ended. */
bool sim_service_start(const struct sim_service_options *options, struct sim_service **out,
                       struct error *err) MUST_USE;
/* Answers what still waits, closes sockets, unmounts. NULL is fine. */
void sim_service_stop(struct sim_service **service);

/* One JSON object with what a script needs; borrowed:
 * {"schema":"mero.sim/1","pid":N,"root_pem":PATH,"pcs_url":URL,"machines":[{"name","type",
 *  "agent_socket":PATH|null,"tsm_root":PATH|null,"fmspc","app_id","compose_hash",
 *  "measurements":{"mrtd","rtmr0".."rtmr3"}}]}; measurements as booted; app_id and
 * compose_hash of dstack machines only. */
struct slice sim_service_page(const struct sim_service *service);
/* One JSON object per machine and line, the members of the page that need no running service:
 * name, type, app_id, compose_hash, measurements. */
bool sim_measurements_write(const struct sim_cast_view *cast, struct buf *out,
                            struct error *err) MUST_USE;
struct sim_stage *sim_service_stage(struct sim_service *service);

#endif
