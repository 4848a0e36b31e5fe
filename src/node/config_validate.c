/* Does a configuration make sense on this machine? The checks of compatibility facts B.4 in their
 * order and words, and those that a start would make later for the same file. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyrelease/client.h"
#include "node/config_internal.h"

#define FAIL(err, field, ...) error_set(err, "config/validation", field, __VA_ARGS__)

/* ---- 1. ports ---- */

enum owner { OWNER_SWARM, OWNER_SERVER };

struct used_port {
    enum owner owner;
    bool udp;
    uint16_t number;
    const char *host;
};

enum { USED_PORTS_MAX = (NODE_ADDRESSES_MAX + NODE_LISTEN_MAX) * NODE_ADDRESS_PORTS_MAX };

struct port_check {
    struct used_port used[USED_PORTS_MAX];
    size_t used_count;
    struct error conflicts;
};

static bool is_family(const char *host, int family)
{
    uint8_t bytes[16];
    return inet_pton(family, host, bytes) == 1;
}

static bool is_localhost(const char *host)
{
    return strcmp(host, "localhost") == 0;
}

/* One direction: does listening on `a` take what `b` wants? */
static bool covers(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    if (is_localhost(a))
        return strcmp(b, "127.0.0.1") == 0 || strcmp(b, "::1") == 0;
    if (strcmp(a, "0.0.0.0") == 0)
        return is_family(b, AF_INET) || is_localhost(b);
    if (strcmp(a, "::") == 0)
        return is_family(b, AF_INET6) || is_localhost(b);
    return false;
}

static const struct used_port *find_taken(const struct port_check *c, bool udp, const char *host,
                                          uint16_t number)
{
    for (size_t i = 0; i < c->used_count; i++) {
        const struct used_port *u = &c->used[i];
        if (u->udp == udp && u->number == number &&
            (covers(u->host, host) || covers(host, u->host)))
            return u;
    }
    return NULL;
}

static void add_conflict(struct port_check *c, enum owner wants, enum owner has, bool udp,
                         const char *host, uint16_t number)
{
    const char *protocol = udp ? "UDP" : "TCP";
    if (c->conflicts.code == NULL)
        FAIL(&c->conflicts, NULL, "Port conflicts detected:");
    if (wants == OWNER_SERVER && has == OWNER_SWARM)
        error_append_line(&c->conflicts, "  - Server %s port %u conflicts with swarm on %s",
                          protocol, number, host);
    else
        error_append_line(&c->conflicts, "  - Duplicate %s address: %s %s:%u",
                          wants == OWNER_SWARM ? "swarm" : "server", protocol, host, number);
}

static void check_addresses(struct port_check *c, const struct node_addresses *list,
                            enum owner owner)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct node_address *a = &list->at[i];
        const char *host = a->host[0] != 0 ? a->host : "0.0.0.0";
        for (size_t p = 0; p < a->port_count; p++) {
            bool udp = a->ports[p].udp;
            uint16_t number = a->ports[p].number;
            const struct used_port *taken = find_taken(c, udp, host, number);
            if (taken != NULL)
                add_conflict(c, owner, taken->owner, udp, host, number);
            else
                c->used[c->used_count++] = (struct used_port){owner, udp, number, host};
        }
    }
}

static bool check_ports(const struct node_config *config, struct error *err)
{
    struct port_check c = {.used_count = 0};
    const struct node_embedded_auth *auth = &config->server.embedded_auth;
    check_addresses(&c, &config->swarm.listen, OWNER_SWARM);
    check_addresses(&c, &config->server.listen, OWNER_SERVER);
    const struct used_port *taken =
        auth->present ? find_taken(&c, false, auth->host, auth->port) : NULL;
    if (taken != NULL) {
        if (c.conflicts.code == NULL)
            FAIL(&c.conflicts, NULL, "Port conflicts detected:");
        error_append_line(&c.conflicts, "  - Embedded auth TCP port %u conflicts with %s on %s",
                          auth->port, taken->owner == OWNER_SWARM ? "swarm" : "server", auth->host);
    }
    if (c.conflicts.code == NULL)
        return true;
    if (err != NULL)
        *err = c.conflicts;
    return false;
}

/* ---- 2. paths ---- */

static bool fail_not_writable(const char *name, const char *dir, int why, struct error *err)
{
    return FAIL(err, name, "%s directory '%s' is not writable: %s (os error %d)", name, dir,
                strerror(why), why);
}

