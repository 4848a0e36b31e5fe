/* Sending answers, honest or not. */
#include "sim/answer.h"

#include <stdlib.h>
#include <string.h>

#include "sim/limits.h"

struct sim_answer sim_answer_new(size_t body_max)
{
    return (struct sim_answer){.status = 500,
                               .content_type = "application/json",
                               .body = BUF_INIT(body_max),
                               .header_value = BUF_INIT(4 * SIM_CHAIN_MAX)};
}

static void answer_free(struct sim_answer *a)
{
    buf_free(&a->body);
    buf_free(&a->header_value);
}

void sim_answer_error(struct sim_answer *a, unsigned status, const char *text)
{
    a->status = status;
    a->content_type = "application/json";
    a->header_name = NULL;
    buf_reset(&a->body);
    buf_append_str(&a->body, "{\n  \"error\": \"");
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            buf_append_byte(&a->body, '\\');
        buf_append_byte(&a->body, (uint8_t)*at);
    }
    buf_append_str(&a->body, "\"\n}");
}

static void add_header(struct sim_answer *a, struct http_exchange *x)
{
    if (a->header_name != NULL && buf_cstr(&a->header_value) != NULL)
        http_exchange_add_header(x, a->header_name, buf_cstr(&a->header_value));
}

static void reply(struct sim_answer *a, struct http_exchange *x)
{
    if (a->body.failed)
        sim_answer_error(a, 500, "the answer does not fit");
    add_header(a, x);
    http_exchange_reply(x, a->status, a->content_type, buf_slice(&a->body));
}

/* --- late and never --- */

struct held {
    struct sim_answer answer;
    struct http_exchange *x;
};

static void release(void *ctx)
{
    struct held *held = ctx;
    reply(&held->answer, held->x);
    answer_free(&held->answer);
    free(held);
}

static void hold(struct sim_answer *a, struct http_exchange *x, int64_t delay_ms,
                 struct sim_later *later)
{
    struct held *held = calloc(1, sizeof *held);
    if (held == NULL) {
        reply(a, x);
        answer_free(a);
        return;
    }
    *held = (struct held){.answer = *a, .x = x};
    http_exchange_defer(x);
    sim_later_add(later, delay_ms, release, held);
}

/* --- half and too much --- */

struct body_stream {
    struct buf body;
    size_t stop_at; /* abort the connection here */
};

static ssize_t read_half(void *ctx, uint64_t offset, uint8_t *out, size_t max)
{
    const struct body_stream *stream = ctx;
    if (offset >= stream->stop_at)
        return -1;
    struct slice part =
        slice_cut(buf_slice(&stream->body), (size_t)offset, stream->stop_at - (size_t)offset);
    part = slice_cut(part, 0, max);
    memcpy(out, part.data, part.len);
    return (ssize_t)part.len;
}

static void free_stream(void *ctx)
{
    struct body_stream *stream = ctx;
    buf_free(&stream->body);
    free(stream);
}

/* White space is legal JSON until the very end. */
static ssize_t read_spaces(void *ctx, uint64_t offset, uint8_t *out, size_t max)
{
    (void)ctx;
    (void)offset;
    memset(out, ' ', max);
    return (ssize_t)max;
}

static void reply_truncated(struct sim_answer *a, struct http_exchange *x)
{
    struct body_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        reply(a, x);
        return;
    }
    stream->body = a->body;
    stream->stop_at = a->body.len / 2;
    a->body = BUF_INIT(0);
    add_header(a, x);
    http_exchange_reply_stream(x, a->status, a->content_type, stream->body.len, read_half,
                               free_stream, stream);
}

static void reply_malformed(struct sim_answer *a, struct http_exchange *x)
{
    add_header(a, x);
    http_exchange_reply(x, 200, a->content_type, slice_str("{\"quote\":\"zz\",\"tcbInfo\":{"));
}

static void reply_status(struct sim_answer *a, struct http_exchange *x, unsigned status)
{
    sim_answer_error(a, status, "simulated failure");
    if (status == 429 || status == 503)
        http_exchange_add_header(x, "Retry-After", "1");
    http_exchange_reply(x, status, a->content_type, buf_slice(&a->body));
}

void sim_answer_send(struct sim_answer *a, struct http_exchange *x, struct sim_fault fault,
                     struct sim_later *later)
{
    switch (fault.kind) {
    case SIM_FAULT_SLOW:
        hold(a, x, fault.number, later);
        return; /* the holder owns *a now */
    case SIM_FAULT_SILENT:
        hold(a, x, SIM_LATER_AT_END, later);
        return;
    case SIM_FAULT_TRUNCATED:
        reply_truncated(a, x);
        break;
    case SIM_FAULT_OVERSIZED:
        add_header(a, x);
        http_exchange_reply_stream(x, 200, a->content_type, SIM_OVERSIZED_REPLY, read_spaces, NULL,
                                   NULL);
        break;
    case SIM_FAULT_MALFORMED:
        reply_malformed(a, x);
        break;
    case SIM_FAULT_STATUS:
        reply_status(a, x, fault.number);
        break;
    case SIM_FAULT_NONE:
        reply(a, x);
        break;
    }
    answer_free(a);
}
