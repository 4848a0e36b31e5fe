/* What a transparency log says about a signature. Spec: Sigstore facts 4 to 8. */
#ifndef SIGSTORE_ENTRY_H
#define SIGSTORE_ENTRY_H

#include "sigstore/bundle.h"
#include "sigstore/trust_internal.h"

/* A log with the entry's id must be trusted at all: sigstore/rekor-key-unknown. */
bool sigstore_entry_check_log(const struct sigstore_trust *trust,
                              const struct sigstore_entry *entry, struct error *err) MUST_USE;

/* The log's promise (SET), by a key that counted at the integrated time, which it proves:
 * sigstore/set, sigstore/time (a time before 1970). */
bool sigstore_entry_check_promise(const struct sigstore_trust *trust,
                                  const struct sigstore_entry *entry, struct error *err) MUST_USE;

/* The inclusion proof up to a checkpoint by a key that counted at all of the proven times:
 * sigstore/checkpoint, sigstore/inclusion. */
bool sigstore_entry_check_proof(const struct sigstore_trust *trust,
                                const struct sigstore_entry *entry, const int64_t *times_s,
                                size_t time_count, struct error *err) MUST_USE;

/* The body is the one that this digest, signature and certificate lead to: sigstore/body. */
bool sigstore_entry_check_body(const struct sigstore_bundle *bundle,
                               const struct sigstore_digest *artifact, struct error *err) MUST_USE;

/* Name of the log, "" when it is not trusted. */
const char *sigstore_entry_host(const struct sigstore_trust *trust,
                                const struct sigstore_entry *entry);

#endif
