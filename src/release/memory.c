/* One small JSON file: {"newest_release":"2.3.71"}. */
#include "release/memory.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "release/limits.h"
#include "release/version.h"

enum { FILE_MODE = 0600 };

/* *known is false when nothing is remembered. */
static bool read_newest(const char *path, char out[RELEASE_VERSION_MAX], bool *known,
                        struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(RELEASE_MEMORY_MAX);
    JSON_AUTO json_t *root = NULL;
    struct slice version;
    struct release_version parsed;
    *known = false;
    if (!file_exists(path))
        return true;
    if (!file_read(path, &text, err))
        return false;
    if (!json_parse(buf_slice(&text), RELEASE_MEMORY_MAX, 0, &root, NULL) ||
        !json_get_str(root, "newest_release", &version, NULL) || version.len >= RELEASE_VERSION_MAX)
        return error_set(err, "release/memory", path,
                         "%s does not say which release was accepted before", path);
    memcpy(out, version.data, version.len);
    out[version.len] = 0;
    *known = true;
    return release_version_parse(out, &parsed, err);
}

/* -1, 0, 1: below, equal, above the remembered one; 1 when there is none. */
static bool compare(const char *path, const char *version, char newest[RELEASE_VERSION_MAX],
                    int *order, struct error *err)
{
    struct release_version asked, before;
    bool known;
    if (!release_version_parse(version, &asked, err) || !read_newest(path, newest, &known, err))
        return false;
    *order = 1;
    if (known && !release_version_parse(newest, &before, err))
        return false;
    if (known)
        *order = release_version_compare(&asked, &before);
    return true;
}

bool release_memory_check(const char *path, const char *version, struct error *err)
{
    char newest[RELEASE_VERSION_MAX];
    int order;
    if (!compare(path, version, newest, &order, err))
        return false;
    return order >= 0 || error_set(err, "release/downgrade", "version",
                                   "release %s is older than %s, which was accepted here before",
                                   version, newest);
}

bool release_memory_note(const char *path, const char *version, struct error *err)
{
    char newest[RELEASE_VERSION_MAX], text[RELEASE_MEMORY_MAX];
    int order;
    if (!compare(path, version, newest, &order, err))
        return false;
    if (order <= 0)
        return true;
    int len = snprintf(text, sizeof text, "{\"newest_release\":\"%s\"}\n", version);
    return file_write_atomic(path, slice_of(text, (size_t)len), FILE_MODE, err);
}
