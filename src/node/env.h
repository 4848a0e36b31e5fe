/* The environment of merod, read once at the start. Spec: compatibility facts A.1, C.6a, E;
 * settings.md. */
#ifndef NODE_ENV_H
#define NODE_ENV_H

#include "node/release_choice.h"

struct node_env {
    struct release_variables release;
    const char *path_prefix;      /* NODE_PATH_PREFIX */
    const char *collateral_urls;  /* MERO_COLLATERAL_URLS: csv, before tee.collateral.urls */
    const char *notify_socket;    /* NOTIFY_SOCKET */
    const char *watchdog_usec;    /* WATCHDOG_USEC */
    const char *allow_mock;       /* MEROD_ALLOW_MOCK_KMS_ATTESTATION */
    const char *dev_root;         /* MERO_DEV_ROOT */
    const char *dev_now;          /* MERO_DEV_NOW */
    const char *simulator_socket; /* DSTACK_SIMULATOR_ENDPOINT */
};

void node_env_read(struct node_env *out);

/* What a release build does with settings that exist for development only: it refuses to start
 * rather than to look relaxed and be strict. accept_mock: of the configuration.
 * Code config/development-only; the text names the setting. */
bool node_env_refuse_dev(const struct node_env *env, bool accept_mock, struct error *err) MUST_USE;

#ifdef MERO_DEV
/* Sets the clock that MERO_DEV_NOW asks for: Unix seconds or "YYYY-MM-DDThh:mm:ssZ". */
bool node_env_apply_dev(const struct node_env *env, struct error *err) MUST_USE;
#endif

/* "1" or "true" in any case. */
bool node_env_mock_allowed(const struct node_env *env);

#endif
