/* Every certificate and CRL in the vectors reads here as OpenSSL reads it, signatures included, and
 * the SGX extension as the description beside each real quote says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/codec.h"
#include "quote/quote.h"
#include "support/vectors.h"
#include "support/x509_oracle.h"
#include "x509/pem.h"

struct tally {
    size_t chains, certs, crls, signatures, refused, extensions;
};

static bool signed_by(const struct x509_cert *child, const struct x509_cert *parent)
{
    struct error err;
    P256_KEY_AUTO struct p256_key *key = NULL;
    return p256_key_open(parent->public_key, &key, &err) && x509_cert_verify(child, key, &err);
}

/* Each certificate against OpenSSL; each neighbour as its issuer, right or wrong. */
static bool check_chain(const char *where, struct slice pem, struct tally *tally,
                        struct x509_cert *leaf)
{
    static struct x509_chain chain;
    struct x509_cert certs[X509_CHAIN_COUNT_MAX];
    struct error err;
    if (!x509_chain_from_pem(pem, &chain, &err))
        return false;
    tally->chains++;
    for (size_t i = 0; i < chain.count; i++) {
        P256_KEY_AUTO struct p256_key *key = NULL;
        if (!x509_cert_parse(chain.der[i], &certs[i], &err) ||
            !p256_key_open(certs[i].public_key, &key, &err))
            return false;
        const char *differs = oracle_cert_differs(&certs[i]);
        if (differs != NULL)
            fail_msg("%s: certificate %zu: %s", where, i, differs);
        tally->certs++;
    }
    for (size_t i = 0; i < chain.count; i++) {
        size_t parent = i + 1 < chain.count ? i + 1 : i;
        bool ours = signed_by(&certs[i], &certs[parent]);
        if (ours != oracle_cert_signed_by(chain.der[i], chain.der[parent]))
            fail_msg("%s: signature of certificate %zu: we say %d", where, i, ours);
        tally->signatures++;
    }
    *leaf = certs[0];
    return true;
}

static bool check_crl(const char *where, struct slice text, struct tally *tally)
{
    BUF_AUTO struct buf der = BUF_INIT(X509_CRL_LEN_MAX);
    struct x509_crl crl;
    struct error err;
    if (!x509_crl_decode(text, &der, &err) || !x509_crl_parse(buf_slice(&der), &crl, &err))
        return false;
    const char *differs = oracle_crl_differs(&crl);
    if (differs != NULL)
        fail_msg("%s: CRL: %s", where, differs);
    tally->crls++;
    return true;
}

static struct slice text_member(const json_t *object, const char *name)
{
    const json_t *text = json_object_get(object, name);
    return text != NULL ? slice_of(json_string_value(text), json_string_length(text))
                        : slice_of(NULL, 0);
}

static const char *const CHAINS[] = {"pck_crl_issuer_chain", "tcb_info_issuer_chain",
                                     "qe_identity_issuer_chain"};
static const char *const CRLS[] = {"root_ca_crl", "pck_crl"};

/* Calls `refused` for every chain and CRL that does not read. */
static void check_collateral(const char *folder, void (*refused)(const char *, const char *),
                             struct tally *tally)
{
    JSON_AUTO json_t *collateral = vectors_read_json(vectors_path(folder, "collateral.json"));
    struct x509_cert leaf;
    for (size_t i = 0; i < sizeof CHAINS / sizeof CHAINS[0]; i++)
        if (!check_chain(folder, text_member(collateral, CHAINS[i]), tally, &leaf))
            refused(folder, CHAINS[i]);
    for (size_t i = 0; i < sizeof CRLS / sizeof CRLS[0]; i++)
        if (!check_crl(folder, text_member(collateral, CRLS[i]), tally))
            refused(folder, CRLS[i]);
}

static void same_bytes(const char *where, const json_t *meta, const char *name,
                       const uint8_t *value, size_t len)
{
    uint8_t wanted[32];
    struct slice text = text_member(meta, name);
    if (text.data == NULL && value == NULL)
        return;
    if (value == NULL || !hex_decode(text, wanted, len) || memcmp(wanted, value, len) != 0)
        fail_msg("%s: %s differs", where, name);
}

static void same_flag(const char *where, const json_t *meta, const char *name, bool has, bool on)
{
    const json_t *wanted = json_object_get(json_object_get(meta, "configuration"), name);
    if ((wanted != NULL) != has || (has && json_is_true(wanted) != on))
        fail_msg("%s: %s differs", where, name);
}

