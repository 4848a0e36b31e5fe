/* Levels found, statuses converged, and for whoever is behind: which SVN has to rise to what. */
#include "dcap/tcb.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"

/* The levels that one set of TDX SVNs reaches. */
struct reached {
    const struct tcb_level *platform;
    const struct tdx_module *module;      /* NULL for SGX and for modules of version 0 */
    const struct isv_level *module_level; /* with module */
    enum tcb_status status;               /* converged with that of the QE */
};

/* Where gaps are collected; `count` goes on when there is no more room. */
struct gap_list {
    struct svn_gap *gaps; /* NULL = only count */
    size_t count;
};

/* With a versioned TDX module its SVN and version, at 0 and 1, are judged by its identity. */
static size_t first_tdx_component(const uint8_t *svn)
{
    return svn[1] > 0 ? 2 : 0;
}

static void gap(struct gap_list *list, const char *what, int index, uint32_t has, uint32_t needs)
{
    if (has >= needs)
        return;
    if (list->gaps != NULL && list->count < VERDICT_GAPS_MAX) {
        struct svn_gap *g = &list->gaps[list->count];
        *g = (struct svn_gap){.has = has, .needs = needs};
        if (index < 0)
            snprintf(g->what, sizeof g->what, "%s", what);
        else
            snprintf(g->what, sizeof g->what, "%s[%d]", what, index);
    }
    list->count++;
}

/* What keeps the platform from a level; nothing = it reaches the level. svn is NULL for SGX. */
static void platform_gaps(const struct tcb_claim *claim, const uint8_t *svn,
                          const struct tcb_svns *level, struct gap_list *list)
{
    for (int i = 0; i < TCB_COMPONENTS; i++)
        gap(list, "sgxtcbcomponents", i, claim->components[i], level->sgx[i]);
    gap(list, "pcesvn", -1, claim->pcesvn, level->pcesvn);
    if (svn == NULL)
        return;
    for (size_t i = first_tdx_component(svn); i < TCB_COMPONENTS; i++)
        gap(list, "tdxtcbcomponents", (int)i, svn[i], level->tdx[i]);
}

static size_t count_platform_gaps(const struct tcb_claim *claim, const uint8_t *svn,
                                  const struct tcb_svns *level)
{
    struct gap_list list = {0};
    platform_gaps(claim, svn, level, &list);
    return list.count;
}

/* The level that needs the fewest changes; wanted == TCB_STATUS_COUNT: whatever its status. */
static const struct tcb_level *nearest_level(const struct tcb_info *info,
                                             const struct tcb_claim *claim, const uint8_t *svn,
                                             enum tcb_status wanted)
{
    const struct tcb_level *nearest = NULL;
    size_t fewest = SIZE_MAX;
    for (size_t i = 0; i < info->levels.count; i++) {
        const struct tcb_level *level = &info->levels.level[i];
        size_t gaps = count_platform_gaps(claim, svn, &level->tcb);
        if ((wanted == TCB_STATUS_COUNT || level->says.status == wanted) && gaps < fewest) {
            nearest = level;
            fewest = gaps;
        }
    }
    return nearest;
}

static bool platform_not_supported(const struct tcb_info *info, const struct tcb_claim *claim,
                                   const uint8_t *svn, struct error *err)
{
    struct svn_gap gaps[VERDICT_GAPS_MAX];
    struct gap_list list = {.gaps = gaps};
    BUF_AUTO struct buf text = BUF_INIT(ERROR_MESSAGE_MAX);
    platform_gaps(claim, svn, &nearest_level(info, claim, svn, TCB_STATUS_COUNT)->tcb, &list);
    for (size_t i = 0; i < list.count; i++)
        buf_printf(&text, "%s%s is %u and needs %u", i > 0 ? ", " : "", gaps[i].what, gaps[i].has,
                   gaps[i].needs);
    return error_set(err, "tcb/not-supported", gaps[0].what,
                     "the platform is below every TCB level known; for the nearest one %s",
                     text.len > 0 ? buf_cstr(&text) : "");
}

