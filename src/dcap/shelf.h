/* The newest collateral documents that were ever accepted, in memory and, where there is a
 * directory, on disk: one file a document, so that documents are shared between platforms and
 * processes. What is on the shelf is never replaced by something older, which is all that stands
 * between a verifier and a service (or thief of one) that hands out last month's judgement.
 * Spec: platform facts 4.3, 4.5. */
#ifndef DCAP_SHELF_H
#define DCAP_SHELF_H

#include "dcap/documents.h"
#include "dcap/notices.h"

/* Thread-safe. */
struct shelf;

/* dir: created 0700; NULL = memory only. root and notices are borrowed. */
bool shelf_open(const char *dir, const struct dcap_root *root, const struct dcap_notices *notices,
                struct shelf **out, struct error *err) MUST_USE;
void shelf_close(struct shelf **s);

/* Copies the parts of a document that counts at now_s into *into. Codes collateral/missing (never
 * seen, or unreadable), collateral/expired, collateral/not-yet-valid. */
bool shelf_get(struct shelf *s, const struct document_key *key, const struct pck_issuer *issuer,
               int64_t now_s, struct collateral *into, struct error *err) MUST_USE;

/* Verifies a document and puts it on the shelf. Codes: those of document_inspect(),
 * collateral/expired, collateral/not-yet-valid, collateral/older (than what is there, which stays).
 * A disk that cannot be written is a warning. */
bool shelf_put(struct shelf *s, const struct document_key *key, const struct pck_issuer *issuer,
               int64_t now_s, const struct collateral *from, struct error *err) MUST_USE;

/* Removes what a shelf keeps in a directory, and nothing else there. */
bool shelf_forget(const char *dir, struct error *err) MUST_USE;

#endif
