/* A log's signed word on the root of its tree. Spec: C2SP signed-note and tlog-checkpoint;
 * Sigstore facts 7. */
#ifndef SIGSTORE_CHECKPOINT_H
#define SIGSTORE_CHECKPOINT_H

#include "sigstore/trust_internal.h"

/* Slices go into the text. */
struct sigstore_checkpoint {
    struct slice origin;
    uint64_t size;
    uint8_t root[SHA256_LEN];
    struct slice signed_text;
    struct slice signatures; /* the lines below the blank one */
};

/* Code sigstore/checkpoint. */
bool sigstore_checkpoint_read(struct slice text, struct sigstore_checkpoint *out,
                              struct error *err) MUST_USE;
/* The origin is this log and one of the signatures is by its key; those of others are passed over.
 */
bool sigstore_checkpoint_signed_by(const struct sigstore_checkpoint *checkpoint,
                                   const struct sigstore_log *log) MUST_USE;

#endif
