/* What a handler sees of a request. The texts are copies: an exchange may be read by whoever
 * deferred it after its connection has gone. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/server_internal.h"

static enum MHD_Result measure(void *ctx, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
    (void)kind;
    size_t *total = ctx;
    *total += strlen(name) + 1 + (value != NULL ? strlen(value) : 0) + 1;
    return MHD_YES;
}

struct filling {
    struct pairs *pairs;
    char *text;
    size_t used;
};

static const char *keep_text(struct filling *f, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    char *at = &f->text[f->used];
    if (len > 0)
        memcpy(at, text, len);
    at[len] = '\0';
    f->used += len + 1;
    return at;
}

static enum MHD_Result keep_pair(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    (void)kind;
    struct filling *f = ctx;
    struct pair *p = &f->pairs->items[f->pairs->count++];
    p->name = keep_text(f, name);
    p->value = keep_text(f, value);
    return MHD_YES;
}

bool exchange_keep_headers(struct http_exchange *x)
{
    size_t bytes = 0;
    int count = MHD_get_connection_values(x->connection, MHD_HEADER_KIND, measure, &bytes);
    if (count <= 0)
        return true;
    size_t table = (size_t)count * sizeof(struct pair);
    struct pair *items = malloc(table + bytes);
    if (items == NULL)
        return false;
    x->headers = (struct pairs){.items = items};
    struct filling f = {.pairs = &x->headers, .text = (char *)&items[count]};
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, keep_pair, &f);
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool percent_decode(char *text, bool plus_is_space)
{
    size_t out = 0;
    for (size_t in = 0; text[in] != '\0'; in++) {
        char c = text[in];
        if (c == '%') {
            int high = hex_digit(text[in + 1]);
            int low = high >= 0 ? hex_digit(text[in + 2]) : -1;
            if (low < 0 || high * 16 + low == 0)
                return false;
            c = (char)(high * 16 + low);
            in += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        text[out++] = c;
    }
    text[out] = '\0';
    return true;
}

const char *http_exchange_method(const struct http_exchange *x)
{
    return x->method;
}

const char *http_exchange_path(const struct http_exchange *x)
{
    return x->path;
}

const char *http_exchange_tail(const struct http_exchange *x)
{
    return x->tail != NULL ? x->tail : "";
}

const char *http_exchange_query(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->query_count; i++)
        if (strcmp(x->query_pairs[i].name, name) == 0)
            return x->query_pairs[i].value;
    return NULL;
}

const char *http_exchange_header(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->headers.count; i++)
        if (strcasecmp(x->headers.items[i].name, name) == 0)
            return x->headers.items[i].value;
    return NULL;
}

const char *http_exchange_last_header(const struct http_exchange *x, const char *name)
{
    for (size_t i = x->headers.count; i > 0; i--)
        if (strcasecmp(x->headers.items[i - 1].name, name) == 0)
            return x->headers.items[i - 1].value;
    return NULL;
}

struct slice http_exchange_body(const struct http_exchange *x)
{
    return buf_slice(&x->body);
}

const char *http_exchange_peer(const struct http_exchange *x)
{
    return x->peer;
}

void http_exchange_set_state(struct http_exchange *x, void *state)
{
    x->state = state;
}

void *http_exchange_state(const struct http_exchange *x)
{
    return x->state;
}
