/* The three self-checks. Spec: compatibility facts A.6. */
#include "node/tee_probe.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/secret.h"
#include "keyrelease/peer.h"
#include "node/machine.h"
#include "quote/quote.h"

enum { NONCE_LEN = 32 };

/* Not a word on the quote: the verifier could not get what it needs. */
static bool is_infrastructure(const struct error *err)
{
    return error_is(err, "collateral/unreachable") || error_is(err, "http/");
}

static void fail(struct tee_probe_check *check, const char *what, const char *why)
{
    check->passed = false;
    snprintf(check->error, sizeof check->error, "%s%s", what, why);
}

/* The one place where a mock quote has a verdict of its own (development builds). */
static bool verify(struct dcap_verifier *verifier, struct slice quote, int64_t now_s,
                   struct verdict *out, struct error *err)
{
#ifdef MERO_DEV
    uint8_t claimed[REPORT_DATA_LEN];
    if (keyrelease_is_mock(quote))
        return keyrelease_mock_report_data(quote, claimed, err) &&
               keyrelease_mock_verdict(quote, claimed, out, err);
#endif
    return dcap_verifier_check(verifier, quote, now_s, out, err);
}

static bool same_half(const struct verdict *v, size_t at, const uint8_t expected[32])
{
    return bytes_equal_ct(v->report_data + at, expected, 32);
}

static void check_positive(const struct verdict *v, const uint8_t report_data[REPORT_DATA_LEN],
                           struct tee_probe_check *out)
{
    out->quote_verified = true;
    out->has_nonce = true;
    out->nonce_verified = same_half(v, 0, report_data);
    out->application_hash_verified = same_half(v, NONCE_LEN, report_data + NONCE_LEN);
    out->tcb_status = tcb_status_name(v->status);
    out->passed = out->nonce_verified && out->application_hash_verified;
    if (!out->passed)
        fail(out, "the quote holds other report data than was asked for", "");
}

static void check_wrong_nonce(const struct verdict *v, const uint8_t report_data[REPORT_DATA_LEN],
                              struct tee_probe_check *out)
{
    uint8_t wrong[NONCE_LEN];
    memcpy(wrong, report_data, sizeof wrong);
    wrong[0] ^= 0xff;
    out->has_nonce = true;
    out->nonce_verified = same_half(v, 0, wrong);
    out->passed = !out->nonce_verified;
    if (!out->passed)
        fail(out, "a wrong nonce was accepted", "");
}

/* Sources may pad the quote; damage to the padding would rightly go unnoticed. */
static size_t unpadded_len(struct slice quote)
{
    struct quote parsed;
    if (!quote_parse(quote, &parsed, NULL))
        return quote.len;
    return parsed.exact.len;
}

static void check_tampered(struct dcap_verifier *verifier, struct buf *quote, bool is_mock,
                           int64_t now_s, struct tee_probe_check *out)
{
    struct verdict verdict;
    struct error err;
    quote->data[is_mock ? 0 : unpadded_len(buf_slice(quote)) / 2] ^= 0xff;
    if (verify(verifier, buf_slice(quote), now_s, &verdict, &err)) {
        fail(out, "a damaged quote was accepted", "");
        return;
    }
    out->rejected = !is_infrastructure(&err);
    out->passed = out->rejected;
    if (!out->passed)
        fail(out, "cannot tell: ", err.message);
}

