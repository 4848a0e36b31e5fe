/* Replies of the dstack agent, and the few texts of HTTP that are taken apart by this project
 * itself. The first byte chooses which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/client.h"
#include "http/server_internal.h"
#include "platform/dstack_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_key(struct slice body)
{
    struct secret key SECRET_AUTO = {0};
    struct error err = {0};
    if (dstack_read_key(body, &key, &err) ? key.len != 32 : key.data != NULL)
        abort();
}

static void read_quote(struct slice body)
{
    struct dstack_quote q DSTACK_QUOTE_AUTO = {
        .quote = BUF_INIT(4096), .event_log = BUF_INIT(4096), .vm_config = BUF_INIT(4096)};
    struct error err = {0};
    if (!dstack_read_quote(body, &q, &err) && !error_is(&err, "platform/agent"))
        abort();
}

static void read_others(struct slice body)
{
    char version[DSTACK_VERSION_MAX];
    struct error err = {0};
    bool any = dstack_read_any("EmitEvent", body, &err);
    bool object = dstack_read_object("Info", body, &err);
    if ((object && !any) || (dstack_read_version(body, version, &err) && !object))
        abort();
}

/* What is accepted is accepted again in the form it was understood in. */
static void read_url(const char *text)
{
    struct http_url u;
    struct http_url again;
    struct error err = {0};
    char written[2048];
    if (!http_url_parse(text, &u, &err))
        return;
    bool v6 = strchr(u.host, ':') != NULL;
    snprintf(written, sizeof written, v6 ? "%s://[%s]:%u%s" : "%s://%s:%u%s", u.scheme, u.host,
             u.port, u.path);
    if (!http_url_parse(written, &again, &err) || strcmp(again.host, u.host) != 0 ||
        again.port != u.port)
        abort();
}

static void read_headers(struct slice text)
{
    struct http_response r HTTP_RESPONSE_AUTO = {.headers = BUF_INIT(65536)};
    struct slice value;
    if (!buf_append(&r.headers, text))
        return;
    if (http_response_retry_after_s(&r) > HTTP_RETRY_AFTER_MAX_S)
        abort();
    if (http_response_header(&r, "a", &value) && value.len > text.len)
        abort();
}

static void decode(char *text)
{
    size_t len = strlen(text);
    if (percent_decode(text, len % 2 == 0) && strlen(text) > len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 8192)
        return 0;
    struct slice body = slice_of(&data[1], size - 1);
    char text[8193];
    if (body.len > 0)
        memcpy(text, body.data, body.len);
    text[body.len] = '\0';
    switch (data[0] % 6) {
    case 0:
        read_key(body);
        break;
    case 1:
        read_quote(body);
        break;
    case 2:
        read_others(body);
        break;
    case 3:
        read_url(text);
        break;
    case 4:
        read_headers(body);
        break;
    default:
        decode(text);
    }
    return 0;
}
