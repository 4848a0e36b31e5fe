/* Certificates made on the spot for TLS tests: P-256, PEM, for 127.0.0.1 and localhost. */
#ifndef TESTS_TEST_CERTS_H
#define TESTS_TEST_CERTS_H

enum test_cert_use { TEST_CERT_CA, TEST_CERT_SERVER, TEST_CERT_CLIENT };

struct test_cert {
    const char *name;   /* files <dir>/<name>.pem and <dir>/<name>.key */
    const char *issuer; /* name of a CA made before; NULL = self-signed */
    enum test_cert_use use;
    long from_s, until_s; /* seconds relative to now; both 0 = an hour either way */
};

/* Aborts the test program on failure. */
void test_cert_make(const char *dir, const struct test_cert *cert);

#endif
