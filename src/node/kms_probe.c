/* The outcome of a key release as text and JSON. Spec: compatibility facts A.5. */
#include "node/kms_probe.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "node/machine.h"

enum { SUCCESS_TEXT_MAX = 96 };

static bool load(const char *dir, const struct settings_overrides *overrides, struct settings *s,
                 struct error *err)
{
    if (!settings_load(dir, overrides, s, err))
        return error_is(err, "config/not-initialized")
                   ? false
                   : error_prefix(err, "Failed to load node configuration");
    if (!s->config->has_tee)
        return error_set(err, "config/no-tee", "tee", "TEE is not configured in this node");
    if (!s->config->tee.has_kms)
        return error_set(err, "config/no-tee", "tee.kms.phala", "tee.kms.phala is not configured");
    return settings_judge(s, overrides, err);
}

bool kms_probe_run(const char *dir, const struct settings_overrides *overrides,
                   struct kms_probe *out, struct error *err)
{
    struct settings settings SETTINGS_AUTO = {0};
    struct dcap_verifier *verifier DCAP_VERIFIER_AUTO = NULL;
    struct quote_source *quotes __attribute__((cleanup(quote_source_close))) = NULL;
    struct secret key SECRET_AUTO = {0};
    bool sealed = false;
    if (!load(dir, overrides, &settings, err) ||
        !machine_open_verifier(settings.config, &settings.env, &verifier, err) ||
        !machine_open_quotes(settings.config, &settings.env, overrides->mock_tee, NULL, &quotes,
                             err))
        return false;
    struct keyrelease_options *options = &settings.plan.options;
    options->verifier = verifier;
    options->quotes = quotes;
    options->budget_ms = NODE_PROBE_BUDGET_MS;
    struct error cause;
    memset(out, 0, sizeof *out);
    out->ok = keyrelease_fetch(options, &key, &sealed, &out->failure, &cause);
    out->key_len = key.len;
    return true;
}

static void success_text(const struct kms_probe *p, char out[SUCCESS_TEXT_MAX])
{
    snprintf(out, SUCCESS_TEXT_MAX, "KMS probe succeeded and returned %zu key bytes", p->key_len);
}

static json_t *text_or_null(bool given, const char *text)
{
    return given && text[0] != 0 ? json_string(text) : NULL;
}

bool kms_probe_json(const struct kms_probe *p, struct buf *out, struct error *err)
{
    const struct keyrelease_failure *f = &p->failure;
    char success[SUCCESS_TEXT_MAX];
    success_text(p, success);
    json_t *root JSON_AUTO =
        p->ok
            ? json_pack("{s:b,s:s,s:s,s:s}", "ok", 1, "stage",
                        keyrelease_stage_name(KEYRELEASE_GET_KEY), "code", "OK", "details", success)
            : json_pack("{s:b,s:s,s:s,s:o*,s:o*}", "ok", 0, "stage",
                        keyrelease_stage_name(f->stage), "code", f->probe_code, "kms_error",
                        text_or_null(f->has_kms_error, f->kms_error), "details",
                        text_or_null(true, f->details));
    if (root == NULL)
        return error_set(err, "node/memory", NULL, "out of memory");
    return json_write_pretty(root, out, err);
}

bool kms_probe_line(const struct kms_probe *p, struct buf *out)
{
    const struct keyrelease_failure *f = &p->failure;
    char success[SUCCESS_TEXT_MAX];
    success_text(p, success);
    if (p->ok)
        return buf_printf(out, "KMS probe succeeded: stage=%s code=OK details=%s",
                          keyrelease_stage_title(KEYRELEASE_GET_KEY), success);
    return buf_printf(out, "KMS probe failed: stage=%s code=%s kms_error=%s details=%s",
                      keyrelease_stage_title(f->stage), f->probe_code,
                      f->has_kms_error ? f->kms_error : "-", f->details[0] != 0 ? f->details : "-");
}

bool kms_probe_summary(const struct kms_probe *p, struct buf *out)
{
    return buf_printf(out, "KMS probe failed at stage=%s code=%s",
                      keyrelease_stage_title(p->failure.stage), p->failure.probe_code);
}
