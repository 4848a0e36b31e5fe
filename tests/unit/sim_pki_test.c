/* The simulator's certificates and CRLs, judged by OpenSSL: names, extensions, chains, dates,
 * persistence, and that each crafted fault is really in the certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "sim/der.h"
#include "sim/world.h"

enum { NOW = 1767225600 }; /* 2026-01-01 */

static struct error err;

static void make_world(struct sim_world *w, const struct sim_world_options *options)
{
    if (!sim_world_create(w, options, &err))
        fail_msg("%s: %s", err.code, err.message);
}

static X509 *parse(const struct buf *der)
{
    const unsigned char *at = der->data;
    X509 *cert = d2i_X509(NULL, &at, (long)der->len);
    assert_non_null(cert);
    assert_ptr_equal(at, der->data + der->len);
    return cert;
}

static void assert_name(const X509_NAME *name, const char *expect)
{
    char text[256];
    BIO *bio = BIO_new(BIO_s_mem());
    X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~(unsigned long)XN_FLAG_SPC_EQ);
    int len = BIO_read(bio, text, sizeof text - 1);
    assert_true(len > 0);
    text[len] = '\0';
    BIO_free(bio);
    assert_string_equal(text, expect);
}

static bool chain_verifies(const struct sim_issued *leaf, const struct sim_issued *middle,
                           const struct sim_issued *root, int64_t at_s)
{
    X509 *certs[3] = {parse(&leaf->der), middle == NULL ? NULL : parse(&middle->der),
                      parse(&root->der)};
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    X509_STORE_add_cert(store, certs[2]);
    if (certs[1] != NULL)
        sk_X509_push(untrusted, certs[1]);
    X509_STORE_CTX_init(ctx, store, certs[0], untrusted);
    X509_STORE_CTX_set_time(ctx, 0, (time_t)at_s);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    bool ok = X509_verify_cert(ctx) == 1;
    if (!ok) {
        print_message("[openssl: %s]\n",
                      X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    sk_X509_free(untrusted);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    for (size_t i = 0; i < 3; i++)
        X509_free(certs[i]);
    return ok;
}

static void certificates_chain_to_the_root(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    const struct sim_issued *c = w.pki.cert;
    assert_true(chain_verifies(&w.pck, &c[SIM_PLATFORM_CA], &c[SIM_ROOT_CA], NOW));
    assert_true(chain_verifies(&c[SIM_TCB_SIGNING], NULL, &c[SIM_ROOT_CA], NOW));
    assert_false(chain_verifies(&w.pck, &c[SIM_PROCESSOR_CA], &c[SIM_ROOT_CA], NOW));
    assert_false(
        chain_verifies(&w.pck, &c[SIM_PLATFORM_CA], &c[SIM_ROOT_CA], w.pck.spec.not_after_s + 1));
}

static void processor_ca_issues_too(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    make_world(&w, &(struct sim_world_options){.now_s = NOW, .processor_ca = true});
    const struct sim_issued *c = w.pki.cert;
    assert_true(chain_verifies(&w.pck, &c[SIM_PROCESSOR_CA], &c[SIM_ROOT_CA], NOW));
    assert_false(w.pck.spec.sgx.for_platform_ca);
}

static void names_are_intels(void **state)
{
    (void)state;
    static const char *const expect[SIM_PKI_ROLES] = {
        [SIM_ROOT_CA] = "CN=Intel SGX Root CA, O=Intel Corporation, L=Santa Clara, ST=CA, C=US",
        [SIM_PLATFORM_CA] =
            "CN=Intel SGX PCK Platform CA, O=Intel Corporation, L=Santa Clara, ST=CA, C=US",
        [SIM_PROCESSOR_CA] =
            "CN=Intel SGX PCK Processor CA, O=Intel Corporation, L=Santa Clara, ST=CA, C=US",
        [SIM_TCB_SIGNING] =
            "CN=Intel SGX TCB Signing, O=Intel Corporation, L=Santa Clara, ST=CA, C=US",
    };
    struct sim_world w SIM_WORLD_AUTO;
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    for (int role = 0; role < SIM_PKI_ROLES; role++) {
        X509 *cert = parse(&w.pki.cert[role].der);
        assert_name(X509_get_subject_name(cert), expect[role]);
        assert_name(X509_get_issuer_name(cert), expect[SIM_ROOT_CA]);
        X509_free(cert);
    }
    X509 *leaf = parse(&w.pck.der);
    assert_name(X509_get_subject_name(leaf),
                "CN=Intel SGX PCK Certificate, O=Intel Corporation, L=Santa Clara, ST=CA, C=US");
    assert_name(X509_get_issuer_name(leaf), expect[SIM_PLATFORM_CA]);
    X509_free(leaf);
}

static void extensions_are_intels(void **state)
{
    (void)state;
    static const int nids[5] = {NID_authority_key_identifier, NID_crl_distribution_points,
                                NID_subject_key_identifier, NID_key_usage, NID_basic_constraints};
    struct sim_world w SIM_WORLD_AUTO;
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    for (int role = 0; role <= SIM_PKI_ROLES; role++) {
        bool leaf = role == SIM_PKI_ROLES;
        X509 *cert = parse(leaf ? &w.pck.der : &w.pki.cert[role].der);
        assert_int_equal(X509_get_ext_count(cert), leaf ? 6 : 5);
        for (int i = 0; i < 5; i++) { /* the order, too */
            X509_EXTENSION *ext = X509_get_ext(cert, i);
            assert_int_equal(OBJ_obj2nid(X509_EXTENSION_get_object(ext)), nids[i]);
            assert_int_equal(X509_EXTENSION_get_critical(ext), i >= 3);
        }
        bool ca = role <= SIM_PROCESSOR_CA;
        assert_int_equal(X509_get_extension_flags(cert) & EXFLAG_CA, ca ? EXFLAG_CA : 0);
        assert_int_equal(X509_get_key_usage(cert), ca ? KU_KEY_CERT_SIGN | KU_CRL_SIGN
                                                      : KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION);
        assert_int_equal(X509_get_pathlen(cert), role == SIM_ROOT_CA ? 1 : ca ? 0 : -1);
        assert_int_equal(X509_get_signature_nid(cert), NID_ecdsa_with_SHA256);
        X509_free(cert);
    }
}

/* The whole value for one known description, checked against bytes written down by hand. */
static void sgx_extension_has_seven_members(void **state)
{
    (void)state;
    struct sim_sgx_extension ext = {.pcesvn = 256, .type = 1, .for_platform_ca = true};
    memset(ext.ppid, 0xaa, sizeof ext.ppid);
    ext.components[0] = 255;
    ext.components[15] = 1;
    ext.smt_enabled = true;
    struct buf out BUF_AUTO = BUF_INIT(4096);
    sim_sgx_extension_write(&ext, &out);
    assert_false(out.failed);
    struct buf hex BUF_AUTO = BUF_INIT(8192);
    hex_append(&hex, buf_slice(&out));
    const char *text = buf_cstr(&hex);
    static const char *const parts[] = {
        "060a2a864886f84d010d01010410aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "3011060b2a864886f84d010d010201020200ff", /* component 1 = 255 */
        "3010060b2a864886f84d010d01020202010030", /* component 2 = 0 */
        "3010060b2a864886f84d010d01021002010130", /* component 16 */
        "3011060b2a864886f84d010d01021102020100", /* PCESVN 256 */
        "301f060b2a864886f84d010d0102120410",     /* CPUSVN */
        "3010060a2a864886f84d010d010304020000",
        "3014060a2a864886f84d010d01040406000000000000",
        "300f060a2a864886f84d010d01050a0101",
        "301e060a2a864886f84d010d01060410",
        "3044060a2a864886f84d010d01073036",
        "3010060b2a864886f84d010d010701010100",
        "3010060b2a864886f84d010d010702010100",
        "3010060b2a864886f84d010d0107030101ff",
    };
    const char *at = text;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *found = strstr(at, parts[i]);
        if (found == NULL)
            fail_msg("part %zu is missing or out of order in %s", i, text);
        at = found + 1;
    }
    buf_reset(&out);
    ext.for_platform_ca = false;
    sim_sgx_extension_write(&ext, &out);
    buf_reset(&hex);
    hex_append(&hex, buf_slice(&out));
    assert_null(strstr(buf_cstr(&hex), "060a2a864886f84d010d0106"));
    assert_non_null(strstr(buf_cstr(&hex), "060a2a864886f84d010d0105"));
}

static void crls_are_signed_and_list_serials(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    struct sim_collateral c SIM_COLLATERAL_AUTO = {0};
    assert_true(sim_crl_revoke(&w.collateral.pck_crl, &w.pck.spec.serial, &err));
    assert_true(sim_collateral_make(&w.pki, &w.collateral, &c, &err));

    const unsigned char *at = c.pck_crl.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)c.pck_crl.len);
    assert_non_null(crl);
    assert_int_equal(X509_CRL_verify(crl, sim_key_evp(w.pki.cert[SIM_PLATFORM_CA].key)), 1);
    assert_int_equal(X509_CRL_verify(crl, sim_key_evp(w.pki.cert[SIM_ROOT_CA].key)), 0);
    X509 *leaf = parse(&w.pck.der);
    X509_REVOKED *entry = NULL;
    assert_int_equal(X509_CRL_get0_by_cert(crl, &entry, leaf), 1);
    assert_int_equal(X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1), 0);
    assert_int_equal(X509_CRL_get_ext_by_NID(crl, NID_authority_key_identifier, -1), 1);
    time_t now = NOW;
    assert_int_equal(X509_cmp_time(X509_CRL_get0_lastUpdate(crl), &now), -1);
    assert_int_equal(X509_cmp_time(X509_CRL_get0_nextUpdate(crl), &now), 1);
    X509_free(leaf);
    X509_CRL_free(crl);
}

