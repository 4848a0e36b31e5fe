/* The newest release that was ever accepted here, so that nobody can serve an older, signed one
 * with a weaker policy later. As good as the disk it is on: whoever can write there can make it
 * forget. */
#ifndef RELEASE_MEMORY_H
#define RELEASE_MEMORY_H

#include "base/error.h"

/* True when nothing newer than `version` was accepted before. A missing file is no memory; one that
 * does not read is refused. Codes: release/downgrade, release/memory, file/.... */
bool release_memory_check(const char *path, const char *version, struct error *err) MUST_USE;
/* Remembers `version`, unless a newer one is remembered already. */
bool release_memory_note(const char *path, const char *version, struct error *err) MUST_USE;

#endif
