/* What `run`, the probes and `init --kms-url` know before they act: environment, configuration, and
 * the plan for the key, judged in one order so that all of them refuse in the same cases
 * (compatibility facts C, steps 1 to 6b; settings.md, last section). */
#ifndef NODE_SETTINGS_H
#define NODE_SETTINGS_H

#include "node/key_plan.h"

struct settings {
    struct node_env env;
    struct node_config *config;
    bool unwritten; /* of settings_parse(): the node directory need not exist */
    bool has_plan;  /* the configuration has a [tee] section */
    struct key_plan plan;
};

struct settings_overrides {
    const char *auth_mode; /* --auth-mode; NULL = as configured */
    const char *kms_url;   /* --kms-url; NULL = as configured */
    bool mock_tee;         /* --mock-tee */
};

/* "--mock-tee: this merod binary was built without mock-attestation support. ..." in a release
 * build; true in a development build. Asked before anything else (A.4). */
bool settings_mock_supported(bool mock_tee, struct error *err) MUST_USE;
/* Environment and config.toml of the node directory. *out may be freed whatever happened. */
bool settings_load(const char *dir, const struct settings_overrides *overrides,
                   struct settings *out, struct error *err) MUST_USE;
/* The same for a configuration that is not on disk yet, meant for `dir`: what `init` judges before
 * it writes. No directory is looked at, and collateral is kept in memory only. */
bool settings_parse(struct slice text, const char *dir, struct settings *out,
                    struct error *err) MUST_USE;
/* Only what a build of this kind allows at all (settings.md, last section). */
bool settings_judge_dev(const struct settings *s, bool mock_tee, struct error *err) MUST_USE;
/* That, then external policy, validation, plan. */
bool settings_judge(struct settings *s, const struct settings_overrides *overrides,
                    struct error *err) MUST_USE;
void settings_free(struct settings *s);
#define SETTINGS_AUTO __attribute__((cleanup(settings_free)))

#endif
