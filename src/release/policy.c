/* Loading and judging the policy of a release. */
#include "release/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "release/limits.h"
#include "release/version.h"
#include "sigstore/verify.h"

enum { SCHEMA_VERSION = 1 };

/* The one workflow that may sign. Subject and claims both, because each leaves a gap that the other
 * closes: a reusable workflow names the called file in the subject and the caller in the claims. */
static const struct sigstore_identity release_workflow = {
    .subject = "https://github.com/calimero-network/mero-tee/.github/workflows/"
               "release-kms-phala.yaml@refs/heads/master",
    .issuer = "https://token.actions.githubusercontent.com",
    .claims = {[SIGSTORE_WORKFLOW_TRIGGER] = "push",
               [SIGSTORE_WORKFLOW_NAME] = "Release mero-kms",
               [SIGSTORE_WORKFLOW_REPOSITORY] = "calimero-network/mero-tee",
               [SIGSTORE_WORKFLOW_REF] = "refs/heads/master"},
};

void release_policy_free(struct release_policy *policy)
{
    policy_free(&policy->policy);
}

static bool check_version(const struct release_wanted *wanted, struct error *err)
{
    struct release_version version, floor;
    if (!release_version_parse(wanted->version, &version, err))
        return false;
    if (wanted->min_version == NULL)
        return true;
    if (!release_version_parse(wanted->min_version, &floor, err))
        return error_prefix(err, "the floor for versions");
    return release_version_compare(&version, &floor) >= 0 ||
           error_set(err, "release/floor", "version",
                     "release %s is older than %s, the oldest that "
                     "is accepted",
                     wanted->version, wanted->min_version);
}

/* It becomes part of a file name. */
static bool check_profile(const char *profile, struct error *err)
{
    size_t len = strspn(profile, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return (len > 0 && len < POLICY_NAME_MAX && profile[len] == 0) ||
           error_set(err, "release/profile", "profile",
                     "'%s' is not the name of a profile (small letters, digits and '-')", profile);
}

/* The asset of the profile; releases before there were profiles have only the one without. */
static bool fetch(const struct release_source *source, const struct release_wanted *wanted,
                  struct release_asset *out, char name[RELEASE_NAME_MAX], struct error *err)
{
    char tag[RELEASE_VERSION_MAX + sizeof "mero-kms-v"];
    snprintf(tag, sizeof tag, "mero-kms-v%s", wanted->version);
    snprintf(name, RELEASE_NAME_MAX, "kms-phala-attestation-policy.%s.json", wanted->profile);
    if (release_asset_fetch(source, tag, name, out, err))
        return true;
    if (!error_is(err, "release/missing"))
        return false;
    snprintf(name, RELEASE_NAME_MAX, "kms-phala-attestation-policy.json");
    return release_asset_fetch(source, tag, name, out, err);
}

static bool verify(const struct sigstore_trust *trust, const struct release_asset *asset,
                   int64_t now_s, struct release_policy *out, struct error *err)
{
    struct sigstore_result result;
    struct slice signature = buf_slice(&asset->signature);
    const struct sigstore_input input = {.bundle = buf_slice(&asset->bundle),
                                         .artifact = buf_slice(&asset->content),
                                         .signature = &signature};
    if (!sigstore_verify(trust, &input, &release_workflow, now_s, &result, err)) {
        struct error why = *err;
        return error_set(err, "release/signature", why.field,
                         "Policy signature verification failed: %s (%s)", why.message, why.code);
    }
    out->signed_at_s = result.signed_at_s;
    snprintf(out->commit, sizeof out->commit, "%.64s", result.signer.claims[SIGSTORE_WORKFLOW_SHA]);
    return true;
}

static bool differs(struct error *err, const char *code, const char *field, const char *is,
                    const char *wanted)
{
    return error_set(err, code, field, "the signed policy has %s '%s', wanted is '%s'", field, is,
                     wanted);
}

/* The same workflow signs every asset of every release: the document says which one it is. */
static bool check_document(const struct policy_document *d, const struct release_wanted *wanted,
                           struct error *err)
{
    if (!d->has_schema_version || d->schema_version != SCHEMA_VERSION)
        return error_set(err, "release/schema", "schema_version",
                         "the signed policy has schema_version %lld, known is %d",
                         (long long)d->schema_version, SCHEMA_VERSION);
    if (strcmp(d->role, "kms") != 0)
        return differs(err, "release/role", "role", d->role, "kms");
    if (strcmp(d->tag, wanted->version) != 0)
        return differs(err, "release/tag", "tag", d->tag, wanted->version);
    if (strcmp(d->profile, wanted->profile) != 0)
        return differs(err, "release/profile", "profile", d->profile, wanted->profile);
    return d->has_binding || error_set(err, "release/policy", "kms.default_binding_b64",
                                       "Policy JSON missing kms.default_binding_b64");
}

static bool check_lists(const struct policy *p, struct error *err)
{
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        if (p->lists[r].count == 0)
            return error_set(err, "release/policy", policy_register_key(r),
                             "Policy JSON missing policy.allowed_%s (at least one %s value is "
                             "required)",
                             policy_register_key(r), policy_register_name(r));
    return true;
}

static bool parse(struct slice content, const struct release_wanted *wanted,
                  struct release_policy *out, struct error *err)
{
    struct policy_document document;
    if (!policy_merge_json(&out->policy, content, wanted->subject, POLICY_DIALECT_RELEASE,
                           &document, err)) {
        struct error why = *err;
        return error_set(err, "release/policy", why.field, "%s", why.message);
    }
    if (!check_document(&document, wanted, err) || !check_lists(&out->policy, err))
        return false;
    if (!policy_accepts_any_status(&out->policy))
        out->policy.statuses[TCB_UP_TO_DATE] = true;
    memcpy(out->binding, document.binding, sizeof out->binding);
    return true;
}

bool release_policy_load(const struct release_source *source, const struct sigstore_trust *trust,
                         const struct release_wanted *wanted, int64_t now_s,
                         struct release_policy *out, struct error *err)
{
    RELEASE_POLICY_AUTO struct release_policy made = {0};
    RELEASE_ASSET_AUTO struct release_asset asset = {0};
    policy_init(&made.policy);
    made.policy.lists_required = true;
    if (!check_version(wanted, err) || !check_profile(wanted->profile, err) ||
        !fetch(source, wanted, &asset, made.asset, err) ||
        !verify(trust, &asset, now_s, &made, err) ||
        !parse(buf_slice(&asset.content), wanted, &made, err))
        return false;
    sha256(buf_slice(&asset.content), made.sha256);
    *out = made;
    made = (struct release_policy){0};
    return true;
}
