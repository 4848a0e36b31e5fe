/* MRTD by the cheapest way there is, and GCP's metadata server. */
#include "platform/tee_info.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/secret.h"
#include "http/client.h"
#include "platform/limits.h"
#include "platform/rtmr.h"
#include "quote/quote.h"

#define TDX_DEVICE   "/dev/tdx_guest"
#define METADATA_URL "http://metadata.google.internal/computeMetadata/v1/instance/image"

static const struct tee_places real_places = {
    .tdx_class = TDX_CLASS, .tdx_device = TDX_DEVICE, .metadata_url = METADATA_URL};

static struct tee_places fill_in(const struct tee_places *given)
{
    struct tee_places p = given != NULL ? *given : real_places;
    if (p.tdx_class == NULL)
        p.tdx_class = real_places.tdx_class;
    if (p.tdx_device == NULL)
        p.tdx_device = real_places.tdx_device;
    if (p.metadata_url == NULL)
        p.metadata_url = real_places.metadata_url;
    return p;
}

/* ---- MRTD ---- */

/* linux/tdx-guest.h, spelled out because older headers lack it. */
struct tdx_report_request {
    uint8_t reportdata[REPORT_DATA_LEN];
    uint8_t tdreport[TDREPORT_LEN];
};
#define GET_REPORT0 _IOWR('T', 1, struct tdx_report_request)
_Static_assert(GET_REPORT0 == 0xc4405401, "the number that the kernel knows");

bool tee_mrtd_of_report(struct slice report, uint8_t out[MRTD_LEN])
{
    enum { MRTD_AT = 528 };
    if (report.len != TDREPORT_LEN)
        return false;
    memcpy(out, slice_cut(report, MRTD_AT, MRTD_LEN).data, MRTD_LEN);
    return true;
}

static bool mrtd_by_report(const char *device, uint8_t out[MRTD_LEN], struct error *err)
{
    struct tdx_report_request request = {{0}, {0}};
    int fd = open(device, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, "platform/no-tee", device, "cannot open %s: %s", device,
                         strerror(errno));
    int rc = ioctl(fd, GET_REPORT0, &request);
    int why = errno;
    close(fd);
    if (rc != 0)
        return error_set(err, "platform/no-tee", device, "%s gives no report: %s", device,
                         strerror(why));
    return tee_mrtd_of_report(slice_of(request.tdreport, sizeof request.tdreport), out);
}

static bool mrtd_by_quote(struct quote_source *quotes, uint8_t out[MRTD_LEN], struct error *err)
{
    uint8_t report_data[REPORT_DATA_LEN];
    struct buf bytes BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    struct quote q;
    if (quotes == NULL)
        return error_set(err, "platform/no-tee", NULL, "no source of quotes");
    random_bytes(report_data, sizeof report_data);
    if (!quote_source_take(quotes, report_data, &bytes, NULL, err) ||
        !quote_parse(buf_slice(&bytes), &q, err))
        return false;
    if (q.td.mrtd == NULL)
        return error_set(err, "platform/no-tee", NULL, "the quote is not one of a TD");
    memcpy(out, q.td.mrtd, MRTD_LEN);
    return true;
}

bool tee_read_mrtd(const struct tee_places *places, struct quote_source *quotes,
                   uint8_t out[MRTD_LEN], const char **from, struct error *err)
{
    struct tee_places p = fill_in(places);
    struct error no_sysfs = {0};
    struct error no_report = {0};
    struct error no_quote = {0};
    const char *way = NULL;
    if (tdx_measurement_read(p.tdx_class, "mrtd:sha384", out, &no_sysfs))
        way = "sysfs";
    else if (mrtd_by_report(p.tdx_device, out, &no_report))
        way = "report";
    else if (mrtd_by_quote(quotes, out, &no_quote))
        way = "quote";
    if (way == NULL)
        return error_set(err, "platform/no-tee", "mrtd", "this machine shows no MRTD: %s; %s; %s",
                         no_sysfs.message, no_report.message, no_quote.message);
    if (from != NULL)
        *from = way;
    return true;
}

/* ---- cloud ---- */

static bool says_google(const struct http_response *response)
{
    struct slice flavor;
    return http_response_header(response, "Metadata-Flavor", &flavor) &&
           slice_equal_str(flavor, "Google");
}

static bool ask_metadata(const char *url, const atomic_bool *cancel, struct http_response *response)
{
    const struct http_client_options options = {.ignore_proxy = true, .cancel = cancel};
    const struct http_request request = {.method = "GET",
                                         .url = url,
                                         .headers = {"Metadata-Flavor: Google"},
                                         .timeout_ms = METADATA_TIMEOUT_MS,
                                         .body_max = METADATA_REPLY_MAX};
    struct http_client *client HTTP_CLIENT_AUTO = NULL;
    return http_client_open(&options, &client, NULL) &&
           http_client_call(client, &request, response, NULL) && response->status == 200 &&
           says_google(response);
}

static void copy_printable(struct slice text, char out[OS_IMAGE_TEXT_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < OS_IMAGE_TEXT_MAX - 1; i++)
        if (text.data[i] > 0x20 && text.data[i] < 0x7f)
            out[len++] = (char)text.data[i];
    out[len] = '\0';
}

struct tee_cloud tee_read_cloud(const struct tee_places *places, const atomic_bool *cancel)
{
    struct tee_places p = fill_in(places);
    struct tee_cloud cloud = {.provider = "unknown", .os_image = "unknown"};
    struct http_response response HTTP_RESPONSE_AUTO = {0};
    if (!ask_metadata(p.metadata_url, cancel, &response))
        return cloud;
    cloud.provider = "gcp";
    if (response.body.len > 0)
        copy_printable(buf_slice(&response.body), cloud.os_image);
    return cloud;
}
