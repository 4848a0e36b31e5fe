/* Load, then judge. */
#include "node/settings.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/config_internal.h"

bool settings_mock_supported(bool mock_tee, struct error *err)
{
#ifdef MERO_DEV
    (void)err;
    (void)mock_tee;
    return true;
#else
    return !mock_tee ||
           error_set(err, "config/mock-tee", "--mock-tee",
                     "--mock-tee: this merod binary was built without mock-attestation support. "
                     "Only development builds can simulate a TEE.");
#endif
}

bool settings_load(const char *dir, const struct settings_overrides *overrides,
                   struct settings *out, struct error *err)
{
    *out = (struct settings){0};
    node_env_read(&out->env);
    if (!node_config_load(dir, &out->config, err))
        return false;
    return overrides->auth_mode == NULL ||
           node_config_set_auth_mode(out->config, overrides->auth_mode, err);
}

bool settings_parse(struct slice text, const char *dir, struct settings *out, struct error *err)
{
    *out = (struct settings){.unwritten = true};
    node_env_read(&out->env);
    if (!node_config_parse(text, dir, &out->config, err))
        return false;
    out->config->tee.collateral_dir[0] = 0;
    return true;
}

#ifdef MERO_DEV
/* A development build may simulate a TEE, but never beside a KMS that checks real ones (A.4). */
bool settings_judge_dev(const struct settings *s, bool mock_tee, struct error *err)
{
    const struct node_tee_config *tee = &s->config->tee;
    if (!node_env_apply_dev(&s->env, err))
        return false;
    if (!mock_tee)
        return true;
    if (tee->has_kms && tee->attestation.enabled && !tee->attestation.accept_mock)
        return error_set(err, "config/mock-tee", "--mock-tee",
                         "--mock-tee refused: a real KMS/attestation is configured. Mock TEE is "
                         "dev/test only and cannot coexist with real attestation.");
    log_warn("INSECURE: quotes of this node are mocks, they prove nothing setting=--mock-tee");
    if (tee->has_kms)
        log_warn("INSECURE: the KMS at %s will be sent mock quotes setting=--mock-tee", tee->url);
    return true;
}
#else
bool settings_judge_dev(const struct settings *s, bool mock_tee, struct error *err)
{
    (void)mock_tee; /* refused earlier */
    return node_env_refuse_dev(&s->env, s->config->tee.attestation.accept_mock, err);
}
#endif

static bool judge_config(struct settings *s, struct error *err)
{
    if (!node_config_resolve_policy(s->config, err))
        return false;
    return (s->unwritten ? config_validate_before_dirs(s->config, err)
                         : node_config_validate(s->config, err)) ||
           error_prefix(err, "Configuration validation failed - please fix the configuration and "
                             "try again");
}

bool settings_judge(struct settings *s, const struct settings_overrides *overrides,
                    struct error *err)
{
    if (!settings_judge_dev(s, overrides->mock_tee, err) || !judge_config(s, err))
        return false;
    if (overrides->kms_url != NULL)
        s->config->tee.url = overrides->kms_url; /* judged by whoever uses it, as its own case */
    if (s->config->has_tee)
        s->has_plan = key_plan_make(s->config, &s->env, &s->plan, err);
    return s->has_plan == s->config->has_tee;
}

void settings_free(struct settings *s)
{
    if (s->has_plan)
        key_plan_free(&s->plan);
    s->has_plan = false;
    node_config_free(&s->config);
}
