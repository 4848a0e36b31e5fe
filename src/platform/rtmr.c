/* Measurement files of the tdx_guest driver. A write extends the register, it does not set it. */
#include "platform/rtmr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "quote/eventlog.h"

/* The directory was called "mr" before it was "measurements". */
static const char *const directories[] = {"measurements", "mr"};
enum { DIRECTORIES = sizeof directories / sizeof directories[0], BOOT_TEXT_MAX = 512 };

static bool path_of(const char *tdx_class, const char *name, char out[PATH_TEXT_MAX],
                    struct error *err)
{
    for (size_t i = 0; i < DIRECTORIES; i++) {
        int len = snprintf(out, PATH_TEXT_MAX, "%s/%s/%s", tdx_class, directories[i], name);
        if (len > 0 && len < PATH_TEXT_MAX && file_exists(out))
            return true;
    }
    return error_set(err, "platform/measurement", name,
                     "there is no %s/measurements/%s (not a TDX guest, or the kernel is older than "
                     "6.16)",
                     tdx_class, name);
}

bool tdx_measurement_read(const char *tdx_class, const char *name, uint8_t out[MEASUREMENT_LEN],
                          struct error *err)
{
    char path[PATH_TEXT_MAX];
    struct error why = {0};
    struct buf value BUF_AUTO = BUF_INIT(MEASUREMENT_LEN);
    if (!path_of(tdx_class, name, path, err))
        return false;
    if (!file_read(path, &value, &why))
        return error_set(err, "platform/measurement", name, "%s", why.message);
    if (value.len != MEASUREMENT_LEN)
        return error_set(err, "platform/measurement", name, "%s has %zu bytes instead of %d", path,
                         value.len, MEASUREMENT_LEN);
    memcpy(out, value.data, MEASUREMENT_LEN);
    return true;
}

static bool is_part(const char *text)
{
    return text[0] != '\0' && strchr(text, ':') == NULL;
}

bool rtmr3_boot_digest(const char *role, const char *profile, const char *root_hash,
                       uint8_t out[MEASUREMENT_LEN], struct error *err)
{
    const char *hash = root_hash != NULL && root_hash[0] != '\0' ? root_hash : "none";
    char text[BOOT_TEXT_MAX];
    int len = snprintf(text, sizeof text, "calimero-rtmr3-v2:%s:%s:%s", role, profile, hash);
    if (!is_part(role) || !is_part(profile) || !is_part(hash) || len < 0 || len >= BOOT_TEXT_MAX)
        return error_set(err, "platform/measurement", NULL,
                         "role, profile and root hash are short texts without ':'");
    sha384(slice_str(text), out);
    return true;
}

static bool write_extension(const char *path, const uint8_t digest[MEASUREMENT_LEN],
                            struct error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, "platform/measurement", "rtmr3", "cannot open %s: %s", path,
                         strerror(errno));
    ssize_t put = write(fd, digest, MEASUREMENT_LEN);
    int why = put < 0 ? errno : put != MEASUREMENT_LEN ? EIO : 0;
    if (close(fd) != 0 && why == 0)
        why = errno;
    return why == 0 || error_set(err, "platform/measurement", "rtmr3", "cannot extend %s: %s", path,
                                 strerror(why));
}

bool rtmr3_extend_once(const char *tdx_class, const uint8_t digest[MEASUREMENT_LEN], bool *extended,
                       struct error *err)
{
    const char *root = tdx_class != NULL ? tdx_class : TDX_CLASS;
    char path[PATH_TEXT_MAX];
    uint8_t now[MEASUREMENT_LEN];
    uint8_t wanted[MEASUREMENT_LEN] = {0};
    if (!path_of(root, "rtmr3:sha384", path, err) ||
        !tdx_measurement_read(root, "rtmr3:sha384", now, err))
        return false;
    rtmr_extend(wanted, digest);
    bool done = memcmp(now, wanted, sizeof now) == 0;
    if (!done && !slice_is_zero(slice_of(now, sizeof now)))
        return error_set(err, "platform/measurement", "rtmr3",
                         "RTMR3 has been extended with something else already: left as it is");
    if (!done && !write_extension(path, digest, err))
        return false;
    *extended = !done;
    return true;
}