void tee_probe_run(struct quote_source *source, struct dcap_verifier *verifier, const char *peer_id,
                   int64_t now_s, struct tee_probe *out)
{
    uint8_t report_data[REPORT_DATA_LEN];
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    struct verdict verdict;
    struct error err;
    memset(out, 0, sizeof *out);
    out->is_mock = quote_source_kind(source) == QUOTE_SOURCE_MOCK;
    random_bytes(report_data, NONCE_LEN);
    sha256(slice_str(peer_id), report_data + NONCE_LEN);
    if (!quote_source_take(source, report_data, &quote, NULL, &err)) {
        fail(&out->positive, "no quote: ", err.message);
        fail(&out->wrong_nonce, "no quote to check", "");
        fail(&out->tampered_quote, "no quote to check", "");
        return;
    }
    if (verify(verifier, buf_slice(&quote), now_s, &verdict, &err)) {
        check_positive(&verdict, report_data, &out->positive);
        check_wrong_nonce(&verdict, report_data, &out->wrong_nonce);
    } else {
        fail(&out->positive, err.message, "");
        fail(&out->wrong_nonce, err.message, "");
    }
    check_tampered(verifier, &quote, out->is_mock, now_s, &out->tampered_quote);
}

bool tee_probe_node(const char *dir, const struct settings_overrides *overrides,
                    struct tee_probe *out, struct error *err)
{
    struct settings settings SETTINGS_AUTO = {0};
    struct dcap_verifier *verifier DCAP_VERIFIER_AUTO = NULL;
    struct quote_source *quotes __attribute__((cleanup(quote_source_close))) = NULL;
    if (!settings_load(dir, overrides, &settings, err) ||
        !settings_judge_dev(&settings, overrides->mock_tee, err) ||
        !machine_open_verifier(settings.config, &settings.env, &verifier, err) ||
        !machine_open_quotes(settings.config, &settings.env, overrides->mock_tee, NULL, &quotes,
                             err))
        return false;
    tee_probe_run(quotes, verifier, identity_peer_id(settings.config->identity), clock_unix_s(),
                  out);
    return true;
}

bool tee_probe_passed(const struct tee_probe *p)
{
    return p->positive.passed && p->wrong_nonce.passed && p->tampered_quote.passed;
}

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != 0 ? json_string(text) : NULL;
}

bool tee_probe_json(const struct tee_probe *p, struct buf *out, struct error *err)
{
    const struct tee_probe_check *good = &p->positive, *nonce = &p->wrong_nonce,
                                 *damaged = &p->tampered_quote;
    json_t *root JSON_AUTO = json_pack(
        "{s:s,s:b,s:{s:{s:b,s:b,s:b,s:b,s:o*,s:o*},s:{s:b,s:o*,s:o*},s:{s:b,s:b,s:o*}}}", "outcome",
        tee_probe_passed(p) ? "success" : "failure", "is_mock", p->is_mock, "checks", "positive",
        "passed", good->passed, "quote_verified", good->quote_verified, "nonce_verified",
        good->nonce_verified, "application_hash_verified", good->application_hash_verified,
        "tcb_status", text_or_null(good->tcb_status), "error", text_or_null(good->error),
        "wrong_nonce", "passed", nonce->passed, "nonce_verified",
        nonce->has_nonce ? json_boolean(nonce->nonce_verified) : NULL, "error",
        text_or_null(nonce->error), "tampered_quote", "passed", damaged->passed, "rejected",
        damaged->rejected, "error", text_or_null(damaged->error));
    if (root == NULL)
        return error_set(err, "node/memory", NULL, "out of memory");
    return json_write_pretty(root, out, err);
}

static void text_line(struct buf *out, const char *what, const struct tee_probe_check *check)
{
    buf_printf(out, "%-22s %s", what, check->passed ? "ok" : "FAILED");
    if (check->tcb_status != NULL)
        buf_printf(out, "  tcb_status=%s", check->tcb_status);
    if (check->error[0] != 0)
        buf_printf(out, "  %s", check->error);
    buf_append_str(out, "\n");
}

bool tee_probe_text(const struct tee_probe *p, struct buf *out)
{
    text_line(out, "quote verified", &p->positive);
    text_line(out, "wrong nonce noticed", &p->wrong_nonce);
    text_line(out, "damaged quote refused", &p->tampered_quote);
    if (p->is_mock)
        buf_append_str(out, "this was a mock quote: it proves nothing\n");
    return !out->failed;
}
