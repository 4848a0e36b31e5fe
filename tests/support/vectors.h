/* The shared vectors, which a plain clone does not have: tests on them exit with 77 then. */
#ifndef SUPPORT_VECTORS_H
#define SUPPORT_VECTORS_H

#include "base/bytes.h"
#include "base/json.h"

/* Call first in main(): prints why and exits with 77 ("skipped") when `part` of the vectors folder
 * (environment MERO_VECTORS, default ../shared/vectors) is not there. */
void vectors_require(const char *part);

bool vectors_have(const char *path);
/* A whole file below the vectors folder; a missing or unreadable file fails the test. */
void vectors_read(const char *path, struct buf *out);
/* A JSON file below the vectors folder; the caller releases it. */
json_t *vectors_read_json(const char *path);
/* "<folder>/<name>", in a buffer that the next call overwrites. */
const char *vectors_path(const char *folder, const char *name);
/* Every folder inside a folder below the vectors folder, in order of name; `path` is
 * "<folder>/<name>". Returns how many there were; an unreadable folder fails the test. */
size_t vectors_each_folder(const char *folder, void (*visit)(const char *path, void *context),
                           void *context);

#endif
