/* The settings in one table: name, default, reader, printer. What depends on several of them is in
 * config_rules.c. */
#include "kms/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "kms/config_rules.h"
#include "kms/config_values.h"

#define AT(member) offsetof(struct kms_config, member)

static const struct kms_setting settings[] = {
    {"LISTEN_ADDR", "0.0.0.0:8080", AT(listen_addr), kms_read_listen, kms_print_text, false},
    {"DSTACK_SOCKET_PATH", "", AT(dstack_socket), kms_read_plain, kms_print_text, false},
    {"CHALLENGE_TTL_SECS", "60", AT(challenge_ttl_s), kms_read_number_lenient, kms_print_number,
     false},
    {"MAX_PENDING_CHALLENGES", "10000", AT(max_pending), kms_read_number_positive, kms_print_number,
     false},
    {"ACCEPT_MOCK_ATTESTATION", "false", AT(accept_mock), kms_read_bool, kms_print_bool, false},
    {"REDIS_URL", "", AT(redis_url), kms_read_redis, kms_print_redis, false},
    {"MERO_KMS_VERSION", NULL, AT(version), kms_read_trimmed, kms_print_text, false},
    {"MERO_KMS_PROFILE", NULL, AT(profile), kms_read_plain, kms_print_text, false},
    {"KMS_POLICY_PROFILE", NULL, AT(profile_legacy), kms_read_plain, kms_print_text, false},
    {"KEY_NAMESPACE_PREFIX", "merod/storage", AT(key_prefix), kms_read_prefix, kms_print_text,
     false},
    {"MERO_KMS_POLICY_SHA256", NULL, AT(policy_pin), kms_read_pin, kms_print_pin, false},
    {"CORS_ALLOWED_ORIGINS", "", AT(cors_origins), kms_read_csv, kms_print_list, false},
    {"ENFORCE_MEASUREMENT_POLICY", "true", AT(enforce_policy), kms_read_bool, kms_print_bool,
     false},
    {"USE_ENV_POLICY", "false", AT(use_env_policy), kms_read_bool, kms_print_bool, false},

    {"MERO_KMS_STATE_DIR", NULL, AT(state_dir), kms_read_path, kms_print_text, false},
    {"MERO_KMS_ADMIN_ADDR", NULL, AT(admin_addr), kms_read_admin, kms_print_text, false},
    {"MERO_KMS_TLS_CERT", "", AT(tls_cert), kms_read_path, kms_print_text, false},
    {"MERO_KMS_TLS_KEY", "", AT(tls_key), kms_read_path, kms_print_text, false},
    {"MERO_KMS_TLS_CLIENT_CA", "", AT(tls_client_ca), kms_read_path, kms_print_text, false},
    {"MERO_KMS_REQUIRE_SEALED_KEY_RELEASE", "true", AT(require_sealed), kms_read_bool,
     kms_print_bool, false},
    {"MERO_KMS_ATTEST_BINDINGS", "", AT(attest_bindings), kms_read_bindings, kms_print_bindings,
     false},
    {"MERO_KMS_MAX_CONSUMED_CHALLENGES", "1000000", AT(max_consumed), kms_read_number_positive,
     kms_print_number, false},
    {"MERO_KMS_TRUSTED_PROXIES", "", AT(trusted_proxies), kms_read_cidrs, kms_print_cidrs, false},
    {"MERO_KMS_RATE", "50", AT(rate), kms_read_number, kms_print_number, false},
    {"MERO_KMS_BURST", "200", AT(burst), kms_read_number, kms_print_number, false},
    {"MERO_KMS_AUDIT_LOG", NULL, AT(audit_log), kms_read_path, kms_print_text, false},
    {"MERO_KMS_POLICY_REFRESH_SECS", "900", AT(policy_refresh_s), kms_read_number, kms_print_number,
     false},
    {"MERO_COLLATERAL_URLS", "", AT(collateral_urls), kms_read_urls, kms_print_list, false},
    {"MERO_RELEASE_BASE_URL", "", AT(release_base_url), kms_read_trimmed, kms_print_text, false},
    {"MERO_RELEASE_DIR", "", AT(release_dir), kms_read_path, kms_print_text, false},

    {"DSTACK_SIMULATOR_ENDPOINT", "", AT(simulator_endpoint), kms_read_plain, kms_print_text, true},
    {"MERO_DEV_ROOT", "", AT(dev_root), kms_read_plain, kms_print_text, true},
    {"MERO_DEV_NOW", "", AT(dev_now), kms_read_trimmed, kms_print_text, true},
};
enum { SETTING_COUNT = sizeof(settings) / sizeof(settings[0]) };
_Static_assert((int)SETTING_COUNT <= (int)KMS_SETTINGS_MAX, "room for every origin");

