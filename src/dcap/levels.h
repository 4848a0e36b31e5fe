/* What TCB info and QE identity have in common: what a level says about whoever reaches it, and
 * lists of levels that are reached by one ISV SVN. Spec: DCAP facts 4.3, 4.4, 6.2, 7. */
#ifndef DCAP_LEVELS_H
#define DCAP_LEVELS_H

#include "base/json_reader.h"
#include "dcap/limits.h"
#include "dcap/verdict.h"

struct tcb_judgement {
    enum tcb_status status;
    int64_t date_s;
    struct slice advisories; /* the JSON array as signed, already checked; empty when absent */
};

struct isv_level {
    uint16_t isvsvn;
    struct tcb_judgement says;
};

/* Highest first, no two alike, never empty once read. */
struct isv_levels {
    size_t count;
    struct isv_level level[ISV_LEVELS_MAX];
};

/* Readers for tables of members. `platform` levels have seven statuses, ISV levels three. */
bool level_read_platform_status(struct json_reader *r, void *status, size_t size);
bool level_read_advisories(struct json_reader *r, void *span, size_t size);
bool level_read_isv_list(struct json_reader *r, void *isv_levels, size_t size);

/* The first level that isvsvn reaches, NULL when it is below all of them. */
const struct isv_level *isv_levels_find(const struct isv_levels *levels, uint16_t isvsvn);
/* The level to aim at: the lowest that is UpToDate, else the highest there is. */
const struct isv_level *isv_levels_goal(const struct isv_levels *levels);

/* Unites the advisories of a judgement into a sorted list without repeats. */
void advisories_unite(const struct tcb_judgement *says,
                      char (*list)[ADVISORY_TEXT_MAX] /* [VERDICT_ADVISORIES_MAX] */,
                      size_t *count);

#endif
