/* TCB info: what is accepted is JSON for jansson too, its levels are in order, and evaluating any
 * platform against it ends. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "dcap/tcb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* jansson refuses numbers that do not fit its types, which here nobody reads. */
static void check_json(struct slice text)
{
    JSON_AUTO json_t *value = NULL;
    struct error err;
    if (!json_parse(text, text.len, JSON_ALLOW_NUL, &value, &err))
        check(strstr(err.message, "too big") != NULL || strstr(err.message, "overflow") != NULL);
}

static void check_isv_levels(const struct isv_levels *levels)
{
    check(levels->count > 0);
    for (size_t i = 1; i < levels->count; i++)
        check(levels->level[i - 1].isvsvn > levels->level[i].isvsvn);
}

static void check_levels(const struct tcb_info *info)
{
    check(info->levels.count > 0);
    for (size_t i = 1; i < info->levels.count; i++)
        check(memcmp(info->levels.level[i - 1].tcb.sgx, info->levels.level[i].tcb.sgx, 16) >= 0);
    for (size_t i = 0; i < info->modules.count; i++)
        check_isv_levels(&info->modules.module[i].levels);
}

/* A platform as far up as the last bytes of the input say. */
static void evaluate(const struct tcb_info *info, struct slice seed)
{
    static struct verdict verdict;
    static const uint8_t zeros[64];
    struct isv_levels qe = {.count = 1};
    struct td_report td = {.tee_tcb_svn = zeros,
                           .tee_tcb_svn2 = zeros,
                           .mrsignerseam = zeros,
                           .seamattributes = zeros};
    struct tcb_claim claim = {.qe_isvsvn = 1, .qe_levels = &qe, .qe_level = &qe.level[0]};
    struct error err;
    if (seed.len >= 34) {
        memcpy(claim.components, seed.data, sizeof claim.components);
        claim.pcesvn = load_u16le(&seed.data[16]);
        td.tee_tcb_svn = &seed.data[18];
    }
    if (info->tee == TEE_TDX)
        claim.td = &td;
    if (tcb_evaluate(info, &claim, &verdict, &err)) {
        check(verdict.status != TCB_REVOKED && verdict.advisory_count <= VERDICT_ADVISORIES_MAX);
        for (size_t i = 1; i < verdict.advisory_count; i++)
            check(strcmp(verdict.advisories[i - 1], verdict.advisories[i]) < 0);
    } else {
        check(error_is(&err, "tcb/"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tcb_info info;
    struct slice text = slice_of(data, size);
    struct error err;
    if (!tcb_info_parse(text, &info, &err)) {
        check(error_is(&err, "collateral/format"));
        return 0;
    }
    check_json(text);
    check_levels(&info);
    evaluate(&info, slice_cut(text, size > 34 ? size - 34 : 0, 34));
    return 0;
}
