/* Small text helpers of this room, and what its files share. */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

#include "policy/policy.h"

struct slice policy_text_trim(struct slice s); /* ASCII white space on both ends */
struct slice policy_text_strip_0x(struct slice s, bool any_case); /* one leading "0x" (or "0X") */
/* The next entry of a comma-separated list, untrimmed; false at the end. */
bool policy_text_next_csv(struct slice *rest, struct slice *entry);
/* How many bytes of untrusted text to show with "%.*s". */
int policy_text_shown(struct slice s);

bool policy_add_mrseam(struct policy *p, struct slice text, enum policy_dialect dialect,
                       const char *field, struct error *err) MUST_USE;
bool policy_parse_fixed_hex(struct slice text, uint8_t *out, size_t len, const char *field,
                            struct error *err) MUST_USE;

#endif
