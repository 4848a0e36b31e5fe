/* The environment of the KMS: every rule of compatibility facts D.7 and settings.md, all problems
 * at once, what a release build refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "kms/config.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct fake {
    const char *entries[24]; /* "NAME=value" */
    const char *pin;         /* content of the pin file; NULL = none */
    bool release;
};

static struct kms_config config;
static struct kms_findings findings;
static char pin_path[] = "/tmp/mero-kms-pin-XXXXXX";

static const char *fake_get(void *ctx, const char *name)
{
    const struct fake *f = ctx;
    size_t len = strlen(name);
    for (size_t i = 0; i < COUNT(f->entries) && f->entries[i] != NULL; i++)
        if (strncmp(f->entries[i], name, len) == 0 && f->entries[i][len] == '=')
            return &f->entries[i][len + 1];
    return NULL;
}

static bool read_fake(const struct fake *f)
{
    struct error err = {0};
    char *all[COUNT(f->entries) + 1] = {0};
    struct fake copy = *f;
    for (size_t i = 0; i < COUNT(f->entries) && f->entries[i] != NULL; i++)
        all[i] = (char *)(uintptr_t)f->entries[i];
    if (f->pin != NULL)
        assert_true(file_write_atomic(pin_path, slice_str(f->pin), 0600, &err));
    else
        unlink(pin_path);
    const struct kms_environment env = {.get = fake_get,
                                        .ctx = &copy,
                                        .all = all,
                                        .profile_pin_path = pin_path,
                                        .development = !f->release};
    kms_config_free(&config);
    return kms_config_read(&env, &config, &findings);
}

static const struct kms_finding *find(const char *setting, enum kms_severity severity)
{
    for (size_t i = 0; i < findings.count; i++)
        if (findings.items[i].severity == severity &&
            strcmp(findings.items[i].setting, setting) == 0)
            return &findings.items[i];
    return NULL;
}

static void expect(const char *setting, enum kms_severity severity, const char *text)
{
    const struct kms_finding *f = find(setting, severity);
    if (f == NULL)
        fail_msg("nothing found about %s", setting);
    else if (strstr(f->text, text) == NULL)
        fail_msg("%s: '%s' lacks '%s'", setting, f->text, text);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_true(read_fake(&(struct fake){0}));
    assert_string_equal(config.listen_addr.text, "0.0.0.0:8080");
    assert_string_equal(config.dstack_socket.text, "");
    assert_int_equal(config.challenge_ttl_s, 60);
    assert_false(config.accept_mock);
    assert_string_equal(config.profile.text, "locked-read-only");
    assert_string_equal(config.key_prefix.text, "merod/storage");
    assert_true(config.enforce_policy && config.require_sealed);
    assert_false(config.use_env_policy || config.policy_ready || config.policy_pin.set);
    assert_string_equal(config.state_dir.text, "/var/lib/mero-kms");
    assert_string_equal(config.admin_addr.text, "unix:/var/lib/mero-kms/admin.sock");
    assert_string_equal(config.audit_log.text, "/var/lib/mero-kms/audit.jsonl");
    assert_int_equal(config.max_consumed, 1000000);
    assert_int_equal(config.rate, 50);
    assert_int_equal(config.burst, 200);
    assert_int_equal(config.policy_refresh_s, 900);
    assert_int_equal(config.cors_origins.count, 0);
    assert_non_null(strstr(config.policy_reason, "MERO_KMS_VERSION is not set"));
}

static void test_lenient_values(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        const char *listen;
        uint32_t ttl;
    } cases[] = {
        {"LISTEN_ADDR=127.0.0.1:9", "127.0.0.1:9", 60},
        {"LISTEN_ADDR=[::1]:9000", "[::1]:9000", 60},
        {"LISTEN_ADDR=unix:/run/kms.sock", "unix:/run/kms.sock", 60},
        {"LISTEN_ADDR=localhost:80", "0.0.0.0:8080", 60},
        {"LISTEN_ADDR=::1:80", "0.0.0.0:8080", 60},
        {"LISTEN_ADDR=127.0.0.1", "0.0.0.0:8080", 60},
        {"LISTEN_ADDR=127.0.0.1:65536", "0.0.0.0:8080", 60},
        {"LISTEN_ADDR=", "0.0.0.0:8080", 60},
        {"CHALLENGE_TTL_SECS=5", "0.0.0.0:8080", 5},
        {"CHALLENGE_TTL_SECS=+7", "0.0.0.0:8080", 7},
        {"CHALLENGE_TTL_SECS=0", "0.0.0.0:8080", 0},
        {"CHALLENGE_TTL_SECS= 5", "0.0.0.0:8080", 60},
        {"CHALLENGE_TTL_SECS=-5", "0.0.0.0:8080", 60},
        {"CHALLENGE_TTL_SECS=", "0.0.0.0:8080", 60},
        {"CHALLENGE_TTL_SECS=99999999", "0.0.0.0:8080", 86400},
        {"MAX_PENDING_CHALLENGES=many", "0.0.0.0:8080", 60},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (!read_fake(&(struct fake){.entries = {cases[i].entry}}))
            fail_msg("%s: %s", cases[i].entry, findings.items[0].text);
        assert_string_equal(config.listen_addr.text, cases[i].listen);
        assert_int_equal(config.challenge_ttl_s, cases[i].ttl);
    }
}

