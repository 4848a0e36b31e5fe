/* Comparing a signer with who it must be. */
#include "sigstore/signer.h"

#include <regex.h>
#include <string.h>

static const char CODE[] = "sigstore/identity";

const char *sigstore_claim_name(enum sigstore_claim claim)
{
    static const char *const names[SIGSTORE_CLAIMS] = {
        [SIGSTORE_WORKFLOW_TRIGGER] = "workflow trigger",
        [SIGSTORE_WORKFLOW_SHA] = "workflow sha",
        [SIGSTORE_WORKFLOW_NAME] = "workflow name",
        [SIGSTORE_WORKFLOW_REPOSITORY] = "workflow repository",
        [SIGSTORE_WORKFLOW_REF] = "workflow ref",
    };
    return names[claim];
}

static bool compile(const char *pattern, regex_t *out, struct error *err)
{
    if (strlen(pattern) <= SIGSTORE_PATTERN_MAX && regcomp(out, pattern, REG_EXTENDED) == 0)
        return true;
    return error_set(err, "usage", "identity-pattern",
                     "the identity pattern is no extended regular expression of at most %d bytes",
                     SIGSTORE_PATTERN_MAX);
}

bool sigstore_identity_check(const struct sigstore_identity *identity, struct error *err)
{
    regex_t compiled;
    if ((identity->subject == NULL) == (identity->subject_pattern == NULL))
        return error_set(err, "usage", "identity",
                         "who must have signed is given by an identity or an identity pattern");
    if (identity->issuer == NULL || identity->issuer[0] == 0)
        return error_set(err, "usage", "issuer", "who issued the signer's login must be given");
    if (identity->subject_pattern == NULL)
        return true;
    if (!compile(identity->subject_pattern, &compiled, err))
        return false;
    regfree(&compiled);
    return true;
}

/* The leftmost longest match must be the whole text: anchors that the pattern lacks do not matter.
 */
static bool matches_whole(const char *pattern, const char *text, bool *out, struct error *err)
{
    regex_t compiled;
    regmatch_t match;
    if (!compile(pattern, &compiled, err))
        return false;
    *out = regexec(&compiled, text, 1, &match, 0) == 0 && match.rm_so == 0 &&
           (size_t)match.rm_eo == strlen(text);
    regfree(&compiled);
    return true;
}

static bool match_text(const char *wanted, const char *actual, const char *field, struct error *err)
{
    if (wanted == NULL || strcmp(wanted, actual) == 0)
        return true;
    if (actual[0] == 0)
        return error_set(err, CODE, field, "the certificate has no %s, wanted is '%s'", field,
                         wanted);
    return error_set(err, CODE, field, "the %s is '%s', wanted is '%s'", field, actual, wanted);
}

static bool match_pattern(const char *pattern, const char *subject, struct error *err)
{
    bool matches;
    return matches_whole(pattern, subject, &matches, err) &&
           (matches || error_set(err, CODE, "subject", "the subject '%s' does not match '%s'",
                                 subject, pattern));
}

bool sigstore_identity_match(const struct sigstore_identity *identity,
                             const struct sigstore_signer *signer, struct error *err)
{
    if (!sigstore_identity_check(identity, err) ||
        !match_text(identity->issuer, signer->issuer, "issuer", err) ||
        !match_text(identity->subject, signer->subject, "subject", err) ||
        (identity->subject_pattern != NULL &&
         !match_pattern(identity->subject_pattern, signer->subject, err)))
        return false;
    for (unsigned c = 0; c < SIGSTORE_CLAIMS; c++)
        if (!match_text(identity->claims[c], signer->claims[c], sigstore_claim_name(c), err))
            return false;
    return true;
}
