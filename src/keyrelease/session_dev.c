/* The node before a mock KMS (compatibility facts D.5 step 7, B.6): development builds only. */
#include "keyrelease/peer.h"
#include "keyrelease/session.h"

bool keyrelease_session_judge_mock(struct session *s, struct slice quote,
                                   const uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN],
                                   struct verdict *verdict)
{
    const struct keyrelease_options *o = s->options;
    if (!o->accept_mock) {
        error_set(s->err, "keyrelease/mock", "quoteB64", "%s",
                  o->mock_env_missing
                      ? "the KMS answered with a mock quote; accept_mock alone does not accept it: "
                        "set MEROD_ALLOW_MOCK_KMS_ATTESTATION=1 too"
                      : "the KMS answered with a mock quote and accept_mock is disabled");
        return keyrelease_session_fail(s, KEYRELEASE_ATTEST,
                                       o->mock_env_missing ? "KMS_ATTEST_MOCK_RUNTIME_NOT_ALLOWED"
                                                           : "KMS_ATTEST_MOCK_QUOTE_REJECTED",
                                       false);
    }
    if (!keyrelease_mock_verdict(quote, report_data, verdict, s->err))
        return keyrelease_session_fail(s, KEYRELEASE_ATTEST, "KMS_ATTEST_REPORT_DATA_MISMATCH",
                                       false);
    /* A shallow copy: what lists there are must hold (registers count as zero), empty ones are
     * passed over, the status Mock is what was asked for. */
    struct policy lenient = *o->kms_policy;
    lenient.statuses[TCB_STATUS_MOCK] = true;
    lenient.lists_required = false;
    return keyrelease_session_judge_policy(s, &lenient, verdict);
}
