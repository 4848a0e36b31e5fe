/* The documents that a verification needs besides the quote, as bytes: nothing here is believed.
 * Kept in a file as one JSON object of nine members (chains as PEM, CRLs as hex DER, TCB info and
 * QE identity as the exact text that was signed). Spec: DCAP facts 4. */
#ifndef DCAP_COLLATERAL_H
#define DCAP_COLLATERAL_H

#include "base/bytes.h"
#include "dcap/limits.h"

enum collateral_part {
    COLLATERAL_PCK_CRL_ISSUER_CHAIN, /* PEM; never needed: the issuer is in the quote's chain */
    COLLATERAL_ROOT_CRL,             /* DER */
    COLLATERAL_PCK_CRL,              /* DER */
    COLLATERAL_TCB_INFO_ISSUER_CHAIN,
    COLLATERAL_TCB_INFO,           /* the JSON object that was signed, byte by byte */
    COLLATERAL_TCB_INFO_SIGNATURE, /* 64 bytes r || s */
    COLLATERAL_QE_IDENTITY_ISSUER_CHAIN,
    COLLATERAL_QE_IDENTITY,
    COLLATERAL_QE_IDENTITY_SIGNATURE,
    COLLATERAL_PCK_CHAIN, /* PEM, leaf first; for quotes that carry no chain, else empty */
    COLLATERAL_PARTS,
};

/* Each part owned; empty when absent. */
struct collateral {
    struct buf part[COLLATERAL_PARTS];
};

void collateral_init(struct collateral *c);
void collateral_free(struct collateral *c);
#define COLLATERAL_AUTO __attribute__((cleanup(collateral_free)))

struct slice collateral_part(const struct collateral *c, enum collateral_part part);
/* The member of the JSON object that holds the part. */
const char *collateral_part_name(enum collateral_part part);

/* Replaces the parts named (bit 1 << part) in *into by those of *from. */
enum { COLLATERAL_ALL_PARTS = (1 << COLLATERAL_PARTS) - 1 };
bool collateral_copy(unsigned parts, const struct collateral *from, struct collateral *into,
                     struct error *err) MUST_USE;

/* Replaces one part. `text` is in the form of the JSON object (CRLs may also be DER or PEM,
 * signatures are 128 hexadecimal digits). Codes collateral/format, collateral/too-large, crl/...;
 * the part is empty after a failure. */
bool collateral_set(struct collateral *c, enum collateral_part part, struct slice text,
                    struct error *err) MUST_USE;

/* A reply of PCS or PCCS ({"tcbInfo":{...},"signature":"..."} or with "enclaveIdentity"): the
 * document becomes `part`, the signature the part behind it. Code collateral/format. */
bool collateral_set_reply(struct collateral *c, enum collateral_part part, struct slice body,
                          struct error *err) MUST_USE;

/* The JSON object. Members may be missing (what needs them fails then); unknown ones are ignored.
 * *out is initialised and empty after a failure. */
bool collateral_read(struct slice json, struct collateral *out, struct error *err) MUST_USE;
/* Appends the JSON object, one line per member; `parts` says which (bit 1 << part). */
bool collateral_write_parts(const struct collateral *c, unsigned parts, struct buf *out,
                            struct error *err) MUST_USE;
/* The nine members, and the PCK chain when there is one. */
bool collateral_write(const struct collateral *c, struct buf *out, struct error *err) MUST_USE;

#endif
