#include "support/vectors.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

enum { VECTOR_LEN_MAX = 64 << 20, SKIPPED = 77 };

static void full_path(const char *path, char out[PATH_TEXT_MAX])
{
    const char *root = getenv("MERO_VECTORS");
    struct error err;
    if (!path_join(root != NULL && root[0] != 0 ? root : "../shared/vectors", path, out, &err))
        fail_msg("%s: %s", path, err.message);
}

bool vectors_have(const char *path)
{
    char full[PATH_TEXT_MAX];
    full_path(path, full);
    return file_exists(full);
}

void vectors_require(const char *part)
{
    if (vectors_have(part))
        return;
    printf("skipped: no %s in the vectors folder (MERO_VECTORS)\n", part);
    exit(SKIPPED);
}

void vectors_read(const char *path, struct buf *out)
{
    char full[PATH_TEXT_MAX];
    struct error err;
    full_path(path, full);
    buf_free(out);
    *out = BUF_INIT(VECTOR_LEN_MAX);
    if (!file_read(full, out, &err))
        fail_msg("%s: %s", path, err.message);
}

json_t *vectors_read_json(const char *path)
{
    BUF_AUTO struct buf text = {0};
    json_t *value = NULL;
    struct error err;
    vectors_read(path, &text);
    if (!json_parse(buf_slice(&text), VECTOR_LEN_MAX, 0, &value, &err))
        fail_msg("%s: %s", path, err.message);
    return value;
}

const char *vectors_path(const char *folder, const char *name)
{
    static char path[PATH_TEXT_MAX];
    struct error err;
    if (!path_join(folder, name, path, &err))
        fail_msg("%s: %s", folder, err.message);
    return path;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

size_t vectors_each_folder(const char *folder, void (*visit)(const char *path, void *context),
                           void *context)
{
    char full[PATH_TEXT_MAX], inner[PATH_TEXT_MAX], path[PATH_TEXT_MAX];
    struct dirent **entries;
    struct error err;
    size_t folders = 0;
    full_path(folder, full);
    int count = scandir(full, &entries, not_hidden, alphasort);
    if (count < 0)
        fail_msg("%s: cannot be listed", folder);
    for (int i = 0; i < count; i++) {
        if (!path_join(folder, entries[i]->d_name, path, &err) ||
            !path_join(full, entries[i]->d_name, inner, &err))
            fail_msg("%s: %s", folder, err.message);
        free(entries[i]);
        if (!file_is_dir(inner))
            continue;
        visit(path, context);
        folders++;
    }
    free(entries);
    return folders;
}
