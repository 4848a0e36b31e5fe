/* Column "Config", key "merod/starts", value
 * {"starts":N,"first_start":"<UTC>","last_start":"<UTC>"}. */
#include "node/start_record.h"

#include "base/clock.h"
#include "base/json.h"
#include "node/limits.h"

static const char COLUMN[] = "Config";
static const char KEY[] = "merod/starts";

struct stored {
    int64_t count;
    int64_t first_s;
    int64_t last_s;
};

static bool get_time(const json_t *record, const char *name, int64_t *out, struct error *err)
{
    struct slice text;
    if (!json_get_str(record, name, &text, err))
        return false;
    if (!time_parse_utc(text, out))
        return error_set(err, "json/value", name, "%s is not a UTC time", name);
    return true;
}

static bool parse_fields(struct slice text, struct stored *out, struct error *err)
{
    json_t *record JSON_AUTO = NULL;
    return json_parse(text, NODE_STARTS_RECORD_MAX, 0, &record, err) &&
           json_get_int(record, "starts", 1, INT64_MAX - 1, &out->count, err) &&
           get_time(record, "first_start", &out->first_s, err) &&
           get_time(record, "last_start", &out->last_s, err);
}

static bool parse(struct slice text, struct stored *out, struct error *err)
{
    struct error cause;
    if (parse_fields(text, out, &cause))
        return true;
    return error_set(err, "store/damaged", KEY, "the node's start record is unreadable: %s",
                     cause.message);
}

static bool load(struct store *s, struct stored *out, bool *found, struct error *err)
{
    struct buf value BUF_AUTO = BUF_INIT(NODE_STARTS_RECORD_MAX);
    if (!store_get(s, COLUMN, slice_str(KEY), &value, found, err))
        return false;
    return !*found || parse(buf_slice(&value), out, err);
}

static bool save(struct store *s, const struct stored *record, struct error *err)
{
    char first[TIME_TEXT_MAX], last[TIME_TEXT_MAX];
    time_format_utc(record->first_s, first);
    time_format_utc(record->last_s, last);
    struct buf value BUF_AUTO = BUF_INIT(NODE_STARTS_RECORD_MAX);
    buf_printf(&value, "{\"starts\":%lld,\"first_start\":\"%s\",\"last_start\":\"%s\"}",
               (long long)record->count, first, last);
    return store_put(s, COLUMN, slice_str(KEY), buf_slice(&value), err);
}

bool start_record_count(struct store *s, int64_t now_s, struct start_record *out, struct error *err)
{
    struct stored record = {.count = 0, .first_s = now_s};
    bool found = false;
    if (!load(s, &record, &found, err))
        return false;
    int64_t before_s = found ? record.last_s : 0;
    record.count++;
    record.last_s = now_s;
    if (!save(s, &record, err))
        return false;
    *out = (struct start_record){
        .count = (uint64_t)record.count, .first_s = record.first_s, .before_s = before_s};
    return true;
}
