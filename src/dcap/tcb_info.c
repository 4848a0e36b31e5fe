/* The TCB info parser: tables of members, then the rules that span members. */
#include "dcap/tcb_info.h"

#include <string.h>
#include <strings.h>

#include "base/codec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SEEN_PCESVN, SEEN_SGX_LIST, SEEN_TDX_LIST, SEEN_SGX_NAMED }; /* bits in tcb_svns.members */
#define SEEN(what)     ((uint32_t)1 << (what))
#define SEEN_ALL_NAMED ((uint32_t)0xffff << SEEN_SGX_NAMED)

/* {"svn": n, ...} sixteen times */
static bool read_components(struct json_reader *r, void *svns, size_t size)
{
    static const struct json_field fields[] = {{"svn", json_field_uint, 0, 1, false}};
    uint8_t *component = svns;
    size_t count = 0;
    if (!json_reader_array(r))
        return false;
    while (json_reader_more(r)) {
        if (count == size)
            return json_reader_refuse(r, "more than 16 components");
        if (!json_reader_fields(r, fields, 1, &component[count++], NULL))
            return false;
    }
    if (r->problem == NULL && count != size)
        return json_reader_refuse(r, "fewer than 16 components");
    return r->problem == NULL;
}

#define NAMED(index, name) JSON_FIELD_OPTIONAL(struct tcb_svns, sgx[index], name, json_field_uint)

static bool read_svns(struct json_reader *r, void *svns, size_t size)
{
    /* In the order of the SEEN bits. */
    static const struct json_field fields[] = {
        JSON_FIELD(struct tcb_svns, pcesvn, "pcesvn", json_field_uint),
        JSON_FIELD_OPTIONAL(struct tcb_svns, sgx, "sgxtcbcomponents", read_components),
        JSON_FIELD_OPTIONAL(struct tcb_svns, tdx, "tdxtcbcomponents", read_components),
        NAMED(0, "sgxtcbcomp01svn"),
        NAMED(1, "sgxtcbcomp02svn"),
        NAMED(2, "sgxtcbcomp03svn"),
        NAMED(3, "sgxtcbcomp04svn"),
        NAMED(4, "sgxtcbcomp05svn"),
        NAMED(5, "sgxtcbcomp06svn"),
        NAMED(6, "sgxtcbcomp07svn"),
        NAMED(7, "sgxtcbcomp08svn"),
        NAMED(8, "sgxtcbcomp09svn"),
        NAMED(9, "sgxtcbcomp10svn"),
        NAMED(10, "sgxtcbcomp11svn"),
        NAMED(11, "sgxtcbcomp12svn"),
        NAMED(12, "sgxtcbcomp13svn"),
        NAMED(13, "sgxtcbcomp14svn"),
        NAMED(14, "sgxtcbcomp15svn"),
        NAMED(15, "sgxtcbcomp16svn"),
    };
    struct tcb_svns *out = svns;
    (void)size;
    return json_reader_fields(r, fields, COUNT(fields), out, &out->members);
}

static bool read_levels(struct json_reader *r, void *tcb_levels, size_t size)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct tcb_level, tcb, "tcb", read_svns),
        JSON_FIELD(struct tcb_level, says.date_s, "tcbDate", json_field_date),
        JSON_FIELD(struct tcb_level, says.status, "tcbStatus", level_read_platform_status),
        JSON_FIELD_OPTIONAL(struct tcb_level, says.advisories, "advisoryIDs",
                            level_read_advisories),
    };
    struct tcb_levels *levels = tcb_levels;
    (void)size;
    if (!json_reader_array(r))
        return false;
    while (json_reader_more(r)) {
        if (levels->count == TCB_LEVELS_MAX)
            return json_reader_refuse(r, "too many levels");
        struct tcb_level *level = &levels->level[levels->count++];
        if (!json_reader_fields(r, fields, COUNT(fields), level, NULL))
            return false;
    }
    if (r->problem == NULL && levels->count == 0)
        return json_reader_refuse(r, "no levels");
    return r->problem == NULL;
}

static bool read_base_module(struct json_reader *r, void *tdx_module, size_t size)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct tdx_module, mrsigner, "mrsigner", json_field_hex),
        JSON_FIELD(struct tdx_module, attributes, "attributes", json_field_hex),
        JSON_FIELD(struct tdx_module, attributes_mask, "attributesMask", json_field_hex),
    };
    (void)size;
    return json_reader_fields(r, fields, COUNT(fields), tdx_module, NULL);
}

/* "TDX_" and two hexadecimal digits, in either case. */
static bool read_module_id(struct json_reader *r, void *version, size_t size)
{
    char id[8];
    if (!json_reader_text(r, id, sizeof id))
        return false;
    return strncasecmp(id, "TDX_", 4) == 0 && hex_decode(slice_str(&id[4]), version, size)
               ? true
               : json_reader_refuse(r, "not the id of a TDX module");
}

static const struct tdx_module *find_module(const struct tdx_modules *modules, uint8_t version)
{
    for (size_t i = 0; i < modules->count; i++)
        if (modules->module[i].version == version)
            return &modules->module[i];
    return NULL;
}

static bool read_modules(struct json_reader *r, void *tdx_modules, size_t size)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct tdx_module, version, "id", read_module_id),
        JSON_FIELD(struct tdx_module, mrsigner, "mrsigner", json_field_hex),
        JSON_FIELD(struct tdx_module, attributes, "attributes", json_field_hex),
        JSON_FIELD(struct tdx_module, attributes_mask, "attributesMask", json_field_hex),
        JSON_FIELD(struct tdx_module, levels, "tcbLevels", level_read_isv_list),
    };
    struct tdx_modules *modules = tdx_modules;
    (void)size;
    if (!json_reader_array(r))
        return false;
    while (json_reader_more(r)) {
        if (modules->count == TCB_MODULES_MAX)
            return json_reader_refuse(r, "too many TDX modules");
        struct tdx_module *module = &modules->module[modules->count];
        if (!json_reader_fields(r, fields, COUNT(fields), module, NULL))
            return false;
        if (find_module(modules, module->version) != NULL)
            return json_reader_refuse(r, "two identities of the same TDX module");
        modules->count++;
    }
    return r->problem == NULL;
}

