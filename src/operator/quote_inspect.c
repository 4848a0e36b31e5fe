/* `mero-tee quote inspect` and `events`: looking, without verifying. */
#include "base/codec.h"
#include "base/json.h"
#include "operator/evidence.h"
#include "operator/quote_command.h"
#include "quote/quote_json.h"
#include "quote/quote_text.h"

static bool inspect_json(const struct quote *q, const struct evidence *e, struct buf *out,
                         struct error *err)
{
    JSON_AUTO json_t *root = json_object();
    json_t *view = NULL;
    if (!quote_to_json(q, &view, err))
        return false;
    json_object_set_new(root, "schema", json_string("mero.quote/1"));
    json_object_set_new(root, "verified", json_false());
    json_object_set_new(root, "form", json_string(evidence_form_name(e->form)));
    json_object_set_new(root, "quote_bytes", json_integer((json_int_t)q->exact.len));
    json_object_set_new(root, "trailing_bytes", json_integer((json_int_t)q->trailing_len));
    json_object_set_new(root, "quote", view);
    return json_write_pretty(root, out, err);
}

bool quote_command_inspect(const char *path, bool json, struct buf *out, struct error *err)
{
    EVIDENCE_AUTO struct evidence e = {0};
    struct quote q;
    if (!evidence_read(path, &e, err) || !quote_parse(buf_slice(&e.quote), &q, err))
        return false;
    if (json)
        return inspect_json(&q, &e, out, err);
    return quote_append_text(&q, out) || error_set(err, "memory", NULL, "out of memory");
}