static void test_booleans(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok, value;
    } cases[] = {
        {"1", true, true},  {"true", true, true},   {"YES", true, true},   {" On ", true, true},
        {"0", true, false}, {"False", true, false}, {"no", true, false},   {"off", true, false},
        {"", false, false}, {"2", false, false},    {"tru", false, false}, {"y", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char entry[64], want[64];
        snprintf(entry, sizeof(entry), "MERO_KMS_REQUIRE_SEALED_KEY_RELEASE=%s", cases[i].text);
        bool ok = read_fake(&(struct fake){.entries = {entry}});
        assert_int_equal(ok, cases[i].ok);
        if (ok)
            assert_int_equal(config.require_sealed, cases[i].value);
        snprintf(want, sizeof(want), "Invalid boolean value '%s'", cases[i].text);
        if (!ok)
            expect("MERO_KMS_REQUIRE_SEALED_KEY_RELEASE", KMS_FATAL, want);
    }
}

struct refusal_case {
    struct fake fake;
    const char *setting, *text;
};

static const struct refusal_case refusal_cases[] = {
    {{.entries = {"MAX_PENDING_CHALLENGES=0"}}, "MAX_PENDING_CHALLENGES", "must be greater than 0"},
    {{.entries = {"MERO_KMS_MAX_CONSUMED_CHALLENGES=0"}},
     "MERO_KMS_MAX_CONSUMED_CHALLENGES",
     "must be greater than 0"},
    {{.entries = {"MERO_KMS_VERSION= "}}, "MERO_KMS_VERSION", "MERO_KMS_VERSION cannot be empty"},
    {{.entries = {"MERO_KMS_PROFILE=production"}},
     "MERO_KMS_PROFILE",
     "Unsupported KMS policy profile 'production'. Expected one of: debug, debug-read-only, "
     "locked-read-only"},
    {{.entries = {"MERO_KMS_PROFILE=debug", "KMS_POLICY_PROFILE=locked-read-only"}},
     "MERO_KMS_PROFILE",
     "disagree; set only MERO_KMS_PROFILE"},
    {{.entries = {"MERO_KMS_POLICY_SHA256="}},
     "MERO_KMS_POLICY_SHA256",
     "exactly 64 hex chars (got 0)"},
    {{.entries = {"MERO_KMS_POLICY_SHA256=0x12"}},
     "MERO_KMS_POLICY_SHA256",
     "exactly 64 hex chars (got 2)"},
    {{.entries = {"MERO_KMS_POLICY_SHA256="
                  "zz23feace9fd1751a89ab2bebb8aba145f343a3688e3d1655ed428eb0766e396"}},
     "MERO_KMS_POLICY_SHA256",
     "contains non-hex characters"},
    {{.entries = {"REDIS_URL=rediss://h"}},
     "REDIS_URL",
     "rediss:// (Redis over TLS) is not supported"},
    {{.entries = {"REDIS_URL=http://h"}}, "REDIS_URL", "must be redis://"},
    {{.entries = {"MERO_KMS_STATE_DIR=state"}}, "MERO_KMS_STATE_DIR", "absolute path"},
    {{.entries = {"MERO_KMS_ADMIN_ADDR=0.0.0.0:9090"}}, "MERO_KMS_ADMIN_ADDR", "loopback"},
    {{.entries = {"MERO_KMS_ADMIN_ADDR=10.0.0.1:9090"}}, "MERO_KMS_ADMIN_ADDR", "loopback"},
    {{.entries = {"MERO_KMS_TLS_CERT=/c.pem"}}, "MERO_KMS_TLS_KEY", "must be set together"},
    {{.entries = {"MERO_KMS_TLS_KEY=/k.pem"}}, "MERO_KMS_TLS_CERT", "must be set together"},
    {{.entries = {"MERO_KMS_TLS_CLIENT_CA=/ca.pem"}}, "MERO_KMS_TLS_CLIENT_CA", "need TLS"},
    {{.entries = {"MERO_KMS_ATTEST_BINDINGS=AAAA"}},
     "MERO_KMS_ATTEST_BINDINGS",
     "not base64 of exactly 32"},
    {{.entries = {"MERO_KMS_TRUSTED_PROXIES=10.0.0.1/8"}},
     "MERO_KMS_TRUSTED_PROXIES",
     "no address range"},
    {{.entries = {"MERO_KMS_TRUSTED_PROXIES=10.0.0.0/33"}},
     "MERO_KMS_TRUSTED_PROXIES",
     "no address range"},
    {{.entries = {"MERO_KMS_RATE=fast"}}, "MERO_KMS_RATE", "not a whole number"},
    {{.entries = {"MERO_KMS_BURST=4294967296"}}, "MERO_KMS_BURST", "not a whole number"},
    {{.entries = {"MERO_COLLATERAL_URLS=ftp://x"}}, "MERO_COLLATERAL_URLS", ""},
    {{.entries = {"USE_ENV_POLICY=maybe"}}, "USE_ENV_POLICY", "Invalid boolean value 'maybe'"},
    {{.entries = {"MERO_KMS_PROFILE=debug"}, .pin = "locked-read-only\n"},
     "MERO_KMS_PROFILE",
     "MERO_KMS_PROFILE 'debug' does not match profile-pinned image value 'locked-read-only'"},
    {{.entries = {"MERO_KMS_PROFILE="}, .pin = "debug"},
     "MERO_KMS_PROFILE",
     "KMS policy profile cannot be empty"},
    {{.pin = " \n"}, "image-profile", "is empty; refusing startup"},
    {{.pin = "other"}, "image-profile", "Unsupported KMS policy profile 'other'"},
    /* release builds */
    {{.entries = {"ACCEPT_MOCK_ATTESTATION=true"}, .release = true},
     "ACCEPT_MOCK_ATTESTATION",
     "development builds only"},
    {{.entries = {"MERO_DEV_ROOT=/r.pem"}, .release = true}, "MERO_DEV_ROOT", "release build"},
    {{.entries = {"MERO_DEV_NOW=1"}, .release = true}, "MERO_DEV_NOW", "release build"},
    {{.entries = {"DSTACK_SIMULATOR_ENDPOINT=/s"}, .release = true},
     "DSTACK_SIMULATOR_ENDPOINT",
     "release build"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusal_cases); i++) {
        const struct refusal_case *c = &refusal_cases[i];
        if (read_fake(&c->fake))
            fail_msg("accepted: %s", c->fake.entries[0] != NULL ? c->fake.entries[0] : c->fake.pin);
        expect(c->setting, KMS_FATAL, c->text);
    }
}

