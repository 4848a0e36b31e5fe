/* HTTP client over libcurl with our limits: one deadline for the whole exchange, a ceiling on body
 * and headers, no redirects unless asked, unix sockets, extra CA, client certificate. A client
 * keeps its connections between calls. A client belongs to one thread at a time. Error codes:
 * http/connect (nobody there, DNS), http/tls, http/timeout, http/too-large, http/protocol,
 * http/url, http/canceled. A status of 4xx or 5xx is a response, not an error. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdatomic.h>

#include "base/bytes.h"

struct http_client;

struct http_client_options {
    const char *unix_socket;      /* path; NULL = TCP */
    const char *ca_path;          /* PEM added to the system's roots; NULL = none */
    const char *client_cert_path; /* PEM; both or neither */
    const char *client_key_path;
    const char *user_agent; /* NULL = "merotee/<version>" */
    unsigned redirects_max; /* 0 = a 3xx is a response; else https-to-https only */
    bool ignore_proxy;      /* do not honour *_proxy variables */
    const atomic_bool
        *cancel; /* when it becomes true a running call ends with http/canceled; may be NULL */
};

enum { HTTP_CLIENT_HEADERS_MAX = 8, HTTP_CLIENT_HEADER_TEXT_MAX = 65536 };

struct http_request {
    const char *method;                           /* "GET", "POST", "PUT" ... */
    const char *url;                              /* http:// or https:// only */
    const char *headers[HTTP_CLIENT_HEADERS_MAX]; /* "Name: value", NULL-terminated list */
    struct slice body;
    unsigned timeout_ms; /* total */
    size_t body_max;     /* ceiling of the response body */
};

struct http_response {
    long status;
    struct buf body;
    struct buf headers; /* raw header lines of the final response, CRLF separated */
    bool secret;        /* set before the call: body is wiped on growth and free */
};

bool http_client_open(const struct http_client_options *options, struct http_client **out,
                      struct error *err) MUST_USE;
void http_client_close(struct http_client **client);
#define HTTP_CLIENT_AUTO __attribute__((cleanup(http_client_close)))

bool http_client_call(struct http_client *client, const struct http_request *request,
                      struct http_response *response, struct error *err) MUST_USE;
/* Value of a header (case-insensitive name, white space trimmed); false when absent. */
bool http_response_header(const struct http_response *response, const char *name,
                          struct slice *out) MUST_USE;
/* Delay that Retry-After asks for in seconds (delta form), 0 when absent or unreadable. */
unsigned http_response_retry_after_s(const struct http_response *response);
void http_response_free(struct http_response *response);
#define HTTP_RESPONSE_AUTO __attribute__((cleanup(http_response_free)))

/* Parts of an absolute http(s) URL (WHATWG-like: host lower-cased, default port filled in). */
struct http_url {
    char scheme[8];
    char host[256]; /* without brackets */
    unsigned port;
    char path[1024]; /* "/" at least */
};
bool http_url_parse(const char *url, struct http_url *out, struct error *err) MUST_USE;
/* True for a literal address in 127.0.0.0/8 or ::1; never for a name, never for ::ffff:127.0.0.1.
 */
bool http_host_is_loopback(const char *host);
/* base with a '/' added to its path when missing, then the relative path appended. */
bool http_url_join(const char *base, const char *relative, struct buf *out,
                   struct error *err) MUST_USE;

#endif
