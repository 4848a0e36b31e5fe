/* Choosing the trust root. */
#include "release/trust.h"

#include <stdio.h>

#include "base/file.h"
#include "sigstore/limits.h"

enum { SOURCE_MAX = 256 };

const char *const release_trust_dirs[] = {"/etc/calimero", "/run/calimero", NULL};

bool release_trust_open(const char *const *dirs, struct sigstore_trust **out, char source[256],
                        struct error *err)
{
    for (; *dirs != NULL; dirs++) {
        BUF_AUTO struct buf text = BUF_INIT(SIGSTORE_TRUST_MAX);
        char path[PATH_TEXT_MAX];
        if (!path_join(*dirs, "sigstore-trusted-root.json", path, err))
            return false;
        if (!file_exists(path))
            continue;
        snprintf(source, SOURCE_MAX, "%.*s", SOURCE_MAX - 1, path);
        return file_read(path, &text, err) &&
               (sigstore_trust_open(buf_slice(&text), out, err) || error_prefix(err, "%s", path));
    }
    snprintf(source, SOURCE_MAX, "built in");
    return sigstore_trust_open_production(out, err);
}
