/* The dstack guest agent, platform facts 1.2 to 1.4. A reply counts when its status is 200, its
 * body parses and the field that was asked for is there; anything else is an error with a little of
 * the agent's own text. */
#include "platform/dstack.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "http/client.h"
#include "platform/dstack_reply.h"
#include "platform/limits.h"
#include "platform/quote_check.h"
#include "quote/eventlog.h"

struct dstack {
    char socket_path[PATH_TEXT_MAX]; /* or "http://host:port" */
    unsigned timeout_ms;
    const atomic_bool *cancel;
    pthread_mutex_t lock;
    struct http_client *idle[DSTACK_CLIENTS_MAX]; /* under lock */
    size_t idle_count;
    pthread_mutex_t emit_lock;
};

/* ---- opening ---- */

static bool find_socket(const char *root, char out[PATH_TEXT_MAX], struct error *err)
{
    static const char *const names[] = {"/var/run/dstack.sock", "/run/dstack.sock",
                                        "/var/run/dstack/dstack.sock", "/run/dstack/dstack.sock"};
    static const char *const old_names[] = {"/var/run/tappd.sock", "/run/tappd.sock"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(out, PATH_TEXT_MAX, "%s%s", root, names[i]);
        if (file_exists(out))
            return true;
    }
    for (size_t i = 0; i < sizeof old_names / sizeof old_names[0]; i++) {
        snprintf(out, PATH_TEXT_MAX, "%s%s", root, old_names[i]);
        if (file_exists(out))
            return error_set(err, "platform/agent", NULL,
                             "only %s is there: this dstack agent is older than 0.4.2 and cannot "
                             "derive keys",
                             out);
    }
    return error_set(err, "platform/agent", NULL,
                     "no dstack agent: none of /var/run/dstack.sock, /run/dstack.sock, "
                     "/var/run/dstack/dstack.sock, /run/dstack/dstack.sock exists");
}

static bool is_url(const char *socket_path)
{
#ifdef MERO_DEV
    return strncmp(socket_path, "http://", 7) == 0;
#else
    (void)socket_path;
    return false;
#endif
}

static bool choose_socket(const struct dstack_options *o, char out[PATH_TEXT_MAX],
                          struct error *err)
{
    if (o->socket_path == NULL)
        return find_socket(o->search_root != NULL ? o->search_root : "", out, err);
    int len = snprintf(out, PATH_TEXT_MAX, "%s", o->socket_path);
    if (len <= 0 || len >= PATH_TEXT_MAX)
        return error_set(err, "platform/agent", NULL, "the path of the dstack socket is %s",
                         len == 0 ? "empty" : "too long");
    return true;
}

bool dstack_open(const struct dstack_options *options, struct dstack **out, struct error *err)
{
    static const struct dstack_options none;
    const struct dstack_options *o = options != NULL ? options : &none;
    struct dstack *d = calloc(1, sizeof *d);
    if (d == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->emit_lock, NULL);
    d->timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : DSTACK_TIMEOUT_MS;
    d->cancel = o->cancel;
    if (!choose_socket(o, d->socket_path, err)) {
        dstack_close(&d);
        return false;
    }
    *out = d;
    return true;
}

void dstack_close(struct dstack **dstack)
{
    struct dstack *d = *dstack;
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->idle_count; i++)
        http_client_close(&d->idle[i]);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->emit_lock);
    free(d);
    *dstack = NULL;
}

const char *dstack_socket_path(const struct dstack *d)
{
    return d->socket_path;
}

/* ---- one call ---- */

static bool take_client(struct dstack *d, struct http_client **out, struct error *err)
{
    pthread_mutex_lock(&d->lock);
    struct http_client *kept = d->idle_count > 0 ? d->idle[--d->idle_count] : NULL;
    pthread_mutex_unlock(&d->lock);
    if (kept != NULL) {
        *out = kept;
        return true;
    }
    const struct http_client_options o = {.unix_socket =
                                              is_url(d->socket_path) ? NULL : d->socket_path,
                                          .ignore_proxy = true,
                                          .cancel = d->cancel};
    return http_client_open(&o, out, err);
}

