/* Shared by the files of the client only. */
#ifndef HTTP_CLIENT_INTERNAL_H
#define HTTP_CLIENT_INTERNAL_H

#include <curl/curl.h>

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

#endif
