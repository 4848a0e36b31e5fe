/* merotee/quote.h: event logs. */
#include <stdlib.h>

#include "lib/lib.h"

LIB_SAME(MEROTEE_EVENT_LOG_TEXT_MAX, EVENTLOG_TEXT_MAX);
LIB_SAME(MEROTEE_EVENT_LOG_ENTRIES_MAX, EVENTLOG_ENTRIES_MAX);

/* The caller's visitor behind ours. */
struct visit {
    void (*call)(const struct merotee_event *event, void *context);
    void *context;
};

static void pass_on(const struct event *e, void *context)
{
    const struct visit *visit = context;
    const struct merotee_event event = {
        .index = e->index,
        .register_index = e->imr,
        .type = e->type,
        .digest_version = e->version,
        .name = (const char *)e->name.data,
        .name_len = e->name.len,
        .payload = e->payload.data,
        .payload_len = e->payload.len,
        .digest = e->digest,
    };
    visit->call(&event, visit->context);
}

bool merotee_event_log_read(const void *json, size_t len,
                            void (*visit)(const struct merotee_event *event, void *context),
                            void *context, struct merotee_event_log **out,
                            struct merotee_error *err)
{
    struct error why;
    struct visit caller = {visit, context};
    struct merotee_event_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return lib_no_memory(err);
    if (!eventlog_read(slice_of(json, len), &log->replayed, visit != NULL ? pass_on : NULL, &caller,
                       &why)) {
        free(log);
        return lib_fail(err, &why);
    }
    *out = log;
    return true;
}

void merotee_event_log_free(struct merotee_event_log *log)
{
    free(log);
}

const uint8_t *merotee_event_log_register(const struct merotee_event_log *log,
                                          unsigned register_index)
{
    return register_index < MEROTEE_REGISTERS ? log->replayed.rtmr[register_index] : NULL;
}

const uint8_t *merotee_event_log_compose_hash(const struct merotee_event_log *log)
{
    return log->replayed.has_compose_hash ? log->replayed.compose_hash : NULL;
}

const uint8_t *merotee_event_log_app_id(const struct merotee_event_log *log)
{
    return log->replayed.has_app_id ? log->replayed.app_id : NULL;
}

const uint8_t *merotee_event_log_os_image_hash(const struct merotee_event_log *log)
{
    return log->replayed.has_os_image_hash ? log->replayed.os_image_hash : NULL;
}

bool merotee_event_log_check(const struct merotee_event_log *log,
                             const struct merotee_verdict *verdict, unsigned register_index,
                             struct merotee_error *err)
{
    struct error why;
    if (!verdict->filled)
        return lib_refuse(err, "verdict/empty", NULL, "the verdict is empty: nothing was verified");
    if (verdict->says.tee != TEE_TDX || register_index >= MEROTEE_REGISTERS)
        return lib_refuse(err, "eventlog/register", NULL,
                          "event logs lead to RTMR0 to RTMR3 of a TD");
    const struct td_report td = {.rtmr = {verdict->says.rtmr[0], verdict->says.rtmr[1],
                                          verdict->says.rtmr[2], verdict->says.rtmr[3]}};
    return eventlog_matches(&log->replayed, &td, register_index, &why) || lib_fail(err, &why);
}
