/* Reading and replaying dstack event logs. Spec: platform facts 2.1 to 2.6, reference facts H.4. */
#include "quote/eventlog.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/hash.h"
#include "base/json_reader.h"

_Static_assert((int)EVENT_DIGEST_LEN == (int)SHA384_LEN, "registers hold SHA-384");

/* Events of the boot, each at most once and never after the last of them. */
static const char *const BOOT_EVENTS[] = {
    "system-preparing", "app-id",        "compose-hash", "instance-id", "boot-mr-done", "mr-kms",
    "rootfs-hash",      "os-image-hash", "key-provider", "storage-fs",  "system-ready",
};
enum { BOOT_EVENT_COUNT = sizeof BOOT_EVENTS / sizeof BOOT_EVENTS[0] };

/* An entry as written. */
struct entry {
    uint8_t imr;
    uint32_t type, type_camel;
    uint32_t version;
    char name[EVENT_NAME_MAX + 1];
    struct slice digest, payload, payload_camel, preimage; /* between the quotes */
};

static bool read_quoted(struct json_reader *r, void *member, size_t size)
{
    struct slice span;
    (void)size;
    if (!json_reader_skip(r, &span))
        return false;
    if (span.len < 2 || span.data[0] != '"')
        return json_reader_refuse(r, "not a string");
    *(struct slice *)member = slice_cut(span, 1, span.len - 2);
    return true;
}

/* In the order of enum: their bits in `seen`. */
enum { HAS_IMR, HAS_NAME, HAS_DIGEST, HAS_TYPE, HAS_TYPE_CAMEL, HAS_PAYLOAD, HAS_PAYLOAD_CAMEL };
static const struct json_field ENTRY_FIELDS[] = {
    [HAS_IMR] = JSON_FIELD(struct entry, imr, "imr", json_field_uint),
    [HAS_NAME] = JSON_FIELD(struct entry, name, "event", json_field_text),
    [HAS_DIGEST] = JSON_FIELD(struct entry, digest, "digest", read_quoted),
    [HAS_TYPE] = JSON_FIELD_OPTIONAL(struct entry, type, "event_type", json_field_uint),
    [HAS_TYPE_CAMEL] = JSON_FIELD_OPTIONAL(struct entry, type_camel, "eventType", json_field_uint),
    [HAS_PAYLOAD] = JSON_FIELD_OPTIONAL(struct entry, payload, "event_payload", read_quoted),
    [HAS_PAYLOAD_CAMEL] =
        JSON_FIELD_OPTIONAL(struct entry, payload_camel, "eventPayload", read_quoted),
    JSON_FIELD_OPTIONAL(struct entry, version, "version", json_field_uint),
    JSON_FIELD_OPTIONAL(struct entry, preimage, "preimage", read_quoted),
};

/* A replay under way. */
struct replay {
    struct eventlog log;
    size_t index;
    unsigned seen; /* bits of BOOT_EVENTS */
    bool ready;
    struct buf payload, preimage;
};

static bool refuse(const struct replay *p, const char *code, const char *member, const char *why,
                   struct error *err)
{
    char field[ERROR_FIELD_MAX];
    snprintf(field, sizeof field, "event_log[%zu].%s", p->index, member);
    return error_set(err, code, field, "event %zu: %s", p->index, why);
}

/* Exactly one of the two spellings of a member. */
static bool one_of(uint32_t seen, unsigned a, unsigned b)
{
    return (seen >> a & 1) != (seen >> b & 1);
}

static bool read_entry(struct json_reader *r, const struct replay *p, struct entry *e,
                       struct error *err)
{
    uint32_t seen = 0;
    *e = (struct entry){.version = 1};
    if (!json_reader_fields(r, ENTRY_FIELDS, sizeof ENTRY_FIELDS / sizeof ENTRY_FIELDS[0], e,
                            &seen))
        return json_reader_error(r, "eventlog/format", "event_log", err);
    if (!one_of(seen, HAS_TYPE, HAS_TYPE_CAMEL))
        return refuse(p, "eventlog/format", "event_type", "event_type is missing or doubled", err);
    if (!one_of(seen, HAS_PAYLOAD, HAS_PAYLOAD_CAMEL))
        return refuse(p, "eventlog/format", "event_payload", "event_payload is missing or doubled",
                      err);
    if ((seen >> HAS_TYPE_CAMEL & 1) != 0)
        e->type = e->type_camel;
    if ((seen >> HAS_PAYLOAD_CAMEL & 1) != 0)
        e->payload = e->payload_camel;
    if (e->imr > 3)
        return refuse(p, "eventlog/register", "imr", "there is no such register", err);
    return true;
}

void rtmr_extend(uint8_t rtmr[EVENT_DIGEST_LEN], const uint8_t digest[EVENT_DIGEST_LEN])
{
    const struct slice parts[] = {slice_of(rtmr, EVENT_DIGEST_LEN),
                                  slice_of(digest, EVENT_DIGEST_LEN)};
    uint8_t extended[EVENT_DIGEST_LEN];
    sha384_parts(parts, 2, extended);
    memcpy(rtmr, extended, EVENT_DIGEST_LEN);
}

