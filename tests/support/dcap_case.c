/* Running one case of the shared DCAP vectors. */
#include "support/dcap_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/vectors.h"

bool dcap_case_run(struct slice quote, const json_t *collateral, const struct dcap_root *root,
                   int64_t now_s, struct verdict *out, struct error *err)
{
    COLLATERAL_AUTO struct collateral documents;
    collateral_init(&documents);
    if (collateral != NULL) {
        BUF_AUTO struct buf text = BUF_INIT(COLLATERAL_FILE_MAX);
        assert_true(json_write_compact(collateral, &text, err));
        if (!collateral_read(buf_slice(&text), &documents, err))
            return false;
    }
    return dcap_verify(quote, &documents, root, NULL, now_s, out, err);
}

void dcap_case_root(const char *path, struct dcap_root *out)
{
    struct error err;
    BUF_AUTO struct buf pem = BUF_INIT(1 << 16);
    vectors_read(path, &pem);
    if (!dcap_root_open_pem(buf_slice(&pem), out, &err))
        fail_msg("%s: %s", path, err.message);
}

bool dcap_case_code_in(const char *code, const char *const *list)
{
    const struct error err = {.code = code};
    for (; *list != NULL; list++)
        if (error_is(&err, *list))
            return true;
    return false;
}

const char *dcap_case_advisories(char (*list)[ADVISORY_TEXT_MAX], size_t count)
{
    static char text[VERDICT_ADVISORIES_MAX * ADVISORY_TEXT_MAX];
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count; i++)
        used +=
            (size_t)snprintf(&text[used], sizeof text - used, "%s%s", i > 0 ? "," : "", list[i]);
    return text;
}
