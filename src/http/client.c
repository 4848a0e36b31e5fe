/* HTTP client: one libcurl handle per client, driven through the multi interface so that a cancel
 * flag is seen within HTTP_CLIENT_POLL_MS. Every call sets every option anew: nothing of one
 * request can leak into the next, only the connections are kept. */
#include "http/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "http/client_internal.h"
#include "http/limits.h"

static bool out_of_memory(struct error *err)
{
    return error_set(err, "http/memory", NULL, "out of memory");
}

/* ---- opening and closing ---- */

static bool copy_text(const char *from, char **to)
{
    if (from == NULL)
        return true;
    *to = strdup(from);
    return *to != NULL;
}

static bool copy_options(const struct http_client_options *o, struct http_client *c)
{
    c->redirects_max = o->redirects_max;
    c->ignore_proxy = o->ignore_proxy;
    c->cancel = o->cancel;
    return copy_text(o->unix_socket, &c->unix_socket) &&
           copy_text(o->client_cert_path, &c->client_cert_path) &&
           copy_text(o->client_key_path, &c->client_key_path) &&
           copy_text(o->user_agent != NULL ? o->user_agent : "merotee/" MERO_VERSION,
                     &c->user_agent);
}

/* Found out now, not in the middle of a start-up. */
static bool check_client_pair(const struct http_client_options *o, struct error *err)
{
    if ((o->client_cert_path == NULL) != (o->client_key_path == NULL))
        return error_set(err, "http/tls", NULL,
                         "a client certificate needs both the certificate and its key");
    const char *paths[] = {o->client_cert_path, o->client_key_path};
    for (size_t i = 0; i < 2; i++)
        if (paths[i] != NULL && access(paths[i], R_OK) != 0)
            return error_set(err, "http/tls", paths[i], "cannot read %s: %s", paths[i],
                             strerror(errno));
    return true;
}

bool http_client_open(const struct http_client_options *options, struct http_client **out,
                      struct error *err)
{
    static const struct http_client_options none;
    const struct http_client_options *o = options != NULL ? options : &none;
    if (!http_curl_start(err) || !check_client_pair(o, err))
        return false;
    struct http_client *c HTTP_CLIENT_AUTO = calloc(1, sizeof *c);
    if (c == NULL || !copy_options(o, c))
        return out_of_memory(err);
    if (o->ca_path != NULL && !extra_roots_load(o->ca_path, &c->roots, err))
        return false;
    c->easy = curl_easy_init();
    c->multi = curl_multi_init();
    if (c->easy == NULL || c->multi == NULL)
        return out_of_memory(err);
    *out = c;
    c = NULL;
    return true;
}

void http_client_close(struct http_client **client)
{
    struct http_client *c = *client;
    if (c == NULL)
        return;
    curl_easy_cleanup(c->easy);
    curl_multi_cleanup(c->multi);
    extra_roots_free(&c->roots);
    free(c->unix_socket);
    free(c->client_cert_path);
    free(c->client_key_path);
    free(c->user_agent);
    free(c);
    *client = NULL;
}

/* ---- receiving ---- */

/* Called per header line, also for interim replies and redirects: a status line starts over, so
 * that the headers of the final response remain. */
static size_t take_header(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    struct slice line = slice_of(data, size * count);
    struct buf *headers = &t->response->headers;
    if (slice_equal_str(slice_cut(line, 0, 5), "HTTP/"))
        buf_reset(headers);
    t->headers_too_large = !buf_append(headers, line);
    return t->headers_too_large ? 0 : line.len;
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    struct slice piece = slice_of(data, size * count);
    t->body_too_large = !buf_append(&t->response->body, piece);
    return t->body_too_large ? 0 : piece.len;
}

/* ---- asking ---- */

/* curl_easy_setopt with the first failure kept. */
struct setup {
    CURL *easy;
    CURLcode rc;
};

static void set_long(struct setup *s, CURLoption option, long value)
{
    if (s->rc == CURLE_OK)
        s->rc = curl_easy_setopt(s->easy, option, value);
}

static void set_text(struct setup *s, CURLoption option, const char *value)
{
    if (s->rc == CURLE_OK)
        s->rc = curl_easy_setopt(s->easy, option, value);
}

static void set_data(struct setup *s, CURLoption option, void *value)
{
    if (s->rc == CURLE_OK)
        s->rc = curl_easy_setopt(s->easy, option, value);
}

static void set_method(struct setup *s, const struct http_request *r)
{
    if (strcmp(r->method, "HEAD") == 0) {
        set_long(s, CURLOPT_NOBODY, 1);
        return;
    }
    if (r->body.len > 0 || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0) {
        set_long(s, CURLOPT_POST, 1);
        set_text(s, CURLOPT_POSTFIELDS, r->body.len > 0 ? (const char *)r->body.data : "");
        if (s->rc == CURLE_OK)
            s->rc = curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    }
    set_text(s, CURLOPT_CUSTOMREQUEST, r->method);
}