static void same_sgx(const char *where, const json_t *meta, const struct x509_cert *cert)
{
    struct x509_sgx sgx;
    struct error err;
    char time[TIME_TEXT_MAX];
    if (!x509_sgx_parse(cert, &sgx, &err))
        fail_msg("%s: %s: %s", where, err.code, err.message);
    same_bytes(where, meta, "ppid", sgx.ppid, 16);
    same_bytes(where, meta, "pceid", sgx.pceid, 2);
    same_bytes(where, meta, "fmspc", sgx.fmspc, 6);
    same_bytes(where, meta, "cpusvn", sgx.cpusvn, 16);
    same_bytes(where, meta, "platform_instance_id", sgx.platform_instance_id, 16);
    assert_int_equal(json_integer_value(json_object_get(meta, "sgxtype")), sgx.type);
    assert_int_equal(json_integer_value(json_object_get(meta, "pcesvn")), sgx.pcesvn);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(json_integer_value(json_array_get(json_object_get(meta, "comps"), i)),
                         sgx.component[i]);
    same_flag(where, meta, "dynamicPlatform", sgx.has_dynamic_platform, sgx.dynamic_platform);
    same_flag(where, meta, "cachedKeys", sgx.has_cached_keys, sgx.cached_keys);
    same_flag(where, meta, "smtEnabled", sgx.has_smt_enabled, sgx.smt_enabled);
    time_format_utc(cert->not_before_s, time);
    assert_string_equal(time, json_string_value(json_object_get(meta, "not_before")));
    time_format_utc(cert->not_after_s, time);
    assert_string_equal(time, json_string_value(json_object_get(meta, "not_after")));
    char serial[2 * X509_SERIAL_LEN_MAX + 1];
    hex_encode(cert->serial, serial);
    /* The description leaves leading zero digits out. */
    assert_string_equal(&serial[strspn(serial, "0")],
                        json_string_value(json_object_get(meta, "serial")));
}

static void never_refused(const char *folder, const char *member)
{
    fail_msg("%s: %s is refused", folder, member);
}

static void real_folder(const char *folder, void *context)
{
    struct tally *tally = context;
    BUF_AUTO struct buf bytes = {0};
    JSON_AUTO json_t *meta = vectors_read_json(vectors_path(folder, "meta.json"));
    struct quote q;
    struct slice pem;
    struct x509_cert leaf;
    vectors_read(vectors_path(folder, "quote.bin"), &bytes);
    if (vectors_have(vectors_path(folder, "collateral.json")))
        check_collateral(folder, never_refused, tally);
    if (!quote_parse(buf_slice(&bytes), &q, NULL) || !quote_pck_chain(&q, &pem, NULL))
        return;
    const json_t *pck = json_object_get(meta, "pck");
    bool ok = check_chain(folder, pem, tally, &leaf);
    /* Descriptions without "pck" are of chains that do not parse elsewhere either; one quote of
     * 2019 has no line end between two PEM blocks. */
    if (ok != (pck != NULL && strstr(folder, "verifyAttestationEvidenceTest-64ad91") == NULL))
        fail_msg("%s: PCK chain %s", folder, ok ? "parses, but should not" : "is refused");
    if (!ok) {
        tally->refused++;
        return;
    }
    same_sgx(folder, pck, &leaf);
    tally->extensions++;
}

static void real_certificates(void **state)
{
    (void)state;
    struct tally t = {0};
    vectors_each_folder("dcap/real", real_folder, &t);
    print_message("%zu chains, %zu certificates, %zu CRLs, %zu signatures, %zu SGX extensions "
                  "agree; %zu bad chains refused\n",
                  t.chains, t.certs, t.crls, t.signatures, t.extensions, t.refused);
    assert_true(t.certs > 0 && t.crls > 0 && t.extensions > 0);
}

/* Case and member that must not read; anything else must. */
static const char *const BAD[][2] = {
    {"crl-no-aki", "pck_crl"},
    {"crl-no-number", "pck_crl"},
    {"crl-pck-empty", "pck_crl"},
    {"crl-pck-garbage", "pck_crl"},
    {"crl-pck-missing", "pck_crl"},
    {"crl-root-garbage", "root_ca_crl"},
    {"sc-qeid-chain-missing", "qe_identity_issuer_chain"},
    {"sc-url-encoded", "tcb_info_issuer_chain"}, /* until it is percent-decoded */
};
static bool bad_seen[sizeof BAD / sizeof BAD[0]];

static void refused_if_bad(const char *folder, const char *member)
{
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        if (strcmp(strrchr(folder, '/') + 1, BAD[i][0]) == 0 && strcmp(member, BAD[i][1]) == 0) {
            bad_seen[i] = true;
            return;
        }
    never_refused(folder, member);
}

static void synthetic_folder(const char *folder, void *context)
{
    check_collateral(folder, refused_if_bad, context);
}

static void synthetic_certificates(void **state)
{
    (void)state;
    struct tally t = {0};
    vectors_each_folder("dcap/synthetic", synthetic_folder, &t);
    print_message("%zu chains, %zu certificates, %zu CRLs, %zu signatures agree\n", t.chains,
                  t.certs, t.crls, t.signatures);
    assert_true(t.certs > 0 && t.crls > 0);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        if (!bad_seen[i] && vectors_have(vectors_path("dcap/synthetic", BAD[i][0])))
            fail_msg("%s: %s reads, but should not", BAD[i][0], BAD[i][1]);
}

static void url_encoded_chain(void **state)
{
    (void)state;
    const char *folder = "dcap/synthetic/sc-url-encoded";
    if (!vectors_have(folder))
        skip();
    JSON_AUTO json_t *collateral = vectors_read_json(vectors_path(folder, "collateral.json"));
    BUF_AUTO struct buf pem = BUF_INIT(X509_CHAIN_TEXT_MAX);
    struct tally t = {0};
    struct x509_cert leaf;
    assert_true(x509_percent_decode(text_member(collateral, CHAINS[1]), &pem, NULL));
    assert_true(check_chain(folder, buf_slice(&pem), &t, &leaf));
    assert_int_equal(t.certs, 2);
}

int main(void)
{
    vectors_require("dcap/real");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_certificates),
        cmocka_unit_test(synthetic_certificates),
        cmocka_unit_test(url_encoded_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
