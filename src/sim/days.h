/* Documents, CRLs and certificates begin at the start of a day (UTC), as if re-issued daily. */
#ifndef SIM_DAYS_H
#define SIM_DAYS_H

#include <stdint.h>

enum { DAY_S = 86400, YEAR_S = 365 * DAY_S };

static inline int64_t sim_day_start(int64_t unix_s)
{
    return unix_s - unix_s % DAY_S;
}

#endif
