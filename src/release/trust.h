/* Whose signatures count for the daemons. */
#ifndef RELEASE_TRUST_H
#define RELEASE_TRUST_H

#include "sigstore/trust.h"

/* The directories from which a daemon takes another trust root than the built-in one: only the
 * image or its administrator writes there. In this order; NULL at the end. */
extern const char *const release_trust_dirs[];

/* The file sigstore-trusted-root.json of the first directory that has one, else the built-in root.
 * *source is that file's path, or "built in". A file that does not read is refused. Codes:
 * sigstore/trust-root, file/.... */
bool release_trust_open(const char *const *dirs, struct sigstore_trust **out, char source[256],
                        struct error *err) MUST_USE;

#endif
