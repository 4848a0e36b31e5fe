/* Where a quote of this machine comes from: configfs-tsm, the dstack agent, or (development builds)
 * a mock. Spec: platform facts 1 and 3. Thread-safe; with configfs-tsm quotes are taken one at a
 * time, because the kernel and the host serialise them anyway. */
#ifndef PLATFORM_QUOTE_SOURCE_H
#define PLATFORM_QUOTE_SOURCE_H

#include <stdatomic.h>

#include "base/bytes.h"

enum { REPORT_DATA_LEN = 64, QUOTE_SOURCE_LEN_MAX = 1024 * 1024 };

enum quote_source_kind {
    QUOTE_SOURCE_AUTO,
    QUOTE_SOURCE_CONFIGFS,
    QUOTE_SOURCE_DSTACK,
    QUOTE_SOURCE_MOCK
};

struct quote_source_options {
    enum quote_source_kind kind;
    const char *dstack_socket; /* NULL = search list */
    const char *tsm_root;      /* NULL = /sys/kernel/config/tsm/report; others for tests */
    unsigned timeout_ms;       /* of one quote, waiting for others included; 0 = 60000 */
    unsigned backoff_ms;       /* first pause between tries with configfs-tsm; 0 = 1000 */
    const atomic_bool *cancel; /* may be NULL */
};

struct quote_source;

/* AUTO: configfs-tsm when its directory exists, else a dstack socket, else platform/no-tee. Opening
 * removes report entries that dead processes of ours left behind. */
bool quote_source_open(const struct quote_source_options *options, struct quote_source **out,
                       struct error *err) MUST_USE;
/* When no take runs any more. */
void quote_source_close(struct quote_source **s);
enum quote_source_kind quote_source_kind(const struct quote_source *s); /* never AUTO */
const char *quote_source_name(const struct quote_source *s); /* "configfs-tsm", "dstack", "mock" */

/* Appends the quote for report_data; the report data inside the quote is compared before return.
 * event_log (may be NULL) receives the agent's JSON text, empty where there is none. Returns within
 * timeout_ms, and soon after `cancel` is raised, even while the kernel still waits for the host.
 * Codes: platform/no-tee, platform/agent, platform/agent-method, platform/quote, platform/timeout,
 * platform/busy (the host, or others of this process, were not done in time),
 * platform/report-data, platform/canceled. */
bool quote_source_take(struct quote_source *s, const uint8_t report_data[REPORT_DATA_LEN],
                       struct buf *quote, struct buf *event_log, struct error *err) MUST_USE;

#endif
