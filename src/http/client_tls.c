/* What libcurl's OpenSSL backend is told beyond libcurl's own options: roots added to the system's,
 * and read buffers wiped as soon as their plaintext has been handed over. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/file.h"
#include "http/client_internal.h"
#include "http/limits.h"

enum { EXTRA_ROOTS_MAX = 256 };

struct extra_roots {
    size_t count;
    X509 *certs[EXTRA_ROOTS_MAX];
};

void extra_roots_free(struct extra_roots **roots)
{
    if (*roots == NULL)
        return;
    for (size_t i = 0; i < (*roots)->count; i++)
        X509_free((*roots)->certs[i]);
    free(*roots);
    *roots = NULL;
}

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

static bool read_certs(struct slice pem, struct extra_roots *roots)
{
    BIO *bio __attribute__((cleanup(free_bio))) = BIO_new_mem_buf(pem.data, (int)pem.len);
    if (bio == NULL)
        return false;
    X509 *cert;
    while (roots->count < EXTRA_ROOTS_MAX &&
           (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        roots->certs[roots->count++] = cert;
    unsigned long last = ERR_peek_last_error();
    ERR_clear_error();
    /* "no start line" is how the end of the file looks. */
    return roots->count > 0 && (last == 0 || ERR_GET_REASON(last) == PEM_R_NO_START_LINE);
}

bool extra_roots_load(const char *path, struct extra_roots **out, struct error *err)
{
    struct buf pem BUF_AUTO = BUF_INIT(HTTP_CA_FILE_MAX);
    if (!file_read(path, &pem, err))
        return false;
    struct extra_roots *roots = calloc(1, sizeof *roots);
    if (roots == NULL)
        return error_set(err, "http/memory", NULL, "out of memory");
    if (!read_certs(buf_slice(&pem), roots)) {
        extra_roots_free(&roots);
        return error_set(err, "http/tls", path, "'%s' is not a file of PEM certificates", path);
    }
    *out = roots;
    return true;
}

CURLcode client_tls_prepare(CURL *easy, void *ssl_ctx, void *roots)
{
    (void)easy;
    SSL_CTX *ctx = ssl_ctx;
    const struct extra_roots *extra = roots;
    SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    for (size_t i = 0; extra != NULL && i < extra->count; i++)
        if (X509_STORE_add_cert(store, extra->certs[i]) != 1)
            return CURLE_SSL_CACERT_BADFILE;
    return CURLE_OK;
}