static bool find_platform_level(const struct tcb_info *info, const struct tcb_claim *claim,
                                const uint8_t *svn, const struct tcb_level **out, struct error *err)
{
    for (size_t i = 0; i < info->levels.count; i++) {
        if (count_platform_gaps(claim, svn, &info->levels.level[i].tcb) == 0) {
            *out = &info->levels.level[i];
            return true;
        }
    }
    return platform_not_supported(info, claim, svn, err);
}

/* Who signed the TDX module, and with which attributes. */
static bool check_module(const struct tdx_module *module, const struct td_report *td,
                         struct error *err)
{
    char has[2 * MEASUREMENT_LEN + 1], wants[2 * MEASUREMENT_LEN + 1];
    if (memcmp(td->mrsignerseam, module->mrsigner, MEASUREMENT_LEN) != 0) {
        hex_encode(slice_of(td->mrsignerseam, MEASUREMENT_LEN), has);
        hex_encode(slice_of(module->mrsigner, MEASUREMENT_LEN), wants);
        return error_set(err, "tcb/module", "mrsignerseam",
                         "the signer of the TDX module is %s, Intel's is %s", has, wants);
    }
    /* Zero whatever the mask says: no attribute of the module has a meaning yet. */
    if (!slice_is_zero(slice_of(td->seamattributes, 8)) ||
        memcmp(td->seamattributes, module->attributes, 8) != 0) {
        hex_encode(slice_of(td->seamattributes, 8), has);
        return error_set(err, "tcb/module", "seamattributes",
                         "the TDX module has attributes %s, none are expected", has);
    }
    return true;
}

static bool find_module_level(const struct tcb_info *info, const struct td_report *td,
                              const uint8_t *svn, struct reached *out, struct error *err)
{
    const struct tdx_module *module = tcb_info_module(info, svn[1]);
    if (module == NULL)
        return error_set(err, "tcb/module", "tee_tcb_svn",
                         "the TCB info knows no TDX module of version %u (TDX_%02X)", svn[1],
                         svn[1]);
    if (!check_module(module, td, err))
        return false;
    if (svn[1] == 0)
        return true;
    out->module = module;
    out->module_level = isv_levels_find(&module->levels, svn[0]);
    if (out->module_level == NULL)
        return error_set(err, "tcb/not-supported", "tee_tcb_svn",
                         "isvsvn of the TDX module TDX_%02X is %u, the lowest level known is %u",
                         svn[1], svn[0], module->levels.level[module->levels.count - 1].isvsvn);
    return true;
}

enum tcb_status tcb_converge(enum tcb_status platform, const enum tcb_status *others, size_t count)
{
    bool out_of_date = false;
    for (size_t i = 0; i < count; i++) {
        if (others[i] == TCB_REVOKED)
            return TCB_REVOKED;
        out_of_date |= others[i] == TCB_OUT_OF_DATE;
    }
    if (!out_of_date)
        return platform;
    if (platform == TCB_UP_TO_DATE || platform == TCB_SW_HARDENING_NEEDED)
        return TCB_OUT_OF_DATE;
    if (platform == TCB_CONFIGURATION_NEEDED ||
        platform == TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED)
        return TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
    return platform;
}

static bool revoked(const struct tcb_claim *claim, const struct reached *reached, struct error *err)
{
    const char *what = "platform";
    const struct tcb_judgement *says = &reached->platform->says;
    char date[TIME_TEXT_MAX];
    if (claim->qe_level->says.status == TCB_REVOKED) {
        what = "quoting enclave";
        says = &claim->qe_level->says;
    } else if (reached->module != NULL && reached->module_level->says.status == TCB_REVOKED) {
        what = "TDX module";
        says = &reached->module_level->says;
    }
    time_format_utc(says->date_s, date);
    return error_set(err, "tcb/revoked", what, "the TCB level of the %s (of %s) is revoked", what,
                     date);
}

/* Facts 6.1 to 6.3 for one set of TDX SVNs. */
static bool reach(const struct tcb_info *info, const struct tcb_claim *claim, const uint8_t *svn,
                  struct reached *out, struct error *err)
{
    enum tcb_status others[2] = {claim->qe_level->says.status};
    size_t count = 1;
    *out = (struct reached){0};
    if (svn != NULL && !find_module_level(info, claim->td, svn, out, err))
        return false;
    if (!find_platform_level(info, claim, svn, &out->platform, err))
        return false;
    if (out->module != NULL)
        others[count++] = out->module_level->says.status;
    out->status = tcb_converge(out->platform->says.status, others, count);
    return out->status != TCB_REVOKED ? true : revoked(claim, out, err);
}

