/* A real release: its policy verifies and parses; changed in any byte or in any member, the
 * bundle, the policy, the signature file and the certificate file are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/policy.h"
#include "sigstore/verify.h"
#include "support/vectors.h"

#define FOLDER "release-policy"
#define POLICY "policy-2.3.71.json"

static const struct sigstore_identity signer = {
    .subject = "https://github.com/calimero-network/mero-tee/.github/workflows/"
               "release-kms-phala.yaml@refs/heads/master",
    .issuer = "https://token.actions.githubusercontent.com",
    .claims = {[SIGSTORE_WORKFLOW_TRIGGER] = "push",
               [SIGSTORE_WORKFLOW_NAME] = "Release mero-kms",
               [SIGSTORE_WORKFLOW_REPOSITORY] = "calimero-network/mero-tee",
               [SIGSTORE_WORKFLOW_REF] = "refs/heads/master"}};

enum part { BUNDLE, ARTIFACT, SIGNATURE, CERTIFICATE, PARTS };
static const char *const names[PARTS] = {POLICY ".bundle.json", POLICY, POLICY ".sig", "cert.pem"};
static struct buf parts[PARTS];
static struct sigstore_trust *trust;
static int64_t now_s;

static bool verifies(struct sigstore_result *result, struct error *err)
{
    struct slice signature = buf_slice(&parts[SIGNATURE]);
    struct slice certificate = buf_slice(&parts[CERTIFICATE]);
    struct sigstore_input input = {.bundle = buf_slice(&parts[BUNDLE]),
                                   .artifact = buf_slice(&parts[ARTIFACT]),
                                   .signature = &signature,
                                   .certificate = &certificate};
    return sigstore_verify(trust, &input, &signer, now_s, result, err);
}

static int set_up(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PARTS; p++)
        vectors_read(vectors_path(FOLDER, names[p]), &parts[p]);
    now_s = clock_unix_s();
    return sigstore_trust_open_production(&trust, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PARTS; p++)
        buf_free(&parts[p]);
    sigstore_trust_close(&trust);
    return 0;
}

static void real_policy(void **state)
{
    (void)state;
    POLICY_AUTO struct policy policy = {0};
    struct sigstore_result result;
    struct error err;
    if (!verifies(&result, &err))
        fail_msg("%s: %s", err.code, err.message);
    assert_int_equal(result.format, SIGSTORE_FORMAT_COSIGN);
    assert_int_equal(result.signed_at_s, 1790431024);
    assert_string_equal(result.log, "rekor.sigstore.dev");
    policy_init(&policy);
    if (!policy_merge_json(&policy, buf_slice(&parts[ARTIFACT]), POLICY_SUBJECT_KMS,
                           POLICY_DIALECT_RELEASE, NULL, &err))
        fail_msg("%s: %s", err.code, err.message);
}

static void flip(enum part part, size_t at, uint8_t bits)
{
    struct sigstore_result result;
    struct error err;
    parts[part].data[at] ^= bits;
    bool ok = verifies(&result, &err);
    parts[part].data[at] ^= bits;
    if (ok)
        fail_msg("%s: byte %zu changed by 0x%02x still verifies", names[part], at, bits);
    assert_true(error_is(&err, "sigstore/"));
}

/* Every byte of the evidence in one of three ways; of the policy, whose every change costs a whole
 * verification, every eighth. With MERO_THOROUGH in the environment every byte in all three. */
static void bytes(void **state)
{
    (void)state;
    static const uint8_t flips[] = {0x01, 0x20, 0x80};
    bool thorough = getenv("MERO_THOROUGH") != NULL;
    struct sigstore_result result;
    for (unsigned p = 0; p < PARTS; p++) {
        size_t refused = 0;
        for (size_t i = 0; i < parts[p].len; i += p == ARTIFACT && !thorough ? 8 : 1)
            for (size_t f = 0; f < sizeof flips; f++)
                if (thorough || f == i % 3) {
                    flip(p, i, flips[f]);
                    refused++;
                }
        printf("%-32s %6zu changed bytes refused\n", names[p], refused);
    }
    assert_true(verifies(&result, NULL));
}

