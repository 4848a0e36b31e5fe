/* How the operator's commands come to collateral. */
#include "operator/collateral_source.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { ENDPOINT_TEXT_MAX = 512, ROOT_PEM_MAX = 65536 };

/* "a,b,c" into the verifier's list, which points into `storage`. */
static bool split_endpoints(const char *csv, struct dcap_verifier_options *to, struct buf *storage,
                            struct error *err)
{
    if (!buf_append_str(storage, csv) || buf_cstr(storage) == NULL)
        return error_set(err, "usage", "--collateral-url",
                         "the list of collateral services is too long");
    char *at = (char *)storage->data;
    while (*at != 0) {
        size_t len = strcspn(at, ",");
        bool last = at[len] == 0;
        at[len] = 0;
        if (to->endpoint_count == DCAP_ENDPOINTS_MAX)
            return error_set(err, "usage", "--collateral-url", "at most %d collateral services",
                             DCAP_ENDPOINTS_MAX);
        if (len > 0)
            to->endpoints[to->endpoint_count++] = at;
        at += last ? len : len + 1;
    }
    return true;
}

bool collateral_source_open(const struct collateral_source *source, struct dcap_verifier **out,
                            struct error *err)
{
    struct dcap_verifier_options options = {.cache_dir = source->cache_dir,
                                            .offline = source->offline,
                                            .notices = {.warn = source->warn}};
    BUF_AUTO struct buf storage = BUF_INIT(DCAP_ENDPOINTS_MAX * ENDPOINT_TEXT_MAX);
#ifdef MERO_DEV
    options.root_pem_path = source->root_pem_path;
#endif
    return (source->endpoints_csv == NULL ||
            split_endpoints(source->endpoints_csv, &options, &storage, err)) &&
           dcap_verifier_open(&options, out, err);
}

bool collateral_source_root(const struct collateral_source *source, struct dcap_root *out,
                            struct error *err)
{
#ifdef MERO_DEV
    if (source->root_pem_path != NULL) {
        BUF_AUTO struct buf pem = BUF_INIT(ROOT_PEM_MAX);
        return file_read(source->root_pem_path, &pem, err) &&
               dcap_root_open_pem(buf_slice(&pem), out, err);
    }
#else
    (void)source;
#endif
    return dcap_root_open_intel(out, err);
}

bool collateral_source_read(const char *path, struct collateral *out, struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(2 * COLLATERAL_FILE_MAX);
    struct slice object;
    collateral_init(out);
    if (!file_read(path, &text, err))
        return false;
    object = buf_slice(&text);
    if (!json_depth_ok(object))
        return error_set(err, "json/depth", path, "%s is nested deeper than %d levels", path,
                         JSON_DEPTH_MAX);
    struct slice inner;
    if (json_member_span(object, "collateral", &inner))
        object = inner;
    return collateral_read(object, out, err);
}
