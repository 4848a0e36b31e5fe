/* A simulated machine: boot, measurements, event log, quotes. Platform facts 1.4, 2 and 5. */
#include "sim/machine.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/hash.h"
#include "sim/world.h"

enum {
    DSTACK_PADDED_LEN = 5006, /* v4 quotes come in a buffer for v5 */
    GCP_PADDED_LEN = 8000,    /* the kernel's 8 KiB buffer less its header */
    RELAUNCH_MICROCODE = 5,   /* an OutOfDate level of the default TCB info */
};

/* Firmware events in the order and number of a dstack VM's log: register and event type. */
static const struct {
    unsigned imr;
    uint32_t type;
} firmware_events[] = {
    {0, 0x8000000b}, {0, 0x8000000a}, {0, 0x80000001}, {0, 0x80000001}, {0, 0x80000001},
    {0, 0x80000001}, {0, 0x80000001}, {0, 4},          {0, 10},         {0, 10},
    {0, 10},         {1, 0x80000003}, {0, 0x80000002}, {0, 0x80000002}, {1, 0x80000007},
    {1, 4},          {2, 6},          {2, 6},          {1, 0x80000007}, {1, 0x80000007},
};

/* Measurements follow from the measurement seed, the machine's name and what is measured alone, so
 * that they are known before any certificate exists. */
static void measure(const struct sim_machine *m, const char *what, size_t index, bool other,
                    uint8_t out[SHA384_LEN])
{
    char label[256];
    snprintf(label, sizeof label, "mero-sim/%s/%s/%s/%zu%s", m->options.seed, m->options.name, what,
             index, other ? "/other" : "");
    sha384(slice_str(label), out);
}

static bool is_other(const struct sim_machine *m, unsigned bit)
{
    return (m->options.scenario.other_registers & bit) != 0;
}

static bool load_compose(struct sim_machine *m, struct error *err)
{
    if (m->options.compose_path[0] != '\0')
        return file_read(m->options.compose_path, &m->compose, err);
    buf_printf(&m->compose,
               "{\"manifest_version\":2,\"name\":\"%s\",\"runner\":\"docker-compose\","
               "\"docker_compose_file\":\"services:\\n  %s:\\n    image: example/%s:%s\\n\","
               "\"kms_enabled\":true,\"gateway_enabled\":true,\"public_logs\":true,"
               "\"public_sysinfo\":true,\"local_key_provider_enabled\":false,"
               "\"allowed_envs\":[],\"no_instance_id\":false}",
               m->options.name, m->options.name, m->options.name,
               m->options.seed[0] == '\0' ? "latest" : m->options.seed);
    return !m->compose.failed || error_set(err, "sim/limit", "compose", "app-compose is too long");
}

static bool make_app_key(struct sim_machine *m, struct error *err)
{
    char label[64];
    char app_id[41];
    hex_encode(slice_of(m->app_id, sizeof m->app_id), app_id);
    snprintf(label, sizeof label, "app-key/%s", app_id);
    if (m->options.has_app_key) {
        memcpy(m->app_key, m->options.app_key, sizeof m->app_key);
        return true;
    }
    return sim_derive_bytes(m->pki->seed, label, m->app_key, sizeof m->app_key, err);
}

/* What stays the same over reboots. */
static bool identify(struct sim_machine *m, struct error *err)
{
    uint8_t bytes[SHA384_LEN];
    if (!load_compose(m, err))
        return false;
    sha256(buf_slice(&m->compose), m->compose_hash);
    memcpy(m->app_id, m->compose_hash, sizeof m->app_id);
    measure(m, "os-image-hash", 0, false, bytes);
    memcpy(m->os_image_hash, bytes, sizeof m->os_image_hash);
    sha256(slice_of(m->pck.spec.sgx.ppid, sizeof m->pck.spec.sgx.ppid), m->device_id);
    return make_app_key(m, err);
}

static bool log_firmware(struct sim_machine *m, struct error *err)
{
    for (size_t i = 0; i < sizeof firmware_events / sizeof firmware_events[0]; i++) {
        static const uint8_t payload[4] = {0};
        unsigned imr = firmware_events[i].imr;
        uint8_t digest[SHA384_LEN];
        if (m->options.given[1 + imr])
            continue;
        measure(m, "firmware-event", i, is_other(m, (unsigned)SIM_OTHER_RTMR0 << imr), digest);
        if (!sim_log_firmware(&m->log, imr, firmware_events[i].type, digest,
                              slice_of(payload, sizeof payload), err))
            return false;
    }
    return true;
}

