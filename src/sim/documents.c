/* Writers and defaults of TCB info v3 and QE identity v2 (DCAP facts 4.3, 4.4). The default levels
 * are shaped like a real document of a Sapphire Rapids server, with our own numbers. */
#include "sim/documents.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "sim/days.h"

enum { DOCUMENT_DAYS = 30 };

const struct sim_svns sim_svns_current = {
    .components = {8, 8, 2, 2, 4, 1, 0, 6},
    .pcesvn = 13,
    .tee_tcb_svn = {7, 1, 8},
    .qe_isvsvn = 6,
};

/* --- writing --- */

static void put_hex(struct buf *out, const char *name, const uint8_t *data, size_t len)
{
    char upper[2 * 48 + 1];
    hex_encode(slice_of(data, len), upper);
    for (char *at = upper; *at != '\0'; at++)
        if (*at >= 'a' && *at <= 'f')
            *at = (char)(*at - 'a' + 'A');
    buf_printf(out, "\"%s\":\"%s\"", name, upper);
}

static void put_dates(struct buf *out, int64_t issue_s, int64_t next_update_s)
{
    char issue[TIME_TEXT_MAX];
    char next[TIME_TEXT_MAX];
    time_format_utc(issue_s, issue);
    time_format_utc(next_update_s, next);
    buf_printf(out, "\"issueDate\":\"%s\",\"nextUpdate\":\"%s\"", issue, next);
}

/* tcbDate, tcbStatus and the advisories: the tail of every level. */
static void put_judgement(struct buf *out, int64_t date_s, const char *status,
                          const char *const advisories[SIM_ADVISORIES_MAX])
{
    char date[TIME_TEXT_MAX];
    time_format_utc(date_s, date);
    buf_printf(out, "\"tcbDate\":\"%s\",\"tcbStatus\":\"%s\"", date, status);
    for (size_t i = 0; i < SIM_ADVISORIES_MAX && advisories[i] != NULL; i++)
        buf_printf(out, "%s\"%s\"", i == 0 ? ",\"advisoryIDs\":[" : ",", advisories[i]);
    buf_append_str(out, advisories[0] != NULL ? "]}" : "}");
}

static void put_svn_levels(struct buf *out, const struct sim_svn_level *levels, size_t count)
{
    buf_append_str(out, "\"tcbLevels\":[");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s{\"tcb\":{\"isvsvn\":%u},", i == 0 ? "" : ",", levels[i].isvsvn);
        put_judgement(out, levels[i].date_s, levels[i].status, levels[i].advisories);
    }
    buf_append_str(out, "]");
}

/* Intel says for some components what they are; verifiers must not care. */
static const char *const sgx_component_notes[16] = {
    [0] = ",\"category\":\"BIOS\",\"type\":\"Early Microcode Update\"",
    [1] = ",\"category\":\"OS/VMM\",\"type\":\"SGX Late Microcode Update\"",
    [2] = ",\"category\":\"OS/VMM\",\"type\":\"TXT SINIT\"",
    [3] = ",\"category\":\"BIOS\"",
    [4] = ",\"category\":\"BIOS\"",
    [5] = ",\"category\":\"BIOS\"",
    [7] = ",\"category\":\"OS/VMM\",\"type\":\"SEAMLDR ACM\"",
};
static const char *const tdx_component_notes[16] = {
    [0] = ",\"category\":\"OS/VMM\",\"type\":\"TDX Module\"",
    [1] = ",\"category\":\"OS/VMM\",\"type\":\"TDX Module\"",
    [2] = ",\"category\":\"OS/VMM\",\"type\":\"TDX Late Microcode Update\"",
};

static void put_components(struct buf *out, const char *name, const uint32_t svns[16],
                           const char *const notes[16])
{
    buf_printf(out, "\"%s\":[", name);
    for (size_t i = 0; i < 16; i++) {
        buf_printf(out, "%s{\"svn\":%u%s}", i == 0 ? "" : ",", svns[i],
                   notes[i] == NULL ? "" : notes[i]);
    }
    buf_append_str(out, "]");
}

