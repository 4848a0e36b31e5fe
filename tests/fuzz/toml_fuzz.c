/* The TOML reader on any bytes: no crash, no read outside the text, and every node says a place
 * that exists. */
#include <stdlib.h>

#include "toml/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void visit(const struct toml *node)
{
    struct slice text;
    if (toml_line(node) == 0 || toml_column(node) == 0)
        abort();
    if (toml_string(node, &text) && text.len > 0 && text.data == NULL)
        abort();
    for (size_t i = 0; i < toml_count(node); i++)
        visit(toml_at(node, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    TOML_AUTO struct toml_document *doc = NULL;
    struct error err = {0};
    if (toml_parse(slice_of(data, len), &doc, &err))
        visit(toml_root(doc));
    else if (doc != NULL || err.code == NULL)
        abort();
    return 0;
}
