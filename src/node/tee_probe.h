/* `merod tee probe`: can this machine make a quote, does it verify, and are a wrong nonce and a
 * damaged quote noticed? Spec: compatibility facts A.6. */
#ifndef NODE_TEE_PROBE_H
#define NODE_TEE_PROBE_H

#include "dcap/verifier.h"
#include "node/settings.h"
#include "platform/quote_source.h"

enum { TEE_PROBE_JSON_MAX = 8192 };

/* One check; `error` is empty when nothing went wrong. has_...: the check came far enough to tell.
 */
struct tee_probe_check {
    bool passed;
    bool quote_verified;            /* positive */
    bool has_nonce, nonce_verified; /* positive, wrong_nonce */
    bool application_hash_verified; /* positive */
    bool rejected;                  /* tampered_quote */
    const char *tcb_status;         /* positive; NULL when there is none */
    char error[ERROR_MESSAGE_MAX + 16];
};

struct tee_probe {
    bool is_mock;
    struct tee_probe_check positive, wrong_nonce, tampered_quote;
};

bool tee_probe_passed(const struct tee_probe *p) MUST_USE;
/* tee_probe_run() for the node in `dir`. False when it could not even be tried. */
bool tee_probe_node(const char *dir, const struct settings_overrides *overrides,
                    struct tee_probe *out, struct error *err) MUST_USE;
/* Takes one quote for (random nonce | SHA-256 of the peer id) and runs the three checks. Failures
 * are in *out. */
void tee_probe_run(struct quote_source *source, struct dcap_verifier *verifier, const char *peer_id,
                   int64_t now_s, struct tee_probe *out);
/* A line per check for people. */
bool tee_probe_text(const struct tee_probe *p, struct buf *out) MUST_USE;
/* Indented JSON in the key order of the facts, newline at the end. */
bool tee_probe_json(const struct tee_probe *p, struct buf *out, struct error *err) MUST_USE;

#endif
