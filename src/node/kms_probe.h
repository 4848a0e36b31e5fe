/* What `merod kms probe` says about a key release. Spec: compatibility facts A.5. */
#ifndef NODE_KMS_PROBE_H
#define NODE_KMS_PROBE_H

#include "keyrelease/client.h"
#include "node/settings.h"

enum { KMS_PROBE_TEXT_MAX = 8192 };

struct kms_probe {
    bool ok;
    size_t key_len;                    /* when ok */
    struct keyrelease_failure failure; /* when not */
};

/* The whole release for the node in `dir`, key included, which is dropped. Neither the store nor
 * the lock of the directory is touched. False when it could not even be tried (no configuration, no
 * [tee], no quote source ...); else *out tells how it went. */
bool kms_probe_run(const char *dir, const struct settings_overrides *overrides,
                   struct kms_probe *out, struct error *err) MUST_USE;

/* Indented JSON in the key order of the facts, newline at the end. */
bool kms_probe_json(const struct kms_probe *p, struct buf *out, struct error *err) MUST_USE;
/* "KMS probe succeeded: stage=GetKey code=OK details=..." or "KMS probe failed: stage=... code=...
 * kms_error=...|- details=...|-", without a newline. */
bool kms_probe_line(const struct kms_probe *p, struct buf *out) MUST_USE;
/* "KMS probe failed at stage=... code=...": what follows the JSON on stderr. */
bool kms_probe_summary(const struct kms_probe *p, struct buf *out) MUST_USE;

#endif
