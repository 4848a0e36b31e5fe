/* The kernel's measurement files, and the one extension of RTMR3 that the GCP images make at boot.
 * Spec: platform facts 3.5, reference facts H.1. */
#ifndef PLATFORM_RTMR_H
#define PLATFORM_RTMR_H

#include "base/bytes.h"

#define TDX_CLASS "/sys/class/misc/tdx_guest"

enum { MEASUREMENT_LEN = 48 };

/* Reads <tdx_class>/measurements/<name> (or .../mr/<name>), 48 raw bytes. name: "mrtd:sha384",
 * "rtmr0:sha384" ... Code platform/measurement. */
bool tdx_measurement_read(const char *tdx_class, const char *name, uint8_t out[MEASUREMENT_LEN],
                          struct error *err) MUST_USE;

/* SHA-384 of "calimero-rtmr3-v2:<role>:<profile>:<root_hash>"; root_hash NULL or "" = "none". Code
 * platform/measurement: a part holds a ':' or is too long. */
bool rtmr3_boot_digest(const char *role, const char *profile, const char *root_hash,
                       uint8_t out[MEASUREMENT_LEN], struct error *err) MUST_USE;

/* Extends RTMR3 with the digest when the register is still zero. When it already holds exactly this
 * extension nothing is done (*extended = false): a daemon that is started again must not change its
 * own measurement. Any other value is an error. tdx_class NULL = TDX_CLASS. Needs root. Code
 * platform/measurement. */
bool rtmr3_extend_once(const char *tdx_class, const uint8_t digest[MEASUREMENT_LEN], bool *extended,
                       struct error *err) MUST_USE;

#endif
