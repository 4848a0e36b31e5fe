/* The trust anchor in the code is the one under data/, and the one that its origin note names. */
#include "dcap/root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/file.h"
#include "x509/pem.h"

static const char fingerprint[] =
    "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3";

static void the_key_in_the_code_is_that_of_the_file(void **state)
{
    (void)state;
    const char *source = getenv("MERO_SOURCE_DIR");
    char path[PATH_TEXT_MAX], digest_hex[2 * SHA256_LEN + 1];
    uint8_t digest[SHA256_LEN];
    struct error err = {0};
    BUF_AUTO struct buf pem = BUF_INIT(65536);
    DCAP_ROOT_AUTO struct dcap_root root = {0};
    static struct x509_chain chain;
    struct x509_cert cert;
    assert_true(path_join(source != NULL ? source : ".", "data/intel-sgx-root.pem", path, &err));
    if (!file_read(path, &pem, &err) || !x509_chain_from_pem(buf_slice(&pem), &chain, &err) ||
        !x509_cert_parse(chain.der[0], &cert, &err) || !dcap_root_open_intel(&root, &err))
        fail_msg("%s: %s", err.code, err.message);
    assert_int_equal(chain.count, 1);
    sha256(chain.der[0], digest);
    hex_encode(slice_of(digest, sizeof digest), digest_hex);
    assert_string_equal(digest_hex, fingerprint);
    assert_memory_equal(cert.public_key, root.point, sizeof root.point);
    assert_true(dcap_root_check(&root, &cert, "root", &err));
    root.point[0] ^= 1; /* the comparison can fail */
    assert_memory_not_equal(cert.public_key, root.point, sizeof root.point);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_key_in_the_code_is_that_of_the_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
