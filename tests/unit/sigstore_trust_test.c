/* The trust root: the built-in one is the committed file, malformed ones are refused by name, times
 * and windows are closed intervals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "sigstore/limits.h"
#include "sigstore/trust.h"
#include "sigstore/window.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void read_data(const char *name, struct buf *out)
{
    char path[PATH_TEXT_MAX];
    struct error err;
    const char *root = getenv("MERO_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/data/%s", root != NULL ? root : ".", name);
    *out = BUF_INIT(SIGSTORE_TRUST_MAX);
    if (!file_read(path, out, &err))
        fail_msg("%s", err.message);
}

static void built_in(void **state)
{
    (void)state;
    SIGSTORE_TRUST_AUTO struct sigstore_trust *trust = NULL;
    BUF_AUTO struct buf file = {0}, page = {0};
    struct sigstore_trust_info info;
    struct error err;
    uint8_t digest[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    if (!sigstore_trust_open_production(&trust, &err))
        fail_msg("%s", err.message);
    sigstore_trust_describe(trust, &info);
    read_data("sigstore-trusted-root.json", &file);
    read_data("README.md", &page);
    sha256(buf_slice(&file), digest);
    assert_memory_equal(info.sha256, digest, sizeof digest);
    hex_encode(slice_of(digest, sizeof digest), hex);
    assert_non_null(strstr(buf_cstr(&page), hex));
    assert_int_equal(info.logs, 2);
    assert_int_equal(info.ct_logs, 2);
    assert_int_equal(info.certificate_authorities, 2);
    assert_int_equal(info.timestamp_authorities, 1);
    assert_int_equal(info.left_out, 0);
    assert_int_equal(info.newest_key_s, 1758585600); /* 2025-09-23 */
}

/* The member at a path like "tlogs.0.publicKey.validFor", with its object. */
static json_t *walk(json_t *root, const char *path, char last[64])
{
    json_t *at = root;
    while (at != NULL) {
        size_t len = strcspn(path, ".");
        snprintf(last, 64, "%.*s", (int)len, path);
        if (path[len] == 0)
            return at;
        at = json_is_array(at) ? json_array_get(at, (size_t)(last[0] - '0'))
                               : json_object_get(at, last);
        path += len + 1;
    }
    return NULL;
}

static bool opens(const json_t *root, struct sigstore_trust_info *info, struct error *err)
{
    SIGSTORE_TRUST_AUTO struct sigstore_trust *trust = NULL;
    BUF_AUTO struct buf text = BUF_INIT(2 * SIGSTORE_TRUST_MAX);
    assert_true(json_write_compact(root, &text, err));
    if (!sigstore_trust_open(buf_slice(&text), &trust, err))
        return false;
    sigstore_trust_describe(trust, info);
    return true;
}

static json_t *copy_of_production(void)
{
    BUF_AUTO struct buf file = {0};
    json_t *root = NULL;
    struct error err;
    read_data("sigstore-trusted-root.json", &file);
    assert_true(json_parse(buf_slice(&file), SIGSTORE_TRUST_MAX, 0, &root, &err));
    return root;
}

