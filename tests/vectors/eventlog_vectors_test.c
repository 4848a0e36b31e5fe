/* Real quotes and their event logs lead to the same registers; hostile logs are refused, good
 * synthetic ones accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "quote/eventlog.h"
#include "support/vectors.h"

static struct slice text_of(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

static void append_json(const json_t *value, struct buf *out)
{
    *out = BUF_INIT(EVENTLOG_TEXT_MAX);
    assert_true(json_write_compact(value, out, NULL));
}

/* log: the array itself, or the string that agents wrap it in. */
static void pair_matches(const char *name, struct slice quote_hex, struct slice log)
{
    BUF_AUTO struct buf bytes = BUF_INIT(QUOTE_LEN_MAX);
    struct quote q;
    struct eventlog replayed;
    struct error err;
    assert_true(hex_decode_append(quote_hex, &bytes));
    assert_true(quote_parse(buf_slice(&bytes), &q, NULL));
    if (!eventlog_read(log, &replayed, NULL, NULL, &err))
        fail_msg("%s: %s: %s", name, err.code, err.message);
    for (unsigned imr = 0; imr < 4; imr++) {
        if (!eventlog_matches(&replayed, &q.td, imr, &err))
            fail_msg("%s: %s", name, err.message);
        assert_true(replayed.count[imr] > 0);
    }
    assert_true(replayed.has_compose_hash);
    assert_true(replayed.has_app_id);
    /* One flipped bit in a register is seen. */
    for (unsigned imr = 0; imr < 4; imr++) {
        replayed.rtmr[imr][imr * 15] ^= 1;
        assert_false(eventlog_matches(&replayed, &q.td, imr, &err));
        assert_true(error_is(&err, "eventlog/mismatch"));
    }
}

static void agent_reply(const char *path)
{
    JSON_AUTO json_t *reply = vectors_read_json(path);
    const json_t *log = json_object_get(reply, "event_log");
    BUF_AUTO struct buf wrapped = {0};
    append_json(log, &wrapped);
    struct slice quote = text_of(json_object_get(reply, "quote"));
    pair_matches(path, quote, text_of(log));
    pair_matches(path, quote, buf_slice(&wrapped));
}

static void real_pairs(void **state)
{
    (void)state;
    agent_reply("dstack/dstack-verifier-quote-report/quote-report.json");
    agent_reply("dstack/dstack-tdx-lite/tdx-lite-getquote.json");
    agent_reply("dstack/dstack-examples/report.json");
    BUF_AUTO struct buf quote = {0}, log = {0};
    vectors_read("dstack/dstack-sim-v0.5.0/quote.hex", &quote);
    vectors_read("dstack/dstack-sim-v0.5.0/eventlog.json", &log);
    while (quote.len > 0 && quote.data[quote.len - 1] == '\n')
        quote.len--;
    pair_matches("dstack-sim-v0.5.0", buf_slice(&quote), buf_slice(&log));
}

/* Does the log of a synthetic case read and lead to its RTMR3? */
static bool case_holds(const char *path)
{
    JSON_AUTO json_t *one = vectors_read_json(path);
    BUF_AUTO struct buf log = {0};
    struct eventlog replayed;
    uint8_t rtmr3[EVENT_DIGEST_LEN];
    const struct td_report td = {.rtmr = {NULL, NULL, NULL, rtmr3}};
    append_json(json_object_get(one, "event_log"), &log);
    assert_true(hex_decode(text_of(json_object_get(one, "rtmr3")), rtmr3, sizeof rtmr3));
    return eventlog_read(buf_slice(&log), &replayed, NULL, NULL, NULL) &&
           eventlog_matches(&replayed, &td, 3, NULL);
}

static void hostile_logs(void **state)
{
    (void)state;
    static const char *const names[] = {
        "retyped-compose-hash",
        "payload-swapped",
        "colon-resplit",
        "reordered",
        "payload-swapped-stripped",
        "second-compose-hash-after-ready",
        "truncated",
        "v2-preimage-mismatch",
        "moved-to-imr2",
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "dstack/negative/%s.json", names[i]);
        if (!vectors_have(path))
            continue;
        if (case_holds(path))
            fail_msg("%s is accepted", path);
        count++;
    }
    assert_true(count > 0);
}

static void good_logs(void **state)
{
    (void)state;
    static const char *const names[] = {"mixed-v1-v2-good", "v1-with-profile-good", "stripped-good",
                                        "v2-good"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "dstack/synthetic/%s.json", names[i]);
        if (!vectors_have(path))
            continue;
        if (!case_holds(path))
            fail_msg("%s is refused", path);
        count++;
    }
    assert_true(count > 0);
}

int main(void)
{
    vectors_require("dstack");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_pairs),
        cmocka_unit_test(hostile_logs),
        cmocka_unit_test(good_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