static unsigned log_version(const struct sim_machine *m)
{
    return m->options.agent_version >= 600 ? 2 : 1;
}

/* The runtime events of dstack 0.4.2-0.5.11 (platform facts 2.3). */
static bool log_boot(struct sim_machine *m, struct error *err)
{
    static const char provider_id[] = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    char provider[256];
    snprintf(provider, sizeof provider, "{\"name\":\"kms\",\"id\":\"%s\"}", provider_id);
    const struct {
        const char *name;
        struct slice payload;
        unsigned since;
    } events[] = {
        {"system-preparing", slice_str(""), 0},
        {"app-id", slice_of(m->app_id, sizeof m->app_id), 0},
        {"compose-hash", slice_of(m->compose_hash, sizeof m->compose_hash), 0},
        {"instance-id", slice_of(m->instance_id, sizeof m->instance_id), 0},
        {"boot-mr-done", slice_str(""), 0},
        {"os-image-hash", slice_of(m->os_image_hash, sizeof m->os_image_hash), 503},
        {"key-provider", slice_str(provider), 0},
        {"storage-fs", slice_str("zfs"), 505},
        {"system-ready", slice_str(""), 0},
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (m->options.agent_version >= events[i].since &&
            !sim_log_runtime(&m->log, log_version(m), events[i].name, events[i].payload, err))
            return false;
    return true;
}

/* What the init script of a GCP node image extends once:
 * SHA-384("calimero-rtmr3-v2:<role>:<profile>:<root hash>"). */
static void extend_profile(struct sim_machine *m)
{
    uint8_t root[SHA384_LEN];
    uint8_t digest[SHA384_LEN];
    char root_hex[65];
    char text[160];
    measure(m, "root-hash", 0, is_other(m, SIM_OTHER_RTMR3), root);
    hex_encode(slice_of(root, 32), root_hex);
    snprintf(text, sizeof text, "calimero-rtmr3-v2:node:locked-read-only:%s", root_hex);
    sha384(slice_str(text), digest);
    memset(m->td.rtmr[3], 0, SIM_RTMR_LEN);
    rtmr_extend(m->td.rtmr[3], digest);
}

static void set_gcp_registers(struct sim_machine *m)
{
    for (size_t i = 0; i < 3; i++)
        measure(m, "rtmr", i, is_other(m, (unsigned)SIM_OTHER_RTMR0 << i), m->td.rtmr[i]);
    extend_profile(m);
}

static bool set_dstack_registers(struct sim_machine *m, struct error *err)
{
    if (!log_firmware(m, err) || !log_boot(m, err))
        return false;
    for (unsigned i = 0; i < 4; i++)
        sim_log_replay(&m->log, i, m->td.rtmr[i]);
    if (m->options.agent_version >= 501) { /* MRCONFIGID V1: 01 | compose hash | zeros */
        m->td.mrconfigid[0] = 1;
        memcpy(m->td.mrconfigid + 1, m->compose_hash, sizeof m->compose_hash);
    }
    return true;
}

/* From power-on to the application's start. */
static bool boot(struct sim_machine *m, struct error *err)
{
    struct sim_quote_spec spec;
    uint8_t instance_id[SHA384_LEN];
    enum sim_body body = m->options.quote_version == 5 ? SIM_BODY_TD_15 : SIM_BODY_TD_10;
    sim_log_free(&m->log);
    sim_quote_defaults(&spec, m->options.quote_version, body);
    m->td = spec.td;
    measure(m, "mrtd", 0, is_other(m, SIM_OTHER_MRTD), m->td.mrtd);
    measure(m, "instance-id", 0, is_other(m, SIM_OTHER_RTMR3), instance_id);
    memcpy(m->instance_id, instance_id, sizeof m->instance_id);
    if (m->options.type == SIM_MACHINE_GCP)
        set_gcp_registers(m);
    else if (!set_dstack_registers(m, err))
        return false;
    for (size_t i = 0; i < SIM_REGISTERS; i++) {
        uint8_t *at = i == 0 ? m->td.mrtd : m->td.rtmr[i - 1];
        if (m->options.given[i])
            memcpy(at, m->options.value[i], SIM_REGISTER_LEN);
    }
    return true;
}

static bool scenario_fits(const struct sim_machine_options *options,
                          const struct sim_scenario *scenario, struct error *err)
{
    return !scenario->relaunch_advised || options->quote_version == 5 ||
           error_set(err, "sim/machine", "scenario",
                     "tcb:TDRelaunchAdvised needs the second TCB SVN of quote=5");
}

static bool check_options(const struct sim_machine_options *options, struct error *err)
{
    if (options->type == SIM_MACHINE_DSTACK && options->given[4])
        return error_set(err, "sim/machine", "rtmr3",
                         "RTMR3 of a dstack machine follows from its event log; use type=gcp");
    return scenario_fits(options, &options->scenario, err);
}

bool sim_machine_start(struct sim_machine *m, const struct sim_machine_options *options,
                       const struct sim_pki *pki, struct error *err)
{
    struct sim_sgx_extension sgx;
    char label[128];
    if (!check_options(options, err))
        return false;
    memset(m, 0, sizeof *m);
    m->options = *options;
    m->pki = pki;
    m->compose = BUF_INIT(SIM_COMPOSE_MAX);
    if (pthread_mutex_init(&m->lock, NULL) != 0)
        return error_set(err, "sim/memory", NULL, "no mutex for a machine");
    snprintf(label, sizeof label, "attestation/%s", options->name);
    if (!sim_platform_extension(pki->seed, options->name, &sgx, err) ||
        !sim_pck_create(&m->pck, pki, SIM_PLATFORM_CA, options->name, &sgx, err) ||
        !sim_key_derive(pki->seed, label, &m->attestation_key, err) || !identify(m, err) ||
        !boot(m, err)) {
        sim_machine_stop(m);
        return false;
    }
    return true;
}

void sim_machine_stop(struct sim_machine *m)
{
    sim_issued_free(&m->pck);
    sim_key_free(&m->attestation_key);
    sim_log_free(&m->log);
    buf_free(&m->compose);
    pthread_mutex_destroy(&m->lock);
}

bool sim_machine_emits_events(const struct sim_machine *m)
{
    return m->options.agent_version < 600;
}

bool sim_machine_has_version_method(const struct sim_machine *m)
{
    return m->options.agent_version >= 507;
}

bool sim_machine_strips_log(const struct sim_machine *m)
{
    return m->options.agent_version >= 506;
}

/* --- quotes --- */

static void stage_quote(const struct sim_scenario *s, struct sim_quote_spec *spec)
{
    if (s->module_out_of_date) {
        spec->td.tee_tcb_svn[0] = (uint8_t)(spec->td.tee_tcb_svn[0] - 2);
        spec->td.tee_tcb_svn2[0] = (uint8_t)(spec->td.tee_tcb_svn2[0] - 2);
    }
    if (s->relaunch_advised)
        spec->td.tee_tcb_svn[2] = RELAUNCH_MICROCODE;
    if (s->qe_out_of_date)
        spec->qe.isvsvn = 2;
    if (s->debug_td)
        spec->td.tdattributes[0] |= 1;
    if (s->wrong_report_data)
        spec->td.report_data[0] ^= 0xff;
    spec->broken_signature = s->broken_quote_signature;
}

/* All but the TD report, which is read under the lock. */
static void describe_quote(const struct sim_machine *m, struct sim_quote_spec *spec)
{
    enum sim_body body = m->options.quote_version == 5 ? SIM_BODY_TD_15 : SIM_BODY_TD_10;
    sim_quote_defaults(spec, m->options.quote_version, body);
    memcpy(spec->user_data, m->pck.spec.sgx.ppid, 16);
    spec->attestation_key = m->attestation_key;
    spec->pck_key = m->pck.key;
    spec->padded_len =
        m->options.type == SIM_MACHINE_GCP ? (size_t)GCP_PADDED_LEN : (size_t)DSTACK_PADDED_LEN;
}

bool sim_machine_quote_and_log(struct sim_machine *m, const uint8_t report_data[64], bool stripped,
                               struct buf *quote, struct buf *log_json, struct error *err)
{
    struct sim_quote_spec spec;
    struct buf chain BUF_AUTO = BUF_INIT(SIM_CHAIN_MAX);
    const struct sim_issued *certs[3] = {&m->pck, &m->pki->cert[SIM_PLATFORM_CA],
                                         &m->pki->cert[SIM_ROOT_CA]};
    if (!sim_chain_append(certs, 3, &chain, err))
        return false;
    describe_quote(m, &spec);
    spec.chain = buf_slice(&chain);
    pthread_mutex_lock(&m->lock);
    spec.td = m->td;
    memcpy(spec.td.report_data, report_data, 64);
    stage_quote(&m->options.scenario, &spec);
    bool ok = log_json == NULL || sim_log_write(&m->log, stripped, log_json, err);
    pthread_mutex_unlock(&m->lock);
    return ok && sim_quote_make(&spec, quote, err);
}

bool sim_machine_quote(struct sim_machine *m, const uint8_t report_data[64], struct buf *out,
                       struct error *err)
{
    return sim_machine_quote_and_log(m, report_data, false, out, NULL, err);
}

/* --- event log --- */

bool sim_machine_emit(struct sim_machine *m, const char *event, struct slice payload,
                      struct error *err)
{
    pthread_mutex_lock(&m->lock);
    bool ok = sim_log_runtime(&m->log, log_version(m), event, payload, err);
    if (ok)
        rtmr_extend(m->td.rtmr[3], m->log.events[m->log.count - 1].digest);
    pthread_mutex_unlock(&m->lock);
    return ok;
}

bool sim_machine_event_log(struct sim_machine *m, bool stripped, struct buf *json,
                           struct error *err)
{
    pthread_mutex_lock(&m->lock);
    bool ok = sim_log_write(&m->log, stripped, json, err);
    pthread_mutex_unlock(&m->lock);
    return ok;
}

void sim_machine_registers(struct sim_machine *m, uint8_t out[SIM_REGISTERS][SIM_REGISTER_LEN])
{
    pthread_mutex_lock(&m->lock);
    memcpy(out[0], m->td.mrtd, SIM_REGISTER_LEN);
    memcpy(out[1], m->td.rtmr, sizeof m->td.rtmr);
    pthread_mutex_unlock(&m->lock);
}

void sim_machine_instance_id(struct sim_machine *m, uint8_t out[20])
{
    pthread_mutex_lock(&m->lock);
    memcpy(out, m->instance_id, sizeof m->instance_id);
    pthread_mutex_unlock(&m->lock);
}

bool sim_app_key_derive(const uint8_t app_key[SIM_APP_KEY_LEN], struct slice path,
                        uint8_t out[SIM_APP_KEY_LEN], struct error *err)
{
    return hkdf_sha256(slice_str("RATLS"), slice_of(app_key, SIM_APP_KEY_LEN), path, out,
                       SIM_APP_KEY_LEN, err);
}

/* --- scenario --- */

struct sim_scenario sim_machine_scenario(struct sim_machine *m)
{
    pthread_mutex_lock(&m->lock);
    struct sim_scenario copy = m->options.scenario;
    pthread_mutex_unlock(&m->lock);
    return copy;
}

bool sim_machine_set_scenario(struct sim_machine *m, const struct sim_scenario *scenario,
                              struct error *err)
{
    if (!scenario_fits(&m->options, scenario, err))
        return false;
    pthread_mutex_lock(&m->lock);
    bool reboot = scenario->other_registers != m->options.scenario.other_registers;
    m->options.scenario = *scenario;
    bool ok = !reboot || boot(m, err);
    pthread_mutex_unlock(&m->lock);
    return ok;
}

bool sim_machine_tsm_fails(struct sim_machine *m, int *out_errno)
{
    pthread_mutex_lock(&m->lock);
    struct sim_scenario *s = &m->options.scenario;
    bool fails = s->tsm_errno != 0;
    if (fails) {
        *out_errno = s->tsm_errno;
        if (s->tsm_times > 0 && --s->tsm_times == 0)
            s->tsm_errno = 0;
    }
    pthread_mutex_unlock(&m->lock);
    return fails;
}
