/* What one setting alone cannot say: the profile and its pin file, paths below the state directory,
 * TLS, what is dangerous, and the policy. Spec: compatibility facts D.7, D.8; settings.md. */
#include "kms/config_rules.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

static const char profile_pin_default[] = "/etc/mero-kms/image-profile";
static const char default_profile[] = "locked-read-only";
static const char *const profiles[] = {"debug", "debug-read-only", "locked-read-only"};

static const char *get(const struct kms_environment *env, const char *name)
{
    return env->get(env->ctx, name);
}

static void set_text(struct kms_text *out, const char *text)
{
    snprintf(out->text, sizeof(out->text), "%s", text);
}

/* ---- profile ---- */

static struct slice trim(struct slice s)
{
    while (s.len > 0 && isspace(s.data[0]))
        s = slice_cut(s, 1, s.len - 1);
    while (s.len > 0 && isspace(s.data[s.len - 1]))
        s.len--;
    return s;
}

static bool same_trimmed(const char *a, const char *b)
{
    struct slice x = trim(slice_str(a)), y = trim(slice_str(b));
    return x.len == y.len &&
           (x.len == 0 || strncasecmp((const char *)x.data, (const char *)y.data, x.len) == 0);
}

/* One of the three names, trimmed and in any case; NULL when it is none. */
static const char *known_profile(const char *text, const char *setting,
                                 struct kms_findings *findings)
{
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
        if (same_trimmed(text, profiles[i]))
            return profiles[i];
    if (trim(slice_str(text)).len == 0)
        kms_finding_add(findings, KMS_FATAL, setting, "KMS policy profile cannot be empty");
    else
        kms_finding_add(findings, KMS_FATAL, setting,
                        "Unsupported KMS policy profile '%.100s'. Expected one of: debug, "
                        "debug-read-only, locked-read-only",
                        text);
    return NULL;
}

/* The image's pin: false when a problem with it was found; *out stays NULL when there is none. */
static bool pinned_profile(const struct kms_environment *env, const char **out,
                           struct kms_findings *findings)
{
    const char *path = env->profile_pin_path != NULL ? env->profile_pin_path : profile_pin_default;
    struct buf text BUF_AUTO = BUF_INIT(KMS_PIN_FILE_MAX);
    struct error err = {0};
    if (!file_read(path, &text, &err)) {
        if (error_is(&err, "file/missing"))
            return true;
        kms_finding_add(findings, KMS_FATAL, "image-profile",
                        "Failed to read pinned KMS image profile from %s: %s", path, err.message);
        return false;
    }
    const char *content = buf_cstr(&text);
    if (content == NULL || trim(slice_str(content)).len == 0) {
        kms_finding_add(findings, KMS_FATAL, "image-profile",
                        "Pinned KMS image profile file %s is empty; refusing startup", path);
        return false;
    }
    *out = known_profile(content, "image-profile", findings);
    return *out != NULL;
}

/* What the environment asks for, NULL when it says nothing. */
static const char *asked_profile(const struct kms_environment *env, struct kms_findings *findings)
{
    const char *modern = get(env, "MERO_KMS_PROFILE");
    const char *legacy = get(env, "KMS_POLICY_PROFILE");
    if (modern != NULL && legacy != NULL && !same_trimmed(modern, legacy))
        kms_finding_add(findings, KMS_FATAL, "MERO_KMS_PROFILE",
                        "MERO_KMS_PROFILE and legacy KMS_POLICY_PROFILE disagree; set only "
                        "MERO_KMS_PROFILE");
    if (modern == NULL && legacy != NULL)
        kms_finding_add(findings, KMS_WARNING, "KMS_POLICY_PROFILE",
                        "deprecated; use MERO_KMS_PROFILE for new deployments");
    return modern != NULL ? modern : legacy;
}

