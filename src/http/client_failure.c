/* From libcurl's result to a sentence that says who did what. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "http/client_internal.h"

static bool fail_connect(const struct http_client *c, const struct transfer *t, struct error *err)
{
    long why = 0;
    curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &why);
    if (why == ECONNREFUSED)
        return error_set(err, "http/connect", NULL, "nobody listens at %s (connection refused)",
                         t->peer);
    if (c->unix_socket != NULL && access(c->unix_socket, F_OK) != 0)
        return error_set(err, "http/connect", NULL, "there is no socket %s", c->unix_socket);
    return error_set(err, "http/connect", NULL, "cannot connect to %s (%s)", t->peer,
                     why != 0 ? strerror((int)why) : c->curl_text);
}

static bool fail_timeout(const struct http_client *c, const struct transfer *t, struct error *err)
{
    long sent = 0;
    curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &sent);
    return error_set(err, "http/timeout", NULL,
                     sent > 0 ? "%s did not answer in full within %ld ms"
                              : "%s did not accept a connection within %ld ms",
                     t->peer, transfer_timeout_ms(t));
}

/* A server that refuses our certificate says so after the handshake, when we are already sending:
 * libcurl sees its alert, or only that the connection is gone. */
static bool refused_after_handshake(const struct http_client *c, const struct transfer *t,
                                    CURLcode rc)
{
    long fresh = 0;
    curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &fresh);
    bool tls = strcmp(t->url.scheme, "https") == 0;
    return tls && (strstr(c->curl_text, "alert") != NULL || (rc == CURLE_SEND_ERROR && fresh > 0));
}

static bool fail_broken(const struct http_client *c, const struct transfer *t, CURLcode rc,
                        struct error *err)
{
    if (t->response->headers.len > 0)
        return error_set(err, "http/protocol", NULL, "the answer of %s breaks off: %s", t->peer,
                         c->curl_text);
    if (refused_after_handshake(c, t, rc))
        return error_set(err, "http/tls", NULL,
                         "%s refuses our side of TLS, or went away after the handshake: %s",
                         t->peer, c->curl_text);
    return error_set(err, "http/connect", NULL, "%s closed the connection without an answer",
                     t->peer);
}

static bool fail_too_large(const struct transfer *t, struct error *err)
{
    if (t->headers_too_large)
        return error_set(err, "http/too-large", NULL,
                         "the headers of the answer of %s are larger than %d bytes", t->peer,
                         HTTP_CLIENT_HEADER_TEXT_MAX);
    return error_set(err, "http/too-large", NULL, "the answer of %s is larger than %zu bytes",
                     t->peer, t->request->body_max);
}

bool transfer_fail(const struct http_client *c, const struct transfer *t, CURLcode rc,
                   struct error *err)
{
    const char *text = c->curl_text[0] != '\0' ? c->curl_text : curl_easy_strerror(rc);
    if (t->canceled)
        return error_set(err, "http/canceled", NULL, "the request to %s was canceled", t->peer);
    if (t->headers_too_large || t->body_too_large || rc == CURLE_FILESIZE_EXCEEDED)
        return fail_too_large(t, err);
    switch (rc) {
    case CURLE_COULDNT_CONNECT:
        return fail_connect(c, t, err);
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(err, "http/connect", NULL, "cannot resolve the host name '%s'",
                         t->url.host);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return error_set(err, "http/connect", NULL, "cannot resolve the proxy: %s", text);
    case CURLE_OPERATION_TIMEDOUT:
        return fail_timeout(c, t, err);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return fail_broken(c, t, rc, err);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ENGINE_NOTFOUND:
        return error_set(err, "http/tls", NULL, "TLS with %s failed: %s", t->peer, text);
    case CURLE_OUT_OF_MEMORY:
        return error_set(err, "http/memory", NULL, "out of memory");
    default:
        return error_set(err, "http/protocol", NULL, "the answer of %s is not usable HTTP: %s",
                         t->peer, text);
    }
}