static void give_back(struct dstack *d, struct http_client **client)
{
    pthread_mutex_lock(&d->lock);
    if (d->idle_count < DSTACK_CLIENTS_MAX) {
        d->idle[d->idle_count++] = *client;
        *client = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    http_client_close(client);
}

/* The agent's words: the member "error" of its JSON, or the beginning of whatever it sent. */
static void error_text(struct slice body, char out[DSTACK_ERROR_TEXT_MAX + 1])
{
    json_t *reply JSON_AUTO = NULL;
    struct slice text = body;
    if (json_parse(body, DSTACK_ERROR_REPLY_MAX, 0, &reply, NULL))
        (void)(json_opt_str(reply, "error", &text, NULL) && text.len > 0);
    snprintf(out, DSTACK_ERROR_TEXT_MAX + 1, "%.*s",
             (int)(text.len < DSTACK_ERROR_TEXT_MAX ? text.len : DSTACK_ERROR_TEXT_MAX),
             text.len > 0 ? (const char *)text.data : "");
}

static bool refuse_status(const struct dstack *d, const char *method,
                          const struct http_response *reply, struct error *err)
{
    char text[DSTACK_ERROR_TEXT_MAX + 1] = "";
    /* What is not an error reply may hold what was asked for: a key. */
    if (reply->status >= 400)
        error_text(buf_slice(&reply->body), text);
    if (strstr(text, "Service not found") != NULL)
        return error_set(err, "platform/agent-method", method,
                         "the dstack agent at %s does not know %s (%s)", d->socket_path, method,
                         text);
    return error_set(err, "platform/agent", method,
                     "the dstack agent at %s answered %s with status %ld: %s", d->socket_path,
                     method, reply->status, text[0] != '\0' ? text : "(nothing)");
}

static bool fail_http(const char *method, const struct error *why, struct error *err)
{
    const char *code = "platform/agent";
    if (error_is(why, "http/timeout"))
        code = "platform/timeout";
    else if (error_is(why, "http/canceled"))
        code = "platform/canceled";
    return error_set(err, code, method, "dstack agent, %s: %s", method, why->message);
}

static bool send_request(struct dstack *d, struct http_client *client, const char *method,
                         struct slice body, size_t reply_max, struct http_response *reply,
                         struct error *err)
{
    struct buf url BUF_AUTO = BUF_INIT(PATH_TEXT_MAX);
    buf_printf(&url, "%s/%s", is_url(d->socket_path) ? d->socket_path : "http://localhost", method);
    const struct http_request request = {.method = "POST",
                                         .url = buf_cstr(&url),
                                         .headers = {"Content-Type: application/json"},
                                         .body = body,
                                         .timeout_ms = d->timeout_ms,
                                         .body_max = reply_max};
    struct error why = {0};
    if (request.url == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!http_client_call(client, &request, reply, &why))
        return fail_http(method, &why, err);
    return reply->status == 200 || refuse_status(d, method, reply, err);
}

static bool call(struct dstack *d, const char *method, struct buf *body, size_t reply_max,
                 struct http_response *reply, struct error *err)
{
    if (body->failed)
        return error_set(err, "memory", NULL, "out of memory");
    struct http_client *client = NULL;
    if (!take_client(d, &client, err))
        return false;
    bool ok = send_request(d, client, method, buf_slice(body), reply_max, reply, err);
    give_back(d, &client);
    return ok;
}

/* ---- methods ---- */

bool dstack_get_key(struct dstack *d, const char *path, struct secret *out, struct error *err)
{
    struct buf body BUF_AUTO = BUF_INIT(DSTACK_ERROR_REPLY_MAX);
    struct http_response reply HTTP_RESPONSE_AUTO = {.secret = true};
    buf_append_str(&body, "{\"path\":");
    json_append_string(&body, slice_str(path));
    buf_append_str(&body, ",\"purpose\":\"\",\"algorithm\":\"secp256k1\"}");
    return call(d, "GetKey", &body, DSTACK_KEY_REPLY_MAX, &reply, err) &&
           dstack_read_key(buf_slice(&reply.body), out, err);
}

void dstack_quote_free(struct dstack_quote *q)
{
    buf_free(&q->quote);
    buf_free(&q->event_log);
    buf_free(&q->vm_config);
}

bool dstack_get_quote(struct dstack *d, const uint8_t report_data[64], struct dstack_quote *out,
                      struct error *err)
{
    struct buf body BUF_AUTO = BUF_INIT(512);
    struct http_response reply HTTP_RESPONSE_AUTO = {0};
    struct dstack_quote q DSTACK_QUOTE_AUTO = {.quote = BUF_INIT(QUOTE_SOURCE_LEN_MAX),
                                               .event_log = BUF_INIT(EVENTLOG_TEXT_MAX),
                                               .vm_config = BUF_INIT(EVENTLOG_TEXT_MAX)};
    buf_append_str(&body, "{\"report_data\":\"");
    hex_append(&body, slice_of(report_data, REPORT_DATA_LEN));
    buf_append_str(&body, "\"}");
    if (!call(d, "GetQuote", &body, DSTACK_REPLY_MAX, &reply, err) ||
        !dstack_read_quote(buf_slice(&reply.body), &q, err) ||
        !quote_check(buf_slice(&q.quote), report_data, err))
        return false;
    *out = q;
    q = (struct dstack_quote){0};
    return true;
}

bool dstack_emit_event(struct dstack *d, const char *event, struct slice payload, struct error *err)
{
    struct buf body BUF_AUTO = BUF_INIT(DSTACK_REPLY_MAX);
    struct http_response reply HTTP_RESPONSE_AUTO = {0};
    buf_append_str(&body, "{\"event\":");
    json_append_string(&body, slice_str(event));
    buf_append_str(&body, ",\"payload\":\"");
    hex_append(&body, payload);
    buf_append_str(&body, "\"}");
    pthread_mutex_lock(&d->emit_lock);
    bool ok = call(d, "EmitEvent", &body, DSTACK_ERROR_REPLY_MAX, &reply, err);
    pthread_mutex_unlock(&d->emit_lock);
    return ok && dstack_read_any("EmitEvent", buf_slice(&reply.body), err);
}

static bool ask_empty(struct dstack *d, const char *method, struct http_response *reply,
                      struct error *err)
{
    struct buf body BUF_AUTO = BUF_INIT(16);
    buf_append_str(&body, "{}");
    return call(d, method, &body, DSTACK_REPLY_MAX, reply, err);
}

bool dstack_info(struct dstack *d, struct buf *json, struct error *err)
{
    struct http_response reply HTTP_RESPONSE_AUTO = {0};
    if (!ask_empty(d, "Info", &reply, err) ||
        !dstack_read_object("Info", buf_slice(&reply.body), err))
        return false;
    return buf_append(json, buf_slice(&reply.body)) ||
           error_set(err, "platform/agent", "Info", "the agent's Info is larger than %zu bytes",
                     json->max);
}

bool dstack_version(struct dstack *d, char out[DSTACK_VERSION_MAX], struct error *err)
{
    struct http_response reply HTTP_RESPONSE_AUTO = {0};
    return ask_empty(d, "Version", &reply, err) &&
           dstack_read_version(buf_slice(&reply.body), out, err);
}