static void malformed(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value; /* JSON; NULL = gone */
        const char *field;        /* NULL = accepted */
    } changes[] = {
        {"mediaType", NULL, "mediaType"},
        {"mediaType", "\"application/json\"", "mediaType"},
        {"mediaType", "\"application/vnd.dev.sigstore.trustedroot.v0.2+json\"", NULL},
        {"tlogs", NULL, "tlogs"},
        {"tlogs", "[]", "tlogs"},
        {"tlogs", "{}", "tlogs"},
        {"ctlogs", "[]", "ctlogs"},
        {"certificateAuthorities", "[]", "certificateAuthorities"},
        {"timestampAuthorities", "[]", NULL},
        {"timestampAuthorities", NULL, NULL},
        {"tlogs.0.baseUrl", NULL, "baseUrl"},
        {"tlogs.0.baseUrl", "\"https://\"", "baseUrl"},
        {"tlogs.0.hashAlgorithm", "\"SHA2_512\"", "hashAlgorithm"},
        {"tlogs.0.logId.keyId", "\"AAAA\"", "keyId"},
        {"tlogs.0.logId.keyId", "\"!\"", "keyId"},
        {"tlogs.0.publicKey.rawBytes", "\"\"", "rawBytes"},
        {"tlogs.0.publicKey.rawBytes", "\"AAAA\"", "rawBytes"},
        {"tlogs.0.publicKey.keyDetails", "\"PKIX_ED25519\"", "rawBytes"},
        {"tlogs.0.publicKey.keyDetails", "\"ML_DSA_65\"", NULL}, /* left out, one remains */
        {"tlogs.0.publicKey.validFor", NULL, "validFor"},
        {"tlogs.0.publicKey.validFor.start", NULL, "start"},
        {"tlogs.0.publicKey.validFor.start", "\"yesterday\"", "start"},
        {"tlogs.0.publicKey.validFor.end", "\"2020-01-01T00:00:00Z\"", "validFor"},
        {"tlogs.0.publicKey.validFor.end", "null", NULL},
        {"ctlogs.1.publicKey.validFor.start", NULL, "start"},
        {"certificateAuthorities.1.validFor.start", NULL, "start"},
        {"certificateAuthorities.1.certChain.certificates", "[]", "certificates"},
        {"certificateAuthorities.1.certChain.certificates.0.rawBytes", "\"MAA=\"", "rawBytes"},
        {"timestampAuthorities.0.certChain", NULL, "certChain"},
    };
    for (size_t i = 0; i < COUNT(changes); i++) {
        JSON_AUTO json_t *root = copy_of_production();
        struct sigstore_trust_info info;
        struct error err = {0};
        char name[64];
        json_t *object = walk(root, changes[i].path, name);
        assert_non_null(object);
        if (changes[i].value == NULL)
            json_object_del(object, name);
        else
            json_object_set_new(object, name, json_loads(changes[i].value, JSON_DECODE_ANY, NULL));
        bool ok = opens(root, &info, &err);
        if (ok != (changes[i].field == NULL))
            fail_msg("%s = %s: %s", changes[i].path, changes[i].value, ok ? "opens" : err.message);
        if (ok)
            continue;
        assert_string_equal(err.code, "sigstore/trust-root");
        if (strcmp(err.field, changes[i].field) != 0)
            fail_msg("%s = %s: field %s", changes[i].path, changes[i].value, err.field);
    }
}

/* n-1, n, n+1 entries of a list. */
static void counts(void **state)
{
    (void)state;
    struct sigstore_trust_info info;
    struct error err;
    for (size_t n = SIGSTORE_AUTHORITIES_MAX - 1; n <= SIGSTORE_AUTHORITIES_MAX + 1; n++) {
        JSON_AUTO json_t *root = copy_of_production();
        json_t *logs = json_object_get(root, "tlogs");
        while (json_array_size(logs) < n)
            json_array_append(logs, json_array_get(logs, 0));
        assert_int_equal(opens(root, &info, &err), n <= SIGSTORE_AUTHORITIES_MAX);
        if (n <= SIGSTORE_AUTHORITIES_MAX)
            assert_int_equal(info.logs, n);
    }
    JSON_AUTO json_t *root = copy_of_production();
    char name[64];
    json_object_set_new(walk(root, "tlogs.0.publicKey.keyDetails", name), name,
                        json_string("ML_DSA_65"));
    assert_true(opens(root, &info, &err));
    assert_int_equal(info.logs, 1);
    assert_int_equal(info.left_out, 1);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1 = refused */
    } rows[] = {
        {"2022-10-31T23:59:59Z", 1667260799000},
        {"2022-10-31T23:59:59.999Z", 1667260799999},
        {"2022-10-31T23:59:59.9Z", 1667260799900},
        {"2022-10-31T23:59:59.999999999Z", 1667260799999},
        {"2022-11-01T01:59:59+02:00", 1667260799000},
        {"2022-10-31T18:29:59-05:30", 1667260799000},
        {"2022-10-31T23:59:59", -1},
        {"2022-10-31T23:59:59.Z", -1},
        {"2022-10-31T23:59:59.0000000000Z", -1},
        {"2022-10-31T23:59:59+2:00", -1},
        {"2022-10-31T23:59:59+24:00", -1},
        {"2022-10-31T23:59:59ZZ", -1},
        {"2022-10-31 23:59:59Z", -1},
        {"", -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t ms = -1;
        bool ok = sigstore_time_parse(slice_str(rows[i].text), &ms);
        if (ok != (rows[i].ms >= 0) || ms != rows[i].ms)
            fail_msg("%s: %lld", rows[i].text, (long long)ms);
    }
    const struct sigstore_window window = {1000, 2000};
    assert_false(sigstore_window_has(&window, 999));
    assert_true(sigstore_window_has(&window, 1000));
    assert_true(sigstore_window_has(&window, 2000));
    assert_false(sigstore_window_has(&window, 2001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(built_in), cmocka_unit_test(malformed),
                                       cmocka_unit_test(counts), cmocka_unit_test(times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
