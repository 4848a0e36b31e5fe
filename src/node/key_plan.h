/* How this node gets its key: which policy judges the KMS, which transport is allowed, what the
 * configuration and the environment relax. `run` and `kms probe` go by the same plan, so they
 * refuse in the same cases. Spec: compatibility facts B.3-B.7, C.6; settings.md. */
#ifndef NODE_KEY_PLAN_H
#define NODE_KEY_PLAN_H

#include "keyrelease/client.h"
#include "node/config.h"
#include "node/env.h"

struct key_plan {
    struct keyrelease_options options; /* borrows from the configuration and from this plan; the
                                          caller fills in verifier, quotes, cancel and events */
    struct policy policy;              /* owned */
    bool env_policy;                   /* USE_ENV_POLICY was given */
    bool skip_is_moot;                 /* insecure_skip_kms_verification beside a policy */
};

/*
 * The configuration has a [tee] section and is valid. Codes: config/release-version,
 * release/unavailable (a release is named: its policy cannot be verified yet),
 * config/kms-unverified (nobody would verify the KMS).
 */
bool key_plan_make(const struct node_config *config, const struct node_env *env,
                   struct key_plan *out, struct error *err) MUST_USE;
void key_plan_free(struct key_plan *plan);
#define KEY_PLAN_AUTO __attribute__((cleanup(key_plan_free)))

/* The transport rule (B.7), then everything insecure about the plan as one warning line each: said
 * at every start. Code keyrelease/transport. */
bool key_plan_announce(const struct key_plan *plan, struct error *err) MUST_USE;

#endif
