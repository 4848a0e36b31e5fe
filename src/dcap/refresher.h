/* A thread that asks for newer collateral before the old has expired, so that no verification has
 * to wait for a service. Spec: platform facts 4.5. */
#ifndef DCAP_REFRESHER_H
#define DCAP_REFRESHER_H

#include "dcap/holdings.h"

struct refresher;

/* Every `every_s` seconds, a tenth more or less so that many verifiers do not ask at once; after a
 * failure sooner. holdings and notices are borrowed. Code thread. */
bool refresher_start(struct holdings *holdings, unsigned every_s,
                     const struct dcap_notices *notices, struct refresher **out,
                     struct error *err) MUST_USE;
/* Waits for a refresh in progress: bounded by the budget of gathering, or the verifier's cancel. */
void refresher_stop(struct refresher **r);

#endif
