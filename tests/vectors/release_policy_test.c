/* The policy of a real release, loaded as the programs load it: from a directory and from servers
 * that behave and that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "release/limits.h"
#include "release/policy.h"
#include "support/scripted_server.h"
#include "support/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FOLDER       "release-policy"
#define REAL         "policy-2.3.71.json"
#define NAMED        "kms-phala-attestation-policy.locked-read-only.json"
#define PLAIN        "kms-phala-attestation-policy.json"

enum { PARTS = 3 };
static const char *const suffixes[PARTS] = {"", ".sig", ".bundle.json"};
static struct buf parts[PARTS], replies[PARTS];
static struct sigstore_trust *trust;
static char folder[] = "/tmp/release-policy-XXXXXX";

static const struct release_wanted wanted = {
    .version = "2.3.71", .profile = "locked-read-only", .subject = POLICY_SUBJECT_KMS};

static bool load(const struct release_source *source, const struct release_wanted *asked,
                 struct error *err)
{
    RELEASE_POLICY_AUTO struct release_policy policy = {0};
    return release_policy_load(source, trust, asked, clock_unix_s(), &policy, err);
}

static void expect(const char *what, const struct release_source *source,
                   const struct release_wanted *asked, const char *code)
{
    struct error err = {0};
    bool ok = load(source, asked, &err);
    if (ok != (code == NULL) || (!ok && strcmp(err.code, code) != 0))
        fail_msg("%s: %s %s", what, ok ? "loads" : err.code, ok ? "" : err.message);
}

static void put(const char *tag, const char *name, size_t part, struct slice bytes)
{
    char dir[PATH_TEXT_MAX], path[PATH_TEXT_MAX], file[RELEASE_NAME_MAX];
    struct error err;
    snprintf(file, sizeof file, "%s%s", name, suffixes[part]);
    if (!path_join(folder, tag, dir, &err) || !file_make_dirs(dir, 0700, &err) ||
        !path_join(dir, file, path, &err) || !file_write_atomic(path, bytes, 0600, &err))
        fail_msg("%s", err.message);
}

static void put_all(const char *tag, const char *name)
{
    for (size_t i = 0; i < PARTS; i++)
        put(tag, name, i, buf_slice(&parts[i]));
}

static void clear(void)
{
    struct error err;
    assert_true(file_remove_tree(folder, &err) && file_make_dirs(folder, 0700, &err));
}

static void real_release(void **state)
{
    (void)state;
    RELEASE_POLICY_AUTO struct release_policy kms = {0}, node = {0};
    struct release_wanted for_kms = wanted;
    const struct release_source source = {.dir = folder};
    struct error err;
    char hex[2 * SHA256_LEN + 1];
    put_all("mero-kms-v2.3.71", NAMED);
    if (!release_policy_load(&source, trust, &wanted, clock_unix_s(), &kms, &err))
        fail_msg("%s", err.message);
    assert_string_equal(kms.asset, NAMED);
    assert_string_equal(kms.commit, "762b373b3aa616088137a782454fe03b041033fd");
    assert_int_equal(kms.signed_at_s, 1790431024);
    hex_encode(slice_of(kms.sha256, SHA256_LEN), hex);
    assert_string_equal(hex, "bb401820d3ac5a65e93d59b8a0934fcc706e76455b4a295b37005a67c2fc8a72");
    hex_encode(slice_of(kms.binding, sizeof kms.binding), hex);
    assert_string_equal(hex, "2323feace9fd1751a89ab2bebb8aba145f343a3688e3d1655ed428eb0766e396");
    assert_true(kms.policy.statuses[TCB_UP_TO_DATE] && kms.policy.statuses[TCB_OUT_OF_DATE]);
    assert_int_equal(kms.policy.lists[POLICY_MRTD].values[0][0], 0xf0); /* kms_allowed_mrtd */
    assert_int_equal(kms.policy.compose_hash_count, 1);
    for_kms.subject = POLICY_SUBJECT_NODE;
    assert_true(release_policy_load(&source, trust, &for_kms, clock_unix_s(), &node, &err));
    assert_int_equal(node.policy.lists[POLICY_MRTD].values[0][0], 0xc1); /* node_allowed_mrtd */
    clear();
}

/* A good signature does not say that this is the file that was asked for. */
static void other_document(void **state)
{
    (void)state;
    const struct release_source source = {.dir = folder};
    struct release_wanted asked = wanted;
    put_all("mero-kms-v2.3.72", NAMED);
    put_all("mero-kms-v2.3.71", "kms-phala-attestation-policy.debug.json");
    asked.version = "2.3.72";
    expect("an older policy under a newer tag", &source, &asked, "release/tag");
    asked = wanted;
    asked.profile = "debug";
    expect("another profile's policy under its name", &source, &asked, "release/profile");
    expect("only another profile's there", &source, &wanted, "release/missing");
    put_all("mero-kms-v2.3.71", PLAIN);
    expect("the one without a profile in its name", &source, &wanted, NULL);
    asked = wanted;
    asked.min_version = "2.3.71";
    expect("at the floor", &source, &asked, NULL);
    asked.min_version = "2.3.72-rc.1";
    expect("below the floor", &source, &asked, "release/floor");
    asked.min_version = "latest";
    expect("malformed floor", &source, &asked, "release/version");
    asked = wanted;
    asked.version = "../2.3.71";
    expect("path as version", &source, &asked, "release/version");
    asked = wanted;
    asked.profile = "../x";
    expect("path as profile", &source, &asked, "release/profile");
    clear();
    put_all(".", NAMED);
    expect("a directory with one release", &source, &wanted, NULL);
    clear();
    expect("empty directory", &source, &wanted, "release/missing");
}

