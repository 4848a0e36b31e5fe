/* From configuration and environment to one decision about the key release. */
#include "node/key_plan.h"

#include <string.h>

#include "base/log.h"

/* Until releases can be verified, naming one stops the start: a policy that nobody verified is
 * never used, nor is the configuration's in its place. */
static bool refuse_release(const struct release_choice *choice, struct error *err)
{
    if (choice->variable == NULL)
        return true;
    return error_set(err, "release/unavailable", choice->variable,
                     "%s names release %s, but this build cannot verify the signature of a release "
                     "policy yet, and an unverified policy is never used; set USE_ENV_POLICY=true "
                     "to use the lists in config.toml, or unset %s",
                     choice->variable, choice->version, choice->variable);
}

static bool refuse_unverified(const struct node_config *config, struct error *err)
{
    if (config->tee.attestation.enabled || config->tee.insecure_skip_kms_verification)
        return true;
    return error_set(err, "config/kms-unverified", "tee.kms.phala.attestation.enabled",
                     "nobody would verify the KMS: tee.kms.phala.attestation.enabled is false; "
                     "enable it and list the trusted measurements, or accept any KMS with "
                     "tee.kms.phala.insecure_skip_kms_verification = true");
}

static void fill_options(const struct node_config *config, const struct node_env *env,
                         struct key_plan *plan)
{
    const struct node_tee_config *tee = &config->tee;
    bool verifies = tee->attestation.enabled;
    plan->options = (struct keyrelease_options){
        .url = tee->url,
        .tls_ca_path = tee->tls_ca_path,
        .tls_client_cert_path = tee->tls_client_cert_path,
        .tls_client_key_path = tee->tls_client_key_path,
        .strict_transport = verifies && !tee->attestation.accept_mock,
        .kms_policy = verifies ? &plan->policy : NULL,
        .voice = POLICY_VOICE_NODE_CONFIG,
        .insecure_skip_kms_verification = !verifies,
        .insecure_allow_clear_key_release = tee->insecure_allow_clear_key_release,
        .has_binding = tee->attestation.has_binding,
        .identity = config->identity,
    };
    memcpy(plan->options.binding, tee->attestation.binding, sizeof plan->options.binding);
#ifdef MERO_DEV
    plan->options.accept_mock = tee->attestation.accept_mock && node_env_mock_allowed(env);
    plan->options.mock_env_missing = tee->attestation.accept_mock && !node_env_mock_allowed(env);
#else
    (void)env;
#endif
}

bool key_plan_make(const struct node_config *config, const struct node_env *env,
                   struct key_plan *out, struct error *err)
{
    struct release_choice choice;
    if (!release_choose(&env->release, &choice, err) || !refuse_release(&choice, err) ||
        !refuse_unverified(config, err))
        return false;
    struct key_plan plan = {.env_policy = choice.env_policy,
                            .skip_is_moot = config->tee.attestation.enabled &&
                                            config->tee.insecure_skip_kms_verification};
    policy_init(&plan.policy);
    if (config->tee.attestation.resolved &&
        !policy_copy(&plan.policy, &config->tee.attestation.policy, err))
        return false;
    plan.policy.lists_required = !config->tee.attestation.accept_mock;
    fill_options(config, env, &plan);
    *out = plan;
    if (plan.options.kms_policy != NULL)
        out->options.kms_policy = &out->policy;
    return true;
}

void key_plan_free(struct key_plan *plan)
{
    policy_free(&plan->policy);
}

bool key_plan_announce(const struct key_plan *plan, struct error *err)
{
    const struct keyrelease_options *o = &plan->options;
    bool plain_http = false;
    if (!keyrelease_check_url(o->url, o->strict_transport, &plain_http, err))
        return false;
    if (o->insecure_skip_kms_verification)
        log_warn("INSECURE: the KMS is not verified, whoever answers at %s hands out the key "
                 "setting=tee.kms.phala.insecure_skip_kms_verification",
                 o->url);
    if (o->insecure_allow_clear_key_release)
        log_warn("INSECURE: the key may travel in clear, whoever ends TLS can read it "
                 "setting=tee.kms.phala.insecure_allow_clear_key_release");
    if (plain_http)
        log_warn("INSECURE: %s is plain HTTP to another host setting=tee.kms.phala.url", o->url);
#ifdef MERO_DEV
    if (o->accept_mock)
        log_warn("INSECURE: mock quotes of the KMS are accepted "
                 "setting=tee.kms.phala.attestation.accept_mock");
#endif
    if (plan->skip_is_moot)
        log_warn("the KMS is verified all the same, because attestation is enabled "
                 "setting=tee.kms.phala.insecure_skip_kms_verification");
    if (plan->env_policy)
        log_warn("release policies are off, the lists in config.toml count "
                 "setting=USE_ENV_POLICY");
    return true;
}