static void test_dev_settings_in_a_dev_build(void **state)
{
    (void)state;
    assert_true(read_fake(&(struct fake){
        .entries = {"MERO_DEV_ROOT=/r.pem", "MERO_DEV_NOW=1700000000",
                    "DSTACK_SIMULATOR_ENDPOINT=/s", "ACCEPT_MOCK_ATTESTATION=true"}}));
    assert_string_equal(config.dev_root.text, "/r.pem");
    expect("ACCEPT_MOCK_ATTESTATION", KMS_WARNING, "INSECURE");
    /* Set to nothing is not set. */
    assert_true(read_fake(&(struct fake){
        .entries = {"MERO_DEV_ROOT=", "ACCEPT_MOCK_ATTESTATION=false"}, .release = true}));
}

static void test_all_at_once(void **state)
{
    (void)state;
    assert_false(read_fake(&(struct fake){.entries = {"MAX_PENDING_CHALLENGES=0",
                                                      "MERO_KMS_PROFILE=x", "REDIS_URL=rediss://x",
                                                      "USE_ENV_POLICY=1", "ALLOWED_MRTD=12"}}));
    expect("MAX_PENDING_CHALLENGES", KMS_FATAL, "");
    expect("MERO_KMS_PROFILE", KMS_FATAL, "");
    expect("REDIS_URL", KMS_FATAL, "");
    expect("ALLOWED_MRTD", KMS_FATAL, "invalid measurement '12'");
    expect("ALLOWED_RTMR3", KMS_FATAL,
           "Measurement policy is enforced, but allowed_rtmr3 is empty");
    assert_int_equal(findings.fatal, 9);
}

