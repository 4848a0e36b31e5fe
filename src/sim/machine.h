/* One simulated confidential VM: its platform (PCK, attestation key), its measurements, its event
 * log and application keys, and the scenario it plays. Two kinds: a dstack VM (event log, RTMR3 per
 * instance, agent socket) and a plain TDX VM as on GCP (configfs-tsm, RTMR3 fixed per profile).
 * Every function locks the machine: agent, configfs and collateral service may call at once. */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <pthread.h>

#include "base/file.h"
#include "sim/event_log.h"
#include "sim/pki.h"
#include "sim/quote.h"
#include "sim/scenario.h"

enum sim_machine_type { SIM_MACHINE_DSTACK, SIM_MACHINE_GCP };

enum { SIM_APP_KEY_LEN = 32, SIM_REGISTERS = 5, SIM_REGISTER_LEN = 48 };

struct sim_machine_options {
    char name[SIM_MACHINE_NAME_MAX]; /* [a-z0-9-] */
    enum sim_machine_type type;
    char agent_path[PATH_TEXT_MAX];   /* socket; "auto" = DIR/NAME.sock, "none"; empty = by type */
    char tsm_path[PATH_TEXT_MAX];     /* mount point; "auto" = DIR/NAME.tsm, "none", "try" = auto
                                         or none; empty = by type */
    char compose_path[PATH_TEXT_MAX]; /* app-compose text; empty = made up */
    unsigned agent_version;           /* 508 = 0.5.8; decides what the agent offers */
    uint16_t quote_version;           /* 4 or 5 */
    char seed[64];                    /* measurements follow from seed and name */
    bool given[SIM_REGISTERS];        /* MRTD, RTMR0-3 fixed by the caller */
    uint8_t value[SIM_REGISTERS][SIM_REGISTER_LEN];
    bool has_app_key;
    uint8_t app_key[SIM_APP_KEY_LEN];
    struct sim_scenario scenario;
};

/* 1 to 47 of a-z, 0-9 and '-'. */
bool sim_machine_name_is_good(const char *name);
/* dstack 0.5.8, v4 quotes, no faults. Code sim/machine for a name that is not [a-z0-9-]+. */
bool sim_machine_defaults(struct sim_machine_options *options, const char *name,
                          struct error *err) MUST_USE;
/* Sets one key: type, agent, tsm, agent-version, quote, seed, compose, app-key, mrtd, rtmr0-3,
 * scenario (may come again). Codes sim/machine, sim/scenario. */
bool sim_machine_set(struct sim_machine_options *options, const char *key, struct slice value,
                     struct error *err) MUST_USE;

struct sim_machine {
    struct sim_machine_options options; /* scenario: use the functions */
    const struct sim_pki *pki;          /* borrowed */
    struct sim_issued pck;
    struct sim_key *attestation_key;
    pthread_mutex_t lock;
    struct buf compose; /* app-compose text */
    uint8_t compose_hash[32], app_id[20], os_image_hash[32], device_id[32];
    uint8_t app_key[SIM_APP_KEY_LEN];
    /* below, and options.scenario: under the lock */
    struct sim_td_report td; /* measurements as they are now */
    struct sim_event_log log;
    uint8_t instance_id[20];
};

/* Boots the machine. On success the struct must not move (it holds a mutex). */
bool sim_machine_start(struct sim_machine *m, const struct sim_machine_options *options,
                       const struct sim_pki *pki, struct error *err) MUST_USE;
void sim_machine_stop(struct sim_machine *m);

/* What an agent of this version offers (platform facts 1.1). */
bool sim_machine_emits_events(const struct sim_machine *m);
bool sim_machine_has_version_method(const struct sim_machine *m);
bool sim_machine_strips_log(const struct sim_machine *m);

/* A quote as this machine's scenario wants it. */
bool sim_machine_quote(struct sim_machine *m, const uint8_t report_data[64], struct buf *out,
                       struct error *err) MUST_USE;
/* The same with the event log that goes with it, even while events are being emitted. */
bool sim_machine_quote_and_log(struct sim_machine *m, const uint8_t report_data[64], bool stripped,
                               struct buf *quote, struct buf *log_json, struct error *err) MUST_USE;
/* Log entry and RTMR3 in one step. */
bool sim_machine_emit(struct sim_machine *m, const char *event, struct slice payload,
                      struct error *err) MUST_USE;
bool sim_machine_event_log(struct sim_machine *m, bool stripped, struct buf *json,
                           struct error *err) MUST_USE;
/* MRTD, RTMR0-3 as they are now. */
void sim_machine_registers(struct sim_machine *m, uint8_t out[SIM_REGISTERS][SIM_REGISTER_LEN]);
void sim_machine_instance_id(struct sim_machine *m, uint8_t out[20]);
/* HKDF-SHA256(salt "RATLS", app key, path): what GetKey answers (platform facts 1.4). */
bool sim_app_key_derive(const uint8_t app_key[SIM_APP_KEY_LEN], struct slice path,
                        uint8_t out[SIM_APP_KEY_LEN], struct error *err) MUST_USE;

/* A copy of the scenario; sets a new one. Other measurements are a reboot: the application's events
 * are gone. */
struct sim_scenario sim_machine_scenario(struct sim_machine *m);
bool sim_machine_set_scenario(struct sim_machine *m, const struct sim_scenario *scenario,
                              struct error *err) MUST_USE;
/* Counts one read of outblob: true while its errno fault applies. */
bool sim_machine_tsm_fails(struct sim_machine *m, int *out_errno);

#endif
