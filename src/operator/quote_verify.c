/* `mero-tee quote verify`: one quote, from bytes to a decision. */
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "dcap/verifier.h"
#include "dcap/verify.h"
#include "operator/evidence.h"
#include "operator/quote_command.h"

enum { NONCE_MAX = 64, ENDPOINT_TEXT_MAX = 512 };

static bool parse_time(const char *text, int64_t *out, struct error *err)
{
    return time_parse(slice_str(text), out) ||
           error_set(err, "usage", "--at",
                     "--at is '%s': give RFC 3339 in UTC (2026-08-27T10:00:00Z) or Unix seconds",
                     text);
}

static bool accept_statuses(struct policy *p, const char *csv, struct error *err)
{
    policy_clear_statuses(p);
    if (strcmp(csv, "any") != 0)
        return policy_add_status_csv(p, slice_str(csv), "--accept-status", err);
    for (unsigned s = 0; s < TCB_STATUS_COUNT; s++)
        p->statuses[s] = s != TCB_REVOKED && s != TCB_STATUS_MOCK;
    return true;
}

/* Reads the policy document; what it does not say stays as the command line's defaults. */
static bool load_policy(const struct quote_verify_options *options, struct policy *p,
                        struct error *err)
{
    policy_init(p);
    p->debug_only = true;
    if (options->policy_path != NULL) {
        BUF_AUTO struct buf text = BUF_INIT(POLICY_JSON_MAX);
        bool kms = options->role != NULL && strcmp(options->role, "kms") == 0;
        if (!file_read(options->policy_path, &text, err) ||
            !policy_merge_json(p, buf_slice(&text), kms ? POLICY_SUBJECT_KMS : POLICY_SUBJECT_NODE,
                               POLICY_DIALECT_RELEASE, NULL, err))
            return false;
    }
    return options->accept_status == NULL || accept_statuses(p, options->accept_status, err);
}

static bool check_nonce(const struct verdict *v, const char *hex, struct error *err)
{
    BUF_AUTO struct buf nonce = BUF_INIT(NONCE_MAX);
    if (!hex_decode_append(slice_str(hex), &nonce) || nonce.len == 0)
        return error_set(err, "usage", "--nonce", "--nonce takes 1 to %d bytes in hex", NONCE_MAX);
    if (bytes_equal_ct(v->report_data, nonce.data, nonce.len))
        return true;
    return error_set(err, "binding/nonce", "report_data",
                     "the report data does not start with the nonce");
}

static bool open_root(const struct quote_verify_options *options, struct dcap_root *root,
                      struct error *err)
{
#ifdef MERO_DEV
    if (options->root_pem_path != NULL) {
        BUF_AUTO struct buf pem = BUF_INIT(65536);
        return file_read(options->root_pem_path, &pem, err) &&
               dcap_root_open_pem(buf_slice(&pem), root, err);
    }
#else
    (void)options;
#endif
    return dcap_root_open_intel(root, err);
}

static bool verify_offline(const struct quote_verify_options *options, struct slice quote,
                           int64_t at_s, struct verdict *v, struct error *err)
{
    BUF_AUTO struct buf json = BUF_INIT(COLLATERAL_FILE_MAX);
    COLLATERAL_AUTO struct collateral collateral;
    DCAP_ROOT_AUTO struct dcap_root root = {0};
    collateral_init(&collateral);
    return file_read(options->collateral_path, &json, err) &&
           collateral_read(buf_slice(&json), &collateral, err) && open_root(options, &root, err) &&
           dcap_verify(quote, &collateral, &root, NULL, at_s, v, err);
}

/* "a,b,c" into the verifier's list; the texts live in `storage`. */
static bool split_endpoints(const char *csv, struct dcap_verifier_options *to, struct buf *storage,
                            struct error *err)
{
    if (!buf_append_str(storage, csv) || buf_cstr(storage) == NULL)
        return error_set(err, "usage", "--collateral-url",
                         "the list of collateral services is too long");
    char *at = (char *)storage->data;
    while (*at != 0) {
        size_t len = strcspn(at, ",");
        bool last = at[len] == 0;
        at[len] = 0;
        if (to->endpoint_count == DCAP_ENDPOINTS_MAX)
            return error_set(err, "usage", "--collateral-url", "at most %d collateral services",
                             DCAP_ENDPOINTS_MAX);
        if (len > 0)
            to->endpoints[to->endpoint_count++] = at;
        at = last ? at + len : at + len + 1;
    }
    return true;
}

static bool verify_online(const struct quote_verify_options *options, struct slice quote,
                          int64_t at_s, struct verdict *v, struct error *err)
{
    struct dcap_verifier_options to = {0};
    BUF_AUTO struct buf storage = BUF_INIT(DCAP_ENDPOINTS_MAX * ENDPOINT_TEXT_MAX);
    DCAP_VERIFIER_AUTO struct dcap_verifier *verifier = NULL;
    if (options->endpoints_csv != NULL &&
        !split_endpoints(options->endpoints_csv, &to, &storage, err))
        return false;
#ifdef MERO_DEV
    to.root_pem_path = options->root_pem_path;
#endif
    return dcap_verifier_open(&to, &verifier, err) &&
           dcap_verifier_check(verifier, quote, at_s, v, err);
}

static bool write_report(const struct report *r, bool json, struct buf *out, struct error *err)
{
    if (!json)
        return report_text(r, out) || error_set(err, "memory", NULL, "out of memory");
    JSON_AUTO json_t *root = report_json(r);
    return json_write_pretty(root, out, err);
}

/* Everything up to the decision; *has_verdict tells how far it came. */
static bool judge(const struct quote_verify_options *options, const struct policy *policy,
                  int64_t at_s, struct verdict *v, bool *has_verdict,
                  struct policy_refusal *refusal, struct error *err)
{
    EVIDENCE_AUTO struct evidence e = {0};
    if (!evidence_read(options->path, &e, err))
        return false;
    struct slice quote = buf_slice(&e.quote);
    *has_verdict = options->collateral_path != NULL ? verify_offline(options, quote, at_s, v, err)
                                                    : verify_online(options, quote, at_s, v, err);
    return *has_verdict &&
           (options->nonce_hex == NULL || check_nonce(v, options->nonce_hex, err)) &&
           policy_decide(policy, v, refusal, err);
}

bool quote_command_verify(const struct quote_verify_options *options, struct buf *out,
                          struct error *err)
{
    POLICY_AUTO struct policy policy = {0};
    struct policy_refusal refusal = {0};
    struct verdict verdict;
    bool has_verdict = false;
    int64_t at_s = clock_unix_s();
    if (!load_policy(options, &policy, err) ||
        (options->at != NULL && !parse_time(options->at, &at_s, err)))
        return false;
    policy.debug_allowed = options->allow_debug;
    bool ok = judge(options, &policy, at_s, &verdict, &has_verdict, &refusal, err);
    if (!ok && error_is(err, "usage"))
        return false;
    struct report report = {.verified = ok, .at_s = at_s};
    report.verdict = has_verdict ? &verdict : NULL;
    report.error = ok ? NULL : err;
    report.refusal = refusal.code != NULL ? &refusal : NULL;
    struct error write_error;
    if (!write_report(&report, options->json, out, &write_error)) {
        *err = write_error;
        return false;
    }
    return ok;
}
