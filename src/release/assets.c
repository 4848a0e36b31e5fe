/* Fetching a signed asset with its two companions. */
#include "release/assets.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "http/client.h"
#include "release/limits.h"

static const char OFFICIAL[] = "https://github.com/calimero-network/mero-tee/releases/download";

enum { PARTS = 3, STATUS_OK = 200, STATUS_MISSING = 404, STATUS_TOO_MANY = 429, SLICE_MS = 50 };

/* The asset itself comes first: whether it is there decides whether another name is tried. */
static const struct {
    const char *suffix;
    size_t max;
} part_kinds[PARTS] = {
    {"", RELEASE_POLICY_MAX},
    {".sig", RELEASE_SIGNATURE_MAX},
    {".bundle.json", RELEASE_BUNDLE_MAX},
};

static struct buf *part_of(struct release_asset *asset, size_t i)
{
    struct buf *const all[PARTS] = {&asset->content, &asset->signature, &asset->bundle};
    return all[i];
}

void release_asset_free(struct release_asset *asset)
{
    for (size_t i = 0; i < PARTS; i++)
        buf_free(part_of(asset, i));
    *asset = (struct release_asset){0};
}

static bool is_canceled(const struct release_source *source)
{
    return source->cancel != NULL && atomic_load(source->cancel);
}

/* False when it was canceled meanwhile. */
static bool wait_ms(const struct release_source *source, unsigned ms)
{
    for (unsigned waited = 0; waited < ms && !is_canceled(source); waited += SLICE_MS)
        poll(NULL, 0, SLICE_MS);
    return !is_canceled(source);
}

/* One failed try: may another one help? */
enum trial { TRIAL_DONE, TRIAL_AGAIN, TRIAL_NO };

static enum trial judge_status(const char *url, bool is_first, long status, struct error *err)
{
    if (status == STATUS_OK)
        return TRIAL_DONE;
    bool transient = status == STATUS_TOO_MANY || (status >= 500 && status <= 599);
    const char *code = transient                              ? "release/unreachable"
                       : status == STATUS_MISSING && is_first ? "release/missing"
                                                              : "release/asset";
    error_set(err, code, url, "%s answered with status %ld", url, status);
    return transient ? TRIAL_AGAIN : TRIAL_NO;
}

static enum trial judge_failure(const char *url, struct error *err)
{
    bool canceled = error_is(err, "http/canceled");
    bool final = canceled || error_is(err, "http/too-large") || error_is(err, "http/url");
    struct error why = *err;
    error_set(err,
              canceled ? "release/canceled"
              : final  ? "release/asset"
                       : "release/unreachable",
              url, "%s: %s", url, why.message);
    return final ? TRIAL_NO : TRIAL_AGAIN;
}

static enum trial get(struct http_client *client, const char *url, bool is_first, size_t max,
                      struct buf *out, struct error *err)
{
    HTTP_RESPONSE_AUTO struct http_response response = {0};
    const struct http_request request = {
        .method = "GET", .url = url, .timeout_ms = RELEASE_TIMEOUT_MS, .body_max = max};
    if (!http_client_call(client, &request, &response, err))
        return judge_failure(url, err);
    enum trial trial = judge_status(url, is_first, response.status, err);
    if (trial != TRIAL_DONE)
        return trial;
    *out = BUF_INIT(max);
    if (buf_append(out, buf_slice(&response.body)))
        return TRIAL_DONE;
    error_set(err, "memory", NULL, "out of memory");
    return TRIAL_NO;
}

static enum trial get_all(const struct release_source *source, struct http_client *client,
                          const char *tag, const char *name, struct release_asset *out,
                          struct error *err)
{
    const char *base = source->base_url != NULL ? source->base_url : OFFICIAL;
    size_t base_len = strlen(base);
    while (base_len > 0 && base[base_len - 1] == '/')
        base_len--;
    for (size_t i = 0; i < PARTS; i++) {
        char url[RELEASE_URL_MAX];
        int len = snprintf(url, sizeof url, "%.*s/%s/%s%s", (int)base_len, base, tag, name,
                           part_kinds[i].suffix);
        if (len < 0 || (size_t)len >= sizeof url) {
            error_set(err, "release/asset", "base_url", "the address of the release is too long");
            return TRIAL_NO;
        }
        enum trial trial = get(client, url, i == 0, part_kinds[i].max, part_of(out, i), err);
        if (trial != TRIAL_DONE)
            return trial;
    }
    return TRIAL_DONE;
}

static bool fetch_url(const struct release_source *source, const char *tag, const char *name,
                      struct release_asset *out, struct error *err)
{
    HTTP_CLIENT_AUTO struct http_client *client = NULL;
    const struct http_client_options options = {.ca_path = source->ca_path,
                                                .user_agent = source->user_agent,
                                                .redirects_max = RELEASE_REDIRECTS_MAX,
                                                .cancel = source->cancel};
    if (!http_client_open(&options, &client, err))
        return false;
    unsigned pause_ms = RELEASE_BACKOFF_MS;
    for (unsigned attempt = 1;; attempt++) {
        enum trial trial = get_all(source, client, tag, name, out, err);
        if (trial == TRIAL_DONE)
            return true;
        release_asset_free(out);
        if (trial == TRIAL_NO)
            return false;
        if (attempt == RELEASE_ATTEMPTS)
            return error_prefix(err, "after %d attempts", RELEASE_ATTEMPTS);
        if (!wait_ms(source, pause_ms))
            return error_set(err, "release/canceled", NULL, "canceled");
        pause_ms = 2 * pause_ms < RELEASE_BACKOFF_MAX_MS ? 2 * pause_ms : RELEASE_BACKOFF_MAX_MS;
    }
}

/* <dir>/<tag> when it is there: a directory can hold several releases, or just one. */
static bool release_dir(const char *dir, const char *tag, char out[PATH_TEXT_MAX],
                        struct error *err)
{
    if (!path_join(dir, tag, out, err))
        return false;
    return file_is_dir(out) || path_join(dir, ".", out, err);
}

static bool read_dir(const struct release_source *source, const char *tag, const char *name,
                     struct release_asset *out, struct error *err)
{
    char dir[PATH_TEXT_MAX];
    if (!release_dir(source->dir, tag, dir, err))
        return false;
    for (size_t i = 0; i < PARTS; i++) {
        char file[RELEASE_NAME_MAX], path[PATH_TEXT_MAX];
        snprintf(file, sizeof file, "%s%s", name, part_kinds[i].suffix);
        *part_of(out, i) = BUF_INIT(part_kinds[i].max);
        if (!path_join(dir, file, path, err))
            return false;
        if (i == 0 && !file_exists(path))
            return error_set(err, "release/missing", path, "%s is not there", path);
        if (!file_read(path, part_of(out, i), err))
            return false;
    }
    return true;
}

bool release_asset_fetch(const struct release_source *source, const char *tag, const char *name,
                         struct release_asset *out, struct error *err)
{
    RELEASE_ASSET_AUTO struct release_asset asset = {0};
    bool ok = source->dir != NULL ? read_dir(source, tag, name, &asset, err)
                                  : fetch_url(source, tag, name, &asset, err);
    if (ok) {
        *out = asset;
        asset = (struct release_asset){0};
    }
    return ok;
}