static void a_crl_has_a_ceiling(void **state)
{
    (void)state;
    struct sim_crl_spec spec = {0};
    struct sim_serial serial = {.bytes = {1}, .len = 1};
    for (int i = 0; i < SIM_REVOKED_MAX; i++)
        assert_true(sim_crl_revoke(&spec, &serial, &err));
    assert_false(sim_crl_revoke(&spec, &serial, &err));
    assert_true(error_is(&err, "sim/limit"));
}

static int ext_count_after(struct sim_world *w, unsigned omit, unsigned duplicate)
{
    w->pck.spec.omit = omit;
    w->pck.spec.duplicate = duplicate;
    assert_true(sim_issue(&w->pck, &err));
    X509 *cert = parse(&w->pck.der);
    int count = X509_get_ext_count(cert);
    X509_free(cert);
    return count;
}

static void crafted_faults_are_in_the_certificate(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    for (unsigned bit = SIM_EXT_AKI; bit <= SIM_EXT_SGX; bit <<= 1) {
        assert_int_equal(ext_count_after(&w, bit, 0), 5);
        assert_int_equal(ext_count_after(&w, 0, bit), 7);
    }
    assert_int_equal(ext_count_after(&w, 0, 0), 6);
    EVP_PKEY *ca = sim_key_evp(w.pki.cert[SIM_PLATFORM_CA].key);
    X509 *good = parse(&w.pck.der);
    assert_int_equal(X509_verify(good, ca), 1);
    X509_free(good);
    w.pck.spec.broken_signature = true;
    assert_true(sim_issue(&w.pck, &err));
    X509 *bad = parse(&w.pck.der);
    assert_int_equal(X509_verify(bad, ca), 0);
    X509_free(bad);
    w.pck.spec.broken_signature = false;
    w.pck.signer = w.stranger;
    assert_true(sim_issue(&w.pck, &err));
    X509 *foreign = parse(&w.pck.der);
    assert_int_equal(X509_verify(foreign, ca), 0);
    X509_free(foreign);
}