/* Only writing tells: permissions, read-only mounts and full disks look alike from outside. */
static bool check_writable(const char *name, const char *dir, struct error *err)
{
    char probe[PATH_TEXT_MAX], file[64];
    snprintf(file, sizeof file, ".calimero_write_test_%ld", (long)getpid());
    if (!path_join(dir, file, probe, err))
        return false;
    unlink(probe); /* of a process that died with our number */
    int fd = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_not_writable(name, dir, errno, err);
    ssize_t put = write(fd, "test", 4);
    int why = put < 0 ? errno : ENOSPC;
    close(fd);
    unlink(probe);
    return put == 4 ? true : fail_not_writable(name, dir, why, err);
}

static bool check_directory(const char *name, const char *path, struct error *err)
{
    char parent[PATH_TEXT_MAX];
    if (access(path, F_OK) == 0) {
        if (!file_is_dir(path))
            return FAIL(err, name, "%s path '%s' exists but is not a directory", name, path);
        return check_writable(name, path, err);
    }
    if (!path_dirname(path, parent, err))
        return false;
    if (access(parent, F_OK) != 0)
        return FAIL(err, name, "%s parent directory '%s' does not exist", name, parent);
    return check_writable(name, parent, err);
}

static bool check_paths(const struct node_config *config, struct error *err)
{
    const struct node_embedded_auth *auth = &config->server.embedded_auth;
    char path[PATH_TEXT_MAX];
    if (!check_directory("datastore", config->datastore_dir, err) ||
        !check_directory("blobstore", config->blobstore_dir, err))
        return false;
    if (!auth->present || auth->storage != NODE_AUTH_STORAGE_ROCKSDB)
        return true;
    return path_join(config->dir, auth->storage_path, path, err) &&
           check_directory("embedded auth storage", path, err);
}

/* ---- 3. credentials ---- */

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n\v\f")] == 0;
}

/* Anything but a proxy in front would leave the admin API open, so it is refused until there is
 * more: "token" comes with the node's own bearer tokens. */
static bool check_auth_mode(const struct node_server_config *server, struct error *err)
{
    if (server->auth_mode == NODE_AUTH_PROXY)
        return true;
    if (server->auth_mode == NODE_AUTH_TOKEN)
        return FAIL(err, "server.auth_mode",
                    "server.auth_mode = \"token\" is not available in this build yet; use "
                    "\"proxy\" and let only an authenticating proxy reach the node");
    if (!server->embedded_auth.present)
        return FAIL(err, "server.auth_mode",
                    "Auth mode is set to 'embedded' but no embedded_auth configuration is "
                    "provided. Either provide embedded_auth configuration or change auth_mode to "
                    "'proxy'.");
    if (is_blank(server->embedded_auth.issuer))
        return FAIL(err, "server.embedded_auth.jwt.issuer",
                    "Embedded auth JWT issuer cannot be empty");
    return FAIL(err, "server.auth_mode",
                "Auth mode 'embedded' is not part of this merod, whose own is 'token' (bearer "
                "tokens). Use auth_mode 'proxy' behind an authenticating proxy where there is no "
                "'token' yet.");
}

/* An enabled policy has what it needs; malformed values are found now and not at the next start. */
static bool check_policy(const struct node_config *config, struct error *err)
{
    const struct node_attestation_config *a = &config->tee.attestation;
    struct policy p POLICY_AUTO = {0};
    if (!a->enabled || a->resolved)
        return true;
    return config_policy_of_file(config, !a->accept_mock, &p, err);
}

static bool check_tls_file(const char *field, const char *path, struct error *err)
{
    struct stat st;
    if (path == NULL)
        return true;
    if (path[0] != '/')
        return FAIL(err, field, "%s must be an absolute path: %s", field, path);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return FAIL(err, field, "%s does not exist or is not a file: %s", field, path);
    return true;
}

static bool check_tls(const struct node_tee_config *tee, struct error *err)
{
    static const char ca[] = "tee.kms.phala.tls.ca_cert_path",
                      cert[] = "tee.kms.phala.tls.client_cert_path",
                      key[] = "tee.kms.phala.tls.client_key_path";
    bool https = strncasecmp(tee->url, "https:", 6) == 0;
    if (tee->tls_ca_path != NULL && !https)
        return FAIL(err, ca, "%s requires tee.kms.phala.url to use https:// (current: %s)", ca,
                    tee->url);
    if ((tee->tls_client_cert_path != NULL) != (tee->tls_client_key_path != NULL))
        return FAIL(err, cert, "%s and %s must be set together", cert, key);
    if (tee->tls_client_cert_path != NULL && !https)
        return FAIL(err, cert,
                    "tee.kms.phala.tls.client_cert_path/client_key_path require tee.kms.phala.url "
                    "to use https:// (current: %s)",
                    tee->url);
    return check_tls_file(ca, tee->tls_ca_path, err) &&
           check_tls_file(cert, tee->tls_client_cert_path, err) &&
           check_tls_file(key, tee->tls_client_key_path, err);
}

