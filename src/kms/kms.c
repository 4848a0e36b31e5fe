/* Start, stop and reload of the service. */
#include "kms/kms.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "kms/service.h"

enum { SELF_FIRST_WAIT_MS = 3000, STOP_REST_MS = 1500 };

/* ---- parts ---- */

static bool state_dir_usable(const struct kms_config *c)
{
    struct error err = {0};
    if (file_make_dirs(c->state_dir.text, 0700, &err) && access(c->state_dir.text, W_OK) == 0)
        return true;
    log_warn("%s cannot be used (%s): no collateral is kept over restarts%s", c->state_dir.text,
             err.message[0] != '\0' ? err.message : "not writable",
             "; set MERO_KMS_STATE_DIR to a writable directory");
    return false;
}

static bool open_verifier(struct kms *kms, bool has_state, struct error *err)
{
    const struct kms_config *c = kms->config;
    char cache[PATH_TEXT_MAX];
    struct dcap_verifier_options options = {
        .endpoint_count = c->collateral_urls.count,
        .timeout_ms = KMS_COLLATERAL_REQUEST_MS,
        .budget_ms = c->collateral_ms,
    };
    for (size_t i = 0; i < c->collateral_urls.count; i++)
        options.endpoints[i] = c->collateral_urls.items[i].text;
    if (has_state) {
        if (!path_join(c->state_dir.text, "collateral", cache, err))
            return false;
        options.cache_dir = cache;
    }
#ifdef MERO_DEV
    if (c->dev_root.text[0] != '\0')
        options.root_pem_path = c->dev_root.text;
#endif
    return dcap_verifier_open(&options, &kms->verifier, err);
}

static bool open_agents(struct kms *kms, struct error *err)
{
    const struct kms_config *c = kms->config;
    const char *path =
        c->simulator_endpoint.text[0] != '\0' ? c->simulator_endpoint.text : c->dstack_socket.text;
    struct dstack_options options = {
        .socket_path = path[0] != '\0' ? path : NULL,
        .timeout_ms = c->agent_ms,
        .cancel = &kms->stopping,
    };
    /* An agent that comes later is waited for at its usual place. */
    if (options.socket_path == NULL && dstack_open(&options, &kms->agent, NULL))
        return dstack_open(&options, &kms->self_agent, err);
    if (options.socket_path == NULL)
        options.socket_path = "/var/run/dstack.sock";
    return dstack_open(&options, &kms->agent, err) && dstack_open(&options, &kms->self_agent, err);
}

static bool open_challenges(struct kms *kms, struct error *err)
{
    const struct kms_config *c = kms->config;
    struct kms_mint *mint = NULL;
    if (c->redis_url.text[0] != '\0')
        return kms_used_set_open_redis(c->redis_url.text, c->max_consumed, &kms->used, err);
    if (!kms_used_set_open_memory(c->max_consumed, &kms->used, err) ||
        !kms_mint_open(slice_of(NULL, 0), false, c->challenge_ttl_s, &mint, err))
        return false;
    atomic_store(&kms->mint, mint);
    return true;
}

/* Without a usable state directory that nobody asked for, the service goes on without audit log: it
 * replaces one that never had any. */
static bool open_audit(struct kms *kms, bool has_state, struct error *err)
{
    const struct kms_config *c = kms->config;
    if (!has_state && !kms_config_is_set(c, "MERO_KMS_AUDIT_LOG") &&
        !kms_config_is_set(c, "MERO_KMS_STATE_DIR")) {
        log_warn("no audit log: neither MERO_KMS_STATE_DIR nor MERO_KMS_AUDIT_LOG is set");
        return true;
    }
    return kms_audit_open(c->audit_log.text, &kms->audit, err);
}

static bool open_parts(struct kms *kms, struct error *err)
{
    const struct kms_config *c = kms->config;
    bool has_state = state_dir_usable(c);
    return open_verifier(kms, has_state, err) && open_agents(kms, err) &&
           open_challenges(kms, err) && open_audit(kms, has_state, err) &&
           kms_source_limiter_open(c->rate, c->burst, &kms->limiter, err) &&
           kms_pool_open(KMS_GET_KEY_WORKERS, c->get_key_in_flight, &kms->get_key_pool, err) &&
           kms_pool_open(KMS_ATTEST_WORKERS, KMS_ATTEST_IN_FLIGHT, &kms->attest_pool, err);
}

/* ---- TLS ---- */

static void tls_free(struct kms_tls *tls)
{
    buf_free(&tls->cert);
    buf_free(&tls->key);
    buf_free(&tls->client_ca);
}

static bool read_pem(const char *path, struct buf *out, struct error *err)
{
    *out = BUF_INIT_SECRET(KMS_PEM_FILE_MAX);
    if (path[0] == '\0')
        return true;
    if (!file_read(path, out, err))
        return false;
    return buf_cstr(out) != NULL || error_set(err, "kms/tls", path, "out of memory");
}

static bool tls_read(const struct kms_config *c, struct kms_tls *tls, struct error *err)
{
    if (read_pem(c->tls_cert.text, &tls->cert, err) && read_pem(c->tls_key.text, &tls->key, err) &&
        read_pem(c->tls_client_ca.text, &tls->client_ca, err))
        return true;
    tls_free(tls);
    return false;
}