void event_digest_v1(struct slice name, struct slice payload, uint8_t out[EVENT_DIGEST_LEN])
{
    uint8_t type[4];
    store_u32le(type, EVENT_TYPE_RUNTIME);
    const struct slice parts[] = {slice_of(type, sizeof type), slice_str(":"), name, slice_str(":"),
                                  payload};
    sha384_parts(parts, sizeof parts / sizeof parts[0], out);
}

/* RFC 8785, 3.2.2.2: short escapes where there are any, the rest of the controls as \u00xx. */
static void append_canonical_char(struct buf *out, uint8_t c)
{
    static const char plain[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    const char *at = c != 0 ? strchr(plain, c) : NULL;
    if (at != NULL)
        buf_printf(out, "\\%c", letters[at - plain]);
    else if (c < 0x20)
        buf_printf(out, "\\u%04x", c);
    else
        buf_append_byte(out, c);
}

bool event_preimage_v2(struct slice name, struct slice payload, struct buf *out)
{
    buf_append_str(out, "{\"name\":\"");
    struct reader r = reader_of(name);
    while (r.rest.len > 0)
        append_canonical_char(out, reader_u8(&r));
    buf_append_str(out, "\",\"payload\":\"");
    hex_append(out, payload);
    buf_printf(out, "\",\"type\":%u}", (unsigned)EVENT_TYPE_RUNTIME);
    return !out->failed;
}

/* The preimage that the entry carries must be the canonical one. */
static bool check_preimage(struct replay *p, const struct entry *e, struct error *err)
{
    buf_reset(&p->preimage);
    if (!event_preimage_v2(slice_str(e->name), buf_slice(&p->payload), &p->preimage))
        return error_set(err, "memory", NULL, "out of memory");
    BUF_AUTO struct buf given = BUF_INIT(p->preimage.len);
    return (hex_decode_append(e->preimage, &given) &&
            slice_equal(buf_slice(&given), buf_slice(&p->preimage))) ||
           refuse(p, "eventlog/preimage", "preimage",
                  "the preimage is missing or not the canonical one of its name and payload", err);
}

static bool check_runtime_entry(struct replay *p, const struct entry *e, struct error *err)
{
    if (e->type != EVENT_TYPE_RUNTIME)
        return refuse(p, "eventlog/type", "event_type",
                      "an event of RTMR3 has another type than 0x08000001", err);
    if (e->name[0] == 0 || strchr(e->name, ':') != NULL)
        return refuse(p, "eventlog/name", "event", "the name is empty or contains a colon", err);
    if (e->version != 1 && e->version != 2)
        return refuse(p, "eventlog/version", "version", "the digest version is not 1 or 2", err);
    if (e->payload.len > 2 * EVENT_PAYLOAD_MAX || !hex_decode_append(e->payload, &p->payload))
        return refuse(p, "eventlog/payload", "event_payload",
                      "the payload is not hex or longer than 65536 bytes", err);
    return true;
}

/* The digest of a runtime event comes from what it says, never from what the entry claims. */
static bool runtime_digest(struct replay *p, const struct entry *e,
                           uint8_t digest[EVENT_DIGEST_LEN], struct error *err)
{
    uint8_t given[EVENT_DIGEST_LEN];
    if (!check_runtime_entry(p, e, err))
        return false;
    if (e->version == 1)
        event_digest_v1(slice_str(e->name), buf_slice(&p->payload), digest);
    else if (check_preimage(p, e, err))
        sha384(buf_slice(&p->preimage), digest);
    else
        return false;
    if (e->digest.len == 0) /* left out by agents that strip logs */
        return true;
    return (hex_decode(e->digest, given, sizeof given) &&
            memcmp(given, digest, sizeof given) == 0) ||
           refuse(p, "eventlog/digest", "digest", "the digest is not that of its name and payload",
                  err);
}

static bool firmware_digest(const struct replay *p, const struct entry *e,
                            uint8_t digest[EVENT_DIGEST_LEN], struct error *err)
{
    return hex_decode(e->digest, digest, EVENT_DIGEST_LEN) ||
           refuse(p, "eventlog/digest", "digest",
                  "a firmware event needs a digest of 96 hex digits", err);
}

static int boot_event(const char *name)
{
    for (int i = 0; i < BOOT_EVENT_COUNT; i++)
        if (strcmp(name, BOOT_EVENTS[i]) == 0)
            return i;
    return -1;
}

static bool keep_hash(const struct replay *p, uint8_t *out, size_t len, bool *has,
                      struct error *err)
{
    if (p->payload.len != len)
        return refuse(p, "eventlog/payload", "event_payload",
                      "the payload has not the length of what the event names", err);
    memcpy(out, p->payload.data, len);
    *has = true;
    return true;
}

static bool take_boot_event(struct replay *p, const char *name, struct error *err)
{
    int which = boot_event(name);
    if (which < 0)
        return true;
    if (p->ready || (p->seen >> which & 1) != 0)
        return refuse(p, "eventlog/repeated", "event",
                      "a boot event comes a second time or after system-ready", err);
    p->seen |= 1u << which;
    p->ready = strcmp(name, "system-ready") == 0;
    struct eventlog *log = &p->log;
    if (strcmp(name, "compose-hash") == 0)
        return keep_hash(p, log->compose_hash, COMPOSE_HASH_LEN, &log->has_compose_hash, err);
    if (strcmp(name, "app-id") == 0)
        return keep_hash(p, log->app_id, APP_ID_LEN, &log->has_app_id, err);
    if (strcmp(name, "os-image-hash") == 0)
        return keep_hash(p, log->os_image_hash, OS_IMAGE_HASH_LEN, &log->has_os_image_hash, err);
    return true;
}

static bool take_entry(struct replay *p, const struct entry *e,
                       void (*visit)(const struct event *event, void *context), void *context,
                       struct error *err)
{
    uint8_t digest[EVENT_DIGEST_LEN];
    buf_reset(&p->payload);
    bool ok = e->imr == 3 ? runtime_digest(p, e, digest, err) && take_boot_event(p, e->name, err)
                          : firmware_digest(p, e, digest, err);
    if (!ok)
        return false;
    rtmr_extend(p->log.rtmr[e->imr], digest);
    p->log.count[e->imr]++;
    struct event event = {
        p->index, e->imr, e->type, e->version, slice_str(e->name), buf_slice(&p->payload), digest};
    if (visit != NULL)
        visit(&event, context);
    return true;
}

static bool replay_entries(struct json_reader *r, struct replay *p,
                           void (*visit)(const struct event *event, void *context), void *context,
                           struct error *err)
{
    if (!json_reader_array(r))
        return json_reader_error(r, "eventlog/format", "event_log", err);
    for (; json_reader_more(r); p->index++) {
        struct entry e;
        if (p->index == EVENTLOG_ENTRIES_MAX)
            return error_set(err, "eventlog/entries", "event_log", "more than %d events",
                             EVENTLOG_ENTRIES_MAX);
        if (!read_entry(r, p, &e, err) || !take_entry(p, &e, visit, context, err))
            return false;
    }
    return json_reader_finish(r) || json_reader_error(r, "eventlog/format", "event_log", err);
}

static bool replay_text(struct slice json, struct replay *p,
                        void (*visit)(const struct event *event, void *context), void *context,
                        struct error *err)
{
    struct json_reader r;
    json_reader_open(&r, json);
    return replay_entries(&r, p, visit, context, err);
}

/* Agents hand the array out as text inside a string. *inner stays untouched when they do not. */
static bool unwrap_string(struct slice json, struct buf *text, struct slice *inner,
                          struct error *err)
{
    struct json_reader r;
    json_reader_open(&r, json);
    if (!json_reader_string(&r, text))
        return true; /* an array, or nothing at all: the replay will say */
    if (!json_reader_finish(&r))
        return json_reader_error(&r, "eventlog/format", "event_log", err);
    *inner = buf_slice(text);
    return true;
}

bool eventlog_read(struct slice json, struct eventlog *out,
                   void (*visit)(const struct event *event, void *context), void *context,
                   struct error *err)
{
    if (json.len > EVENTLOG_TEXT_MAX)
        return error_set(err, "eventlog/size", "event_log", "%zu bytes, the ceiling is %d",
                         json.len, EVENTLOG_TEXT_MAX);
    BUF_AUTO struct buf text = BUF_INIT(EVENTLOG_TEXT_MAX);
    struct replay p = {.payload = BUF_INIT(EVENT_PAYLOAD_MAX),
                       .preimage = BUF_INIT(2 * EVENT_PAYLOAD_MAX + 6 * EVENT_NAME_MAX + 64)};
    bool ok = unwrap_string(json, &text, &json, err) && replay_text(json, &p, visit, context, err);
    buf_free(&p.payload);
    buf_free(&p.preimage);
    if (ok)
        *out = p.log;
    return ok;
}

bool eventlog_matches(const struct eventlog *log, const struct td_report *td, unsigned imr,
                      struct error *err)
{
    char field[ERROR_FIELD_MAX], replayed[2 * EVENT_DIGEST_LEN + 1];
    if (memcmp(log->rtmr[imr], td->rtmr[imr], EVENT_DIGEST_LEN) == 0)
        return true;
    snprintf(field, sizeof field, "rtmr%u", imr);
    hex_encode(slice_of(log->rtmr[imr], EVENT_DIGEST_LEN), replayed);
    return error_set(err, "eventlog/mismatch", field,
                     "the %zu events of the log lead to %s, which is not %s of the quote",
                     log->count[imr], replayed, field);
}
