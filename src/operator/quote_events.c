/* `mero-tee quote events`: an event log beside the registers that it must lead to. */
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "operator/evidence.h"
#include "operator/quote_command.h"
#include "quote/eventlog.h"

enum { PAYLOAD_SHOWN = 48 };

/* Events as they are visited, for either form of output. */
struct event_listing {
    struct buf *text; /* NULL when JSON is wanted */
    json_t *json;
};

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] < 0x20 || s.data[i] > 0x7e)
            return false;
    return s.len > 0;
}

/* Names come from the guest: what is not plain text is shown in hex. */
static void append_payload(struct buf *out, struct slice payload)
{
    struct slice shown = slice_cut(payload, 0, PAYLOAD_SHOWN);
    if (is_printable(payload))
        buf_append(out, shown);
    else
        hex_append(out, shown);
    if (payload.len > PAYLOAD_SHOWN)
        buf_append_str(out, "...");
}

static void list_text(const struct event *event, struct buf *out)
{
    buf_printf(out, "  RTMR%u  ", event->imr);
    if (event->imr < 3) { /* firmware events count by their digest alone */
        hex_append(out, slice_of(event->digest, EVENT_DIGEST_LEN));
        buf_append_byte(out, '\n');
        return;
    }
    if (is_printable(event->name))
        buf_append(out, event->name);
    else
        hex_append(out, event->name);
    buf_append_str(out, "  ");
    append_payload(out, event->payload);
    buf_append_byte(out, '\n');
}

static json_t *json_hex(struct slice bytes)
{
    BUF_AUTO struct buf hex = BUF_INIT(2 * EVENT_PAYLOAD_MAX);
    hex_append(&hex, bytes);
    return json_string(buf_cstr(&hex));
}

static void list_json(const struct event *event, json_t *list)
{
    json_t *entry = json_object();
    json_object_set_new(entry, "imr", json_integer(event->imr));
    json_object_set_new(entry, "event",
                        json_stringn((const char *)event->name.data, event->name.len));
    json_object_set_new(entry, "event_type", json_integer(event->type));
    json_object_set_new(entry, "event_payload", json_hex(event->payload));
    json_object_set_new(entry, "digest", json_hex(slice_of(event->digest, EVENT_DIGEST_LEN)));
    json_array_append_new(list, entry);
}

static void visit(const struct event *event, void *context)
{
    const struct event_listing *listing = context;
    if (listing->text != NULL)
        list_text(event, listing->text);
    else
        list_json(event, listing->json);
}

static bool all_match(const struct eventlog *log, const struct td_report *td, bool matches[4],
                      struct error *err)
{
    bool all = true;
    for (unsigned imr = 0; imr < 4; imr++) {
        struct error why;
        matches[imr] = eventlog_matches(log, td, imr, &why);
        if (!matches[imr] && all)
            *err = why;
        all = all && matches[imr];
    }
    return all;
}

static void text_hash(struct buf *out, const char *name, bool has, const uint8_t *bytes, size_t len)
{
    if (!has)
        return;
    buf_printf(out, "%-14s ", name);
    hex_append(out, slice_of(bytes, len));
    buf_append_byte(out, '\n');
}

static void write_text(const struct eventlog *log, const bool matches[4], struct buf *out)
{
    text_hash(out, "compose-hash", log->has_compose_hash, log->compose_hash, COMPOSE_HASH_LEN);
    text_hash(out, "app-id", log->has_app_id, log->app_id, APP_ID_LEN);
    text_hash(out, "os-image-hash", log->has_os_image_hash, log->os_image_hash, OS_IMAGE_HASH_LEN);
    for (unsigned imr = 0; imr < 4; imr++)
        buf_printf(out, "RTMR%u          %zu events, %s\n", imr, log->count[imr],
                   matches[imr] ? "replay equals the quote" : "REPLAY DIFFERS FROM THE QUOTE");
    buf_append_str(out, "The quote itself is not verified here: see 'mero-tee quote verify'.\n");
}

static void json_hash(json_t *root, const char *name, bool has, const uint8_t *bytes, size_t len)
{
    if (has)
        json_object_set_new(root, name, json_hex(slice_of(bytes, len)));
}

static bool write_json(const struct eventlog *log, const bool matches[4], json_t *events,
                       struct buf *out, struct error *err)
{
    JSON_AUTO json_t *root = json_object();
    json_t *registers = json_object();
    json_object_set_new(root, "schema", json_string("mero.events/1"));
    json_hash(root, "compose_hash", log->has_compose_hash, log->compose_hash, COMPOSE_HASH_LEN);
    json_hash(root, "app_id", log->has_app_id, log->app_id, APP_ID_LEN);
    json_hash(root, "os_image_hash", log->has_os_image_hash, log->os_image_hash, OS_IMAGE_HASH_LEN);
    for (unsigned imr = 0; imr < 4; imr++) {
        char name[] = "rtmr0";
        name[4] = (char)('0' + imr);
        json_t *reg = json_pack("{s:o, s:I, s:b}", "replayed",
                                json_hex(slice_of(log->rtmr[imr], EVENT_DIGEST_LEN)), "events",
                                (json_int_t)log->count[imr], "matches", matches[imr]);
        json_object_set_new(registers, name, reg);
    }
    json_object_set_new(root, "registers", registers);
    json_object_set(root, "events", events);
    return json_write_pretty(root, out, err);
}

/* The log, and the quote that it belongs to, from one file or two. */
static bool read_inputs(const struct quote_events_options *options, struct evidence *quote,
                        struct buf *log, struct error *err)
{
    if (options->quote_path != NULL)
        return evidence_read(options->quote_path, quote, err) && file_read(options->path, log, err);
    if (!evidence_read(options->path, quote, err))
        return false;
    if (quote->event_log.len == 0)
        return error_set(
            err, "evidence/format", "eventLog",
            "the input carries no event log: give the JSON reply, or the log and --quote");
    return buf_append(log, buf_slice(&quote->event_log)) ||
           error_set(err, "memory", NULL, "out of memory");
}

bool quote_command_events(const struct quote_events_options *options, struct buf *out,
                          struct error *err)
{
    EVIDENCE_AUTO struct evidence evidence = {0};
    BUF_AUTO struct buf text = BUF_INIT(EVENTLOG_TEXT_MAX);
    JSON_AUTO json_t *events = json_array();
    struct event_listing listing = {options->json ? NULL : out, events};
    struct quote q;
    struct eventlog log;
    bool matches[4];
    if (!read_inputs(options, &evidence, &text, err) ||
        !quote_parse(buf_slice(&evidence.quote), &q, err))
        return false;
    if (q.tee != QUOTE_TEE_TDX)
        return error_set(err, "evidence/format", "teeType", "an SGX quote has no event log");
    if (!eventlog_read(buf_slice(&text), &log, visit, &listing, err))
        return false;
    bool ok = all_match(&log, &q.td, matches, err);
    if (!options->json)
        write_text(&log, matches, out);
    else if (!write_json(&log, matches, events, out, err))
        return false;
    return ok;
}
