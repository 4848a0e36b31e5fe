/* The environment: what is read, and what a release build refuses (settings.md, last section). */
#include "node/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_variable_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t at;
    } names[] = {
        {"USE_ENV_POLICY", offsetof(struct node_env, release.use_env_policy)},
        {"MERO_KMS_RELEASE_TAG", offsetof(struct node_env, release.release_tag)},
        {"MERO_KMS_VERSION", offsetof(struct node_env, release.kms_version)},
        {"MERO_TEE_VERSION", offsetof(struct node_env, release.tee_version)},
        {"NODE_PATH_PREFIX", offsetof(struct node_env, path_prefix)},
        {"MERO_COLLATERAL_URLS", offsetof(struct node_env, collateral_urls)},
        {"NOTIFY_SOCKET", offsetof(struct node_env, notify_socket)},
        {"WATCHDOG_USEC", offsetof(struct node_env, watchdog_usec)},
        {"MEROD_ALLOW_MOCK_KMS_ATTESTATION", offsetof(struct node_env, allow_mock)},
        {"MERO_DEV_ROOT", offsetof(struct node_env, dev_root)},
        {"MERO_DEV_NOW", offsetof(struct node_env, dev_now)},
        {"DSTACK_SIMULATOR_ENDPOINT", offsetof(struct node_env, simulator_socket)},
    };
    struct node_env env;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i].name);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value;
        setenv(names[i].name, names[i].name, 1);
        node_env_read(&env);
        memcpy(&value, (const char *)&env + names[i].at, sizeof value);
        assert_string_equal(value, names[i].name);
        unsetenv(names[i].name);
        node_env_read(&env);
        memcpy(&value, (const char *)&env + names[i].at, sizeof value);
        assert_null(value);
    }
}

static void development_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct node_env env;
        bool accept_mock;
        const char *field; /* NULL = fine */
    } cases[] = {
        {{.path_prefix = "/x"}, false, NULL},
        {{.allow_mock = "1"}, false, NULL}, /* relaxes nothing without accept_mock */
        {{.dev_root = "/root.pem"}, false, "MERO_DEV_ROOT"},
        {{.dev_root = ""}, false, "MERO_DEV_ROOT"},
        {{.dev_now = "1"}, false, "MERO_DEV_NOW"},
        {{.simulator_socket = "/run/sim"}, false, "DSTACK_SIMULATOR_ENDPOINT"},
        {{.path_prefix = "/x"}, true, "tee.kms.phala.attestation.accept_mock"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err;
        bool ok = node_env_refuse_dev(&cases[i].env, cases[i].accept_mock, &err);
        assert_int_equal(ok, cases[i].field == NULL);
        if (!ok) {
            assert_string_equal(err.code, "config/development-only");
            assert_string_equal(err.field, cases[i].field);
            assert_non_null(strstr(err.message, cases[i].field));
        }
    }
}

static void mock_needs_a_clear_yes(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool allowed;
    } cases[] = {{NULL, false},  {"", false},    {"0", false},     {"yes", false}, {"1", true},
                 {"true", true}, {"TRUE", true}, {"true ", false}, {"11", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node_env env = {.allow_mock = cases[i].value};
        assert_int_equal(node_env_mock_allowed(&env), cases[i].allowed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variable_is_read),
        cmocka_unit_test(development_settings_are_refused),
        cmocka_unit_test(mock_needs_a_clear_yes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
