/* Which release the environment names: precedence, normalisation, error text (facts C.6a). */
#include "node/release_choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void precedence(void **state)
{
    (void)state;
    static const struct {
        struct release_variables vars;
        const char *variable, *version;
        bool env_policy;
    } cases[] = {
        {{0}, NULL, "", false},
        {{.tee_version = "1.2.3"}, "MERO_TEE_VERSION", "1.2.3", false},
        {{.kms_version = "2.0.0", .tee_version = "1.2.3"}, "MERO_KMS_VERSION", "2.0.0", false},
        {{.release_tag = "mero-kms-v3.0.0", .kms_version = "2.0.0", .tee_version = "1.2.3"},
         "MERO_KMS_RELEASE_TAG",
         "3.0.0",
         false},
        {{.release_tag = " \t", .kms_version = "", .tee_version = " 1.2.3\n"},
         "MERO_TEE_VERSION",
         "1.2.3",
         false},
        {{.use_env_policy = "true", .release_tag = "3.0.0"}, NULL, "", true},
        {{.use_env_policy = " YES ", .release_tag = "rubbish"}, NULL, "", true},
        {{.use_env_policy = "1"}, NULL, "", true},
        {{.use_env_policy = "on", .release_tag = "3.0.0"}, "MERO_KMS_RELEASE_TAG", "3.0.0", false},
        {{.use_env_policy = "0", .release_tag = "3.0.0"}, "MERO_KMS_RELEASE_TAG", "3.0.0", false},
        {{.use_env_policy = "", .release_tag = "3.0.0"}, "MERO_KMS_RELEASE_TAG", "3.0.0", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct release_choice choice;
        struct error err;
        assert_true(release_choose(&cases[i].vars, &choice, &err));
        assert_int_equal(choice.env_policy, cases[i].env_policy);
        assert_string_equal(choice.version, cases[i].version);
        if (cases[i].variable == NULL)
            assert_null(choice.variable);
        else
            assert_string_equal(choice.variable, cases[i].variable);
    }
}

static void versions(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        const char *version; /* NULL = refused */
    } cases[] = {
        {"2.1.14", "2.1.14"},
        {"2.1.14-rc.1", "2.1.14-rc.1"},
        {"2.1.14+build-7.x", "2.1.14+build-7.x"},
        {"mero-kms-v2.1.14", "2.1.14"},
        {"  mero-kms-v0.0.0  ", "0.0.0"},
        {"123456789012345678901.0.0", "123456789012345678901.0.0"},
        {"mero-tee-v2.3.40", NULL},
        {"v2.3.40", NULL},
        {"mero-kms-vmero-kms-v2.1.14", NULL},
        {"2.1", NULL},
        {"2.1.", NULL},
        {"2.1.14.5", NULL},
        {"2.1.14-", NULL},
        {"2.1.14+", NULL},
        {"2.1.14_1", NULL},
        {"2.1.14-rc 1", NULL},
        {"2.1.14-rc/../x", NULL},
        {".1.2", NULL},
        {"latest", NULL},
        {"mero-kms-v", NULL},
        {"2.-1.4", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct release_variables vars = {.kms_version = cases[i].raw, .tee_version = "9.9.9"};
        struct release_choice choice = {.version = "untouched"};
        struct error err;
        bool ok = release_choose(&vars, &choice, &err);
        assert_int_equal(ok, cases[i].version != NULL);
        if (ok) {
            assert_string_equal(choice.version, cases[i].version);
            continue;
        }
        assert_string_equal(choice.version, "untouched");
        assert_string_equal(err.code, "config/release-version");
        assert_string_equal(err.field, "MERO_KMS_VERSION");
        char expected[256];
        snprintf(expected, sizeof expected,
                 "MERO_KMS_VERSION is invalid: release version must be semver-like (e.g. 2.1.14 or "
                 "2.1.14-rc.1), got '%s'",
                 cases[i].raw);
        assert_string_equal(err.message, expected);
    }
}

static void version_length_is_bounded(void **state)
{
    (void)state;
    for (size_t len = NODE_RELEASE_VERSION_MAX - 2; len <= NODE_RELEASE_VERSION_MAX; len++) {
        char raw[NODE_RELEASE_VERSION_MAX + 1] = "1.2.3-";
        memset(raw + 6, 'a', len - 6);
        raw[len] = 0;
        struct release_variables vars = {.release_tag = raw};
        struct release_choice choice;
        assert_int_equal(release_choose(&vars, &choice, NULL), len < NODE_RELEASE_VERSION_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precedence),
        cmocka_unit_test(versions),
        cmocka_unit_test(version_length_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
