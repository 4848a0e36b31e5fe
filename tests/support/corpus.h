/* The committed seed corpora of the fuzz targets, for tests that want to see them too. */
#ifndef SUPPORT_CORPUS_H
#define SUPPORT_CORPUS_H

#include "base/bytes.h"

/* Every file of tests/fuzz/corpus/<what>; returns how many there were. A missing folder fails the
 * test. Below ctest the environment MERO_SOURCE_DIR says where the sources are, "." else. */
size_t corpus_each(const char *what, void (*visit)(struct slice bytes, void *context),
                   void *context);

#endif
