/* The policy of a release: fetched, its signature verified, and what it says about itself compared
 * with what was asked for. Nodes and KMSs read the same document and take different lists.
 * Spec: compatibility facts C.1, D.8, D.11; docs/sigstore.md. */
#ifndef RELEASE_POLICY_H
#define RELEASE_POLICY_H

#include "policy/policy.h"
#include "release/assets.h"
#include "sigstore/trust.h"

struct release_wanted {
    const char *version;     /* "2.3.71" */
    const char *profile;     /* "locked-read-only" */
    const char *min_version; /* a floor; NULL = none */
    enum policy_subject subject;
};

struct release_policy {
    struct policy policy; /* owned */
    uint8_t binding[POLICY_BINDING_LEN];
    char asset[160];            /* which file it was */
    uint8_t sha256[SHA256_LEN]; /* of that file */
    int64_t signed_at_s;        /* proven */
    char commit[65];            /* of the workflow that signed it */
};
void release_policy_free(struct release_policy *policy);
#define RELEASE_POLICY_AUTO __attribute__((cleanup(release_policy_free)))

/*
 * Everything must hold: the version is not below the floor; the asset of the profile, or else the
 * one without a profile in its name, is signed by the release workflow; schema_version is 1, role
 * "kms", tag and profile are those asked for; the lists of the five registers are not empty.
 * Absent or empty TCB statuses mean UpToDate. Codes: release/version, release/floor,
 * release/missing, release/asset, release/unreachable, release/canceled, release/signature (the
 * message tells which check), release/schema, release/role, release/tag, release/profile,
 * release/policy, file/....
 */
bool release_policy_load(const struct release_source *source, const struct sigstore_trust *trust,
                         const struct release_wanted *wanted, int64_t now_s,
                         struct release_policy *out, struct error *err) MUST_USE;

#endif
