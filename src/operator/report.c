/* Verdicts for operators, as JSON and as text. */
#include "operator/report.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/codec.h"

enum { HEX_MAX = 2 * 64 + 1, MEASUREMENTS_MAX = 16 };

/* One named byte string of a verdict. */
struct named_bytes {
    const char *name;
    struct slice bytes;
};

/* Measurements in the order of the quote; returns their number. */
static size_t measurements_of(const struct verdict *v, struct named_bytes out[MEASUREMENTS_MAX])
{
    const struct named_bytes tdx[] = {
        {"mrtd", slice_of(v->mrtd, 48)},
        {"rtmr0", slice_of(v->rtmr[0], 48)},
        {"rtmr1", slice_of(v->rtmr[1], 48)},
        {"rtmr2", slice_of(v->rtmr[2], 48)},
        {"rtmr3", slice_of(v->rtmr[3], 48)},
        {"mrseam", slice_of(v->mrseam, 48)},
        {"mrsignerseam", slice_of(v->mrsignerseam, 48)},
        {"mrconfigid", slice_of(v->mrconfigid, 48)},
        {"mrowner", slice_of(v->mrowner, 48)},
        {"mrownerconfig", slice_of(v->mrownerconfig, 48)},
        {"mrservicetd", slice_of(v->mrservicetd, 48)},
        {"td_attributes", slice_of(v->tdattributes, 8)},
        {"xfam", slice_of(v->xfam, 8)},
        {"tee_tcb_svn", slice_of(v->tee_tcb_svn, 16)},
    };
    const struct named_bytes sgx[] = {
        {"mrenclave", slice_of(v->mrenclave, 32)},
        {"mrsigner", slice_of(v->mrsigner, 32)},
        {"attributes", slice_of(v->sgx_attributes, 16)},
    };
    const struct named_bytes *from = v->tee == TEE_TDX ? tdx : sgx;
    size_t count = v->tee == TEE_TDX ? sizeof tdx / sizeof tdx[0] : sizeof sgx / sizeof sgx[0];
    for (size_t i = 0; i < count; i++)
        out[i] = from[i];
    return count;
}

static json_t *json_hex(struct slice bytes)
{
    char text[HEX_MAX];
    hex_encode(bytes, text);
    return json_string(text);
}

static json_t *json_time(int64_t unix_s)
{
    char text[TIME_TEXT_MAX];
    time_format_utc(unix_s, text);
    return json_string(text);
}

static json_t *json_status(enum tcb_status status)
{
    return json_string(tcb_status_name(status));
}

static void add_statuses(json_t *obj, const struct verdict *v)
{
    json_object_set_new(obj, "tcb_status", json_status(v->status));
    json_object_set_new(obj, "platform_tcb_status", json_status(v->platform_status));
    if (v->has_module_status)
        json_object_set_new(obj, "tdx_module_tcb_status", json_status(v->module_status));
    json_object_set_new(obj, "qe_tcb_status", json_status(v->qe_status));
    if (v->has_current_status)
        json_object_set_new(obj, "current_tcb_status", json_status(v->current_status));
    json_t *advisories = json_array();
    for (size_t i = 0; i < v->advisory_count; i++)
        json_array_append_new(advisories, json_string(v->advisories[i]));
    json_object_set_new(obj, "advisory_ids", advisories);
    json_object_set_new(obj, "tcb_evaluation_data_number",
                        json_integer(v->tcb_evaluation_data_number));
    json_object_set_new(obj, "tcb_date", json_time(v->tcb_date_s));
    json_object_set_new(obj, "collateral_expires", json_time(v->earliest_expiry_s));
}

static void add_platform(json_t *obj, const struct verdict *v)
{
    json_object_set_new(obj, "fmspc", json_hex(slice_of(v->fmspc, 6)));
    json_object_set_new(obj, "pceid", json_hex(slice_of(v->pceid, 2)));
    json_object_set_new(obj, "ppid", json_hex(slice_of(v->ppid, 16)));
    if (v->has_platform_instance_id)
        json_object_set_new(obj, "platform_instance_id",
                            json_hex(slice_of(v->platform_instance_id, 16)));
    json_object_set_new(obj, "tee", json_string(v->tee == TEE_TDX ? "TDX" : "SGX"));
    json_object_set_new(obj, "quote_version", json_integer(v->quote_version));
    json_object_set_new(obj, "body_type", json_integer(v->body_type));
}

