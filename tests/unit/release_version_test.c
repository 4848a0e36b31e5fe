/* Versions and their order, the memory of the newest one, and which trust root a daemon takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "release/limits.h"
#include "release/memory.h"
#include "release/trust.h"
#include "release/version.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char folder[] = "/tmp/release-test-XXXXXX";

static void parsing(void **state)
{
    (void)state;
    static const char *const good[] = {"0.0.0",         "2.3.71",    "2.1.14-rc.1",
                                       "1.2.3+build.5", "1.2.3-a+b", "999999999999999999.0.0",
                                       "01.2.3"};
    static const char *const bad[] = {
        "",          "1",         "1.2",        "1.2.",
        "1.2.3.",    "1.2.3.4",   "v1.2.3",     " 1.2.3",
        "1.2.3 ",    "1.2.x",     "1.2.3-",     "1.2.3+",
        "-1.2.3",    "1.2.3-a b", "1.2.3/../x", "9999999999999999999.0.0",
        "1.2.3-a_b", "1..3"};
    struct release_version v;
    struct error err;
    for (size_t i = 0; i < COUNT(good); i++)
        if (!release_version_parse(good[i], &v, &err))
            fail_msg("%s: %s", good[i], err.message);
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (release_version_parse(bad[i], &v, &err))
            fail_msg("'%s' reads", bad[i]);
        assert_string_equal(err.code, "release/version");
    }
    char text[RELEASE_VERSION_MAX + 2] = "1.2.3-";
    for (size_t len = RELEASE_VERSION_MAX - 2; len <= RELEASE_VERSION_MAX; len++) {
        memset(&text[6], 'a', len - 6);
        text[len] = 0;
        assert_int_equal(release_version_parse(text, &v, &err), len < RELEASE_VERSION_MAX);
    }
}

/* Each below the next; '=' marks equals. */
static void ordering(void **state)
{
    (void)state;
    static const char *const rising[] = {
        "0.9.9",        "1.0.0-1",       "1.0.0-2",          "1.0.0-10",
        "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
        "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",       "1.0.0",
        "1.0.1",        "1.2.0",         "1.10.0",           "2.0.0"};
    struct release_version a, b;
    struct error err;
    for (size_t i = 0; i < COUNT(rising); i++)
        for (size_t k = 0; k < COUNT(rising); k++) {
            assert_true(release_version_parse(rising[i], &a, &err));
            assert_true(release_version_parse(rising[k], &b, &err));
            int wanted = i < k ? -1 : (i > k ? 1 : 0);
            if (release_version_compare(&a, &b) != wanted)
                fail_msg("%s and %s", rising[i], rising[k]);
        }
    assert_true(release_version_parse("1.0.0+a", &a, &err));
    assert_true(release_version_parse("1.0.0+b", &b, &err));
    assert_int_equal(release_version_compare(&a, &b), 0);
}

static void memory(void **state)
{
    (void)state;
    char path[PATH_TEXT_MAX];
    struct error err;
    assert_true(path_join(folder, "newest.json", path, &err));
    assert_true(release_memory_check(path, "1.0.0", &err));
    assert_true(release_memory_note(path, "2.3.71", &err));
    assert_true(release_memory_check(path, "2.3.71", &err));
    assert_true(release_memory_check(path, "2.3.72-rc.1", &err));
    assert_false(release_memory_check(path, "2.3.71-rc.1", &err));
    assert_string_equal(err.code, "release/downgrade");
    assert_true(
        release_memory_note(path, "2.3.70", &err)); /* allowed by a setting: kept as it is */
    assert_false(release_memory_check(path, "2.3.70", &err));
    static const char *const broken[] = {
        "", "{}", "{\"newest_release\":1}", "[]", "{\"newest_release\":\"latest\"}", "2.3.71"};
    for (size_t i = 0; i < COUNT(broken); i++) {
        assert_true(file_write_atomic(path, slice_str(broken[i]), 0600, &err));
        assert_false(release_memory_check(path, "9.0.0", &err));
        assert_true(error_is(&err, "release/"));
        assert_false(release_memory_note(path, "9.0.0", &err));
    }
}

static void trust_roots(void **state)
{
    (void)state;
    SIGSTORE_TRUST_AUTO struct sigstore_trust *trust = NULL, *other = NULL;
    const char *const dirs[] = {"/nonexistent", folder, NULL};
    char source[256], path[PATH_TEXT_MAX];
    struct error err;
    assert_true(release_trust_open(dirs, &trust, source, &err));
    assert_string_equal(source, "built in");
    assert_true(path_join(folder, "sigstore-trusted-root.json", path, &err));
    assert_true(file_write_atomic(path, slice_str("{}"), 0600, &err));
    assert_false(release_trust_open(dirs, &other, source, &err)); /* never falls back */
    assert_string_equal(err.code, "sigstore/trust-root");
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parsing), cmocka_unit_test(ordering),
                                       cmocka_unit_test(memory), cmocka_unit_test(trust_roots)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
