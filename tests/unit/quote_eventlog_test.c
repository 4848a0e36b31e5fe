/* Event logs: formulas, replay, every rule with a log that breaks it, and the ceilings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/hash.h"
#include "quote/eventlog.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ZERO32   "0000000000000000000000000000000000000000000000000000000000000000"
#define HASH32   "1111111111111111111111111111111111111111111111111111111111111111"
#define HASH16   "11111111111111111111111111111111"
#define DIGEST96 HASH16 HASH16 HASH16
#define APP20    "2222222222222222222222222222222222222222"

/* One runtime event without a digest. */
#define EVENT(name, payload)                                                                       \
    "{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"" name                        \
    "\",\"event_payload\":\"" payload "\"}"
#define FIRMWARE(imr, digest)                                                                      \
    "{\"imr\":" imr ",\"event_type\":2147483659,\"digest\":\"" digest                              \
    "\",\"event\":\"\",\"event_payload\":\"\"}"

static void digest_is(const uint8_t digest[EVENT_DIGEST_LEN], const char *hex)
{
    char text[2 * EVENT_DIGEST_LEN + 1];
    hex_encode(slice_of(digest, EVENT_DIGEST_LEN), text);
    text[strlen(hex)] = 0;
    assert_string_equal(text, hex);
}

/* Known digests, made by the agent's own implementation. */
static void known_digests(void **state)
{
    (void)state;
    static const struct {
        const char *name, *payload, *hex;
    } known[] = {
        {"system-preparing", "", "f9974020ef507068"},
        {"boot-mr-done", "", "98bd7e6bd3952720"},
        {"system-ready", "", "1a76b2a80a0be71e"},
        {"storage-fs", "zfs", "ba51104636900268"},
        {"calimero.kms.profile", "calimero.kms.profile=debug",
         "ed2884f0860d4aee44b6e088b5d9cc4569ae8e10bd3ba443556fad0b19cfd30e"
         "4bf9f4ee6f4c7a7374aaecab652fa60e"},
    };
    uint8_t digest[EVENT_DIGEST_LEN];
    for (size_t i = 0; i < COUNT(known); i++) {
        event_digest_v1(slice_str(known[i].name), slice_str(known[i].payload), digest);
        digest_is(digest, known[i].hex);
    }
    BUF_AUTO struct buf preimage = BUF_INIT(1024);
    assert_true(event_preimage_v2(slice_str("calimero.kms.profile"),
                                  slice_str("calimero.kms.profile=debug"), &preimage));
    sha384(buf_slice(&preimage), digest);
    digest_is(digest, "9bae65fa4489bca345ab68ac3988efa5a405a68dea70de2779cb5e73146e03d4"
                      "d1b398d7b6afb40bcfff26724a545838");
}

static void canonical_preimage(void **state)
{
    (void)state;
    BUF_AUTO struct buf preimage = BUF_INIT(1024);
    assert_true(event_preimage_v2(slice_str("a\"b\\c\n\x01\x7f\xc3\xa9/"), slice_of("\xab\x01", 2),
                                  &preimage));
    assert_string_equal(buf_cstr(&preimage),
                        "{\"name\":\"a\\\"b\\\\c\\n\\u0001\x7f\xc3\xa9/\",\"payload\":\"ab01\","
                        "\"type\":134217729}");
}

static bool reads(const char *json, struct eventlog *log, struct error *err)
{
    return eventlog_read(slice_str(json), log, NULL, NULL, err);
}

static void expect(const char *json, const char *code, const char *field)
{
    struct eventlog log = {.count = {99}};
    struct error err = {0};
    if (reads(json, &log, &err))
        fail_msg("accepted: %s", json);
    if (!error_is(&err, code) || strcmp(err.field, field) != 0)
        fail_msg("%s at \"%s\" (%s), not %s at \"%s\": %s", err.code, err.field, err.message, code,
                 field, json);
    assert_int_equal(log.count[0], 99);
}

