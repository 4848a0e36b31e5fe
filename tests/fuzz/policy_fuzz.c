/* Policy JSON: what is taken stays inside the limits and never accepts Revoked; what is refused
 * leaves the policy as it was. The first byte chooses whose lists are read. */
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy p POLICY_AUTO;
    struct policy_document document;
    struct policy_refusal refusal;
    struct error err = {0};
    if (size == 0)
        return 0;
    policy_init(&p);
    bool ok = policy_merge_json(&p, slice_of(&data[1], size - 1),
                                (data[0] & 1) != 0 ? POLICY_SUBJECT_KMS : POLICY_SUBJECT_NODE,
                                (enum policy_dialect)(data[0] / 2 % 3), &document, &err);
    for (unsigned r = 0; r < POLICY_REGISTERS; r++)
        check(p.lists[r].count <= (ok ? (size_t)POLICY_LIST_MAX : 0));
    check(!p.statuses[TCB_REVOKED] && p.set_count <= POLICY_SETS_MAX);
    if (!ok) {
        check(err.code != NULL && p.statuses[TCB_UP_TO_DATE] && p.set_count == 0);
        return 0;
    }
    /* A decision on what was read, with the refusal told in every voice. */
    struct verdict v = {.tee = TEE_TDX, .tdattributes = {0, 0, 0, 0x10}};
    if (!policy_decide(&p, &v, &refusal, &err))
        for (unsigned voice = 0; voice < 3; voice++) {
            char text[POLICY_TEXT_MAX];
            policy_refusal_text(&refusal, (enum policy_voice)voice, err.message, text);
            check(text[0] != '\0' && strlen(text) < sizeof(text));
        }
    return 0;
}
