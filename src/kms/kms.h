/* The key management service as a whole: its parts, its life. Spec: compatibility facts D,
 * settings.md, operator contract 3. */
#ifndef KMS_KMS_H
#define KMS_KMS_H

#include "kms/config.h"

struct kms;

/* Starts everything and listens. The configuration is borrowed until kms_stop(). After a true
 * return the public address answers; whether keys can be released is what readiness tells.
 * Codes: kms/..., http/..., audit/..., dcap's. */
bool kms_start(const struct kms_config *config, struct kms **out, struct error *err) MUST_USE;
/* Finishes what is under way for at most KMS_DRAIN_MS, then ends everything. False when something
 * would not end in time: then the process should end without waiting for it. */
bool kms_stop(struct kms **kms);

/* SIGHUP: certificates, audit log and policy again; what fails leaves the old one in place and is
 * logged. */
void kms_reload(struct kms *kms);

/* A descriptor that becomes readable when the service cannot go on (its platform turned out to be
 * no real one); err says why. */
int kms_fatal_fd(const struct kms *kms);
void kms_fatal_error(struct kms *kms, struct error *err);

/* The port of the public listener, for tests and logs. */
unsigned kms_port(const struct kms *kms);
unsigned kms_admin_port(const struct kms *kms);

#endif
