/* The words and JSON of the probes (compatibility facts A.5, A.6). */
#include "node/kms_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/tee_probe.h"

static void expect_text(struct buf *text, const char *want)
{
    assert_string_equal(buf_cstr(text), want);
    buf_reset(text);
}

static void kms_success(void **state)
{
    (void)state;
    struct buf text BUF_AUTO = BUF_INIT(KMS_PROBE_TEXT_MAX);
    struct kms_probe p = {.ok = true, .key_len = 32};
    assert_true(kms_probe_json(&p, &text, NULL));
    expect_text(&text, "{\n  \"ok\": true,\n  \"stage\": \"get_key\",\n  \"code\": \"OK\",\n"
                       "  \"details\": \"KMS probe succeeded and returned 32 key bytes\"\n}\n");
    assert_true(kms_probe_line(&p, &text));
    expect_text(&text, "KMS probe succeeded: stage=GetKey code=OK "
                       "details=KMS probe succeeded and returned 32 key bytes");
}

static void kms_failures(void **state)
{
    (void)state;
    static const struct {
        struct kms_probe p;
        const char *json, *line, *summary;
    } cases[] = {
        {{.failure = {.stage = KEYRELEASE_CHALLENGE,
                      .probe_code = "KMS_CHALLENGE_REJECTED",
                      .has_kms_error = true,
                      .kms_error = "rate_limited",
                      .details = "KMS challenge request failed (429): rate_limited"}},
         "{\n  \"ok\": false,\n  \"stage\": \"challenge\",\n"
         "  \"code\": \"KMS_CHALLENGE_REJECTED\",\n  \"kms_error\": \"rate_limited\",\n"
         "  \"details\": \"KMS challenge request failed (429): rate_limited\"\n}\n",
         "KMS probe failed: stage=Challenge code=KMS_CHALLENGE_REJECTED kms_error=rate_limited "
         "details=KMS challenge request failed (429): rate_limited",
         "KMS probe failed at stage=Challenge code=KMS_CHALLENGE_REJECTED"},
        {{.failure = {.stage = KEYRELEASE_TRANSPORT, .probe_code = "KMS_HTTP_INSECURE"}},
         "{\n  \"ok\": false,\n  \"stage\": \"transport\",\n  \"code\": \"KMS_HTTP_INSECURE\"\n}\n",
         "KMS probe failed: stage=Transport code=KMS_HTTP_INSECURE kms_error=- details=-",
         "KMS probe failed at stage=Transport code=KMS_HTTP_INSECURE"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf text BUF_AUTO = BUF_INIT(KMS_PROBE_TEXT_MAX);
        assert_true(kms_probe_json(&cases[i].p, &text, NULL));
        expect_text(&text, cases[i].json);
        assert_true(kms_probe_line(&cases[i].p, &text));
        expect_text(&text, cases[i].line);
        assert_true(kms_probe_summary(&cases[i].p, &text));
        expect_text(&text, cases[i].summary);
    }
}

static void tee_json_and_text(void **state)
{
    (void)state;
    struct buf text BUF_AUTO = BUF_INIT(TEE_PROBE_JSON_MAX);
    struct tee_probe p = {
        .positive = {.passed = true,
                     .quote_verified = true,
                     .has_nonce = true,
                     .nonce_verified = true,
                     .application_hash_verified = true,
                     .tcb_status = "UpToDate"},
        .wrong_nonce = {.passed = true, .has_nonce = true},
        .tampered_quote = {.error = "cannot tell: no network"},
    };
    assert_false(tee_probe_passed(&p));
    assert_true(tee_probe_json(&p, &text, NULL));
    expect_text(&text,
                "{\n  \"outcome\": \"failure\",\n  \"is_mock\": false,\n  \"checks\": {\n"
                "    \"positive\": {\n      \"passed\": true,\n      \"quote_verified\": true,\n"
                "      \"nonce_verified\": true,\n      \"application_hash_verified\": true,\n"
                "      \"tcb_status\": \"UpToDate\"\n    },\n    \"wrong_nonce\": {\n"
                "      \"passed\": true,\n      \"nonce_verified\": false\n    },\n"
                "    \"tampered_quote\": {\n      \"passed\": false,\n      \"rejected\": false,\n"
                "      \"error\": \"cannot tell: no network\"\n    }\n  }\n}\n");
    assert_true(tee_probe_text(&p, &text));
    expect_text(&text, "quote verified         ok  tcb_status=UpToDate\n"
                       "wrong nonce noticed    ok\n"
                       "damaged quote refused  FAILED  cannot tell: no network\n");
    p.tampered_quote = (struct tee_probe_check){.passed = true, .rejected = true};
    assert_true(tee_probe_passed(&p));
    assert_true(tee_probe_json(&p, &text, NULL));
    assert_non_null(strstr(buf_cstr(&text), "\"outcome\": \"success\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kms_success),
        cmocka_unit_test(kms_failures),
        cmocka_unit_test(tee_json_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