static void a_good_log(void **state)
{
    (void)state;
    static const char *const entries[] = {
        FIRMWARE("0", DIGEST96),        FIRMWARE("2", DIGEST96),   FIRMWARE("2", DIGEST96),
        EVENT("system-preparing", ""),  EVENT("app-id", APP20),    EVENT("compose-hash", HASH32),
        EVENT("os-image-hash", ZERO32), EVENT("system-ready", ""), EVENT("my-app", "00ff"),
    };
    BUF_AUTO struct buf text = BUF_INIT(8192);
    for (size_t i = 0; i < COUNT(entries); i++)
        buf_printf(&text, "%c%s", i == 0 ? '[' : ',', entries[i]);
    buf_append_byte(&text, ']');
    const char *json = buf_cstr(&text);
    struct eventlog log;
    struct error err;
    if (!reads(json, &log, &err))
        fail_msg("%s %s", err.code, err.message);
    assert_int_equal(log.count[0], 1);
    assert_int_equal(log.count[1], 0);
    assert_int_equal(log.count[2], 2);
    assert_int_equal(log.count[3], 6);
    assert_true(log.has_compose_hash && log.has_app_id && log.has_os_image_hash);
    uint8_t wanted[32];
    memset(wanted, 0x11, sizeof wanted);
    assert_memory_equal(log.compose_hash, wanted, 32);
    memset(wanted, 0x22, sizeof wanted);
    assert_memory_equal(log.app_id, wanted, APP_ID_LEN);

    uint8_t rtmr[EVENT_DIGEST_LEN] = {0}, digest[EVENT_DIGEST_LEN];
    memset(digest, 0x11, sizeof digest);
    assert_memory_equal(log.rtmr[1], rtmr, sizeof rtmr);
    rtmr_extend(rtmr, digest);
    assert_memory_equal(log.rtmr[0], rtmr, sizeof rtmr);
    rtmr_extend(rtmr, digest);
    assert_memory_equal(log.rtmr[2], rtmr, sizeof rtmr);

    struct td_report td = {.rtmr = {log.rtmr[0], log.rtmr[1], rtmr, log.rtmr[3]}};
    for (unsigned imr = 0; imr < 4; imr++)
        assert_true(eventlog_matches(&log, &td, imr, &err));
    rtmr[47] ^= 1;
    assert_false(eventlog_matches(&log, &td, 2, &err));
    assert_true(error_is(&err, "eventlog/mismatch"));
    assert_string_equal(err.field, "rtmr2");
}

static void an_empty_log(void **state)
{
    (void)state;
    struct eventlog log;
    assert_true(reads(" [ ] ", &log, NULL));
    assert_false(log.has_compose_hash || log.has_app_id);
    assert_true(slice_is_zero(slice_of(log.rtmr, sizeof log.rtmr)));
}

static void a_log_inside_a_string(void **state)
{
    (void)state;
    struct eventlog plain, wrapped;
    assert_true(reads("[" EVENT("a", "01") "]", &plain, NULL));
    assert_true(reads("\"[{\\\"imr\\\":3,\\\"event_type\\\":134217729,\\\"digest\\\":\\\"\\\","
                      "\\\"event\\\":\\\"\\u0061\\\",\\\"event_payload\\\":\\\"01\\\"}]\"",
                      &wrapped, NULL));
    assert_memory_equal(&plain, &wrapped, sizeof plain);
    expect("\"[]\" []", "eventlog/format", "event_log");
    expect("\"\\\"[]\\\"\"", "eventlog/format", "event_log");
}

static void camel_case_members(void **state)
{
    (void)state;
    struct eventlog snake, camel;
    assert_true(reads("[" EVENT("a", "01") "]", &snake, NULL));
    assert_true(reads("[{\"eventPayload\":\"01\",\"event\":\"a\",\"digest\":\"\",\"extra\":[{}],"
                      "\"eventType\":134217729,\"imr\":3}]",
                      &camel, NULL));
    assert_memory_equal(&snake, &camel, sizeof snake);
    expect("[{\"imr\":3,\"event_type\":134217729,\"eventType\":134217729,\"digest\":\"\","
           "\"event\":\"a\",\"event_payload\":\"\"}]",
           "eventlog/format", "event_log[0].event_type");
    expect("[{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\","
           "\"event_payload\":\"\",\"eventPayload\":\"\"}]",
           "eventlog/format", "event_log[0].event_payload");
}