static void test_profiles(void **state)
{
    (void)state;
    static const struct {
        struct fake fake;
        const char *profile;
    } cases[] = {
        {{.entries = {"MERO_KMS_PROFILE=debug"}}, "debug"},
        {{.entries = {"MERO_KMS_PROFILE= Debug-Read-Only "}}, "debug-read-only"},
        {{.entries = {"MERO_KMS_PROFILE="}}, "locked-read-only"},
        {{.entries = {"KMS_POLICY_PROFILE=debug"}}, "debug"},
        {{.entries = {"MERO_KMS_PROFILE=debug", "KMS_POLICY_PROFILE=DEBUG "}}, "debug"},
        {{.pin = "debug\n"}, "debug"},
        {{.entries = {"MERO_KMS_PROFILE=DEBUG"}, .pin = " debug "}, "debug"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (!read_fake(&cases[i].fake))
            fail_msg("case %zu: %s", i, findings.items[0].text);
        assert_string_equal(config.profile.text, cases[i].profile);
    }
}

#define HEX96                                                                                      \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaa"

static void test_env_policy(void **state)
{
    (void)state;
    struct fake f = {.entries = {"USE_ENV_POLICY=true", "ALLOWED_MRTD=0x" HEX96,
                                 "ALLOWED_RTMR0=" HEX96, "ALLOWED_RTMR1=" HEX96 " , ",
                                 "ALLOWED_RTMR2=" HEX96, "ALLOWED_RTMR3=" HEX96}};
    assert_true(read_fake(&f));
    assert_true(config.policy_ready && config.policy.lists_required && !config.policy.debug_only);
    assert_true(config.policy.statuses[TCB_UP_TO_DATE]);
    assert_int_equal(config.policy.lists[POLICY_RTMR1].count, 1);
    f.entries[6] = "ALLOWED_TCB_STATUSES=outofdate, nonsense";
    assert_true(read_fake(&f));
    assert_true(config.policy.statuses[TCB_OUT_OF_DATE]);
    assert_false(config.policy.statuses[TCB_UP_TO_DATE]);
    expect("ALLOWED_TCB_STATUSES", KMS_WARNING, "unknown TCB status 'nonsense'");
    f.entries[6] = "ALLOWED_TCB_STATUSES=";
    assert_false(read_fake(&f));
    expect("ALLOWED_TCB_STATUSES", KMS_FATAL, "allowed_tcb_statuses is empty");
    f.entries[6] = "ENFORCE_MEASUREMENT_POLICY=off";
    f.entries[5] = NULL;
    f.entries[4] = "ENFORCE_MEASUREMENT_POLICY=off";
    assert_true(read_fake(&f)); /* nothing enforced: lists may be short */
    expect("ENFORCE_MEASUREMENT_POLICY", KMS_WARNING, "INSECURE");
}

static void test_version(void **state)
{
    (void)state;
    assert_true(read_fake(&(struct fake){.entries = {"MERO_KMS_VERSION= mero-kms-v2.3.71 "}}));
    assert_string_equal(config.version.text, "2.3.71");
    assert_false(config.policy_ready);
    assert_non_null(strstr(config.policy_reason, "version '2.3.71' profile 'locked-read-only'"));
    assert_non_null(strstr(config.policy_reason, "release verification is missing"));
    /* With a policy from the environment the version is not looked at. */
    assert_true(read_fake(&(struct fake){
        .entries = {"MERO_KMS_VERSION=", "USE_ENV_POLICY=1", "ENFORCE_MEASUREMENT_POLICY=0"}}));
}

static void test_paths_and_lists(void **state)
{
    (void)state;
    assert_true(read_fake(&(struct fake){
        .entries = {"STATE_DIRECTORY=/var/lib/a:/var/lib/b", "KEY_NAMESPACE_PREFIX=//my/keys/",
                    "CORS_ALLOWED_ORIGINS=https://a, ,https://b",
                    "MERO_KMS_TRUSTED_PROXIES=10.0.0.0/8,::1,"
                    "fd00::/8,192.0.2.1",
                    "MERO_COLLATERAL_URLS=https://a.example/sgx/,http://127.0.0.1:8081",
                    "MERO_KMS_POLICY_SHA256=0x0x"
                    "2323feace9fd1751a89ab2bebb8aba145f343a3688e3d1655ed428eb0766e396"}}));
    assert_string_equal(config.state_dir.text, "/var/lib/a");
    assert_string_equal(config.audit_log.text, "/var/lib/a/audit.jsonl");
    assert_string_equal(config.key_prefix.text, "my/keys");
    assert_int_equal(config.cors_origins.count, 2);
    assert_int_equal(config.trusted_proxies.count, 4);
    assert_int_equal(config.trusted_proxies.items[0].bits, 104);
    assert_int_equal(config.trusted_proxies.items[2].bits, 8);
    assert_int_equal(config.collateral_urls.count, 2);
    assert_true(config.policy_pin.set && config.policy_pin.sha256[0] == 0x23);
    assert_true(read_fake(&(struct fake){.entries = {"KEY_NAMESPACE_PREFIX=///"}}));
    assert_string_equal(config.key_prefix.text, "merod/storage");
    assert_true(
        read_fake(&(struct fake){.entries = {"MERO_KMS_STATE_DIR=/s", "STATE_DIRECTORY=/x"}}));
    assert_string_equal(config.admin_addr.text, "unix:/s/admin.sock");
}

static void test_misspelt(void **state)
{
    (void)state;
    assert_true(
        read_fake(&(struct fake){.entries = {"MERO_KMS_PROFLIE=debug", "MERO_KMS_RELEASE_TAG=x",
                                             "MERO_KMS_SOMETHING_ELSE_ENTIRELY=1", "HOME=/"}}));
    expect("MERO_KMS_PROFLIE", KMS_WARNING, "did you mean MERO_KMS_PROFILE?");
    expect("MERO_KMS_SOMETHING_ELSE_ENTIRELY", KMS_WARNING, "without effect");
    assert_null(find("MERO_KMS_RELEASE_TAG", KMS_WARNING));
}

static void test_dangers(void **state)
{
    (void)state;
    assert_true(
        read_fake(&(struct fake){.entries = {"MERO_KMS_REQUIRE_SEALED_KEY_RELEASE=0",
                                             "REDIS_URL=redis://h", "MAX_PENDING_CHALLENGES=5"}}));
    expect("MERO_KMS_REQUIRE_SEALED_KEY_RELEASE", KMS_WARNING, "INSECURE");
    expect("REDIS_URL", KMS_WARNING, "replayable");
    expect("MAX_PENDING_CHALLENGES", KMS_NOTE, "unused");
}

static void test_dump(void **state)
{
    (void)state;
    struct buf out BUF_AUTO = BUF_INIT(65536);
    assert_true(read_fake(&(struct fake){.entries = {"REDIS_URL=redis://user:hunter2@host:7000/1",
                                                     "CHALLENGE_TTL_SECS=90",
                                                     "MERO_KMS_TRUSTED_PROXIES=10.0.0.0/8,::/0"},
                                         .pin = "debug"}));
    assert_true(kms_config_dump(&config, &out));
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "CHALLENGE_TTL_SECS=90  # environment\n"));
    assert_non_null(strstr(text, "MERO_KMS_RATE=50  # default\n"));
    assert_non_null(strstr(text, "MERO_KMS_PROFILE=debug  # image profile file\n"));
    assert_non_null(strstr(text, "REDIS_URL=redis://***@host:7000/1  # environment\n"));
    assert_non_null(strstr(text, "MERO_KMS_TRUSTED_PROXIES=10.0.0.0/8,::/0  # environment\n"));
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "# no policy: "));
}

