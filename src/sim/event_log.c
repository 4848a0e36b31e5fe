/* Event log and RTMR arithmetic, platform facts 2.1-2.4. */
#include "sim/event_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/json.h"

/* {"name":"<event>","payload":"<hex>","type":134217729}: RFC 8785 */
static void write_v2_preimage(const char *name, struct slice payload, struct buf *out)
{
    buf_append_str(out, "{\"name\":");
    json_append_string(out, slice_str(name));
    buf_append_str(out, ",\"payload\":\"");
    hex_append(out, payload);
    buf_printf(out, "\",\"type\":%u}", (unsigned)SIM_RUNTIME_EVENT);
}

static void write_v1_preimage(const char *name, struct slice payload, struct buf *out)
{
    buf_append_le(out, SIM_RUNTIME_EVENT, 4);
    buf_append_str(out, ":");
    buf_append_str(out, name);
    buf_append_str(out, ":");
    buf_append(out, payload);
}

bool sim_event_digest(unsigned version, const char *name, struct slice payload,
                      uint8_t out[SHA384_LEN], struct error *err)
{
    struct buf preimage BUF_AUTO = BUF_INIT(4 * SIM_EVENT_PAYLOAD_MAX);
    if (version == 2)
        write_v2_preimage(name, payload, &preimage);
    else
        write_v1_preimage(name, payload, &preimage);
    if (preimage.failed)
        return error_set(err, "sim/limit", "payload", "event payload is too long");
    sha384(buf_slice(&preimage), out);
    return true;
}

void sim_rtmr_extend(uint8_t rtmr[SIM_RTMR_LEN], const uint8_t digest[SHA384_LEN])
{
    const struct slice parts[2] = {slice_of(rtmr, SIM_RTMR_LEN), slice_of(digest, SHA384_LEN)};
    uint8_t next[SHA384_LEN];
    sha384_parts(parts, 2, next);
    memcpy(rtmr, next, SIM_RTMR_LEN);
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
    struct sim_event event = {.imr = 3, .type = SIM_RUNTIME_EVENT, .version = version};
    if (strlen(name) >= sizeof event.name)
        return error_set(err, "sim/limit", "event", "event name is longer than %zu bytes",
                         sizeof event.name - 1);
    snprintf(event.name, sizeof event.name, "%s", name);
    return sim_event_digest(version, name, payload, event.digest, err) &&
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
            sim_rtmr_extend(out, log->events[i].digest);
}

static void write_event(const struct sim_event *event, bool stripped, struct buf *out)
{
    bool runtime = event->type == SIM_RUNTIME_EVENT;
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
        write_v2_preimage(event->name, buf_slice(&event->payload), &preimage);
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