static void put_level(struct buf *out, const struct sim_tcb_level *level, bool tdx)
{
    buf_append_str(out, "{\"tcb\":{");
    put_components(out, "sgxtcbcomponents", level->sgx, sgx_component_notes);
    buf_printf(out, ",\"pcesvn\":%u", level->pcesvn);
    if (tdx) {
        buf_append_str(out, ",");
        put_components(out, "tdxtcbcomponents", level->tdx, tdx_component_notes);
    }
    buf_append_str(out, "},");
    put_judgement(out, level->date_s, level->status, level->advisories);
}

static void put_module_values(struct buf *out, const uint8_t mrsigner[48],
                              const uint8_t attributes[8], const uint8_t mask[8])
{
    put_hex(out, "mrsigner", mrsigner, 48);
    buf_append_str(out, ",");
    put_hex(out, "attributes", attributes, 8);
    buf_append_str(out, ",");
    put_hex(out, "attributesMask", mask, 8);
}

static void put_modules(struct buf *out, const struct sim_tcb_info *info)
{
    if (info->has_module) {
        buf_append_str(out, ",\"tdxModule\":{");
        put_module_values(out, info->module_mrsigner, info->module_attributes,
                          info->module_attributes_mask);
        buf_append_str(out, "}");
    }
    if (!info->has_module_identities)
        return;
    buf_append_str(out, ",\"tdxModuleIdentities\":[");
    for (size_t i = 0; i < info->identity_count; i++) {
        const struct sim_module_identity *identity = &info->identities[i];
        buf_printf(out, "%s{\"id\":\"%s\",", i == 0 ? "" : ",", identity->id);
        put_module_values(out, identity->mrsigner, identity->attributes, identity->attributes_mask);
        buf_append_str(out, ",");
        put_svn_levels(out, identity->levels, identity->level_count);
        buf_append_str(out, "}");
    }
    buf_append_str(out, "]");
}

static bool written(const struct buf *out, struct error *err)
{
    return !out->failed || error_set(err, "sim/limit", NULL, "document is too long");
}

bool sim_tcb_info_write(const struct sim_tcb_info *info, struct buf *out, struct error *err)
{
    bool tdx = strcmp(info->id, "TDX") == 0;
    buf_printf(out, "{\"id\":\"%s\",\"version\":%u,", info->id, info->version);
    put_dates(out, info->issue_s, info->next_update_s);
    buf_append_str(out, ",");
    put_hex(out, "fmspc", info->fmspc, sizeof info->fmspc);
    buf_append_str(out, ",");
    put_hex(out, "pceId", info->pceid, sizeof info->pceid);
    buf_printf(out, ",\"tcbType\":%u,\"tcbEvaluationDataNumber\":%u", info->tcb_type,
               info->evaluation_number);
    put_modules(out, info);
    buf_append_str(out, ",\"tcbLevels\":[");
    for (size_t i = 0; i < info->level_count; i++) {
        buf_append_str(out, i == 0 ? "" : ",");
        put_level(out, &info->levels[i], tdx);
    }
    buf_append_str(out, "]}");
    return written(out, err);
}

bool sim_qe_identity_write(const struct sim_qe_identity *identity, struct buf *out,
                           struct error *err)
{
    buf_printf(out, "{\"id\":\"%s\",\"version\":%u,", identity->id, identity->version);
    put_dates(out, identity->issue_s, identity->next_update_s);
    buf_printf(out, ",\"tcbEvaluationDataNumber\":%u,", identity->evaluation_number);
    put_hex(out, "miscselect", identity->miscselect, 4);
    buf_append_str(out, ",");
    put_hex(out, "miscselectMask", identity->miscselect_mask, 4);
    buf_append_str(out, ",");
    put_hex(out, "attributes", identity->attributes, 16);
    buf_append_str(out, ",");
    put_hex(out, "attributesMask", identity->attributes_mask, 16);
    buf_append_str(out, ",");
    put_hex(out, "mrsigner", identity->mrsigner, 32);
    buf_printf(out, ",\"isvprodid\":%u,", identity->isvprodid);
    put_svn_levels(out, identity->levels, identity->level_count);
    buf_append_str(out, "}");
    return written(out, err);
}