/* Every setting has its row in the documentation. */
static void test_documented(void **state)
{
    (void)state;
    struct buf dump BUF_AUTO = BUF_INIT(65536), page BUF_AUTO = BUF_INIT(65536);
    struct error err = {0};
    char path[512];
    const char *source = getenv("MERO_SOURCE_DIR");
    snprintf(path, sizeof(path), "%s/docs/kms-settings.md", source != NULL ? source : ".");
    assert_true(read_fake(&(struct fake){0}));
    assert_true(kms_config_dump(&config, &dump));
    assert_true(file_read(path, &page, &err));
    size_t count = 0;
    for (struct slice rest = buf_slice(&dump); rest.len > 0; count++) {
        char name[64];
        size_t len = 0, end = 0;
        while (rest.data[len] != '=' && rest.data[len] != '\n')
            len++;
        while (rest.data[end] != '\n')
            end++;
        snprintf(name, sizeof(name), "`%.*s`", (int)len, (const char *)rest.data);
        if (rest.data[0] != '#' && strstr(buf_cstr(&page), name) == NULL)
            fail_msg("%s is not documented", name);
        rest = slice_cut(rest, end + 1, rest.len);
    }
    assert_true(count > 30);
}

int main(void)
{
    int fd = mkstemp(pin_path);
    if (fd >= 0)
        close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_lenient_values),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_dev_settings_in_a_dev_build),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_env_policy),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_paths_and_lists),
        cmocka_unit_test(test_misspelt),
        cmocka_unit_test(test_dangers),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_documented),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kms_config_free(&config);
    unlink(pin_path);
    return failed;
}