static void add_verdict(json_t *obj, const struct verdict *v)
{
    struct named_bytes list[MEASUREMENTS_MAX];
    size_t count = measurements_of(v, list);
    add_statuses(obj, v);
    add_platform(obj, v);
    json_t *measurements = json_object(), *gaps = json_array();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(measurements, list[i].name, json_hex(list[i].bytes));
    json_object_set_new(obj, "measurements", measurements);
    json_object_set_new(obj, "report_data", json_hex(slice_of(v->report_data, 64)));
    for (size_t i = 0; i < v->gap_count; i++)
        json_array_append_new(gaps, json_pack("{s:s, s:I, s:I}", "svn", v->gaps[i].what, "has",
                                              (json_int_t)v->gaps[i].has, "needs",
                                              (json_int_t)v->gaps[i].needs));
    json_object_set_new(obj, "svn_gaps", gaps);
}

json_t *report_json(const struct report *r)
{
    json_t *obj = json_object();
    json_object_set_new(obj, "schema", json_string("mero.verify/1"));
    json_object_set_new(obj, "verified", json_boolean(r->verified));
    json_object_set_new(obj, "checked_at", json_time(r->at_s));
    if (r->verdict != NULL)
        add_verdict(obj, r->verdict);
    if (r->error != NULL) {
        json_t *error = json_pack("{s:s, s:s, s:s}", "code", r->error->code, "field",
                                  r->error->field, "message", r->error->message);
        if (r->refusal != NULL && r->refusal->nearest[0] != 0)
            json_object_set_new(error, "nearest", json_string(r->refusal->nearest));
        json_object_set_new(obj, "error", error);
    }
    return obj;
}

static void text_hex(struct buf *out, const char *name, struct slice bytes)
{
    buf_printf(out, "  %-22s", name);
    hex_append(out, bytes);
    buf_append_byte(out, '\n');
}

static void text_status(struct buf *out, const struct verdict *v)
{
    char expires[TIME_TEXT_MAX], date[TIME_TEXT_MAX];
    time_format_utc(v->earliest_expiry_s, expires);
    time_format_utc(v->tcb_date_s, date);
    buf_printf(out, "  %-22s%s (platform %s%s%s, QE %s)\n", "TCB status",
               tcb_status_name(v->status), tcb_status_name(v->platform_status),
               v->has_module_status ? ", TDX module " : "",
               v->has_module_status ? tcb_status_name(v->module_status) : "",
               tcb_status_name(v->qe_status));
    for (size_t i = 0; i < v->gap_count; i++)
        buf_printf(out, "  %-22s%s is %u, needs %u\n", i == 0 ? "behind" : "", v->gaps[i].what,
                   v->gaps[i].has, v->gaps[i].needs);
    for (size_t i = 0; i < v->advisory_count; i++)
        buf_printf(out, "  %-22s%s\n", i == 0 ? "advisories" : "", v->advisories[i]);
    buf_printf(out, "  %-22s%u, TCB date %s\n", "evaluation number", v->tcb_evaluation_data_number,
               date);
    buf_printf(out, "  %-22s%s\n", "collateral good until", expires);
}

static void text_verdict(struct buf *out, const struct verdict *v)
{
    struct named_bytes list[MEASUREMENTS_MAX];
    size_t count = measurements_of(v, list);
    text_status(out, v);
    text_hex(out, "FMSPC", slice_of(v->fmspc, 6));
    text_hex(out, "PPID", slice_of(v->ppid, 16));
    for (size_t i = 0; i < count; i++)
        text_hex(out, list[i].name, list[i].bytes);
    text_hex(out, "report data", slice_of(v->report_data, 64));
}

bool report_text(const struct report *r, struct buf *out)
{
    char at[TIME_TEXT_MAX];
    time_format_utc(r->at_s, at);
    buf_printf(out, "%s at %s\n", r->verified ? "verified" : "REFUSED", at);
    if (r->verdict != NULL)
        text_verdict(out, r->verdict);
    return !out->failed;
}
