/* Rules over several settings, and the policy from the environment. */
#ifndef KMS_CONFIG_RULES_H
#define KMS_CONFIG_RULES_H

#include "kms/config_values.h"

struct kms_setting {
    const char *name;
    const char *fallback; /* NULL = worked out by the rules */
    size_t offset;        /* in struct kms_config */
    value_reader *read;
    value_printer *print;
    bool development_only;
};

void kms_config_rules(const struct kms_environment *env, struct kms_config *c,
                      struct kms_findings *findings);
void kms_config_policy(const struct kms_environment *env, struct kms_config *c,
                       struct kms_findings *findings);
/* Names that begin like ours and are none: typing errors. */
void kms_config_unknown(const struct kms_environment *env, const struct kms_setting *settings,
                        size_t count, struct kms_findings *findings);
void kms_config_set_origin(struct kms_config *c, const char *name, enum kms_origin origin);

#endif