void sim_evaluation_numbers_write(const struct sim_tcb_info *info, struct buf *out)
{
    buf_printf(out, "{\"id\":\"%s\",\"version\":1,", info->id);
    put_dates(out, info->issue_s, info->next_update_s);
    buf_append_str(out, ",\"tcbEvalNumbers\":[");
    for (uint32_t i = 0; i < 2; i++) {
        char date[TIME_TEXT_MAX];
        int64_t event_s = info->issue_s - (int64_t)(i == 0 ? 90 : 450) * DAY_S;
        time_format_utc(event_s, date);
        buf_printf(out, "%s{\"tcbEvaluationDataNumber\":%u,\"tcbRecoveryEventDate\":\"%s\",",
                   i == 0 ? "" : ",", info->evaluation_number + 1 - i, date);
        buf_printf(out, "\"tcbDate\":\"%s\"}", date);
    }
    buf_append_str(out, "]}");
}

bool sim_document_sign(struct slice document, const struct sim_key *signer,
                       char out[SIM_SIGNATURE_HEX_LEN + 1], struct error *err)
{
    uint8_t signature[SIM_SIGNATURE_LEN];
    if (!sim_key_sign(signer, document, signature, err))
        return false;
    hex_encode(slice_of(signature, sizeof signature), out);
    return true;
}

bool sim_text_replace(struct buf *text, const char *from, const char *to, struct error *err)
{
    const char *all = buf_cstr(text);
    const char *at = all == NULL ? NULL : strstr(all, from);
    if (at == NULL)
        return error_set(err, "sim/text", from, "the text does not contain it");
    size_t before = (size_t)(at - all);
    struct buf edited = BUF_INIT(text->max);
    buf_append(&edited, slice_cut(buf_slice(text), 0, before));
    buf_append_str(&edited, to);
    buf_append(&edited, slice_cut(buf_slice(text), before + strlen(from), text->len));
    if (edited.failed) {
        buf_free(&edited);
        return error_set(err, "sim/limit", from, "the edited text is too long");
    }
    buf_free(text);
    *text = edited;
    return true;
}

/* --- defaults --- */

static int64_t date(int year, int month, int day)
{
    int64_t out = 0;
    return time_from_civil(year, month, day, 0, 0, 0, &out) ? out : 0;
}

/* How each default level differs from the current SVNs: by the late microcode SVN (SGX component 2,
 * TDX component 3) and the PCE's. */
static const struct {
    uint32_t microcode, pcesvn;
    int year, month, day;
    const char *status;
    const char *advisories[3];
} default_levels[] = {
    {8, 13, 2025, 5, 14, "UpToDate", {NULL}},
    {7, 13, 2024, 11, 13, "SWHardeningNeeded", {"INTEL-SA-00615"}},
    {6, 13, 2024, 8, 14, "ConfigurationNeeded", {"INTEL-SA-00837"}},
    {5, 13, 2024, 3, 13, "OutOfDate", {"INTEL-SA-01036", "INTEL-SA-01099"}},
    {4, 13, 2023, 8, 9, "OutOfDate", {"INTEL-SA-00960", "INTEL-SA-01036", "INTEL-SA-01099"}},
    {4, 5, 2023, 2, 15, "OutOfDate", {"INTEL-SA-00837", "INTEL-SA-00960", "INTEL-SA-01036"}},
    {2, 5, 2018, 1, 4, "Revoked", {"INTEL-SA-00106", "INTEL-SA-00115"}},
};

static void default_level(struct sim_tcb_level *level, size_t i)
{
    memset(level, 0, sizeof *level);
    memcpy(level->sgx, sim_svns_current.components, sizeof level->sgx);
    level->sgx[1] = default_levels[i].microcode;
    level->pcesvn = default_levels[i].pcesvn;
    /* Real levels keep 0 for the module version and an old SVN: the module identities judge both.
     */
    level->tdx[0] = 5;
    level->tdx[2] = default_levels[i].microcode;
    level->date_s = date(default_levels[i].year, default_levels[i].month, default_levels[i].day);
    level->status = default_levels[i].status;
    for (size_t a = 0; a < 3; a++)
        level->advisories[a] = default_levels[i].advisories[a];
}