static bool needs_configuration(enum tcb_status s)
{
    return s == TCB_CONFIGURATION_NEEDED || s == TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
           s == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

static bool is_out_of_date(enum tcb_status s)
{
    return s == TCB_OUT_OF_DATE || s == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

/* Facts 6.4: launched on an old TCB, running on a good one: a relaunch is all it takes. */
static enum tcb_status relaunch(enum tcb_status launch, enum tcb_status current)
{
    if (!is_out_of_date(launch) || is_out_of_date(current))
        return launch;
    return needs_configuration(launch) || needs_configuration(current)
               ? TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
               : TCB_TD_RELAUNCH_ADVISED;
}

static void isv_gap(struct gap_list *list, const char *what, const struct isv_levels *levels,
                    uint16_t isvsvn)
{
    gap(list, what, -1, isvsvn, isv_levels_goal(levels)->isvsvn);
}

static void note_gaps(const struct tcb_info *info, const struct tcb_claim *claim,
                      const uint8_t *svn, const struct reached *launch, struct verdict *out)
{
    struct gap_list list = {.gaps = out->gaps};
    const struct tcb_level *goal = nearest_level(info, claim, svn, TCB_UP_TO_DATE);
    if (goal == NULL) /* some models have no level that needs no hardening or configuration */
        goal = &info->levels.level[0];
    if (launch->platform->says.status != goal->says.status)
        platform_gaps(claim, svn, &goal->tcb, &list);
    if (launch->module != NULL) {
        char what[sizeof out->gaps[0].what];
        snprintf(what, sizeof what, "tdxModule TDX_%02X isvsvn", svn[1]);
        isv_gap(&list, what, &launch->module->levels, svn[0]);
    }
    isv_gap(&list, "qe isvsvn", claim->qe_levels, claim->qe_isvsvn);
    out->gap_count = list.count;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Unites what the levels say; the oldest date of them. */
static int64_t unite(const struct tcb_claim *claim, const struct reached *reached,
                     char (*advisories)[ADVISORY_TEXT_MAX], size_t *count)
{
    int64_t date = earlier(reached->platform->says.date_s, claim->qe_level->says.date_s);
    advisories_unite(&reached->platform->says, advisories, count);
    advisories_unite(&claim->qe_level->says, advisories, count);
    if (reached->module != NULL) {
        advisories_unite(&reached->module_level->says, advisories, count);
        date = earlier(date, reached->module_level->says.date_s);
    }
    return date;
}

bool tcb_evaluate(const struct tcb_info *info, const struct tcb_claim *claim, struct verdict *out,
                  struct error *err)
{
    struct reached launch, current;
    const uint8_t *svn = claim->td != NULL ? claim->td->tee_tcb_svn : NULL;
    const uint8_t *svn2 = claim->td != NULL ? claim->td->tee_tcb_svn2 : NULL;
    if (!reach(info, claim, svn, &launch, err))
        return false;
    if (svn2 != NULL && !reach(info, claim, svn2, &current, err))
        return error_prefix(err, "tee_tcb_svn2");
    out->status = launch.status;
    out->platform_status = launch.platform->says.status;
    out->qe_status = claim->qe_level->says.status;
    out->has_module_status = launch.module != NULL;
    if (launch.module != NULL)
        out->module_status = launch.module_level->says.status;
    out->advisory_count = out->current_advisory_count = 0;
    out->tcb_date_s = unite(claim, &launch, out->advisories, &out->advisory_count);
    out->has_current_status = svn2 != NULL;
    if (svn2 != NULL) {
        out->status = relaunch(launch.status, current.status);
        out->current_status = current.status;
        unite(claim, &current, out->current_advisories, &out->current_advisory_count);
    }
    note_gaps(info, claim, svn, &launch, out);
    return true;
}
