/* Brings up and takes down all that one process plays. */
#include "sim/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "sim/agent.h"
#include "sim/pcs.h"
#include "sim/tsm_fuse.h"

/* The fronts of one machine; an empty path = it has none. */
struct front {
    char agent_path[PATH_TEXT_MAX], tsm_path[PATH_TEXT_MAX];
    struct sim_agent *agent;
    struct sim_tsm *tsm;
    char tsm_error[ERROR_MESSAGE_MAX]; /* why tsm=try has none */
};

struct sim_service {
    char dir[PATH_TEXT_MAX];
    struct sim_stage stage;
    bool stage_open;
    struct sim_later *later;
    struct sim_pcs *pcs;
    struct front fronts[SIM_MACHINES_MAX];
    struct buf page;
};

/* --- where the fronts are --- */

static bool choose_path(const char *wanted, bool by_default, const char *dir, const char *name,
                        const char *suffix, char out[PATH_TEXT_MAX], struct error *err)
{
    char file[SIM_MACHINE_NAME_MAX + 8];
    bool make_up = strcmp(wanted, "auto") == 0 || strcmp(wanted, "try") == 0 ||
                   (wanted[0] == '\0' && by_default);
    out[0] = '\0';
    if (make_up) {
        snprintf(file, sizeof file, "%s%s", name, suffix);
        return path_join(dir, file, out, err);
    }
    if (wanted[0] != '\0' && strcmp(wanted, "none") != 0)
        snprintf(out, PATH_TEXT_MAX, "%s", wanted);
    return true;
}

static bool start_tsm(struct sim_machine *m, struct front *front, struct error *err)
{
    struct error why = {0};
    if (front->tsm_path[0] == '\0' || sim_tsm_start(m, front->tsm_path, &front->tsm, &why))
        return true;
    if (strcmp(m->options.tsm_path, "try") != 0)
        return error_set(err, why.code, why.field, "%s (tsm=try goes on without)", why.message);
    snprintf(front->tsm_error, sizeof front->tsm_error, "%s", why.message);
    front->tsm_path[0] = '\0';
    return true;
}

static bool start_front(struct sim_service *s, size_t i, struct error *err)
{
    struct sim_machine *m = &s->stage.machines[i];
    struct front *front = &s->fronts[i];
    bool dstack = m->options.type == SIM_MACHINE_DSTACK;
    const char *name = m->options.name;
    if (!choose_path(m->options.agent_path, dstack, s->dir, name, ".sock", front->agent_path,
                     err) ||
        !choose_path(m->options.tsm_path, !dstack, s->dir, name, ".tsm", front->tsm_path, err))
        return false;
    if (!dstack && front->agent_path[0] != '\0')
        return error_set(err, "sim/machine", "agent", "a gcp machine has no dstack agent");
    if (front->agent_path[0] != '\0' &&
        !sim_agent_start(m, s->later, front->agent_path, &front->agent, err))
        return false;
    return start_tsm(m, front, err);
}

/* --- the page --- */

static void put_path(struct buf *out, const char *name, const char *path)
{
    buf_printf(out, "\"%s\":", name);
    if (path[0] == '\0')
        buf_append_str(out, "null");
    else
        json_append_string(out, slice_str(path));
    buf_append_str(out, ",");
}

static void put_hex(struct buf *out, const char *name, const uint8_t *data, size_t len)
{
    buf_printf(out, "\"%s\":\"", name);
    hex_append(out, slice_of(data, len));
    buf_append_str(out, "\"");
}

/* What does not depend on a running service. */
static void put_identity(struct sim_machine *m, struct buf *out)
{
    buf_printf(out, "{\"name\":\"%s\",\"type\":\"%s\",", m->options.name,
               m->options.type == SIM_MACHINE_GCP ? "gcp" : "dstack");
    if (m->options.type == SIM_MACHINE_GCP)
        return; /* applications and their hashes are dstack's */
    put_hex(out, "app_id", m->app_id, sizeof m->app_id);
    buf_append_str(out, ",");
    put_hex(out, "compose_hash", m->compose_hash, sizeof m->compose_hash);
    buf_append_str(out, ",");
}

static void put_measurements(struct sim_machine *m, struct buf *out)
{
    static const char *const names[SIM_REGISTERS] = {"mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"};
    uint8_t registers[SIM_REGISTERS][SIM_REGISTER_LEN];
    sim_machine_registers(m, registers);
    buf_append_str(out, "\"measurements\":{");
    for (size_t i = 0; i < SIM_REGISTERS; i++) {
        put_hex(out, names[i], registers[i], SIM_REGISTER_LEN);
        buf_append_str(out, i + 1 < SIM_REGISTERS ? "," : "}}");
    }
}

static void put_machine(struct sim_machine *m, const struct front *front, struct buf *out)
{
    put_identity(m, out);
    put_path(out, "agent_socket", front->agent_path);
    put_path(out, "tsm_root", front->tsm_path);
    if (front->tsm_error[0] != '\0')
        put_path(out, "tsm_error", front->tsm_error);
    put_hex(out, "fmspc", m->pck.spec.sgx.fmspc, 6);
    buf_append_str(out, ",");
    put_measurements(m, out);
}

