/* The choice of the source. */
#include "platform/quote_source.h"

#include <stdlib.h>

#include "base/file.h"
#include "platform/configfs.h"
#include "platform/configfs_queue.h"
#include "platform/dstack.h"
#include "platform/limits.h"
#ifdef MERO_DEV
#include "platform/mock_dev.h"
#endif

struct quote_source {
    enum quote_source_kind kind;
    struct configfs_queue *configfs; /* of the two at most one */
    struct dstack *dstack;
};

/* ---- opening ---- */

static unsigned timeout_ms(const struct quote_source_options *o)
{
    return o->timeout_ms != 0 ? o->timeout_ms : QUOTE_TIMEOUT_MS;
}

static const char *tsm_root(const struct quote_source_options *o)
{
    return o->tsm_root != NULL ? o->tsm_root : CONFIGFS_ROOT;
}

static bool open_configfs(struct quote_source *s, const struct quote_source_options *o,
                          struct error *err)
{
    if (!file_is_dir(tsm_root(o)))
        return error_set(err, "platform/no-tee", NULL,
                         "%s does not exist: not a TDX guest, or configfs is not mounted, or the "
                         "kernel is older than 6.7",
                         tsm_root(o));
    const struct configfs_queue_options q = {.root = tsm_root(o),
                                             .timeout_ms = timeout_ms(o),
                                             .backoff_ms = o->backoff_ms,
                                             .cancel = o->cancel};
    s->kind = QUOTE_SOURCE_CONFIGFS;
    return configfs_queue_open(&q, &s->configfs, err);
}

static bool open_dstack(struct quote_source *s, const struct quote_source_options *o,
                        struct error *err)
{
    const struct dstack_options d = {
        .socket_path = o->dstack_socket, .timeout_ms = timeout_ms(o), .cancel = o->cancel};
    s->kind = QUOTE_SOURCE_DSTACK;
    return dstack_open(&d, &s->dstack, err);
}

static bool open_mock(struct quote_source *s, struct error *err)
{
#ifdef MERO_DEV
    (void)err;
    s->kind = QUOTE_SOURCE_MOCK;
    return true;
#else
    (void)s;
    return error_set(err, "platform/no-tee", NULL, "mock quotes exist in development builds only");
#endif
}

static bool open_automatic(struct quote_source *s, const struct quote_source_options *o,
                           struct error *err)
{
    if (file_is_dir(tsm_root(o)))
        return open_configfs(s, o, err);
    struct error why = {0};
    return open_dstack(s, o, &why) ||
           error_set(err, "platform/no-tee", NULL,
                     "this machine offers no quotes: there is no %s, and %s", tsm_root(o),
                     why.message);
}

static bool open_kind(struct quote_source *s, const struct quote_source_options *o,
                      struct error *err)
{
    switch (o->kind) {
    case QUOTE_SOURCE_AUTO:
        return open_automatic(s, o, err);
    case QUOTE_SOURCE_CONFIGFS:
        return open_configfs(s, o, err);
    case QUOTE_SOURCE_DSTACK:
        return open_dstack(s, o, err);
    case QUOTE_SOURCE_MOCK:
        return open_mock(s, err);
    }
    return error_set(err, "platform/no-tee", NULL, "unknown kind of quote source");
}

bool quote_source_open(const struct quote_source_options *options, struct quote_source **out,
                       struct error *err)
{
    struct quote_source *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!open_kind(s, options, err)) {
        quote_source_close(&s);
        return false;
    }
    *out = s;
    return true;
}

void quote_source_close(struct quote_source **source)
{
    struct quote_source *s = *source;
    if (s == NULL)
        return;
    dstack_close(&s->dstack);
    configfs_queue_close(&s->configfs);
    free(s);
    *source = NULL;
}

enum quote_source_kind quote_source_kind(const struct quote_source *s)
{
    return s->kind;
}

const char *quote_source_name(const struct quote_source *s)
{
    switch (s->kind) {
    case QUOTE_SOURCE_CONFIGFS:
        return "configfs-tsm";
    case QUOTE_SOURCE_DSTACK:
        return "dstack";
    default:
        return "mock";
    }
}

/* ---- taking ---- */

static bool take_dstack(struct quote_source *s, const uint8_t report_data[REPORT_DATA_LEN],
                        struct buf *quote, struct buf *event_log, struct error *err)
{
    struct dstack_quote q DSTACK_QUOTE_AUTO = {0};
    if (!dstack_get_quote(s->dstack, report_data, &q, err))
        return false;
    if (!buf_append(quote, buf_slice(&q.quote)) ||
        (event_log != NULL && !buf_append(event_log, buf_slice(&q.event_log))))
        return error_set(err, "platform/quote", NULL, "quote or event log is too large");
    return true;
}

static bool take_mock(const uint8_t report_data[REPORT_DATA_LEN], struct buf *quote,
                      struct error *err)
{
#ifdef MERO_DEV
    return mock_quote(report_data, quote) ||
           error_set(err, "platform/quote", NULL, "no room for the mock quote");
#else
    (void)report_data;
    (void)quote;
    return error_set(err, "platform/no-tee", NULL, "no mock quotes in this build");
#endif
}

bool quote_source_take(struct quote_source *s, const uint8_t report_data[REPORT_DATA_LEN],
                       struct buf *quote, struct buf *event_log, struct error *err)
{
    switch (s->kind) {
    case QUOTE_SOURCE_CONFIGFS:
        return configfs_queue_take(s->configfs, report_data, quote, err);
    case QUOTE_SOURCE_DSTACK:
        return take_dstack(s, report_data, quote, event_log, err);
    default:
        return take_mock(report_data, quote, err);
    }
}
