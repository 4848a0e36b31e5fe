/* An anchor in a local file, for development: it is only worth as much as the place where the file
 * lies. The interface is struct store_anchor (store.h). */
#ifndef STORE_ANCHOR_H
#define STORE_ANCHOR_H

#include "base/file.h"
#include "store/store.h"

struct anchor_file {
    char path[PATH_TEXT_MAX];
};
/* out refers to file, which must outlive every use of it. */
bool anchor_file_use(struct anchor_file *file, const char *path, struct store_anchor *out,
                     struct error *err) MUST_USE;

#endif
