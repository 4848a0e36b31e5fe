/* What a node tells about the machine it runs on: MRTD, cloud provider, image. Spec: reference
 * facts E.1, platform facts 3.5 and 5. */
#ifndef PLATFORM_TEE_INFO_H
#define PLATFORM_TEE_INFO_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "platform/quote_source.h"

enum { MRTD_LEN = 48, TDREPORT_LEN = 1024, OS_IMAGE_TEXT_MAX = 256 };

/* Places to look at; NULL = the real ones. Others are for tests. */
struct tee_places {
    const char *tdx_class;  /* /sys/class/misc/tdx_guest */
    const char *tdx_device; /* /dev/tdx_guest */
    const char
        *metadata_url; /* http://metadata.google.internal/computeMetadata/v1/instance/image */
};

/* From sysfs (kernel 6.16 and newer, root), else from a report of the TDX device, else from a quote
 * of `quotes` (may be NULL: then that is left out; it takes a second or more). *from (may be NULL)
 * says which: "sysfs", "report", "quote". Code platform/no-tee; the text has all the reasons. */
bool tee_read_mrtd(const struct tee_places *places, struct quote_source *quotes,
                   uint8_t out[MRTD_LEN], const char **from, struct error *err) MUST_USE;
/* The MRTD inside a TDREPORT; false unless it has TDREPORT_LEN bytes. */
bool tee_mrtd_of_report(struct slice report, uint8_t out[MRTD_LEN]) MUST_USE;

/* Unauthenticated text of the host: for display, never an input of a decision. */
struct tee_cloud {
    const char *provider;             /* "gcp" or "unknown" */
    char os_image[OS_IMAGE_TEXT_MAX]; /* printable ASCII; "unknown" */
};
/* Asks GCP's metadata server, at most 2 s. cancel may be NULL. */
struct tee_cloud tee_read_cloud(const struct tee_places *places, const atomic_bool *cancel);

#endif
