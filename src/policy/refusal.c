/* A refusal in the words of the existing programs (compatibility facts C.2, D.5 step 9). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"

static void lower(char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
}

static void status_text(const struct policy_refusal *refusal, enum policy_voice voice, char *out)
{
    char allowed[sizeof(refusal->allowed)];
    memcpy(allowed, refusal->allowed, sizeof(allowed));
    lower(allowed); /* both programs keep their lists in lower case and show them so */
    snprintf(out, POLICY_TEXT_MAX,
             voice == POLICY_VOICE_KMS ? "TCB status '%s' is not allowed. Allowed values: %s"
                                       : "KMS TCB status '%s' is not allowed. Allowed: %s",
             refusal->got, allowed);
}

static void list_text(const struct policy_refusal *refusal, enum policy_voice voice, char *out)
{
    const char *name = policy_register_name(refusal->reg);
    if (voice == POLICY_VOICE_NODE_RELEASE)
        snprintf(out, POLICY_TEXT_MAX, "KMS %s '%s' is not in allowlist [%s%s (%zu total)]", name,
                 refusal->got, refusal->allowed, refusal->allowed_total > 5 ? "…" : "",
                 refusal->allowed_total);
    else
        snprintf(out, POLICY_TEXT_MAX, "%s '%s' is not in allowlist", name, refusal->got);
}

static void empty_list_text(const struct policy_refusal *refusal, enum policy_voice voice,
                            char *out)
{
    if (voice == POLICY_VOICE_KMS)
        snprintf(out, POLICY_TEXT_MAX, "%s allowlist is empty", policy_register_name(refusal->reg));
    else
        snprintf(out, POLICY_TEXT_MAX,
                 "KMS attestation policy is missing required non-empty allowlist '%s.allowed_%s'",
                 voice == POLICY_VOICE_NODE_RELEASE ? "policy" : "tee.kms.phala.attestation",
                 policy_register_key(refusal->reg));
}

void policy_refusal_text(const struct policy_refusal *refusal, enum policy_voice voice,
                         const char *message, char out[POLICY_TEXT_MAX])
{
    if (strcmp(refusal->code, "tcb/status") == 0)
        status_text(refusal, voice, out);
    else if (strcmp(refusal->code, "measurement/empty-list") == 0)
        empty_list_text(refusal, voice, out);
    else if (refusal->has_register && strcmp(refusal->code, "measurement/set") != 0)
        list_text(refusal, voice, out);
    else
        snprintf(out, POLICY_TEXT_MAX, "%s", message);
}
