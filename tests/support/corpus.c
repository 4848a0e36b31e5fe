#include "support/corpus.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"

enum { SEED_LEN_MAX = 1 << 20 };

static void visit_file(const char *path, void (*visit)(struct slice bytes, void *context),
                       void *context)
{
    BUF_AUTO struct buf bytes = BUF_INIT(SEED_LEN_MAX);
    struct error err;
    if (!file_read(path, &bytes, &err))
        fail_msg("%s: %s", path, err.message);
    visit(buf_slice(&bytes), context);
}

size_t corpus_each(const char *what, void (*visit)(struct slice bytes, void *context),
                   void *context)
{
    const char *source = getenv("MERO_SOURCE_DIR");
    char folder[PATH_TEXT_MAX], path[PATH_TEXT_MAX];
    size_t count = 0;
    struct error err;
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", source != NULL ? source : ".", what);
    DIR *dir = opendir(folder);
    if (dir == NULL)
        fail_msg("%s: cannot be listed", folder);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        assert_true(path_join(folder, entry->d_name, path, &err));
        visit_file(path, visit, context);
        count++;
    }
    closedir(dir);
    return count;
}
