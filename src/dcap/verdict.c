/* Names of TCB statuses, as Intel spells them. */
#include "dcap/verdict.h"

#include <strings.h>

static const char *const names[TCB_STATUS_COUNT] = {
    [TCB_UP_TO_DATE] = "UpToDate",
    [TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
    [TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
    [TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
    [TCB_OUT_OF_DATE] = "OutOfDate",
    [TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
    [TCB_TD_RELAUNCH_ADVISED] = "TDRelaunchAdvised",
    [TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = "TDRelaunchAdvisedConfigurationNeeded",
    [TCB_REVOKED] = "Revoked",
    [TCB_STATUS_MOCK] = "Mock",
};

const char *tcb_status_name(enum tcb_status status)
{
    return (unsigned)status < TCB_STATUS_COUNT ? names[status] : "unknown";
}

bool tcb_status_parse(struct slice text, enum tcb_status *out)
{
    for (enum tcb_status s = TCB_UP_TO_DATE; s < TCB_STATUS_COUNT; s++) {
        struct slice name = slice_str(names[s]);
        if (text.len == name.len && strncasecmp((const char *)text.data, names[s], name.len) == 0) {
            *out = s;
            return true;
        }
    }
    return false;
}