static void damaged(void **state)
{
    (void)state;
    const struct release_source source = {.dir = folder};
    BUF_AUTO struct buf huge = BUF_INIT(2 * RELEASE_POLICY_MAX);
    assert_non_null(buf_extend(&huge, RELEASE_POLICY_MAX + 1));
    memset(huge.data, ' ', huge.len);
    for (size_t i = 0; i < PARTS; i++) {
        struct slice whole = buf_slice(&parts[i]);
        put_all("mero-kms-v2.3.71", NAMED);
        put("mero-kms-v2.3.71", NAMED, i, slice_cut(whole, 0, whole.len / 2));
        expect("truncated", &source, &wanted, "release/signature");
        put("mero-kms-v2.3.71", NAMED, i, slice_of(NULL, 0));
        expect("empty", &source, &wanted, "release/signature");
        put("mero-kms-v2.3.71", NAMED, i, buf_slice(&huge));
        expect("huge", &source, &wanted, "file/too-large");
        clear();
    }
    put_all("mero-kms-v2.3.71", NAMED);
    char path[PATH_TEXT_MAX];
    struct error err;
    assert_true(path_join(folder, "mero-kms-v2.3.71/" NAMED ".sig", path, &err));
    assert_int_equal(remove(path), 0);
    expect("no signature file", &source, &wanted, "file/missing");
    clear();
}

static const char NOT_FOUND[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
static const char TOO_MANY[] = "HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n";
static const char BROKEN[] = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
static const char FORBIDDEN[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
static const char CUT_OFF[] = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{";
static const char HUGE_BODY[] = "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n ";
static const char ELSEWHERE[] =
    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";

/* Replies by letter: 0 1 2 are the three assets. */
static struct script script_of(char letter)
{
    switch (letter) {
    case 'n':
        return (struct script){.reply = NOT_FOUND};
    case 't':
        return (struct script){.reply = TOO_MANY};
    case 'b':
        return (struct script){.reply = BROKEN};
    case 'f':
        return (struct script){.reply = FORBIDDEN};
    case 'c':
        return (struct script){.reply = CUT_OFF};
    case 'h':
        return (struct script){.reply = HUGE_BODY};
    case 'e':
        return (struct script){.reply = ELSEWHERE};
    default:
        return (struct script){.reply = (const char *)replies[letter - '0'].data,
                               .len = replies[letter - '0'].len};
    }
}

static void servers(void **state)
{
    (void)state;
    static const struct {
        const char *letters, *code;
        unsigned requests;
    } plays[] = {
        {"012", NULL, 3},
        {"n012", NULL, 4}, /* no asset of that profile, but the general one */
        {"nn", "release/missing", 2},
        {"0n", "release/asset", 2},
        {"t012", NULL, 4},
        {"bc012", NULL, 5},
        {"0b01t012", NULL, 8}, /* all three anew each time */
        {"bbb", "release/unreachable", 3},
        {"ccc", "release/unreachable", 3},
        {"f", "release/asset", 1},
        {"h", "release/asset", 1},
        {"e", "release/asset", 1}, /* a redirect that is not from https to https */
        {"112", "release/signature", 3},
        {"022", "release/signature", 3},
        {"011", "release/signature", 3},
    };
    for (size_t i = 0; i < COUNT(plays); i++) {
        struct script scripts[16];
        size_t count = strlen(plays[i].letters);
        for (size_t k = 0; k < count; k++)
            scripts[k] = script_of(plays[i].letters[k]);
        struct scripted_server *server = scripted_start(scripts, count, NULL);
        char base[64];
        snprintf(base, sizeof base, "http://127.0.0.1:%u/mirror/", scripted_port(server));
        const struct release_source source = {.base_url = base};
        expect(plays[i].letters, &source, &wanted, plays[i].code);
        if (scripted_requests(server) != plays[i].requests)
            fail_msg("%s: %u requests", plays[i].letters, scripted_requests(server));
        scripted_stop(&server);
    }
    const struct release_source nobody = {.base_url = "http://127.0.0.1:1"};
    expect("nobody there", &nobody, &wanted, "release/unreachable");
    const atomic_bool canceled = true;
    const struct release_source stopped = {.base_url = "http://127.0.0.1:1", .cancel = &canceled};
    expect("canceled", &stopped, &wanted, "release/canceled");
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL || !sigstore_trust_open_production(&trust, NULL))
        return -1;
    for (size_t i = 0; i < PARTS; i++) {
        char name[64];
        snprintf(name, sizeof name, REAL "%s", suffixes[i]);
        vectors_read(vectors_path(FOLDER, name), &parts[i]);
        replies[i] = BUF_INIT(2 * RELEASE_POLICY_MAX);
        buf_printf(&replies[i], "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", parts[i].len);
        buf_append(&replies[i], buf_slice(&parts[i]));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < PARTS; i++) {
        buf_free(&parts[i]);
        buf_free(&replies[i]);
    }
    sigstore_trust_close(&trust);
    return file_remove_tree(folder, NULL) ? 0 : -1;
}

int main(void)
{
    vectors_require(FOLDER "/" REAL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_release),
                                       cmocka_unit_test(other_document), cmocka_unit_test(damaged),
                                       cmocka_unit_test(servers)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