bool sim_measurements_write(const struct sim_cast_view *cast, struct buf *out, struct error *err)
{
    static const uint8_t seed[SIM_SEED_LEN] = {0}; /* measurements do not follow from keys */
    struct sim_pki pki;
    if (!sim_pki_create(&pki, seed, clock_unix_s(), err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < cast->count; i++) {
        struct sim_machine m;
        ok = sim_machine_start(&m, &cast->machines[i], &pki, err);
        if (!ok)
            break;
        put_identity(&m, out);
        put_measurements(&m, out);
        buf_append_str(out, "\n");
        sim_machine_stop(&m);
    }
    sim_pki_free(&pki);
    return ok && (!out->failed || error_set(err, "sim/limit", NULL, "too many machines"));
}

static bool make_page(struct sim_service *s, const char *listen, struct error *err)
{
    char root[PATH_TEXT_MAX];
    int host_len = (int)(strrchr(listen, ':') - listen);
    if (!path_join(s->dir, "root.pem", root, err))
        return false;
    s->page = BUF_INIT(SIM_STATE_FILE_MAX);
    buf_printf(&s->page, "{\"schema\":\"mero.sim/1\",\"pid\":%ld,", (long)getpid());
    put_path(&s->page, "root_pem", root);
    buf_printf(&s->page, "\"pcs_url\":\"http://%.*s:%u\",\"machines\":[", host_len, listen,
               sim_pcs_port(s->pcs));
    for (size_t i = 0; i < s->stage.count; i++) {
        buf_append_str(&s->page, i == 0 ? "" : ",");
        put_machine(&s->stage.machines[i], &s->fronts[i], &s->page);
    }
    buf_append_str(&s->page, "]}");
    return !s->page.failed || error_set(err, "sim/limit", NULL, "the page is too long");
}

/* --- life --- */

/* Whoever reaches the service can change what is played. */
static bool check_listen(const char *listen, struct error *err)
{
    bool loopback = (strncmp(listen, "127.0.0.1:", 10) == 0 && listen[10] != '\0') ||
                    (strncmp(listen, "[::1]:", 6) == 0 && listen[6] != '\0');
    return loopback || error_set(err, "sim/listen", "--listen",
                                 "'%s' is not 127.0.0.1:PORT or [::1]:PORT", listen);
}

/* Paths in the page are good from everywhere. */
static bool set_dir(struct sim_service *s, const char *dir, struct error *err)
{
    if (!file_make_dirs(dir, 0700, err))
        return false;
    char *real = realpath(dir, NULL);
    bool ok = real != NULL && strlen(real) < sizeof s->dir;
    if (ok)
        snprintf(s->dir, sizeof s->dir, "%s", real);
    free(real);
    return ok || error_set(err, "file/path", dir, "cannot resolve %s", dir);
}

static bool open_stage(struct sim_service *s, const struct sim_cast_view *cast, struct error *err)
{
    uint8_t seed[SIM_SEED_LEN];
    sha256(slice_str(cast->seed), seed);
    s->stage_open = sim_stage_open(&s->stage, s->dir, cast->seed[0] == '\0' ? NULL : seed,
                                   cast->machines, cast->count, &cast->pcs, err);
    return s->stage_open;
}

static bool start_all(struct sim_service *s, const struct sim_service_options *options,
                      struct error *err)
{
    const char *listen = options->listen == NULL ? "127.0.0.1:0" : options->listen;
    if (!check_listen(listen, err) || !set_dir(s, options->dir, err) ||
        !open_stage(s, options->cast, err) || !sim_later_start(&s->later, err) ||
        !sim_pcs_start(&s->stage, s->later, listen, &s->pcs, err))
        return false;
    for (size_t i = 0; i < s->stage.count; i++)
        if (!start_front(s, i, err))
            return error_prefix(err, "machine %s", s->stage.machines[i].options.name);
    if (!make_page(s, listen, err))
        return false;
    sim_pcs_set_page(s->pcs, buf_slice(&s->page));
    return true;
}

bool sim_service_start(const struct sim_service_options *options, struct sim_service **out,
                       struct error *err)
{
    struct sim_service *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(err, "sim/memory", NULL, "out of memory");
    if (!start_all(s, options, err)) {
        sim_service_stop(&s);
        return false;
    }
    *out = s;
    return true;
}

void sim_service_stop(struct sim_service **service)
{
    struct sim_service *s = *service;
    if (s == NULL)
        return;
    *service = NULL;
    if (s->later != NULL)
        sim_later_end(s->later);
    for (size_t i = 0; i < SIM_MACHINES_MAX; i++) {
        sim_tsm_stop(&s->fronts[i].tsm);
        sim_agent_stop(&s->fronts[i].agent);
    }
    sim_pcs_stop(&s->pcs);
    sim_later_free(&s->later);
    if (s->stage_open)
        sim_stage_close(&s->stage);
    buf_free(&s->page);
    free(s);
}

struct slice sim_service_page(const struct sim_service *service)
{
    return buf_slice(&service->page);
}

struct sim_stage *sim_service_stage(struct sim_service *service)
{
    return &service->stage;
}