static const char *process_get(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

extern char **environ;

struct kms_environment kms_environment_of_process(void)
{
    struct kms_environment env = {.get = process_get, .all = environ};
#ifdef MERO_DEV
    env.development = true;
#endif
    return env;
}

void kms_finding_add(struct kms_findings *f, enum kms_severity severity, const char *setting,
                     const char *format, ...)
{
    struct error text;
    char message[KMS_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    error_set(&text, "config", setting, "%s", message); /* makes untrusted text safe to show */
    f->fatal += severity == KMS_FATAL;
    if (f->count == KMS_FINDINGS_MAX)
        return;
    struct kms_finding *item = &f->items[f->count++];
    item->severity = severity;
    snprintf(item->setting, sizeof(item->setting), "%s", setting);
    snprintf(item->text, sizeof(item->text), "%.511s", text.message);
}

static void *member_of(struct kms_config *c, const struct kms_setting *s)
{
    return &((uint8_t *)c)[s->offset];
}

static void read_setting(const struct kms_environment *env, struct kms_config *c, size_t index,
                         struct kms_findings *findings)
{
    const struct kms_setting *s = &settings[index];
    char why[KMS_TEXT_MAX] = "";
    if (s->fallback != NULL)
        s->read(s->fallback, member_of(c, s), why);
    const char *value = env->get(env->ctx, s->name);
    if (value == NULL)
        return;
    if (s->development_only && value[0] != '\0' && !env->development) {
        kms_finding_add(findings, KMS_FATAL, s->name,
                        "is a setting of development builds; this is a release build, which "
                        "refuses to start while it is set");
        return;
    }
    switch (s->read(value, member_of(c, s), why)) {
    case READ_OK:
        c->origins[index] = KMS_ORIGIN_ENVIRONMENT;
        break;
    case READ_IGNORED:
        kms_finding_add(findings, KMS_WARNING, s->name, "%s", why);
        break;
    case READ_BAD:
        kms_finding_add(findings, KMS_FATAL, s->name, "%s", why);
        break;
    }
}

bool kms_config_read(const struct kms_environment *env, struct kms_config *out,
                     struct kms_findings *findings)
{
    *out = (struct kms_config){.agent_ms = KMS_AGENT_MS,
                               .collateral_ms = KMS_COLLATERAL_MS,
                               .get_key_in_flight = KMS_GET_KEY_IN_FLIGHT};
    *findings = (struct kms_findings){0};
    policy_init(&out->policy);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        read_setting(env, out, i, findings);
    kms_config_rules(env, out, findings);
    kms_config_policy(env, out, findings);
    kms_config_unknown(env, settings, SETTING_COUNT, findings);
    return findings->fatal == 0;
}

void kms_config_free(struct kms_config *c)
{
    policy_free(&c->policy);
}

bool kms_config_is_set(const struct kms_config *c, const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(settings[i].name, name) == 0)
            return c->origins[i] != KMS_ORIGIN_DEFAULT;
    return false;
}

void kms_config_set_origin(struct kms_config *c, const char *name, enum kms_origin origin)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(settings[i].name, name) == 0)
            c->origins[i] = origin;
}

static void dump_policy(const struct kms_config *c, struct buf *out)
{
    bool first = true;
    buf_append_str(out, "ALLOWED_TCB_STATUSES=");
    for (unsigned s = 0; s < TCB_STATUS_COUNT; s++)
        if (c->policy.statuses[s]) {
            buf_printf(out, "%s%s", first ? "" : ",", tcb_status_name((enum tcb_status)s));
            first = false;
        }
    buf_append_str(out, "  # policy\n");
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        const struct measurement_list *list = &c->policy.lists[r];
        buf_printf(out, "ALLOWED_%s=", policy_register_name((enum policy_register)r));
        for (size_t i = 0; i < list->count; i++) {
            buf_append_str(out, i > 0 ? "," : "");
            hex_append(out, slice_of(list->values[i], MEASUREMENT_LEN));
        }
        buf_append_str(out, "  # policy\n");
    }
}

bool kms_config_dump(const struct kms_config *c, struct buf *out)
{
    static const char *const origins[] = {"default", "environment", "image profile file"};
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct kms_setting *s = &settings[i];
        buf_printf(out, "%s=", s->name);
        s->print(&((const uint8_t *)c)[s->offset], out);
        buf_printf(out, "  # %s\n", origins[c->origins[i]]);
    }
    if (c->policy_ready)
        dump_policy(c, out);
    else
        buf_printf(out, "# no policy: %s\n", c->policy_reason);
    return !out->failed;
}
