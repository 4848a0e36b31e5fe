/* getenv in one place. */
#include "node/env.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void node_env_read(struct node_env *out)
{
    *out = (struct node_env){
        .release = {.use_env_policy = getenv("USE_ENV_POLICY"),
                    .release_tag = getenv("MERO_KMS_RELEASE_TAG"),
                    .kms_version = getenv("MERO_KMS_VERSION"),
                    .tee_version = getenv("MERO_TEE_VERSION")},
        .path_prefix = getenv("NODE_PATH_PREFIX"),
        .collateral_urls = getenv("MERO_COLLATERAL_URLS"),
        .notify_socket = getenv("NOTIFY_SOCKET"),
        .watchdog_usec = getenv("WATCHDOG_USEC"),
        .allow_mock = getenv("MEROD_ALLOW_MOCK_KMS_ATTESTATION"),
        .dev_root = getenv("MERO_DEV_ROOT"),
        .dev_now = getenv("MERO_DEV_NOW"),
        .simulator_socket = getenv("DSTACK_SIMULATOR_ENDPOINT"),
    };
}

bool node_env_refuse_dev(const struct node_env *env, bool accept_mock, struct error *err)
{
    const struct {
        const char *name;
        const char *value;
    } settings[] = {
        {"MERO_DEV_ROOT", env->dev_root},
        {"MERO_DEV_NOW", env->dev_now},
        {"DSTACK_SIMULATOR_ENDPOINT", env->simulator_socket},
        {"tee.kms.phala.attestation.accept_mock", accept_mock ? "true" : NULL},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (settings[i].value != NULL)
            return error_set(err, "config/development-only", settings[i].name,
                             "%s is set, but it exists for development only and this is a release "
                             "build: remove it",
                             settings[i].name);
    return true;
}

bool node_env_mock_allowed(const struct node_env *env)
{
    return env->allow_mock != NULL &&
           (strcmp(env->allow_mock, "1") == 0 || strcasecmp(env->allow_mock, "true") == 0);
}
