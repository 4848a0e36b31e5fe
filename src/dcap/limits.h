/* Every ceiling of this room. Real documents (2019-2026) stay below a third of each. */
#ifndef DCAP_LIMITS_H
#define DCAP_LIMITS_H

enum {
    TCB_COMPONENTS = 16,

    TCB_LEVELS_MAX = 64,       /* platform levels of one TCB info */
    TCB_MODULES_MAX = 8,       /* TDX module identities of one TCB info */
    ISV_LEVELS_MAX = 32,       /* levels of one module identity or of a QE identity */
    LEVEL_ADVISORIES_MAX = 64, /* advisories of one level; a verdict unites three */

    COLLATERAL_DOCUMENT_MAX = 1048576, /* TCB info, QE identity or CRL, bytes */
    COLLATERAL_CHAIN_MAX = 32768,      /* PEM text of a chain, bytes */
    COLLATERAL_FILE_MAX = 8388608,     /* the JSON object with all of them, bytes */

    ATTESTER_SETS = 64, /* attesters in memory: sets times ways */
    ATTESTER_WAYS = 4,
    PLATFORMS_MAX = 128,   /* platform models with verified collateral in memory */
    SHELF_SLOTS_MAX = 512, /* documents in memory */
    FETCH_URL_MAX = 2048,  /* address of one document, bytes */
};

#endif
