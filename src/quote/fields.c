/* Names and places of the fields of report bodies. Spec: DCAP facts 1.2, reference facts E.2. */
#include "quote/fields.h"

static size_t sgx_fields(const struct sgx_report *r, struct quote_field *out)
{
    const struct quote_field all[] = {
        {"cpusvn", r->cpusvn, 16},         {"miscselect", r->miscselect_bytes, 4},
        {"attributes", r->attributes, 16}, {"mrenclave", r->mrenclave, 32},
        {"mrsigner", r->mrsigner, 32},     {"reportdata", r->reportdata, QUOTE_REPORT_DATA_LEN},
    };
    size_t count = sizeof all / sizeof all[0];
    for (size_t i = 0; i < count; i++)
        out[i] = all[i];
    return count;
}

static size_t td_fields(const struct td_report *r, struct quote_field *out)
{
    const struct quote_field all[] = {
        {"teeTcbSvn", r->tee_tcb_svn, 16},
        {"mrseam", r->mrseam, 48},
        {"mrsignerseam", r->mrsignerseam, 48},
        {"seamattributes", r->seamattributes, 8},
        {"tdattributes", r->tdattributes, 8},
        {"xfam", r->xfam, 8},
        {"mrtd", r->mrtd, 48},
        {"mrconfigid", r->mrconfigid, 48},
        {"mrowner", r->mrowner, 48},
        {"mrownerconfig", r->mrownerconfig, 48},
        {"rtmr0", r->rtmr[0], 48},
        {"rtmr1", r->rtmr[1], 48},
        {"rtmr2", r->rtmr[2], 48},
        {"rtmr3", r->rtmr[3], 48},
        {"reportdata", r->reportdata, QUOTE_REPORT_DATA_LEN},
        {"teeTcbSvn2", r->tee_tcb_svn2, 16},
        {"mrservicetd", r->mrservicetd, 48},
        {"vmid", r->vmid, 1},
        {"tdId", r->td_id, 32},
        {"devinfoHash", r->devinfo_hash, 48},
        {"initServtdHash", r->init_servtd_hash, 48},
        {"initServtdAttr", r->init_servtd_attr, 8},
        {"initCpusvn", r->init_cpusvn, 16},
        {"initTeeTcbSvn", r->init_tee_tcb_svn, 16},
        {"initTeeFmspc", r->init_tee_fmspc, 12},
        {"curServtdHash", r->cur_servtd_hash, 48},
        {"curServtdAttr", r->cur_servtd_attr, 8},
    };
    _Static_assert(sizeof all / sizeof all[0] <= QUOTE_FIELDS_MAX, "the fields fit");
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].bytes != NULL)
            out[count++] = all[i];
    return count;
}

size_t quote_body_fields(const struct quote *q, struct quote_field out[QUOTE_FIELDS_MAX])
{
    return q->body_type == QUOTE_BODY_SGX ? sgx_fields(&q->sgx, out) : td_fields(&q->td, out);
}

const char *quote_cert_type_reference_name(enum quote_cert_type type)
{
    switch (type) {
    case QUOTE_CERT_PPID_PLAIN:
        return "PckIdPpidPlainCpusvnPcesvn";
    case QUOTE_CERT_PPID_RSA2048:
        return "PckIdPpidRSA2048CpusvnPcesvn";
    case QUOTE_CERT_PPID_RSA3072:
        return "PckIdPpidRSA3072CpusvnPcesvn";
    case QUOTE_CERT_PCK_LEAF:
        return "PckLeafCert";
    case QUOTE_CERT_PCK_CHAIN:
        return "PckCertChain";
    case QUOTE_CERT_QE_REPORT:
        return "QeReportCertificationData";
    case QUOTE_CERT_PLATFORM_MANIFEST:
        return "PlatformManifest";
    }
    return "Unknown";
}