static void edited_tbs_can_be_signed_again(void **state)
{
    (void)state;
    struct sim_world w SIM_WORLD_AUTO;
    make_world(&w, &(struct sim_world_options){.now_s = NOW});
    struct buf out BUF_AUTO = BUF_INIT(SIM_DER_MAX);
    assert_true(sim_der_resign(buf_slice(&w.pck.der), slice_of(NULL, 0),
                               w.pki.cert[SIM_PLATFORM_CA].key, &out, &err));
    X509 *cert = parse(&out);
    assert_int_equal(X509_verify(cert, sim_key_evp(w.pki.cert[SIM_PLATFORM_CA].key)), 1);
    X509_free(cert);
    buf_reset(&out);
    assert_false(
        sim_der_resign(slice_str("\x30\x05zz"), slice_of(NULL, 0), w.stranger, &out, &err));
}

static void der_lengths_are_minimal(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *header;
    } cases[] = {{0, "0400"},     {1, "0401"},       {127, "047f"},       {128, "048180"},
                 {255, "0481ff"}, {256, "04820100"}, {65535, "0482ffff"}, {65536, "0483010000"}};
    uint8_t *zeros = calloc(1, 65536);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out BUF_AUTO = BUF_INIT(70000);
        der_put(&out, DER_OCTET_STRING, slice_of(zeros, cases[i].len));
        char hex[32];
        hex_encode(slice_cut(buf_slice(&out), 0, strlen(cases[i].header) / 2), hex);
        assert_string_equal(hex, cases[i].header);
        assert_int_equal(out.len, cases[i].len + strlen(cases[i].header) / 2);
    }
    free(zeros);
}