static const char *pem_or_null(struct buf *pem)
{
    return pem->len > 0 ? buf_cstr(pem) : NULL;
}

/* ---- life ---- */

static bool start_public(struct kms *kms, struct error *err)
{
    const struct kms_config *c = kms->config;
    const char *listen[] = {c->listen_addr.text};
    if (!tls_read(c, &kms->tls, err))
        return false;
    const struct http_server_options options = {
        .listen = listen,
        .listen_count = 1,
        .connections_max = KMS_CONNECTIONS_MAX,
        .idle_timeout_s = KMS_IDLE_S,
        .request_deadline_s = KMS_REQUEST_DEADLINE_S,
        .routes = kms_public_routes,
        .route_count = kms_cors_is_on(c) ? kms_public_route_count : kms_public_route_count / 2,
        .fallback = kms_fallback,
        .before_send = kms_before_send,
        .ctx = kms,
        .tls_cert_pem = pem_or_null(&kms->tls.cert),
        .tls_key_pem = pem_or_null(&kms->tls.key),
        .tls_client_ca_pem = pem_or_null(&kms->tls.client_ca),
    };
    return http_server_start(&options, &kms->server, err);
}

static void free_parts(struct kms *kms)
{
    struct kms_mint *mint = atomic_load(&kms->mint);
    kms_pool_close(&kms->get_key_pool);
    kms_pool_close(&kms->attest_pool);
    kms_audit_close(&kms->audit);
    kms_source_limiter_close(&kms->limiter);
    kms_used_set_close(&kms->used);
    kms_mint_close(&mint);
    dstack_close(&kms->agent);
    dstack_close(&kms->self_agent);
    dcap_verifier_close(&kms->verifier);
    tls_free(&kms->tls);
    if (kms->fatal_fd >= 0)
        close(kms->fatal_fd);
    free(kms);
}

/* A platform that is none is not served from, not even for a moment. */
static bool is_found_out(struct kms *kms, struct error *err)
{
    struct error why;
    kms_fatal_error(kms, &why);
    if (why.code != NULL && err != NULL)
        *err = why;
    return why.code != NULL;
}

bool kms_start(const struct kms_config *config, struct kms **out, struct error *err)
{
    struct kms *kms = calloc(1, sizeof(*kms));
    if (kms == NULL)
        return error_set(err, "kms/memory", NULL, "out of memory");
    kms->config = config;
    kms->metrics.started_s = clock_unix_s();
    kms->fatal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = kms->fatal_fd >= 0 && open_parts(kms, err) && kms_self_start(kms, err);
    if (ok) {
        /* Where everything is at hand, whoever comes first is not turned away. */
        kms_self_wait(kms, SELF_FIRST_WAIT_MS);
        ok = !is_found_out(kms, err) && kms_admin_start(kms, err) && start_public(kms, err);
    }
    *out = kms;
    if (ok)
        return true;
    if (!kms_stop(out))
        *out = NULL;
    return false;
}

bool kms_stop(struct kms **kms)
{
    struct kms *k = *kms;
    if (k == NULL)
        return true;
    if (k->server != NULL)
        http_server_stop(&k->server, KMS_DRAIN_MS - 2 * STOP_REST_MS);
    atomic_store(&k->stopping, true);
    bool idle = k->get_key_pool == NULL || (kms_pool_wait_idle(k->get_key_pool, STOP_REST_MS) &&
                                            kms_pool_wait_idle(k->attest_pool, STOP_REST_MS / 3));
    if (k->admin != NULL)
        http_server_stop(&k->admin, 0);
    idle = kms_self_stop(k, STOP_REST_MS / 2) && idle;
    if (!idle)
        return false;
    free_parts(k);
    *kms = NULL;
    return true;
}

static void reload_tls(struct kms *kms)
{
    struct kms_tls fresh = {0};
    struct error err = {0};
    if (kms->tls.cert.len == 0)
        return;
    if (!tls_read(kms->config, &fresh, &err) ||
        !http_server_reload_tls(kms->server, buf_cstr(&fresh.cert), buf_cstr(&fresh.key),
                                pem_or_null(&fresh.client_ca), &err)) {
        log_error("certificates not reloaded, the old ones stay: %s", err.message);
        tls_free(&fresh);
        return;
    }
    tls_free(&kms->tls);
    kms->tls = fresh;
    log_info("certificates reloaded");
}

void kms_reload(struct kms *kms)
{
    struct error err = {0};
    reload_tls(kms);
    if (kms->audit != NULL && !kms_audit_reopen(kms->audit, &err))
        log_error("audit log not reopened: %s", err.message);
    pthread_mutex_lock(&kms->self.lock);
    kms->self.refresh = true;
    pthread_cond_broadcast(&kms->self.wake);
    pthread_mutex_unlock(&kms->self.lock);
}

int kms_fatal_fd(const struct kms *kms)
{
    return kms->fatal_fd;
}

void kms_fatal_error(struct kms *kms, struct error *err)
{
    pthread_mutex_lock(&kms->self.lock);
    *err = kms->self.fatal;
    pthread_mutex_unlock(&kms->self.lock);
}

unsigned kms_port(const struct kms *kms)
{
    return http_server_port(kms->server, 0);
}

unsigned kms_admin_port(const struct kms *kms)
{
    return kms->admin != NULL ? http_server_port(kms->admin, 0) : 0;
}
