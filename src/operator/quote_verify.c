/* `mero-tee quote verify`: one quote, from bytes to a decision. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "dcap/verify.h"
#include "operator/bundle.h"
#include "operator/evidence.h"
#include "operator/quote_command.h"
#include "policy/compose.h"

enum { NONCE_MAX = 64 };

/* ---- the question: from the options, or from a bundle ---- */

static bool copy_option(char *out, size_t out_len, const char *text, const char *name,
                        struct error *err)
{
    if (text == NULL)
        return true;
    int len = snprintf(out, out_len, "%s", text);
    return (len >= 0 && (size_t)len < out_len) ||
           error_set(err, "usage", name, "%s is too long", name);
}

static bool question_from_options(const struct quote_verify_options *options, struct bundle *b,
                                  struct error *err)
{
    EVIDENCE_AUTO struct evidence e = {0};
    b->allow_debug = options->allow_debug;
    b->at_s = clock_unix_s();
    if (options->at != NULL && !time_parse(slice_str(options->at), &b->at_s))
        return error_set(
            err, "usage", "--at",
            "--at is '%s': give RFC 3339 in UTC (2026-08-27T10:00:00Z) or Unix seconds",
            options->at);
    return copy_option(b->nonce_hex, sizeof b->nonce_hex, options->nonce_hex, "--nonce", err) &&
           copy_option(b->role, sizeof b->role, options->role, "--role", err) &&
           copy_option(b->accept_status, sizeof b->accept_status, options->accept_status,
                       "--accept-status", err) &&
           (options->policy_path == NULL || file_read(options->policy_path, &b->policy, err)) &&
           evidence_read(options->path, &e, err) &&
           ((buf_append(&b->quote, buf_slice(&e.quote)) &&
             buf_append(&b->event_log, buf_slice(&e.event_log))) ||
            error_set(err, "memory", NULL, "out of memory"));
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

/* What the policy document does not say stays as the command line's defaults. */
static bool make_policy(const struct bundle *b, struct policy *p, struct error *err)
{
    policy_init(p);
    p->debug_only = true;
    p->debug_allowed = b->allow_debug;
    if (b->role[0] != 0 && strcmp(b->role, "kms") != 0 && strcmp(b->role, "node") != 0)
        return error_set(err, "usage", "--role", "--role is '%s', allowed are node and kms",
                         b->role);
    enum policy_subject subject =
        strcmp(b->role, "kms") == 0 ? POLICY_SUBJECT_KMS : POLICY_SUBJECT_NODE;
    return (b->policy.len == 0 || policy_merge_json(p, buf_slice(&b->policy), subject,
                                                    POLICY_DIALECT_RELEASE, NULL, err)) &&
           (b->accept_status[0] == 0 || accept_statuses(p, b->accept_status, err));
}

static bool parse_nonce(const char *hex, struct buf *nonce, struct error *err)
{
    return hex[0] == 0 || (hex_decode_append(slice_str(hex), nonce) && nonce->len > 0) ||
           error_set(err, "usage", "--nonce", "--nonce takes 1 to %d bytes in hex", NONCE_MAX);
}

/* ---- the answer ---- */

/* Documents from the file, or from services and cache. A time of one's own asks for the documents
 * of that time, so the memory of what was newest is left out of it. */
static bool find_collateral(const struct quote_verify_options *options, struct bundle *b,
                            struct error *err)
{
    if (options->collateral_path != NULL)
        return collateral_source_read(options->collateral_path, &b->collateral, err);
    DCAP_VERIFIER_AUTO struct dcap_verifier *verifier = NULL;
    struct collateral_source source = options->source;
    if (options->at != NULL)
        source.cache_dir = NULL;
    return collateral_source_open(&source, &verifier, err) &&
           dcap_verifier_collateral(verifier, buf_slice(&b->quote), b->at_s, &b->collateral, err);
}

static bool check_nonce(const struct verdict *v, const struct buf *nonce, struct error *err)
{
    return nonce->len == 0 || bytes_equal_ct(v->report_data, nonce->data, nonce->len) ||
           error_set(err, "binding/nonce", "report_data",
                     "the report data does not start with the nonce");
}

/* Lists and sets, then what only an event log can tell; a policy that asks for one is refused
 * without. */
static bool decide(const struct policy *policy, const struct bundle *b, const struct verdict *v,
                   struct policy_refusal *refusal, struct error *err)
{
    struct eventlog log;
    bool has_log = b->event_log.len > 0;
    if (!policy_decide(policy, v, refusal, err))
        return false;
    if (!policy_needs_event_log(policy))
        return true;
    return (!has_log || eventlog_read(buf_slice(&b->event_log), &log, NULL, NULL, err)) &&
           policy_decide_log(policy, v, has_log ? &log : NULL, err);
}

/* Everything up to the decision; *has_verdict tells how far it came. */
static bool answer(const struct quote_verify_options *options, struct bundle *b, struct verdict *v,
                   bool *has_verdict, struct policy_refusal *refusal, struct error *err)
{
    POLICY_AUTO struct policy policy = {0};
    DCAP_ROOT_AUTO struct dcap_root root = {0};
    BUF_AUTO struct buf nonce = BUF_INIT(NONCE_MAX);
    if (!make_policy(b, &policy, err) || !parse_nonce(b->nonce_hex, &nonce, err) ||
        (!options->replay && !find_collateral(options, b, err)) ||
        !collateral_source_root(&options->source, &root, err))
        return false;
    *has_verdict = dcap_verify(buf_slice(&b->quote), &b->collateral, &root, NULL, b->at_s, v, err);
    return *has_verdict && check_nonce(v, &nonce, err) && decide(&policy, b, v, refusal, err);
}

static bool write_report(const struct report *r, bool json, struct buf *out, struct error *err)
{
    if (!json)
        return report_text(r, out) || error_set(err, "memory", NULL, "out of memory");
    JSON_AUTO json_t *root = report_json(r);
    return json_write_pretty(root, out, err);
}

bool quote_command_verify(const struct quote_verify_options *options, struct buf *out,
                          struct error *err)
{
    BUNDLE_AUTO struct bundle b;
    struct policy_refusal refusal = {0};
    struct verdict verdict;
    struct error write_error;
    bool has_verdict = false;
    bundle_init(&b);
    if (!(options->replay ? bundle_read(options->path, &b, err)
                          : question_from_options(options, &b, err)))
        return false;
    bool ok = answer(options, &b, &verdict, &has_verdict, &refusal, err);
    if (!ok && error_is(err, "usage"))
        return false;
    struct report report = {.verified = ok, .at_s = b.at_s};
    report.verdict = has_verdict ? &verdict : NULL;
    report.error = ok ? NULL : err;
    report.refusal = refusal.code != NULL ? &refusal : NULL;
    if (!write_report(&report, options->json, out, &write_error) ||
        (options->save_bundle_path != NULL &&
         !bundle_write(&b, options->save_bundle_path, &write_error))) {
        *err = write_error;
        return false;
    }
    return ok;
}