static void resolve_profile(const struct kms_environment *env, struct kms_config *c,
                            struct kms_findings *findings)
{
    const char *pinned = NULL;
    const char *asked = asked_profile(env, findings);
    set_text(&c->profile, default_profile);
    if (!pinned_profile(env, &pinned, findings))
        return;
    if (pinned == NULL) {
        /* Without a pin an empty value is no value; with one it is a mismatch. */
        const char *profile = asked != NULL && trim(slice_str(asked)).len > 0
                                  ? known_profile(asked, "MERO_KMS_PROFILE", findings)
                                  : default_profile;
        if (profile != NULL)
            set_text(&c->profile, profile);
        return;
    }
    set_text(&c->profile, pinned);
    kms_config_set_origin(c, "MERO_KMS_PROFILE", KMS_ORIGIN_PIN_FILE);
    const char *profile =
        asked != NULL ? known_profile(asked, "MERO_KMS_PROFILE", findings) : pinned;
    if (profile != NULL && strcmp(profile, pinned) != 0)
        kms_finding_add(findings, KMS_FATAL, "MERO_KMS_PROFILE",
                        "MERO_KMS_PROFILE '%s' does not match profile-pinned image value '%s'. "
                        "Build/deploy the matching KMS image profile instead.",
                        profile, pinned);
}

/* ---- paths and TLS ---- */

static void resolve_paths(const struct kms_environment *env, struct kms_config *c,
                          struct kms_findings *findings)
{
    const char *service_dir = get(env, "STATE_DIRECTORY");
    if (c->state_dir.text[0] == '\0') {
        set_text(&c->state_dir, "/var/lib/mero-kms");
        /* systemd separates several directories by colons; the first is ours. */
        if (service_dir != NULL && service_dir[0] == '/')
            snprintf(c->state_dir.text, sizeof(c->state_dir.text), "%.*s",
                     (int)strcspn(service_dir, ":"), service_dir);
    }
    struct kms_text dir = c->state_dir;
    if (strlen(dir.text) > KMS_TEXT_MAX - 32) {
        kms_finding_add(findings, KMS_FATAL, "MERO_KMS_STATE_DIR", "the path is too long");
        return;
    }
    if (c->admin_addr.text[0] == '\0')
        snprintf(c->admin_addr.text, sizeof(c->admin_addr.text), "unix:%.470s/admin.sock",
                 dir.text);
    if (c->audit_log.text[0] == '\0')
        snprintf(c->audit_log.text, sizeof(c->audit_log.text), "%.470s/audit.jsonl", dir.text);
}

static void check_tls(const struct kms_config *c, struct kms_findings *findings)
{
    bool cert = c->tls_cert.text[0] != '\0', key = c->tls_key.text[0] != '\0';
    if (cert != key)
        kms_finding_add(findings, KMS_FATAL, cert ? "MERO_KMS_TLS_KEY" : "MERO_KMS_TLS_CERT",
                        "MERO_KMS_TLS_CERT and MERO_KMS_TLS_KEY must be set together");
    if (c->tls_client_ca.text[0] != '\0' && !cert)
        kms_finding_add(findings, KMS_FATAL, "MERO_KMS_TLS_CLIENT_CA",
                        "client certificates need TLS: set MERO_KMS_TLS_CERT and MERO_KMS_TLS_KEY");
}

/* ---- what is dangerous, and what is without effect ---- */