/* Descending by SGX components, PCE SVN, TDX components. */
static int compare_svns(const struct tcb_svns *a, const struct tcb_svns *b)
{
    int order = memcmp(a->sgx, b->sgx, sizeof a->sgx);
    if (order == 0)
        order = (int)a->pcesvn - (int)b->pcesvn;
    return order != 0 ? order : memcmp(a->tdx, b->tdx, sizeof a->tdx);
}

/* Insertion sort: real documents are sorted already. False when two levels are alike. */
static bool sort_levels(struct tcb_levels *levels)
{
    for (size_t i = 1; i < levels->count; i++) {
        size_t at = i;
        while (at > 0 && compare_svns(&levels->level[at - 1].tcb, &levels->level[i].tcb) < 0)
            at--;
        if (at > 0 && compare_svns(&levels->level[at - 1].tcb, &levels->level[i].tcb) == 0)
            return false;
        if (at == i)
            continue;
        struct tcb_level moved = levels->level[i];
        memmove(&levels->level[at + 1], &levels->level[at], (i - at) * sizeof moved);
        levels->level[at] = moved;
    }
    return true;
}

static bool bad(struct error *err, const char *field, const char *what)
{
    return error_set(err, "collateral/format", field, "%s: %s", field, what);
}

/* Which document is it? */
static bool check_kind(struct tcb_info *info, struct error *err)
{
    if (info->version != 2 && info->version != 3)
        return error_set(err, "collateral/format", "tcbInfo.version",
                         "tcbInfo.version is %u, known are 2 and 3", info->version);
    if (strcmp(info->id, "TDX") == 0)
        info->tee = TEE_TDX;
    else if (strcmp(info->id, "SGX") == 0 || (info->version == 2 && info->id[0] == 0))
        info->tee = TEE_SGX;
    else
        return bad(err, "tcbInfo.id", "neither SGX nor TDX");
    if (info->tee == TEE_TDX && info->version != 3)
        return bad(err, "tcbInfo.version", "TDX has no version below 3");
    if (info->tcb_type != 0)
        return error_set(err, "collateral/format", "tcbInfo.tcbType",
                         "tcbInfo.tcbType is %u, known is 0 alone", info->tcb_type);
    return true;
}

static bool check_levels(struct tcb_info *info, struct error *err)
{
    uint32_t wanted = info->version == 3 ? SEEN(SEEN_SGX_LIST) : SEEN_ALL_NAMED;
    uint32_t either = SEEN(SEEN_SGX_LIST) | SEEN_ALL_NAMED;
    for (size_t i = 0; i < info->levels.count; i++) {
        struct tcb_svns *tcb = &info->levels.level[i].tcb;
        if ((tcb->members & either) != wanted)
            return bad(err, "tcbInfo.tcbLevels", "the SGX components are not those of the version");
        if (info->tee == TEE_SGX)
            memset(tcb->tdx, 0, sizeof tcb->tdx);
        else if ((tcb->members & SEEN(SEEN_TDX_LIST)) == 0)
            return bad(err, "tcbInfo.tcbLevels", "a level without tdxtcbcomponents");
    }
    return sort_levels(&info->levels)
               ? true
               : bad(err, "tcbInfo.tcbLevels", "two levels with the same SVNs");
}

bool tcb_info_parse(struct slice document, struct tcb_info *out, struct error *err)
{
    static const struct json_field fields[] = {
        JSON_FIELD_OPTIONAL(struct tcb_info, id, "id", json_field_text),
        JSON_FIELD_OPTIONAL(struct tcb_info, base, "tdxModule", read_base_module),
        JSON_FIELD_OPTIONAL(struct tcb_info, modules, "tdxModuleIdentities", read_modules),
        JSON_FIELD(struct tcb_info, version, "version", json_field_uint),
        JSON_FIELD(struct tcb_info, issue_s, "issueDate", json_field_date),
        JSON_FIELD(struct tcb_info, next_s, "nextUpdate", json_field_date),
        JSON_FIELD(struct tcb_info, fmspc, "fmspc", json_field_hex),
        JSON_FIELD(struct tcb_info, pceid, "pceId", json_field_hex),
        JSON_FIELD(struct tcb_info, tcb_type, "tcbType", json_field_uint),
        JSON_FIELD(struct tcb_info, evaluation_number, "tcbEvaluationDataNumber", json_field_uint),
        JSON_FIELD(struct tcb_info, levels, "tcbLevels", read_levels),
    };
    enum { HAS_BASE_MODULE = 1 << 1 };
    struct json_reader r;
    uint32_t seen = 0;
    memset(out, 0, sizeof *out);
    json_reader_open(&r, document);
    if (!json_reader_fields(&r, fields, COUNT(fields), out, &seen) || !json_reader_finish(&r))
        return json_reader_error(&r, "collateral/format", "tcbInfo", err);
    if (!check_kind(out, err))
        return false;
    if (out->tee == TEE_TDX && (seen & HAS_BASE_MODULE) == 0)
        return bad(err, "tcbInfo.tdxModule", "is missing");
    return check_levels(out, err);
}

const struct tdx_module *tcb_info_module(const struct tcb_info *info, uint8_t version)
{
    return version == 0 ? &info->base : find_module(&info->modules, version);
}