static bool check_url(const struct node_tee_config *tee, struct error *err)
{
    struct error why = {0};
    bool strict = tee->attestation.enabled && !tee->attestation.accept_mock;
    if (keyrelease_check_url(tee->url, strict, NULL, &why))
        return true;
    return FAIL(err, why.field, "%s", why.message);
}

static bool check_tee(const struct node_config *config, struct error *err)
{
    if (!config->has_tee)
        return true;
    if (!config->tee.has_kms)
        return FAIL(err, "tee.kms",
                    "TEE is enabled but no KMS provider is configured. Please configure the "
                    "'phala' KMS provider under [tee.kms.phala].");
    if (!check_policy(config, err) || !check_tls(&config->tee, err) ||
        !check_url(&config->tee, err))
        return false;
    if (config->identity_is_temporary)
        return FAIL(err, "identity",
                    "[identity] is missing: a TEE node would ask the KMS for another key at every "
                    "start");
    return true;
}

static bool check_credentials(const struct node_config *config, struct error *err)
{
    return check_auth_mode(&config->server, err) && check_tee(config, err);
}

/* ---- 4. limits ---- */

enum { DURATION_TEXT_MAX = 32 };

/* "500ms", "1.5s", "0ns": how the existing merod prints durations. */
static void print_duration(uint64_t ms, char out[DURATION_TEXT_MAX])
{
    if (ms == 0)
        snprintf(out, DURATION_TEXT_MAX, "0ns");
    else if (ms < 1000)
        snprintf(out, DURATION_TEXT_MAX, "%ums", (unsigned)ms);
    else {
        int len = snprintf(out, DURATION_TEXT_MAX, "%llu.%03u", (unsigned long long)(ms / 1000),
                           (unsigned)(ms % 1000));
        while (out[len - 1] == '0')
            len--;
        if (out[len - 1] == '.')
            len--;
        snprintf(&out[len], DURATION_TEXT_MAX - (size_t)len, "s");
    }
}

static bool check_duration(const char *name, uint64_t ms, uint64_t min_ms, uint64_t max_ms,
                           struct error *err)
{
    char value[DURATION_TEXT_MAX], bound[DURATION_TEXT_MAX];
    print_duration(ms, value);
    print_duration(ms < min_ms ? min_ms : max_ms, bound);
    if (ms < min_ms)
        return FAIL(err, name, "%s (%s) is below minimum allowed value (%s)", name, value, bound);
    if (ms > max_ms)
        return FAIL(err, name, "%s (%s) exceeds maximum allowed value (%s)", name, value, bound);
    return true;
}

static bool check_sync(const struct node_sync_config *sync, struct error *err)
{
    enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
    return check_duration("sync.timeout", sync->timeout_ms, SECOND, 5 * MINUTE, err) &&
           check_duration("sync.interval", sync->interval_ms, 100, HOUR, err) &&
           check_duration("sync.frequency", sync->frequency_ms, 100, HOUR, err) &&
           check_duration("sync.session_deadline", sync->session_deadline_ms, SECOND, 10 * MINUTE,
                          err);
}

static bool check_registrations(const char *name, uint64_t limit, struct error *err)
{
    enum { REGISTRATIONS_MAX = 100 };
    if (limit == 0)
        return FAIL(err, name, "%s must be greater than 0", name);
    if (limit > REGISTRATIONS_MAX)
        return FAIL(err, name, "%s (%llu) exceeds maximum allowed value (%d)", name,
                    (unsigned long long)limit, REGISTRATIONS_MAX);
    return true;
}

static bool check_discovery(const struct node_swarm_config *swarm, struct error *err)
{
    float rpm = (float)swarm->discovery_rpm; /* the existing merod reads 32 bits */
    if (!check_registrations("discovery.rendezvous.registrations_limit",
                             swarm->rendezvous_registrations_limit, err))
        return false;
    if (!isfinite(rpm) || rpm <= 0)
        return FAIL(err, "discovery.rendezvous.discovery_rpm",
                    "discovery.rendezvous.discovery_rpm (%g) must be a positive finite number",
                    (double)rpm);
    if (swarm->discovery_interval.secs == 0 && swarm->discovery_interval.nanos == 0)
        return FAIL(err, "discovery.rendezvous.discovery_interval",
                    "discovery.rendezvous.discovery_interval must be greater than 0 "
                    "(tokio::time::interval panics on zero duration)");
    if (!check_registrations("discovery.relay.registrations_limit",
                             swarm->relay_registrations_limit, err))
        return false;
    if (swarm->autonat_max_candidates == 0)
        return FAIL(err, "discovery.autonat.max_candidates",
                    "discovery.autonat.max_candidates must be greater than 0");
    return true;
}

