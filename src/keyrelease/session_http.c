/* Talking to the KMS: one connection, one deadline per exchange, transient failures again inside
 * the budget, refusals never. Texts: compatibility facts A.5, K.6. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "keyrelease/session.h"

enum { HTTP_TOO_MANY = 429, SLEEP_SLICE_MS = 50, RETRY_AFTER_MAX_S = 3600 };

static const char *status_phrase(long status)
{
    static const struct {
        long status;
        const char *phrase;
    } phrases[] = {
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Payload Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Entity"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "<unknown status code>";
}

bool keyrelease_session_fail(struct session *s, enum keyrelease_stage stage, const char *probe_code,
                             bool transient)
{
    struct keyrelease_failure *f = s->failure;
    f->stage = stage;
    f->probe_code = probe_code;
    f->transient = transient;
    if (f->details[0] == '\0')
        snprintf(f->details, sizeof(f->details), "%s", s->err->message);
    return false;
}

void keyrelease_session_event(struct session *s, struct keyrelease_event event)
{
    int64_t now_us = clock_monotonic_us();
    event.took_us = now_us - s->step_started_us;
    s->step_started_us = now_us;
    if (s->options->on_event != NULL)
        s->options->on_event(&event, s->options->ctx);
}

static bool canceled(const struct session *s)
{
    return s->options->cancel != NULL && atomic_load(s->options->cancel);
}

static int64_t budget_left_ms(const struct session *s)
{
    int64_t budget = s->options->budget_ms > 0 ? s->options->budget_ms : KEYRELEASE_BUDGET_MS;
    return budget - (clock_monotonic_ms() - s->started_ms);
}

/* Waits in slices, so that a stop is noticed; false when it was. */
static bool wait_ms(const struct session *s, int64_t delay_ms)
{
    int64_t until = clock_monotonic_ms() + delay_ms;
    for (int64_t left = delay_ms; left > 0; left = until - clock_monotonic_ms()) {
        if (canceled(s))
            return false;
        int64_t slice = left < SLEEP_SLICE_MS ? left : SLEEP_SLICE_MS;
        const struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)slice * 1000000L};
        nanosleep(&pause, NULL);
    }
    return !canceled(s);
}

static int64_t backoff_ms(unsigned retry)
{
    int64_t delay = KEYRELEASE_BACKOFF_MS;
    for (unsigned i = 0; i < retry && delay < KEYRELEASE_BACKOFF_MAX_MS; i++)
        delay *= 2;
    return delay < KEYRELEASE_BACKOFF_MAX_MS ? delay : KEYRELEASE_BACKOFF_MAX_MS;
}

/* ---- answers that are no 2xx ---- */

static void show_raw(struct buf *out, struct slice body)
{
    for (size_t i = 0; i < body.len && out->len < out->max; i++) {
        uint8_t c = body.data[i];
        buf_append_byte(out, c < 0x20 || c == 0x7f ? ' ' : c);
    }
}

/* What the KMS said: tag and details of its envelope, else the raw text. */
static void describe_refusal(struct session *s, const struct session_stage *stage,
                             const struct http_response *response)
{
    struct keyrelease_failure *f = s->failure;
    struct buf details BUF_AUTO = BUF_INIT(sizeof(f->details) / 2);
    struct slice body = buf_slice(&response->body);
    char lead[160];
    snprintf(lead, sizeof(lead), "KMS %s request failed (%ld %s)", stage->title, response->status,
             status_phrase(response->status));
    f->http_status = response->status;
    f->kms_error[0] = '\0';
    f->has_kms_error = error_reply_read(body, f->kms_error, sizeof(f->kms_error), &details);
    if (!f->has_kms_error)
        show_raw(&details, body);
    const char *text = buf_cstr(&details);
    const char *separator = f->has_kms_error && details.len > 0 ? " - " : "";
    error_set(s->err, "keyrelease/refused", stage->path, "%s: %s%s%s", lead, f->kms_error,
              separator, text != NULL ? text : "");
    /* error_set made the text safe to show; a longer one than it holds is cut. */
    snprintf(f->details, sizeof(f->details), "%s", s->err->message);
    for (size_t i = 0; f->kms_error[i] != '\0'; i++)
        if (f->kms_error[i] < 0x20 || f->kms_error[i] == 0x7f)
            f->kms_error[i] = '?';
}

