/* Where release assets come from: the official server, a mirror, or a directory. None of them is
 * trusted. Spec: compatibility facts C.1, D.8, D.11. */
#ifndef RELEASE_ASSETS_H
#define RELEASE_ASSETS_H

#include <stdatomic.h>

#include "base/bytes.h"

struct release_source {
    const char *base_url;   /* "<base>/<tag>/<asset>"; NULL = the official one */
    const char *dir;        /* "<dir>/<tag>/<asset>", else "<dir>/<asset>"; NULL = ask base_url */
    const char *ca_path;    /* PEM added to the system's roots, for a mirror; NULL = none */
    const char *user_agent; /* NULL = "merotee/<version>" */
    const atomic_bool *cancel; /* ends requests and waiting; may be NULL */
};

/* A signed asset: what was signed and what proves it. */
struct release_asset {
    struct buf content, signature, bundle;
};
void release_asset_free(struct release_asset *asset);
#define RELEASE_ASSET_AUTO __attribute__((cleanup(release_asset_free)))

/*
 * <name>, <name>.sig and <name>.bundle.json of a tag. From a server up to RELEASE_ATTEMPTS times,
 * all three anew, when the failure may pass: no connection, a broken body, 429, 5xx. Codes:
 * release/missing (the first of them is not there: 404, or no such file), release/asset (no other
 * chance: status, size, redirects), release/unreachable, release/canceled, file/.... *out is empty
 * after a failure.
 */
bool release_asset_fetch(const struct release_source *source, const char *tag, const char *name,
                         struct release_asset *out, struct error *err) MUST_USE;

#endif