static void malformed_logs(void **state)
{
    (void)state;
    static const struct {
        const char *json, *code, *field;
    } bad[] = {
        {"", "eventlog/format", "event_log"},
        {"{}", "eventlog/format", "event_log"},
        {"[", "eventlog/format", "event_log[0]"},
        {"[] []", "eventlog/format", "event_log"},
        {"[1]", "eventlog/format", "event_log[0]"},
        {"[" EVENT("a", "") ",]", "eventlog/format", "event_log[1]"},
        {"[{\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\",\"event_payload\":\"\"}]",
         "eventlog/format", "event_log[0].imr"},
        {"[{\"imr\":3,\"digest\":\"\",\"event\":\"a\",\"event_payload\":\"\"}]", "eventlog/format",
         "event_log[0].event_type"},
        {"[{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\"}]",
         "eventlog/format", "event_log[0].event_payload"},
        {"[{\"imr\":3,\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\","
         "\"event_payload\":\"\"}]",
         "eventlog/format", "event_log[0].imr"},
        {"[{\"imr\":3,\"event_type\":134217729,\"digest\":7,\"event\":\"a\","
         "\"event_payload\":\"\"}]",
         "eventlog/format", "event_log[0].digest"},
        {"[{\"imr\":4,\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\","
         "\"event_payload\":\"\"}]",
         "eventlog/register", "event_log[0].imr"},
        {"[{\"imr\":3,\"event_type\":2147483659,\"digest\":\"" DIGEST96 "\",\"event\":\"a\","
         "\"event_payload\":\"\"}]",
         "eventlog/type", "event_log[0].event_type"},
        {"[" EVENT("", "") "]", "eventlog/name", "event_log[0].event"},
        {"[" EVENT("a:b", "") "]", "eventlog/name", "event_log[0].event"},
        {"[" EVENT("a\\u003ab", "") "]", "eventlog/name", "event_log[0].event"},
        {"[" EVENT("a", "0") "]", "eventlog/payload", "event_log[0].event_payload"},
        {"[" EVENT("a", "0g") "]", "eventlog/payload", "event_log[0].event_payload"},
        {"[" EVENT("compose-hash", "11") "]", "eventlog/payload", "event_log[0].event_payload"},
        {"[" EVENT("app-id", HASH32) "]", "eventlog/payload", "event_log[0].event_payload"},
        {"[" FIRMWARE("1", "") "]", "eventlog/digest", "event_log[0].digest"},
        {"[" FIRMWARE("1", HASH32) "]", "eventlog/digest", "event_log[0].digest"},
        {"[{\"imr\":3,\"event_type\":134217729,\"digest\":\"" DIGEST96 "\",\"event\":\"a\","
         "\"event_payload\":\"\"}]",
         "eventlog/digest", "event_log[0].digest"},
        {"[{\"imr\":3,\"event_type\":134217729,\"digest\":\"00\",\"event\":\"a\","
         "\"event_payload\":\"\"}]",
         "eventlog/digest", "event_log[0].digest"},
        {"[{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\","
         "\"event_payload\":\"\",\"version\":3}]",
         "eventlog/version", "event_log[0].version"},
        {"[{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\","
         "\"event_payload\":\"\",\"version\":0}]",
         "eventlog/version", "event_log[0].version"},
        {"[" EVENT("compose-hash", HASH32) "," EVENT("compose-hash", HASH32) "]",
         "eventlog/repeated", "event_log[1].event"},
        {"[" EVENT("system-ready", "") "," EVENT("compose-hash", HASH32) "]", "eventlog/repeated",
         "event_log[1].event"},
        {"[" EVENT("system-ready", "") "," EVENT("system-ready", "") "]", "eventlog/repeated",
         "event_log[1].event"},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        expect(bad[i].json, bad[i].code, bad[i].field);
}

/* {"name":"a","payload":"01","type":134217729} */
#define PREIMAGE_A01                                                                               \
    "7b226e616d65223a2261222c227061796c6f6164223a223031222c2274797065223a3133343231373732397d"
#define V2(payload, preimage)                                                                      \
    "[{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\",\"event_payload\":"      \
    "\"" payload "\",\"version\":2" preimage "}]"

static void version_2(void **state)
{
    (void)state;
    struct eventlog v1, v2;
    assert_true(reads(V2("01", ",\"preimage\":\"" PREIMAGE_A01 "\""), &v2, NULL));
    assert_true(reads("[" EVENT("a", "01") "]", &v1, NULL));
    assert_memory_not_equal(v1.rtmr[3], v2.rtmr[3], EVENT_DIGEST_LEN);
    static const char field[] = "event_log[0].preimage";
    expect(V2("01", ""), "eventlog/preimage", field);
    expect(V2("01", ",\"preimage\":\"\""), "eventlog/preimage", field);
    expect(V2("02", ",\"preimage\":\"" PREIMAGE_A01 "\""), "eventlog/preimage", field);
    expect(V2("01", ",\"preimage\":\"" PREIMAGE_A01 "20\""), "eventlog/preimage", field);
    expect(V2("01", ",\"preimage\":\"zz\""), "eventlog/preimage", field);
}

static void a_given_digest_must_be_right(void **state)
{
    (void)state;
    uint8_t digest[EVENT_DIGEST_LEN];
    char hex[2 * EVENT_DIGEST_LEN + 1];
    BUF_AUTO struct buf json = BUF_INIT(4096);
    struct eventlog log;
    event_digest_v1(slice_str("a"), slice_of("\x01", 1), digest);
    hex_encode(slice_of(digest, sizeof digest), hex);
    for (int flip = 0; flip < 2; flip++) {
        buf_reset(&json);
        buf_printf(&json,
                   "[{\"imr\":3,\"event_type\":134217729,\"digest\":\"%s\",\"event\":\"a\","
                   "\"event_payload\":\"01\"}]",
                   hex);
        assert_int_equal(eventlog_read(buf_slice(&json), &log, NULL, NULL, NULL), flip == 0);
        hex[95] = hex[95] == '0' ? '1' : '0';
    }
}

static void count_visit(const struct event *event, void *context)
{
    size_t *seen = context;
    assert_int_equal(event->index, *seen);
    if (event->imr == 3)
        assert_true(slice_equal_str(event->name, "a"));
    else
        assert_int_equal(event->payload.len, 0);
    (*seen)++;
}

static void the_visitor_sees_every_entry(void **state)
{
    (void)state;
    struct eventlog log;
    size_t seen = 0;
    const char *json = "[" FIRMWARE("0", DIGEST96) "," EVENT("a", "01") "]";
    assert_true(eventlog_read(slice_str(json), &log, count_visit, &seen, NULL));
    assert_int_equal(seen, 2);
}

static void ceiling_on_entries(void **state)
{
    (void)state;
    static const char entry[] = FIRMWARE("0", DIGEST96);
    BUF_AUTO struct buf json = BUF_INIT(EVENTLOG_TEXT_MAX);
    struct eventlog log;
    struct error err;
    for (size_t count = EVENTLOG_ENTRIES_MAX - 1; count <= EVENTLOG_ENTRIES_MAX + 1; count++) {
        buf_reset(&json);
        for (size_t i = 0; i < count; i++)
            buf_printf(&json, "%c%s", i == 0 ? '[' : ',', entry);
        assert_true(buf_append_byte(&json, ']'));
        bool ok = eventlog_read(buf_slice(&json), &log, NULL, NULL, &err);
        assert_int_equal(ok, count <= EVENTLOG_ENTRIES_MAX);
        assert_true(ok ? log.count[0] == count : error_is(&err, "eventlog/entries"));
    }
}

static bool reads_payload_of(size_t len, struct error *err)
{
    BUF_AUTO struct buf json = BUF_INIT(EVENTLOG_TEXT_MAX);
    struct eventlog log;
    buf_append_str(&json, "[{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\","
                          "\"event_payload\":\"");
    for (size_t i = 0; i < len; i++)
        buf_append_str(&json, "0a");
    assert_true(buf_append_str(&json, "\"}]"));
    return eventlog_read(buf_slice(&json), &log, NULL, NULL, err);
}

static bool reads_name_of(size_t len, struct error *err)
{
    BUF_AUTO struct buf json = BUF_INIT(EVENTLOG_TEXT_MAX);
    struct eventlog log;
    buf_append_str(&json, "[{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"");
    for (size_t i = 0; i < len; i++)
        buf_append_byte(&json, 'n');
    assert_true(buf_append_str(&json, "\",\"event_payload\":\"\"}]"));
    return eventlog_read(buf_slice(&json), &log, NULL, NULL, err);
}

static void ceilings_on_lengths(void **state)
{
    (void)state;
    struct error err;
    assert_true(reads_payload_of(EVENT_PAYLOAD_MAX - 1, NULL));
    assert_true(reads_payload_of(EVENT_PAYLOAD_MAX, NULL));
    assert_false(reads_payload_of(EVENT_PAYLOAD_MAX + 1, &err));
    assert_true(error_is(&err, "eventlog/payload"));
    assert_true(reads_name_of(EVENT_NAME_MAX - 1, NULL));
    assert_true(reads_name_of(EVENT_NAME_MAX, NULL));
    assert_false(reads_name_of(EVENT_NAME_MAX + 1, &err));
    assert_true(error_is(&err, "eventlog/format"));
}

static void ceiling_on_text(void **state)
{
    (void)state;
    BUF_AUTO struct buf json = BUF_INIT(EVENTLOG_TEXT_MAX + 1);
    struct eventlog log;
    struct error err;
    uint8_t *spaces = buf_extend(&json, EVENTLOG_TEXT_MAX + 1);
    assert_non_null(spaces);
    memset(spaces, ' ', EVENTLOG_TEXT_MAX + 1);
    memcpy(spaces, "[]", 2);
    for (size_t len = EVENTLOG_TEXT_MAX - 1; len <= EVENTLOG_TEXT_MAX + 1; len++) {
        bool ok = eventlog_read(slice_of(spaces, len), &log, NULL, NULL, &err);
        assert_int_equal(ok, len <= EVENTLOG_TEXT_MAX);
        assert_true(ok || error_is(&err, "eventlog/size"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(canonical_preimage),
        cmocka_unit_test(a_good_log),
        cmocka_unit_test(an_empty_log),
        cmocka_unit_test(a_log_inside_a_string),
        cmocka_unit_test(camel_case_members),
        cmocka_unit_test(malformed_logs),
        cmocka_unit_test(version_2),
        cmocka_unit_test(a_given_digest_must_be_right),
        cmocka_unit_test(the_visitor_sees_every_entry),
        cmocka_unit_test(ceiling_on_entries),
        cmocka_unit_test(ceilings_on_lengths),
        cmocka_unit_test(ceiling_on_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
