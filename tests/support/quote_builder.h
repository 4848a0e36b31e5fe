/* Quotes made up for parser tests: right by default, wrong wherever a test says so. Nothing is
 * signed; what has no meaning is a pattern, so that a field read from the wrong place differs. */
#ifndef SUPPORT_QUOTE_BUILDER_H
#define SUPPORT_QUOTE_BUILDER_H

#include "quote/quote.h"

struct quote_recipe {
    uint16_t version;
    uint16_t key_type;
    uint32_t tee;
    uint16_t qe_svn, pce_svn; /* reserved words of v4 and v5 */
    bool foreign_vendor;
    uint16_t body_type; /* v5: as in the descriptor; v3 and v4: what lies there */
    size_t qe_auth_len;
    uint16_t outer_cert_type; /* v4 and v5 */
    uint16_t cert_type;
    struct slice cert_data;
    /* Lies: added to the length field without changing what follows. */
    int64_t auth_len_lie, outer_len_lie, cert_len_lie, body_size_lie;
    int qe_auth_len_lie;
    /* Bytes that nobody declared: at the end of the inner block, of the authentication data, of
     * the file. */
    size_t inner_slack, auth_slack, trailing;
};

/* A valid recipe: v3 and `body_type` SGX, v4 and SGX or TD 1.0, v5 and any. */
struct quote_recipe quote_recipe_of(uint16_t version, enum quote_body_type body_type);
/* Replaces what out holds; fails the test without memory. */
void quote_build(const struct quote_recipe *recipe, struct buf *out);
size_t quote_body_len(enum quote_body_type type);

#endif
