/* Collateral verified and ready to judge, one entry a platform model (TEE, FMSPC, PCK CA). Loading
 * an entry is one thread's work; who needs the same entry meanwhile waits, who needs another does
 * not.
 */
#ifndef DCAP_HOLDINGS_H
#define DCAP_HOLDINGS_H

#include "dcap/gather.h"
#include "dcap/trusted.h"

/* Documents and what was verified in them, immutable, shared by reference count. */
struct holding;
const struct trusted_collateral *holding_trusted(const struct holding *h);
const struct collateral *holding_documents(const struct holding *h);
void holding_drop(struct holding **h);
#define HOLDING_AUTO __attribute__((cleanup(holding_drop)))

/* Thread-safe. */
struct holdings;

/* Both borrowed. */
bool holdings_open(const struct gatherer *gatherer, const struct dcap_root *root,
                   struct holdings **out, struct error *err) MUST_USE;
void holdings_close(struct holdings **h);

/* A hold on collateral for the attester that counts at now_s. Codes: those of gather_collateral()
 * and trusted_collateral_open(). */
bool holdings_get(struct holdings *h, enum tee_type tee, struct attester *attester, int64_t now_s,
                  struct holding **out, struct error *err) MUST_USE;
/* The same for another TCB evaluation data set: gathered and verified anew every time, not kept
 * beyond its documents. */
bool holdings_get_early(struct holdings *h, enum tee_type tee, struct attester *attester,
                        int64_t now_s, struct holding **out, struct error *err) MUST_USE;

/* How long what is held counts: the earliest end of each kind of document over all entries, 0 when
 * nothing is held. Returns the number of entries that hold something. */
size_t holdings_expiry(struct holdings *h, int64_t expiry_s[DOCUMENT_KINDS]);

/* Gathers anew for every entry; the last failure when one stays as it was. */
bool holdings_refresh(struct holdings *h, int64_t now_s, struct error *err) MUST_USE;

#endif