static void default_identity(struct sim_module_identity *identity, const char *id,
                             uint32_t current_svn)
{
    memset(identity, 0, sizeof *identity);
    snprintf(identity->id, sizeof identity->id, "%s", id);
    memset(identity->attributes_mask, 0xff, sizeof identity->attributes_mask);
    identity->levels[0] = (struct sim_svn_level){current_svn, date(2025, 5, 14), "UpToDate", {0}};
    identity->levels[1] = (struct sim_svn_level){
        current_svn - 2, date(2024, 3, 13), "OutOfDate", {"INTEL-SA-01036", "INTEL-SA-01192"}};
    identity->level_count = 2;
}

void sim_tcb_info_defaults(struct sim_tcb_info *info, bool tdx, const uint8_t fmspc[6],
                           int64_t now_s)
{
    memset(info, 0, sizeof *info);
    snprintf(info->id, sizeof info->id, "%s", tdx ? "TDX" : "SGX");
    info->version = 3;
    info->issue_s = sim_day_start(now_s);
    info->next_update_s = info->issue_s + DOCUMENT_DAYS * (int64_t)DAY_S;
    memcpy(info->fmspc, fmspc, sizeof info->fmspc);
    info->evaluation_number = SIM_EVALUATION_NUMBER;
    info->has_module = info->has_module_identities = tdx;
    memset(info->module_attributes_mask, 0xff, sizeof info->module_attributes_mask);
    if (tdx) {
        default_identity(&info->identities[0], "TDX_03", 5);
        default_identity(&info->identities[1], "TDX_01", sim_svns_current.tee_tcb_svn[0]);
        info->identity_count = 2;
    }
    info->level_count = sizeof default_levels / sizeof default_levels[0];
    for (size_t i = 0; i < info->level_count; i++)
        default_level(&info->levels[i], i);
}

/* The two quoting enclaves' signers, as in Intel's documents. */
static const uint8_t td_qe_mrsigner[32] = {
    0xdc, 0x9e, 0x2a, 0x7c, 0x6f, 0x94, 0x8f, 0x17, 0x47, 0x4e, 0x34, 0xa7, 0xfc, 0x43, 0xed, 0x03,
    0x0f, 0x7c, 0x15, 0x63, 0xf1, 0xba, 0xbd, 0xdf, 0x63, 0x40, 0xc8, 0x2e, 0x0e, 0x54, 0xa8, 0xc5};
static const uint8_t sgx_qe_mrsigner[32] = {
    0x8c, 0x4f, 0x57, 0x75, 0xd7, 0x96, 0x50, 0x3e, 0x96, 0x13, 0x7f, 0x77, 0xc6, 0x8a, 0x82, 0x9a,
    0x00, 0x56, 0xac, 0x8d, 0xed, 0x70, 0x14, 0x0b, 0x08, 0x1b, 0x09, 0x44, 0x90, 0xc5, 0x7b, 0xff};

void sim_qe_identity_defaults(struct sim_qe_identity *identity, bool tdx, int64_t now_s)
{
    static const uint8_t attributes_mask[8] = {0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    memset(identity, 0, sizeof *identity);
    snprintf(identity->id, sizeof identity->id, "%s", tdx ? "TD_QE" : "QE");
    identity->version = 2;
    identity->issue_s = sim_day_start(now_s);
    identity->next_update_s = identity->issue_s + DOCUMENT_DAYS * (int64_t)DAY_S;
    identity->evaluation_number = SIM_EVALUATION_NUMBER;
    memset(identity->miscselect_mask, 0xff, sizeof identity->miscselect_mask);
    identity->attributes[0] = 0x11; /* INIT, PROVISION_KEY */
    memcpy(identity->attributes_mask, attributes_mask, sizeof attributes_mask);
    memcpy(identity->mrsigner, tdx ? td_qe_mrsigner : sgx_qe_mrsigner, 32);
    identity->isvprodid = tdx ? 2 : 1;
    identity->levels[0] =
        (struct sim_svn_level){sim_svns_current.qe_isvsvn - 2u, date(2025, 5, 14), "UpToDate", {0}};
    identity->levels[1] =
        (struct sim_svn_level){2, date(2023, 2, 15), "OutOfDate", {"INTEL-SA-00477"}};
    identity->level_count = 2;
}
