/* Recognising the forms in which quotes travel. */
#include "operator/evidence.h"

#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"

static const struct evidence empty_evidence = {
    .quote = {.max = EVIDENCE_QUOTE_MAX},
    .event_log = {.max = EVIDENCE_INPUT_MAX},
};

const char *evidence_form_name(enum evidence_form form)
{
    static const char *const names[] = {"raw", "hex", "base64", "JSON"};
    return names[form];
}

void evidence_free(struct evidence *e)
{
    buf_free(&e->quote);
    buf_free(&e->event_log);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A quote starts with its version, 3 to 5, as a little-endian u16: no text does. */
static bool looks_raw(struct slice input)
{
    return input.len >= 2 && input.data[0] >= 3 && input.data[0] <= 5 && input.data[1] == 0;
}

static bool is_hex_text(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr("0123456789abcdefABCDEF", text.data[i]) == NULL || text.data[i] == 0)
            return false;
    return true;
}

/* Line breaks and indentation are how text forms get pasted. */
static bool strip_space(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_space(text.data[i]) && !buf_append_byte(out, text.data[i]))
            return false;
    return true;
}

static bool decode_text(struct slice text, struct evidence *e, struct error *err)
{
    if (text.len > 2 && text.data[0] == '0' && (text.data[1] == 'x' || text.data[1] == 'X'))
        text = slice_cut(text, 2, text.len);
    if (is_hex_text(text) && hex_decode_append(text, &e->quote)) {
        e->form = EVIDENCE_HEX;
        return true;
    }
    if (base64_decode_append(text, &e->quote)) {
        e->form = EVIDENCE_BASE64;
        return true;
    }
    return error_set(err, "evidence/format", NULL,
                     "the input is no quote: neither raw (version 3 to 5), nor hex, nor base64, "
                     "nor a JSON reply");
}

/* Members under which replies carry a quote: base64 or hex decides itself by the text. */
static bool find_quote(const json_t *obj, struct evidence *e, bool *found, struct error *err)
{
    static const char *const names[] = {"quoteB64", "quote_b64", "quote_hex", "quote"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const json_t *value = json_object_get(obj, names[i]);
        if (!json_is_string(value))
            continue;
        *found = true;
        if (decode_text(slice_of(json_string_value(value), json_string_length(value)), e, err))
            return true;
        return error_set(err, "evidence/format", names[i], "`%s` is neither base64 nor hex",
                         names[i]);
    }
    return true;
}

/* The log is an array, or a string that holds one. */
static bool find_event_log(const json_t *obj, struct evidence *e, struct error *err)
{
    const json_t *log = json_object_get(obj, "eventLog");
    if (log == NULL)
        log = json_object_get(obj, "event_log");
    if (json_is_string(log)) {
        if (!buf_append(&e->event_log, slice_of(json_string_value(log), json_string_length(log))))
            return error_set(err, "evidence/format", "eventLog", "the event log is too large");
        return true;
    }
    return json_is_array(log) ? json_write_compact(log, &e->event_log, err) : true;
}

static bool decode_json(struct slice text, struct evidence *e, struct error *err)
{
    JSON_AUTO json_t *root = NULL;
    bool found = false;
    if (!json_parse(text, EVIDENCE_INPUT_MAX, 0, &root, err))
        return false;
    const json_t *data = json_object_get(root, "data");
    const json_t *places[] = {root, data};
    for (size_t i = 0; i < 2 && !found; i++)
        if (json_is_object(places[i]) && (!find_quote(places[i], e, &found, err) ||
                                          (found && !find_event_log(places[i], e, err))))
            return false;
    e->form = EVIDENCE_JSON;
    return found ? true
                 : error_set(err, "evidence/format", "quoteB64",
                             "the JSON carries no quote (quoteB64, quote_b64, quote_hex or quote)");
}

bool evidence_parse(struct slice input, struct evidence *out, struct error *err)
{
    EVIDENCE_AUTO struct evidence e = empty_evidence;
    BUF_AUTO struct buf text = BUF_INIT(EVIDENCE_INPUT_MAX);
    size_t start = 0;
    while (start < input.len && is_space(input.data[start]))
        start++;
    if (start == input.len)
        return error_set(err, "evidence/empty", NULL, "the input is empty");
    bool ok;
    if (looks_raw(input))
        ok =
            buf_append(&e.quote, input) ||
            error_set(err, "evidence/format", NULL, "a quote of %zu bytes is too large", input.len);
    else if (input.data[start] == '{')
        ok = decode_json(input, &e, err);
    else
        ok = (strip_space(input, &text) ||
              error_set(err, "evidence/format", NULL, "the input is too large")) &&
             decode_text(buf_slice(&text), &e, err);
    if (!ok)
        return false;
    *out = e;
    e = empty_evidence;
    return true;
}

bool evidence_read(const char *path, struct evidence *out, struct error *err)
{
    BUF_AUTO struct buf input = BUF_INIT(EVIDENCE_INPUT_MAX);
    bool ok = strcmp(path, "-") == 0 ? file_read_fd(STDIN_FILENO, "standard input", &input, err)
                                     : file_read(path, &input, err);
    return ok && evidence_parse(buf_slice(&input), out, err);
}