/* The system's roots where they are; a machine without them has only those of the caller. */
static void set_roots(struct setup *s)
{
    const char *system_roots = curl_version_info(CURLVERSION_NOW)->cainfo;
    if (system_roots == NULL || access(system_roots, R_OK) != 0) {
        set_text(s, CURLOPT_CAINFO, NULL);
        set_text(s, CURLOPT_CAPATH, NULL);
    }
}

static void set_tls(struct setup *s, struct http_client *c)
{
    set_long(s, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    set_roots(s);
    if (s->rc == CURLE_OK)
        s->rc = curl_easy_setopt(s->easy, CURLOPT_SSL_CTX_FUNCTION, client_tls_prepare);
    set_data(s, CURLOPT_SSL_CTX_DATA, c->roots);
    if (c->client_cert_path != NULL) {
        set_text(s, CURLOPT_SSLCERT, c->client_cert_path);
        set_text(s, CURLOPT_SSLKEY, c->client_key_path);
    }
}

/* A proxy never sees what is meant for this machine: a request to loopback may travel in clear. */
static void set_route(struct setup *s, const struct http_client *c, const struct transfer *t)
{
    set_text(s, CURLOPT_PROTOCOLS_STR, "http,https");
    set_text(s, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    if (c->redirects_max > 0 && strcmp(t->url.scheme, "https") == 0) {
        set_long(s, CURLOPT_FOLLOWLOCATION, 1);
        set_long(s, CURLOPT_MAXREDIRS, (long)c->redirects_max);
    }
    if (c->unix_socket != NULL)
        set_text(s, CURLOPT_UNIX_SOCKET_PATH, c->unix_socket);
    if (c->ignore_proxy || c->unix_socket != NULL || http_host_is_loopback(t->url.host))
        set_text(s, CURLOPT_PROXY, "");
}

/* Nothing waits for ever, not even by mistake. */
long transfer_timeout_ms(const struct transfer *t)
{
    return t->request->timeout_ms != 0 ? (long)t->request->timeout_ms : HTTP_CLIENT_TIMEOUT_MS;
}

static void set_limits(struct setup *s, const struct transfer *t)
{
    size_t body_max = t->request->body_max;
    set_long(s, CURLOPT_NOSIGNAL, 1);
    set_long(s, CURLOPT_QUICK_EXIT, 1); /* a resolver that hangs holds up nobody */
    set_long(s, CURLOPT_TIMEOUT_MS, transfer_timeout_ms(t));
    set_long(s, CURLOPT_CONNECTTIMEOUT_MS, transfer_timeout_ms(t));
    if (s->rc == CURLE_OK && body_max > 0)
        s->rc = curl_easy_setopt(s->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)body_max);
    set_long(s, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
}

static void set_receivers(struct setup *s, struct transfer *t)
{
    if (s->rc == CURLE_OK)
        s->rc = curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, take_header);
    if (s->rc == CURLE_OK)
        s->rc = curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, take_body);
    set_data(s, CURLOPT_HEADERDATA, t);
    set_data(s, CURLOPT_WRITEDATA, t);
}

static bool prepare(struct http_client *c, struct transfer *t, struct curl_slist *headers,
                    struct error *err)
{
    curl_easy_reset(c->easy);
    c->curl_text[0] = '\0';
    struct setup s = {.easy = c->easy};
    set_data(&s, CURLOPT_ERRORBUFFER, c->curl_text);
    set_text(&s, CURLOPT_URL, t->request->url);
    set_text(&s, CURLOPT_USERAGENT, c->user_agent);
    set_data(&s, CURLOPT_HTTPHEADER, headers);
    set_method(&s, t->request);
    if (strcmp(t->url.scheme, "https") == 0)
        if (strcmp(t->url.scheme, "https") == 0) /* and redirects never lead to it from elsewhere */
            set_tls(&s, c);
    set_route(&s, c, t);
    set_limits(&s, t);
    set_receivers(&s, t);
    return s.rc == CURLE_OK || error_set(err, "http/memory", NULL, "cannot prepare the request: %s",
                                         curl_easy_strerror(s.rc));
}

static void free_headers(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

static bool has_header(const struct http_request *r, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < HTTP_CLIENT_HEADERS_MAX && r->headers[i] != NULL; i++)
        if (strncasecmp(r->headers[i], name, len) == 0 && r->headers[i][len] == ':')
            return true;
    return false;
}

