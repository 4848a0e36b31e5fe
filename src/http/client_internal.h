/* Shared by the files of the client only. */
#ifndef HTTP_CLIENT_INTERNAL_H
#define HTTP_CLIENT_INTERNAL_H

#include <curl/curl.h>

#include "base/file.h"
#include "http/client.h"

/* Starts libcurl once per process, with an allocator that wipes what it frees: libcurl's buffers
 * hold storage keys in passing. */
bool http_curl_start(struct error *err) MUST_USE;

/* Certificates of one PEM file that a client trusts besides the system's roots. */
struct extra_roots;
bool extra_roots_load(const char *path, struct extra_roots **out, struct error *err) MUST_USE;
void extra_roots_free(struct extra_roots **roots);

/* CURLOPT_SSL_CTX_FUNCTION; its data is a struct extra_roots * or NULL. */
CURLcode client_tls_prepare(CURL *easy, void *ssl_ctx, void *roots);

struct http_client {
    CURL *easy;
    CURLM *multi;
    struct extra_roots *roots;
    char *unix_socket;
    char *client_cert_path;
    char *client_key_path;
    char *user_agent;
    unsigned redirects_max;
    bool ignore_proxy;
    const atomic_bool *cancel;
    char curl_text[CURL_ERROR_SIZE];
};

/* What one call collects. */
struct transfer {
    const struct http_request *request;
    struct http_response *response;
    struct http_url url;
    char peer[PATH_TEXT_MAX]; /* how messages call the other side */
    bool headers_too_large;
    bool body_too_large;
    bool canceled;
};

long transfer_timeout_ms(const struct transfer *t);
/* Says what went wrong with a transfer. Returns false. */
bool transfer_fail(const struct http_client *c, const struct transfer *t, CURLcode rc,
                   struct error *err);

#endif