static void warn_of_switches(const struct kms_environment *env, const struct kms_config *c,
                             struct kms_findings *findings)
{
    if (c->accept_mock && !env->development)
        kms_finding_add(findings, KMS_FATAL, "ACCEPT_MOCK_ATTESTATION",
                        "mock attestation exists in development builds only; this is a release "
                        "build, which refuses to start while ACCEPT_MOCK_ATTESTATION is true");
    else if (c->accept_mock)
        kms_finding_add(findings, KMS_WARNING, "ACCEPT_MOCK_ATTESTATION",
                        "INSECURE: quotes that anybody can write are accepted");
    if (!c->enforce_policy)
        kms_finding_add(findings, KMS_WARNING, "ENFORCE_MEASUREMENT_POLICY",
                        "INSECURE: measurement policy enforcement is disabled; any genuine TDX VM "
                        "gets its key");
    if (!c->require_sealed)
        kms_finding_add(findings, KMS_WARNING, "MERO_KMS_REQUIRE_SEALED_KEY_RELEASE",
                        "INSECURE: keys are also released in clear, readable by whatever ends TLS "
                        "before this service");
    if (!c->require_sealed && c->redis_url.text[0] != '\0')
        kms_finding_add(findings, KMS_WARNING, "REDIS_URL",
                        "a Redis that forgets makes replies in clear replayable");
    if (c->challenge_ttl_s == 0)
        kms_finding_add(findings, KMS_WARNING, "CHALLENGE_TTL_SECS",
                        "0 makes every challenge expired when it is issued");
    if (c->challenge_ttl_s > KMS_TTL_MAX_S)
        kms_finding_add(findings, KMS_WARNING, "CHALLENGE_TTL_SECS",
                        "%u is used, the most there is", KMS_TTL_MAX_S);
    if (get(env, "MAX_PENDING_CHALLENGES") != NULL)
        kms_finding_add(findings, KMS_NOTE, "MAX_PENDING_CHALLENGES",
                        "unused: no challenge is pending on the server; see "
                        "MERO_KMS_MAX_CONSUMED_CHALLENGES");
}

void kms_config_rules(const struct kms_environment *env, struct kms_config *c,
                      struct kms_findings *findings)
{
    resolve_profile(env, c, findings);
    resolve_paths(env, c, findings);
    check_tls(c, findings);
    warn_of_switches(env, c, findings);
    if (c->challenge_ttl_s > KMS_TTL_MAX_S)
        c->challenge_ttl_s = KMS_TTL_MAX_S;
}

/* ---- policy ---- */

/* A status that no quote can have changes nothing, so it only earns a warning. */
static void read_statuses(const char *csv, struct policy *policy, struct kms_findings *findings)
{
    struct slice rest = slice_str(csv);
    struct error err = {0};
    policy_clear_statuses(policy);
    while (rest.len > 0) {
        size_t at = 0;
        while (at < rest.len && rest.data[at] != ',')
            at++;
        if (!policy_add_status(policy, slice_cut(rest, 0, at), "ALLOWED_TCB_STATUSES", &err))
            kms_finding_add(findings, KMS_WARNING, "ALLOWED_TCB_STATUSES", "%s", err.message);
        rest = slice_cut(rest, at + 1, rest.len);
    }
}

static void read_lists(const struct kms_environment *env, struct policy *policy,
                       struct kms_findings *findings)
{
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        char name[32];
        struct error err = {0};
        snprintf(name, sizeof(name), "ALLOWED_%s", policy_register_name((enum policy_register)r));
        const char *csv = get(env, name);
        if (csv != NULL &&
            !policy_add_measurement_csv(policy, (enum policy_register)r, slice_str(csv),
                                        POLICY_DIALECT_KMS, name, &err))
            kms_finding_add(findings, KMS_FATAL, name, "%s", err.message);
    }
}

/* A policy that would refuse everybody is a mistake, unless nothing is enforced. */
static void check_lists(const struct kms_config *c, struct kms_findings *findings)
{
    if (!c->enforce_policy || c->accept_mock)
        return;
    if (!policy_accepts_any_status(&c->policy))
        kms_finding_add(findings, KMS_FATAL, "ALLOWED_TCB_STATUSES",
                        "Measurement policy is enforced, but allowed_tcb_statuses is empty. "
                        "Configure at least one allowed status (recommended: UpToDate).");
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        const char *register_name = policy_register_name((enum policy_register)r);
        char name[32];
        snprintf(name, sizeof(name), "ALLOWED_%s", register_name);
        if (c->policy.lists[r].count == 0)
            kms_finding_add(findings, KMS_FATAL, name,
                            "Measurement policy is enforced, but allowed_%s is empty. Configure at "
                            "least one trusted %s value.",
                            policy_register_key((enum policy_register)r), register_name);
    }
}

