/* Edits of any text: input is "path NUL value NUL document". A successful edit reads back with the
 * path present, and a second identical edit changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "toml/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct slice take_field(struct slice *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != 0)
        len++;
    struct slice field = slice_cut(*rest, 0, len);
    *rest = slice_cut(*rest, len + 1, rest->len);
    return field;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice rest = slice_of(data, len);
    char path[256];
    struct slice path_bytes = take_field(&rest), value = take_field(&rest);
    if (path_bytes.len >= sizeof path)
        return 0;
    if (path_bytes.len > 0)
        memcpy(path, path_bytes.data, path_bytes.len);
    path[path_bytes.len] = 0;

    BUF_AUTO struct buf once = BUF_INIT(TOML_LEN_MAX), twice = BUF_INIT(TOML_LEN_MAX);
    struct error err = {0};
    if (!toml_set(rest, path, value, &once, &err)) {
        if (once.len != 0 || err.code == NULL)
            abort();
        return 0;
    }
    TOML_AUTO struct toml_document *doc = NULL;
    if (!toml_parse(buf_slice(&once), &doc, &err) || toml_find(toml_root(doc), path) == NULL)
        abort();
    if (!toml_set(buf_slice(&once), path, value, &twice, &err) ||
        !slice_equal(buf_slice(&once), buf_slice(&twice)))
        abort();
    return 0;
}