static bool check_websocket(const struct node_server_config *s, struct error *err)
{
    unsigned long long ping = s->ping_interval_secs, pong = s->pong_timeout_secs;
    if (!s->websocket_enabled || ping == 0)
        return true;
    if (ping < 5)
        return FAIL(err, "server.websocket.ping_interval_secs",
                    "websocket.ping_interval_secs (%llu) is too low. Minimum is 5 seconds or 0 to "
                    "disable.",
                    ping);
    if (pong >= ping)
        return FAIL(err, "server.websocket.pong_timeout_secs",
                    "websocket.pong_timeout_secs (%llu) must be less than ping_interval_secs "
                    "(%llu)",
                    pong, ping);
    return true;
}

static bool check_embedded_limits(const struct node_embedded_auth *a, struct error *err)
{
    unsigned long long access_s = a->access_token_expiry, refresh_s = a->refresh_token_expiry,
                       shortest = a->min_password_length, longest = a->max_password_length;
    if (!a->present)
        return true;
    if (access_s == 0)
        return FAIL(err, NULL, "embedded_auth.jwt.access_token_expiry must be greater than 0");
    if (refresh_s == 0)
        return FAIL(err, NULL, "embedded_auth.jwt.refresh_token_expiry must be greater than 0");
    if (access_s >= refresh_s)
        return FAIL(err, NULL,
                    "embedded_auth.jwt.access_token_expiry (%llu) should be less than "
                    "refresh_token_expiry (%llu)",
                    access_s, refresh_s);
    if (shortest == 0)
        return FAIL(err, NULL,
                    "embedded_auth.user_password.min_password_length must be greater than 0");
    if (longest <= shortest)
        return FAIL(err, NULL,
                    "embedded_auth.user_password.max_password_length (%llu) must be greater than "
                    "min_password_length (%llu)",
                    longest, shortest);
    return true;
}

static bool check_limits(const struct node_config *config, struct error *err)
{
    return check_sync(&config->sync, err) && check_discovery(&config->swarm, err) &&
           check_websocket(&config->server, err) &&
           check_embedded_limits(&config->server.embedded_auth, err);
}

/* ---- 5. virtual machine ---- */

static bool check_ceiling(const char *key, struct node_optional limit, uint64_t max,
                          const char *unit, struct error *err)
{
    if (!limit.given || limit.value <= max)
        return true;
    return FAIL(err, key, "%s = %llu exceeds the maximum of %llu%s", key,
                (unsigned long long)limit.value, (unsigned long long)max, unit);
}

static bool check_runtime(const struct node_config *config, struct error *err)
{
    enum { MIB = 1024 * 1024 };
    const struct node_runtime_limits *r = &config->runtime;
    if (!check_ceiling("runtime.limits.max_logs", r->max_logs, 1000000, "", err) ||
        !check_ceiling("runtime.limits.max_log_size", r->max_log_size, 10 * MIB, " bytes", err) ||
        !check_ceiling("runtime.limits.max_precompiled_module_size", r->max_precompiled_module_size,
                       1024 * MIB, " bytes", err))
        return false;
    if (r->max_gas.given && r->max_gas.value == 0)
        return FAIL(err, "runtime.limits.max_gas",
                    "runtime.limits.max_gas must be non-zero; a zero gas budget would trap every "
                    "execution before it runs");
    return true;
}

/* Runs the steps in the order of the facts; paths only where there is a directory to try. */
static bool run_steps(const struct node_config *config, bool with_paths, struct error *err)
{
    static const struct {
        bool (*check)(const struct node_config *config, struct error *err);
        const char *context;
    } steps[] = {
        {check_ports, "Port conflict validation failed"},
        {check_paths, "Path accessibility validation failed"},
        {check_credentials, "Credentials validation failed"},
        {check_limits, "Limit values validation failed"},
        {check_runtime, "Runtime VM limits validation failed"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if ((with_paths || steps[i].check != check_paths) && !steps[i].check(config, err))
            return error_prefix(err, "%s", steps[i].context);
    return true;
}

bool node_config_validate(const struct node_config *config, struct error *err)
{
    return run_steps(config, true, err);
}

bool config_validate_before_dirs(const struct node_config *config, struct error *err)
{
    return run_steps(config, false, err);
}