static void release_version(const struct kms_environment *env, struct kms_config *c,
                            struct kms_findings *findings)
{
    static const char prefix[] = "mero-kms-v";
    if (get(env, "MERO_KMS_VERSION") == NULL) {
        snprintf(c->policy_reason, sizeof(c->policy_reason),
                 "MERO_KMS_VERSION is not set; release policy is not available yet");
        return;
    }
    if (c->version.text[0] == '\0') {
        kms_finding_add(findings, KMS_FATAL, "MERO_KMS_VERSION",
                        "MERO_KMS_VERSION cannot be empty");
        return;
    }
    if (strncmp(c->version.text, prefix, sizeof(prefix) - 1) == 0) {
        struct kms_text bare;
        set_text(&bare, &c->version.text[sizeof(prefix) - 1]);
        c->version = bare;
    }
    snprintf(c->policy_reason, sizeof(c->policy_reason),
             "Failed to load release policy for version '%.100s' profile '%.32s': release "
             "verification is missing in this build, and no unverified policy is ever used "
             "(USE_ENV_POLICY=true takes the policy from ALLOWED_*)",
             c->version.text, c->profile.text);
}

void kms_config_policy(const struct kms_environment *env, struct kms_config *c,
                       struct kms_findings *findings)
{
    c->policy.lists_required = true;
    if (!c->use_env_policy) {
        release_version(env, c, findings);
        if (c->policy_reason[0] != '\0')
            kms_finding_add(findings, KMS_WARNING, "MERO_KMS_VERSION", "%s", c->policy_reason);
        return;
    }
    const char *statuses = get(env, "ALLOWED_TCB_STATUSES");
    if (statuses != NULL)
        read_statuses(statuses, &c->policy, findings);
    read_lists(env, &c->policy, findings);
    check_lists(c, findings);
    c->policy_ready = true;
}

/* ---- typing errors ---- */

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

enum { NAME_COMPARED_MAX = 64 };

/* Edit distance of two names. */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    size_t row[NAME_COMPARED_MAX + 1];
    size_t b_len = strlen(b);
    if (a_len > NAME_COMPARED_MAX || b_len > NAME_COMPARED_MAX)
        return NAME_COMPARED_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = least_of(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

static void check_name(const char *entry, const struct kms_setting *settings, size_t count,
                       struct kms_findings *findings)
{
    size_t len = strcspn(entry, "="), best = NAME_COMPARED_MAX;
    const char *nearest = "";
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(entry, len, settings[i].name);
        if (d == 0)
            return;
        if (d < best) {
            best = d;
            nearest = settings[i].name;
        }
    }
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)(len < 63 ? len : 63), entry);
    kms_finding_add(findings, KMS_WARNING, name, "unknown setting, without effect%s%s%s",
                    best <= 4 ? "; did you mean " : "", best <= 4 ? nearest : "",
                    best <= 4 ? "?" : "");
}

void kms_config_unknown(const struct kms_environment *env, const struct kms_setting *settings,
                        size_t count, struct kms_findings *findings)
{
    static const char prefix[] = "MERO_KMS_";
    static const char of_nodes[] = "MERO_KMS_RELEASE_TAG=";
    for (size_t i = 0; env->all != NULL && env->all[i] != NULL; i++)
        if (strncmp(env->all[i], prefix, sizeof(prefix) - 1) == 0 &&
            strncmp(env->all[i], of_nodes, sizeof(of_nodes) - 1) != 0)
            check_name(env->all[i], settings, count, findings);
}