static void a_directory_keeps_the_root(void **state)
{
    (void)state;
    char dir[] = "/tmp/sim-pki-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct sim_pki first;
    struct sim_pki second;
    assert_true(sim_pki_open(&first, dir, NULL, NOW, &err));
    assert_true(sim_pki_open(&second, dir, NULL, NOW + 1000000, &err));
    for (int role = 0; role < SIM_PKI_ROLES; role++) {
        assert_true(
            slice_equal(buf_slice(&first.cert[role].der), buf_slice(&second.cert[role].der)));
        assert_int_equal(first.cert[role].spec.not_after_s, second.cert[role].spec.not_after_s);
    }
    sim_pki_free(&second);

    char path[PATH_TEXT_MAX];
    struct buf pem BUF_AUTO = BUF_INIT(SIM_CHAIN_MAX);
    assert_true(path_join(dir, "root.pem", path, &err));
    assert_true(file_read(path, &pem, &err));
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(root);
    assert_int_equal(X509_verify(root, sim_key_evp(first.cert[SIM_ROOT_CA].key)), 1);
    X509_free(root);
    BIO_free(bio);

    uint8_t other[SIM_SEED_LEN] = {1};
    assert_false(sim_pki_open(&second, dir, other, NOW, &err));
    assert_true(error_is(&err, "sim/state"));
    assert_true(file_write_atomic(path, slice_str("rubbish"), 0644, &err));
    assert_false(sim_pki_open(&second, dir, NULL, NOW, &err));
    assert_true(error_is(&err, "sim/state"));
    sim_pki_free(&first);
    assert_true(file_remove_tree(dir, &err));
}

static void the_same_seed_gives_the_same_keys(void **state)
{
    (void)state;
    struct sim_world a SIM_WORLD_AUTO;
    struct sim_world b SIM_WORLD_AUTO;
    struct sim_world c SIM_WORLD_AUTO;
    make_world(&a, &(struct sim_world_options){.now_s = NOW, .seed = "one"});
    make_world(&b, &(struct sim_world_options){.now_s = NOW + 99, .seed = "one"});
    make_world(&c, &(struct sim_world_options){.now_s = NOW, .seed = "two"});
    assert_memory_equal(sim_key_public(a.pck.key), sim_key_public(b.pck.key), SIM_PUBLIC_LEN);
    assert_memory_not_equal(sim_key_public(a.pck.key), sim_key_public(c.pck.key), SIM_PUBLIC_LEN);
    assert_memory_not_equal(sim_key_public(a.pck.key), sim_key_public(a.attestation_key),
                            SIM_PUBLIC_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_chain_to_the_root),
        cmocka_unit_test(processor_ca_issues_too),
        cmocka_unit_test(names_are_intels),
        cmocka_unit_test(extensions_are_intels),
        cmocka_unit_test(sgx_extension_has_seven_members),
        cmocka_unit_test(crls_are_signed_and_list_serials),
        cmocka_unit_test(a_crl_has_a_ceiling),
        cmocka_unit_test(crafted_faults_are_in_the_certificate),
        cmocka_unit_test(edited_tbs_can_be_signed_again),
        cmocka_unit_test(der_lengths_are_minimal),
        cmocka_unit_test(a_directory_keeps_the_root),
        cmocka_unit_test(the_same_seed_gives_the_same_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