static bool collect_headers(const struct http_request *r, struct curl_slist **list,
                            struct error *err)
{
    for (size_t i = 0; i < HTTP_CLIENT_HEADERS_MAX && r->headers[i] != NULL; i++) {
        if (strpbrk(r->headers[i], "\r\n") != NULL)
            return error_set(err, "http/protocol", NULL, "a request header holds a line break");
        if (!add_header(list, r->headers[i]))
            return out_of_memory(err);
    }
    /* Neither libcurl's guess of a content type nor its second of waiting for "100 Continue". */
    if (!has_header(r, "Content-Type") && !add_header(list, "Content-Type:"))
        return out_of_memory(err);
    return add_header(list, "Expect:") || out_of_memory(err);
}

/* ---- running ---- */

static bool is_canceled(const struct http_client *c)
{
    return c->cancel != NULL && atomic_load(c->cancel);
}

static CURLcode result_of(CURLM *multi)
{
    int left;
    const CURLMsg *message = curl_multi_info_read(multi, &left);
    return message != NULL && message->msg == CURLMSG_DONE ? message->data.result
                                                           : CURLE_FAILED_INIT;
}

static CURLcode run(struct http_client *c, struct transfer *t)
{
    if (curl_multi_add_handle(c->multi, c->easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    int running = 1;
    bool ok = true;
    while (ok && !t->canceled) {
        ok = curl_multi_perform(c->multi, &running) == CURLM_OK;
        if (running == 0)
            break;
        t->canceled = is_canceled(c);
        if (ok && !t->canceled)
            ok = curl_multi_poll(c->multi, NULL, 0, c->cancel != NULL ? HTTP_CLIENT_POLL_MS : 1000,
                                 NULL) == CURLM_OK;
    }
    CURLcode rc = ok && !t->canceled ? result_of(c->multi) : CURLE_FAILED_INIT;
    curl_multi_remove_handle(c->multi, c->easy);
    return rc;
}

/* ---- the call ---- */

static void name_peer(const struct http_client *c, struct transfer *t)
{
    bool v6 = strchr(t->url.host, ':') != NULL;
    if (c->unix_socket != NULL)
        snprintf(t->peer, sizeof t->peer, "unix:%s", c->unix_socket);
    else
        snprintf(t->peer, sizeof t->peer, v6 ? "[%s]:%u" : "%s:%u", t->url.host, t->url.port);
}

static void begin_response(struct http_response *response, size_t body_max)
{
    http_response_free(response);
    response->body = response->secret ? BUF_INIT_SECRET(body_max) : BUF_INIT(body_max);
    response->headers = BUF_INIT(HTTP_CLIENT_HEADER_TEXT_MAX);
}

bool http_client_call(struct http_client *client, const struct http_request *request,
                      struct http_response *response, struct error *err)
{
    struct transfer t = {.request = request, .response = response};
    struct curl_slist *headers __attribute__((cleanup(free_headers))) = NULL;
    if (!http_url_parse(request->url, &t.url, err) || !collect_headers(request, &headers, err))
        return false;
    name_peer(client, &t);
    begin_response(response, request->body_max);
    if (!prepare(client, &t, headers, err))
        return false;
    CURLcode rc = run(client, &t);
    if (rc != CURLE_OK || t.canceled) {
        transfer_fail(client, &t, rc, err);
        http_response_free(response);
        return false;
    }
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &response->status);
    return true;
}

void http_response_free(struct http_response *response)
{
    buf_free(&response->body);
    buf_free(&response->headers);
    *response = (struct http_response){.secret = response->secret};
}

/* ---- response headers ---- */

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_cut(s, 1, s.len);
    while (s.len > 0 && memchr(" \t\r\n", s.data[s.len - 1], 4) != NULL)
        s.len--;
    return s;
}

static struct slice next_line(struct slice *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != '\n')
        len++;
    struct slice line = slice_cut(*rest, 0, len);
    *rest = slice_cut(*rest, len + 1, rest->len);
    return line;
}

bool http_response_header(const struct http_response *response, const char *name, struct slice *out)
{
    struct slice rest = buf_slice(&response->headers);
    size_t len = strlen(name);
    while (rest.len > 0) {
        struct slice line = next_line(&rest);
        if (line.len > len && line.data[len] == ':' &&
            strncasecmp((const char *)line.data, name, len) == 0) {
            *out = trim(slice_cut(line, len + 1, line.len));
            return true;
        }
    }
    return false;
}

unsigned http_response_retry_after_s(const struct http_response *response)
{
    struct slice text;
    if (!http_response_header(response, "Retry-After", &text) || text.len == 0 || text.len > 9)
        return 0;
    unsigned seconds = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        seconds = seconds * 10 + (unsigned)(text.data[i] - '0');
    }
    return seconds < HTTP_RETRY_AFTER_MAX_S ? seconds : HTTP_RETRY_AFTER_MAX_S;
}
