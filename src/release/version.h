/* Versions of releases and their order. Spec: semver.org 2.0.0, 11: X.Y.Z with an optional
 * suffix, as release tags are made. */
#ifndef RELEASE_VERSION_H
#define RELEASE_VERSION_H

#include "base/bytes.h"

struct release_version {
    uint64_t number[3];
    struct slice pre; /* behind '-', without what follows '+'; empty = a release */
};

/* N.N.N, then -[0-9A-Za-z.-]+ or +[...] or both. Slices go into the text. Code release/version. */
bool release_version_parse(const char *text, struct release_version *out,
                           struct error *err) MUST_USE;
/* Below, equal, above: -1, 0, 1. A pre-release is below its release; what follows '+' does not
 * count. */
int release_version_compare(const struct release_version *a, const struct release_version *b);

#endif
