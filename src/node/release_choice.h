/* Which release, if any, the environment names as the source of the KMS policy.
 * Spec: compatibility facts C.6a. */
#ifndef NODE_RELEASE_CHOICE_H
#define NODE_RELEASE_CHOICE_H

#include "base/error.h"
#include "node/limits.h"

/* Raw values of the variables; NULL = unset. */
struct release_variables {
    const char *use_env_policy; /* USE_ENV_POLICY */
    const char *release_tag;    /* MERO_KMS_RELEASE_TAG, the strongest */
    const char *kms_version;    /* MERO_KMS_VERSION */
    const char *tee_version;    /* MERO_TEE_VERSION */
};

struct release_choice {
    bool env_policy;                        /* USE_ENV_POLICY: the lists in config.toml count */
    const char *variable;                   /* which one named the version; NULL = none did */
    char version[NODE_RELEASE_VERSION_MAX]; /* "2.3.71", without a prefix */
};

/* Blank variables count as unset; an invalid value of a stronger variable is an error and never
 * falls through to a weaker one. Code config/release-version. */
bool release_choose(const struct release_variables *vars, struct release_choice *out,
                    struct error *err) MUST_USE;

#endif