/* A tag that means "not under this policy", at whatever stage (A.5). */
static bool is_policy_tag(const char *tag)
{
    char lower[KEYRELEASE_ERROR_TAG_MAX];
    size_t len = 0;
    for (size_t i = 0; tag[i] != '\0' && len + 1 < sizeof(lower); i++) {
        char c = tag[i];
        if (c == ' ' || c == '\t')
            continue;
        lower[len++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    lower[len] = '\0';
    return strcmp(lower, "measurement_policy_rejected") == 0 ||
           strcmp(lower, "profile_policy_rejected") == 0;
}

static bool refused(struct session *s, const struct session_stage *stage)
{
    long status = s->failure->http_status;
    bool later = status == HTTP_TOO_MANY || status >= 500;
    bool by_policy = s->failure->has_kms_error && is_policy_tag(s->failure->kms_error);
    return keyrelease_session_fail(
        s, stage->stage, by_policy ? "KMS_PROFILE_POLICY_REJECTED" : stage->rejected_code, later);
}

/* Worth another try now: a full queue, or something in front of the KMS that could not reach it. A
 * KMS that says itself that it has no policy yet will not have one in a second. */
static bool answer_is_transient(const struct keyrelease_failure *f)
{
    if (f->http_status == 503)
        return !f->has_kms_error || strcmp(f->kms_error, "policy_not_ready") != 0;
    return f->http_status == HTTP_TOO_MANY || f->http_status == 408 || f->http_status == 502 ||
           f->http_status == 504;
}

/* ---- no answer at all ---- */

static bool no_answer(struct session *s, const struct session_stage *stage, bool *again)
{
    struct error *err = s->err;
    const char *code = "keyrelease/response";
    const char *probe = stage->failed_code;
    *again = error_is(err, "http/connect") || error_is(err, "http/timeout");
    if (*again)
        code = "keyrelease/unreachable";
    else if (error_is(err, "http/tls"))
        code = "keyrelease/transport";
    else if (error_is(err, "http/canceled"))
        code = "keyrelease/canceled";
    else if (error_is(err, "http/too-large"))
        probe = stage->oversized_code;
    err->code = code;
    error_prefix(err, "KMS %s request failed", stage->title);
    s->failure->http_status = 0;
    s->failure->has_kms_error = false;
    s->failure->details[0] = '\0';
    return keyrelease_session_fail(s, stage->stage, probe, *again);
}

static bool post_once(struct session *s, const struct session_stage *stage, const char *url,
                      struct slice body, struct http_response *response, bool *again,
                      int64_t *delay_ms)
{
    const struct http_request request = {
        .method = "POST",
        .url = url,
        .headers = {"Content-Type: application/json", "Accept: application/json"},
        .body = body,
        .timeout_ms = KEYRELEASE_REQUEST_MS,
        .body_max = KEYRELEASE_REPLY_MAX,
    };
    bool secret = response->secret;
    http_response_free(response);
    *response = (struct http_response){.secret = secret};
    if (!http_client_call(s->http, &request, response, s->err))
        return no_answer(s, stage, again);
    if (response->status >= 200 && response->status < 300)
        return true;
    describe_refusal(s, stage, response);
    *again = answer_is_transient(s->failure);
    unsigned after_s = http_response_retry_after_s(response);
    if (*again && after_s > 0 && after_s < RETRY_AFTER_MAX_S)
        *delay_ms = (int64_t)after_s * 1000;
    return refused(s, stage);
}

bool keyrelease_session_post(struct session *s, const struct session_stage *stage,
                             struct slice body, struct http_response *response)
{
    struct buf url BUF_AUTO = BUF_INIT(4096);
    if (!http_url_join(s->options->url, stage->path, &url, s->err) || buf_cstr(&url) == NULL)
        return keyrelease_session_fail(s, KEYRELEASE_TRANSPORT, "KMS_ENDPOINT_URL_INVALID", false);
    for (unsigned retry = 0;; retry++) {
        bool again = false;
        int64_t delay_ms = backoff_ms(retry);
        if (post_once(s, stage, buf_cstr(&url), body, response, &again, &delay_ms)) {
            *s->failure = (struct keyrelease_failure){0};
            return true;
        }
        if (!again || delay_ms > budget_left_ms(s))
            return false;
        if (!wait_ms(s, delay_ms)) {
            s->failure->details[0] = '\0';
            error_set(s->err, "keyrelease/canceled", NULL, "stopped while waiting for the KMS");
            return keyrelease_session_fail(s, stage->stage, stage->failed_code, false);
        }
    }
}
