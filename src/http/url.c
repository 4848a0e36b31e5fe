/* URLs: the few questions asked about them, answered by libcurl's own parser so that what is
 * checked is what is connected to. Loopback rule: reference facts B.7. */
#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "http/client.h"
#include "http/limits.h"

static void free_url(CURLU **u)
{
    curl_url_cleanup(*u);
}

static void free_text(char **text)
{
    curl_free(*text);
}

#define URL_AUTO  __attribute__((cleanup(free_url)))
#define TEXT_AUTO __attribute__((cleanup(free_text)))

/* One part copied into out[size]; an absent part is the empty text. */
static bool copy_part(CURLU *u, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text TEXT_AUTO = NULL;
    if (curl_url_get(u, part, &text, flags) != CURLUE_OK || text == NULL) {
        out[0] = '\0';
        return true;
    }
    int len = snprintf(out, size, "%s", text);
    return len >= 0 && (size_t)len < size;
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text TEXT_AUTO = NULL;
    return curl_url_get(u, part, &text, 0) == CURLUE_OK && text != NULL;
}

/* "[::1]" to "::1", names to lower case. */
static void tidy_host(char *host)
{
    size_t len = strlen(host);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, &host[1], len - 2);
        host[len - 2] = '\0';
    }
    for (size_t i = 0; host[i] != '\0'; i++)
        host[i] = (char)tolower((unsigned char)host[i]);
}

static bool fill_parts(CURLU *u, const char *url, struct http_url *out, struct error *err)
{
    char port[8];
    if (!copy_part(u, CURLUPART_SCHEME, 0, out->scheme, sizeof out->scheme) ||
        (strcmp(out->scheme, "http") != 0 && strcmp(out->scheme, "https") != 0))
        return error_set(err, "http/url", NULL, "'%s' is neither an http:// nor an https:// URL",
                         url);
    if (!copy_part(u, CURLUPART_HOST, 0, out->host, sizeof out->host) ||
        !copy_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port) ||
        !copy_part(u, CURLUPART_PATH, 0, out->path, sizeof out->path))
        return error_set(err, "http/url", NULL, "'%s' has an over-long host or path", url);
    tidy_host(out->host);
    out->port = 0;
    for (size_t i = 0; port[i] != '\0'; i++)
        out->port = out->port * 10 + (unsigned)(port[i] - '0');
    if (out->host[0] == '\0' || out->port == 0)
        return error_set(err, "http/url", NULL, "'%s' names no host or port", url);
    return true;
}

bool http_url_parse(const char *url, struct http_url *out, struct error *err)
{
    if (strlen(url) > HTTP_URL_TEXT_MAX)
        return error_set(err, "http/url", NULL, "a URL may have %d characters, this one has %zu",
                         HTTP_URL_TEXT_MAX, strlen(url));
    CURLU *u URL_AUTO = curl_url();
    if (u == NULL)
        return error_set(err, "http/memory", NULL, "out of memory");
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (rc != CURLUE_OK)
        return error_set(err, "http/url", NULL, "'%s' is not an absolute URL: %s", url,
                         curl_url_strerror(rc));
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
        return error_set(err, "http/url", NULL, "a URL may not carry a user name or password");
    if (has_part(u, CURLUPART_ZONEID))
        return error_set(err, "http/url", NULL, "'%s' has an IPv6 zone, which is not supported",
                         url);
    struct http_url parsed = {0};
    if (!fill_parts(u, url, &parsed, err))
        return false;
    *out = parsed;
    return true;
}

bool http_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
}

bool http_url_join(const char *base, const char *relative, struct buf *out, struct error *err)
{
    struct http_url parsed;
    if (!http_url_parse(base, &parsed, err))
        return false;
    if (strpbrk(base, "?#") != NULL)
        return error_set(err, "http/url", NULL, "'%s' has a query or fragment: give the base only",
                         base);
    struct slice rest = slice_str(relative);
    while (rest.len > 0 && rest.data[0] == '/')
        rest = slice_cut(rest, 1, rest.len);
    size_t base_len = strlen(base);
    bool slash = base_len > 0 && base[base_len - 1] == '/';
    buf_append_str(out, base);
    if (!slash)
        buf_append_byte(out, '/');
    if (!buf_append(out, rest))
        return error_set(err, "http/url", NULL, "the URL made of '%s' and '%s' is too long", base,
                         relative);
    return true;
}
