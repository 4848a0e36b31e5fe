/* One verification of the shared DCAP vectors: quote, collateral, root and time. */
#ifndef SUPPORT_DCAP_CASE_H
#define SUPPORT_DCAP_CASE_H

#include "base/json.h"
#include "dcap/verify.h"

/* The nine-member object as parsed JSON, NULL = no collateral at all. What the reader of collateral
 * refuses counts as a refusal of the verifier. */
bool dcap_case_run(struct slice quote, const json_t *collateral, const struct dcap_root *root,
                   int64_t now_s, struct verdict *out, struct error *err);

/* A root from a PEM file below the vectors folder. */
void dcap_case_root(const char *path, struct dcap_root *out);

/* Is `code` in the NULL-terminated list? An entry that ends in '/' stands for its whole area. */
bool dcap_case_code_in(const char *code, const char *const *list);

/* Advisories as "A,B,C"; in a buffer that the next call overwrites. */
const char *dcap_case_advisories(char (*list)[ADVISORY_TEXT_MAX], size_t count);

#endif
