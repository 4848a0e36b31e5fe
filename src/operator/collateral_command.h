/* `mero-tee collateral fetch|show|export|import|forget`: Intel's documents for sites with and
 * without a network. */
#ifndef OPERATOR_COLLATERAL_COMMAND_H
#define OPERATOR_COLLATERAL_COMMAND_H

#include "operator/collateral_source.h"

struct collateral_options {
    struct collateral_source source; /* show uses only its root */
    const char *quote_path;          /* evidence that says which platform (fetch, export, import) */
    const char *file_path;           /* the nine-member object to show or import */
    const char *at;                  /* RFC 3339 or Unix seconds; NULL = now */
    bool json;
};

/* Asks the services for newer documents than those in the cache and appends the nine-member object.
 */
bool collateral_command_fetch(const struct collateral_options *options, struct buf *out,
                              struct error *err) MUST_USE;
/* The same from the cache alone, without any network. */
bool collateral_command_export(const struct collateral_options *options, struct buf *out,
                               struct error *err) MUST_USE;
/* Puts a file's documents into the cache: each genuine, in date, no older than what is there. */
bool collateral_command_import(const struct collateral_options *options, struct buf *out,
                               struct error *err) MUST_USE;
/* What each document of a file is and how long it counts. Fails collateral/expired when one does
 * not count at the time; the page is written all the same. */
bool collateral_command_show(const struct collateral_options *options, struct buf *out,
                             struct error *err) MUST_USE;
/* Empties the cache, which also forgets how new the newest document was. */
bool collateral_command_forget(const struct collateral_options *options, struct buf *out,
                               struct error *err) MUST_USE;

#endif
