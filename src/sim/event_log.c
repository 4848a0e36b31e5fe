/* Event log and RTMR arithmetic, platform facts 2.1-2.4. */
#include "sim/event_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/json.h"

static bool runtime_digest(unsigned version, const char *name, struct slice payload,
                           uint8_t out[SHA384_LEN], struct error *err)
{
    struct buf preimage BUF_AUTO = BUF_INIT(4 * SIM_EVENT_PAYLOAD_MAX);
    if (version == 1) {
        event_digest_v1(slice_str(name), payload, out);
        return true;
    }
    if (!event_preimage_v2(slice_str(name), payload, &preimage))
        return error_set(err, "sim/limit", "payload", "event payload is longer than %d bytes",
                         SIM_EVENT_PAYLOAD_MAX);
    sha384(buf_slice(&preimage), out);
    return true;
}

static bool log_add(struct sim_event_log *log, struct sim_event *event, struct slice payload,
                    struct error *err)
{
    if (log->count == SIM_EVENTS_MAX)
        return error_set(err, "sim/limit", "event", "the event log holds at most %d events",
                         SIM_EVENTS_MAX);
    if (log->events == NULL)
        log->events = calloc(SIM_EVENTS_MAX, sizeof *log->events);
    event->payload = BUF_INIT(SIM_EVENT_PAYLOAD_MAX);
    if (log->events == NULL || !buf_append(&event->payload, payload)) {
        buf_free(&event->payload);
        return error_set(err, "sim/limit", "payload", "event payload is longer than %d bytes",
                         SIM_EVENT_PAYLOAD_MAX);
    }
    log->events[log->count++] = *event;
    return true;
}

bool sim_log_runtime(struct sim_event_log *log, unsigned version, const char *name,
                     struct slice payload, struct error *err)
{
    struct sim_event event = {.imr = 3, .type = EVENT_TYPE_RUNTIME, .version = version};
    if (strlen(name) >= sizeof event.name)
        return error_set(err, "sim/limit", "event", "event name is longer than %zu bytes",
                         sizeof event.name - 1);
    snprintf(event.name, sizeof event.name, "%s", name);
    return runtime_digest(version, name, payload, event.digest, err) &&
           log_add(log, &event, payload, err);
}

bool sim_log_firmware(struct sim_event_log *log, unsigned imr, uint32_t type,
                      const uint8_t digest[SHA384_LEN], struct slice payload, struct error *err)
{
    struct sim_event event = {.imr = imr, .type = type, .version = 1};
    memcpy(event.digest, digest, SHA384_LEN);
    return log_add(log, &event, payload, err);
}

void sim_log_free(struct sim_event_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        buf_free(&log->events[i].payload);
    free(log->events);
    *log = (struct sim_event_log){0};
}

void sim_log_replay(const struct sim_event_log *log, unsigned imr, uint8_t out[SIM_RTMR_LEN])
{
    memset(out, 0, SIM_RTMR_LEN);
    for (size_t i = 0; i < log->count; i++)
        if (log->events[i].imr == imr)
            rtmr_extend(out, log->events[i].digest);
}

static void write_event(const struct sim_event *event, bool stripped, struct buf *out)
{
    bool runtime = event->type == EVENT_TYPE_RUNTIME;
    buf_printf(out, "{\"imr\":%u,\"event_type\":%u,\"digest\":\"", event->imr, event->type);
    if (!stripped || !runtime)
        hex_append(out, slice_of(event->digest, sizeof event->digest));
    buf_append_str(out, "\",\"event\":");
    json_append_string(out, slice_str(event->name));
    buf_append_str(out, ",\"event_payload\":\"");
    if (!stripped || runtime)
        hex_append(out, buf_slice(&event->payload));
    buf_append_str(out, "\"");
    if (event->version == 2) {
        struct buf preimage BUF_AUTO = BUF_INIT(4 * SIM_EVENT_PAYLOAD_MAX);
        event_preimage_v2(slice_str(event->name), buf_slice(&event->payload), &preimage);
        buf_append_str(out, ",\"version\":2,\"preimage\":\"");
        hex_append(out, buf_slice(&preimage));
        buf_append_str(out, "\"");
    }
    buf_append_str(out, "}");
}

bool sim_log_write(const struct sim_event_log *log, bool stripped, struct buf *out,
                   struct error *err)
{
    buf_append_str(out, "[");
    for (size_t i = 0; i < log->count; i++) {
        buf_append_str(out, i == 0 ? "" : ",");
        write_event(&log->events[i], stripped, out);
    }
    buf_append_str(out, "]");
    return !out->failed || error_set(err, "sim/limit", "event_log", "the event log is too long");
}
