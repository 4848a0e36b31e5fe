/* Everything that the environment says to the KMS, read once, with every problem found in one go.
 * Spec: compatibility facts D.7, settings.md. */
#ifndef KMS_CONFIG_H
#define KMS_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "keyrelease/binding.h"
#include "kms/limits.h"
#include "policy/policy.h"

/* Where the settings come from; tests bring their own. */
struct kms_environment {
    const char *(*get)(void *ctx, const char *name); /* NULL = not set */
    void *ctx;
    char *const *all;             /* "NAME=value" list, to find misspelt names; may be NULL */
    const char *profile_pin_path; /* NULL = /etc/mero-kms/image-profile */
    bool development;             /* this is a development build */
};
/* getenv(), environ, this build's kind. */
struct kms_environment kms_environment_of_process(void);

enum kms_origin { KMS_ORIGIN_DEFAULT, KMS_ORIGIN_ENVIRONMENT, KMS_ORIGIN_PIN_FILE };
enum kms_severity { KMS_FATAL, KMS_WARNING, KMS_NOTE };

struct kms_finding {
    enum kms_severity severity;
    char setting[64];
    char text[KMS_TEXT_MAX];
};
struct kms_findings {
    struct kms_finding items[KMS_FINDINGS_MAX];
    size_t count;
    size_t fatal; /* counted even when there is no room to keep one */
};
void kms_finding_add(struct kms_findings *f, enum kms_severity severity, const char *setting,
                     const char *format, ...) PRINTF_LIKE(4, 5);

struct kms_text {
    char text[KMS_TEXT_MAX];
};
struct kms_text_list {
    size_t count;
    struct kms_text items[KMS_ORIGINS_MAX];
};
struct kms_binding_list {
    size_t count;
    uint8_t items[KMS_BINDINGS_MAX][KEYRELEASE_BINDING_LEN];
};
/* An address range; IPv4 as ::ffff:a.b.c.d with 96 more bits. */
struct kms_cidr {
    uint8_t address[16];
    unsigned bits;
};
struct kms_cidr_list {
    size_t count;
    struct kms_cidr items[KMS_PROXIES_MAX];
};
struct kms_pin {
    bool set;
    uint8_t sha256[32];
};

enum { KMS_SETTINGS_MAX = 48 };

struct kms_config {
    /* of the existing system */
    struct kms_text listen_addr;
    struct kms_text dstack_socket; /* empty = search list */
    uint32_t challenge_ttl_s;
    uint32_t max_pending; /* nothing is pending here: read, never used */
    bool accept_mock;
    struct kms_text redis_url; /* empty = memory */
    struct kms_text version;   /* empty = none named */
    struct kms_text profile;
    struct kms_text profile_legacy;
    struct kms_text key_prefix;
    struct kms_pin policy_pin;
    struct kms_text_list cors_origins;
    bool enforce_policy;
    bool use_env_policy;

    /* ours */
    struct kms_text state_dir, admin_addr;
    struct kms_text tls_cert, tls_key, tls_client_ca;
    bool require_sealed;
    struct kms_binding_list attest_bindings;
    uint32_t max_consumed;
    struct kms_cidr_list trusted_proxies;
    uint32_t rate, burst;
    struct kms_text audit_log;
    uint32_t policy_refresh_s;
    struct kms_text_list collateral_urls;
    struct kms_text release_base_url, release_dir;

    /* development builds only */
    struct kms_text simulator_endpoint, dev_root, dev_now;

    /* No settings: from limits.h, for tests to shorten. */
    uint32_t agent_ms, collateral_ms;
    uint32_t get_key_in_flight;

    /* The policy from the environment, and whether there is one to decide by. */
    struct policy policy; /* owned */
    bool policy_ready;
    char policy_reason[KMS_TEXT_MAX]; /* why not */

    enum kms_origin origins[KMS_SETTINGS_MAX]; /* as in the table */
};

/* Reads everything. True when nothing fatal was found; *out is to be freed either way. */
bool kms_config_read(const struct kms_environment *env, struct kms_config *out,
                     struct kms_findings *findings) MUST_USE;
void kms_config_free(struct kms_config *c);
/* Was it set by somebody, or is it the default? */
bool kms_config_is_set(const struct kms_config *c, const char *name);
/* NAME=value  # origin, a line for each setting; credentials of a Redis URL are hidden. */
bool kms_config_dump(const struct kms_config *c, struct buf *out) MUST_USE;
/* A Redis URL without its user and password, for logs. */
void kms_redis_url_shown(const char *url, char out[KMS_TEXT_MAX]);

#endif