static void expect_refused(const json_t *changed, const char *what)
{
    struct sigstore_result result;
    struct error err;
    struct buf kept = parts[BUNDLE];
    parts[BUNDLE] = BUF_INIT(SIGSTORE_BUNDLE_MAX);
    assert_true(json_write_compact(changed, &parts[BUNDLE], &err));
    bool ok = verifies(&result, &err);
    buf_free(&parts[BUNDLE]);
    parts[BUNDLE] = kept;
    if (ok)
        fail_msg("%s still verifies", what);
    assert_true(error_is(&err, "sigstore/"));
}

enum { MEMBERS_MAX = 16, CHANGES = 8 };

/* One member: gone, null, of other types, empty. */
static void change_member(json_t *root, json_t *object, const char *name)
{
    json_t *kept = json_incref(json_object_get(object, name));
    json_t *others[CHANGES] = {NULL,         json_null(),   json_true(),     json_string(""),
                               json_array(), json_object(), json_integer(1), json_real(1.5)};
    for (size_t i = 0; i < CHANGES; i++) {
        if (others[i] != NULL)
            json_object_set_new(object, name, others[i]);
        else
            json_object_del(object, name);
        expect_refused(root, name);
    }
    json_object_set_new(object, name, kept);
}

/* Every member of the object and of those in it. */
static size_t change_members(json_t *root, json_t *object)
{
    const char *names_in[MEMBERS_MAX];
    size_t count = 0, changes = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        assert_true(count < MEMBERS_MAX);
        names_in[count++] = name;
    }
    for (size_t i = 0; i < count; i++) {
        char key[64]; /* the object's own text goes with the member */
        snprintf(key, sizeof key, "%s", names_in[i]);
        change_member(root, object, key);
        changes += CHANGES;
        json_t *inner = json_object_get(object, key);
        if (json_is_object(inner))
            changes += change_members(root, inner);
    }
    return changes;
}

static void members(void **state)
{
    (void)state;
    struct error err;
    JSON_AUTO json_t *root = NULL;
    assert_true(json_parse(buf_slice(&parts[BUNDLE]), SIGSTORE_BUNDLE_MAX, 0, &root, &err));
    size_t changes = change_members(root, root);
    printf("%-32s %6zu changed members refused\n", names[BUNDLE], changes);
    assert_int_equal(changes, 9 * CHANGES);
}

/* Another signer, each part of who it must be. */
static void identities(void **state)
{
    (void)state;
    struct slice bundle = buf_slice(&parts[BUNDLE]);
    struct sigstore_input input = {.bundle = bundle, .artifact = buf_slice(&parts[ARTIFACT])};
    struct sigstore_result result;
    struct error err;
    for (unsigned c = 0; c < SIGSTORE_CLAIMS + 2u; c++) {
        struct sigstore_identity other = signer;
        const char **text = c < SIGSTORE_CLAIMS    ? &other.claims[c]
                            : c == SIGSTORE_CLAIMS ? &other.subject
                                                   : &other.issuer;
        *text = "other";
        assert_false(sigstore_verify(trust, &input, &other, now_s, &result, &err));
        assert_string_equal(err.code, "sigstore/identity");
    }
    assert_false(sigstore_verify(trust, &input, &signer, 1790431024 - 301, &result, &err));
    assert_string_equal(err.code, "sigstore/time");
    assert_true(sigstore_verify(trust, &input, &signer, 1790431024 - 300, &result, &err));
}

int main(void)
{
    vectors_require(FOLDER "/" POLICY);
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_policy), cmocka_unit_test(bytes),
                                       cmocka_unit_test(members), cmocka_unit_test(identities)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
