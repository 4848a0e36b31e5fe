/* The thin room behind include/merotee: handles around the structs of the rooms below, and the
 * translation of errors and options. Nothing is decided here. */
#ifndef LIB_LIB_H
#define LIB_LIB_H

#include <stdatomic.h>

#include <merotee/merotee.h>

#include "dcap/verifier.h"
#include "dcap/verify.h"
#include "policy/policy.h"
#include "quote/eventlog.h"

/* A number of the public headers is that of the room below. */
#define LIB_SAME(ours, below) _Static_assert((int)(ours) == (int)(below), #ours)

/* ---- handles ---- */

struct merotee_quote {
    struct quote parsed; /* points into bytes */
    uint8_t bytes[];
};

struct merotee_event_log {
    struct eventlog replayed;
};

struct merotee_collateral {
    struct collateral documents;
};

struct merotee_verdict {
    bool filled; /* else the rest means nothing */
    struct verdict says;
};

struct merotee_policy {
    struct policy rules;
};

struct merotee_verifier {
    struct dcap_verifier *inner;
    atomic_bool canceled;
};

/* ---- translation ---- */

/* Copies *why to the caller's error (which may be NULL) and returns false. */
bool lib_fail(struct merotee_error *err, const struct error *why);
/* lib_fail() with a code and a text of this room. */
bool lib_refuse(struct merotee_error *err, const char *code, const char *field, const char *text);
bool lib_no_memory(struct merotee_error *err);

enum { LIB_OPTIONS_MAX = 4096 }; /* bytes of any options struct, now and later */
/* Copies the options of a caller of any age: what the caller does not know is 0 in *to, what the
 * library does not know must be. `known` is sizeof *to and `first` the size that release 1 had;
 * `from` starts with its own size and may be NULL (all 0). Code usage. */
bool lib_options_copy(void *to, size_t known, size_t first, const void *from,
                      struct merotee_error *err) MUST_USE;

/* The same for structs that the library fills: is the caller's size one that can be? Code usage. */
bool lib_size_ok(size_t given, size_t first, struct merotee_error *err) MUST_USE;
/* Fills as much as the caller has room for, and zeros behind what the library knows. */
void lib_tell(const void *from, size_t known, void *to, size_t given);

/* Hands a finished buffer out as text that merotee_free() takes. Code memory. */
bool lib_text_out(struct buf *text, char **out, struct merotee_error *err) MUST_USE;

/* ---- shared by the ways to verify ---- */

bool lib_verify_options(const struct merotee_verify_options *from, struct dcap_options *out,
                        struct merotee_error *err) MUST_USE;
/* With a root of one's own choosing. Closes nothing. */
bool lib_verify(struct slice quote, const struct merotee_collateral *collateral,
                const struct dcap_root *root, const struct dcap_options *options, int64_t now_s,
                struct merotee_verdict *verdict, struct merotee_error *err) MUST_USE;

/* `root_pem_path` is NULL for Intel's root, and always in release builds. */
bool lib_verifier_open(const struct merotee_verifier_options *options, const char *root_pem_path,
                       struct merotee_verifier **out, struct merotee_error *err) MUST_USE;

#endif
